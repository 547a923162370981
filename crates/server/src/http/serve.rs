//! The listener: accept, bound, serve, drain. And the outermost layer of every request: its id, its origin, its
//! problem object, and the promise that a panic is a 500 and not a torn connection.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::casing::Casing;
use api::error::ErrorCode;
use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ALLOW, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{Request, Response, Version};
use crypto::entropy::EntropyPool;
use crypto::random::Random as _;
use domain::ids::RequestId;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tls::public::PublicAcceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;
use tracing::Instrument as _;

use super::forwarded::{Proxies, Unreadable};
use super::lingering::Lingering;
use crate::clock;
use crate::config::CasingRule;
use crate::ctx::{self, Origin};
use crate::metrics::Metrics;
use crate::mtls::Door;
use crate::problem::{Outcome, Problem};

/// What the listener needs.
#[derive(Clone)]
pub struct Service {
    /// The routes.
    pub router: Router,
    /// Where request ids come from.
    pub entropy: Arc<EntropyPool>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// When answers carry twins.
    pub casing: CasingRule,
    /// Whom to believe about whose requests they bring.
    pub proxies: Arc<Proxies>,
    /// How long a client may take nothing of its answer.
    pub write_timeout: Duration,
    /// Connections held at once.
    pub connections: usize,
    /// What bytes go through before they are HTTP.
    pub transport: Transport,
}

/// What a connection goes through before it speaks HTTP.
#[derive(Clone)]
pub enum Transport {
    /// Nothing: on loopback.
    Plain,
    /// TLS, with whoever comes.
    Https(Arc<PublicAcceptor>),
    /// mTLS, with services alone.
    Services(Arc<Door>),
}

/// Who is at the other end of a connection.
#[derive(Clone)]
struct Caller {
    address: IpAddr,
    service: Option<Arc<ctx::Service>>,
}

impl From<IpAddr> for Caller {
    fn from(address: IpAddr) -> Self {
        Self { address, service: None }
    }
}

impl Caller {
    /// Who asks: whoever is at the other end, or whom a proxy there speaks for. Services come themselves.
    fn client(&self, proxies: &Proxies, headers: &HeaderMap) -> Result<IpAddr, Unreadable> {
        if self.service.is_some() { Ok(self.address) } else { proxies.client(self.address, headers) }
    }
}

/// A client that does not finish its headers is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long open requests may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// Headers of ours: as texts they would be read and hashed anew for every request.
const CASING: HeaderName = HeaderName::from_static("x-quantumapi-casing");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RATE_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
/// The longest part of a user agent that is kept.
const USER_AGENT_MAX: usize = 200;

/// Serves until `stop` becomes true, then lets open requests finish.
pub async fn serve(listener: TcpListener, service: Service, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(service.connections));
    let total = u32::try_from(service.connections).unwrap_or(u32::MAX);
    loop {
        // Waiting for a slot is interrupted, too: clients must not be able to keep the server from stopping.
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, peer, slot)) => {
                let connection = connection(stream, peer, service.clone(), stop.clone());
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
    let _drained = tokio::time::timeout(DRAIN, slots.acquire_many(total)).await;
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

async fn connection(stream: TcpStream, peer: SocketAddr, service: Service, mut stop: watch::Receiver<bool>) {
    // Answers are small and written whole: waiting for more bytes would only add latency.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    match service.transport.clone() {
        Transport::Plain => http(stream, peer.ip().into(), service, stop).await,
        Transport::Https(acceptor) => {
            let shaken = tokio::select! {
                shaken = acceptor.accept(stream) => shaken,
                () = stopped(&mut stop) => return,
            };
            match shaken {
                Ok((stream, session)) => {
                    service.metrics.handshake(&session);
                    http(stream, peer.ip().into(), service, stop).await;
                }
                Err(error) => refused(&service.metrics, &error),
            }
        }
        Transport::Services(door) => {
            let entered = tokio::select! {
                entered = door.accept(stream) => entered,
                () = stopped(&mut stop) => return,
            };
            match entered {
                Ok(entered) => {
                    service.metrics.handshake(&entered.session);
                    let caller = Caller { address: peer.ip(), service: Some(entered.service) };
                    // A connection is worth no more than the certificate it began with.
                    tokio::select! {
                        () = http(entered.stream, caller, service, stop) => {}
                        () = entered.stay.over() => {}
                    }
                }
                Err(error) => refused(&service.metrics, &error),
            }
        }
    }
}

/// Strangers and scanners fail handshakes all day: counted, and shown only to those who look.
fn refused(metrics: &Metrics, error: &tls::handshake::Error) {
    metrics.handshake_refused(error.reason());
    tracing::debug!(reason = error.reason(), error = %crate::problem::report(error), "handshake failed");
}

