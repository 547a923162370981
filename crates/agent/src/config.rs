//! Configuration: what the TOML file says ([`File`]) and what it means ([`Config`]).
//!
//! Unknown keys are refused, credentials come by file or environment, and every weakening has `danger` in its name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use crypto::x509::SpiffeId;
use serde::Deserialize;

/// The checked configuration.
#[derive(Debug)]
pub struct Config {
    /// Where certificates come from.
    pub platform: Platform,
    /// Who this side is.
    pub identity: Identity,
    /// Where health and metrics are served.
    pub status_listen: SocketAddr,
    /// Ports that others reach.
    pub inbound: Vec<Inbound>,
    /// Ports that reach others.
    pub outbound: Vec<Outbound>,
    /// What is written for programs that speak TLS themselves; nothing unless chosen.
    pub files: Option<Files>,
    /// Connections of one port held at once.
    pub connections: usize,
    /// How long open connections may take to finish when the agent stops.
    pub drain: Duration,
    /// How logs look.
    pub log: LogSection,
}

/// Where certificates come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The address of the platform.
    pub url: String,
    /// Where it lets services in by their certificates; the API key renews them unless told.
    pub mtls_url: Option<String>,
    /// The tenant's slug, where it is not the default one.
    pub tenant: Option<String>,
    /// A file that holds the API key.
    pub key_file: Option<PathBuf>,
    /// An environment variable that holds it.
    pub key_env: Option<String>,
    /// A PEM file of authorities that the platform's own certificate may come from.
    pub authorities_file: Option<PathBuf>,
    /// The fingerprint of the one authority that it may come from.
    pub authority_fingerprint: Option<String>,
    /// Lets the key travel unencrypted to another machine.
    #[serde(default)]
    pub danger_plain_http: bool,
}

/// Who this side is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// The service's name; the variable SERVICE_NAME unless told.
    pub service_name: Option<String>,
    /// The namespace it runs in; the variable SERVICE_NAMESPACE unless told.
    pub namespace: Option<String>,
    /// DNS names beside those that follow from name and namespace.
    pub dns_names: Vec<String>,
    /// A SPIFFE id other than the one that follows from them.
    pub spiffe_id: Option<String>,
    /// How long certificates shall live; what the authority gives unless told.
    pub validity_hours: Option<u32>,
}

/// A port that others reach over mTLS, and the port of the application behind it.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// What logs and metrics call it.
    pub name: String,
    /// Where others come in.
    pub listen: SocketAddr,
    /// Where the application listens.
    pub forward: SocketAddr,
    /// Who may.
    pub allow: BTreeSet<SpiffeId>,
}

/// A loopback port of this machine, and the service that it leads to.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// What logs and metrics call it.
    pub name: String,
    /// Where the application connects to.
    pub listen: SocketAddr,
    /// Where the service is.
    pub connect: String,
    /// Who has to answer there.
    pub expect: BTreeSet<SpiffeId>,
}

/// What is written for programs that speak TLS themselves.
#[derive(Debug)]
pub struct Files {
    /// Where.
    pub directory: PathBuf,
    /// Whether it may lie on a disk.
    pub medium: Medium,
    /// The file of key and chain.
    pub identity: PathBuf,
    /// The file of anchors.
    pub bundle: PathBuf,
    /// Files of secrets, by the secret's name.
    pub secrets: BTreeMap<String, PathBuf>,
    /// How old a secret may be in memory.
    pub secret_max_age: Duration,
    /// The program to run when something changed, and its arguments.
    pub reload: Vec<String>,
}

/// What a directory of private keys may lie on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Medium {
    /// Memory alone.
    Memory,
    /// Anything: somebody said so.
    DangerAny,
}

/// How logs look.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// Lines for people or JSON for machines.
    pub format: LogFormat,
    /// A level, or directives as `tracing-subscriber` reads them.
    pub level: String,
}

