//! The section `[tls]`: the listener that other machines may reach.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use crypto::x509::AltName;
use serde::Deserialize;
use tls::public::Strictness;

/// The section as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsSection {
    listen: SocketAddr,
    mtls_listen: Option<SocketAddr>,
    #[serde(default)]
    names: Vec<String>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
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

/// The listener for services, which asks everybody for a certificate of ours.
#[derive(Debug, Clone)]
pub struct MtlsConfig {
    /// Where services come in.
    pub listen: SocketAddr,
    /// The names of its own certificate.
    pub names: Vec<AltName>,
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
    /// The platform's own authority.
    Issued {
        /// The names of its certificates.
        names: Vec<AltName>,
        /// Files in the place of its classical chain: one of an authority that other programs know already.
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

impl TlsConfig {
    /// What `qapid dev` serves: loopback, by its own authority.
    pub fn dev(listen: SocketAddr) -> anyhow::Result<Self> {
        let source = Source::Issued { names: dev_names(listen)?, classical: None };
        Ok(Self { listen, source, strictness: Strictness::Compatible })
    }
}

impl MtlsConfig {
    /// What `qapid dev` serves: loopback.
    pub fn dev(listen: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { listen, names: dev_names(listen)? })
    }
}

fn dev_names(listen: SocketAddr) -> anyhow::Result<Vec<AltName>> {
    if !listen.ip().is_loopback() {
        bail!("dev listens on loopback only, {listen} is not: use `qapid serve --config FILE`");
    }
    read(&["localhost".to_owned(), listen.ip().to_string()])
}

impl TlsSection {
    pub(super) fn checked(self) -> anyhow::Result<(TlsConfig, Option<MtlsConfig>)> {
        let mtls = self.mtls()?;
        let classical = match (self.classical_certificate_file, self.classical_key_file) {
            (Some(certificate), Some(key)) => Some(Pair { certificate, key }),
            (None, None) => None,
            _ => bail!("tls: classical_certificate_file and classical_key_file go together"),
        };
        if self.strict && classical.is_some() {
            bail!("tls.strict = true never shows a classical certificate: leave out classical_certificate_file");
        }
        let source = match (self.certificate_file, self.key_file) {
            (Some(certificate), Some(key)) if self.names.is_empty() || mtls.is_some() => {
                Source::Files { quantum_safe: Pair { certificate, key }, classical }
            }
            (None, None) if !self.names.is_empty() => Source::Issued { names: read(&self.names)?, classical },
            _ => bail!(
                "tls: give either names, for certificates of the platform's own, or certificate_file and key_file"
            ),
        };
        let config = TlsConfig {
            listen: self.listen,
            source,
            strictness: if self.strict { Strictness::QuantumSafe } else { Strictness::Compatible },
        };
        Ok((config, mtls))
    }

    /// Its certificate is always the platform's own, so it has to be told its names, whatever the other listener shows.
    fn mtls(&self) -> anyhow::Result<Option<MtlsConfig>> {
        let Some(listen) = self.mtls_listen else { return Ok(None) };
        if self.names.is_empty() {
            bail!("tls.mtls_listen needs tls.names: services look for one of them in its certificate");
        }
        Ok(Some(MtlsConfig { listen, names: read(&self.names)? }))
    }
}

fn read(names: &[String]) -> anyhow::Result<Vec<AltName>> {
    names.iter().map(|name| name.parse().with_context(|| format!("tls.names: {name}"))).collect()
}
