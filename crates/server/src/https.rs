//! The certificates of the HTTPS listener: where they come from, and that the listener always has the current ones.
//!
//! A listener is never rebuilt. What replaces a certificate is looked at first; when it is unusable the old one stays, and
//! the log says why.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use crypto::hash::sha256;
use crypto::x509::Certificate;
use tls::credentials::Credentials;
use tls::pin::Fingerprint;
use tls::public::{Certificates, PublicAcceptor};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::background::Ticks;
use crate::config::tls::{Pair, Source, TlsConfig};

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(5);

/// Keeps an acceptor supplied.
pub struct Supply {
    acceptor: Arc<PublicAcceptor>,
    source: Source,
    anchor: Option<Fingerprint>,
    /// SHA-256 of what was read last, usable or not.
    seen: [u8; 32],
}

impl Supply {
    /// Reads the certificates for the first time.
    pub async fn start(config: &TlsConfig) -> anyhow::Result<Self> {
        let acceptor = PublicAcceptor::new(config.strictness);
        let mut supply = Self { acceptor, source: config.source.clone(), anchor: None, seen: [0; 32] };
        supply.look().await.context("loading the certificates of the HTTPS listener")?;
        Ok(supply)
    }

    /// What the listener uses.
    pub fn acceptor(&self) -> Arc<PublicAcceptor> {
        Arc::clone(&self.acceptor)
    }

    /// The fingerprint of the authority that the chain ends with, for clients that pin it.
    pub fn anchor(&self) -> Option<Fingerprint> {
        self.anchor
    }

    /// Looks for new certificates until the server stops.
    pub async fn keep(mut self, stop: watch::Receiver<bool>) {
        let mut ticks = Ticks::new(PERIOD, stop);
        while ticks.next().await {
            match self.look().await {
                Ok(true) => tracing::info!("HTTPS certificates replaced"),
                Ok(false) => {}
                Err(error) => tracing::error!(error = format!("{error:#}"), "HTTPS certificates not replaced"),
            }
        }
    }

    /// Takes what is new. Something that could not be used is not complained of again until it changes.
    async fn look(&mut self) -> anyhow::Result<bool> {
        let Source::Files { quantum_safe, classical } = &self.source;
        let quantum_safe = Read::of(quantum_safe).await?;
        let classical = match classical {
            Some(pair) => Some(Read::of(pair).await?),
            None => None,
        };
        let seen = sha256(&[&quantum_safe.digest(), &classical.as_ref().map_or([0; 32], Read::digest)]);
        if seen == self.seen {
            return Ok(false);
        }
        self.seen = seen;
        let classical = classical.map(|read| read.credentials()).transpose()?;
        let quantum_safe = quantum_safe.credentials()?;
        self.acceptor.swap(&Certificates { classical, quantum_safe: quantum_safe.clone() })?;
        self.anchor = anchor(&quantum_safe);
        Ok(true)
    }
}

fn anchor(credentials: &Credentials) -> Option<Fingerprint> {
    let last = credentials.chain().skip(1).last()?;
    let is_authority = Certificate::parse(last).is_ok_and(|last| last.is_ca() && last.is_self_issued());
    is_authority.then(|| Fingerprint::of(last))
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

    fn digest(&self) -> [u8; 32] {
        sha256(&[&sha256(&[&self.certificate]), &sha256(&[&self.key])])
    }

    fn credentials(&self) -> anyhow::Result<Credentials> {
        Credentials::from_pem(&self.certificate, &self.key)
            .with_context(|| format!("{} and {}", self.pair.certificate.display(), self.pair.key.display()))
    }
}
