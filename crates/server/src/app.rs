//! What the operations mean: authorize, load, decide, apply, audit. One file per noun.

pub mod accounts;
pub mod api_keys;
pub mod applications;
pub mod audit;
pub mod authority;
pub mod backup;
mod batch;
pub mod change;
pub mod cipher;
pub mod data_keys;
pub mod encryption;
pub mod end_users;
mod fetched_keys;
pub mod gate_tickets;
pub mod idempotency;
pub mod key_cache;
pub mod keys;
pub mod mail;
pub mod oidc;
pub mod operator;
pub mod paging;
pub mod password_pool;
pub mod payload;
pub mod people;
pub mod qrng;
pub mod resource_servers;
pub mod roles;
pub mod secrets;
pub mod shares;
pub mod signing;
pub mod tenants;
pub mod transit;
pub mod trusts;
pub mod users;

use std::sync::Arc;

use crypto::entropy::EntropyPool;
use store::Store;

use crate::breach_list::BreachList;
use crate::config::Config;
use crate::egress::Egress;
use crate::freshness::Freshness;
use crate::trail::Trail;

/// What every service is made of. Cheap to clone.
#[derive(Clone)]
pub struct Core {
    /// The store.
    pub store: Store,
    /// Where every random byte comes from.
    pub entropy: Arc<EntropyPool>,
    /// Where every use is written down.
    pub trail: Trail,
}

/// The services, by noun.
#[derive(Clone)]
pub struct Services {
    /// Named keys.
    pub keys: Arc<keys::Keys>,
    /// Encryption under them.
    pub encryption: Arc<encryption::Encryption>,
    /// Signatures and MACs under them.
    pub signing: Arc<signing::Signing>,
    /// The same by name.
    pub transit: Arc<transit::Transit>,
    /// Data keys.
    pub data_keys: Arc<data_keys::DataKeys>,
    /// Entropy on request.
    pub qrng: Arc<qrng::Qrng>,
    /// Secrets.
    pub secrets: Arc<secrets::Secrets>,
    /// Links to them.
    pub shares: Arc<shares::Shares>,
    /// Answers to repeated requests.
    pub replays: Arc<idempotency::Replays>,
    /// API keys.
    pub api_keys: Arc<api_keys::ApiKeys>,
    /// Tenants.
    pub tenants: Arc<tenants::Tenants>,
    /// The audit trail.
    pub audit: Arc<audit::Audit>,
    /// Applications.
    pub applications: Arc<applications::Applications>,
    /// The end users of applications.
    pub end_users: Arc<end_users::EndUsers>,
    /// People as they come.
    pub people: Arc<people::People>,
    /// Roles.
    pub roles: Arc<roles::Roles>,
    /// The tenants' own people.
    pub users: Arc<users::Users>,
    /// The APIs that tokens are for.
    pub resource_servers: Arc<resource_servers::ResourceServers>,
    /// Certificate authorities.
    pub authority: Arc<authority::Authority>,
    /// Letters.
    pub mail: Arc<mail::Mail>,
    /// Trusts in other issuers.
    pub trusts: Arc<trusts::Trusts>,
    /// Tickets for the deploy gate.
    pub gate_tickets: Arc<gate_tickets::GateTickets>,
    /// The identity provider.
    pub oidc: Arc<oidc::Oidc>,
    loaded: Arc<key_cache::KeyCache>,
    opened: Arc<cipher::Cipher>,
}

impl Services {
    /// Puts the services together.
    pub fn new(core: &Core, freshness: &Arc<Freshness>, config: &Config) -> anyhow::Result<Self> {
        let cache = Arc::new(key_cache::KeyCache::new(core.store.clone(), Arc::clone(freshness)));
        let cipher = Arc::new(cipher::Cipher::new(core.store.clone(), Arc::clone(&core.entropy)));
        let api_keys = Arc::new(api_keys::ApiKeys::new(core.clone()));
        let passwords = Arc::new(password_pool::Passwords::start()?);
        let breaches = config.breach_list.as_deref().map(BreachList::open).transpose()?.map(Arc::new);
        let accounts = accounts::Accounts::new(core.clone(), &config.portal_origin, Arc::clone(&passwords), breaches);
        let accounts = Arc::new(accounts);
        let egress = Arc::new(Egress::new(&config.egress)?);
        let trusts = Arc::new(trusts::Trusts::new(core.clone(), Arc::clone(&egress), &config.portal_origin));
        Ok(Self {
            people: Arc::new(people::People::new(Arc::clone(&accounts))),
            trusts: Arc::clone(&trusts),
            gate_tickets: Arc::new(gate_tickets::GateTickets::new(core.clone())),
            end_users: Arc::new(end_users::EndUsers::new(Arc::clone(&accounts))),
            roles: Arc::new(roles::Roles::new(Arc::clone(&accounts))),
            mail: Arc::new(mail::Mail::new(core.clone(), config.mail.as_ref())?),
            users: Arc::new(users::Users::new(accounts)),
            applications: Arc::new(applications::Applications::new(
                core.clone(),
                Arc::clone(&api_keys),
                &config.portal_origin,
            )),
            resource_servers: Arc::new(resource_servers::ResourceServers::new(core.clone())),
            keys: Arc::new(keys::Keys::new(core.clone(), Arc::clone(&cache))),
            encryption: Arc::new(encryption::Encryption::new(core.clone(), Arc::clone(&cache), Arc::clone(&cipher))),
            signing: Arc::new(signing::Signing::new(core.clone(), Arc::clone(&cache))),
            transit: Arc::new(transit::Transit::new(core.clone(), Arc::clone(&cache), Arc::clone(&cipher))),
            data_keys: Arc::new(data_keys::DataKeys::new(core.clone(), Arc::clone(&cache), Arc::clone(&cipher))),
            qrng: Arc::new(qrng::Qrng::new(core.clone(), config.limits.entropy_mb_per_month)),
            secrets: Arc::new(secrets::Secrets::new(core.clone())),
            shares: Arc::new(shares::Shares::new(core.clone(), &config.portal_origin, passwords)),
            replays: Arc::new(idempotency::Replays::new(core.clone())),
            api_keys,
            tenants: Arc::new(tenants::Tenants::new(core.clone())),
            audit: Arc::new(audit::Audit::new(core.clone())),
            authority: Arc::new(authority::Authority::new(core.clone(), Arc::clone(freshness), config)?),
            oidc: Arc::new(oidc::Oidc::new(core.clone(), trusts, egress, Arc::clone(freshness), config)),
            loaded: cache,
            opened: cipher,
        })
    }

    /// Drops every opened key and epoch: part of sealing, beside the keyring itself.
    pub fn forget_keys(&self) {
        self.loaded.clear();
        self.opened.clear();
        self.authority.forget_keys();
        self.oidc.forget_keys();
    }
}
