//! Reading tokens back: of either form, verified, and alive by the one function that says so.
//!
//! What was read of a token is remembered while the tenant's epoch stands still: everything that can end a token moves the
//! epoch, and its own end is looked at every time.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use crypto::hash::sha256;
use crypto::jose::Typ;
use domain::identity::claims::AccessClaims;
use domain::identity::liveness;
use domain::ids::{AccountId, ApplicationId, GrantId};
use store::standing::HangsOn;

use super::refusal::{Answered, Refused};
use super::site::Site;
use super::tokens::claims_cell;
use super::{Kind, Oidc, bearer_hash, jws, on_behalf};
use crate::freshness::Stand;

/// Tokens remembered at most; beyond it the memory starts anew. Each takes a kilobyte with its answer; one that is forgotten costs
/// a look into the database.
const REMEMBERED: usize = 16_384;

/// A token that was alive when it was read.
pub struct Known {
    /// What it says.
    pub claims: AccessClaims,
    /// The tenant whose issuer read it.
    tenant: domain::ids::TenantId,
    stand: Stand,
    /// The answer to whoever may ask what it is worth, once somebody has.
    pub(super) introspection: OnceLock<Bytes>,
}

impl Oidc {
    /// What an access token says, if it is alive. Why it is not is for the log alone.
    pub async fn alive(&self, site: &Site, token: &str) -> Answered<Arc<Known>> {
        let now = site.ctx.now();
        let stand = self.freshness.stand(site.tenant())?;
        let key = sha256(&[token.as_bytes()]);
        let cached = self.known.read().ok().and_then(|known| known.get(&key).map(Arc::clone));
        if let Some(known) = cached.filter(|known| known.tenant == site.tenant() && known.stand.holds(&stand)) {
            // The only end that moves no epoch.
            return if known.claims.expires_at() > now { Ok(known) } else { Err(Refused::token("it expired")) };
        }
        let claims = self.read_claims(site, token).await?;
        self.must_live(site, &claims).await?;
        let known = Arc::new(Known { claims, tenant: site.tenant(), stand, introspection: OnceLock::new() });
        if let Ok(mut all) = self.known.write() {
            if all.len() >= REMEMBERED {
                all.clear();
            }
            all.insert(key, Arc::clone(&known));
        }
        Ok(known)
    }

    /// What an access token of this issuer says, dead or alive.
    pub(super) async fn read_claims(&self, site: &Site, token: &str) -> Answered<AccessClaims> {
        let claims = if token.starts_with(Kind::Access.prefix()) {
            self.opaque_claims(site, token).await?
        } else {
            let payload = self.verified(site, token, jws::ACCESS).await?;
            serde_json::from_slice(&payload).map_err(|_| Refused::token("its claims"))?
        };
        if claims.iss == *site.issuer { Ok(claims) } else { Err(Refused::token("another issuer's")) }
    }

    /// The claims of a token that we signed as one of this type.
    pub(super) async fn verified(&self, site: &Site, token: &str, typ: &str) -> Answered<Vec<u8>> {
        let keys = self.signing_keys(site).await?;
        let verified = keys.believed(site.ctx.now()).verify(token, Typ::Exactly(typ));
        verified.map(|verified| verified.payload).map_err(Refused::token)
    }

    async fn opaque_claims(&self, site: &Site, token: &str) -> Answered<AccessClaims> {
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Access, token);
        let row = self.core.store.access_token(&on_behalf(site.tenant()), &hash).await?;
        let row = row.ok_or_else(|| Refused::token("there is no such token"))?;
        let opened = site.ctx.keys.cells.open(claims_cell(&hash), &row.claims)?;
        Ok(serde_json::from_slice(opened.expose())?)
    }

    /// Refuses a token that is not alive.
    pub(super) async fn must_live(&self, site: &Site, claims: &AccessClaims) -> Answered<()> {
        let hangs_on = HangsOn {
            client_id: &claims.client_id,
            account: claims.account(),
            grant: claims.gid,
            trust: claims.trust,
            token: Some(claims.revocation_key().ok_or_else(|| Refused::token("its name"))?),
        };
        let snapshot = self.core.store.standing(&on_behalf(site.tenant()), &hangs_on).await?;
        let alive = liveness::token(&snapshot, claims.issued_at(), claims.expires_at(), site.ctx.now());
        alive.map_err(Refused::token)
    }

    /// Refuses a grant that is not alive.
    pub(super) async fn grant_must_live(
        &self,
        site: &Site,
        client_id: &str,
        account: Option<AccountId>,
        grant: GrantId,
    ) -> Answered<()> {
        let hangs_on = HangsOn { client_id, account, grant: Some(grant), trust: None, token: None };
        let snapshot = self.core.store.standing(&on_behalf(site.tenant()), &hangs_on).await?;
        Ok(liveness::grant(&snapshot, site.ctx.now())?)
    }
}

impl Known {
    /// Refuses a token that is bound to another certificate than the one that was shown.
    pub fn must_be_shown_by(&self, site: &Site) -> Answered<()> {
        let Some(bound) = &self.claims.cnf else { return Ok(()) };
        let shown = site.service.as_ref().map(|service| super::client_auth::thumbprint_of(service));
        if shown.as_ref() == Some(&bound.thumbprint) { Ok(()) } else { Err(Refused::token("another certificate's")) }
    }

    /// Whether somebody who calls itself so may know of the token.
    pub fn concerns(&self, client_id: &str, resources: &[String]) -> bool {
        let claims = &self.claims;
        claims.client_id == client_id
            || claims.aud.has(client_id)
            || resources.iter().any(|resource| claims.aud.has(resource))
    }
}

/// An application by id, for rows that name it so.
pub(super) fn is_of(application: ApplicationId, client: &super::clients::Client) -> bool {
    client.row.id == application
}
