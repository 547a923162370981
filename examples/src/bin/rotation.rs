//! A fleet in one process: as many identities as asked for, in a ring of services of which each calls the next, and all of
//! them change key and certificate once while requests run.
//!
//! `rotation COUNT`, with `QUANTUMAPI_BASE_URL` and `QUANTUMAPI_KEY` as for the services. Every call is one handshake and
//! two requests, and names exactly one SPIFFE id on either side. The last lap begins when everybody has a new certificate,
//! and every server has to say that it saw the new one of its caller. One line tells what was counted; a request that
//! failed, or a certificate that was not replaced, is a failure of the program.
//!
//! A thousand identities need 5,000 open files here and at the platform: each listens, and waits for the next trust bundle.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use examples::platform;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use sdk::identity::{ServiceIdentity, Wanted};
use sdk::mesh::{Doorkeeper, MeshClient, serve};
use tls::peer::Peer;
use tls::whom::Whom;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::service_fn;

/// One service of the ring: who it is, and the one that it calls.
struct Member {
    identity: ServiceIdentity,
    next: MeshClient,
    next_url: String,
}

/// What came of requests and renewals.
#[derive(Default)]
struct Tally {
    requests: u64,
    failed: u64,
    renewed: u64,
    renewing: Duration,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    start_log()?;
    let count = std::env::args().nth(1).context("how many identities?")?.parse()?;
    ensure!(count >= 2, "a ring has two members at least");
    let (stop, stopped) = watch::channel(false);
    let ring = ring(identities(count).await?, &stopped).await?;
    let tally = rotate(&ring).await?;
    stop.send_replace(true);
    tell(count, &tally);
    let kept = tally.failed == 0 && tally.renewed == count;
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The platform limits how many names it certifies, not how many services have them: the fleet is one service by its DNS
/// names, and everybody in it another one by the SPIFFE id.
async fn identities(count: u64) -> anyhow::Result<Vec<ServiceIdentity>> {
    // The first alone: with it, the authority learns the name.
    let first = identity(0).await?;
    let others = each(1..count, AT_ONCE, identity).await?;
    let mut identities = Vec::from([first]);
    for identity in others {
        identities.push(identity?);
    }
    Ok(identities)
}

async fn identity(number: u64) -> anyhow::Result<ServiceIdentity> {
    let id = format!("spiffe://qapi.internal/ns/rotation/sa/fleet-{number}").parse()?;
    let wanted = Wanted::new("fleet")?.in_namespace("rotation")?.with_spiffe_id(id);
    let platform = platform(&|name: &str| std::env::var(name).ok())?;
    ServiceIdentity::start(wanted, platform).await.context("fetching an identity")
}

/// Opens everybody's port, for the one before in the ring alone.
async fn ring(identities: Vec<ServiceIdentity>, stop: &watch::Receiver<bool>) -> anyhow::Result<Vec<Arc<Member>>> {
    let mut members = Vec::new();
    let callers = identities.iter().cycle();
    for (caller, identity) in callers.zip(identities.iter().cycle().skip(1)).take(identities.len()) {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let next_url = format!("https://{}/", listener.local_addr()?);
        let door = Doorkeeper::new(identity.clone(), only(caller)?);
        tokio::spawn(serve(listener, door, service_fn(serial_of_caller), stop.clone()));
        let next = MeshClient::to(caller.clone(), only(identity)?);
        members.push(Arc::new(Member { identity: caller.clone(), next, next_url }));
    }
    Ok(members)
}

fn only(identity: &ServiceIdentity) -> anyhow::Result<Whom> {
    Ok(Whom::service(identity.status().spiffe_id.parse()?))
}

async fn serial_of_caller(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let peer = request.extensions().get::<Peer>();
    let serial = peer.map(|peer| hex(&peer.serial)).unwrap_or_default();
    Ok(Response::new(Full::new(serial.into())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// A lap before, laps as long as certificates change, and a lap after.
async fn rotate(ring: &[Arc<Member>]) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    tally.lap(ring, Seen::Any).await?;
    let renewing = tokio::spawn(renew_all(ring.to_vec()));
    while !renewing.is_finished() {
        tally.lap(ring, Seen::Any).await?;
    }
    (tally.renewed, tally.renewing) = renewing.await??;
    tally.lap(ring, Seen::Newest).await?;
    Ok(tally)
}

/// How many have another certificate than before, and how long that took.
async fn renew_all(ring: Vec<Arc<Member>>) -> anyhow::Result<(u64, Duration)> {
    let begun = Instant::now();
    let renewed = each(ring, AT_ONCE, |member| async move {
        let before = member.identity.status().serial_number;
        if let Err(error) = member.identity.renew().await {
            tracing::error!(error = sdk::report(&error), "certificate not renewed");
        }
        u64::from(member.identity.status().serial_number != before)
    });
    Ok((renewed.await?.iter().sum(), begun.elapsed()))
}

/// Which certificate of its caller a server may have seen.
#[derive(Clone, Copy)]
enum Seen {
    /// The one before or the one after.
    Any,
    /// The one that is in use now.
    Newest,
}

impl Tally {
    /// Everybody calls the next.
    async fn lap(&mut self, ring: &[Arc<Member>], seen: Seen) -> anyhow::Result<()> {
        for outcome in each(ring.to_vec(), AT_ONCE, move |member| async move { member.call(seen).await }).await? {
            self.requests += REQUESTS_PER_CALL;
            if let Err(error) = outcome {
                tracing::error!(error = format!("{error:#}"), "a call failed");
                self.failed += REQUESTS_PER_CALL;
            }
        }
        Ok(())
    }
}

impl Member {
    /// One connection, and two requests on it.
    async fn call(&self, seen: Seen) -> anyhow::Result<()> {
        for connection in ["keep-alive", "close"] {
            let request = Request::get(&self.next_url).header("connection", connection).body(Full::default())?;
            let response = self.next.request(request).await?;
            ensure!(response.status().is_success(), "answered {}", response.status());
            let serial = response.into_body().collect().await?.to_bytes();
            let own = self.identity.status().serial_number;
            ensure!(
                matches!(seen, Seen::Any) || serial == own,
                "the server saw the certificate {serial:?} where {own} is in use"
            );
        }
        Ok(())
    }
}

/// Does the work for all, so many at once.
async fn each<I, T, F>(
    all: impl IntoIterator<Item = I>,
    at_once: usize,
    work: impl Fn(I) -> F,
) -> anyhow::Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (mut open, mut done) = (JoinSet::new(), Vec::new());
    for one in all {
        if open.len() == at_once
            && let Some(finished) = open.join_next().await
        {
            done.push(finished?);
        }
        open.spawn(work(one));
    }
    while let Some(finished) = open.join_next().await {
        done.push(finished?);
    }
    Ok(done)
}

/// Refusals and failures alone: a thousand services that say every hour that they are well are too many to read.
fn start_log() -> anyhow::Result<()> {
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr);
    log.with_ansi(false).try_init().map_err(|error| anyhow::anyhow!("starting the log: {error}"))
}

#[expect(clippy::print_stdout, reason = "whoever starts the program reads this line")]
fn tell(count: u64, tally: &Tally) {
    let Tally { requests, failed, renewed, renewing } = tally;
    let seconds = renewing.as_secs_f64();
    println!("rotation: {count} identities, {renewed} renewed in {seconds:.1} s, {requests} requests, {failed} failed");
}

const AT_ONCE: usize = 16;
const REQUESTS_PER_CALL: u64 = 2;
