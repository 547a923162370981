//! A service's own identity: a key and a certificate of the platform's authority, kept fresh while the service runs.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sdk::identity::{ServiceIdentity, Wanted};
//!
//! let wanted = Wanted::from_variables(|name| std::env::var(name).ok())?;
//! let platform = sdk::Config::new("https://vault.example").with_key("qapi_...");
//! let identity = ServiceIdentity::start(wanted, platform).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - The private key is made here, a new one for every certificate, and stays in memory.
//! - Key, certificate, anchors and deny list are one snapshot: a handshake never sees halves of two.
//! - A start is tried five times and then fails. Afterwards nothing that is valid is given up: renewals that fail are tried
//!   again, 1 second to 5 minutes apart, while the certificate stays in use.
//! - What the authority gives is checked by the verifier that peers use before it is put in use.
//! - When the certificate expires, or peers refuse it, the service is not ready. Connections do not outlive the certificates
//!   of their ends, nor the belief in who is there.

mod authority;
mod bundle;
mod candidate;
mod check;
pub(crate) mod clock;
mod door;
pub mod plan;
mod rotation;
pub mod serving;
mod status;
mod term;
mod wanted;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crypto::entropy::EntropyPool;
use tls::handshake;
use tls::mesh::{ClientConnector, ClientStream, ServerAcceptor, ServerStream};
use tls::peer::Peer;
use tls::snapshot::{Live, Snapshot};
use tls::whom::Whom;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use zeroize::Zeroizing;

pub use bundle::Unbelievable;
pub use candidate::Unfit;
pub use check::Refused;
pub use serving::NoAnchors;
pub use status::{Renewals, Side, Status};
pub use term::{Over, Term};
pub use wanted::{NotAName, Wanted};

use crate::config::Config;
use crate::error::{Error, report};
use crate::random;
use crate::task::Task;
use authority::Authority;
use bundle::{Published, Trusted};
use candidate::{Candidate, Credential};
use clock::{Clock, WallClock};
use plan::{Failure, START_TRIES, Standing, Window};
use rotation::Renewable;
use status::Refusals;

/// A service's identity. Clones share it; when the last is gone, it is no longer kept fresh.
#[derive(Clone)]
pub struct ServiceIdentity {
    inner: Arc<Inner>,
    _tasks: Arc<[Task; 2]>,
}

/// A connection whose other end is known.
pub struct Secured<S> {
    /// The connection.
    pub stream: S,
    /// Who is at the other end.
    pub peer: Peer,
    /// How long it may go on: whoever holds it watches over this.
    pub term: Term,
}

/// Key, chain and anchors for programs that read files.
pub struct Exported {
    /// The private key as PKCS#8 seed and its certificate chain, in PEM.
    pub key_and_chain: Zeroizing<String>,
    /// The anchors, in PEM.
    pub bundle: String,
}

