//! `reqwest` clients for services behind mTLS.
//!
//! `reqwest` takes a TLS configuration once and keeps it, and its connections as long as somebody uses them. So a client is
//! lent for a moment: [`MeshReqwest::client`] gives the one of the present snapshot, and a new one, with a pool of its own,
//! when key, anchors or deny list were exchanged or a certificate that it met comes to its end. Ask for it at every request;
//! it costs a lock and a clone.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use tls::handshake;
use tls::mesh::{Expected, Witness, lend};
use tls::snapshot::Snapshot;
use tls::whom::Whom;

use super::client::{CONNECT, POOL_IDLE};
use crate::identity::ServiceIdentity;

/// `reqwest` clients of one identity. Clones share the client of the moment.
#[derive(Clone)]
pub struct MeshReqwest {
    identity: ServiceIdentity,
    expected: Expected,
    settings: fn(ClientBuilder) -> ClientBuilder,
    current: Arc<Mutex<Option<Current>>>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// TLS cannot be set up.
    #[error("setting up mTLS")]
    Tls(#[source] handshake::Error),
    /// `reqwest` refuses its settings.
    #[error("making a reqwest client")]
    Settings(#[source] reqwest::Error),
}

struct Current {
    snapshot: Arc<Snapshot>,
    client: Client,
    met: Arc<Met>,
}

/// What a client's handshakes met.
struct Met {
    identity: ServiceIdentity,
    /// When the first certificate of its connections ends.
    first_end_s: AtomicI64,
}

impl MeshReqwest {
    /// Expects `whom` at the other end of every connection, whatever the address says.
    pub fn to(identity: ServiceIdentity, whom: Whom) -> Self {
        Self::with(identity, Expected::Whom(whom))
    }

    /// Expects the host of the address among the DNS names of the certificate.
    pub fn by_host(identity: ServiceIdentity) -> Self {
        Self::with(identity, Expected::HostOfAddress)
    }

    fn with(identity: ServiceIdentity, expected: Expected) -> Self {
        Self { identity, expected, settings: |builder| builder, current: Arc::default() }
    }

    /// Other settings for every client that is made: headers, timeouts. What concerns TLS, proxies, redirects and the pool is
    /// set afterwards.
    #[must_use]
    pub fn with_settings(mut self, settings: fn(ClientBuilder) -> ClientBuilder) -> Self {
        self.settings = settings;
        self.current = Arc::default();
        self
    }

    /// The client to make a request with now. Requests that are under way with an older one finish there.
    pub fn client(&self) -> Result<Client, NoClient> {
        let snapshot = self.identity.snapshot();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = current.as_ref().filter(|current| current.is_good(&snapshot)) {
            return Ok(current.client.clone());
        }
        let made = self.make(snapshot)?;
        let client = made.client.clone();
        *current = Some(made);
        Ok(client)
    }

    fn make(&self, snapshot: Arc<Snapshot>) -> Result<Current, NoClient> {
        let first_end_s = AtomicI64::new(self.identity.status().window.not_after_s);
        let met = Arc::new(Met { identity: self.identity.clone(), first_end_s });
        let witness = Arc::clone(&met) as Arc<dyn Witness>;
        let config = lend(Arc::clone(&snapshot), self.expected.clone(), witness).map_err(NoClient::Tls)?;
        let builder = (self.settings)(Client::builder())
            .tls_backend_preconfigured(config)
            .https_only(true)
            // A proxy or a redirect of somebody else's is no service that was named here.
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(POOL_IDLE);
        Ok(Current { client: builder.build().map_err(NoClient::Settings)?, snapshot, met })
    }
}

impl Current {
    /// No connection lies in its pool when a certificate of it ends, and none was judged by another snapshot.
    fn is_good(&self, snapshot: &Arc<Snapshot>) -> bool {
        let idle_s = i64::try_from(POOL_IDLE.as_secs()).unwrap_or(i64::MAX);
        let soon_s = self.met.identity.now_s().saturating_add(idle_s);
        Arc::ptr_eq(&self.snapshot, snapshot) && soon_s < self.met.first_end_s.load(Ordering::Relaxed)
    }
}

impl Witness for Met {
    fn met(&self, not_after: i64) {
        self.first_end_s.fetch_min(not_after, Ordering::Relaxed);
    }

    fn refused(&self, error: &handshake::Error) {
        self.identity.count_refusal(error);
    }
}
