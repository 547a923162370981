//! A token for another issuer's (RFC 8693 and RFC 7523): a job or a workload shows what its own system says of it, and a trust decides whether that
//! is believed. There is no client and no secret; what comes out is the trust's, lives minutes, and dies with the trust.

use api::oauth::TokenAnswer;
use crypto::hash::sha256;
use domain::identity::application::{GrantType, TokenFormat};
use domain::identity::claims::Audience;
use domain::identity::oauth_scope::OauthScope;
use domain::identity::parameters::Parameters;
use domain::identity::target::Target;
use domain::ids::TrustId;
use domain::time::{SECOND_MS, Timestamp};
use store::trusts::StoredTrust;

use super::clients::Client;
use super::refusal::{Answered, OauthCode, Refused};
use super::site::Site;
use super::tokens::About;
use super::{Oidc, jws, on_behalf};
use crate::app::applications::BUILT_IN;
use crate::app::trusts::judging::Judged;
use crate::credentials::Credentials;
use crate::trail::{Entry, Scene};

/// A JWT of another issuer, as a token exchange calls it.
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// What comes out of an exchange.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// The longest subject that the audit trail repeats.
const SUBJECT_MAX: usize = 200;

/// A token of another issuer, and the trust that is to believe it.
struct Brought<'a> {
    trust: &'a str,
    token: &'a str,
    issued_type: Option<&'static str>,
}

/// Whether a question to the token endpoint names a trust.
pub(super) fn names_trust(form: &Parameters) -> bool {
    form.has("trust_id")
}

impl Oidc {
    /// Answers the token endpoint for whoever names a trust. A failure counts against the address.
    pub(super) async fn federated(
        &self,
        site: &Site,
        form: &Parameters,
        credentials: &Credentials,
    ) -> Answered<TokenAnswer> {
        credentials.admit_anonymous(&site.ctx.origin)?;
        let mut entry = Entry::new("TokenExchanged", "identity", "Trust");
        let result = self.federated_now(site, form, &mut entry).await;
        self.conclude(Scene::application(&site.ctx, ""), entry, result).await
    }

    async fn federated_now(&self, site: &Site, form: &Parameters, entry: &mut Entry) -> Answered<TokenAnswer> {
        let brought = Brought::of(form)?;
        // What is no id is not repeated: a stranger chose it.
        let id: TrustId = brought.trust.parse().map_err(|_| Refused::grant("there is no such trust"))?;
        entry.resource_id(id);
        let trust = self.core.store.trust(&on_behalf(site.tenant()), id).await?;
        let trust = trust.ok_or_else(|| Refused::grant("there is no such trust"))?;
        entry.resource(trust.id, &trust.name);
        let judged = self.trusts.judge(&trust, brought.token, site.ctx.now()).await;
        let algorithm = self.believed(site, &trust, &judged, brought.token).await?;
        entry.algorithm(algorithm).note(format!("upstream_alg={algorithm} sub={}", subject_of(&judged)));
        let target = self.platform_target(site, form, &trust)?;
        let client = self.built_in(site).await?;
        let about = About {
            subject: format!("trust:{}", trust.id),
            upstream_alg: Some(algorithm.to_owned()),
            trust: Some(trust.id),
            ..About::default()
        };
        let issued = self.access_token(site, &client, target, about).await?;
        Ok(TokenAnswer { issued_token_type: brought.issued_type.map(str::to_owned), ..issued.answer })
    }

