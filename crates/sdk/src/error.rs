//! What can go wrong between a client and the platform.

use std::collections::BTreeMap;
use std::time::Duration;

use api::error::ErrorCode;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client cannot be made so: the address, the credential or the authorities.
    #[error("{0}")]
    Config(String),
    /// The server could not be reached, or hung up.
    #[error("the server at {address} cannot be reached")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time.
    #[error("no answer from {address} within {} s", after.as_secs())]
    TimedOut {
        /// Where it was expected from.
        address: String,
        /// How long one attempt may take.
        after: Duration,
    },
    /// The server said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The identity provider said no.
    #[error("{0}")]
    OAuth(Box<OAuthRefusal>),
    /// There is no credential to show: what it is made of cannot be had.
    #[error("{0}")]
    Credential(String),
    /// The answer is not one of this platform.
    #[error("the answer (status {status}) is not one of this platform: is the address right?")]
    Foreign {
        /// Its status.
        status: u16,
    },
    /// The body cannot be written as JSON.
    #[error("writing the request")]
    Unwritable(#[source] serde_json::Error),
}

/// The server's reason for saying no.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The stable code.
    pub code: String,
    /// The same in words.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// The request, as in the server's log.
    pub request_id: String,
    /// How long the server wants us to wait.
    pub retry_after: Option<Duration>,
    /// Facts that belong to the code.
    pub details: BTreeMap<String, serde_json::Value>,
}

/// The identity provider's reason for saying no (RFC 6749, 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthRefusal {
    /// The code: `invalid_grant`, `access_denied`, ...
    pub code: String,
    /// A sentence for developers.
    pub description: String,
    /// The HTTP status.
    pub status: u16,
}

impl std::fmt::Display for OAuthRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What another program says goes to a terminal: one line of what can be read.
        let said = self.description.chars().filter(|letter| !letter.is_control()).take(300);
        let said: String = said.collect();
        let code: String = self.code.chars().filter(|letter| !letter.is_control()).take(60).collect();
        match said.trim_end_matches('.') {
            "" => write!(f, "the identity provider refused ({code})"),
            said => write!(f, "{said} ({code})"),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message.trim_end_matches('.'), self.code)
    }
}

impl Error {
    /// The server's reason, if it gave one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The server's stable code, if it is one that this version knows.
    pub fn code(&self) -> Option<ErrorCode> {
        self.refusal().and_then(|refusal| refusal.code.parse().ok())
    }
}

/// An error and its causes in one line.
pub fn report(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
