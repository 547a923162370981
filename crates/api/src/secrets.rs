//! Secrets: values with versions and what stands around them.
//!
//! `urls` and `customFields` are the user's own objects and pass through as they are, in any casing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::secret::SecretText;
use crate::time::WireTime;

/// Body of `POST /secrets`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateSecret {
    /// 1 to 255 characters; slashes make a path.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["users-api/db-connection"]))]
    pub name: String,
    /// The value.
    pub value: SecretText,
    /// Up to 1,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::SECRET_DESCRIPTION_CHARS))]
    pub description: Option<String>,
    /// `password`, `api-key`, `certificate`, `login`, `config`, `text/plain`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::CONTENT_TYPE_CHARS))]
    pub content_type: Option<String>,
    /// After this the value is no longer shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WireTime>,
    /// Labels to find it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::LABELS))]
    pub labels: Option<Vec<String>>,
    /// The user name that belongs to the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<SecretText>,
    /// Notes, sealed like the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<SecretText>,
    /// Addresses where the value is used: objects of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<Value>>,
    /// The user's own fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_fields: Option<Vec<Value>>,
    /// The seed of a one-time password generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totp_secret: Option<SecretText>,
    /// Texts by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Body of `PATCH /secrets/{id}`: what is absent stays.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSecret {
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = crate::limits::SECRET_NAME_CHARS))]
    pub name: Option<String>,
    /// A new description.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::SECRET_DESCRIPTION_CHARS))]
    pub description: Option<String>,
    /// A new content type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::CONTENT_TYPE_CHARS))]
    pub content_type: Option<String>,
    /// A new expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WireTime>,
    /// New labels, in place of all the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::LABELS))]
    pub labels: Option<Vec<String>>,
    /// A new user name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<SecretText>,
    /// New notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<SecretText>,
    /// New addresses, in place of all the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<Value>>,
    /// New custom fields, in place of all the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_fields: Option<Vec<Value>>,
    /// Whether it is a favourite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_favorite: Option<bool>,
    /// A new seed of a one-time password generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totp_secret: Option<SecretText>,
}

/// Body of `PUT /secrets/{id}/value`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSecretValue {
    /// The new value, which becomes a new version.
    pub value: SecretText,
    /// The older version the value was taken from: audited as a restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub restored_from_version: Option<u32>,
}

/// Body of `POST /secrets/{id}/rollback`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackSecret {
    /// The version whose value becomes the newest.
    #[schemars(range(min = 1))]
    pub version: u32,
}

/// A secret without its value. Every field is always sent; what there is none of is null.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// The secret, through all its versions.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The newest version.
    pub version: u32,
    /// When it was made.
    pub created_at: WireTime,
    /// Whether its value can be read.
    pub is_active: bool,
    /// When anything of it last changed.
    pub updated_at: Option<WireTime>,
    /// After this the value is no longer shown.
    pub expires_at: Option<WireTime>,
    /// What it is for.
    pub description: Option<String>,
    /// What kind of value it is.
    pub content_type: Option<String>,
    /// Labels to find it by.
    pub labels: Option<Vec<String>>,
    /// The user name that belongs to the value.
    pub username: Option<SecretText>,
    /// Notes.
    pub notes: Option<SecretText>,
    /// Addresses where the value is used.
    pub urls: Option<Vec<Value>>,
    /// The user's own fields.
    pub custom_fields: Option<Vec<Value>>,
    /// Texts by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Whether it is a favourite.
    #[serde(default)]
    pub is_favorite: bool,
    /// Whether there is a seed of a one-time password generator.
    #[serde(default)]
    pub has_totp: bool,
    /// Who made it; with `include=createdBy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who changed it last; with `include=updatedBy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
}

/// A secret with its value.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretWithValue {
    /// The secret, through all its versions.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The value.
    pub value: SecretText,
    /// The version the value is of.
    pub version: u32,
    /// When it was made.
    pub created_at: WireTime,
    /// Whether its value can be read.
    pub is_active: bool,
    /// When anything of it last changed.
    pub updated_at: Option<WireTime>,
    /// After this the value is no longer shown.
    pub expires_at: Option<WireTime>,
    /// What it is for.
    pub description: Option<String>,
    /// What kind of value it is.
    pub content_type: Option<String>,
    /// Labels to find it by.
    pub labels: Option<Vec<String>>,
    /// The user name that belongs to the value.
    pub username: Option<SecretText>,
    /// Notes.
    pub notes: Option<SecretText>,
    /// Addresses where the value is used.
    pub urls: Option<Vec<Value>>,
    /// The user's own fields.
    pub custom_fields: Option<Vec<Value>>,
    /// Texts by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Whether it is a favourite.
    #[serde(default)]
    pub is_favorite: bool,
    /// Whether there is a seed of a one-time password generator.
    #[serde(default)]
    pub has_totp: bool,
    /// The seed itself.
    pub totp_secret: Option<SecretText>,
    /// Who made it; with `include=createdBy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who changed it last; with `include=updatedBy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
}

