//! Bodies of tickets for the deploy gate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::WireTime;

/// Body of `POST /gate/tickets`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssueGateTicket {
    /// Why: 1 to 500 characters, for the audit trail and for every report.
    #[schemars(length(min = 1, max = domain::gate_ticket::REASON_CHARS))]
    pub reason: String,
    /// The environment in which images pass. Without it, `digests` pass in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 88))]
    pub environment: Option<String>,
    /// The images that pass, as `sha256:...`. Without them, all images of `environment` pass.
    #[serde(default)]
    #[schemars(length(max = domain::gate_ticket::MOST_DIGESTS))]
    pub digests: Vec<String>,
    /// How long: 60 to 86,400, and 3,600 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 86_400))]
    pub lifetime_seconds: Option<u32>,
}

/// A ticket that lets images pass the deploy gate.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateTicket {
    /// The ticket.
    pub id: Uuid,
    /// The tenant that issued it, as the signed ticket names it.
    pub tenant_id: Uuid,
    /// `active`, `revoked` or `expired`.
    pub status: String,
    /// Why it was issued.
    pub reason: String,
    /// The environment in which images pass.
    pub environment: Option<String>,
    /// The images that pass.
    pub digests: Vec<String>,
    /// Who issued it.
    pub issued_by: String,
    /// When.
    pub issued_at: WireTime,
    /// When it ends by itself.
    pub expires_at: WireTime,
    /// When it was taken back.
    pub revoked_at: Option<WireTime>,
    /// Who took it back.
    pub revoked_by: Option<String>,
}

/// Answer of `POST /gate/tickets`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedGateTicket {
    /// The ticket.
    #[serde(flatten)]
    pub ticket: GateTicket,
    /// The ticket under the platform's signature, for a gate that reaches no server: a DSSE envelope in base64url. Whoever holds
    /// it may use it as long as the ticket lives.
    pub token: String,
}

/// Answer of `GET /gate/tickets`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateTicketList {
    /// The newest thousand, the newest first.
    pub items: Vec<GateTicket>,
    /// How many are listed.
    pub total_count: u64,
}
