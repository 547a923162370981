//! The context of one request: who asks, from where, when, and with which keys.
//!
//! Only the authenticating extractor makes a [`Ctx`], so holding one proves that the platform is unsealed and that the
//! credential was accepted.

use std::net::IpAddr;
use std::sync::Arc;

use api::casing::Casing;
use domain::authz::Principal;
use domain::ids::{RequestId, TenantId};
use domain::time::Timestamp;

use crate::keyring::{Keyring, TenantKeys};

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
    /// How answers are spelled.
    pub casing: Casing,
    /// The route, as audit and metrics call it.
    pub operation: &'static str,
}

/// A recognised request.
#[derive(Clone)]
pub struct Ctx {
    /// Where it comes from.
    pub origin: Origin,
    /// Who asks.
    pub principal: Principal,
    /// The platform's keys.
    pub keyring: Arc<Keyring>,
    /// The tenant's keys.
    pub keys: Arc<TenantKeys>,
}

impl Ctx {
    /// The tenant, decided by the credential.
    pub fn tenant(&self) -> TenantId {
        self.principal.tenant
    }

    /// When the request arrived.
    pub fn now(&self) -> Timestamp {
        self.origin.now
    }
}
