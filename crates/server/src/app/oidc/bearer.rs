//! Access tokens as credentials of this platform's own API: who acts by one, and what they may do.
//!
//! A token says what it allows; what its bearer may do at most is read anew: an operator's by what they are in the tenant, an application's by what it
//! is set to, a job's by the trust that believed it. The narrower of both holds.

use std::sync::Arc;

use domain::authz::{Actor, Bounds, Principal};
use domain::identity::account::{AccountRealm, TenantRole};
use domain::identity::application::Settings;
use domain::identity::claims::AccessClaims;
use domain::ids::AccountId;
use domain::limits::{Limit, Limits};
use domain::scope::{Scope, Scopes};
use domain::time::Timestamp;

use super::refusal::{Answered, Refused};
use super::site::Site;
use super::tokens_read::must_be_shown_by;
use super::{Kind, Oidc, bearer_hash, jws, on_behalf};
use crate::app::tenants::DEFAULT_SLUG;
use crate::ctx::Origin;
use crate::keyring::Keyring;
use crate::problem::Problem;

/// Whoever acts by a token.
pub struct Bearer {
    /// Who, and what they may do.
    pub principal: Principal,
    /// Until when.
    pub expires_at: Timestamp,
}

/// The longest token.
const TOKEN_MAX: usize = 16 * 1024;

/// What follows the issuer in the other name by which tokens call this platform's API.
const API: &str = "/api/v1";

/// How tokens call this platform's API, beside the issuer's own name.
pub(super) fn api_of(issuer: &str) -> String {
    format!("{issuer}{API}")
}

/// Whether a token is for the platform of this issuer.
pub(super) fn is_for(claims: &AccessClaims, issuer: &str) -> bool {
    claims.aud.has(issuer) || claims.aud.has(&api_of(issuer))
}

/// Whether tokens call this platform's API so, a tenant's or another's.
pub fn is_this_platform(origin: &str, name: &str) -> bool {
    slug_in(origin, name.strip_suffix(API).unwrap_or(name)).is_some()
}

/// The slug of one of our issuers, whether or not there is such a tenant.
fn slug_in<'a>(origin: &str, issuer: &'a str) -> Option<&'a str> {
    match issuer.strip_prefix(origin)? {
        "" => Some(DEFAULT_SLUG),
        path => path.strip_prefix("/t/").filter(|slug| !slug.is_empty() && !slug.contains('/')),
    }
}

/// Whether a text could be an access token; what could not is looked up nowhere.
pub fn could_be_token(text: &str) -> bool {
    text.len() <= TOKEN_MAX && (text.starts_with(Kind::Access.prefix()) || text.starts_with("eyJ"))
}

impl Oidc {
    /// Who acts by a token, if it is alive, for this platform, and shown by whom it is bound to.
    pub async fn who_bears(&self, keyring: &Arc<Keyring>, origin: Origin, token: &str) -> Answered<Bearer> {
        let slug = self.slug_of(keyring, token).await?;
        let slug = Some(slug.as_str()).filter(|slug| *slug != DEFAULT_SLUG);
        let site = self.site(keyring, origin, slug, None).await?;
        let claims = &self.alive(&site, token).await?.claims()?;
        must_be_shown_by(claims, &site)?;
        if !is_for(claims, &site.issuer) {
            return Err(Refused::token("for somebody else"));
        }
        Ok(Bearer { principal: self.principal(&site, claims).await?, expires_at: claims.expires_at() })
    }

    /// Whose issuer a token is to be read by. What a JWT says chooses keys to verify it with, and nothing else.
    async fn slug_of(&self, keyring: &Keyring, token: &str) -> Answered<String> {
        if token.starts_with(Kind::Access.prefix()) {
            let hash = bearer_hash(&keyring.root, Kind::Access, token);
            let slug = self.core.store.slug_of_access_token(&hash).await?;
            return slug.ok_or_else(|| Refused::token("there is no such token"));
        }
        let issuer = jws::unverified_issuer(token).ok_or_else(|| Refused::token("it names no issuer"))?;
        slug_in(self.origin(), &issuer).map(str::to_owned).ok_or_else(|| Refused::token("another issuer's"))
    }