/// Why something the platform was asked for was not had.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The platform did not answer, or said no.
    #[error("asking the platform")]
    Platform(#[source] Error),
    /// What it publishes is not believed.
    #[error("reading the trust bundle")]
    Bundle(#[source] Unbelievable),
    /// What it issued is not put in use.
    #[error("checking the certificate")]
    Certificate(#[source] Unfit),
    /// It is not known what clients trust.
    #[error("reading what clients trust")]
    Anchors(#[source] NoAnchors),
}

/// Why a service has no identity to start with.
#[derive(Debug, thiserror::Error)]
pub enum StartFailed {
    /// The client cannot be made so.
    #[error("setting up the client")]
    Client(#[source] Error),
    /// Five tries failed.
    #[error("no certificate in {START_TRIES} tries")]
    Certificate(#[source] Failed),
}

/// What the loops and the handshakes share.
struct Inner {
    wanted: Wanted,
    authority: Arc<dyn Authority>,
    clock: Arc<dyn Clock>,
    random: EntropyPool,
    held: Mutex<Held>,
    live: Arc<Live>,
    acceptor: ServerAcceptor,
    connector: ClientConnector,
    status: watch::Sender<Status>,
    refusals: Refusals,
    /// Rung when the bundle has changed so that peers refuse the certificate.
    refused: Notify,
}

/// What is in use. The snapshot of the handshakes is always made of both.
struct Held {
    credential: Credential,
    trusted: Trusted,
}

impl ServiceIdentity {
    /// Fetches a first certificate, or fails after five tries, and keeps it fresh from then on.
    pub async fn start(wanted: Wanted, platform: Config) -> Result<Self, StartFailed> {
        let platform = authority::Platform::new(platform, wanted.tenant.clone()).map_err(StartFailed::Client)?;
        Self::start_with(wanted, Arc::new(platform), Arc::new(WallClock)).await
    }

    async fn start_with(
        wanted: Wanted,
        authority: Arc<dyn Authority>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartFailed> {
        let random = random::pool();
        let held = rotation::first(|| Held::fetch(&wanted, &*authority, &*clock, &random)).await;
        let held = held.map_err(StartFailed::Certificate)?;
        let inner = Arc::new(Inner::new(wanted, authority, clock, random, held));
        let tasks =
            [Task::spawn(rotation::renew(Arc::clone(&inner))), Task::spawn(rotation::follow(Arc::clone(&inner)))];
        Ok(Self { inner, _tasks: Arc::new(tasks) })
    }

    /// Whether the service can prove who it is: its certificate is valid now, and peers accept it.
    pub fn is_ready(&self) -> bool {
        self.inner.status.borrow().is_ready(self.now_s())
    }

    /// The identity at the last look.
    pub fn status(&self) -> Status {
        self.inner.status.borrow().clone()
    }

    /// Tells of every change.
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.inner.status.subscribe()
    }

    /// Seconds since the Unix epoch, by the clock that the certificate is judged by.
    pub fn now_s(&self) -> i64 {
        self.inner.clock.now_s()
    }

    /// Handshakes that failed, by side and reason.
    pub fn refusals(&self) -> Vec<(Side, &'static str, u64)> {
        self.inner.refusals.counts()
    }

    /// Takes a new key and a new certificate now, however long the one in use is valid: for a key that somebody may have
    /// seen, or ahead of a day without the platform. If this fails, what is in use stays so.
    pub async fn renew(&self) -> Result<(), Failed> {
        self.inner.renew().await
    }

    /// Key, chain and anchors in PEM; nothing unless the key was asked for as one that may leave the process.
    pub fn exported(&self) -> Option<Exported> {
        let held = self.inner.held();
        let key_and_chain = held.credential.exported.clone()?;
        Some(Exported { key_and_chain, bundle: held.trusted.anchors.clone() })
    }

    /// What handshakes are made with at this moment.
    #[cfg(feature = "reqwest")]
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.live.load()
    }

    /// A server was refused in a handshake that somebody else made with a snapshot of ours.
    #[cfg(feature = "reqwest")]
    pub(crate) fn count_refusal(&self, error: &handshake::Error) {
        self.inner.count_refusal(Side::Client, error);
    }

    /// Lets a client in that is one of `whom`. Who is not is counted, and logged.
    pub async fn accept<IO>(&self, io: IO, whom: &Whom) -> Result<Secured<ServerStream<IO>>, handshake::Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let ours = self.inner.status.borrow().window.not_after_s;
        self.inner.secured(Side::Server, ours, self.inner.acceptor.accept(io, whom).await)
    }

    /// Meets a server that is one of `whom`. Who is not is counted, and logged.
    ///
    /// In TLS 1.3 a server refuses after this has succeeded: its refusal comes with the first read.
    pub async fn connect<IO>(&self, io: IO, whom: &Whom) -> Result<Secured<ClientStream<IO>>, handshake::Error>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let ours = self.inner.status.borrow().window.not_after_s;
        self.inner.secured(Side::Client, ours, self.inner.connector.connect(io, whom).await)
    }
}

impl Held {
    async fn fetch(
        wanted: &Wanted,
        authority: &dyn Authority,
        clock: &dyn Clock,
        random: &EntropyPool,
    ) -> Result<Self, Failed> {
        let candidate = Candidate::new(wanted, random).map_err(Failed::Certificate)?;
        let issued = authority.issue(candidate.request(), wanted).await.map_err(Failed::Platform)?;
        // The bundle after the certificate: it has the authority's new key or name constraints, if it needed some for this.
        let published = authority.bundle().await.map_err(Failed::Platform)?;
        let trusted = published.check().map_err(Failed::Bundle)?;
        let credential = candidate.accept(&issued, wanted, &trusted, clock.now_s()).map_err(Failed::Certificate)?;
        Ok(Self { credential, trusted })
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.credential.credentials.clone(), self.trusted.trust.clone())
    }

    fn status(&self, now_s: i64) -> Status {
        Status {
            spiffe_id: self.credential.spiffe_id.clone(),
            serial_number: self.credential.serial_number.clone(),
            window: self.credential.window,
            standing: Standing::Accepted,
            renewals: Renewals::default(),
            bundle_sequence: self.trusted.sequence,
            bundle_confirmed_s: now_s,
            denied: self.trusted.denied,
            bundles_refused: 0,
        }
    }
}

impl Inner {
    fn new(
        wanted: Wanted,
        authority: Arc<dyn Authority>,
        clock: Arc<dyn Clock>,
        random: EntropyPool,
        held: Held,
    ) -> Self {
        let live = Live::new(held.snapshot());
        Self {
            acceptor: ServerAcceptor::new(Arc::clone(&live)),
            connector: ClientConnector::new(Arc::clone(&live)),
            status: watch::channel(held.status(clock.now_s())).0,
            held: Mutex::new(held),
            refusals: Refusals::default(),
            refused: Notify::new(),
            wanted,
            authority,
            clock,
            random,
            live,
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sequence(&self) -> i64 {
        self.held().trusted.sequence
    }

    /// Waits for the bundle that follows.
    async fn follow(&self, held: i64) -> Result<(), Failed> {
        let published = self.authority.next_bundle(held).await.map_err(Failed::Platform)?;
        self.take(&published)
    }

    /// Puts a bundle in use, if it is believed and newer.
    fn take(&self, published: &Published) -> Result<(), Failed> {
        let now_s = self.clock.now_s();
        let mut held = self.held();
        let Some(trusted) = published.check_after(&held.trusted).map_err(Failed::Bundle)? else {
            self.status.send_modify(|status| status.bundle_confirmed_s = now_s);
            return Ok(());
        };
        held.trusted = trusted;
        self.live.swap(held.snapshot());
        let standing = standing(&held, now_s);
        tracing::info!(
            sequence = held.trusted.sequence,
            denied = held.trusted.denied,
            ?standing,
            "trust bundle changed"
        );
        self.status.send_modify(|status| {
            status.bundle_confirmed_s = now_s;
            status.bundle_sequence = held.trusted.sequence;
            status.denied = held.trusted.denied;
            status.standing = standing;
        });
        if standing == Standing::Refused {
            self.refused.notify_one();
        }
        Ok(())
    }

    fn secured<S>(
        &self,
        side: Side,
        ours_s: i64,
        met: Result<(S, Peer), handshake::Error>,
    ) -> Result<Secured<S>, handshake::Error> {
        match met {
            Ok((stream, peer)) => {
                let left_s = ours_s.min(peer.not_after).saturating_sub(self.clock.now_s());
                let lifetime = Duration::from_secs(u64::try_from(left_s).unwrap_or_default());
                let term = Term::new(lifetime, self.live.disbelief(peer.clone()));
                Ok(Secured { stream, peer, term })
            }
            Err(error) => {
                self.count_refusal(side, &error);
                Err(error)
            }
        }
    }

    fn count_refusal(&self, side: Side, error: &handshake::Error) {
        self.refusals.count(side, error.reason());
        tracing::warn!(?side, reason = error.reason(), error = report(error), "handshake refused");
    }
}

impl Renewable for Inner {
    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    async fn woken(&self) {
        self.refused.notified().await;
    }

    /// Looks at the certificate in use as peers do, and says how long it is good for.
    fn look(&self, now_s: i64) -> (Window, Standing) {
        let standing = {
            let held = self.held();
            standing(&held, now_s)
        };
        self.status.send_if_modified(|status| std::mem::replace(&mut status.standing, standing) != standing);
        let status = self.status.borrow().clone();
        let hours_left = rotation::rounded(status.hours_left(now_s));
        let (id, serial) = (&status.spiffe_id, &status.serial_number);
        if status.is_ready(now_s) {
            tracing::info!(spiffe.id = id, certificate.serial = serial, hours_left, "certificate valid");
        } else {
            tracing::error!(
                spiffe.id = id,
                certificate.serial = serial,
                hours_left,
                ?standing,
                "certificate not valid"
            );
        }
        (status.window, status.standing)
    }

    /// A new certificate in the place of the one in use.
    async fn renew(&self) -> Result<(), Failed> {
        let candidate = Candidate::new(&self.wanted, &self.random).map_err(Failed::Certificate)?;
        let showing = self.held().snapshot();
        let issued = self.authority.renew(candidate.request(), &self.wanted, showing).await;
        let issued = issued.map_err(Failed::Platform)?;
        // The bundle after the certificate, as at the start.
        let published = self.authority.bundle().await.map_err(Failed::Platform)?;
        self.take(&published)?;
        let mut held = self.held();
        let credential =
            candidate.accept(&issued, &self.wanted, &held.trusted, self.clock.now_s()).map_err(Failed::Certificate)?;
        held.credential = credential;
        self.live.swap(held.snapshot());
        self.status.send_modify(|status| {
            status.serial_number.clone_from(&held.credential.serial_number);
            status.window = held.credential.window;
            status.standing = Standing::Accepted;
            status.renewals.succeeded();
        });
        Ok(())
    }

    fn note(&self, failure: Failure, why: String) {
        self.status.send_modify(|status| status.renewals.failed(failure, why));
    }
}

/// What peers with this bundle say of the certificate in use. Whether its time has come or gone is the plan's question.
fn standing(held: &Held, now_s: i64) -> Standing {
    let window = held.credential.window;
    let at_s = now_s.clamp(window.not_before_s, window.not_after_s.max(window.not_before_s));
    let leaf = held.credential.credentials.chain().next().unwrap_or_default();
    match check::own(leaf, &held.trusted, at_s) {
        Ok(()) => Standing::Accepted,
        Err(refused) => {
            tracing::warn!(error = report(&refused), "peers refuse the certificate in use");
            Standing::Refused
        }
    }
}

#[cfg(test)]
mod tests;
