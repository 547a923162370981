//! The life of an agent: fetch an identity, open the ports, serve, renew when asked, and stop when told.

use std::sync::Arc;

use anyhow::Context as _;
use sdk::identity::ServiceIdentity;
use sdk::secrets::SecretCache;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{Config, Files, Inbound, Outbound};
use crate::files::{self, Written};
use crate::health::{self, Health};
use crate::numbers::Numbers;
use crate::platform;
use crate::proxy::{self, Limits, bind};

/// Runs until told to stop.
pub async fn run(config: Config) -> anyhow::Result<()> {
    // Before anything that takes time: a signal that nobody listens for would end the process.
    let signals = Signals::new()?;
    if let Some(files) = &config.files {
        files::check_medium(files)?;
    }
    let limits = Limits { connections: config.connections, drain: config.drain };
    // Ports before the certificate: a port that is taken is known at once, and who connects early waits instead of failing.
    let ports = Ports::open(&config).await?;
    let access = platform::access(&config.platform)?;
    let identity = ServiceIdentity::start(platform::wanted(&config)?, access).await.context("fetching an identity")?;
    let secrets = secrets(&config).await?;
    let (written, current) = watch::channel(Written::Current);
    let mut tasks = JoinSet::new();
    if let Some(files) = config.files {
        files::begin(&files, &identity, &secrets).await?;
        tasks.spawn(files::keep(files, identity.clone(), secrets.clone(), written));
    }
    let numbers = Arc::new(Numbers::new()?);
    let (stop, stopped) = watch::channel(false);
    let health = Health { identity: identity.clone(), secrets, written: current, numbers: Arc::clone(&numbers) };
    let mut serving = JoinSet::new();
    ports.announce()?;
    ports.serve(&mut serving, health, limits, &stopped);
    signals.until_told_to_stop(&identity).await;
    tracing::info!("stopping");
    stop.send_replace(true);
    while serving.join_next().await.is_some() {}
    Ok(())
}

async fn secrets(config: &Config) -> anyhow::Result<SecretCache> {
    let Some(Files { secrets, secret_max_age, .. }) = &config.files else { return Ok(SecretCache::empty()) };
    if secrets.is_empty() {
        return Ok(SecretCache::empty());
    }
    let client = sdk::Client::new(platform::access(&config.platform)?)?;
    SecretCache::start(client, secrets.keys().cloned(), *secret_max_age).await.context("fetching secrets")
}

struct Ports {
    status: TcpListener,
    inbound: Vec<(Inbound, TcpListener)>,
    outbound: Vec<(Outbound, TcpListener)>,
}

impl Ports {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let status = bind("status", config.status_listen).await?;
        let (mut inbound, mut outbound) = (Vec::new(), Vec::new());
        for port in &config.inbound {
            inbound.push((port.clone(), bind(&port.name, port.listen).await?));
        }
        for port in &config.outbound {
            outbound.push((port.clone(), bind(&port.name, port.listen).await?));
        }
        Ok(Self { status, inbound, outbound })
    }

    /// One line a port, for whoever started the agent: the configuration may leave the choice of a port to the system.
    #[expect(clippy::print_stdout, reason = "whoever starts the agent waits for these lines")]
    fn announce(&self) -> std::io::Result<()> {
        for (port, listener) in &self.inbound {
            println!("inbound {} {}", port.name, listener.local_addr()?);
        }
        for (port, listener) in &self.outbound {
            println!("outbound {} {}", port.name, listener.local_addr()?);
        }
        println!("ready {}", self.status.local_addr()?);
        Ok(())
    }

    fn serve(self, serving: &mut JoinSet<()>, health: Health, limits: Limits, stop: &watch::Receiver<bool>) {
        let (identity, numbers) = (health.identity.clone(), Arc::clone(&health.numbers));
        for (port, listener) in self.inbound {
            let numbers = Arc::clone(&numbers);
            serving.spawn(proxy::serve_inbound(port, listener, identity.clone(), numbers, limits, stop.clone()));
        }
        for (port, listener) in self.outbound {
            let numbers = Arc::clone(&numbers);
            serving.spawn(proxy::serve_outbound(port, listener, identity.clone(), numbers, limits, stop.clone()));
        }
        serving.spawn(health::serve(self.status, health, limits, stop.clone()));
    }
}

/// What the agent is told from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    renew: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            renew: signal(SignalKind::user_defined1()).context("listening for SIGUSR1")?,
        })
    }

    /// Meanwhile SIGUSR1 gets a new key and a new certificate at once.
    async fn until_told_to_stop(mut self, identity: &ServiceIdentity) {
        let mut renewals = JoinSet::new();
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.renew.recv() => {
                    // One at a time: who asks twice wants a new one, not two.
                    if renewals.is_empty() {
                        renewals.spawn(renew(identity.clone()));
                    }
                }
                Some(_) = renewals.join_next() => {}
            }
        }
    }
}

async fn renew(identity: ServiceIdentity) {
    match identity.renew().await {
        Ok(()) => tracing::info!("certificate renewed, as asked"),
        Err(error) => tracing::warn!(error = sdk::report(&error), "certificate not renewed, although asked"),
    }
}
