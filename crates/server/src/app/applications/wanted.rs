//! An application as it is to be: what it was, with what is given changed.

use std::str::FromStr;

use api::applications::UpdateApplication;
use domain::identity::application::{Branding, GrantType, Settings, check_name};
use domain::ids::TrustId;
use store::applications::StoredApplication;

use crate::app::oidc::jws;
use crate::problem::{Outcome, Problem};

/// The tenant's default, where a setting can follow it.
const DEFAULT: &str = "default";

/// The application with what is given changed, checked as a whole.
pub fn changed(old: &StoredApplication, request: UpdateApplication) -> Outcome<StoredApplication> {
    let mut row = old.clone();
    if let Some(name) = &request.display_name {
        row.name = check_name(name)?.to_owned();
    }
    if let Some(environment) = word("environment", request.environment.as_deref())? {
        row.environment = environment;
    }
    let has_new_keys = request.jwks.is_some();
    change_lists(&mut row.settings, &request);
    change_words(&mut row.settings, &request)?;
    change_client(&mut row.settings, request);
    row.settings.check(row.kind, row.environment)?;
    if let Some(jwks) = row.settings.jwks.as_ref().filter(|_| has_new_keys) {
        jws::read_set(&jwks.to_string()).map_err(|refusal| Problem::invalid(format!("jwks: {refusal}.")))?;
    }
    Ok(row)
}

fn change_lists(settings: &mut Settings, request: &UpdateApplication) {
    for (list, given) in [
        (&mut settings.redirect_uris, &request.redirect_uris),
        (&mut settings.post_logout_redirect_uris, &request.post_logout_redirect_uris),
        (&mut settings.allowed_scopes, &request.allowed_scopes),
        (&mut settings.resources, &request.resources),
        (&mut settings.serves, &request.serves),
        (&mut settings.cors_origins, &request.cors_origins),
        (&mut settings.platform_scopes, &request.platform_scopes),
        (&mut settings.platform_limits, &request.platform_resources),
    ] {
        if let Some(given) = given {
            list.clone_from(given);
        }
    }
    if let Some(ids) = &request.trust_ids {
        settings.trust_ids = ids.iter().copied().map(TrustId::from).collect();
    }
}

fn change_words(settings: &mut Settings, request: &UpdateApplication) -> Outcome<()> {
    if let Some(words) = &request.grant_types {
        settings.grant_types = grants(words)?;
    }
    if let Some(auth) = word("clientAuth", request.client_auth.as_deref())? {
        settings.client_auth = auth;
    }
    if let Some(algorithm) = word("idTokenAlg", request.id_token_alg.as_deref())? {
        settings.id_token_alg = algorithm;
    }
    if let Some(format) = word("accessTokenFormat", request.access_token_format.as_deref())? {
        settings.access_token_format = format;
    }
    if let Some(consent) = word("consent", request.consent.as_deref())? {
        settings.consent = consent;
    }
    match request.mfa_policy.as_deref() {
        Some(DEFAULT) => settings.mfa_policy = None,
        given => settings.mfa_policy = word("mfaPolicy", given)?.or(settings.mfa_policy),
    }
    if let Some(require) = request.require_par {
        settings.require_par = require;
    }
    if let Some(idle) = request.session_idle_seconds {
        settings.session_idle_s = Some(idle).filter(|idle| *idle > 0);
    }
    Ok(())
}

fn change_client(settings: &mut Settings, request: UpdateApplication) {
    for (text, given) in [
        (&mut settings.description, request.description),
        (&mut settings.tls_san, request.tls_san),
        (&mut settings.backchannel_logout_uri, request.backchannel_logout_uri),
    ] {
        if let Some(given) = given {
            *text = filled(given);
        }
    }
    // Whichever is given takes the other's place; both at once are refused by the check.
    if request.jwks.is_some() || request.jwks_uri.is_some() {
        settings.jwks = request.jwks;
        settings.jwks_uri = request.jwks_uri.and_then(filled);
    }
    if let Some(branding) = request.branding {
        settings.branding = Branding {
            title: branding.title.and_then(filled),
            text: branding.text.and_then(filled),
            colour: branding.colour.and_then(filled),
        };
    }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn grants(words: &[String]) -> Outcome<Vec<GrantType>> {
    let mut grants = Vec::new();
    for text in words {
        let grant = word::<GrantType>("grantTypes", Some(text))?;
        if grant.is_some_and(|grant| grants.contains(&grant)) {
            return Err(Problem::invalid("grantTypes names a grant twice."));
        }
        grants.extend(grant);
    }
    Ok(grants)
}

/// A word of a closed set, if one is given. What was sent is not repeated.
pub fn word<T>(field: &str, text: Option<&str>) -> Outcome<Option<T>>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error: T::Err| Problem::invalid(format!("{field}: {}.", error.to_string().trim_end())))
}
