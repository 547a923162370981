//! Why a request is not let in, and how that is said (RFC 6750, 3).

use crypto::jose::Refusal;

/// Why a token is not believed, or does not suffice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// The request shows none.
    #[error("no access token is shown")]
    Missing,
    /// The request shows something that nobody can read: two tokens, or another scheme.
    #[error("the Authorization header is malformed, or there twice")]
    Malformed,
    /// It is not a token of the issuer for this API now.
    #[error("the token is not believed: {0}")]
    Token(#[from] Refusal),
    /// It is bound to a certificate that the request did not show.
    #[error("the token is bound to something that was not shown")]
    Bound,
    /// The issuer says that it is dead, or never heard of it.
    #[error("the token is not active")]
    Inactive,
    /// It is believed, and does not allow this.
    #[error("the token does not allow {0}")]
    Scope(String),
    /// Nobody can say at the moment: the issuer's keys were never had, or it does not answer.
    #[error("tokens cannot be checked now: {0}")]
    Unavailable(String),
}

impl Rejected {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Missing | Self::Token(_) | Self::Bound | Self::Inactive => 401,
            Self::Scope(_) => 403,
            Self::Unavailable(_) => 503,
        }
    }

    /// The `WWW-Authenticate` header of the answer. Why a token is not believed is for the log, not for whoever shows it.
    pub fn challenge(&self) -> String {
        match self {
            Self::Missing | Self::Unavailable(_) => "Bearer".to_owned(),
            Self::Malformed => "Bearer error=\"invalid_request\"".to_owned(),
            Self::Token(_) | Self::Bound | Self::Inactive => "Bearer error=\"invalid_token\"".to_owned(),
            Self::Scope(scope) => {
                let is_word = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
                match scope.bytes().all(is_word) {
                    true => format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""),
                    false => "Bearer error=\"insufficient_scope\"".to_owned(),
                }
            }
        }
    }
}
