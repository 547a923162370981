//! Reading tokens back: of either form, verified, and alive by the one function that says so.
//!
//! What was read of a token is remembered while the tenant's epoch stands still: everything that can end a token moves the
//! epoch, and what ends by itself is looked at every time.

use std::sync::{Arc, OnceLock};

use api::oauth::Introspection;
use bytes::Bytes;
use crypto::hash::sha256;
use crypto::jose::{SignatureAlgorithm, Typ, Verified};
use domain::identity::claims::{AccessClaims, Audience};
use domain::identity::liveness;
use domain::ids::{AccountId, ApplicationId, GrantId, TenantId};
use domain::time::Timestamp;
use serde_json::{Map, Value};
use store::standing::HangsOn;

use super::clients::Client;
use super::on_record::OnRecord;
use super::refusal::{Answered, Refused};
use super::site::Site;
use super::tokens::claims_cell;
use super::{Kind, Oidc, bearer_hash, jws, on_behalf};
use crate::freshness::Stand;

/// Tokens remembered at most; beyond it the memory starts anew. Each takes some 600 bytes; one that is forgotten costs a look into
/// the database.
const REMEMBERED: usize = 16_384;

/// A token that was alive when it was read. Thousands are remembered: what it says is kept once, in the form that is asked for most.
pub struct Known {
    /// What whoever it concerns is told of it, as JSON: all that it says but its grant.
    told: Bytes,
    grant: Option<GrantId>,
    /// Its name, under which the trail has it.
    pub name: Box<str>,
    expires_at: Timestamp,
    /// When what it hangs on ends by itself, if nobody is seen until then: after that it is looked at anew.
    stands_until: Timestamp,
    /// The first who asked and may know of it: most tokens are asked about by one and the same. It stands as long as the token is known,
    /// because what an application may know of moves the epoch; so nobody is kept here who was read before it moved.
    concerned: OnceLock<ApplicationId>,
    /// Who was told what it is worth, and when.
    pub on_record: OnRecord,
    /// The tenant whose issuer read it.
    tenant: TenantId,
    stand: Stand,
}

impl Oidc {
    /// What an access token says, if it is alive. Why it is not is for the log alone.
    pub async fn alive(&self, site: &Site, token: &str) -> Answered<Arc<Known>> {
        let now = site.ctx.now();
        let stand = self.freshness.stand(site.tenant())?;
        let key = sha256(&[token.as_bytes()]);
        let cached = self.known.read().ok().and_then(|known| known.get(&key).map(Arc::clone));
        // That time passes moves no epoch.
        match cached.filter(|known| known.tenant == site.tenant() && known.stand.holds(&stand)) {
            Some(known) if known.expires_at <= now => return Err(Refused::token("it expired")),
            Some(known) if known.stands_until > now => return Ok(known),
            _ => {}
        }
        let (claims, stands_until) = Box::pin(self.judged(site, token)).await?;
        let known = Arc::new(Known::new(claims, site.tenant(), stand, stands_until)?);
        if let Ok(mut all) = self.known.write() {
            if all.len() >= REMEMBERED {
                all.clear();
            }
            all.insert(key, Arc::clone(&known));
        }
        Ok(known)
    }

    async fn judged(&self, site: &Site, token: &str) -> Answered<(AccessClaims, Timestamp)> {
        let claims = self.read_claims(site, token).await?;
        let stands_until = self.must_live(site, &claims).await?;
        Ok((claims, stands_until))
    }

    /// What an access token of this issuer says, dead or alive.
    pub(super) async fn read_claims(&self, site: &Site, token: &str) -> Answered<AccessClaims> {
        let claims = if token.starts_with(Kind::Access.prefix()) {
            self.opaque_claims(site, token).await?
        } else {
            let verified = self.verified(site, token, jws::ACCESS).await?;
            let claims = serde_json::from_slice(&verified.payload).map_err(|_| Refused::token("its claims"))?;
            must_be_signed_for(&claims, verified.algorithm)?;
            claims
        };
        if claims.iss == *site.issuer { Ok(claims) } else { Err(Refused::token("another issuer's")) }
    }

    /// What a token says that we signed as one of this type.
    pub(super) async fn verified(&self, site: &Site, token: &str, typ: &str) -> Answered<Verified> {
        let keys = self.signing_keys(site).await?;
        keys.believed(site.ctx.now()).verify(token, Typ::Exactly(typ)).map_err(Refused::token)
    }

    async fn opaque_claims(&self, site: &Site, token: &str) -> Answered<AccessClaims> {
        let hash = bearer_hash(&site.ctx.keyring.root, Kind::Access, token);
        let row = self.core.store.access_token(&on_behalf(site.tenant()), &hash).await?;
        let row = row.ok_or_else(|| Refused::token("there is no such token"))?;
        let opened = site.ctx.keys.cells.open(claims_cell(&hash), &row.claims)?;
        Ok(serde_json::from_slice(opened.expose())?)
    }

