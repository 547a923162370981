//! Configuration: what the TOML file says ([`File`]) and what it means ([`Config`]).
//!
//! Unknown keys are refused. What is allowed to run is not said here but in the policy file, which the deploy gate reads as well.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use crate::remembered::Room;
use crate::workload::{CustomKind, Kinds};

/// The checked configuration.
#[derive(Debug)]
pub struct Config {
    /// The webhook's listener.
    pub webhook: Webhook,
    /// What the listener proves itself with.
    pub tls: Tls,
    /// Where health, metrics and explanations are served.
    pub status_listen: SocketAddr,
    /// What may run.
    pub policy: PolicyFiles,
    /// Who issues tickets for emergencies, which do not count without it, and certificates.
    pub platform: Option<Platform>,
    /// How registries are asked.
    pub registry: RegistrySection,
    /// How long what was found is believed.
    pub cache: Cache,
    /// In which objects a tag becomes a digest.
    pub pin: Pin,
    /// The kinds that hold pods.
    pub kinds: Kinds,
    /// How logs look.
    pub log: LogSection,
}

/// The webhook's listener and its limits.
#[derive(Clone, Copy, Debug)]
pub struct Webhook {
    /// Where.
    pub listen: SocketAddr,
    /// How long one review may take. Shorter than `timeoutSeconds` of the webhook, so that the answer is ours.
    pub budget: Duration,
    /// Connections held at once.
    pub connections: usize,
    /// The longest body.
    pub body_bytes: usize,
    /// All bodies that are held at once.
    pub memory_bytes: usize,
}

/// A chain in PEM, the leaf first, and its private key; both may be one file.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The chain's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

/// What the listener proves itself with.
#[derive(Clone, Debug)]
pub enum Tls {
    /// Certificates that the platform issues to it, under keys that it makes.
    Own(Own),
    /// Files that somebody else writes.
    Files(TlsFiles),
}

/// Certificates of its own.
#[derive(Clone, Debug)]
pub struct Own {
    /// The DNS names that API servers call it by.
    pub names: Vec<String>,
    /// What `caBundle` of the webhook configurations holds, in PEM.
    pub anchors: PathBuf,
    /// Whether there is one for API servers that know no ML-DSA.
    pub danger_classical: bool,
}

/// Files that somebody else writes.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Shown to API servers that can check it.
    pub first: Pair,
    /// Shown to those that know no ML-DSA.
    pub classical: Option<Pair>,
}

/// The policy, and what goes with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFiles {
    /// The policy file.
    pub file: PathBuf,
}

/// Who issues tickets for emergencies, and the webhook's own certificates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// The address of the platform.
    pub url: String,
    /// A file that holds the API key: scope `gate:read`, and `certificates:write` where the webhook has certificates of its own.
    pub key_file: PathBuf,
    /// A PEM file of authorities that the platform's own certificate may come from.
    pub authorities_file: Option<PathBuf>,
    /// The fingerprint of the one authority that it may come from.
    pub authority_fingerprint: Option<String>,
    /// Lets the key travel unencrypted to another machine.
    #[serde(default)]
    pub danger_plain_http: bool,
}

/// How registries are asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrySection {
    /// Credentials as docker and podman write them. Nobody's unless told: the environment of the process decides nothing.
    pub credentials_file: Option<PathBuf>,
    /// A PEM file of authorities to trust beside the public ones.
    pub authorities_file: Option<PathBuf>,
    /// Images that are looked up at once.
    pub lookups: usize,
}

/// How long what was found is believed.
#[derive(Clone, Copy, Debug)]
pub struct Cache {
    /// Signatures that were found, before they are looked for again.
    pub fresh: Duration,
    /// The same for an image that was refused: its signature may be under way.
    pub refused: Duration,
    /// Signatures that were found, while the registry does not answer.
    pub stale: Duration,
    /// How much is remembered of images, and of tags.
    pub room: Room,
}

/// In which objects a tag becomes a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pin {
    /// In Pods alone: templates stay what the repository of whoever deploys says.
    #[default]
    Pods,
    /// In templates as well.
    Everything,
    /// Nowhere: then Pods have to come with digests.
    Nothing,
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