/// See [`LogSection::format`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    platform: Platform,
    #[serde(default)]
    identity: Identity,
    status: StatusSection,
    #[serde(default)]
    inbound: Vec<InboundSection>,
    #[serde(default)]
    outbound: Vec<OutboundSection>,
    files: Option<FilesSection>,
    #[serde(default)]
    limits: LimitsSection,
    #[serde(default)]
    log: LogSection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusSection {
    listen: SocketAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InboundSection {
    name: String,
    listen: SocketAddr,
    forward: SocketAddr,
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutboundSection {
    name: String,
    listen: SocketAddr,
    connect: String,
    expect: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilesSection {
    directory: PathBuf,
    #[serde(default)]
    danger_directory_on_disk: bool,
    #[serde(default = "identity_file")]
    identity_file: PathBuf,
    #[serde(default = "bundle_file")]
    bundle_file: PathBuf,
    #[serde(default)]
    secrets: BTreeMap<String, PathBuf>,
    #[serde(default = "secret_max_age_s")]
    secret_max_age_s: u64,
    #[serde(default)]
    reload: Vec<String>,
}

fn identity_file() -> PathBuf {
    "identity.pem".into()
}

fn bundle_file() -> PathBuf {
    "bundle.pem".into()
}

fn secret_max_age_s() -> u64 {
    900
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsSection {
    connections: usize,
    drain_s: u64,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self { connections: 4_096, drain_s: 10 }
    }
}

impl Config {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Checks the text of a file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        ensure!(
            file.platform.key_file.is_none() || file.platform.key_env.is_none(),
            "platform: key_file and key_env are two places for one key"
        );
        ensure!(
            file.platform.authorities_file.is_none() || file.platform.authority_fingerprint.is_none(),
            "platform: authorities_file and authority_fingerprint exclude each other"
        );
        ensure!(file.status.listen.ip().is_loopback(), "status: {} is reached by others", file.status.listen);
        ensure!(file.limits.connections > 0, "limits: connections is zero");
        let inbound = file.inbound.into_iter().map(InboundSection::checked).collect::<Result<Vec<_>, _>>()?;
        let outbound = file.outbound.into_iter().map(OutboundSection::checked).collect::<Result<Vec<_>, _>>()?;
        let files = file.files.map(FilesSection::checked).transpose()?;
        ensure!(
            files.is_some() || !inbound.is_empty() || !outbound.is_empty(),
            "nothing to do: neither inbound nor outbound ports, nor files"
        );
        let names = inbound.iter().map(|port| &port.name).chain(outbound.iter().map(|port| &port.name));
        each_once(names)?;
        Ok(Self {
            platform: file.platform,
            identity: file.identity,
            status_listen: file.status.listen,
            inbound,
            outbound,
            files,
            connections: file.limits.connections,
            drain: Duration::from_secs(file.limits.drain_s),
            log: file.log,
        })
    }
}

impl InboundSection {
    fn checked(self) -> anyhow::Result<Inbound> {
        let Self { name, listen, forward, allow } = self;
        checked_name(&name)?;
        ensure!(forward.ip().is_loopback(), "inbound {name}: forward {forward} would leave this machine unencrypted");
        let allow = ids(&allow).with_context(|| format!("inbound {name}: allow"))?;
        Ok(Inbound { name, listen, forward, allow })
    }
}

impl OutboundSection {
    fn checked(self) -> anyhow::Result<Outbound> {
        let Self { name, listen, connect, expect } = self;
        checked_name(&name)?;
        ensure!(listen.ip().is_loopback(), "outbound {name}: others would reach {listen} and speak as this service");
        let port = connect.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        ensure!(port.is_some_and(|(host, port)| !host.is_empty() && port > 0), "outbound {name}: connect is host:port");
        let expect = ids(&expect).with_context(|| format!("outbound {name}: expect"))?;
        Ok(Outbound { name, listen, connect, expect })
    }
}

impl FilesSection {
    fn checked(self) -> anyhow::Result<Files> {
        ensure!(self.directory.is_absolute(), "files: directory is not absolute");
        let names = self.secrets.values().chain([&self.identity_file, &self.bundle_file]);
        for name in names.clone() {
            let mut parts = name.components();
            let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
            ensure!(plain, "files: {} is not the name of a file in the directory", name.display());
        }
        each_once(names)?;
        ensure!(self.secret_max_age_s >= 10, "files: secret_max_age_s is less than 10");
        if let Some(program) = self.reload.first() {
            ensure!(Path::new(program).is_absolute(), "files: reload runs no shell, so {program} has to be a path");
        }
        Ok(Files {
            medium: if self.danger_directory_on_disk { Medium::DangerAny } else { Medium::Memory },
            identity: self.directory.join(self.identity_file),
            bundle: self.directory.join(self.bundle_file),
            secrets: self.secrets.into_iter().map(|(name, file)| (name, self.directory.join(file))).collect(),
            directory: self.directory,
            secret_max_age: Duration::from_secs(self.secret_max_age_s),
            reload: self.reload,
        })
    }
}

fn ids(texts: &[String]) -> anyhow::Result<BTreeSet<SpiffeId>> {
    ensure!(!texts.is_empty(), "nobody: an empty list is a port that refuses everyone, leave it out instead");
    texts.iter().map(|text| text.parse().with_context(|| text.clone())).collect()
}

/// Names become labels of metrics.
fn checked_name(name: &str) -> anyhow::Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    ensure!(!name.is_empty() && name.len() <= 64 && name.bytes().all(allowed), "{name:?} is not a name of a port");
    Ok(())
}

fn each_once<T: Ord + std::fmt::Debug>(names: impl Iterator<Item = T>) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if let Some(name) = seen.replace(name) {
            bail!("{name:?} stands twice");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
