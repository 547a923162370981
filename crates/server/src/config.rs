//! Configuration: what the TOML file says ([`File`]) and what it means ([`Config`]).
//!
//! Unknown keys are refused, secrets come by file or environment, and every weakening has `danger` in its name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use egress::EgressSection;
use tls::{MtlsConfig, TlsConfig};

pub use http::{ForwardedHeader, HttpSection};

pub mod egress;
pub mod http;
pub mod mail;
pub mod tls;

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// HTTPS for other machines; none when absent.
    pub tls: Option<TlsConfig>,
    /// mTLS for services; none when absent.
    pub mtls: Option<MtlsConfig>,
    /// Proxies in front, and patience with clients.
    pub http: HttpSection,
    /// Where Prometheus metrics are served; nowhere when absent.
    pub metrics_listen: Option<SocketAddr>,
    /// The origin that share links point to.
    pub portal_origin: String,
    /// When answers carry snake_case twins.
    pub casing: CasingRule,
    /// Which store.
    pub store: StoreConfig,
    /// A file whose content unseals the platform at start.
    pub unseal_file: Option<PathBuf>,
    /// How logs look.
    pub log: LogSection,
    /// Limits on requests.
    pub limits: LimitsSection,
    /// Entropy sources beside the operating system's.
    pub entropy: Vec<DeviceSection>,
    /// Letters; none leave when absent.
    pub mail: Option<mail::MailConfig>,
    /// Certificates.
    pub certificates: CertificatesSection,
    /// Shown by `/health`.
    pub environment: String,
    /// What the server may call by itself.
    pub egress: EgressSection,
    /// A file of passwords that leaked, which nobody may choose.
    pub breach_list: Option<PathBuf>,
    /// What the trail has.
    pub audit: AuditSection,
}

/// The store's part.
#[derive(Debug, Clone)]
pub enum StoreConfig {
    /// SQLite files in a directory.
    Sqlite {
        /// The directory.
        data_dir: PathBuf,
    },
    /// A PostgreSQL database.
    Postgres {
        /// Its URL, password included: never logged.
        url: DatabaseUrl,
        /// Whether a remote database may be spoken to without TLS.
        danger_plaintext: bool,
    },
}

/// A database URL, which may hold a password.
#[derive(Clone)]
pub struct DatabaseUrl(pub String);

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

/// When answers carry a snake_case twin of each member (contract, rule 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CasingRule {
    /// For clients that need it, told by user agent, header or request body.
    #[default]
    Auto,
    /// For everybody: behind proxies that rewrite the user agent.
    Both,
}

/// The file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    server: ServerSection,
    tls: Option<tls::TlsSection>,
    #[serde(default)]
    http: http::HttpFile,
    store: StoreSection,
    #[serde(default)]
    seal: SealSection,
    #[serde(default)]
    log: LogSection,
    #[serde(default)]
    limits: LimitsSection,
    #[serde(default)]
    entropy: EntropySection,
    #[serde(default)]
    certificates: CertificatesSection,
    mail: Option<mail::MailSection>,
    #[serde(default)]
    egress: EgressSection,
    #[serde(default)]
    passwords: PasswordsSection,
    #[serde(default)]
    audit: AuditSection,
}

/// What the trail has.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSection {
    /// Each introspection. Otherwise one event speaks for the same ones of a minute.
    pub every_introspection: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PasswordsSection {
    breach_list_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerSection {
    listen: SocketAddr,
    metrics_listen: Option<SocketAddr>,
    portal_origin: String,
    #[serde(default)]
    casing: CasingRule,
    #[serde(default)]
    danger_plaintext_listen: bool,
    #[serde(default)]
    danger_plaintext_metrics: bool,
    #[serde(default = "production")]
    environment: String,
}

fn production() -> String {
    "production".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "engine")]
