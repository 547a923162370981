//! The audit trail as it is listed. The export is NDJSON and belongs to `domain::audit::export`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::time::WireTime;

/// Query of `GET /audit-logs`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListAuditLogs {
    /// `keys`, `secrets`, ...
    pub category: Option<String>,
    /// Actions, comma-separated.
    pub action: Option<String>,
    /// Only of this key.
    pub key_id: Option<Uuid>,
    /// Only of this resource.
    pub resource_id: Option<Uuid>,
    /// Only where the actor holds this, in any case.
    pub actor: Option<String>,
    /// `success`, `failure` or `denied`.
    pub outcome: Option<String>,
    /// From this instant on.
    pub from: Option<WireTime>,
    /// Up to this instant, which is included.
    pub to: Option<WireTime>,
    /// From 1.
    #[schemars(range(min = 1))]
    pub page: Option<u32>,
    /// 50 unless told, 200 at most.
    #[schemars(range(min = 1))]
    pub page_size: Option<u32>,
}

/// Answer of `GET /audit-logs`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLogList {
    /// This page's, newest first.
    pub items: Vec<AuditLogEntry>,
    /// Of all pages.
    pub total_count: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
}

/// One event.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLogEntry {
    /// The event.
    pub id: Uuid,
    /// When.
    pub timestamp: WireTime,
    /// `Encrypt`, `SecretRead`, `KeyCreated`, ...
    pub action: String,
    /// `keys`, `secrets`, ...
    pub category: String,
    /// A mail address, `apikey:<name>`, what an application calls itself, `federated:<trust> (<algorithm>)`, or the SPIFFE id of a service that showed its certificate.
    pub actor: String,
    /// `user`, `apiKey` or `other`.
    pub actor_type: String,
    /// `CryptoKey`, `Secret`, `ApiKey`, ...
    pub resource_type: String,
    /// The resource; the nil UUID when there is none.
    pub resource_id: Uuid,
    /// `success`, `failure` or `denied`.
    pub outcome: String,
    /// The resource's name.
    pub resource_name: Option<String>,
    /// What a verification found.
    pub valid: Option<bool>,
    /// The stable code of a failure.
    pub error: Option<String>,
    /// The algorithm.
    pub algorithm: Option<String>,
    /// The version.
    pub key_version: Option<u32>,
    /// `eaas` or `transit`.
    pub channel: Option<String>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's own name for itself.
    pub user_agent: Option<String>,
    /// Items of the batch.
    pub batch_size: Option<u32>,
    /// Items of the batch that failed.
    pub failed_items: Option<u32>,
}

/// Query of the older `GET /audit`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListAudit {
    /// The action.
    pub event_type: Option<String>,
    /// The credential.
    pub actor_id: Option<Uuid>,
    /// `CryptoKey`, `Secret`, ...
    pub resource_type: Option<String>,
    /// The resource.
    pub resource_id: Option<Uuid>,
    /// From this instant on.
    pub from: Option<WireTime>,
    /// Up to this instant, which is included.
    pub to: Option<WireTime>,
    /// From 1.
    #[schemars(range(min = 1))]
    pub page: Option<u32>,
    /// 50 unless told, 200 at most.
    #[schemars(range(min = 1))]
    pub page_size: Option<u32>,
}

/// Answer of the older `GET /audit`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditList {
    /// This page's, newest first.
    pub entries: Vec<AuditEntry>,
    /// Of all pages.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
    /// Whether there is a further page.
    pub has_more: bool,
}

/// One event of [`AuditList`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// The event.
    pub id: Uuid,
    /// The action.
    pub event_type: String,
    /// `success`, `failure` or `denied`.
    pub status: String,
    /// When.
    pub created_at: WireTime,
    /// The credential.
    pub actor_id: Option<Uuid>,
    /// `user`, `apiKey` or `other`.
    pub actor_type: Option<String>,
    /// `CryptoKey`, `Secret`, ...
    pub resource_type: Option<String>,
    /// The resource.
    pub resource_id: Option<Uuid>,
    /// The client's address.
    pub ip_address: Option<String>,
    /// The client's own name for itself.
    pub user_agent: Option<String>,
    /// Further facts.
    pub metadata: Option<BTreeMap<String, Value>>,
}

/// Answer of `GET /audit-logs/key`: what verifies the trailers of exports.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditKey {
    /// `ML-DSA-65`.
    pub algorithm: String,
    /// SubjectPublicKeyInfo in PEM.
    pub public_key: String,
    /// RFC 7638 thumbprint.
    pub thumbprint: String,
}
