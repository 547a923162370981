//! The certificates of the HTTPS listener: where they come from, and that the listener always has the current ones.
//!
//! A listener is never rebuilt. What replaces a certificate is looked at first; when it is unusable, or none is to be had,
//! the old one stays and the log says why.

mod files;
pub mod issued;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use crypto::x509::Certificate;
use tls::credentials::Credentials;
use tls::pin::Fingerprint;
use tls::public::PublicAcceptor;
use tokio::sync::watch;

use crate::background::Ticks;
use crate::config::tls::{Source, TlsConfig};
use crate::platform::Platform;
use files::Files;
use issued::Issued;

/// How often is looked whether there is something new.
const PERIOD: Duration = Duration::from_secs(5);

/// Keeps an acceptor supplied.
pub struct Supply {
    acceptor: Arc<PublicAcceptor>,
    from: From,
    anchor: Option<Fingerprint>,
}

enum From {
    Files(Files),
    Issued(Box<Issued>),
}

impl Supply {
    /// Gets the certificates for the first time. Files have to be there; an authority that is sealed still is waited for.
    pub async fn start(platform: &Platform, config: &TlsConfig) -> anyhow::Result<Self> {
        let from = match &config.source {
            Source::Files { quantum_safe, classical } => {
                From::Files(Files::new(quantum_safe.clone(), classical.clone()))
            }
            Source::Issued { names, classical } => {
                let (names, classical) = (names.clone(), classical.clone());
                From::Issued(Box::new(Issued::new(platform.clone(), names, classical, config.strictness)))
            }
        };
        let mut supply = Self { acceptor: PublicAcceptor::new(config.strictness), from, anchor: None };
        match (supply.look().await, &supply.from) {
            (Err(error), From::Files(_)) => Err(error).context("loading the certificates of the HTTPS listener"),
            (Err(error), From::Issued(_)) => {
                complain(&error);
                Ok(supply)
            }
            (Ok(_), _) => Ok(supply),
        }
    }

    /// What the listener uses.
    pub fn acceptor(&self) -> Arc<PublicAcceptor> {
        Arc::clone(&self.acceptor)
    }

    /// Looks for new certificates until the server stops.
    pub async fn keep(mut self, stop: watch::Receiver<bool>) {
        let mut ticks = Ticks::new(PERIOD, stop);
        while ticks.next().await {
            match self.look().await {
                Ok(true) => tracing::info!("HTTPS certificates replaced"),
                Ok(false) => {}
                Err(error) => complain(&error),
            }
        }
    }

    /// Takes what is new.
    async fn look(&mut self) -> anyhow::Result<bool> {
        let found = match &mut self.from {
            From::Files(files) => files.look().await?,
            From::Issued(issued) => issued.look().await?,
        };
        let Some(certificates) = found else { return Ok(false) };
        self.acceptor.swap(&certificates)?;
        self.announce(anchor(&certificates.quantum_safe));
        Ok(true)
    }

    /// Prints the fingerprint of the authority that the chain ends with, for clients that pin it.
    #[expect(clippy::print_stdout, reason = "people and scripts carry this line to the clients")]
    fn announce(&mut self, anchor: Option<Fingerprint>) {
        if let Some(anchor) = anchor.filter(|anchor| self.anchor != Some(*anchor)) {
            println!("anchor {anchor}");
            self.anchor = Some(anchor);
        }
    }
}

fn anchor(credentials: &Credentials) -> Option<Fingerprint> {
    let last = credentials.chain().skip(1).last()?;
    let is_authority = Certificate::parse(last).is_ok_and(|last| last.is_ca() && last.is_self_issued());
    is_authority.then(|| Fingerprint::of(last))
}

fn complain(error: &anyhow::Error) {
    tracing::error!(error = format!("{error:#}"), "HTTPS certificates not replaced");
}
