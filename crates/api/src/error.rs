//! The one error object (contract 2.8) and the table of stable codes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::casing::{DecodeError, Fault};

/// The text is none of the words of a closed set.
#[derive(Debug, thiserror::Error)]
#[error("expected {expected}")]
pub struct UnknownWord {
    /// The words there are.
    pub expected: &'static str,
}

/// What every error answer holds, whichever of its fields a client reads.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// The stable code, for programs.
    #[schemars(extend("examples" = ["insufficient_scope"]))]
    pub error: String,
    /// What happened, for people.
    #[serde(default)]
    pub message: String,
    /// Facts that belong to the code: `required_scope`, `resetsAt`, `ids`.
    #[serde(default)]
    pub details: BTreeMap<String, Value>,
    /// The HTTP status again.
    #[serde(default)]
    pub status: u16,
    /// The status in words.
    #[serde(default)]
    pub title: String,
    /// The message again, where RFC 9457 has it.
    #[serde(default)]
    pub detail: String,
    /// The request, as in the `X-Request-Id` header and the server's log.
    #[serde(default)]
    pub request_id: String,
}

impl ErrorBody {
    /// The body for a code.
    pub fn new(code: ErrorCode, message: impl Into<String>, request_id: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            error: code.as_str().to_owned(),
            details: BTreeMap::new(),
            status: code.status(),
            title: code.title().to_owned(),
            detail: message.clone(),
            message,
            request_id: request_id.into(),
        }
    }

    /// The same with one more fact.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident = $text:literal $status:literal $title:literal;)+) => {
        /// Every code this server sends. The spelling is for ever; one line here says all there is to say of it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $($(#[$meta])* $variant,)+
        }

        impl ErrorCode {
            /// All codes, in the order of their statuses.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as it is sent.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The HTTP status it comes with.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)+
                }
            }

            /// The status in words.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)+
                }
            }
        }
    };
}

