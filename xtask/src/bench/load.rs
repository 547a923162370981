//! An HTTP/1.1 load generator on raw sockets: keep-alive connections, prepared requests, exact latencies.
//!
//! Closed loop: every connection sends its next request as soon as the answer to the last one is complete; this finds
//! the highest rate. Open loop: requests are due at fixed times whatever the answers do, and a latency counts from the
//! moment a request was due, so a stall is felt by everything that waited behind it. It runs on one thread of its own
//! core, beside another that gives the turns of the open loop, and knows just enough HTTP for the answers of the servers it
//! measures. TLS is that of the product's own clients.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

/// Answers given before the clock starts count for nothing: connections open and caches fill.
const WARM_UP: Duration = Duration::from_millis(700);
/// Turns are given no more often, several at a time if need be: whoever wakes up for each takes the core from the generator itself. What
/// is late by that counts as the server's lateness.
const TICK: Duration = Duration::from_micros(250);

/// A request that is sent again and again.
#[derive(Clone)]
pub struct Request {
    bytes: Arc<[u8]>,
}

impl Request {
    /// A request with an optional JSON body and optional credential.
    pub fn new(method: &str, path: &str, key: Option<&str>, body: &str) -> Self {
        let credential = key.map(|key| format!("X-Api-Key: {key}\r\n")).unwrap_or_default();
        let length = body.len();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{credential}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self { bytes: text.into_bytes().into() }
    }

    /// A form of an OAuth client.
    pub fn form(path: &str, authorization: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self { bytes: text.into_bytes().into() }
    }

    /// A form of a page, as a browser on that page sends it.
    pub fn page(path: &str, origin: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self { bytes: text.into_bytes().into() }
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// How hard to push.
#[derive(Clone, Copy)]
pub struct Plan {
    pub connections: usize,
    pub seconds: f64,
    /// Requests a second for the open loop; none for the closed one.
    pub rate: Option<f64>,
}

/// What came back.
pub struct Measured {
    pub per_second: f64,
    /// All answers, those before the clock started as well: what the server's processor time is divided by.
    pub answers: u64,
    latencies: Vec<Duration>,
}

impl Measured {
    /// The latency that `share` of the answers stayed below, in milliseconds.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let index = ((self.latencies.len() as f64 * share) as usize).min(last);
        self.latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Where requests go, and over what.
#[derive(Clone)]
pub enum Target {
    /// `HOST:PORT`, over TCP alone.
    Plain(String),
    /// `HOST:PORT`, over TLS.
    Https(String, tls::Connector),
}

/// What a request travels over.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

impl Target {
    /// Over TLS, to a server whose certificate comes from an authority of the file.
    pub fn https(address: &str, authorities: &Path) -> Result<Self> {
        Ok(Self::Https(address.to_owned(), tls::connector(Some(authorities))?))
    }

    async fn connect(&self) -> Result<Box<dyn Stream>> {
        match self {
            Self::Plain(address) => {
                let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Https(address, connector) => {
                let address = format!("https://{address}").parse::<http::Uri>()?;
                let stream = connector.clone().oneshot(address).await;
                let stream = stream.map_err(|error| anyhow!(error)).context("connect over TLS")?;
                Ok(Box::new(TokioIo::new(stream)))
            }
        }
    }
}

/// The body that one request is answered with.
pub fn ask(target: &Target, request: &Request) -> Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stream = target.connect().await?;
        stream.write_all(&request.bytes).await?;
        stream.flush().await?;
        let mut buffer = Vec::new();
        answer(&mut *stream, &mut buffer).await?;
        let head = buffer.windows(4).position(|window| window == b"\r\n\r\n").context("no end of head")?;
        Ok(buffer.split_off(head + 4))
    })
}

/// Drives `address` with requests that `request` makes for each connection and turn.
pub fn drive(address: &str, plan: Plan, request: impl Fn(usize, u64) -> Request + 'static) -> Result<Measured> {
    drive_at(Target::Plain(address.to_owned()), plan, request)
}

/// The same, over whatever leads there.
pub fn drive_at(target: Target, plan: Plan, request: impl Fn(usize, u64) -> Request + 'static) -> Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, run(target, plan, Rc::new(request)))
}

async fn run(target: Target, plan: Plan, request: Rc<dyn Fn(usize, u64) -> Request>) -> Result<Measured> {
    let counts_from = Instant::now() + WARM_UP;
    let ends = counts_from + Duration::from_secs_f64(plan.seconds);
    let schedule = Rc::new(Schedule::start(plan.rate, ends));
    let workers: Vec<_> = (0..plan.connections)
        .map(|number| {
            let worker = Worker { number, counts_from, schedule: schedule.clone(), request: request.clone() };
            tokio::task::spawn_local(worker.run(target.clone()))
        })
        .collect();
    let (mut latencies, mut answers) = (Vec::new(), 0);
    for worker in workers {
        let (counted, all) = worker.await??;
        latencies.extend(counted);
        answers += all;
    }
    latencies.sort_unstable();
    ensure!(!latencies.is_empty(), "no answer arrived in time");
    Ok(Measured { per_second: latencies.len() as f64 / plan.seconds, answers, latencies })
}

/// When requests are due; shared by all connections, so that a slow one does not hold back the others' turns.
struct Schedule {
    ends: Instant,
    /// None for the closed loop, in which everybody's turn is always now.
    beat: Option<Beat>,
}

/// A turn for every request of an open loop. A thread gives them: the runtime's own timers are a millisecond coarse, and whoever would
/// watch the clock instead would take the core from what runs beside the generator.
struct Beat {
    began: Instant,
    rate: f64,
    next: Cell<u64>,
    given: Arc<Semaphore>,
}

impl Schedule {
    fn start(rate: Option<f64>, ends: Instant) -> Self {
        Self { ends, beat: rate.map(|rate| Beat::start(rate, ends)) }
    }

