//! A client for services behind mTLS: `hyper-util`'s, with connections that know who answers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tls::mesh::{ClientStream, Expected};
use tls::whom::{Host, Whom};
use tokio::net::TcpStream;
use tower::Service;

use super::expiring::{Expires, Expiring};
use super::server::HEADER_TIMEOUT;
use crate::identity::ServiceIdentity;

/// A client of other services. Connections are kept and reused as long as the certificates of both ends are valid
/// and their peers are believed.
#[derive(Clone)]
pub struct MeshClient(Client<MeshConnector, Full<Bytes>>);

/// Why another service did not answer.
#[derive(Debug, thiserror::Error)]
#[error("calling another service")]
pub struct CallFailed(#[source] legacy::Error);

#[derive(Clone)]
struct MeshConnector {
    identity: ServiceIdentity,
    expected: Expected,
}

impl MeshClient {
    /// Expects `whom` at the other end of every connection, whatever the address says: SPIFFE ids do not depend on names that
    /// a resolver could be lied to about.
    pub fn to(identity: ServiceIdentity, whom: Whom) -> Self {
        Self::with(MeshConnector { identity, expected: Expected::Whom(whom) })
    }

    /// Expects the host of the address among the DNS names of the certificate.
    pub fn by_host(identity: ServiceIdentity) -> Self {
        Self::with(MeshConnector { identity, expected: Expected::HostOfAddress })
    }

    fn with(connector: MeshConnector) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(connector);
        Self(client)
    }

    /// Sends a request to an `https` address.
    pub async fn request(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallFailed> {
        let connection = capture_connection(&mut request);
        let response = self.0.request(request).await.map_err(CallFailed)?;
        let expires = response.extensions().get::<Expires>().copied();
        // No connection lies in the pool when its certificates expire, so none is taken out of it afterwards.
        if expires.is_none_or(|expires| expires.is_within(POOL_IDLE))
            && let Some(connected) = connection.connection_metadata().as_ref()
        {
            connected.poison();
        }
        Ok(response)
    }
}

impl Service<Uri> for MeshConnector {
    type Response = TokioIo<Expiring<ClientStream<TcpStream>>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&address).await })
    }
}

impl MeshConnector {
    async fn connect(&self, address: &Uri) -> io::Result<TokioIo<Expiring<ClientStream<TcpStream>>>> {
        let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{address}: {why}"));
        if address.scheme_str() != Some("https") {
            return Err(wrong("services are called by https addresses"));
        }
        let host = address.host().ok_or_else(|| wrong("no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let whom = match &self.expected {
            Expected::Whom(whom) => whom.clone(),
            Expected::HostOfAddress => Whom::Host(host.parse::<Host>().map_err(|_| wrong("not a host"))?),
        };
        let connected = TcpStream::connect((host, address.port_u16().unwrap_or(443)));
        let stream = tokio::time::timeout(CONNECT, connected).await??;
        stream.set_nodelay(true)?;
        let secured = self.identity.connect(stream, &whom).await.map_err(io::Error::other)?;
        Ok(TokioIo::new(Expiring::new(secured.stream, secured.term, DRAIN)))
    }
}

/// Well before the server at the other end closes it, because a request that meets the closing is lost.
pub(super) const POOL_IDLE: Duration = Duration::from_secs(10);
const _: () =
    assert!(POOL_IDLE.as_secs() < HEADER_TIMEOUT.as_secs(), "servers close connections that clients still use");
pub(super) const CONNECT: Duration = Duration::from_secs(5);
const DRAIN: Duration = Duration::from_secs(10);