impl Default for RegistrySection {
    fn default() -> Self {
        Self { credentials_file: None, authorities_file: None, lookups: 32 }
    }
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    webhook: WebhookSection,
    tls: TlsSection,
    status: StatusSection,
    policy: PolicyFiles,
    platform: Option<Platform>,
    #[serde(default)]
    registry: RegistrySection,
    #[serde(default)]
    cache: CacheSection,
    #[serde(default)]
    mutation: MutationSection,
    #[serde(default)]
    kinds: Vec<CustomKind>,
    #[serde(default)]
    log: LogSection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookSection {
    listen: SocketAddr,
    #[serde(default = "budget_ms")]
    budget_ms: u64,
    #[serde(default = "connections")]
    connections: usize,
    #[serde(default = "body_bytes")]
    body_bytes: usize,
    #[serde(default = "memory_bytes")]
    memory_bytes: usize,
}

fn budget_ms() -> u64 {
    8_000
}

fn connections() -> usize {
    2_048
}

/// An object of etcd's largest size, twice, and what is around it.
fn body_bytes() -> usize {
    8 << 20
}

fn memory_bytes() -> usize {
    256 << 20
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsSection {
    names: Vec<String>,
    anchors_file: Option<PathBuf>,
    danger_classical: bool,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    classical_certificate_file: Option<PathBuf>,
    classical_key_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusSection {
    listen: SocketAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CacheSection {
    fresh_s: u64,
    refused_s: u64,
    stale_s: u64,
    entries: usize,
    memory_bytes: usize,
}

impl Default for CacheSection {
    fn default() -> Self {
        Self { fresh_s: 300, refused_s: 10, stale_s: 3_600, entries: 10_000, memory_bytes: 128 << 20 }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MutationSection {
    pin: Pin,
}

/// The API server waits for 30 seconds at most.
const LONGEST_BUDGET_MS: u64 = 29_000;

impl Config {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Checks the text of a file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        ensure!(file.registry.lookups > 0, "registry: lookups is 0, so no image could be looked up");
        let tls = file.tls.checked()?;
        ensure!(
            file.platform.is_some() || matches!(tls, Tls::Files(_)),
            "tls: names asks the platform for certificates, and there is no [platform]"
        );
        Ok(Self {
            webhook: file.webhook.checked()?,
            tls,
            status_listen: file.status.listen,
            policy: file.policy,
            platform: file.platform,
            registry: file.registry,
            cache: file.cache.checked()?,
            pin: file.mutation.pin,
            kinds: Kinds::new(file.kinds).map_err(anyhow::Error::msg)?,
            log: file.log,
        })
    }
}

impl WebhookSection {
    fn checked(self) -> anyhow::Result<Webhook> {
        ensure!(
            (100..=LONGEST_BUDGET_MS).contains(&self.budget_ms),
            "webhook: budget_ms is from 100 to {LONGEST_BUDGET_MS}: the API server waits no longer than 30 seconds"
        );
        ensure!(self.connections > 0, "webhook: connections is 0");
        ensure!(
            self.body_bytes >= 64 << 10,
            "webhook: body_bytes is less than 65536, which refuses objects that are used"
        );
        ensure!(self.memory_bytes >= self.body_bytes, "webhook: memory_bytes is less than body_bytes");
        Ok(Webhook {
            listen: self.listen,
            budget: Duration::from_millis(self.budget_ms),
            connections: self.connections,
            body_bytes: self.body_bytes,
            memory_bytes: self.memory_bytes,
        })
    }
}

impl TlsSection {
    fn checked(self) -> anyhow::Result<Tls> {
        let has_files =
            [&self.certificate_file, &self.key_file, &self.classical_certificate_file, &self.classical_key_file];
        let has_files = has_files.into_iter().any(Option::is_some);
        match (has_files, self.names.is_empty()) {
            (false, false) => self.own().map(Tls::Own),
            (true, true) => self.files().map(Tls::Files),
            (true, false) => bail!("tls: names and files are two places for one certificate"),
            (false, true) => {
                bail!("tls: neither names, for certificates of the platform, nor certificate_file and key_file")
            }
        }
    }

    fn own(self) -> anyhow::Result<Own> {
        let anchors = self.anchors_file.context("tls: names without anchors_file, which holds what caBundle holds")?;
        Ok(Own { names: self.names, anchors, danger_classical: self.danger_classical })
    }

    fn files(self) -> anyhow::Result<TlsFiles> {
        ensure!(
            self.anchors_file.is_none() && !self.danger_classical,
            "tls: anchors_file and danger_classical are of certificates that the platform issues, by names"
        );
        let first = match (self.certificate_file, self.key_file) {
            (Some(certificate), Some(key)) => Pair { certificate, key },
            _ => bail!("tls: certificate_file and key_file go together"),
        };
        let classical = match (self.classical_certificate_file, self.classical_key_file) {
            (Some(certificate), Some(key)) => Some(Pair { certificate, key }),
            (None, None) => None,
            _ => bail!("tls: classical_certificate_file and classical_key_file go together"),
        };
        Ok(TlsFiles { first, classical })
    }
}

impl CacheSection {
    fn checked(self) -> anyhow::Result<Cache> {
        ensure!(self.stale_s >= self.fresh_s, "cache: stale_s is less than fresh_s");
        ensure!(self.refused_s <= self.fresh_s, "cache: refused_s is more than fresh_s");
        ensure!(self.stale_s <= 7 * 86_400, "cache: stale_s is more than a week");
        ensure!(self.entries > 0, "cache: entries is 0");
        ensure!(self.memory_bytes > 0, "cache: memory_bytes is 0");
        Ok(Cache {
            fresh: Duration::from_secs(self.fresh_s),
            refused: Duration::from_secs(self.refused_s),
            stale: Duration::from_secs(self.stale_s),
            room: Room { entries: self.entries, bytes: self.memory_bytes },
        })
    }
}

impl Cache {
    /// For a program that asks once and ends.
    pub fn for_one_question() -> Self {
        let room = Room { entries: 1, bytes: usize::MAX };
        Self { fresh: Duration::from_secs(60), refused: Duration::ZERO, stale: Duration::from_secs(60), room }
    }
}

#[cfg(test)]
mod tests;
