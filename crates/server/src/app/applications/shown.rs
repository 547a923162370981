//! How an application is shown.

use api::applications::{Application as Shown, Branding};
use domain::identity::application::{GrantType, MfaPolicy};
use store::applications::StoredApplication;

/// As it is answered.
pub fn show(row: &StoredApplication) -> Shown {
    let of = row.settings.clone();
    Shown {
        id: row.id.uuid(),
        client_id: row.client_id.clone(),
        display_name: row.name.clone(),
        description: of.description,
        application_type: row.kind.to_string(),
        environment: row.environment.to_string(),
        is_active: true,
        is_confidential: row.kind.is_confidential(),
        redirect_uris: of.redirect_uris,
        post_logout_redirect_uris: of.post_logout_redirect_uris,
        allowed_scopes: of.allowed_scopes,
        resources: of.resources,
        serves: of.serves,
        custom_domain: None,
        custom_domain_verified: false,
        grant_types: of.grant_types.iter().map(GrantType::to_string).collect(),
        client_auth: of.client_auth.to_string(),
        jwks: of.jwks,
        jwks_uri: of.jwks_uri,
        tls_san: of.tls_san,
        require_par: of.require_par,
        id_token_alg: of.id_token_alg.to_string(),
        access_token_format: of.access_token_format.to_string(),
        mfa_policy: of.mfa_policy.as_ref().map(MfaPolicy::to_string),
        consent: of.consent.to_string(),
        branding: Branding { title: of.branding.title, text: of.branding.text, colour: of.branding.colour },
        backchannel_logout_uri: of.backchannel_logout_uri,
        cors_origins: of.cors_origins,
        session_idle_seconds: of.session_idle_s,
        platform_scopes: of.platform_scopes,
        platform_resources: of.platform_limits,
        trust_ids: of.trust_ids.iter().map(|id| id.uuid()).collect(),
        created_at: row.created_at.into(),
        updated_at: row.updated_at.into(),
    }
}