    /// Refuses a token that is not believed, and one that was shown before where each is taken once.
    async fn believed(&self, site: &Site, trust: &StoredTrust, judged: &Judged, token: &str) -> Answered<&'static str> {
        let (Some(algorithm), Some(claims), true) = (judged.algorithm, &judged.claims, judged.is_accepted()) else {
            return Err(Refused::grant(judged.reason()));
        };
        if !trust.settings.is_single_use {
            return Ok(algorithm);
        }
        let name = claims.text("jti").ok().flatten().map(str::to_owned);
        let name = name.unwrap_or_else(|| jws::base64url(&sha256(&[signed_part(token).as_bytes()])));
        let ends_s = claims.time_s("exp").ok().flatten().unwrap_or_default();
        let ends = Timestamp::from_millis(i64::try_from(ends_s).unwrap_or_default().saturating_mul(SECOND_MS));
        let is_first = self.spend(site, &format!("trust:{}:{}", trust.id, trust.issuer), &name, ends).await?;
        if is_first { Ok(algorithm) } else { Err(Refused::grant("shown twice")) }
    }

    /// What comes out is for this platform, and allows what the trust allows or the part of it that is asked for.
    fn platform_target(&self, site: &Site, form: &Parameters, trust: &StoredTrust) -> Answered<Target> {
        let api = super::bearer::api_of(&site.issuer);
        let is_ours = |name: &str| name == &*site.issuer || name == api;
        if !form.all("resource").chain(form.all("audience")).all(is_ours) {
            return Err(Refused::new(OauthCode::InvalidTarget, "A trust gives tokens for this platform alone."));
        }
        let (granted, _) = trust.settings.granted().map_err(|bad| Refused::grant(bad.to_string()))?;
        let granted = OauthScope::of(granted.iter().map(domain::scope::Scope::as_str));
        let wanted = form.get("scope").map(OauthScope::parse).transpose();
        let wanted = wanted.map_err(|bad| Refused::new(OauthCode::InvalidScope, format!("{bad}.")))?;
        let scope = wanted.unwrap_or_else(|| granted.clone());
        if !granted.covers(&scope) {
            return Err(Refused::new(OauthCode::InvalidScope, "The trust does not grant one of these scopes."));
        }
        Ok(Target {
            audience: Audience::One(site.issuer.to_string()),
            format: TokenFormat::Jwt,
            lifetime_s: i64::from(trust.settings.lifetime_s),
            scope,
        })
    }

    /// A workload that shows another issuer's token for itself: one of the application's trusts has to believe it.
    pub(super) async fn federated_client(&self, site: &Site, client: &Client, assertion: &str) -> Answered<()> {
        let mut reasons = Vec::new();
        for id in &client.row.settings.trust_ids {
            let Some(trust) = self.core.store.trust(&on_behalf(site.tenant()), *id).await? else { continue };
            let judged = self.trusts.judge(&trust, assertion, site.ctx.now()).await;
            match self.believed(site, &trust, &judged, assertion).await {
                Ok(_) => return Ok(()),
                Err(refused) => reasons.push(format!("{}: {}", trust.name, refused.cause.unwrap_or_default())),
            }
        }
        Err(Refused::client().because(format!("no trust believes it: {}", reasons.join("; "))))
    }
}

impl<'a> Brought<'a> {
    fn of(form: &'a Parameters) -> Answered<Self> {
        let missing = |name: &str| Refused::invalid(format!("{name} is missing."));
        if ["client_secret", "client_assertion", "actor_token"].iter().any(|name| form.has(name)) {
            return Err(Refused::invalid("Whoever names a trust shows nothing but the other issuer's token."));
        }
        let trust = form.get("trust_id").ok_or_else(|| missing("trust_id"))?;
        let grant = form.get("grant_type").ok_or_else(|| missing("grant_type"))?;
        if grant == GrantType::JwtBearer.as_str() {
            let token = form.get("assertion").ok_or_else(|| missing("assertion"))?;
            return Ok(Self { trust, token, issued_type: None });
        }
        if grant != GrantType::TokenExchange.as_str() {
            return Err(Refused::new(OauthCode::UnsupportedGrantType, "A trust takes an assertion or an exchange."));
        }
        if form.get("subject_token_type") != Some(JWT) {
            return Err(Refused::invalid("subject_token_type is that of JWTs."));
        }
        if form.get("requested_token_type").is_some_and(|wanted| wanted != ACCESS_TOKEN) {
            return Err(Refused::invalid("requested_token_type is that of access tokens."));
        }
        let token = form.get("subject_token").ok_or_else(|| missing("subject_token"))?;
        Ok(Self { trust, token, issued_type: Some(ACCESS_TOKEN) })
    }
}

/// What of a token its signature is over. Whoever has an ECDSA signature can make another of the same text out of it.
fn signed_part(token: &str) -> &str {
    token.rsplit_once('.').map_or(token, |(signed, _)| signed)
}

fn subject_of(judged: &Judged) -> String {
    let subject = judged.claims.as_ref().and_then(|claims| claims.text("sub").ok().flatten());
    subject.unwrap_or("-").chars().filter(|letter| !letter.is_control()).take(SUBJECT_MAX).collect()
}

/// Whether an application is the one that the server makes for itself.
pub(super) fn is_built_in(client_id: &str) -> bool {
    client_id == BUILT_IN
}
