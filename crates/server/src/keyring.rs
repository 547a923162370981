//! The keyring: everything that is in memory only while the platform is unsealed.
//!
//! ```text
//! unseal key -> root key (AES-256) -> root ML-KEM-1024 pair -> tenant KEK (ML-KEM-768, per tenant and version)
//!                                                                -> named key versions, cell epochs
//! ```
//! Dropping the keyring wipes it; that is what sealing does.

pub mod cells;
pub mod root;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use crypto::algorithm::Algorithm;
use crypto::context::Context;
use crypto::key::{PrivateKey, PublicKey};
use crypto::random::Random;
use crypto::secret::SecretArray;
use domain::ids::{AuthorityId, KeyId, TenantId, TokenKeyId};
use domain::time::Timestamp;
use store::Store;
use store::tenant_keys::{CellEpochRow, KekRow};

use crate::problem::{Outcome, Problem};
use cells::Cells;
use root::Root;

/// The unsealed platform's keys.
pub struct Keyring {
    /// The root of everything.
    pub root: Root,
    tenants: RwLock<HashMap<TenantId, Arc<TenantKeys>>>,
}

/// One tenant's key-encryption key and the cell keys under it.
pub struct TenantKeys {
    /// The tenant.
    pub tenant: TenantId,
    /// The newest KEK version.
    pub kek_version: u32,
    keks: HashMap<u32, (PrivateKey, PublicKey)>,
    /// What seals the tenant's cells.
    pub cells: Cells,
}

impl Keyring {
    /// A keyring over an opened root.
    pub fn new(root: Root) -> Self {
        Self { root, tenants: RwLock::default() }
    }

    /// A tenant's keys, from memory or from the store.
    pub async fn tenant(&self, store: &Store, tenant: TenantId) -> Outcome<Arc<TenantKeys>> {
        if let Some(keys) = self.cached(tenant) {
            return Ok(keys);
        }
        Box::pin(self.opened(store, tenant)).await
    }

    async fn opened(&self, store: &Store, tenant: TenantId) -> Outcome<Arc<TenantKeys>> {
        let keks = store.tenant_keks(tenant).await?;
        let epochs = store.cell_epochs(tenant).await?;
        let keys = Arc::new(TenantKeys::open(&self.root, tenant, &keks, &epochs)?);
        if let Ok(mut tenants) = self.tenants.write() {
            tenants.insert(tenant, Arc::clone(&keys));
        }
        Ok(keys)
    }

    fn cached(&self, tenant: TenantId) -> Option<Arc<TenantKeys>> {
        self.tenants.read().ok()?.get(&tenant).map(Arc::clone)
    }
}

/// A new tenant's first KEK and cell epoch, as the rows to store.
pub fn new_tenant_keys(
    root: &Root,
    tenant: TenantId,
    now: Timestamp,
    random: &dyn Random,
) -> Outcome<(KekRow, CellEpochRow)> {
    let version = 1;
    let kek = PrivateKey::generate(Algorithm::MlKem768, random)?;
    let public = public_of(&kek)?;
    let sealed = crypto::wrap::wrap(&root.kem_public, &kek_context(tenant, version), kek.to_stored().expose(), random)?;
    let mut epoch = [0; 8];
    random.fill(&mut epoch);
    let cell_key = SecretArray::<32>::random(random);
    let wrapped = crypto::wrap::wrap(&public, &cell_context(tenant, epoch, version), cell_key.expose(), random)?;
    let kek_row = KekRow { version, public: public.raw().to_vec(), sealed, created_at: now };
    Ok((kek_row, CellEpochRow { epoch, wrapped, kek_version: version, created_at: now }))
}

impl TenantKeys {
    /// Opens a tenant's rows under the root.
    pub fn open(root: &Root, tenant: TenantId, keks: &[KekRow], epochs: &[CellEpochRow]) -> Outcome<Self> {
        let corrupt = |what: &str| Problem::internal("opening a tenant's keys", what);
        let mut opened = HashMap::new();
        for row in keks {
            let stored = crypto::wrap::unwrap(&root.kem, &kek_context(tenant, row.version), &row.sealed)
                .map_err(|_| corrupt("a KEK does not open"))?;
            let kek = PrivateKey::from_stored(Algorithm::MlKem768, stored.expose())?;
            let public = public_of(&kek)?;
            if public.raw() != row.public {
                return Err(corrupt("a KEK's public half does not match"));
            }
            opened.insert(row.version, (kek, public));
        }
        let kek_version = opened.keys().max().copied().ok_or_else(|| corrupt("there is no KEK"))?;
        let mut cell_keys = Vec::new();
        for row in epochs {
            let (kek, _) = opened.get(&row.kek_version).ok_or_else(|| corrupt("a KEK version is missing"))?;
            let key = crypto::wrap::unwrap(kek, &cell_context(tenant, row.epoch, row.kek_version), &row.wrapped)
                .map_err(|_| corrupt("a cell epoch does not open"))?;
            let key = <[u8; 32]>::try_from(key.expose()).map_err(|_| corrupt("a cell key is of another length"))?;
            cell_keys.push((row.epoch, SecretArray::new(key)));
        }
        let cells = Cells::new(tenant, cell_keys).ok_or_else(|| corrupt("there is no cell epoch"))?;
        Ok(Self { tenant, kek_version, keks: opened, cells })
    }

