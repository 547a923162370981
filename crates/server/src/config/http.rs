//! `[http]`: whom to believe about where requests come from, and how long answers are waited for.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ipnet::IpNet;
use serde::Deserialize;

/// The checked section.
#[derive(Debug, Clone)]
pub struct HttpSection {
    /// Networks whose machines say truly whom they speak for; none by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Where they say it.
    pub forwarded_header: ForwardedHeader,
    /// How long a client may take nothing of its answer before it is let go.
    pub write_timeout: Duration,
}

/// The header that the proxies write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardedHeader {
    /// Its name in a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpFile {
    trusted_proxies: Vec<String>,
    forwarded_header: ForwardedHeader,
    write_timeout_seconds: u64,
}

impl Default for HttpFile {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            write_timeout_seconds: WRITE_TIMEOUT_S,
        }
    }
}

impl Default for HttpSection {
    fn default() -> Self {
        let write_timeout = Duration::from_secs(WRITE_TIMEOUT_S);
        Self { trusted_proxies: Vec::new(), forwarded_header: ForwardedHeader::default(), write_timeout }
    }
}

const WRITE_TIMEOUT_S: u64 = 30;
const WRITE_TIMEOUT_MAX_S: u64 = 3_600;

impl HttpFile {
    /// Refuses what would believe everybody.
    pub fn checked(self) -> anyhow::Result<HttpSection> {
        if !(1..=WRITE_TIMEOUT_MAX_S).contains(&self.write_timeout_seconds) {
            bail!("http.write_timeout_seconds lies between 1 and {WRITE_TIMEOUT_MAX_S}");
        }
        Ok(HttpSection {
            trusted_proxies: self.trusted_proxies.iter().map(|text| network(text)).collect::<anyhow::Result<_>>()?,
            forwarded_header: self.forwarded_header,
            write_timeout: Duration::from_secs(self.write_timeout_seconds),
        })
    }
}

/// A network, or the one address that stands for itself.
fn network(text: &str) -> anyhow::Result<IpNet> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse().with_context(|| format!("http.trusted_proxies: {text:?} is no network"))?,
    };
    if network.prefix_len() == 0 {
        bail!("http.trusted_proxies: {text} would believe everybody; name the networks of the proxies");
    }
    Ok(network)
}