    /// Waits for the next turn and tells when it was due; none after the end.
    async fn turn(&self) -> Option<Instant> {
        let due = match &self.beat {
            None => Instant::now(),
            Some(beat) => beat.turn().await?,
        };
        Some(due).filter(|due| *due < self.ends)
    }
}

impl Beat {
    fn start(rate: f64, ends: Instant) -> Self {
        let beat = Self { began: Instant::now(), rate, next: Cell::new(0), given: Arc::new(Semaphore::new(0)) };
        let (began, given) = (beat.began, Arc::clone(&beat.given));
        std::thread::spawn(move || {
            let mut turns = (0..).map(|turn| due(began, rate, turn)).take_while(|due| *due < ends).peekable();
            while let Some(next) = turns.peek() {
                std::thread::sleep(next.saturating_duration_since(Instant::now()).max(TICK));
                let now = Instant::now();
                given.add_permits(std::iter::from_fn(|| turns.next_if(|due| *due <= now)).count());
            }
            given.close();
        });
        beat
    }

    async fn turn(&self) -> Option<Instant> {
        self.given.acquire().await.ok()?.forget();
        let turn = self.next.get();
        self.next.set(turn + 1);
        Some(due(self.began, self.rate, turn))
    }
}

fn due(began: Instant, rate: f64, turn: u64) -> Instant {
    began + Duration::from_secs_f64(turn as f64 / rate)
}

struct Worker {
    number: usize,
    counts_from: Instant,
    schedule: Rc<Schedule>,
    request: Rc<dyn Fn(usize, u64) -> Request>,
}

impl Worker {
    /// The latencies that count, and the number of all answers.
    async fn run(self, target: Target) -> Result<(Vec<Duration>, u64)> {
        let mut stream = target.connect().await?;
        let mut buffer = Vec::with_capacity(64 * 1024);
        let (mut latencies, mut answers) = (Vec::new(), 0);
        for turn in 0.. {
            let Some(due) = self.schedule.turn().await else { break };
            stream.write_all(&(self.request)(self.number, turn).bytes).await?;
            stream.flush().await?;
            answer(&mut *stream, &mut buffer).await?;
            answers += 1;
            let done = Instant::now();
            // What counts of a closed loop is how many answers came in the time, whenever they were asked for: without those that were
            // under way when it began, slow ones would seem slower.
            let counted = if self.schedule.beat.is_some() { due } else { done };
            if counted >= self.counts_from && done <= self.schedule.ends {
                latencies.push(done - due);
            }
        }
        Ok((latencies, answers))
    }
}

/// Reads one answer to its end; anything but success ends the measurement.
async fn answer(stream: &mut dyn Stream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    loop {
        if let Some(total) = answer_length(buffer)?
            && buffer.len() >= total
        {
            return Ok(());
        }
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection after {:?}", String::from_utf8_lossy(buffer));
        }
    }
}

/// The length of head and body once the head is there.
fn answer_length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    ensure!(head.starts_with("HTTP/1.1 2"), "not a success: {}", String::from_utf8_lossy(bytes));
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let length = length.transpose()?.context("an answer without content-length")?;
    Ok(Some(end + 4 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_length_counts_head_and_body() {
        let rows = [
            ("HTTP/1.1 200 OK\r\n", Some(None)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", Some(Some(43))),
            ("HTTP/1.1 201 Created\r\ncontent-length:0\r\n\r\n", Some(Some(42))),
            ("HTTP/1.1 503 Sealed\r\ncontent-length: 0\r\n\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
        ];
        for (text, expected) in rows {
            assert_eq!(answer_length(text.as_bytes()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn quantiles_are_taken_from_sorted_latencies() {
        let latencies = (1..=100).map(Duration::from_millis).collect();
        let measured = Measured { per_second: 1.0, answers: 100, latencies };
        assert_eq!((measured.quantile_ms(0.5).round(), measured.quantile_ms(0.99).round()), (51.0, 100.0));
    }
}
