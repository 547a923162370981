//! How OAuth says no: a code, a sentence for developers, and a status. What really happened goes to the log and the audit trail.

use api::error::ErrorCode;
use api::oauth::OAuthError;
use axum::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::identity::liveness::Dead;
use domain::identity::parameters::BadParameters;

use crate::problem::Problem;

/// The result of what OAuth's endpoints are asked.
pub type Answered<T> = Result<T, Refused>;

/// The codes of RFC 6749, 6750, 8628, 8693 and 8707.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OauthCode {
    /// Malformed, or with something twice.
    InvalidRequest,
    /// The client did not prove who it is.
    InvalidClient,
    /// What was shown for a token is not worth one.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// There is no such grant.
    UnsupportedGrantType,
    /// A scope that cannot be had.
    InvalidScope,
    /// An API that tokens cannot be had for.
    InvalidTarget,
    /// Somebody has yet to type the code.
    AuthorizationPending,
    /// Asked too often.
    SlowDown,
    /// Somebody said no.
    AccessDenied,
    /// The device waited too long.
    ExpiredToken,
    /// The bearer token is not worth anything here.
    InvalidToken,
    /// It is, but not this.
    InsufficientScope,
    /// The server cannot at the moment.
    TemporarilyUnavailable,
    /// The server failed.
    ServerError,
}

impl OauthCode {
    /// The code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::AccessDenied => "access_denied",
            Self::ExpiredToken => "expired_token",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// As audit and metrics count it.
    fn counted_as(self) -> ErrorCode {
        match self {
            Self::InvalidClient | Self::InvalidToken => ErrorCode::Unauthorized,
            Self::AccessDenied | Self::UnauthorizedClient | Self::InsufficientScope => ErrorCode::Forbidden,
            Self::TemporarilyUnavailable => ErrorCode::Unavailable,
            Self::ServerError => ErrorCode::Internal,
            _ => ErrorCode::InvalidRequest,
        }
    }
}

/// What the caller is told.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The code.
    pub code: OauthCode,
    /// A sentence for developers: plain ASCII without quotes (RFC 6749, 5.2).
    pub description: String,
    status: StatusCode,
    retry_after_s: Option<u64>,
    /// What really happened, for the log alone.
    pub cause: Option<String>,
    /// What to say in `WWW-Authenticate`.
    challenge: Option<String>,
}

impl Refused {
    /// A refusal of this code, said in this sentence.
    pub fn new(code: OauthCode, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            status: code.status(),
            retry_after_s: None,
            cause: None,
            challenge: None,
        }
    }

    /// `invalid_request`.
    pub fn invalid(description: impl Into<String>) -> Self {
        Self::new(OauthCode::InvalidRequest, description)
    }

    /// The one refusal of whatever a client shows for itself.
    pub fn client() -> Self {
        let mut refused = Self::new(OauthCode::InvalidClient, "The client did not prove who it is.");
        refused.challenge = Some("Basic realm=\"oauth2\", charset=\"UTF-8\"".to_owned());
        refused
    }

    /// The one refusal of whatever is shown for a token.
    pub fn grant(cause: impl std::fmt::Display) -> Self {
        let mut refused = Self::new(OauthCode::InvalidGrant, "What was shown is not worth a token, or not any more.");
        refused.cause = Some(cause.to_string());
        refused
    }

    /// The one refusal of whatever is shown as a bearer token (RFC 6750).
    pub fn token(cause: impl std::fmt::Display) -> Self {
        let mut refused = Self::new(OauthCode::InvalidToken, "The token is not valid here, or not any more.");
        refused.challenge = Some("Bearer error=\"invalid_token\"".to_owned());
        refused.cause = Some(cause.to_string());
        refused
    }

    /// The token is good, and not for this (RFC 6750, 3.1).
    pub fn scope(needed: &str) -> Self {
        let mut refused = Self::new(OauthCode::InsufficientScope, format!("The token has not the scope {needed}."));
        refused.challenge = Some(format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\""));
        refused
    }

    /// Nothing was shown at all.
    pub fn nothing_shown() -> Self {
        let mut refused = Self::new(OauthCode::InvalidToken, "Show an access token.");
        refused.challenge = Some("Bearer".to_owned());
        refused
    }

    /// The same with what really happened.
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The status of its answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The same as the audit trail writes it down.
    pub fn as_problem(&self) -> Problem {
        Problem::new(self.code.counted_as(), self.description.clone())
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let (status, code) = match problem.code.status() {
            500 => (StatusCode::INTERNAL_SERVER_ERROR, OauthCode::ServerError),
            503 => (StatusCode::SERVICE_UNAVAILABLE, OauthCode::TemporarilyUnavailable),
            429 => (StatusCode::TOO_MANY_REQUESTS, OauthCode::TemporarilyUnavailable),
            404 => (StatusCode::NOT_FOUND, OauthCode::InvalidRequest),
            401 => (StatusCode::UNAUTHORIZED, OauthCode::InvalidClient),
            413 => (StatusCode::PAYLOAD_TOO_LARGE, OauthCode::InvalidRequest),
            408 => (StatusCode::REQUEST_TIMEOUT, OauthCode::InvalidRequest),
            _ => (StatusCode::BAD_REQUEST, OauthCode::InvalidRequest),
        };
        Self {
            code,
            description: problem.message,
            status,
            retry_after_s: problem.retry_after_s,
            cause: problem.cause,
            challenge: None,
        }
    }
}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<crypto::Error> for Refused {
    fn from(error: crypto::Error) -> Self {
        Problem::from(error).into()
    }
}

impl From<BadParameters> for Refused {
    fn from(bad: BadParameters) -> Self {
        Self::invalid(format!("The request is not usable: {bad}."))
    }
}

impl From<Dead> for Refused {
    fn from(dead: Dead) -> Self {
        Self::grant(dead)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match (&self.cause, self.status.is_server_error()) {
            (Some(cause), true) => {
                tracing::error!(error.code = self.code.as_str(), error.cause = %cause, "request failed")
            }
            (cause, _) => tracing::debug!(error.code = self.code.as_str(), error.cause = ?cause, "request refused"),
        }
        let body = OAuthError {
            error: self.code.as_str().to_owned(),
            error_description: Some(self.description).filter(|text| !text.is_empty()),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        (self.status, headers, axum::Json(body)).into_response()
    }
}
