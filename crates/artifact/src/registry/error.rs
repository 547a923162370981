//! How talking with a registry fails.

use std::time::Duration;

use crate::digest::Digest;
use crate::manifest::NotAManifest;

/// What goes wrong underneath.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// How talking with a registry failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's settings are not usable.
    #[error("{0}")]
    Config(String),
    /// The credentials for a registry cannot be read.
    #[error("reading the credentials for {registry}: {why}")]
    Credentials {
        /// The registry.
        registry: String,
        /// What is wrong.
        why: String,
    },
    /// The registry would be spoken to without encryption.
    #[error("{0} is not this machine, and would be spoken to without encryption")]
    PlainHttp(String),
    /// No connection came about, or it broke off.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// Whom we called.
        host: String,
        /// What happened.
        #[source]
        source: Cause,
    },
    /// There was no answer in time.
    #[error("{host} did not answer within {} s", after.as_secs_f32())]
    TimedOut {
        /// Whom we called.
        host: String,
        /// How long we waited.
        after: Duration,
    },
    /// Too many requests, or the registry is out of order; repeating them did not help.
    #[error("{host} answers {status}, also after repeating the request")]
    Busy {
        /// Whom we called.
        host: String,
        /// The last status.
        status: u16,
    },
    /// The registry wants other credentials, or none that it got may do this.
    #[error("{host} does not let us {what} ({status}{})", said(message))]
    Denied {
        /// Whom we called.
        host: String,
        /// What we wanted to do.
        what: String,
        /// 401 or 403.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The registry does not do it.
    #[error("{host} refuses to {what} ({status}{})", said(message))]
    Refused {
        /// Whom we called.
        host: String,
        /// What we wanted to do.
        what: String,
        /// The status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// What has to be there is not.
    #[error("{0} does not exist")]
    Absent(String),
    /// The registry handed out something else than was asked for.
    #[error("{what}: what the registry sent has the digest {found}")]
    OtherContent {
        /// What was asked for.
        what: String,
        /// What it hashes to.
        found: Digest,
    },
    /// It is longer than is read.
    #[error("{what} is longer than the {limit} bytes that are read")]
    TooLarge {
        /// What it is.
        what: String,
        /// The most that is read.
        limit: u64,
    },
    /// It is no manifest.
    #[error("{what} is not usable")]
    Manifest {
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        #[source]
        source: NotAManifest,
    },
    /// The answer is not one of a registry.
    #[error("{host} does not answer like a registry: {why}")]
    Foreign {
        /// Whom we called.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// Others changed the same list again and again.
    #[error("{0} was changed by others each time before it could be written")]
    Contended(String),
}

impl Error {
    /// A name that does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "registry_config",
            Self::Credentials { .. } => "registry_credentials",
            Self::PlainHttp(_) => "registry_plain_http",
            Self::Unreachable { .. } => "registry_unreachable",
            Self::TimedOut { .. } => "registry_timed_out",
            Self::Busy { .. } => "registry_busy",
            Self::Denied { .. } => "registry_denied",
            Self::Refused { .. } => "registry_refused",
            Self::Absent(_) => "registry_absent",
            Self::OtherContent { .. } => "registry_other_content",
            Self::TooLarge { .. } => "registry_too_large",
            Self::Manifest { .. } => "registry_manifest",
            Self::Foreign { .. } => "registry_foreign",
            Self::Contended(_) => "registry_contended",
        }
    }

    /// Whether the registry is out of reach or out of order: the question was not answered, and may be later.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Busy { .. } | Self::Contended(_))
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}