    async fn principal(&self, site: &Site, claims: &AccessClaims) -> Answered<Principal> {
        let said = said_by(claims);
        if let Some(id) = claims.trust {
            let trust = self.core.store.trust(&on_behalf(site.tenant()), id).await?;
            let trust = trust.ok_or_else(|| Refused::token("its trust is gone"))?;
            let (scopes, limits) = trust.settings.granted().map_err(|bad| Refused::token(bad.to_string()))?;
            let algorithm = claims.upstream_alg.as_deref().unwrap_or("-");
            let name = format!("{} ({algorithm})", trust.name);
            // Whether the job gets another token its own system decides, and that may stop.
            let bounds = Bounds { ends_at: Some(claims.expires_at()), has_networks: false };
            let job = principal(site, Actor::Federated(id), &name, said.within(scopes), limits);
            return Ok(Principal { bounds, ..job });
        }
        let client = self.client(site, &claims.client_id).await?;
        let client = client.ok_or_else(|| Refused::token("its application is gone"))?;
        let (scopes, limits) = granted(&client.row.settings)?;
        match claims.account() {
            Some(id) => self.operator(site, id, said.within(scopes), limits).await,
            None if claims.sub == client.id() => {
                let actor = Actor::Application(client.row.id);
                Ok(principal(site, actor, client.id(), said.within(scopes), limits))
            }
            None => Err(Refused::token("its subject is nobody here")),
        }
    }

    /// One of the tenant's own people. Whoever signed in to an application is nobody here.
    async fn operator(&self, site: &Site, id: AccountId, said: Scopes, limits: Limits) -> Answered<Principal> {
        let person = self.person(site, id).await?;
        let role = person.row.role.filter(|_| person.row.realm == AccountRealm::Tenant);
        let role = role.ok_or_else(|| Refused::token("its person is not one of the tenant's own"))?;
        Ok(principal(site, Actor::Person(id), &person.profile.email, said.within(scopes_of(role)), limits))
    }
}

fn principal(site: &Site, actor: Actor, name: &str, scopes: Scopes, limits: Limits) -> Principal {
    Principal {
        tenant: site.tenant(),
        actor,
        name: name.into(),
        scopes,
        limits: Arc::new(limits),
        bounds: Bounds::default(),
    }
}

/// What one of the tenant's own people may do.
pub fn scopes_of(role: TenantRole) -> Scopes {
    match role {
        TenantRole::Owner | TenantRole::Admin => Scopes::of(&[Scope::Admin]),
        TenantRole::Member => {
            let reads: Vec<Scope> =
                Scope::ALL.iter().copied().filter(|scope| scope.as_str().ends_with(":read")).collect();
            Scopes::of(&reads)
        }
    }
}

/// The words of a token that mean something here; others are other APIs'.
fn said_by(claims: &AccessClaims) -> Scopes {
    let said = claims.scopes();
    let known: Vec<Scope> = Scope::ALL.iter().copied().filter(|scope| said.has(scope.as_str())).collect();
    Scopes::of(&known)
}

fn granted(settings: &Settings) -> Answered<(Scopes, Limits)> {
    let broken = |what: &str| Refused::from(Problem::internal("reading an application", what));
    let scopes = Scopes::parse(settings.platform_scopes.iter().map(String::as_str)).map_err(|_| broken("scopes"))?;
    let limits: Result<Vec<Limit>, _> = settings.platform_limits.iter().map(|text| text.parse::<Limit>()).collect();
    Ok((scopes, Limits::new(limits.map_err(|_| broken("limits"))?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_platform_goes_by_its_issuers_and_their_api_alone() {
        let ours = |name: &str| is_this_platform("https://a.example", name);
        for name in ["", "/api/v1", "/t/acme", "/t/acme/api/v1"] {
            assert!(ours(&format!("https://a.example{name}")), "{name}");
        }
        for name in [".b.example", ":8443", "/", "/orders", "/api/v2", "/t", "/t/", "/t/acme/orders", "/t//api/v1"] {
            assert!(!ours(&format!("https://a.example{name}")), "{name}");
        }
        assert!(!ours("https://b.example") && !ours("urn:orders"));
    }
}
