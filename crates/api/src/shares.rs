//! Share links: one secret for whoever holds the link's token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::SecretText;
use crate::time::WireTime;

/// Body of `POST /vault/share`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateShareLink {
    /// What to share.
    pub secret_id: Uuid,
    /// 1 to 720; 24 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = crate::limits::SHARE_HOURS_MAX))]
    pub expires_in_hours: Option<u32>,
    /// How often it may be opened; unlimited unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_access_count: Option<u32>,
    /// What the recipient has to enter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
}

/// Answer of `POST /vault/share`: the only time the token is shown.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedShareLink {
    /// The link.
    pub id: Uuid,
    /// What opens it.
    pub token: SecretText,
    /// What it shares.
    pub secret_id: Uuid,
    /// The end of its life.
    pub expires_at: WireTime,
    /// How often it may be opened.
    pub max_access_count: Option<u32>,
    /// Whether it has a password.
    pub has_password: bool,
    /// When it was made.
    pub created_at: WireTime,
    /// Where a recipient opens it; null unless the operator set the address of the portal.
    pub url: Option<SecretText>,
}

/// A share link in a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareLink {
    /// The link.
    pub id: Uuid,
    /// Always empty: the token is not kept.
    #[serde(default)]
    pub token: String,
    /// `Active`, `Revoked`, `Expired`, `Exhausted` or `Retired`.
    pub status: String,
    /// The end of its life.
    pub expires_at: WireTime,
    /// How often it may be opened.
    pub max_access_count: Option<u32>,
    /// How often it was.
    #[serde(default)]
    pub access_count: u32,
    /// Whether it has a password.
    #[serde(default)]
    pub has_password: bool,
    /// When it was made.
    pub created_at: WireTime,
    /// Who made it.
    pub created_by: Option<String>,
}

/// Answer of `GET /vault/share/by-secret/{secretId}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareLinkList {
    /// Newest first.
    pub links: Vec<ShareLink>,
    /// How many.
    pub total_count: u64,
}

/// Answer of `DELETE /vault/share/{linkId}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevokedShareLink {
    /// Always true.
    pub revoked: bool,
}

/// Body of `POST /share/{token}`.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenShareLink {
    /// The password, when the link has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
}

/// Answer of `POST /share/{token}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenedShareLink {
    /// The secret's value.
    pub value: SecretText,
    /// How often the link was opened, this time included.
    pub access_count: u32,
    /// The end of its life.
    pub expires_at: Option<WireTime>,
}

/// Body of the older `POST /secrets/{id}/share`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShareSecret {
    /// How often it may be opened; 0 or absent: unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_views: Option<u32>,
    /// `24h`, `7d`; 24 hours unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

/// Answer of the older `POST /secrets/{id}/share`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SharedSecret {
    /// The link.
    pub id: Uuid,
    /// Where a recipient opens it.
    pub url: Option<SecretText>,
    /// What opens it.
    pub token: SecretText,
    /// How often it may be opened; 0: unlimited.
    pub max_views: u32,
    /// How often it was.
    pub view_count: u32,
    /// The end of its life.
    pub expires_at: WireTime,
    /// When it was made.
    pub created_at: WireTime,
}
