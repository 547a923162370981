//! What the webhook proves itself with: certificates of its own, which it gets from the platform and renews, or files that
//! somebody else writes.
//!
//! With two chains, an API server that offers ML-DSA is shown the quantum-safe one, and one that does not is shown the
//! classical one of the profile `mesh-compat`. Which of them was shown is counted, so that it is known when the classical one
//! is not needed any more.

mod files;
mod own;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context as _;
use tls::public::PublicAcceptor;
use tokio::sync::{Notify, watch};

use crate::clock;
use crate::config::{Config, Tls};
use crate::numbers::Numbers;
use crate::platform;
use files::Files;
use own::Own;

/// Keeps an acceptor supplied.
pub struct Supply {
    source: Source,
    told: Arc<Told>,
}

/// Where they come from.
enum Source {
    Own(Own),
    Files(Files),
}

/// What others are told of the certificates that are shown.
pub struct Told {
    numbers: Arc<Numbers>,
    /// When the first of them ends, in Unix seconds.
    end_s: AtomicI64,
}

impl Supply {
    /// Gets certificates for the first time, or fails.
    pub async fn start(config: &Config, numbers: Arc<Numbers>) -> anyhow::Result<Self> {
        let told = Arc::new(Told { numbers, end_s: AtomicI64::new(i64::MAX) });
        let source = match &config.tls {
            Tls::Own(own) => {
                let platform = config.platform.as_ref().context("tls: there is no [platform]")?;
                Source::Own(Own::start(own, platform::access(platform)?, &told).await?)
            }
            Tls::Files(files) => Source::Files(Files::start(files.clone(), &told).await?),
        };
        Ok(Self { source, told })
    }

    /// Whether it could start, as far as that can be said without asking anybody.
    pub async fn check(config: &Config, numbers: Arc<Numbers>) -> anyhow::Result<()> {
        match &config.tls {
            Tls::Own(own) => own::wanted(own)?.check().await.context("tls: anchors_file"),
            Tls::Files(_) => Self::start(config, numbers).await.map(drop),
        }
    }

    /// What the listener uses.
    pub fn acceptor(&self) -> Arc<PublicAcceptor> {
        match &self.source {
            Source::Own(own) => own.acceptor(),
            Source::Files(files) => files.acceptor(),
        }
    }

    /// What is known of the certificates that are shown.
    pub fn told(&self) -> Arc<Told> {
        Arc::clone(&self.told)
    }

    /// Exchanges certificates when there are new ones, and looks for some when the bell is rung, until told to stop.
    pub async fn keep(self, bell: Arc<Notify>, stop: watch::Receiver<bool>) {
        match self.source {
            Source::Own(own) => own.keep(&self.told, &bell, stop).await,
            Source::Files(files) => files.keep(&self.told, &bell, stop).await,
        }
    }
}

impl Told {
    /// Whether none of the certificates that are shown has ended.
    pub fn is_valid(&self) -> bool {
        clock::now_s() <= self.end_s.load(Ordering::Relaxed)
    }

    /// These are shown from now on: the algorithms of their keys, and their last seconds where these are known.
    fn shows(&self, certificates: impl Iterator<Item = (&'static str, Option<i64>)>) {
        let mut first = i64::MAX;
        for (algorithm, not_after) in certificates {
            tracing::info!(certificate.algorithm = algorithm, not_after, "certificate in use");
            self.numbers.certificate(algorithm, not_after.unwrap_or_default());
            first = first.min(not_after.unwrap_or(i64::MAX));
        }
        self.end_s.store(first, Ordering::Relaxed);
        self.numbers.certificates_current.set(1);
    }

    /// There should be others by now.
    fn is_stale(&self) {
        self.numbers.certificates_current.set(0);
    }
}
