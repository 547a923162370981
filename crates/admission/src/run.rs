//! The life of the webhook: load, open the ports, serve, load again what changes, and stop when told.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::certificates::Supply;
use crate::config::Config;
use crate::judge::Judge;
use crate::listener::{self, Transport};
use crate::numbers::Numbers;
use crate::platform;
use crate::policy::Policies;
use crate::registries::Registries;
use crate::server::Service;
use crate::status::{self, Status};
use crate::tickets::Tickets;
use crate::webhook::Webhook;

/// Connections of the status listener held at once.
const STATUS_CONNECTIONS: usize = 64;

/// Runs until told to stop.
pub async fn run(config: Config) -> anyhow::Result<()> {
    // Before anything that takes time: a signal that nobody listens for would end the process.
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let mut renew = signal(SignalKind::user_defined1()).context("listening for SIGUSR1")?;
    let numbers = Arc::new(Numbers::new()?);
    let policies = Policies::load(config.policy.file.clone(), Arc::clone(&numbers))?;
    let certificates = Supply::start(&config, Arc::clone(&numbers)).await?;
    let registries = Registries::new(&config.registry, Arc::clone(&numbers))?;
    let tickets = Tickets::none(Arc::clone(&numbers));
    let client = config.platform.as_ref().map(platform::client).transpose()?;
    let judge = Judge::new(Arc::new(registries), Arc::clone(&tickets), config.cache, Arc::clone(&numbers));
    let judge = Arc::new(judge);
    let webhook = Arc::new(Webhook { policies: Arc::clone(&policies), judge, kinds: config.kinds, pin: config.pin });
    let reviews = bind(config.webhook.listen).await?;
    let status = bind(config.status_listen).await?;
    announce(&reviews, &status)?;

    let (stop, stopped) = watch::channel(false);
    let mut keeping = JoinSet::new();
    let transport = Transport::Https(certificates.acceptor(), Arc::clone(&numbers));
    keeping.spawn(policies.keep(stopped.clone()));
    let (shown, bell) = (certificates.told(), Arc::new(Notify::new()));
    keeping.spawn(certificates.keep(Arc::clone(&bell), stopped.clone()));
    if let Some(client) = client {
        keeping.spawn(tickets.keep(client, stopped.clone()));
    }
    let mut serving = JoinSet::new();
    let service = Service::new(Arc::clone(&webhook), config.webhook, Arc::clone(&numbers)).router();
    serving.spawn(listener::serve(reviews, service, transport, config.webhook.connections, stopped.clone()));
    let told = status::router(Status { webhook, numbers, shown });
    serving.spawn(listener::serve(status, told, Transport::Plain, STATUS_CONNECTIONS, stopped));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            // New certificates at once: for a key that somebody may have seen, or ahead of a day without the platform.
            _ = renew.recv() => bell.notify_one(),
        }
    }
    tracing::info!("stopping");
    stop.send_replace(true);
    while serving.join_next().await.is_some() {}
    Ok(())
}

/// Whether all that the configuration names can be used.
pub async fn check(config: &Config) -> anyhow::Result<()> {
    let numbers = Arc::new(Numbers::new()?);
    Policies::load(config.policy.file.clone(), Arc::clone(&numbers))?;
    Supply::check(config, Arc::clone(&numbers)).await?;
    Registries::new(&config.registry, numbers)?;
    config.platform.as_ref().map(platform::client).transpose()?;
    Ok(())
}

async fn bind(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listening at {address}"))
}

/// For whoever started it: the configuration may leave the choice of a port to the system.
#[expect(clippy::print_stdout, reason = "whoever starts the webhook waits for these lines")]
fn announce(reviews: &TcpListener, status: &TcpListener) -> std::io::Result<()> {
    println!("status {}", status.local_addr()?);
    println!("ready {}", reviews.local_addr()?);
    Ok(())
}
