//! Certificates from files that somebody else writes.

use anyhow::Context as _;
use crypto::hash::sha256;
use tls::credentials::Credentials;
use tls::public::Certificates;
use zeroize::Zeroizing;

use crate::config::tls::Pair;

/// The files of both chains.
pub struct Files {
    quantum_safe: Pair,
    classical: Option<Pair>,
    /// SHA-256 of what was read last, usable or not.
    seen: [u8; 32],
}

impl Files {
    /// Nothing is read yet.
    pub fn new(quantum_safe: Pair, classical: Option<Pair>) -> Self {
        Self { quantum_safe, classical, seen: [0; 32] }
    }

    /// What is new in them. Something that could not be used is not complained of again until it changes.
    pub async fn look(&mut self) -> anyhow::Result<Option<Certificates>> {
        let quantum_safe = Read::of(&self.quantum_safe).await?;
        let classical = match &self.classical {
            Some(pair) => Some(Read::of(pair).await?),
            None => None,
        };
        let seen = sha256(&[&quantum_safe.digest(), &classical.as_ref().map_or([0; 32], Read::digest)]);
        if seen == self.seen {
            return Ok(None);
        }
        self.seen = seen;
        let classical = classical.map(|read| read.credentials()).transpose()?;
        Ok(Some(Certificates { quantum_safe: quantum_safe.credentials()?, classical }))
    }
}

/// The two files of a pair, as they were at one moment.
pub(super) struct Read<'a> {
    pair: &'a Pair,
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl<'a> Read<'a> {
    pub(super) async fn of(pair: &'a Pair) -> anyhow::Result<Self> {
        let unreadable = |path: &std::path::Path| format!("reading {}", path.display());
        let certificate = tokio::fs::read(&pair.certificate).await.with_context(|| unreadable(&pair.certificate))?;
        let key = tokio::fs::read(&pair.key).await.with_context(|| unreadable(&pair.key))?;
        Ok(Self { pair, certificate, key: Zeroizing::new(key) })
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        sha256(&[&sha256(&[&self.certificate]), &sha256(&[&self.key])])
    }

    pub(super) fn credentials(&self) -> anyhow::Result<Credentials> {
        Credentials::from_pem(&self.certificate, &self.key)
            .with_context(|| format!("{} and {}", self.pair.certificate.display(), self.pair.key.display()))
    }
}
