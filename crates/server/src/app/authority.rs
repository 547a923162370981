//! The certificate authority of each tenant.
//!
//! A tenant has an ML-DSA-87 root and an ML-DSA-65 issuing authority, made when they are first needed, by whichever replica
//! is first. The issuing authority has one key and two certificates of the same subject and key: self-signed, so that a
//! server can send its leaf alone, and under the root. Private keys are sealed to the tenant's KEK like named keys; nothing
//! exports them.
//!
//! - [`issuing`](Authority::issue): lint and policy (`domain::pki::issuance`), intent row, signature, completion row with
//!   its audit event. Nothing is handed out that has no row.
//! - `bundle`: what peers trust and refuse. Its sequence moves with every anchor and every revocation, and who waits for
//!   it hears within the period of the change feed, on every replica.
//!
//! Other parts of the server use [`Authority::default_tenant`] for a context of the platform's own, then
//! [`Authority::bundle`], and what [`platforms`] offers: certificates of the platform's own, and renewal by mTLS identity.

mod asking;
mod bundle;
mod crl;
mod issuing;
mod loaded;
mod making;
pub mod platforms;
mod policy;
mod records;
mod rotation;
mod showing;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use domain::authz::{ManageAuthorities, ReadAuthorities, on_behalf_of_the_platform};
use domain::ids::{AuthorityId, TenantId};
use domain::pki::profile::{Profile, Profiles};
use tokio::sync::{Semaphore, watch};

use loaded::Loaded;

use super::Core;
use crate::config::{Config, LearnNames};
use crate::ctx::{Ctx, Origin};
use crate::freshness::Freshness;
use crate::keyring::Keyring;
use crate::problem::{Outcome, Problem};

pub use asking::Asked;
pub use bundle::{Believed, REFRESH_HINT_S};
pub use showing::Encoding;

/// The authorities of all tenants.
pub struct Authority {
    core: Core,
    freshness: Arc<Freshness>,
    profiles: Profiles,
    learn_names: LearnNames,
    origin: String,
    loaded: RwLock<HashMap<TenantId, Arc<Loaded>>>,
    /// One at a time reads a tenant's authorities or makes them; the others find them read.
    loading: tokio::sync::Mutex<()>,
    waiters: Semaphore,
    closing: watch::Sender<bool>,
}

/// Requests that wait for the bundle at once; more are answered without waiting.
const WAITERS: usize = 2_048;
/// How often a change is tried again that somebody else's came before.
const TRIES: usize = 16;
/// The name of the authority that issues unless told.
const ISSUING: &str = "issuing";
/// The name of the root.
const ROOT: &str = "root";
/// The name of the authority of the profile `mesh-compat`.
const CLASSICAL: &str = "mesh-compat";

impl Authority {
    /// Over the core. Fails when the profiles that were built in cannot be right.
    pub fn new(core: Core, freshness: Arc<Freshness>, config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            core,
            freshness,
            profiles: Profiles::built_in()?,
            learn_names: config.certificates.learn_names,
            origin: config.portal_origin.clone(),
            loaded: RwLock::default(),
            loading: tokio::sync::Mutex::default(),
            waiters: Semaphore::new(WAITERS),
            closing: watch::Sender::new(false),
        })
    }

    /// The context of what nobody asked for, in the tenant of a slug.
    pub async fn tenant_of_slug(&self, keyring: &Arc<Keyring>, origin: Origin, slug: &str) -> Outcome<Ctx> {
        let tenant = super::tenants::tenant_of_slug(&self.core.store, slug)
            .await?
            .ok_or_else(|| Problem::not_found("tenant"))?;
        let keys = keyring.tenant(&self.core.store, tenant).await?;
        Ok(Ctx::of_the_platform(origin, Arc::clone(keyring), keys))
    }

    /// The context of what the platform does by itself, in the default tenant.
    pub async fn default_tenant(&self, keyring: &Arc<Keyring>, origin: Origin) -> Outcome<Ctx> {
        self.tenant_of_slug(keyring, origin, super::tenants::DEFAULT_SLUG).await
    }

    /// Ends every wait for a bundle: the server is stopping.
    pub fn stop_waiting(&self) {
        self.closing.send_replace(true);
    }

    /// Drops every opened key: part of sealing.
    pub fn forget_keys(&self) {
        if let Ok(mut loaded) = self.loaded.write() {
            loaded.clear();
        }
    }

    fn profile(&self, name: &str) -> Outcome<&Profile> {
        let known = || self.profiles.of_end_entities().map(Profile::name).collect::<Vec<_>>().join(", ");
        let found = self.profiles.get(name).filter(|profile| !profile.is_authority());
        found.ok_or_else(|| Problem::invalid(format!("profile is one of: {}.", known())))
    }

    fn own_profile(&self, name: &'static str) -> Outcome<&Profile> {
        self.profiles.get(name).ok_or_else(|| Problem::internal("certifying an authority", "a profile is missing"))
    }

    /// Where something of an authority is found by anybody.
    fn url(&self, slug: &str, id: AuthorityId, what: &str) -> String {
        let place = if slug == super::tenants::DEFAULT_SLUG { String::new() } else { format!("/t/{slug}") };
        format!("{}{place}/api/v1/cas/{id}/{what}?format=der", self.origin)
    }
}

fn reader(tenant: TenantId) -> domain::authz::Authorized<ReadAuthorities> {
    on_behalf_of_the_platform(tenant)
}

/// The proof for changes of the authorities that follow from a request: making them, and learning a name.
fn manager(tenant: TenantId) -> domain::authz::Authorized<ManageAuthorities> {
    on_behalf_of_the_platform(tenant)
}
