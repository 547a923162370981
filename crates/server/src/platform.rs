//! The platform: everything a running server holds, put together in one place and handed out in parts.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::FromRef;
use crypto::entropy::EntropyPool;
use crypto::secret::SecretBytes;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{Core, Services};
use crate::background;
use crate::config::tls::{MtlsConfig, TlsConfig};
use crate::config::{Config, StoreConfig};
use crate::credentials::Credentials;
use crate::freshness::Freshness;
use crate::http;
use crate::http::extract::BodyLimit;
use crate::http::health::Environment;
use crate::http::serve::{Service, Transport, serve};
use crate::https::Supply;
use crate::mtls::Keeper;
use crate::problem::{Outcome, Problem};
use crate::seal::SealRecord;
use crate::seal_state::{Progress, SealState};
use crate::trail::Trail;
use crate::{entropy, metrics};

pub use making::{Draft, Made, exists};

mod making;

/// Everything a running server holds. Every request clones it several times, so it is one pointer.
#[derive(Clone)]
pub struct Platform(Arc<Parts>);

/// The parts of a [`Platform`].
pub struct Parts {
    /// The store.
    pub store: Store,
    /// Where every random byte comes from.
    pub entropy: Arc<EntropyPool>,
    /// What is counted.
    pub metrics: Arc<metrics::Metrics>,
    /// Whether it is sealed.
    pub seal: Arc<SealState>,
    /// The seal as it was stored when the server started.
    seal_record: Arc<[u8]>,
    /// How far caches can be trusted.
    pub freshness: Arc<Freshness>,
    /// Who may come in.
    pub credentials: Arc<Credentials>,
    /// Where every use is written down.
    pub trail: Trail,
    /// What can be done.
    pub services: Services,
    body_limit: BodyLimit,
    environment: Environment,
}

impl Deref for Platform {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Opens the configured store. Migrates nothing.
pub async fn open_store(config: &Config) -> anyhow::Result<Store> {
    match &config.store {
        StoreConfig::Sqlite { data_dir } => {
            let opened = Store::open_sqlite(data_dir, store::Options::default()).await;
            opened.with_context(|| format!("opening the store in {}", data_dir.display()))
        }
        StoreConfig::Postgres { url, danger_plaintext } => {
            let options = store::Options { danger_plaintext_database: *danger_plaintext, ..store::Options::default() };
            Store::open_postgres(&url.0, options).await.context("opening the database")
        }
    }
}

impl Platform {
    /// Opens everything; the platform is sealed.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let store = open_store(config).await?;
        if matches!(config.store, StoreConfig::Sqlite { .. }) {
            store::migrate::migrate(&store, crate::clock::now()).await?;
        }
        store::migrate::check(&store).await?;
        let record =
            store.meta("seal").await?.context("this database holds no platform yet: run `qapid init` first")?;
        let seal_record: Arc<[u8]> = record.as_slice().into();
        let record: SealRecord = serde_json::from_slice(&record).context("reading the seal")?;
        let entropy = Arc::new(entropy::pool(&config.entropy));
        let metrics = Arc::new(metrics::Metrics::new()?);
        let seal = Arc::new(SealState::new(record));
        let freshness = Arc::new(Freshness::new(&store));
        let lane = background::start_lane(&store, &entropy);
        let trail = Trail::new(lane, Arc::clone(&entropy), Arc::clone(&metrics));
        let core = Core { store: store.clone(), entropy: Arc::clone(&entropy), trail: trail.clone() };
        let services = Services::new(&core, &freshness, config)?;
        let credentials = Arc::new(Credentials::new(
            store.clone(),
            Arc::clone(&services.oidc),
            Arc::clone(&freshness),
            Arc::clone(&seal),
            &config.limits,
        ));
        Ok(Self(Arc::new(Parts {
            store,
            entropy,
            metrics,
            seal,
            seal_record,
            freshness,
            credentials,
            trail,
            services,
            body_limit: BodyLimit(config.limits.body_bytes),
            environment: Environment(config.environment.as_str().into()),
        })))
    }

    /// What background work is made of.
    pub fn core(&self) -> Core {
        Core { store: self.store.clone(), entropy: Arc::clone(&self.entropy), trail: self.trail.clone() }
    }

    /// Tries to unseal, on a thread that may be slow.
    pub async fn unseal(&self, secret: SecretBytes) -> Outcome<Progress> {
        let seal = Arc::clone(&self.seal);
        let tried = tokio::task::spawn_blocking(move || seal.unseal(&secret)).await;
        let progress = tried.map_err(|error| Problem::internal("unsealing", error))??;
        if let Some(record) = self.seal.completed()?
            && let Err(error) = self.store.replace_meta("seal", &self.seal_record, record).await
        {
            // Unsealing works without; the next one tries again.
            tracing::warn!(error = %crate::problem::report(&error), "the seal was not completed");
        }
        Ok(progress)
    }
}

/// Listens where the configuration says and runs until asked to stop.
pub async fn run(platform: Platform, config: &Config) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| format!("listening on {}", config.listen))?;
    run_on(platform, config, listener).await
}

