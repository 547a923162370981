//! Connections: accept, shake hands, serve, drain.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tls::public::PublicAcceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use crate::numbers::Numbers;

/// What connections go through before they are HTTP.
#[derive(Clone)]
pub enum Transport {
    /// Nothing: health and metrics.
    Plain,
    /// TLS, with whoever comes.
    Https(Arc<PublicAcceptor>, Arc<Numbers>),
}

/// The API server keeps connections for 90 seconds and sends a review on one of them. A connection that we have closed at that
/// moment is a review without an answer, which is a refusal: so they are kept longer than that.
const IDLE: Duration = Duration::from_secs(120);
/// How long open requests may take to finish when the webhook stops: the longest time that an API server waits.
const DRAIN: Duration = Duration::from_secs(30);

/// Serves until told to stop, then lets open requests finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    transport: Transport,
    most: usize,
    mut stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(most));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, slot)) => {
                let connection = connection(stream, router.clone(), transport.clone(), stop.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            // Out of file descriptors, or the peer is gone already: neither is a reason to stop.
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    drop(listener);
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    let _drained = tokio::time::timeout(DRAIN, slots.acquire_many(all)).await;
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

async fn connection(stream: TcpStream, router: Router, transport: Transport, mut stop: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let (acceptor, numbers) = match transport {
        Transport::Plain => return http(stream, router, stop).await,
        Transport::Https(acceptor, numbers) => (acceptor, numbers),
    };
    let shaken = tokio::select! {
        shaken = acceptor.accept(stream) => shaken,
        () = stopped(&mut stop) => return,
    };
    match shaken {
        Ok((stream, session)) => {
            numbers.handshake(&session);
            http(stream, router, stop).await;
        }
        Err(error) => {
            numbers.handshake_refused(error.reason());
            tracing::debug!(reason = error.reason(), "handshake failed");
        }
    }
}

async fn http<IO: AsyncRead + AsyncWrite + Unpin>(io: IO, router: Router, mut stop: watch::Receiver<bool>) {
    let answer = service_fn(move |request| router.clone().oneshot(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(io), answer);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Ends when the webhook is asked to stop.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
