//! Others come in: mTLS from the network, plain to the application's loopback port. Nobody gets as far as the application
//! whose SPIFFE id is not on the list of the port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sdk::identity::ServiceIdentity;
use tls::whom::Whom;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::port::{self, Limits};
use super::traffic::{DISBELIEVED, End, carry};
use crate::config::Inbound;
use crate::numbers::{Direction, Numbers};

/// Serves the port until told to stop.
pub async fn serve(
    port: Inbound,
    listener: TcpListener,
    identity: ServiceIdentity,
    numbers: Arc<Numbers>,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let door =
        Arc::new(Door { whom: Whom::Services(port.allow), name: port.name, forward: port.forward, identity, numbers });
    port::serve(listener, limits, stop, move |stream, from| {
        let door = Arc::clone(&door);
        async move { door.let_in(stream, from).await }
    })
    .await;
}

struct Door {
    name: String,
    forward: SocketAddr,
    whom: Whom,
    identity: ServiceIdentity,
    numbers: Arc<Numbers>,
}

impl Door {
    async fn let_in(&self, stream: TcpStream, from: SocketAddr) {
        // Refusals are logged and counted where they are made.
        let Ok(mut secured) = self.identity.accept(stream, &self.whom).await else { return };
        let _open = self.numbers.opened(Direction::Inbound, &self.name);
        let peer = secured.peer.spiffe_id.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::debug!(port = self.name, %from, peer, "came in");
        let mut plain = match tokio::time::timeout(CONNECT, TcpStream::connect(self.forward)).await {
            Ok(Ok(plain)) => plain,
            Ok(Err(error)) => return self.absent(&error),
            Err(late) => return self.absent(&late.into()),
        };
        let _ = plain.set_nodelay(true);
        match carry(&mut plain, &mut secured.stream, secured.term.over()).await {
            End::Done => {}
            End::Expired => tracing::info!(port = self.name, peer, "connection ended with the certificate"),
            End::Disbelieved => {
                self.numbers.failed(Direction::Inbound, &self.name, DISBELIEVED);
                tracing::warn!(port = self.name, peer, "connection closed: its peer is not believed any more");
            }
            End::Broken(error) => tracing::debug!(port = self.name, peer, %error, "connection broke"),
        }
    }

    fn absent(&self, error: &std::io::Error) {
        self.numbers.failed(Direction::Inbound, &self.name, "application_unreachable");
        tracing::warn!(port = self.name, forward = %self.forward, %error, "the application does not listen");
    }
}

/// Loopback answers at once or not at all.
const CONNECT: Duration = Duration::from_secs(2);