enum StoreSection {
    Sqlite {
        data_dir: PathBuf,
    },
    Postgres {
        url_file: Option<PathBuf>,
        url_env: Option<String>,
        #[serde(default)]
        danger_plaintext_database: bool,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealSection {
    unseal_file: Option<PathBuf>,
}

/// How logs look.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// Lines for people or JSON for machines.
    pub format: LogFormat,
    /// A level, or directives of targets and levels: `info,store=debug`.
    pub level: String,
}

/// See [`LogSection::format`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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

/// Limits on requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// The largest request body.
    pub body_bytes: usize,
    /// Requests a minute for a key that sets none of its own.
    pub requests_per_minute: u32,
    /// Requests a minute for one OAuth client that proved who it is; any number when 0.
    pub client_requests_per_minute: u32,
    /// Requests a minute for one address without a valid credential.
    pub anonymous_per_minute: u32,
    /// Entropy a tenant may draw in a month, in MB of 2^20 bytes.
    pub entropy_mb_per_month: u32,
    /// Connections held at once.
    pub connections: usize,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            body_bytes: 8 << 20,
            requests_per_minute: 6_000,
            client_requests_per_minute: 60_000,
            anonymous_per_minute: 600,
            entropy_mb_per_month: 1_024,
            connections: 4_096,
        }
    }
}

/// Certificates.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CertificatesSection {
    /// Which tenants' policies of names learn at first.
    pub learn_names: LearnNames,
}

/// Whose policy of names grows by being asked for, until the tenant decides for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LearnNames {
    /// The default tenant's.
    #[default]
    DefaultTenant,
    /// Every tenant's.
    Everywhere,
    /// Nobody's.
    Nowhere,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntropySection {
    #[serde(default)]
    devices: Vec<DeviceSection>,
}

/// One device or file that delivers entropy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSection {
    /// What answers call it.
    pub name: String,
    /// What is read.
    pub path: PathBuf,
    /// Whether its operator vouches that it is a quantum source.
    #[serde(default)]
    pub quantum: bool,
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Checks a file's text.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        let server = file.server;
        if !server.listen.ip().is_loopback() && !server.danger_plaintext_listen {
            bail!(
                "server.listen = {} would serve plain HTTP beyond this machine: listen on loopback and serve others \
                 through [tls] or a proxy, or set server.danger_plaintext_listen = true",
                server.listen
            );
        }
        if let Some(listen) = server.metrics_listen
            && !listen.ip().is_loopback()
            && !server.danger_plaintext_metrics
        {
            bail!(
                "server.metrics_listen = {listen} would serve plain HTTP beyond this machine: listen on loopback and let \
                 an agent or proxy fetch it there, or set server.danger_plaintext_metrics = true"
            );
        }
        let (tls, mtls) = file.tls.map(tls::TlsSection::checked).transpose()?.unzip();
        Ok(Self {
            listen: server.listen,
            tls,
            mtls: mtls.flatten(),
            http: file.http.checked()?,
            metrics_listen: server.metrics_listen,
            portal_origin: checked_origin(&server.portal_origin)?,
            casing: server.casing,
            store: file.store.checked()?,
            unseal_file: file.seal.unseal_file,
            log: file.log,
            limits: file.limits,
            entropy: file.entropy.devices,
            certificates: file.certificates,
            mail: file.mail.map(mail::MailSection::checked).transpose()?,
            environment: server.environment,
            egress: file.egress,
            breach_list: file.passwords.breach_list_file,
            audit: file.audit,
        })
    }

    /// What `qapid dev` runs with: loopback, SQLite in `data_dir`, unsealed from a file beside it.
    pub fn dev(data_dir: &Path, listen: SocketAddr) -> anyhow::Result<Self> {
        if !listen.ip().is_loopback() {
            bail!("dev listens on loopback only, {listen} is not: use `qapid serve --config FILE`");
        }
        Ok(Self {
            listen,
            tls: None,
            mtls: None,
            http: HttpSection::default(),
            metrics_listen: Some(SocketAddr::new(listen.ip(), 0)),
            portal_origin: format!("http://{listen}"),
            casing: CasingRule::Auto,
            store: StoreConfig::Sqlite { data_dir: data_dir.to_owned() },
            unseal_file: Some(data_dir.join("unseal.key")),
            log: LogSection::default(),
            limits: LimitsSection {
                anonymous_per_minute: 60_000,
                client_requests_per_minute: 0,
                ..LimitsSection::default()
            },
            entropy: Vec::new(),
            certificates: CertificatesSection { learn_names: LearnNames::Everywhere },
            mail: Some(mail::MailConfig::dev(data_dir)),
            environment: "development".to_owned(),
            egress: EgressSection::loopback(),
            breach_list: None,
            audit: AuditSection::default(),
        })
    }
}

