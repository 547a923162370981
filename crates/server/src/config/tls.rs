//! The section `[tls]`: the listener that other machines may reach.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;
use serde::Deserialize;
use tls::public::Strictness;

/// The section as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsSection {
    listen: SocketAddr,
    certificate_file: PathBuf,
    key_file: PathBuf,
    classical_certificate_file: Option<PathBuf>,
    classical_key_file: Option<PathBuf>,
    #[serde(default)]
    strict: bool,
}

/// What it means.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// Where HTTPS is served.
    pub listen: SocketAddr,
    /// Where its certificates come from.
    pub source: Source,
    /// Whether peers that are not quantum-safe are served.
    pub strictness: Strictness,
}

/// Where the listener's certificates come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Files that somebody else writes, read again when they change.
    Files {
        /// The ML-DSA chain.
        quantum_safe: Pair,
        /// The chain for peers that cannot read it.
        classical: Option<Pair>,
    },
}

/// A chain in PEM, the leaf first, and its private key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The chain's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

impl TlsSection {
    pub(super) fn checked(self) -> anyhow::Result<TlsConfig> {
        let classical = match (self.classical_certificate_file, self.classical_key_file) {
            (Some(certificate), Some(key)) => Some(Pair { certificate, key }),
            (None, None) => None,
            _ => bail!("tls: classical_certificate_file and classical_key_file go together"),
        };
        if self.strict && classical.is_some() {
            bail!("tls.strict = true never shows a classical certificate: leave out classical_certificate_file");
        }
        let quantum_safe = Pair { certificate: self.certificate_file, key: self.key_file };
        Ok(TlsConfig {
            listen: self.listen,
            source: Source::Files { quantum_safe, classical },
            strictness: if self.strict { Strictness::QuantumSafe } else { Strictness::Compatible },
        })
    }
}