    /// Seals a named key version's private half to the newest KEK.
    pub fn seal_key(&self, key: KeyId, version: u32, private: &PrivateKey, random: &dyn Random) -> Outcome<Vec<u8>> {
        self.seal(&named_key_context(self.tenant, key, version, self.kek_version), private, random)
    }

    /// Seals an authority's private key to the newest KEK.
    pub fn seal_authority(&self, id: AuthorityId, private: &PrivateKey, random: &dyn Random) -> Outcome<Vec<u8>> {
        self.seal(&authority_context(self.tenant, id, self.kek_version), private, random)
    }

    /// Seals the private half of a key that signs tokens to the newest KEK.
    pub fn seal_token_key(&self, id: TokenKeyId, private: &PrivateKey, random: &dyn Random) -> Outcome<Vec<u8>> {
        self.seal(&token_key_context(self.tenant, id, self.kek_version), private, random)
    }

    fn seal(&self, context: &Context, private: &PrivateKey, random: &dyn Random) -> Outcome<Vec<u8>> {
        let (_, public) =
            self.keks.get(&self.kek_version).ok_or_else(|| Problem::internal("sealing a key", "no KEK"))?;
        Ok(crypto::wrap::wrap(public, context, private.to_stored().expose(), random)?)
    }

    /// Opens what [`TenantKeys::seal_key`] sealed.
    pub fn open_key(
        &self,
        key: KeyId,
        version: u32,
        kek_version: u32,
        algorithm: Algorithm,
        sealed: &[u8],
    ) -> Outcome<PrivateKey> {
        self.open_under(kek_version, &named_key_context(self.tenant, key, version, kek_version), algorithm, sealed)
    }

    /// Opens what [`TenantKeys::seal_authority`] sealed.
    pub fn open_authority(
        &self,
        id: AuthorityId,
        kek_version: u32,
        algorithm: Algorithm,
        sealed: &[u8],
    ) -> Outcome<PrivateKey> {
        self.open_under(kek_version, &authority_context(self.tenant, id, kek_version), algorithm, sealed)
    }

    /// Opens what [`TenantKeys::seal_token_key`] sealed.
    pub fn open_token_key(
        &self,
        id: TokenKeyId,
        kek_version: u32,
        algorithm: Algorithm,
        sealed: &[u8],
    ) -> Outcome<PrivateKey> {
        self.open_under(kek_version, &token_key_context(self.tenant, id, kek_version), algorithm, sealed)
    }

    fn open_under(
        &self,
        kek_version: u32,
        context: &Context,
        algorithm: Algorithm,
        sealed: &[u8],
    ) -> Outcome<PrivateKey> {
        let broken = |what: &str| Problem::internal("opening a key", what);
        let (kek, _) = self.keks.get(&kek_version).ok_or_else(|| broken("the KEK version is missing"))?;
        let stored = crypto::wrap::unwrap(kek, context, sealed).map_err(|_| broken("it does not open"))?;
        Ok(PrivateKey::from_stored(algorithm, stored.expose())?)
    }
}

/// The public half of an asymmetric key; its absence would be a fault of ours.
pub fn public_of(key: &PrivateKey) -> Outcome<PublicKey> {
    key.public_key().ok_or_else(|| Problem::internal("reading a public key", "the key is symmetric"))
}

fn kek_context(tenant: TenantId, version: u32) -> Context {
    Context::new("qapi/tenant-kek/v1").bytes(tenant.as_bytes()).u32(version)
}

fn cell_context(tenant: TenantId, epoch: [u8; 8], kek_version: u32) -> Context {
    Context::new("qapi/cell-epoch/v1").bytes(tenant.as_bytes()).bytes(&epoch).u32(kek_version)
}

fn named_key_context(tenant: TenantId, key: KeyId, version: u32, kek_version: u32) -> Context {
    Context::new("qapi/named-key/v1").bytes(tenant.as_bytes()).bytes(key.as_bytes()).u32(version).u32(kek_version)
}

fn authority_context(tenant: TenantId, id: AuthorityId, kek_version: u32) -> Context {
    Context::new("qapi/ca-key/v1").bytes(tenant.as_bytes()).bytes(id.as_bytes()).u32(kek_version)
}

fn token_key_context(tenant: TenantId, id: TokenKeyId, kek_version: u32) -> Context {
    Context::new("qapi/token-key/v1").bytes(tenant.as_bytes()).bytes(id.as_bytes()).u32(kek_version)
}
