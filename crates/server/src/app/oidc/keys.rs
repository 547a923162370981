//! The keys that sign a tenant's tokens: made when first needed, sealed to the tenant's KEK, opened once, published as long as anybody may hold what they signed.

use std::sync::{Arc, OnceLock};

use crypto::algorithm::Algorithm;
use crypto::hash::sha256;
use crypto::jose::{KeySet, SigningKey as Private, VerifyingKey};
use crypto::key::{PrivateKey, PublicKey};
use domain::identity::application::IdTokenAlg;
use domain::identity::token_key::{self, Facts, is_published, signer};
use domain::ids::TokenKeyId;
use domain::time::Timestamp;
use serde_json::{Value, json};
use store::token_keys::{StoredTokenKey, insert_token_key};
use tokio::sync::OnceCell;

use super::refusal::{Answered, Refused};
use super::site::Site;
use super::{Oidc, on_behalf};
use crate::app::tenants::bytes;
use crate::freshness::Stand;
use crate::keyring::{TenantKeys, public_of};
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// A tenant's keys as they stand.
pub struct SigningKeys {
    /// They, the oldest first.
    pub keys: Vec<SigningKey>,
    published: OnceCell<Arc<Published>>,
    stand: Stand,
}

/// One key; its private half is opened when first used.
pub struct SigningKey {
    /// The row.
    pub row: StoredTokenKey,
    /// Its algorithm: it signs and verifies with no other.
    pub algorithm: Algorithm,
    /// The public half.
    pub public: VerifyingKey,
    private: Arc<OnceLock<Private>>,
}

/// The set of keys as it is served.
pub struct Published {
    /// The body.
    pub body: String,
    /// Its entity tag.
    pub etag: String,
    /// Until when it is the same.
    pub until: Timestamp,
    /// The algorithms in it.
    pub algorithms: Vec<String>,
}

/// The algorithm behind a setting.
pub fn algorithm_of(setting: IdTokenAlg) -> Algorithm {
    match setting {
        IdTokenAlg::MlDsa44 => Algorithm::MlDsa44,
        IdTokenAlg::MlDsa65 => Algorithm::MlDsa65,
        IdTokenAlg::MlDsa87 => Algorithm::MlDsa87,
        IdTokenAlg::Es256 => Algorithm::EcdsaP256,
        IdTokenAlg::Ed25519 => Algorithm::Ed25519,
    }
}

impl SigningKeys {
    fn facts_of(&self, algorithm: Algorithm) -> Vec<Facts> {
        self.keys.iter().filter(|key| key.algorithm == algorithm).map(SigningKey::facts).collect()
    }

    /// The key of an algorithm that signs now.
    pub fn active(&self, algorithm: Algorithm, now: Timestamp) -> Option<&SigningKey> {
        let id = signer(&self.facts_of(algorithm), now)?;
        self.keys.iter().find(|key| key.row.id == id)
    }

    /// The keys that sign until a key takes over which waits for that; none when it waits no more.
    pub fn before<'a>(&'a self, next: &'a SigningKey, now: Timestamp) -> impl Iterator<Item = &'a SigningKey> {
        let waits = token_key::phase(&next.facts(), now) == token_key::Phase::Next;
        let gives_way = |key: &&SigningKey| {
            key.algorithm == next.algorithm && !key.row.is_revoked && key.row.retired_at == Some(next.row.active_from)
        };
        self.keys.iter().filter(move |_| waits).filter(gives_way)
    }

    /// The keys whose tokens are believed.
    pub fn believed(&self, now: Timestamp) -> KeySet {
        let believed = self.keys.iter().filter(|key| is_published(&key.facts(), now));
        KeySet::new(believed.map(|key| key.public.clone()).collect())
    }
}

impl SigningKey {
    fn new(row: StoredTokenKey, before: Option<&SigningKeys>) -> Outcome<Self> {
        let algorithm: Algorithm =
            row.algorithm.parse().map_err(|_| Problem::internal("reading a token key", "its algorithm"))?;
        let public = VerifyingKey::new(PublicKey::from_raw(algorithm, &row.public)?, Some(row.kid.clone()))?;
        let before = before.and_then(|before| before.keys.iter().find(|key| key.row.id == row.id));
        // A key never changes, so one that was opened stays so. One that was revoked is let go of.
        let private = before.filter(|_| !row.is_revoked).map(|key| Arc::clone(&key.private)).unwrap_or_default();
        Ok(Self { row, algorithm, public, private })
    }

    /// What decides about it.
    pub fn facts(&self) -> Facts {
        Facts {
            id: self.row.id,
            is_revoked: self.row.is_revoked,
            active_from: self.row.active_from,
            retired_at: self.row.retired_at,
            published_until: self.row.published_until,
        }
    }

    /// The private half.
    pub fn private(&self, keys: &TenantKeys) -> Outcome<&Private> {
        if let Some(private) = self.private.get() {
            return Ok(private);
        }
        let row = &self.row;
        let opened = keys.open_token_key(row.id, row.kek_version, self.algorithm, &row.sealed)?;
        let opened = Private::new(opened)?;
        Ok(self.private.get_or_init(|| opened))
    }
}

impl Oidc {
    /// The tenant's keys, as long as they stand.
    pub async fn signing_keys(&self, site: &Site) -> Answered<Arc<SigningKeys>> {
        let stand = self.freshness.stand(site.tenant())?;
        let cached = self.keys.read().ok().and_then(|keys| keys.get(&site.tenant()).map(Arc::clone));
        match cached.filter(|keys| keys.stand.holds(&stand)) {
            Some(keys) => Ok(keys),
            None => Box::pin(self.read_keys(site)).await,
        }
    }

