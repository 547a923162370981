//! The reference system: a gateway, a users API behind it, and notifications behind that. Small, and real: every connection
//! between them is ML-DSA mTLS, and each of them is refused by everybody it has no business with.
//!
//! What the three have in common is here: how a service starts, who may call it, and how it says that it is ready. Each is
//! configured by its environment, which only `main` reads:
//!
//! | variable | meaning |
//! |---|---|
//! | `QUANTUMAPI_BASE_URL`, `QUANTUMAPI_KEY` | the platform, and this service's key for it |
//! | `SERVICE_NAME`, `SERVICE_NAMESPACE` | who this service is |
//! | `LISTEN`, `HEALTH_LISTEN` | where it serves, and where it says that it is ready |
//! | `ALLOW` | SPIFFE ids of who may call it, with commas between |
//! | `UPSTREAM`, `EXPECT` | the address of the service that it calls, and the SPIFFE ids expected there |

use std::collections::BTreeSet;
use std::future::Future;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use sdk::identity::{ServiceIdentity, Wanted};
use sdk::mesh::MeshClient;
use tls::whom::Whom;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Reads one variable of the environment.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable that has to be set.
pub fn required(variables: Variables, name: &str) -> anyhow::Result<String> {
    variables(name).with_context(|| format!("the variable {name} is not set"))
}

/// The service's identity, fetched now and kept fresh from now on.
pub async fn identity(variables: Variables<'_>) -> anyhow::Result<ServiceIdentity> {
    let wanted = Wanted::from_variables(variables)?;
    ServiceIdentity::start(wanted, platform(variables)?).await.context("fetching an identity")
}

/// Where the platform is, and the key for it.
pub fn platform(variables: Variables) -> anyhow::Result<sdk::Config> {
    let key = required(variables, "QUANTUMAPI_KEY")?;
    Ok(sdk::Config::new(required(variables, "QUANTUMAPI_BASE_URL")?).with_key(&key))
}

/// The services of a list of SPIFFE ids.
pub fn services(variables: Variables, name: &str) -> anyhow::Result<Whom> {
    let list = required(variables, name)?;
    let ids: Result<BTreeSet<_>, _> = list.split(',').map(|id| id.trim().parse()).collect();
    Ok(Whom::Services(ids.with_context(|| format!("{name}: {list}"))?))
}

/// Another service: its address, and a client that takes nobody else for it.
pub struct Upstream {
    base: String,
    client: MeshClient,
}

impl Upstream {
    /// The one that `UPSTREAM` and `EXPECT` name.
    pub fn new(variables: Variables, identity: &ServiceIdentity) -> anyhow::Result<Self> {
        let expected = services(variables, "EXPECT")?;
        Ok(Self { base: required(variables, "UPSTREAM")?, client: MeshClient::to(identity.clone(), expected) })
    }

    /// Sends a request, and reads the whole answer.
    pub async fn call(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        let response = self.client.request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST_ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("reading the answer: {error}"))?;
        Ok((status, body.to_bytes()))
    }
}

/// Opens the service's port.
pub async fn listen(variables: Variables<'_>) -> anyhow::Result<TcpListener> {
    let address = required(variables, "LISTEN")?;
    TcpListener::bind(&address).await.with_context(|| format!("listening on {address}"))
}

/// Says on another port whether the service can be used, while `serve` serves until told to stop.
pub async fn run<F: Future<Output = ()>>(
    variables: Variables<'_>,
    listener_address: std::net::SocketAddr,
    identity: ServiceIdentity,
    serve: impl FnOnce(watch::Receiver<bool>) -> F,
) -> anyhow::Result<()> {
    let health = TcpListener::bind(required(variables, "HEALTH_LISTEN")?).await.context("HEALTH_LISTEN")?;
    let (stop, stopped) = watch::channel(false);
    let health_address = health.local_addr()?;
    let router = Router::new().route("/health/ready", get(move || async move { readiness(&identity) }));
    let told = tokio::spawn(async move { axum::serve(health, router).await });
    announce(listener_address, health_address);
    let serving = serve(stopped);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => {}
        _ = terminate.recv() => {
            stop.send_replace(true);
            serving.await;
        }
    }
    told.abort();
    Ok(())
}

fn readiness(identity: &ServiceIdentity) -> (StatusCode, String) {
    let hours_left = identity.status().hours_left(identity.now_s());
    if identity.is_ready() {
        (StatusCode::OK, format!("ready, {hours_left:.1} h left\n"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the certificate is not valid\n".to_owned())
    }
}

#[expect(clippy::print_stdout, reason = "whoever starts the service waits for this line")]
fn announce(listener: std::net::SocketAddr, health: std::net::SocketAddr) {
    println!("ready {listener} health {health}");
}

/// Starts logging to standard error.
pub fn start_log() -> anyhow::Result<()> {
    let logging = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).try_init();
    logging.map_err(|error| anyhow::anyhow!("starting the log: {error}"))
}

const LARGEST_ANSWER_BYTES: usize = 1 << 20;