/// Runs on a listener until SIGTERM or SIGINT, then lets open requests finish.
#[expect(clippy::print_stdout, reason = "scripts wait for this line")]
pub async fn run_on(platform: Platform, config: &Config, listener: TcpListener) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let (stopper, stop) = watch::channel(false);
    let background = background::start(&platform, stop.clone());
    if let Some(listen) = config.metrics_listen {
        let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
        println!("metrics http://{}", listener.local_addr()?);
        tokio::spawn(serve(
            listener,
            platform.service(http::metrics::router().with_state(platform.clone()), config, Transport::Plain),
            stop.clone(),
        ));
    }
    let service = platform.service(http::router(&platform).with_state(platform.clone()), config, Transport::Plain);
    let server = tokio::spawn(serve(listener, service.clone(), stop.clone()));
    first_look(&platform.store).await;
    let https = match &config.tls {
        Some(tls) => Some(https(&platform, tls, service, &stop).await?),
        None => None,
    };
    let mtls = match &config.mtls {
        Some(mtls) => Some(services(&platform, mtls, config, &stop).await?),
        None => None,
    };
    println!("ready http://{address}");
    stop_signal().await?;
    tracing::info!("stopping");
    platform.services.authority.stop_waiting();
    stopper.send_replace(true);
    server.await?;
    for listener in https.into_iter().chain(mtls) {
        listener.await?;
    }
    background.await?;
    platform.store.close().await;
    Ok(())
}

/// Serves the same routes over TLS. The handle ends when the listener has drained.
#[expect(clippy::print_stdout, reason = "scripts wait for this line")]
async fn https(
    platform: &Platform,
    config: &TlsConfig,
    service: Service,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    let listen = config.listen;
    let supply = Supply::start(platform, config).await?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    println!("https https://{}", listener.local_addr()?);
    let service = Service { transport: Transport::Https(supply.acceptor()), ..service };
    tokio::spawn(supply.keep(stop.clone()));
    Ok(tokio::spawn(serve(listener, service, stop.clone())))
}

/// Serves services alone, over mTLS. The handle ends when the listener has drained.
#[expect(clippy::print_stdout, reason = "scripts wait for this line")]
async fn services(
    platform: &Platform,
    mtls: &MtlsConfig,
    config: &Config,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    let listen = mtls.listen;
    let keeper = Keeper::start(platform, mtls).await;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    println!("mtls https://{}", listener.local_addr()?);
    let router = http::services_router(platform).with_state(platform.clone());
    let service = platform.service(router, config, Transport::Services(keeper.door()));
    tokio::spawn(keeper.keep(stop.clone()));
    Ok(tokio::spawn(serve(listener, service, stop.clone())))
}

impl Platform {
    fn service(&self, router: axum::Router<()>, config: &Config, transport: Transport) -> Service {
        Service {
            router,
            entropy: Arc::clone(&self.entropy),
            metrics: Arc::clone(&self.metrics),
            casing: config.casing,
            proxies: Arc::new((&config.http).into()),
            write_timeout: config.http.write_timeout,
            connections: config.limits.connections,
            transport,
        }
    }
}

/// Until the change feed was read once nothing revocable is answered, so nobody is told earlier that we are ready. A
/// database that cannot be reached meanwhile is what readiness probes are for.
async fn first_look(store: &Store) {
    let looked = async {
        while store.epochs().age().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(10), looked).await.is_err() {
        tracing::warn!("the change feed could not be read yet");
    }
}

async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}

impl FromRef<Platform> for Arc<Credentials> {
    fn from_ref(platform: &Platform) -> Self {
        Arc::clone(&platform.credentials)
    }
}

impl FromRef<Platform> for Arc<Freshness> {
    fn from_ref(platform: &Platform) -> Self {
        Arc::clone(&platform.freshness)
    }
}

impl FromRef<Platform> for Arc<SealState> {
    fn from_ref(platform: &Platform) -> Self {
        Arc::clone(&platform.seal)
    }
}

impl FromRef<Platform> for Trail {
    fn from_ref(platform: &Platform) -> Self {
        platform.trail.clone()
    }
}

impl FromRef<Platform> for Environment {
    fn from_ref(platform: &Platform) -> Self {
        platform.environment.clone()
    }
}

impl FromRef<Platform> for BodyLimit {
    fn from_ref(platform: &Platform) -> Self {
        platform.body_limit
    }
}

/// A service of the platform as a handler's state.
macro_rules! services {
    ($($field:ident: $service:ty),+ $(,)?) => {$(
        impl FromRef<Platform> for Arc<$service> {
            fn from_ref(platform: &Platform) -> Self {
                Arc::clone(&platform.services.$field)
            }
        }
    )+};
}

services! {
    keys: crate::app::keys::Keys,
    encryption: crate::app::encryption::Encryption,
    secrets: crate::app::secrets::Secrets,
    shares: crate::app::shares::Shares,
    signing: crate::app::signing::Signing,
    transit: crate::app::transit::Transit,
    data_keys: crate::app::data_keys::DataKeys,
    qrng: crate::app::qrng::Qrng,
    api_keys: crate::app::api_keys::ApiKeys,
    applications: crate::app::applications::Applications,
    end_users: crate::app::end_users::EndUsers,
    roles: crate::app::roles::Roles,
    users: crate::app::users::Users,
    resource_servers: crate::app::resource_servers::ResourceServers,
    tenants: crate::app::tenants::Tenants,
    audit: crate::app::audit::Audit,
    authority: crate::app::authority::Authority,
    trusts: crate::app::trusts::Trusts,
    gate_tickets: crate::app::gate_tickets::GateTickets,
    oidc: crate::app::oidc::Oidc,
    people: crate::app::people::People,
}
