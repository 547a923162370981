//! Bodies of trusts in other issuers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::secret::SecretText;
use crate::time::WireTime;

/// One claim, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustRule {
    /// The claim's name; `/` leads into nested claims.
    pub claim: String,
    /// What it may be: exactly this, or what begins with this when it ends in `*` behind one of `/ : @ #`.
    pub any_of: Vec<String>,
}

/// Body of `POST /trusts`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateTrust {
    /// 1 to 200 characters, unique within the tenant.
    pub name: String,
    /// `github`, `gitlab`, `azure-devops`, `kubernetes` or `oidc`.
    pub kind: String,
    /// As the tokens name it. GitHub's and GitLab's are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Whom the tokens must be meant for: this platform's issuer unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The issuer's keys, pinned, for a platform that reaches nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where they are, if not where the issuer's metadata says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// All of them must hold.
    pub rules: Vec<TrustRule>,
    /// What a match may do.
    pub scopes: Vec<String>,
    /// What it is confined to.
    #[serde(default)]
    pub resources: Vec<String>,
    /// How long its tokens live: 60 to 600, 300 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u32>,
    /// Whether each token of the issuer is taken once; by the kind unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_use: Option<bool>,
}

/// Body of `PATCH /trusts/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateTrust {
    /// 1 to 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whom the tokens must be meant for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The issuer's keys, pinned, in place of where they were fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where they are, in place of pinned ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The rules, in place of all the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<TrustRule>>,
    /// What a match may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// What it is confined to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<String>>,
    /// 60 to 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u32>,
    /// Whether each token of the issuer is taken once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_use: Option<bool>,
    /// Whether it is believed. Tokens that it was believed for die within a second when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
}

/// A trust in another issuer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trust {
    /// The trust: what `QAPI_TRUST_ID` holds.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The issuer.
    pub issuer: String,
    /// Whom the tokens must be meant for.
    pub audience: String,
    /// The issuer's keys, where they are pinned.
    pub jwks: Option<Value>,
    /// Where they are, where that was told.
    pub jwks_uri: Option<String>,
    /// All of them must hold.
    pub rules: Vec<TrustRule>,
    /// What a match may do.
    pub scopes: Vec<String>,
    /// What it is confined to.
    pub resources: Vec<String>,
    /// How long its tokens live.
    pub lifetime_seconds: u32,
    /// Whether each token of the issuer is taken once.
    pub single_use: bool,
    /// Whether it is believed.
    pub is_active: bool,
    /// When it was made.
    pub created_at: WireTime,
    /// When it was last changed.
    pub updated_at: WireTime,
}

/// Answer of `GET /trusts`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustList {
    /// All of them.
    pub items: Vec<Trust>,
    /// How many.
    pub total_count: u64,
}

/// Body of `POST /trusts/{id}/test`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestTrust {
    /// A token of the issuer. It is not spent.
    pub token: SecretText,
}

/// Whether the trust would believe a token, and why.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustVerdict {
    /// Whether it would.
    pub is_accepted: bool,
    /// What signed the token, when its signature is valid.
    pub algorithm: Option<String>,
    /// Everything that was looked at, in its order.
    pub checks: Vec<TrustCheck>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustCheck {
    /// `keys`, `signature`, `claims`, or `rule` with the claim's name.
    pub check: String,
    /// Whether it is fine.
    pub is_met: bool,
    /// What was found.
    pub detail: Option<String>,
}