async fn http<IO>(io: IO, caller: Caller, service: Service, mut stop: watch::Receiver<bool>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    // Whoever does not read holds a connection and what is buffered for it. Each byte taken gives new time, so that long
    // answers may be slow; and while nothing is to be written, as for those who wait for a change, no time runs.
    let mut io = Box::pin(TimeoutStream::new(io));
    io.as_mut().set_write_timeout_pinned(Some(service.write_timeout));
    let answer = service_fn(move |request| respond(service.clone(), caller.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(Lingering::new(io, stop.clone())), answer);
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

/// Ends when the server is asked to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

async fn respond(service: Service, caller: Caller, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let started = Instant::now();
    let client = caller.client(&service.proxies, request.headers());
    let origin = origin(&service, client.unwrap_or(caller.address), request.headers());
    let request_id = origin.request_id.to_string();
    let span = tracing::info_span!("request", request.id = %request_id, method = %request.method().as_str());
    let answered = async {
        let answer = match admitted(&origin, client.is_ok(), caller, request) {
            Ok(request) => routed(service.router, request).await,
            Err(problem) => axum::response::IntoResponse::into_response(problem),
        };
        finish(answer, &request_id, &origin)
    };
    let answer = answered.instrument(span).await;
    service.metrics.request(answer.status().as_u16(), started.elapsed());
    Ok(answer)
}

/// The request as handlers see it, with its origin, and with the service that was let in.
fn admitted(
    origin: &Origin,
    is_of_a_known_client: bool,
    caller: Caller,
    request: Request<Incoming>,
) -> Outcome<Request<Body>> {
    let (mut parts, body) = request.into_parts();
    if !is_of_a_known_client {
        return Err(Problem::invalid("The proxy does not say whose request this is."));
    }
    if !names_one_host(&parts) {
        return Err(Problem::invalid("A request names its host, once."));
    }
    parts.extensions.insert(origin.clone());
    if let Some(service) = caller.service {
        parts.extensions.insert(service);
    }
    Ok(Request::from_parts(parts, Body::new(body)))
}

/// RFC 9112, 3.2: without exactly one Host it is not clear to whom a proxy in front believed to be talking.
fn names_one_host(head: &Parts) -> bool {
    let hosts = head.headers.get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && head.version == Version::HTTP_10)
}

/// A panic in a handler is our fault and nobody's torn connection. What it said is not logged: it could hold a value.
fn routed(router: Router, request: Request<Body>) -> impl Future<Output = Response<Body>> {
    AssertUnwindSafe(router.oneshot(request)).catch_unwind().map(|answer| match answer {
        Ok(Ok(answer)) => answer,
        Err(_) => {
            axum::response::IntoResponse::into_response(Problem::internal("serving a request", "a handler panicked"))
        }
    })
}

fn origin(service: &Service, address: IpAddr, headers: &HeaderMap) -> Origin {
    let mut id = [0; 16];
    service.entropy.fill(&mut id);
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    // A header that is text is ASCII.
    let user_agent = user_agent.map(|text| text.get(..USER_AGENT_MAX).unwrap_or(text));
    Origin {
        request_id: RequestId::from_random(id),
        address: address.to_canonical(),
        casing: casing(service.casing, user_agent, headers),
        snake_body: Arc::default(),
        user_agent: user_agent.map(Into::into),
        now: clock::now(),
        operation: "Unrouted",
        allowance: Arc::default(),
    }
}

/// Who needs twins (rule 2), as far as the head says; a body in snake_case says it as well.
fn casing(rule: CasingRule, user_agent: Option<&str>, headers: &HeaderMap) -> Casing {
    let asked = headers.get(CASING).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"both"));
    let python = user_agent.is_some_and(|agent| agent.starts_with("quantumapi-python/"));
    if asked || python || rule == CasingRule::Both { Casing::Both } else { Casing::Camel }
}

/// Gives every refusal the error object, and every answer its id and what is left of the rate.
fn finish(mut answer: Response<Body>, request_id: &str, origin: &Origin) -> Response<Body> {
    if answer.status().is_client_error() || answer.status().is_server_error() {
        let problem = answer.extensions_mut().remove::<Problem>().or_else(|| from_router(&answer));
        if let Some(problem) = problem {
            log(&problem);
            answer = render(&answer, &problem, request_id, origin.casing());
        }
    }
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(allowance) = origin.allowance.get() {
        let headers = answer.headers_mut();
        headers.insert(RATE_LIMIT, allowance.limit.into());
        headers.insert(RATE_REMAINING, allowance.remaining.into());
        headers.insert(RATE_RESET, allowance.reset_s.into());
    }
    answer
}

/// What axum refuses by itself.
fn from_router(answer: &Response<Body>) -> Option<Problem> {
    match answer.status().as_u16() {
        404 => Some(Problem::not_found("route")),
        405 => Some(Problem::new(ErrorCode::MethodNotAllowed, "The route exists, with another method.")),
        _ => None,
    }
}

fn log(problem: &Problem) {
    match &problem.cause {
        Some(cause) => tracing::error!(error.code = problem.code.as_str(), error.cause = %cause, "request failed"),
        None => tracing::debug!(error.code = problem.code.as_str(), "request refused"),
    }
}

fn render(answer: &Response<Body>, problem: &Problem, request_id: &str, casing: Casing) -> Response<Body> {
    let mut body = problem.body(request_id);
    if casing == Casing::Both {
        // The one name of the error object that has a twin.
        body["request_id"] = request_id.into();
    }
    let mut rendered = Response::new(Body::from(body.to_string()));
    *rendered.status_mut() = answer.status();
    if let Some(allow) = answer.headers().get(ALLOW) {
        rendered.headers_mut().insert(ALLOW, allow.clone());
    }
    rendered.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = problem.retry_after_s {
        rendered.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    rendered
}
