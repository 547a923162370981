//! A server behind mTLS: `hyper` with any `tower` service, an `axum` router among them.
//!
//! Every request carries the [`Peer`](tls::peer::Peer) that sent it as an extension. Who may connect at all is the
//! [`Doorkeeper`]'s; what a caller may do is the service's.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tls::whom::Whom;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::{Service, ServiceExt as _};

use crate::identity::{Over, ServiceIdentity};

/// Who stands at the door: our identity, and whom it lets in.
#[derive(Clone)]
pub struct Doorkeeper {
    /// Who we are.
    pub identity: ServiceIdentity,
    /// Whom we let in.
    pub whom: Whom,
    /// How long open requests may take to finish when the server stops, or when a certificate expires.
    pub drain: Duration,
}

impl Doorkeeper {
    /// Lets `whom` in, and gives open requests ten seconds at the end.
    pub fn new(identity: ServiceIdentity, whom: Whom) -> Self {
        Self { identity, whom, drain: Duration::from_secs(10) }
    }
}

/// Serves until `stop` becomes true, then lets open requests finish.
pub async fn serve<S, B>(listener: TcpListener, door: Doorkeeper, service: S, mut stop: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                open.spawn(connection(stream, door.clone(), service.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    let _drained = tokio::time::timeout(door.drain, async { while open.join_next().await.is_some() {} }).await;
}

async fn connection<S, B>(stream: TcpStream, door: Doorkeeper, service: S, mut stop: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    // Answers are small and written whole: waiting for more bytes would only add latency.
    let _ = stream.set_nodelay(true);
    // Refusals are counted and logged where they are made.
    let Ok(secured) = door.identity.accept(stream, &door.whom).await else { return };
    let peer = secured.peer;
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        service.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(secured.stream), answer);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return log_end(ended),
        _ = stop.wait_for(|stop| *stop) => {}
        over = secured.term.over() => match over {
            Over::Expired => tracing::info!("connection ends with a certificate"),
            Over::Disbelieved => return tracing::info!("connection closed: its peer is not believed any more"),
        },
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = tokio::time::timeout(door.drain, connection).await {
        log_end(ended);
    }
}

fn log_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

const PAUSE: Duration = Duration::from_millis(20);
/// A client that does not finish its headers is let go, and one that sends nothing after an answer.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
