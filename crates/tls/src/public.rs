//! HTTPS for everybody: one listener, two chains.
//!
//! A peer that offers ML-DSA is shown the quantum-safe chain. One that cannot read it is shown a wholly classical chain, if
//! there is one and the listener is not strict. A peer that offers a hybrid group gets it, whichever group it guessed
//! first. No client is asked for a certificate.
//!
//! Sessions are resumed from memory, since no client was judged that would have to be judged again. The memory belongs to
//! the certificates: an exchange begins with an empty one, so nobody resumes what a replaced certificate vouched for.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustls::crypto::CryptoProvider;
use rustls::server::{Acceptor, ClientHello, ServerSessionMemoryCache};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{NamedGroup, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;

use crate::credentials::Credentials;
use crate::handshake::Error;
use crate::mesh::ServerStream;
use crate::provider;

/// How much is asked of a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strictness {
    /// Whoever cannot do hybrid key exchange and ML-DSA is refused.
    QuantumSafe,
    /// They are served with what they can.
    Compatible,
}

/// What the listener proves itself with.
pub struct Certificates {
    /// Shown to peers that offer ML-DSA.
    pub quantum_safe: Credentials,
    /// Shown to the others.
    pub classical: Option<Credentials>,
}

/// Shakes hands with anybody.
pub struct PublicAcceptor {
    strictness: Strictness,
    current: ArcSwapOption<Current>,
}

/// A handshake that came about, for counting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Session {
    /// The algorithm of the certificate that was shown.
    pub certificate: &'static str,
    /// The group of the key exchange.
    pub group: &'static str,
}

struct Current {
    quantum_safe: Offer,
    classical: Option<Offer>,
}

struct Offer {
    algorithm: &'static str,
    hybrid: Arc<ServerConfig>,
    any_group: Option<Arc<ServerConfig>>,
}

impl PublicAcceptor {
    /// An acceptor without certificates: it refuses everybody until it is given some.
    pub fn new(strictness: Strictness) -> Arc<Self> {
        Arc::new(Self { strictness, current: ArcSwapOption::empty() })
    }

    /// Puts certificates in place of those before. Open connections keep theirs.
    pub fn swap(&self, certificates: &Certificates) -> Result<(), rustls::Error> {
        let classical = match self.strictness {
            Strictness::QuantumSafe => None,
            Strictness::Compatible => certificates.classical.as_ref(),
        };
        let current = Current {
            quantum_safe: Offer::new(&certificates.quantum_safe, self.strictness)?,
            classical: classical.map(|credentials| Offer::new(credentials, self.strictness)).transpose()?,
        };
        self.current.store(Some(Arc::new(current)));
        Ok(())
    }

    /// Shakes hands on a fresh connection.
    pub async fn accept<IO>(&self, io: IO) -> Result<(ServerStream<IO>, Session), Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = Instant::now() + HANDSHAKE_TIMEOUT;
        let late = |_| Error::TimedOut(HANDSHAKE_TIMEOUT);
        let current = self.current.load_full().ok_or(Error::NoCredentials)?;
        let start = timeout_at(deadline, LazyConfigAcceptor::new(Acceptor::default(), io)).await.map_err(late)??;
        let offer = current.offer(&start.client_hello());
        let config = offer.config(&start.client_hello());
        let stream = timeout_at(deadline, start.into_stream(config)).await.map_err(late)??;
        let group = stream.get_ref().1.negotiated_key_exchange_group().and_then(|group| group.name().as_str());
        Ok((stream, Session { certificate: offer.algorithm, group: group.unwrap_or("other") }))
    }
}

impl Offer {
    fn new(credentials: &Credentials, strictness: Strictness) -> Result<Self, rustls::Error> {
        let hybrid = config(credentials, provider::mesh())?;
        let any_group = match strictness {
            Strictness::QuantumSafe => None,
            Strictness::Compatible => Some(Arc::new(config(credentials, provider::public())?)),
        };
        Ok(Self { algorithm: credentials.algorithm(), hybrid: Arc::new(hybrid), any_group })
    }

    fn config(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let is_hybrid =
            |group: &NamedGroup| self.hybrid.crypto_provider().kx_groups.iter().any(|ours| ours.name() == *group);
        let offers_hybrid = hello.named_groups().is_some_and(|groups| groups.iter().any(is_hybrid));
        let fallback = self.any_group.as_ref().filter(|_| !offers_hybrid);
        Arc::clone(fallback.unwrap_or(&self.hybrid))
    }
}

impl Current {
    /// The quantum-safe chain for whoever can check its key, and for whoever nothing else is left for: then the handshake
    /// fails with the alert that says so. What a peer lists in signature_algorithms_cert does not count: peers that read
    /// ML-DSA leave it out there, and they alone judge our chain.
    fn offer(&self, hello: &ClientHello<'_>) -> &Offer {
        let reads_ml_dsa = hello.signature_schemes().iter().any(|scheme| provider::MESH_SCHEMES.contains(scheme));
        match &self.classical {
            Some(classical) if !reads_ml_dsa => classical,
            _ => &self.quantum_safe,
        }
    }
}

fn config(credentials: &Credentials, provider: CryptoProvider) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(credentials.certified_key())));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    config.send_tls13_tickets = 1;
    Ok(config)
}

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Sessions remembered for each chain.
const SESSIONS: usize = 4_096;

#[cfg(test)]
mod tests;
