//! A listening port: accept, bound, drain.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// What a port may hold, and for how long when it closes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections held at once.
    pub connections: usize,
    /// How long they may take to finish when the agent stops.
    pub drain: Duration,
}

/// Opens a port.
pub async fn bind(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{name}: listening on {address}"))
}

/// Hands every connection to `carry` until `stop` becomes true; then lets the open ones finish, and ends those that do not.
pub async fn serve<C, F>(listener: TcpListener, limits: Limits, mut stop: watch::Receiver<bool>, carry: C)
where
    C: Fn(TcpStream, SocketAddr) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut open = tokio::task::JoinSet::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, from)) => {
                // What comes here was written by somebody who decided how much: waiting for more would only add latency.
                let _ = stream.set_nodelay(true);
                let carried = carry(stream, from);
                open.spawn(async move {
                    carried.await;
                    drop(slot);
                });
            }
            // Out of file descriptors, or the peer is gone already: neither is a reason to stop.
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let _drained = tokio::time::timeout(limits.drain, async { while open.join_next().await.is_some() {} }).await;
}

const PAUSE: Duration = Duration::from_millis(20);
