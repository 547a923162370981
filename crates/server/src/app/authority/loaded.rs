//! A tenant's policy and authorities, parsed, for as long as the tenant's epoch stands still.

use std::sync::{Arc, OnceLock};

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::x509::{Certificate, DistinguishedName, pem};
use domain::identity::application::Settings;
use domain::ids::{AuthorityId, TenantId};
use domain::pki::authority::{self, Kind, Phase};
use domain::pki::names::{Allowed, BadPolicy, Learning, NamePolicy};
use domain::time::Timestamp;
use store::authorities::{StoredAuthority, StoredPolicy};
use tokio::sync::OnceCell;

use super::bundle::Believed;
use super::{Authority, reader};
use crate::app::applications::standing_in::proved_by_certificate;
use crate::ctx::Ctx;
use crate::freshness::Stand;
use crate::keyring::TenantKeys;
use crate::problem::{Outcome, Problem};

/// A tenant's authorities as they stand.
pub struct Loaded {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name in addresses.
    pub slug: String,
    /// The policy's row.
    pub row: StoredPolicy,
    /// The policy.
    pub policy: NamePolicy,
    /// Every key, the oldest first.
    pub keys: Vec<LoadedAuthority>,
    /// The applications that are proved by its certificates.
    pub(super) proved: Vec<Settings>,
    pub(super) facts: Vec<authority::Authority>,
    pub(super) bundle: OnceCell<Arc<api::certificates::Bundle>>,
    pub(super) believed: OnceCell<Arc<Believed>>,
    stand: Stand,
}

/// One key of an authority; its private half is opened when first used.
pub struct LoadedAuthority {
    /// The row.
    pub row: StoredAuthority,
    /// What it is for.
    pub kind: Kind,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its name.
    pub subject: DistinguishedName,
    /// Its certificates under the roots that are trusted still, the oldest root's first: who has fetched no other root since it
    /// was replaced takes the first that fits, and those who have trust both.
    pub chain: Vec<Vec<u8>>,
    private: Arc<OnceLock<PrivateKey>>,
    pem: OnceLock<Pem>,
}

/// The certificates of an authority as every certificate that it issues is handed out with.
pub struct Pem {
    /// The self-signed one.
    pub certificate: String,
    /// Those under the roots, one after the other; empty when there are none.
    pub chain: String,
}

impl Authority {
    /// The tenant's authorities; made now if it has none.
    pub async fn load(&self, ctx: &Ctx) -> Outcome<Arc<Loaded>> {
        if let Some(loaded) = self.standing(ctx.tenant())? {
            return Ok(loaded);
        }
        let _one = self.loading.lock().await;
        if let Some(loaded) = self.standing(ctx.tenant())? {
            return Ok(loaded);
        }
        if let Some(loaded) = self.read(ctx.tenant()).await? {
            return Ok(loaded);
        }
        match self.make(ctx).await {
            Ok(()) => {}
            // Another replica made them first.
            Err(problem) if problem.code == api::error::ErrorCode::Conflict => {}
            Err(problem) => return Err(problem),
        }
        self.read(ctx.tenant()).await?.ok_or_else(|| Problem::internal("making authorities", "they are not there"))
    }

    /// The tenant's authorities, if it has any.
    pub(super) async fn peek(&self, tenant: TenantId) -> Outcome<Option<Arc<Loaded>>> {
        match self.standing(tenant)? {
            Some(loaded) => Ok(Some(loaded)),
            None => self.read(tenant).await,
        }
    }

    fn standing(&self, tenant: TenantId) -> Outcome<Option<Arc<Loaded>>> {
        let stand = self.freshness.stand(tenant)?;
        Ok(self.cached(tenant).filter(|loaded| loaded.stand.holds(&stand)))
    }

    fn cached(&self, tenant: TenantId) -> Option<Arc<Loaded>> {
        self.loaded.read().ok()?.get(&tenant).map(Arc::clone)
    }

    async fn read(&self, tenant: TenantId) -> Outcome<Option<Arc<Loaded>>> {
        let stand = self.freshness.stand(tenant)?;
        let auth = reader(tenant);
        let Some(row) = self.core.store.ca_policy(&auth).await? else { return Ok(None) };
        let rows = self.core.store.authorities(&auth).await?;
        let before = self.cached(tenant);
        let slug = match &before {
            Some(before) => before.slug.clone(),
            None => self.core.store.slug_of_tenant(tenant).await?.unwrap_or_default(),
        };
        let roots = standing_roots(&rows);
        let read = |row| LoadedAuthority::new(row, &roots, before.as_deref());
        let keys = rows.into_iter().map(read).collect::<Outcome<Vec<_>>>()?;
        let loaded = Arc::new(Loaded {
            tenant,
            slug,
            policy: policy(&row)?,
            row,
            proved: proved_by_certificate(&self.core.store, &auth).await?,
            facts: keys.iter().map(LoadedAuthority::facts).collect(),
            keys,
            bundle: OnceCell::new(),
            believed: OnceCell::new(),
            stand,
        });
        if let Ok(mut all) = self.loaded.write() {
            all.insert(tenant, Arc::clone(&loaded));
        }
        Ok(Some(loaded))
    }

    /// Forgets what was read of a tenant: a change of it collided with somebody else's.
    pub(super) fn forget(&self, tenant: TenantId) {
        if let Ok(mut all) = self.loaded.write() {
            all.remove(&tenant);
        }
    }
}

