//! What OAuth and OpenID Connect spell on the wire. Their names are their own: nothing here has a twin, and refusals are OAuth's error object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The error object of OAuth (RFC 6749, 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OAuthError")]
pub struct OAuthError {
    /// The code.
    pub error: String,
    /// Why, for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}

/// Whom an issuer is, and where it does what (OpenID Connect Discovery, RFC 8414).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderMetadata {
    /// The issuer, as tokens name it.
    pub issuer: String,
    /// Where browsers begin.
    pub authorization_endpoint: String,
    /// Where tokens are.
    pub token_endpoint: String,
    /// Where keys are.
    pub jwks_uri: String,
    /// Who somebody is.
    pub userinfo_endpoint: String,
    /// What a token is worth.
    pub introspection_endpoint: String,
    /// Where tokens are given back.
    pub revocation_endpoint: String,
    /// Where requests are pushed.
    pub pushed_authorization_request_endpoint: String,
    /// Where devices begin.
    pub device_authorization_endpoint: String,
    /// Where sessions end.
    pub end_session_endpoint: String,
    /// The same endpoints for clients with certificates (RFC 8705, 5), where there is a listener for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls_endpoint_aliases: Option<Value>,
    /// `code` alone.
    pub response_types_supported: Vec<String>,
    /// How answers reach the application.
    pub response_modes_supported: Vec<String>,
    /// What tokens are given for.
    pub grant_types_supported: Vec<String>,
    /// `public`: every application is told the same id of a person.
    pub subject_types_supported: Vec<String>,
    /// What signs ID tokens.
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// What this server itself knows about people.
    pub scopes_supported: Vec<String>,
    /// What tokens and userinfo say.
    pub claims_supported: Vec<String>,
    /// How clients prove who they are.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// With what they sign assertions.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// How callers of the introspection endpoint prove who they are.
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// How callers of the revocation endpoint prove who they are.
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// `S256` alone.
    pub code_challenge_methods_supported: Vec<String>,
    /// How sure it can be who signed in.
    pub acr_values_supported: Vec<String>,
    /// What people can be asked.
    pub prompt_values_supported: Vec<String>,
    /// Languages of the pages.
    pub ui_locales_supported: Vec<String>,
    /// Whether answers name the issuer (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether every request must be pushed.
    pub require_pushed_authorization_requests: bool,
    /// Whether tokens can be bound to certificates.
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Whether applications are told that somebody signed out.
    pub backchannel_logout_supported: bool,
    /// Whether they are told of which session.
    pub backchannel_logout_session_supported: bool,
    /// Whether requests can be objects.
    pub request_parameter_supported: bool,
    /// Whether requests can be fetched.
    pub request_uri_parameter_supported: bool,
    /// Whether claims can be asked for one by one.
    pub claims_parameter_supported: bool,
}

/// The keys of an issuer (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Jwks {
    /// They; those that a quantum computer leaves standing come first.
    pub keys: Vec<Value>,
}

/// The query of the authorization endpoint; what else it takes is in `form`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizeQuery {
    /// Who asks.
    pub client_id: String,
    /// A pushed request, in place of everything else.
    #[serde(default)]
    pub request_uri: Option<String>,
    /// `code`.
    #[serde(default)]
    pub response_type: Option<String>,
    /// Where the answer goes.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// What for.
    #[serde(default)]
    pub scope: Option<String>,
    /// Given back as it came.
    #[serde(default)]
    pub state: Option<String>,
    /// Repeated in the ID token.
    #[serde(default)]
    pub nonce: Option<String>,
    /// PKCE.
    #[serde(default)]
    pub code_challenge: Option<String>,
    /// `S256`.
    #[serde(default)]
    pub code_challenge_method: Option<String>,
}

/// A pushed request (RFC 9126).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PushedRequest {
    /// How it is called at the authorization endpoint, once.
    pub request_uri: String,
    /// Seconds it can be used.
    pub expires_in: i64,
}

/// Tokens (RFC 6749, 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenAnswer {
    /// For APIs.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds it lives.
    pub expires_in: i64,
    /// What it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// For new tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Who signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// What a token exchange gave (RFC 8693).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<String>,
}

/// A device that waits (RFC 8628, 3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceAuthorization {
    /// What the device asks with.
    pub device_code: String,
    /// What a person types.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: String,
    /// Seconds it waits.
    pub expires_in: i64,
    /// Seconds between two questions.
    pub interval: i64,
}

/// What a token is worth (RFC 7662). A dead one has the first member alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Introspection {
    /// Whether it is alive.
    pub active: bool,
    /// What else it says, when it is.
    #[serde(flatten)]
    pub claims: serde_json::Map<String, Value>,
}

/// A form of one of OAuth's endpoints: parameters by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OAuthForm {
    /// What is asked for, at the token endpoint.
    #[serde(default)]
    pub grant_type: Option<String>,
    /// Who asks.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// The token in question, at the other endpoints.
    #[serde(default)]
    pub token: Option<String>,
}

/// Claims about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserInfo {
    /// Who.
    pub sub: String,
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their first name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Their last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Their picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether it is theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// Their telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Their roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub role: Vec<String>,
}

/// A key that signs tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenKey {
    /// It.
    pub id: uuid::Uuid,
    /// Its name in tokens.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: String,
    /// `next`, `active`, `retired` or `revoked`.
    pub state: String,
    /// Whether anybody is told of it.
    pub is_published: bool,
    /// When it was made.
    pub created_at: crate::time::WireTime,
    /// From when on it signs.
    pub active_from: crate::time::WireTime,
    /// When its successor takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<crate::time::WireTime>,
}

/// The keys that sign a tenant's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenKeyList {
    /// They, the oldest first.
    pub keys: Vec<TokenKey>,
    /// How many.
    pub total: u64,
}

/// Gives the key of an algorithm a successor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotateTokenKey {
    /// `ML-DSA-65` unless told.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// Seconds for which it is published before it signs: at least 300, 600 unless told.
    #[serde(default)]
    pub lead_seconds: Option<u32>,
}
