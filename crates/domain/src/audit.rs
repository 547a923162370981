//! The audit trail: what an event says, how events are chained, and how an export is verified.
//!
//! Within a lane (one process incarnation) every tenant has its own hash chain, so that a tenant's export can be
//! verified without seeing anybody else's events. The chain covers the exact bytes of an event's compact JSON. Personal
//! fields stand beside it, under a key that can be destroyed; the event holds only a salted commitment to them.

pub mod chain;
pub mod export;
pub mod verify;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crypto::context::Context;
use crypto::hash::sha256;

use crate::ids::{EventId, TenantId};
use crate::time::Timestamp;

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was allowed and did not work.
    Failure,
    /// It was not allowed.
    Denied,
}

/// One event, in the order of its JSON members. Absent members are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// The event.
    pub id: EventId,
    /// When it happened, in Unix milliseconds.
    pub at: Timestamp,
    /// Whose event it is.
    pub tenant: TenantId,
    /// `SecretRead`, `Encrypt`, `KeyCreated`, ...
    pub action: String,
    /// `keys`, `secrets`, `auth`, `platform`.
    pub category: String,
    /// How it ended.
    pub outcome: Outcome,
    /// `apikey:<name>`, or `system`.
    pub actor: String,
    /// `apiKey`, `user` or `other`.
    pub actor_type: String,
    /// The credential's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor_id: Option<String>,
    /// `CryptoKey`, `Secret`, `ApiKey`, ...
    pub resource_type: String,
    /// The resource's id; empty when there is none.
    pub resource_id: String,
    /// The resource's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource_name: Option<String>,
    /// The stable error code of a failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The algorithm used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub algorithm: Option<String>,
    /// The key version used, or the version of the secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u32>,
    /// `eaas` or `transit`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub channel: Option<String>,
    /// What a verification found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub valid: Option<bool>,
    /// Items in a batch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch_size: Option<u32>,
    /// Items of the batch that failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed_items: Option<u32>,
    /// Further facts, never secret: `restoredFromVersion=3`, `revealed`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// The request that caused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// Salted SHA-256 commitment to [`Personal`], in hex.
    pub commitment: String,
}

/// What identifies a person or their machine: erasable, so it stays outside the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Personal {
    /// Sixteen random bytes in hex, so that a commitment cannot be guessed open.
    pub salt: String,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ip_address: Option<String>,
    /// The client's own name for itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_agent: Option<String>,
}

impl Personal {
    /// The commitment that an event holds.
    pub fn commitment(&self) -> [u8; 32] {
        let field = |text: &Option<String>| text.clone().unwrap_or_default();
        let context = Context::new("qapi/audit/personal/v1")
            .bytes(self.salt.as_bytes())
            .bytes(field(&self.ip_address).as_bytes())
            .bytes(field(&self.user_agent).as_bytes());
        sha256(&[context.as_bytes()])
    }
}

/// What goes into a lane: the event's exact JSON, and the sealed personal fields beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Compact JSON of the [`Event`]: the bytes that are chained.
    pub event: Vec<u8>,
    /// The sealed [`Personal`], or nothing once erased.
    pub personal: Vec<u8>,
}

/// The bytes are not a draft that this version wrote.
#[derive(Debug, thiserror::Error)]
#[error("not an audit record")]
pub struct BadRecord;

impl Draft {
    /// Both parts, each behind its length.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.event.len() + self.personal.len());
        for part in [&self.event, &self.personal] {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Reads what [`Draft::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let (event, rest) = split_part(bytes)?;
        let (personal, rest) = split_part(rest)?;
        if rest.is_empty() { Ok(Self { event: event.to_vec(), personal: personal.to_vec() }) } else { Err(BadRecord) }
    }

    /// The event itself.
    pub fn parsed(&self) -> Result<Event, BadRecord> {
        serde_json::from_slice(&self.event).map_err(|_| BadRecord)
    }

    /// The event's exact JSON, to be embedded as it is.
    pub fn raw(&self) -> Result<Box<RawValue>, BadRecord> {
        let text = String::from_utf8(self.event.clone()).map_err(|_| BadRecord)?;
        RawValue::from_string(text).map_err(|_| BadRecord)
    }
}

fn split_part(bytes: &[u8]) -> Result<(&[u8], &[u8]), BadRecord> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(BadRecord)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| BadRecord)?;
    rest.split_at_checked(length).ok_or(BadRecord)
}

#[cfg(test)]
mod tests;