    async fn read_keys(&self, site: &Site) -> Answered<Arc<SigningKeys>> {
        let stand = self.freshness.stand(site.tenant())?;
        let rows = self.core.store.token_keys(&on_behalf(site.tenant())).await?;
        let before = self.keys.read().ok().and_then(|keys| keys.get(&site.tenant()).map(Arc::clone));
        let keys: Outcome<Vec<_>> = rows.into_iter().map(|row| SigningKey::new(row, before.as_deref())).collect();
        let read = Arc::new(SigningKeys { keys: keys?, published: OnceCell::new(), stand });
        if let Ok(mut keys) = self.keys.write() {
            keys.insert(site.tenant(), Arc::clone(&read));
        }
        Ok(read)
    }

    /// The tenant's keys, with one of this algorithm that signs: made now when there is none.
    pub async fn keys_that_sign(&self, site: &Site, algorithm: Algorithm) -> Answered<Arc<SigningKeys>> {
        let keys = self.signing_keys(site).await?;
        if keys.active(algorithm, site.ctx.now()).is_some() {
            return Ok(keys);
        }
        Box::pin(self.new_keys_that_sign(site, algorithm)).await
    }

    async fn new_keys_that_sign(&self, site: &Site, algorithm: Algorithm) -> Answered<Arc<SigningKeys>> {
        let now = site.ctx.now();
        let _one = self.making.lock().await;
        let keys = self.read_keys(site).await?;
        if keys.active(algorithm, now).is_some() {
            return Ok(keys);
        }
        // Nobody could have verified anything of this algorithm before, so nobody has to hear of the key first.
        let row = self.new_token_key(site, algorithm, now)?;
        let mut entry = Entry::new("TokenKeyCreated", "identity", "TokenKey");
        entry.resource(row.id, &row.kid).algorithm(algorithm);
        let event = self.core.trail.event(&site.ctx, &entry)?;
        let statements = vec![insert_token_key(&on_behalf(site.tenant()), &row)];
        self.core.change("make a token key", site.tenant(), statements, event).await?;
        self.read_keys(site).await
    }

    /// A key that was just made and is not stored yet.
    pub(super) fn new_token_key(
        &self,
        site: &Site,
        algorithm: Algorithm,
        active_from: Timestamp,
    ) -> Answered<StoredTokenKey> {
        let random = &*self.core.entropy;
        let private = PrivateKey::generate(algorithm, random)?;
        let public = public_of(&private)?;
        let id = TokenKeyId::from_random(bytes(random));
        Ok(StoredTokenKey {
            id,
            kid: public.thumbprint(),
            algorithm: algorithm.to_string(),
            is_revoked: false,
            public: public.raw().to_vec(),
            sealed: site.ctx.keys.seal_token_key(id, &private, random)?,
            kek_version: site.ctx.keys.kek_version,
            created_at: site.ctx.now(),
            active_from,
            retired_at: None,
            published_until: None,
        })
    }

    /// The set of keys as anybody may read it. Classical keys are in it only while an application uses them.
    pub async fn published_keys(&self, site: &Site) -> Answered<Arc<Published>> {
        let now = site.ctx.now();
        let keys = self.signing_keys(site).await?;
        if let Some(published) = keys.published.get().filter(|published| published.until > now) {
            return Ok(Arc::clone(published));
        }
        let used = self.algorithms_in_use(site).await?;
        for algorithm in &used {
            self.keys_that_sign(site, algorithm_of(*algorithm)).await?;
        }
        let keys = self.signing_keys(site).await?;
        let made = Arc::new(publish(&keys, &used, now)?);
        // Whoever was first made the same.
        let _kept = keys.published.set(Arc::clone(&made));
        Ok(made)
    }
}

fn publish(keys: &SigningKeys, used: &[IdTokenAlg], now: Timestamp) -> Answered<Published> {
    let is_used = |key: &SigningKey| used.iter().any(|setting| algorithm_of(*setting) == key.algorithm);
    let is_shown =
        |key: &&SigningKey| is_published(&key.facts(), now) && (key.algorithm.is_post_quantum() || is_used(key));
    let mut shown: Vec<&SigningKey> = keys.keys.iter().filter(is_shown).collect();
    shown.sort_by_key(|key| (!key.algorithm.is_post_quantum(), key.algorithm != Algorithm::MlDsa65));
    let jwks: Vec<Value> = shown.iter().map(|key| key.public.to_jwk()).collect();
    let body = json!({ "keys": jwks }).to_string();
    let ends = keys.keys.iter().filter_map(|key| key.row.published_until).filter(|until| *until > now);
    let until = ends.min().unwrap_or(Timestamp::from_millis(i64::MAX));
    let mut algorithms: Vec<String> = Vec::new();
    for jwk in &jwks {
        let name = jwk["alg"].as_str().ok_or_else(|| Refused::from(Problem::internal("publishing keys", "no alg")))?;
        if !algorithms.iter().any(|known| known == name) {
            algorithms.push(name.to_owned());
        }
    }
    let etag = format!("\"{}\"", super::jws::base64url(&sha256(&[body.as_bytes()])[..16]));
    Ok(Published { body, etag, until, algorithms })
}

/// Seconds for which anybody may keep the set of keys.
pub const MAX_AGE_S: u32 = token_key::JWKS_MAX_AGE_S;