/// Query of `GET /secrets`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListSecrets {
    /// From 1.
    #[schemars(range(min = 1))]
    pub page: Option<u32>,
    /// 50 unless told.
    #[schemars(range(min = 1))]
    pub page_size: Option<u32>,
    /// Deactivated ones too.
    pub include_inactive: Option<bool>,
    /// Only of this kind.
    pub content_type: Option<String>,
    /// Only with this label.
    pub label: Option<String>,
    /// Only with this in name, content type or labels, in any case.
    pub search: Option<String>,
}

/// Answer of `GET /secrets`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretList {
    /// This page's, without values.
    pub secrets: Vec<Secret>,
    /// Of all pages.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
    /// Whether there is a further page.
    pub has_more: bool,
}

/// Query of `GET /secrets/{id}` and `GET /secrets/by-name/{name}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadSecret {
    /// Further fields, comma-separated: `createdBy`, `updatedBy`, `all`.
    pub include: Option<String>,
    /// An older version.
    #[schemars(range(min = 1))]
    pub version: Option<u32>,
}

/// Query of `GET /secrets/{id}/history`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadHistory {
    /// 1 to 20; 5 unless told.
    #[schemars(range(min = 1, max = crate::limits::HISTORY_VERSIONS_MAX))]
    pub max_versions: Option<u32>,
    /// `false` leaves the values out, and reveals nothing.
    pub values: Option<bool>,
}

/// Answer of `GET /secrets/{id}/history`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretHistory {
    /// The secret.
    pub secret_id: Uuid,
    /// Newest first.
    pub versions: Vec<SecretVersion>,
}

/// One version of a secret.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretVersion {
    /// Its number.
    pub version: u32,
    /// Its value, unless left out.
    pub value: Option<SecretText>,
    /// When it was made.
    pub created_at: WireTime,
    /// The user name it was stored with.
    pub username: Option<SecretText>,
    /// Who made it: a user's name or `apikey:<name>`.
    pub changed_by: Option<String>,
}

/// Answer of the older `GET /secrets/{id}/versions`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretVersions {
    /// Newest first.
    pub versions: Vec<SecretVersionRow>,
}

/// One row of [`SecretVersions`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretVersionRow {
    /// Its number.
    pub version: u32,
    /// When it was made.
    pub created_at: WireTime,
    /// Who made it.
    pub created_by: Option<String>,
}

/// Answer of `GET /secrets/{id}/insights`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretInsights {
    /// The secret's name.
    pub secret_name: String,
    /// `strong`, `medium` or `weak`.
    pub strength: String,
    /// What to do, most important first.
    pub recommendations: Vec<String>,
    /// `low`, `medium` or `high`.
    pub risk_level: String,
    /// When it was judged.
    pub analyzed_at: WireTime,
}

/// Body of `POST /secrets/import`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportSecrets {
    /// Up to 1,000; a name that exists is updated.
    #[schemars(length(max = crate::limits::IMPORT_ITEMS))]
    pub items: Vec<ImportSecret>,
}

/// One secret to import.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportSecret {
    /// 1 to 255 characters.
    #[schemars(length(min = 1, max = crate::limits::SECRET_NAME_CHARS))]
    pub name: String,
    /// The value.
    pub value: SecretText,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::SECRET_DESCRIPTION_CHARS))]
    pub description: Option<String>,
    /// What kind of value it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::CONTENT_TYPE_CHARS))]
    pub content_type: Option<String>,
    /// Labels to find it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::LABELS))]
    pub labels: Option<Vec<String>>,
}

/// Answer of `POST /secrets/import`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportedSecrets {
    /// New ones.
    pub created: u32,
    /// Ones that got a new version.
    pub updated: u32,
    /// Ones that were refused.
    #[serde(default)]
    pub failed: u32,
    /// The ids, in the order of the items; null where refused.
    #[serde(default)]
    pub ids: Vec<Option<Uuid>>,
    /// Why, for each one refused.
    #[serde(default)]
    pub errors: Vec<ImportError>,
}

/// Why one item was not imported.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportError {
    /// The item's place, from 0.
    pub index: u32,
    /// The stable code.
    pub code: String,
    /// The same in words.
    pub message: String,
}
