//! The application goes out: plain to a loopback port, mTLS from there to the one service that the port leads to. Who
//! answers is told by the SPIFFE id in its certificate, never by its address.

use std::sync::Arc;
use std::time::Duration;

use sdk::identity::ServiceIdentity;
use tls::handshake;
use tls::whom::Whom;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::local::Local;
use super::port::{self, Limits};
use super::traffic::{DISBELIEVED, End, carry};
use crate::config::Outbound;
use crate::numbers::{Direction, Numbers};

/// Serves the port until told to stop.
pub async fn serve(
    port: Outbound,
    listener: TcpListener,
    identity: ServiceIdentity,
    numbers: Arc<Numbers>,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let way = Arc::new(Way { whom: Whom::Services(port.expect), name: port.name, to: port.connect, identity, numbers });
    port::serve(listener, limits, stop, move |stream, _| {
        let way = Arc::clone(&way);
        async move { way.lead(stream).await }
    })
    .await;
}

struct Way {
    name: String,
    to: String,
    whom: Whom,
    identity: ServiceIdentity,
    numbers: Arc<Numbers>,
}

/// Why the peer is not to be had: a label to count by, and a line for whoever asked.
struct Unavailable {
    reason: &'static str,
    line: String,
}

impl Way {
    async fn lead(&self, stream: TcpStream) {
        let _open = self.numbers.opened(Direction::Outbound, &self.name);
        let mut local = Local::new(stream);
        let Err(why) = self.carry(&mut local).await else { return };
        self.numbers.failed(Direction::Outbound, &self.name, why.reason);
        tracing::warn!(port = self.name, to = self.to, reason = why.reason, "{}", why.line);
        local.refuse(&why.line).await;
    }

    async fn carry(&self, local: &mut Local<TcpStream>) -> Result<(), Unavailable> {
        let stream = self.connect().await?;
        let mut secured = self.identity.connect(stream, &self.whom).await.map_err(|error| self.refused(&error))?;
        match carry(local, &mut secured.stream, secured.term.over()).await {
            End::Done => Ok(()),
            End::Expired => {
                tracing::info!(port = self.name, "connection ended with the certificate");
                Ok(())
            }
            End::Disbelieved => {
                let line = format!("{}: it is not believed any more", self.to);
                Err(Unavailable { reason: DISBELIEVED, line })
            }
            // In TLS 1.3 a server's refusal comes with the first read.
            End::Broken(error) => Err(self.refused(&error.into())),
        }
    }

    async fn connect(&self) -> Result<TcpStream, Unavailable> {
        let unreachable =
            |why: &dyn std::fmt::Display| Unavailable { reason: "unreachable", line: format!("{}: {why}", self.to) };
        match tokio::time::timeout(CONNECT, TcpStream::connect(&self.to)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(error)) => Err(unreachable(&error)),
            Err(late) => Err(unreachable(&late)),
        }
    }

    fn refused(&self, error: &handshake::Error) -> Unavailable {
        Unavailable { reason: error.reason(), line: format!("{}: {}", self.to, sdk::report(error)) }
    }
}

const CONNECT: Duration = Duration::from_secs(5);
