//! Certificates in files that somebody else writes, read again when they change.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use artifact::digest::Digest;
use tls::credentials::Credentials;
use tls::public::{Certificates, PublicAcceptor, Strictness};
use tokio::sync::{Notify, watch};
use zeroize::Zeroizing;

use super::Told;
use crate::config::{Pair, TlsFiles};
use crate::listener::stopped;

/// How often is looked whether there is something new.
const PERIOD: Duration = Duration::from_secs(5);

/// The files, and what was made of them.
pub struct Files {
    files: TlsFiles,
    acceptor: Arc<PublicAcceptor>,
    /// The hash of what was read last, usable or not.
    seen: Option<Digest>,
}

impl Files {
    /// Reads the files for the first time; they have to be there.
    pub async fn start(files: TlsFiles, told: &Told) -> anyhow::Result<Self> {
        let mut files = Self { files, acceptor: PublicAcceptor::new(Strictness::Compatible), seen: None };
        files.look(told).await.context("loading the certificates of the webhook")?;
        Ok(files)
    }

    pub fn acceptor(&self) -> Arc<PublicAcceptor> {
        Arc::clone(&self.acceptor)
    }

    /// Looks for new certificates until told to stop. What is unusable changes nothing, and is complained of once.
    pub async fn keep(mut self, told: &Told, bell: &Notify, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = bell.notified() => {}
                () = stopped(&mut stop) => return,
            }
            match self.look(told).await {
                Ok(true) => tracing::info!("certificates replaced"),
                Ok(false) => {}
                Err(error) => {
                    told.is_stale();
                    tracing::error!(error = format!("{error:#}"), "certificates not replaced");
                }
            }
        }
    }

    async fn look(&mut self, told: &Told) -> anyhow::Result<bool> {
        let files = self.files.clone();
        // Files that were away are new when they are back, whatever they hold.
        let (first, classical) = Read::all(&files).await.inspect_err(|_| self.seen = None)?;
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
        let shown = std::iter::once(&certificates.quantum_safe).chain(&certificates.classical);
        told.shows(shown.map(|shown| (shown.algorithm(), shown.leaf().map(|leaf| leaf.not_after()))));
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
    async fn all(files: &'a TlsFiles) -> anyhow::Result<(Self, Option<Self>)> {
        let first = Read::of(&files.first).await?;
        match &files.classical {
            Some(pair) => Ok((first, Some(Read::of(pair).await?))),
            None => Ok((first, None)),
        }
    }

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
