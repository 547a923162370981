//! The context of one request: who asks, from where, when, and with which keys.
//!
//! Only the authenticating extractor makes a [`Ctx`], so holding one proves that the platform is unsealed and that the
//! credential was accepted.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use api::casing::Casing;
use api::error::ErrorCode;
use crypto::random::Random;
use domain::authz::{Actor, Bounds, Principal};
use domain::ids::{RequestId, TenantId};
use domain::limits::Limits;
use domain::rate::Allowance;
use domain::scope::Scopes;
use domain::time::Timestamp;
use store::idempotency::Claim;

use crate::app::authority::platforms::Peer;
use crate::keyring::{Keyring, TenantKeys};
use crate::problem::{Outcome, Problem};

/// What is known of a request before anybody is recognised.
#[derive(Clone, Debug)]
pub struct Origin {
    /// On the answer, in every log line and in the audit trail.
    pub request_id: RequestId,
    /// The client's address.
    pub address: IpAddr,
    /// The client's own name for itself, cut to a sensible length.
    pub user_agent: Option<Arc<str>>,
    /// When the request arrived.
    pub now: Timestamp,
    /// How answers are spelled, as far as the request's head says.
    pub casing: Casing,
    /// Whether the request's body was in snake_case, once it was read.
    pub snake_body: Arc<AtomicBool>,
    /// The route, as audit and metrics call it.
    pub operation: &'static str,
    /// What is left of the credential's rate, once it was counted: every answer says it.
    pub allowance: Arc<OnceLock<Allowance>>,
}

impl Origin {
    /// Of what nobody asked for: the platform's own work, under the name that the trail has for it.
    pub fn of_the_platform(random: &dyn Random, now: Timestamp, operation: &'static str) -> Self {
        let mut id = [0; 16];
        random.fill(&mut id);
        Self {
            request_id: RequestId::from_random(id),
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            user_agent: None,
            now,
            casing: Casing::Camel,
            snake_body: Arc::default(),
            operation,
            allowance: Arc::default(),
        }
    }

    /// How answers are spelled: with twins for those who ask for them and for those who write so themselves.
    pub fn casing(&self) -> Casing {
        if self.casing == Casing::Camel && self.snake_body.load(Ordering::Relaxed) { Casing::Both } else { self.casing }
    }
}

/// The platform's name for itself, and that nothing limits it: every anonymous request is on its behalf.
static SYSTEM: LazyLock<(Arc<str>, Arc<Limits>)> = LazyLock::new(|| ("system".into(), Arc::default()));

/// A recognised request.
#[derive(Clone)]
pub struct Ctx {
    /// Where it comes from.
    pub origin: Origin,
    /// The certificate that it came with; without one it came with a credential, or from nobody.
    pub service: Option<Arc<Service>>,
    /// Who asks.
    pub principal: Principal,
    /// The platform's keys.
    pub keyring: Arc<Keyring>,
    /// The tenant's keys.
    pub keys: Arc<TenantKeys>,
    /// The idempotency key under which it changes things, if it has one.
    pub claim: Option<Arc<Claim>>,
}

/// A service that the mTLS listener let in: whose certificate it showed. Only that listener makes one.
#[derive(Clone, Debug)]
pub struct Service {
    /// The tenant whose authority signed the certificate.
    pub tenant: TenantId,
    /// The service's id in the certificate.
    pub spiffe_id: String,
    /// Its DNS names there.
    pub dns_names: Vec<String>,
    /// The SHA-256 of the certificate, by which tokens are bound to it.
    pub fingerprint: [u8; 32],
    /// The certificate.
    pub peer: Peer,
}

impl Ctx {
    /// The context of a service that showed its certificate. It has no scopes: the certificate is good for its own renewal
    /// and nothing else.
    pub fn of_a_service(origin: Origin, service: Arc<Service>, keyring: Arc<Keyring>, keys: Arc<TenantKeys>) -> Self {
        Self { service: Some(service), ..Self::of_the_platform(origin, keyring, keys) }
    }

    /// The context of what the platform does by itself, within one tenant. It has no scopes: nothing can be authorized
    /// with it.
    pub fn of_the_platform(origin: Origin, keyring: Arc<Keyring>, keys: Arc<TenantKeys>) -> Self {
        let principal = Principal {
            tenant: keys.tenant,
            actor: Actor::Platform,
            name: Arc::clone(&SYSTEM.0),
            scopes: Scopes::default(),
            limits: Arc::clone(&SYSTEM.1),
            bounds: Bounds::default(),
        };
        Self { origin, service: None, principal, keyring, keys, claim: None }
    }

    /// Whether nobody asked, and the platform acts by itself.
    pub fn is_of_the_platform(&self) -> bool {
        self.service.is_none() && self.principal.actor == Actor::Platform
    }

    /// The tenant, decided by the credential.
    pub fn tenant(&self) -> TenantId {
        self.principal.tenant
    }

    /// When the request arrived.
    pub fn now(&self) -> Timestamp {
        self.origin.now
    }

    /// Refuses to make what acts by itself to whoever comes with a credential that ends, or that works from some networks alone: what it made
    /// would be bound by neither.
    pub fn must_be_unbounded(&self) -> Outcome<()> {
        let bounds = self.principal.bounds;
        let bound = [("expiresAt", bounds.ends_at.is_some()), ("allowedCidrs", bounds.has_networks)];
        let bound: Vec<&str> = bound.into_iter().filter_map(|(field, is_bound)| is_bound.then_some(field)).collect();
        if bound.is_empty() {
            return Ok(());
        }
        let message = format!("The credential cannot make what is not bound as it is itself: {}.", bound.join(", "));
        Err(Problem::new(ErrorCode::Forbidden, message).detail("exceeds", bound))
    }
}
