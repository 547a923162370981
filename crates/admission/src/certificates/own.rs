//! Certificates of the webhook's own: the platform issues them, for keys that do not leave this process.

use std::sync::Arc;

use anyhow::Context as _;
use sdk::identity::serving::{Serving, Status, Wanted};
use tls::public::PublicAcceptor;
use tokio::sync::{Notify, watch};

use super::Told;
use crate::config;
use crate::listener::stopped;

/// Certificates that are kept fresh.
pub struct Own {
    serving: Serving,
}

impl Own {
    /// Gets the first ones; the platform has to answer.
    pub async fn start(own: &config::Own, platform: sdk::Config, told: &Told) -> anyhow::Result<Self> {
        let serving = Serving::start(wanted(own)?, platform).await.context("getting the webhook's certificates")?;
        shown(&serving.status(), told);
        Ok(Self { serving })
    }

    pub fn acceptor(&self) -> Arc<PublicAcceptor> {
        self.serving.acceptor()
    }

    pub async fn keep(self, told: &Told, bell: &Notify, mut stop: watch::Receiver<bool>) {
        let mut changes = self.serving.subscribe();
        loop {
            tokio::select! {
                changed = changes.changed() => match changed {
                    Ok(()) => shown(&changes.borrow_and_update(), told),
                    // Nobody renews any more.
                    Err(_) => return told.is_stale(),
                },
                () = bell.notified() => match self.serving.renew().await {
                    Ok(()) => tracing::info!("certificates renewed, as asked"),
                    Err(error) => tracing::warn!(error = sdk::report(&error), "certificates not renewed, although asked"),
                },
                () = stopped(&mut stop) => return,
            }
        }
    }
}

/// What the configuration asks for.
pub fn wanted(own: &config::Own) -> anyhow::Result<Wanted> {
    let wanted = Wanted::new(own.names.iter().map(String::as_str), &own.anchors).context("tls: names")?;
    Ok(if own.danger_classical { wanted.with_danger_classical() } else { wanted })
}

fn shown(status: &Status, told: &Told) {
    match status.renewals.failures {
        0 => told.shows(status.shown.iter().map(|shown| (shown.algorithm, Some(shown.window.not_after_s)))),
        _ => told.is_stale(),
    }
}
