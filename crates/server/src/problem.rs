//! Problems: what a caller is told when something cannot be done, and the one place where errors become that.
//!
//! The public half is a stable code, a sentence and details. The inner half is logged once, with the request id, and
//! never sent. [`Problem`] travels inside the response; `http::serve` renders it, because only there the request id
//! is at hand.

use api::error::ErrorCode;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::authz::Denied;
use domain::identity::application::BadSetting;
use domain::key::{NoSuchTransition, Refusal};
use domain::name::BadName;
use domain::secret::Unreadable;
use serde_json::{Map, Value, json};

/// The result of everything a caller can ask for.
pub type Outcome<T> = Result<T, Problem>;

/// What a caller is told.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The stable code; it decides the status.
    pub code: ErrorCode,
    /// A sentence for people.
    pub message: String,
    /// Facts for programs.
    pub details: Map<String, Value>,
    /// Whole seconds to wait before another try.
    pub retry_after_s: Option<u64>,
    /// What really happened, for the log alone.
    pub cause: Option<String>,
}

impl Problem {
    /// A problem of this code, said in this sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: Map::new(), retry_after_s: None, cause: None }
    }

    /// The request is malformed, in this way.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    /// There is no such thing, or the caller may not know of it.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("There is no such {what}."))
    }

    /// Our fault. The caller learns only that; the log learns why.
    pub fn internal(doing: &str, cause: impl std::fmt::Display) -> Self {
        let mut problem =
            Self::new(ErrorCode::Internal, "The server failed. The request id finds the reason in its log.");
        problem.cause = Some(format!("{doing}: {cause}"));
        problem
    }

    /// Adds a fact for programs.
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Says how long to wait.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The platform is sealed.
    pub fn sealed() -> Self {
        Self::new(ErrorCode::Sealed, "The platform is sealed; an operator must unseal it.").retry_after(30)
    }

    /// Something would leave the environment that the credential is bound to, or come into another.
    pub fn other_environment() -> Self {
        Self::new(ErrorCode::Forbidden, "The labels name an environment to which the credential is not bound.")
    }

    /// The same to an operator at a terminal, who may know what really happened.
    pub fn for_operator(self) -> anyhow::Error {
        match self.cause {
            Some(cause) => anyhow::anyhow!("{cause}"),
            None => anyhow::anyhow!("{}", self.message),
        }
    }

    /// The error object of the wire contract (2.8), as every reader understands it.
    pub fn body(&self, request_id: &str) -> Value {
        json!({
            "error": self.code.as_str(),
            "message": self.message,
            "details": self.details,
            "status": self.code.status(),
            "title": self.code.title(),
            "detail": self.message,
            "requestId": request_id,
        })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        let (code, message) = match &error {
            store::Error::Unique => (ErrorCode::Conflict, "Something of that name or id exists already."),
            store::Error::Nul => (ErrorCode::InvalidRequest, "A text holds a NUL, which none may."),
            store::Error::Conflict => {
                (ErrorCode::Conflict, "Somebody else changed it at the same time; read it and try again.")
            }
            store::Error::Busy | store::Error::Unavailable(_) | store::Error::ReadOnly => {
                (ErrorCode::Unavailable, "The store cannot be reached at the moment.")
            }
            _ => return Self::internal("store", report(&error)),
        };
        let mut problem = Self::new(code, message);
        if code == ErrorCode::Unavailable {
            problem.retry_after_s = Some(1);
            problem.cause = Some(report(&error));
        }
        problem
    }
}

/// An error with its whole chain of causes on one line.
pub fn report(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::new(ErrorCode::InsufficientScope, format!("The credential lacks the scope {}.", denied.required))
            .detail("required_scope", denied.required.as_str())
    }
}

impl From<crypto::Error> for Problem {
    fn from(error: crypto::Error) -> Self {
        Self::internal("cryptography", report(&error))
    }
}

/// Whatever was wrong with a ciphertext, the caller gets one and the same refusal.
impl From<crypto::Refused> for Problem {
    fn from(_: crypto::Refused) -> Self {
        Self::new(
            ErrorCode::DecryptionFailed,
            "The ciphertext cannot be opened with this key and this associated data.",
        )
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (code, message) = match refusal {
            Refusal::WrongKind => (ErrorCode::KeyWrongType, "The key is of a kind that cannot do this."),
            Refusal::NotUsable => (ErrorCode::KeyDisabled, "The key's state does not allow this."),
            Refusal::Revoked => (ErrorCode::KeyRevoked, "The key is revoked."),
            Refusal::Expired => (ErrorCode::KeyDisabled, "The key has expired; rotate it or move its expiry."),
            Refusal::BelowMinimum => {
                (ErrorCode::KeyVersionBelowMinimum, "The key version is below the minimum that may still be used.")
            }
            Refusal::NoSuchVersion => return crypto::Refused.into(),
        };
        Self::new(code, message)
    }
}

impl From<NoSuchTransition> for Problem {
    fn from(error: NoSuchTransition) -> Self {
        Self::new(ErrorCode::Conflict, format!("A key that is {} cannot be changed so.", error.from))
    }
}

impl From<Unreadable> for Problem {
    fn from(unreadable: Unreadable) -> Self {
        let message = match unreadable {
            Unreadable::Inactive => "The secret is deactivated; activate it to read its value.",
            Unreadable::Expired => "The secret has expired; give it a later expiry to read its value.",
        };
        Self::new(ErrorCode::SecretInactive, message)
    }
}

impl From<BadSetting> for Problem {
    fn from(bad: BadSetting) -> Self {
        Self::invalid(format!("{bad}."))
    }
}

impl From<BadName> for Problem {
    fn from(bad: BadName) -> Self {
        Self::invalid(format!("The name {bad}."))
    }
}