codes! {
    /// The body, a field or a parameter is not what the route takes.
    InvalidRequest = "invalid_request" 400 "Bad Request";
    /// An entropy format that does not exist or does not fit the length.
    InvalidFormat = "invalid_format" 400 "Bad Request";
    /// The minimum decryption version lies outside 1 to the newest.
    InvalidMinDecryptionVersion = "invalid_min_decryption_version" 400 "Bad Request";
    /// Nested deeper than the limit.
    JsonTooDeep = "json_too_deep" 400 "Bad Request";
    /// A batch with more items than the route takes.
    TooManyItems = "too_many_items" 400 "Bad Request";
    /// The one refusal for whatever is wrong with a ciphertext.
    DecryptionFailed = "decryption_failed" 400 "Bad Request";
    /// The key cannot do this: another kind, or no private half here.
    KeyWrongType = "key_wrong_type" 400 "Bad Request";
    /// A valid wish that this server does not serve: an algorithm, a format.
    Unsupported = "unsupported" 400 "Bad Request";
    /// What was given does not unseal the platform.
    UnsealFailed = "unseal_failed" 400 "Bad Request";
    /// The share link has a password and none was given.
    PasswordRequired = "password_required" 400 "Bad Request";
    /// The share link's password is another.
    InvalidPassword = "invalid_password" 400 "Bad Request";
    /// The share link was opened as often as allowed.
    LinkExhausted = "link_exhausted" 400 "Bad Request";
    /// No credential, or one that is not valid.
    Unauthorized = "unauthorized" 401 "Unauthorized";
    /// The credential lacks `details.required_scope`.
    InsufficientScope = "insufficient_scope" 403 "Forbidden";
    /// The credential may not do this, for another reason than a scope.
    Forbidden = "forbidden" 403 "Forbidden";
    /// The certificate may not have `details.names`.
    NameNotAllowed = "name_not_allowed" 403 "Forbidden";
    /// Used from an address outside the key's networks.
    IpNotAllowed = "ip_not_allowed" 403 "Forbidden";
    /// The key or the version is revoked.
    KeyRevoked = "key_revoked" 403 "Forbidden";
    /// The version is older than the key's minimum.
    KeyVersionBelowMinimum = "key_version_below_minimum" 403 "Forbidden";
    /// Nothing there, or nothing that the credential may know of.
    NotFound = "not_found" 404 "Not Found";
    /// No such share link, or one that is over.
    LinkNotFound = "link_not_found" 404 "Not Found";
    /// The path exists for other methods.
    MethodNotAllowed = "method_not_allowed" 405 "Method Not Allowed";
    /// The body was announced and did not arrive in time.
    RequestTimeout = "request_timeout" 408 "Request Timeout";
    /// The state of the thing does not allow this.
    Conflict = "conflict" 409 "Conflict";
    /// Another key has the name.
    KeyNameConflict = "key_name_conflict" 409 "Conflict";
    /// The key is disabled, deprecated for new things, expired, or about to be deleted.
    KeyDisabled = "key_disabled" 409 "Conflict";
    /// The secret is deactivated or has expired: its value is not shown.
    SecretInactive = "secret_inactive" 409 "Conflict";
    /// Several secrets have the name: `details.ids`.
    SecretNameAmbiguous = "secret_name_ambiguous" 409 "Conflict";
    /// The first answer showed a value once; it is not shown again.
    ValueNotReplayable = "value_not_replayable" 409 "Conflict";
    /// The platform has its root key.
    AlreadyInitialized = "already_initialized" 409 "Conflict";
    /// The share link's secret is gone or deactivated.
    LinkRetired = "link_retired" 410 "Gone";
    /// `If-Match` names another version.
    PreconditionFailed = "precondition_failed" 412 "Precondition Failed";
    /// More bytes than the route takes.
    PayloadTooLarge = "payload_too_large" 413 "Content Too Large";
    /// The body is not JSON by its content type.
    UnsupportedMediaType = "unsupported_media_type" 415 "Unsupported Media Type";
    /// The idempotency key came with another request before.
    IdempotencyKeyReused = "idempotency_key_reused" 422 "Unprocessable Content";
    /// The certificate cannot say this: `details.reasons`.
    UsageNotAllowed = "usage_not_allowed" 422 "Unprocessable Content";
    /// The quota is used up until `details.resetsAt`.
    QuotaExceeded = "quota_exceeded" 429 "Too Many Requests";
    /// Too many requests; `Retry-After` says when.
    RateLimitExceeded = "rate_limit_exceeded" 429 "Too Many Requests";
    /// Our mistake; the request id leads to the log line.
    Internal = "internal" 500 "Internal Server Error";
    /// No quantum source, and the caller wants no other.
    QrngUnavailable = "qrng_unavailable" 503 "Service Unavailable";
    /// The root key is not in memory.
    Sealed = "sealed" 503 "Service Unavailable";
    /// The database cannot be reached, or the server is stopping.
    Unavailable = "unavailable" 503 "Service Unavailable";
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ErrorCode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.iter().find(|code| code.as_str() == text);
        found.copied().ok_or(UnknownWord { expected: "an error code" })
    }
}

impl From<&DecodeError> for ErrorCode {
    fn from(error: &DecodeError) -> Self {
        match error.fault {
            Fault::TooDeep => Self::JsonTooDeep,
            Fault::Syntax | Fault::Duplicate | Fault::Shape => Self::InvalidRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_stand_in_the_order_of_their_statuses() {
        let texts: std::collections::BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        assert!(ErrorCode::ALL.is_sorted_by_key(|code| code.status()));
        assert!(ErrorCode::ALL.iter().all(|code| code.as_str().parse::<ErrorCode>().unwrap() == *code));
    }

    #[test]
    fn the_body_says_the_same_to_every_kind_of_reader() {
        let body = ErrorBody::new(ErrorCode::InsufficientScope, "the key lacks a scope", "r1")
            .with_detail("required_scope", "decrypt");
        assert_eq!(
            serde_json::to_value(body).unwrap(),
            serde_json::json!({
                "error": "insufficient_scope", "message": "the key lacks a scope",
                "details": {"required_scope": "decrypt"}, "status": 403, "title": "Forbidden",
                "detail": "the key lacks a scope", "requestId": "r1"
            })
        );
    }
}