pub(super) fn policy(row: &StoredPolicy) -> Outcome<NamePolicy> {
    let broken = |what: String| Problem::internal("reading a policy of names", what);
    let allowed: Vec<String> = serde_json::from_str(&row.allowed).map_err(|error| broken(error.to_string()))?;
    let allowed = allowed.iter().map(|text| text.parse()).collect::<Result<Vec<Allowed>, BadPolicy>>();
    let learning = if row.learning { Learning::On } else { Learning::Off };
    let allowed = allowed.map_err(|error| broken(error.to_string()))?;
    NamePolicy::new(&row.trust_domain, allowed, learning).map_err(|error| broken(error.to_string()))
}

/// The key identifiers of the roots that are trusted.
fn standing_roots(rows: &[StoredAuthority]) -> Vec<Vec<u8>> {
    let is_standing = |row: &&StoredAuthority| row.kind == Kind::Root.as_str() && row.retired_at.is_none();
    rows.iter().filter(is_standing).map(|row| row.key_identifier.clone()).collect()
}

/// What is left of an authority's certificates under roots.
fn chain(row: &StoredAuthority, roots: &[Vec<u8>]) -> Outcome<Vec<Vec<u8>>> {
    let stored = row.intermediate.as_deref().unwrap_or_default();
    let all = Certificate::parse_all(stored).map_err(|error| Problem::internal("loading an authority", error))?;
    let is_standing = |one: &&Certificate| {
        one.authority_key_id().is_some_and(|id| roots.iter().any(|root| root.as_slice() == id.as_bytes()))
    };
    Ok(all.iter().filter(is_standing).map(|one| one.der().to_vec()).collect())
}

impl Loaded {
    /// The key that issues now under a name.
    pub fn issuer(&self, name: &str, now: Timestamp) -> Outcome<&LoadedAuthority> {
        let found = authority::issuer(&self.facts, name, now).and_then(|facts| self.get(facts.id));
        found.ok_or_else(|| Problem::not_found("certificate authority that issues now"))
    }

    /// A key by its id.
    pub fn get(&self, id: AuthorityId) -> Option<&LoadedAuthority> {
        self.keys.iter().find(|key| key.row.id == id)
    }

    /// Where a key stands.
    pub fn phase(&self, key: &LoadedAuthority, now: Timestamp) -> Phase {
        authority::phase(&key.facts(), &self.facts, now)
    }

    /// The roots that are trusted, the oldest first: more than one while a rotated one is still known to some alone.
    pub fn roots(&self) -> Outcome<Vec<&LoadedAuthority>> {
        let is_standing = |key: &&LoadedAuthority| key.kind == Kind::Root && key.row.retired_at.is_none();
        let mut roots: Vec<_> = self.keys.iter().filter(is_standing).collect();
        roots.sort_by_key(|root| root.row.generation);
        if roots.is_empty() { Err(Problem::internal("loading authorities", "there is no root")) } else { Ok(roots) }
    }

    /// The keys that peers may meet: all but retired ones.
    pub fn current(&self, now: Timestamp) -> impl Iterator<Item = &LoadedAuthority> {
        self.keys.iter().filter(move |key| self.phase(key, now) != Phase::Retired && key.row.not_after > now)
    }
}

impl LoadedAuthority {
    fn new(row: StoredAuthority, roots: &[Vec<u8>], before: Option<&Loaded>) -> Outcome<Self> {
        let broken = |what: &str| Problem::internal("loading an authority", what);
        // A key never changes, so one that was opened stays so across changes of the tenant.
        let private = before.and_then(|before| before.get(row.id)).map(|key| Arc::clone(&key.private));
        Ok(Self {
            kind: Kind::from_stored(&row.kind).ok_or_else(|| broken("its kind"))?,
            algorithm: row.algorithm.parse().map_err(|_| broken("its algorithm"))?,
            subject: row.subject.parse().map_err(|_| broken("its subject"))?,
            chain: chain(&row, roots)?,
            private: private.unwrap_or_default(),
            pem: OnceLock::new(),
            row,
        })
    }

    /// A key that was just made and is not stored yet.
    pub(super) fn fresh(row: StoredAuthority, kind: Kind, subject: DistinguishedName, private: PrivateKey) -> Self {
        let algorithm = private.algorithm();
        let opened = OnceLock::new();
        // A new cell is empty.
        let _set = opened.set(private);
        Self { row, kind, algorithm, subject, chain: Vec::new(), private: Arc::new(opened), pem: OnceLock::new() }
    }

    /// The same key, to be certified anew.
    pub(super) fn again(key: &Self) -> Self {
        Self {
            row: key.row.clone(),
            kind: key.kind,
            algorithm: key.algorithm,
            subject: key.subject.clone(),
            chain: key.chain.clone(),
            private: Arc::clone(&key.private),
            pem: OnceLock::new(),
        }
    }

    pub(super) fn facts(&self) -> authority::Authority {
        authority::Authority {
            id: self.row.id,
            kind: self.kind,
            name: self.row.name.clone(),
            generation: self.row.generation,
            active_from: self.row.active_from,
            retires_at: self.row.retires_at,
            retired_at: self.row.retired_at,
            not_after: self.row.not_after,
        }
    }

    /// Its certificates in PEM, written once.
    pub(super) fn pem(&self) -> &Pem {
        self.pem.get_or_init(|| Pem {
            certificate: pem::encode(pem::CERTIFICATE, &self.row.certificate),
            chain: self.chain.iter().map(|der| pem::encode(pem::CERTIFICATE, der)).collect(),
        })
    }

    /// The private half.
    pub(super) fn private(&self, keys: &TenantKeys) -> Outcome<&PrivateKey> {
        if let Some(private) = self.private.get() {
            return Ok(private);
        }
        let opened = keys.open_authority(self.row.id, self.row.kek_version, self.algorithm, &self.row.sealed)?;
        Ok(self.private.get_or_init(|| opened))
    }
}
