//! mTLS between services: an acceptor and a connector over one [`Live`] snapshot.
//!
//! - TLS 1.3, hybrid key exchange and ML-DSA on both sides, or no connection.
//! - Every handshake takes one snapshot and judges the peer by it. Sessions are never resumed: a resumed session would skip
//!   the judgement, and with it expiry and the deny list.
//! - Whoever is refused is refused with the alert that fits, and under a label that can be counted.
//!
//! In TLS 1.3 the client's handshake succeeds before the server has judged the client's certificate. A refusal comes with
//! the client's first read, where [`handshake::Error`] recognises it.

mod lent;
mod verifier;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::frame::Framed;
use crate::handshake::Error;
use crate::peer::Peer;
use crate::provider;
use crate::snapshot::{Live, Snapshot};
use crate::whom::{Host, Whom};
use verifier::{Role, Verdict, Verifier};

pub use lent::{Expected, Witness, lend};

/// A server's side of a connection.
pub type ServerStream<IO> = tokio_rustls::server::TlsStream<IO>;
/// A client's side of a connection.
pub type ClientStream<IO> = tokio_rustls::client::TlsStream<IO>;

/// What acceptor and connector have in common.
#[derive(Clone)]
struct Side {
    live: Arc<Live>,
    provider: Arc<CryptoProvider>,
    time: Arc<dyn TimeProvider>,
    timeout: Duration,
}

/// Shakes hands with clients, and lets in those who prove to be welcome.
#[derive(Clone)]
pub struct ServerAcceptor(Side);

/// Shakes hands with servers, proving who it is and asking for the same.
#[derive(Clone)]
pub struct ClientConnector(Side);

impl ServerAcceptor {
    /// An acceptor with what is current in `live` at each handshake.
    pub fn new(live: Arc<Live>) -> Self {
        Self(Side::new(live))
    }

    /// How long a handshake may take; ten seconds unless told.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = timeout;
        self
    }

    /// Shakes hands on a fresh connection.
    pub async fn accept<IO>(&self, io: IO, whom: &Whom) -> Result<(ServerStream<IO>, Peer), Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let verdict = Verdict::new();
        let config = self.config(Arc::clone(&verdict), whom)?;
        let handshake = TlsAcceptor::from(Arc::new(config)).accept(io);
        let stream = within(self.0.timeout, handshake).await.map_err(|error| verdict.explain(error))?;
        let peer = verdict.peer(stream.get_ref().1)?;
        Ok((stream, peer))
    }

    fn config(&self, verdict: Arc<Verdict>, whom: &Whom) -> Result<ServerConfig, Error> {
        let snapshot = self.0.live.load();
        let credentials = SingleCertAndKey::from(snapshot.credentials().certified_key());
        let verifier: Arc<dyn ClientCertVerifier> = self.0.verifier(snapshot, Role::Client, whom, verdict);
        let mut config = ServerConfig::builder_with_details(Arc::clone(&self.0.provider), Arc::clone(&self.0.time))
            .with_protocol_versions(&[&TLS13])
            .map_err(Error::Protocol)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(credentials));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

impl ClientConnector {
    /// A connector with what is current in `live` at each handshake.
    pub fn new(live: Arc<Live>) -> Self {
        Self(Side::new(live))
    }

    /// Shakes hands on a fresh connection. Only a host is named to the server; services are recognised, not asked for.
    pub async fn connect<IO>(&self, io: IO, whom: &Whom) -> Result<(ClientStream<IO>, Peer), Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match whom {
            Whom::Host(host) => host.server_name(),
            _ => unnamed(),
        };
        self.connect_as(io, whom, name).await
    }

    /// Shakes hands naming a host, for servers with several certificates; judged is whether `whom` answers.
    pub async fn connect_to<IO>(&self, io: IO, host: &Host, whom: &Whom) -> Result<(ClientStream<IO>, Peer), Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.connect_as(io, whom, host.server_name()).await
    }

    async fn connect_as<IO>(
        &self,
        io: IO,
        whom: &Whom,
        name: ServerName<'static>,
    ) -> Result<(ClientStream<IO>, Peer), Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let verdict = Verdict::new();
        let config = self.config(Arc::clone(&verdict), whom)?;
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, io);
        let stream = within(self.0.timeout, handshake).await.map_err(|error| verdict.explain(error))?;
        let peer = verdict.peer(stream.get_ref().1)?;
        Ok((stream, peer))
    }

    fn config(&self, verdict: Arc<Verdict>, whom: &Whom) -> Result<ClientConfig, Error> {
        let snapshot = self.0.live.load();
        let credentials = SingleCertAndKey::from(snapshot.credentials().certified_key());
        let verifier: Arc<dyn ServerCertVerifier> = self.0.verifier(snapshot, Role::Server, whom, verdict);
        let mut config = ClientConfig::builder_with_details(Arc::clone(&self.0.provider), Arc::clone(&self.0.time))
            .with_protocol_versions(&[&TLS13])
            .map_err(Error::Protocol)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(credentials));
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

impl Side {
    fn new(live: Arc<Live>) -> Self {
        Self {
            live,
            provider: Arc::new(provider::mesh()),
            time: Arc::new(DefaultTimeProvider),
            timeout: HANDSHAKE_TIMEOUT,
        }
    }

    fn verifier(
        &self,
        snapshot: Arc<Snapshot>,
        role: Role,
        whom: &Whom,
        verdict: Arc<Verdict>,
    ) -> Arc<Framed<Verifier>> {
        Arc::new(Framed(Verifier { snapshot, role, whom: whom.clone(), verdict }))
    }
}

async fn within<T>(timeout: Duration, handshake: impl Future<Output = std::io::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(timeout, handshake).await {
        Ok(done) => done.map_err(Error::from),
        Err(_) => Err(Error::TimedOut(timeout)),
    }
}

/// An address is never sent as a server name (RFC 6066 section 3), and the verifier does not ask for this one.
fn unnamed() -> ServerName<'static> {
    ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into())
}

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