    /// Refuses a token that is not alive. Answers with when that has to be asked again, if nothing changes until then.
    async fn must_live(&self, site: &Site, claims: &AccessClaims) -> Answered<Timestamp> {
        let hangs_on = HangsOn {
            client_id: &claims.client_id,
            account: claims.account(),
            grant: claims.gid,
            trust: claims.trust,
            token: Some(claims.revocation_key().ok_or_else(|| Refused::token("its name"))?),
        };
        let stands_until = self.must_stand(site, &hangs_on, claims).await?;
        // Of a token that was exchanged the others are as much a part as its own application.
        for client_id in claims.behind() {
            let hangs_on = HangsOn { client_id, account: None, grant: None, trust: None, token: None };
            self.must_stand(site, &hangs_on, claims).await?;
        }
        // And the tokens that it came from.
        for token in claims.revocation_keys_behind() {
            let token = Some(token.ok_or_else(|| Refused::token("a name behind it"))?);
            self.must_stand(site, &HangsOn { token, ..hangs_on }, claims).await?;
        }
        Ok(stands_until)
    }

    async fn must_stand(&self, site: &Site, hangs_on: &HangsOn<'_>, claims: &AccessClaims) -> Answered<Timestamp> {
        let snapshot = self.core.store.standing(&on_behalf(site.tenant()), hangs_on).await?;
        let alive = liveness::token(&snapshot, claims.issued_at(), claims.expires_at(), site.ctx.now());
        alive.map_err(Refused::token)?;
        Ok(liveness::end(&snapshot).unwrap_or_else(|| claims.expires_at()))
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
    fn new(mut claims: AccessClaims, tenant: TenantId, stand: Stand, stands_until: Timestamp) -> Answered<Self> {
        // An id of ours that means nothing elsewhere.
        let grant = claims.gid.take();
        let mut told = match serde_json::to_value(&claims)? {
            Value::Object(told) => told,
            _ => Map::new(),
        };
        told.insert("token_type".to_owned(), "Bearer".into());
        let told = serde_json::to_vec(&Introspection { active: true, claims: told })?;
        Ok(Self {
            // Without the room that it was written in.
            told: told.into_boxed_slice().into(),
            grant,
            expires_at: claims.expires_at(),
            stands_until,
            name: claims.jti.into(),
            concerned: OnceLock::new(),
            on_record: OnRecord::default(),
            tenant,
            stand,
        })
    }

    /// What it says.
    pub fn claims(&self) -> Answered<AccessClaims> {
        let claims: AccessClaims = serde_json::from_slice(&self.told)?;
        Ok(AccessClaims { gid: self.grant, ..claims })
    }

    /// What it is worth (RFC 7662), to a client that may know of it.
    pub fn told_to(&self, client: &Client) -> Answered<Option<Bytes>> {
        if self.concerned.get() == Some(&client.row.id) {
            return Ok(Some(self.told.clone()));
        }
        let claims = self.claims()?;
        if claims.client_id != client.id() && !client.is_among(&claims.aud) {
            return Ok(None);
        }
        if client.stand.is_of_the_epoch_of(&self.stand) {
            // Somebody else may have been the first.
            let _first = self.concerned.set(client.row.id);
        }
        Ok(Some(self.told.clone()))
    }
}

/// Refuses a classical signature on whatever is not for its own application: only those are signed so. Otherwise one application that cannot
/// verify better would make every API's tokens forgeable.
fn must_be_signed_for(claims: &AccessClaims, algorithm: &str) -> Answered<()> {
    let is_classical =
        SignatureAlgorithm::named(algorithm).is_none_or(|known| !known.key_algorithm().is_post_quantum());
    if is_classical && claims.aud != Audience::One(claims.client_id.clone()) {
        return Err(Refused::token("a classical signature, and not for its own application"));
    }
    Ok(())
}

/// Refuses a token that is bound to another certificate than the one that was shown.
pub fn must_be_shown_by(claims: &AccessClaims, site: &Site) -> Answered<()> {
    let Some(bound) = &claims.cnf else { return Ok(()) };
    let shown = site.service.as_ref().map(|service| super::client_auth::thumbprint_of(service));
    if shown.as_ref() == Some(&bound.thumbprint) { Ok(()) } else { Err(Refused::token("another certificate's")) }
}

/// An application by id, for rows that name it so.
pub(super) fn is_of(application: ApplicationId, client: &Client) -> bool {
    client.row.id == application
}
