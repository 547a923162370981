//! What the webhook proves itself with: files that somebody else writes, read again when they change.
//!
//! With both chains, an API server that offers ML-DSA is shown the quantum-safe one, and one that does not is shown the
//! classical one of the profile `mesh-compat`. Which of them was shown is counted, so that it is known when the classical one
//! is not needed any more.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use artifact::digest::Digest;
use tls::credentials::Credentials;
use tls::public::{Certificates, PublicAcceptor, Strictness};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::config::{Pair, TlsFiles};
use crate::listener::stopped;
use crate::numbers::Numbers;

/// How often is looked whether there is something new.
const PERIOD: Duration = Duration::from_secs(5);

/// Keeps an acceptor supplied.
pub struct Supply {
    files: TlsFiles,
    acceptor: Arc<PublicAcceptor>,
    numbers: Arc<Numbers>,
    /// The hash of what was read last, usable or not.
    seen: Option<Digest>,
}

impl Supply {
    /// Reads the files for the first time; they have to be there.
    pub async fn start(files: TlsFiles, numbers: Arc<Numbers>) -> anyhow::Result<Self> {
        let mut supply = Self { files, acceptor: PublicAcceptor::new(Strictness::Compatible), numbers, seen: None };
        supply.look().await.context("loading the certificates of the webhook")?;
        Ok(supply)
    }

    /// What the listener uses.
    pub fn acceptor(&self) -> Arc<PublicAcceptor> {
        Arc::clone(&self.acceptor)
    }

    /// Looks for new certificates until told to stop. What is unusable changes nothing, and is complained of once.
    pub async fn keep(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = stopped(&mut stop) => return,
            }
            match self.look().await {
                Ok(true) => tracing::info!("certificates replaced"),
                Ok(false) => {}
                Err(error) => tracing::error!(error = format!("{error:#}"), "certificates not replaced"),
            }
        }
    }

    async fn look(&mut self) -> anyhow::Result<bool> {
        let files = self.files.clone();
        let first = Read::of(&files.first).await?;
        let classical = match &files.classical {
            Some(pair) => Some(Read::of(pair).await?),
            None => None,
        };
        let seen = first.digest(classical.as_ref());
        if self.seen.as_ref() == Some(&seen) {
            return Ok(false);
        }
        self.seen = Some(seen);
        let certificates = Certificates {
            quantum_safe: first.credentials()?,
            classical: classical.map(|read| read.credentials()).transpose()?,
        };
        self.acceptor.swap(&certificates)?;
        for shown in std::iter::once(&certificates.quantum_safe).chain(&certificates.classical) {
            let not_after = shown.leaf().map_or(0, |leaf| leaf.not_after());
            tracing::info!(certificate.algorithm = shown.algorithm(), not_after, "certificate loaded");
            self.numbers.certificate(shown.algorithm(), not_after);
        }
        Ok(true)
    }
}

/// The two files of a pair, as they were at one moment.
struct Read<'a> {
    pair: &'a Pair,
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl<'a> Read<'a> {
    async fn of(pair: &'a Pair) -> anyhow::Result<Self> {
        let unreadable = |path: &std::path::Path| format!("reading {}", path.display());
        let certificate = tokio::fs::read(&pair.certificate).await.with_context(|| unreadable(&pair.certificate))?;
        let key = tokio::fs::read(&pair.key).await.with_context(|| unreadable(&pair.key))?;
        Ok(Self { pair, certificate, key: Zeroizing::new(key) })
    }

    fn digest(&self, other: Option<&Self>) -> Digest {
        let parts = std::iter::once(self).chain(other).flat_map(|read| [&read.certificate[..], &read.key[..]]);
        let digests: Vec<String> = parts.map(|part| Digest::of(part).to_string()).collect();
        Digest::of(digests.concat().as_bytes())
    }

    fn credentials(&self) -> anyhow::Result<Credentials> {
        Credentials::from_pem(&self.certificate, &self.key)
            .with_context(|| format!("{} and {}", self.pair.certificate.display(), self.pair.key.display()))
    }
}
