//! Loaded keys: parsed once, used for as long as the tenant's epoch stands still.
//!
//! Whether a key may be used is decided anew on every call from the cached row; the row itself is only trusted while
//! the change feed says that nothing of the tenant has changed.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};

use crypto::algorithm::Algorithm;
use crypto::key::{PrivateKey, PublicKey};
use domain::authz::{Action, Authorized, ReadKeys, on_behalf_of_the_platform};
use domain::ids::{KeyId, TenantId};
use domain::key::{Refusal, Standing, Use};
use domain::time::Timestamp;
use store::Store;
use store::keys::{KeyRef, KeyVersion, NamedKey};

use crate::ctx::Ctx;
use crate::freshness::{Freshness, Stand};
use crate::keyring::TenantKeys;
use crate::problem::{Outcome, Problem};

/// Keys held at most; beyond it the cache starts anew.
const CAPACITY: usize = 4_096;

/// The keys of this process, parsed.
pub struct KeyCache {
    store: Store,
    freshness: Arc<Freshness>,
    keys: RwLock<HashMap<(TenantId, KeyRef), Arc<LoadedKey>>>,
}

/// A key with all its versions.
pub struct LoadedKey {
    /// The row.
    pub row: NamedKey,
    /// The algorithm, parsed.
    pub algorithm: Algorithm,
    /// The tenant.
    pub tenant: TenantId,
    versions: Vec<LoadedVersion>,
    stand: Stand,
}

/// One version; its private half is opened when first used.
pub struct LoadedVersion {
    /// The row.
    pub row: KeyVersion,
    /// The public half.
    pub public: Option<PublicKey>,
    private: OnceLock<Arc<PrivateKey>>,
}

impl KeyCache {
    /// An empty cache.
    pub fn new(store: Store, freshness: Arc<Freshness>) -> Self {
        Self { store, freshness, keys: RwLock::default() }
    }

    /// The key, if it exists and the caller may know of it.
    pub async fn load<A: Action>(&self, ctx: &Ctx, auth: &Authorized<A>, key: &KeyRef) -> Outcome<Arc<LoadedKey>> {
        let tenant = auth.tenant();
        let stand = self.freshness.stand(tenant)?;
        let address = (tenant, key.clone());
        let cached = self.keys.read().ok().and_then(|keys| keys.get(&address).map(Arc::clone));
        let loaded = match cached.filter(|cached| cached.stand.holds(&stand)) {
            Some(loaded) => loaded,
            None => self.read(address, stand).await?,
        };
        if ctx.tenant() == tenant && auth.admits_labelled(loaded.row.id.uuid(), &loaded.row.name, &loaded.row.labels) {
            Ok(loaded)
        } else {
            Err(absent())
        }
    }

    async fn read(&self, address: (TenantId, KeyRef), stand: Stand) -> Outcome<Arc<LoadedKey>> {
        let (tenant, key) = &address;
        let platform = on_behalf_of_the_platform::<ReadKeys>(*tenant);
        let row = self.store.named_key(&platform, key).await?.ok_or_else(absent)?;
        let versions = self.store.key_versions(&platform, &row).await?;
        let loaded = Arc::new(LoadedKey::new(*tenant, row, versions, stand)?);
        if let Ok(mut keys) = self.keys.write() {
            if keys.len() >= CAPACITY {
                keys.clear();
            }
            keys.insert(address, Arc::clone(&loaded));
        }
        Ok(loaded)
    }

    /// Drops every opened key: the platform is being sealed.
    pub fn clear(&self) {
        if let Ok(mut keys) = self.keys.write() {
            keys.clear();
        }
    }
}

fn absent() -> Problem {
    Problem::not_found("key")
}

impl LoadedKey {
    fn new(tenant: TenantId, row: NamedKey, versions: Vec<KeyVersion>, stand: Stand) -> Outcome<Self> {
        let algorithm: Algorithm =
            row.algorithm.parse().map_err(|_| Problem::internal("loading a key", "unknown algorithm"))?;
        let versions = versions.into_iter().map(|row| LoadedVersion::new(algorithm, row)).collect::<Outcome<_>>()?;
        Ok(Self { row, algorithm, tenant, versions, stand })
    }

    /// What decides about its use.
    pub fn standing(&self) -> Standing {
        Standing {
            algorithm: self.algorithm,
            state: self.row.state,
            current: self.row.current_version,
            minimum: self.row.min_version,
            expires_at: self.row.expires_at,
        }
    }

    /// The newest version, if the key may be used for making something now.
    pub fn newest(&self, purpose: Use, now: Timestamp) -> Outcome<&LoadedVersion> {
        self.version(purpose, self.row.current_version, now)
    }

    /// A version, if it may be used so now.
    pub fn version(&self, purpose: Use, version: u32, now: Timestamp) -> Outcome<&LoadedVersion> {
        self.standing().permits(purpose, version, now)?;
        let found = self.versions.iter().find(|found| found.row.version == version).ok_or(Refusal::NoSuchVersion)?;
        if found.row.revoked_at.is_some() { Err(Refusal::Revoked.into()) } else { Ok(found) }
    }

    /// Versions that may still open and verify, newest first: a signature names none.
    pub fn verifying(&self, now: Timestamp) -> Outcome<impl Iterator<Item = &LoadedVersion>> {
        self.standing().permits(Use::Verify, self.row.current_version, now)?;
        let usable =
            |found: &&LoadedVersion| found.row.version >= self.row.min_version && found.row.revoked_at.is_none();
        Ok(self.versions.iter().rev().filter(usable))
    }

    /// All versions, oldest first.
    pub fn versions(&self) -> &[LoadedVersion] {
        &self.versions
    }

    /// The public half of the newest version, if the key has one.
    pub fn public(&self) -> Option<&PublicKey> {
        self.versions.last()?.public.as_ref()
    }

    /// The private half of a version.
    pub fn private(&self, keys: &TenantKeys, version: &LoadedVersion) -> Outcome<Arc<PrivateKey>> {
        if let Some(private) = version.private.get() {
            return Ok(Arc::clone(private));
        }
        let private = Arc::new(version.open(keys, self.row.id, self.algorithm)?);
        Ok(Arc::clone(version.private.get_or_init(|| private)))
    }
}

impl LoadedVersion {
    fn new(algorithm: Algorithm, row: KeyVersion) -> Outcome<Self> {
        let public = row.public.as_ref().map(|raw| PublicKey::from_raw(algorithm, raw)).transpose()?;
        Ok(Self { row, public, private: OnceLock::new() })
    }

    fn open(&self, keys: &TenantKeys, key: KeyId, algorithm: Algorithm) -> Outcome<PrivateKey> {
        let sealed = self.row.sealed.as_ref().ok_or(Refusal::WrongKind)?;
        keys.open_key(key, self.row.version, self.row.kek_version, algorithm, sealed)
    }
}
