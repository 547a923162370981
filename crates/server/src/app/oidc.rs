//! The identity provider's protocol: OpenID Connect and OAuth, one issuer a tenant.
//!
//! - [`clients`] and [`client_auth`]: who asks, and how they prove it.
//! - [`keys`]: what signs tokens, and `jws`, the one door to their form.
//! - [`tokens`] issues, [`tokens_read`] reads back: of whichever form a token is, whether it is alive is decided by `domain::identity::liveness` over one read of
//!   everything that it hangs on.
//! - [`grants`]: one file for each thing that the token endpoint takes.
//! - [`authorize`]: what a browser brings, up to the code.
//!
//! Whatever works once is spent by a guarded statement in the transaction that makes what follows from it.

pub mod authorize;
mod backchannel;
pub mod bearer;
mod built_in;
pub mod client_auth;
pub mod clients;
pub mod device;
mod federated;
pub mod grants;
mod introspection;
pub mod jws;
pub mod keys;
mod keys_managing;
mod logout;
mod metadata;
mod on_record;
pub mod people;
mod pushed;
pub mod refusal;
pub mod site;
pub mod tokens;
pub mod tokens_read;
mod writing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};

use crypto::jose::KeySet;
use crypto::random::Random as _;
use crypto::secret::SecretBytes;
use domain::authz::{Authorized, ManageTokens, on_behalf_of_the_platform};
use domain::ids::{ApplicationId, TenantId};
use domain::rate::Bucket;

use super::Core;
use super::fetched_keys::FetchedKeys;
use super::trusts::Trusts;
use crate::config::Config;
use crate::egress::Egress;
use crate::freshness::Freshness;
use crate::keyring::root::Root;

pub use logout::SignedOut;
pub use refusal::{Answered, Refused};
pub use site::Site;

/// The identity provider.
pub struct Oidc {
    core: Core,
    trusts: Arc<Trusts>,
    egress: Arc<Egress>,
    /// Keys that applications publish.
    client_keys: FetchedKeys<KeySet>,
    freshness: Arc<Freshness>,
    /// The origin of every issuer, and the name of the default tenant's.
    origin: Arc<str>,
    /// Requests a minute for one client.
    requests_per_minute: u32,
    /// Whether the trail has each introspection, or one event for the same ones of a minute.
    every_introspection: bool,
    /// Where clients with certificates come to, if anywhere.
    mtls_origin: Option<String>,
    tenants: RwLock<HashMap<String, TenantId>>,
    clients: RwLock<HashMap<(TenantId, String), Arc<clients::Client>>>,
    keys: RwLock<HashMap<TenantId, Arc<keys::SigningKeys>>>,
    /// One at a time makes a tenant's keys.
    making: tokio::sync::Mutex<()>,
    known: RwLock<HashMap<[u8; 32], Arc<tokens_read::Known>>>,
    origins: RwLock<HashMap<TenantId, Arc<clients::Origins>>>,
    buckets: Mutex<HashMap<ApplicationId, Bucket>>,
}

/// What is remembered of one kind at most; beyond it the memory starts anew.
const CAPACITY: usize = 65_536;

impl Oidc {
    /// Over the core.
    pub fn new(
        core: Core,
        trusts: Arc<Trusts>,
        egress: Arc<Egress>,
        freshness: Arc<Freshness>,
        config: &Config,
    ) -> Self {
        Self {
            core,
            trusts,
            egress,
            client_keys: FetchedKeys::default(),
            freshness,
            origin: config.portal_origin.as_str().into(),
            requests_per_minute: config.limits.client_requests_per_minute,
            every_introspection: config.audit.every_introspection,
            mtls_origin: config.mtls.as_ref().and_then(|mtls| mtls_origin(&config.portal_origin, mtls.listen.port())),
            tenants: RwLock::default(),
            clients: RwLock::default(),
            keys: RwLock::default(),
            making: tokio::sync::Mutex::default(),
            known: RwLock::default(),
            origins: RwLock::default(),
            buckets: Mutex::default(),
        }
    }

    /// Drops every opened key and everything read with one: part of sealing.
    pub fn forget_keys(&self) {
        if let Ok(mut keys) = self.keys.write() {
            keys.clear();
        }
        if let Ok(mut known) = self.known.write() {
            known.clear();
        }
    }

    /// A new bearer text: a prefix that says what it is, and 256 random bits.
    fn bearer(&self, prefix: &str) -> String {
        let mut bytes = [0; 32];
        self.core.entropy.fill(&mut bytes);
        let secret = SecretBytes::copy_from(&bytes);
        zeroize::Zeroize::zeroize(&mut bytes);
        format!("{prefix}{}", jws::base64url(secret.expose()))
    }
}

/// The listener for services has the host of the portal, and its own port.
fn mtls_origin(portal: &str, port: u16) -> Option<String> {
    let (_, authority) = portal.split_once("://")?;
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let host = authority.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(authority, |(host, _)| host);
    Some(format!("https://{host}:{port}"))
}

/// The proof for what the protocol itself does: that it may was decided by a client's proof, a code or a person's session.
fn on_behalf(tenant: TenantId) -> Authorized<ManageTokens> {
    on_behalf_of_the_platform(tenant)
}

/// The keyed hash under which a bearer text of a kind is stored and looked up. Kinds never meet: what is a code is no refresh token.
fn bearer_hash(root: &Root, kind: Kind, text: &str) -> [u8; 32] {
    root.token_hash(kind.name(), text.as_bytes())
}

/// Kinds of bearer texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    Refresh,
    Access,
    Pushed,
    Interaction,
    Device,
    UserCode,
    Assertion,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Code => "oidc-code",
            Self::Refresh => "oidc-refresh",
            Self::Access => "oidc-access",
            Self::Pushed => "oidc-pushed",
            Self::Interaction => "oidc-interaction",
            Self::Device => "oidc-device",
            Self::UserCode => "oidc-user-code",
            Self::Assertion => "oidc-assertion",
        }
    }

    /// What a text of this kind begins with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Code => "qac_",
            Self::Refresh => "qrt_",
            Self::Access => "qat_",
            Self::Pushed => "urn:ietf:params:oauth:request_uri:qpr_",
            Self::Interaction => "qin_",
            Self::Device => "qdc_",
            Self::UserCode | Self::Assertion => "",
        }
    }
}

#[cfg(test)]
mod tests;
