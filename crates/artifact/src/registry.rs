//! A client of container registries (OCI distribution specification 1.1).
//!
//! A registry is believed nothing: every body is hashed and compared with the digest that was asked for, its length is bounded
//! before it is read, and every request ends in bounded time. Lists that several programs write are merged until all entries are
//! seen in them. Plain HTTP is spoken with this machine alone, or with whom the caller names under a name that says what it is.
//!
//! The client keeps nothing of what it reads; whoever wants a cache puts it above.

mod authorization;
mod blobs;
mod credentials;
mod error;
mod lists;
mod manifests;
mod referrers;
mod transport;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use credentials::{Credential, Keychain};
pub use error::{Cause, Error};
pub use manifests::{Put, Target};
pub use referrers::Referrers;

use transport::Transport;

/// A client of all registries. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Transport,
    /// Registries that have no list of referrers.
    without_referrers: Mutex<HashSet<String>>,
    /// One of us at a time changes a list, whatever others do.
    writing: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// How registries are talked with.
#[derive(Clone, Debug)]
pub struct Options {
    authorities: Option<PathBuf>,
    user_agent: String,
    timeout: Duration,
    patience: Duration,
    retries: u32,
    plain: BTreeSet<String>,
    encrypted: BTreeSet<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            authorities: None,
            user_agent: concat!("qapi/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(120),
            retries: 5,
            plain: BTreeSet::new(),
            encrypted: BTreeSet::new(),
        }
    }
}

impl Options {
    /// Trusts the authorities of a PEM file besides those of the web.
    #[must_use]
    pub fn with_authorities(self, file: impl Into<PathBuf>) -> Self {
        Self { authorities: Some(file.into()), ..self }
    }

    /// What the registry's log calls us.
    #[must_use]
    pub fn with_user_agent(self, user_agent: impl Into<String>) -> Self {
        Self { user_agent: user_agent.into(), ..self }
    }

    /// How long one request may take; one with a long body gets more, by its length.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How long a request may take with all its repetitions.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How often a request is repeated that did not get an answer, or was told to come later.
    #[must_use]
    pub fn with_retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }

    /// Speaks without encryption to a registry (`registry.example:5000`): whoever is on the way reads the credentials and
    /// everything else. What is fetched is still compared with its digest.
    #[must_use]
    pub fn with_danger_plain_http(mut self, registry: &str) -> Self {
        self.plain.insert(registry.to_ascii_lowercase());
        self
    }

    /// Speaks with encryption to a registry on this machine (`localhost:5000`), which is otherwise spoken to without.
    #[must_use]
    pub fn with_encrypted_loopback(mut self, registry: &str) -> Self {
        self.encrypted.insert(registry.to_ascii_lowercase());
        self
    }

    fn is_plain(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.plain.contains(&host) || (is_loopback(&host) && !self.encrypted.contains(&host))
    }
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(options: Options, keychain: Keychain) -> Result<Self, Error> {
        if http::HeaderValue::from_str(&options.user_agent).is_err() {
            return Err(Error::Config("the user agent is not a header value".to_owned()));
        }
        let connector = tls::connector(options.authorities.as_deref());
        let connector = connector.map_err(|error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            Error::Config(format!("{error}{source}"))
        })?;
        let transport = Transport::new(options, keychain, connector);
        let (without_referrers, writing) = (Mutex::default(), Mutex::default());
        Ok(Self { shared: Arc::new(Shared { transport, without_referrers, writing }) })
    }

    fn transport(&self) -> &Transport {
        &self.shared.transport
    }

    /// The lock of one list. It is forgotten when nobody holds it.
    fn writing(&self, list: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.shared.writing.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(list.to_owned()).or_default())
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A number between 0 and 1 that nobody else waits by.
fn jitter() -> f64 {
    let mut bytes = [0; 2];
    // Without randomness everybody waits equally long, which is slow and not wrong.
    let _ = crypto::random::operating_system(&mut bytes);
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests;