impl StoreSection {
    fn checked(self) -> anyhow::Result<StoreConfig> {
        Ok(match self {
            Self::Sqlite { data_dir } => StoreConfig::Sqlite { data_dir },
            Self::Postgres { url_file, url_env, danger_plaintext_database } => {
                let url = match (url_file, url_env) {
                    (Some(path), None) => {
                        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?
                    }
                    (None, Some(name)) => std::env::var(&name).with_context(|| format!("reading ${name}"))?,
                    _ => bail!("store: give exactly one of url_file and url_env"),
                };
                StoreConfig::Postgres {
                    url: DatabaseUrl(url.trim().to_owned()),
                    danger_plaintext: danger_plaintext_database,
                }
            }
        })
    }
}

/// A share link's token must never travel to somebody else's site, so its origin is never guessed.
fn checked_origin(text: &str) -> anyhow::Result<String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(text.to_owned()),
        _ => bail!("server.portal_origin must be an origin like https://vault.example.com, without a path"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"
        [server]
        listen = "127.0.0.1:8640"
        portal_origin = "https://vault.example.com"
        [store]
        engine = "sqlite"
        data_dir = "/var/lib/qapi"
    "#;

    #[test]
    fn the_minimal_file_is_enough() {
        let config = Config::parse(MINIMAL).unwrap();
        assert_eq!(config.limits.requests_per_minute, 6_000);
        assert_eq!(config.casing, CasingRule::Auto);
    }

    #[test]
    fn what_would_weaken_or_be_ignored_is_refused() {
        for (from, to, complaint) in [
            ("127.0.0.1:8640", "0.0.0.0:8640", "danger_plaintext_listen"),
            ("[store]", "metrics_listen = \"[::]:8641\"\n[store]", "danger_plaintext_metrics"),
            ("[store]", "colour = 1\n[store]", "unknown field"),
            ("https://vault.example.com", "vault.example.com", "portal_origin"),
            ("https://vault.example.com", "https://vault.example.com/path", "portal_origin"),
            ("\"sqlite\"", "\"postgres\"", "unknown field"),
            ("[store]", "[http]\ntrusted_proxies = [\"everywhere\"]\n[store]", "no network"),
            ("[store]", "[http]\ntrusted_proxies = [\"0.0.0.0/0\"]\n[store]", "believe everybody"),
            ("[store]", "[http]\ntrusted_proxies = [\"10.0.0.1\", \"::/0\"]\n[store]", "believe everybody"),
            ("[store]", "[http]\nforwarded_header = \"x-real-ip\"\n[store]", "unknown variant"),
            ("[store]", "[http]\nwrite_timeout_seconds = 0\n[store]", "write_timeout_seconds"),
        ] {
            let error = format!("{:#}", Config::parse(&MINIMAL.replace(from, to)).unwrap_err());
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn the_samples_mean_what_their_comments_say() {
        let sqlite = Config::parse(include_str!("../../../deploy/config/sqlite.toml")).unwrap();
        assert!(matches!(sqlite.store, StoreConfig::Sqlite { .. }));
        let reachable = Config::parse(include_str!("../../../deploy/config/tls.toml")).unwrap();
        let tls = reachable.tls.unwrap();
        assert!(!tls.listen.ip().is_loopback() && tls.strictness == ::tls::public::Strictness::Compatible);
        assert!(matches!(tls.source, tls::Source::Files { classical: Some(_), .. }));
        assert_eq!(reachable.mtls.map(|mtls| mtls.listen.port()), Some(8444));
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("database-url");
        std::fs::write(&url, "postgres://qapi@localhost/qapi\n").unwrap();
        let sample = include_str!("../../../deploy/config/postgres.toml");
        let postgres = Config::parse(&sample.replace("/etc/qapi/database-url", url.to_str().unwrap())).unwrap();
        assert_eq!((postgres.http.trusted_proxies.len(), postgres.egress.allow.len()), (1, 1));
        let StoreConfig::Postgres { url, danger_plaintext } = postgres.store else { panic!("another engine") };
        assert_eq!((url.0.as_str(), danger_plaintext), ("postgres://qapi@localhost/qapi", false));
    }

    #[test]
    fn a_database_url_is_never_printed() {
        let url = DatabaseUrl("postgres://app:hunter2@db/qapi".into());
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
