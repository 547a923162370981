//! API keys of a tenant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::SecretText;
use crate::time::WireTime;

/// Body of `POST /api-keys`. Nobody can give what they lack.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateApiKey {
    /// What the audit log shows as `apikey:<name>`.
    #[schemars(length(min = 1, max = crate::limits::KEY_NAME_CHARS))]
    pub name: String,
    /// What it may do.
    #[schemars(length(min = 1, max = 100), extend("examples" = [["secrets:read", "decrypt"]]))]
    pub scopes: Vec<String>,
    /// The resources it is confined to: `secrets:users-api/*`, `keys:{id}`. Unconfined unless told.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub resources: Vec<String>,
    /// When it dies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WireTime>,
    /// The networks it may be used from, as CIDR. Any unless told.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub allowed_cidrs: Vec<String>,
    /// The environment it is bound to, such as `staging`: it then reaches only secrets and keys with the label
    /// `environment:staging`, what it makes is labelled so, and it reaches certificates only by names in `resources`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 88))]
    pub environment: Option<String>,
    /// Requests a minute; 0 or absent: the platform's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_minute: Option<u32>,
}

/// Body of `PATCH /api-keys/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateApiKey {
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = crate::limits::KEY_NAME_CHARS))]
    pub name: Option<String>,
    /// New scopes, in place of all the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub scopes: Option<Vec<String>>,
    /// New confinements, in place of all the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub resources: Option<Vec<String>>,
    /// A new end of life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WireTime>,
    /// New networks, in place of all the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub allowed_cidrs: Option<Vec<String>>,
    /// Another environment to be bound to; an empty text unbinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 88))]
    pub environment: Option<String>,
    /// Requests a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_minute: Option<u32>,
}

/// An API key, without its text.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The key.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The first characters of its text.
    pub prefix: String,
    /// What it may do, in canonical words.
    pub scopes: Vec<String>,
    /// The resources it is confined to.
    pub resources: Vec<String>,
    /// Whether it can be used.
    pub is_active: bool,
    /// When it was made.
    pub created_at: WireTime,
    /// When it dies.
    pub expires_at: Option<WireTime>,
    /// When it was last used, within a minute.
    pub last_used_at: Option<WireTime>,
    /// When it was revoked.
    pub revoked_at: Option<WireTime>,
    /// The networks it may be used from.
    pub allowed_cidrs: Vec<String>,
    /// The environment it is bound to.
    pub environment: Option<String>,
    /// Requests a minute; 0: the platform's default.
    pub rate_limit_per_minute: u32,
}

/// An API key with its text: the only time it is shown.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedApiKey {
    /// The key.
    pub id: Uuid,
    /// Its text.
    pub key: SecretText,
    /// Its name.
    pub name: String,
    /// The first characters of its text.
    pub prefix: String,
    /// What it may do, in canonical words.
    pub scopes: Vec<String>,
    /// The resources it is confined to.
    pub resources: Vec<String>,
    /// Whether it can be used.
    pub is_active: bool,
    /// When it was made.
    pub created_at: WireTime,
    /// When it dies.
    pub expires_at: Option<WireTime>,
    /// The networks it may be used from.
    pub allowed_cidrs: Vec<String>,
    /// The environment it is bound to.
    pub environment: Option<String>,
    /// Requests a minute; 0: the platform's default.
    pub rate_limit_per_minute: u32,
    /// After a rotation: until when the old text works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_valid_until: Option<WireTime>,
}

/// Query of `GET /api-keys`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListApiKeys {
    /// From 1.
    #[schemars(range(min = 1))]
    pub page: Option<u32>,
    /// 50 unless told.
    #[schemars(range(min = 1))]
    pub page_size: Option<u32>,
    /// Revoked and expired ones too.
    pub include_inactive: Option<bool>,
}

/// Answer of `GET /api-keys`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyList {
    /// This page's.
    pub api_keys: Vec<ApiKey>,
    /// Of all pages.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
    /// Whether there is a further page.
    pub has_more: bool,
}

/// Body of `POST /api-keys/{id}/rotate`; may be empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotateApiKey {
    /// How long the old text goes on working; not at all unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 86400))]
    pub grace_seconds: Option<u32>,
}
