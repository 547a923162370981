//! The audit trail: what an event says, how events are chained, and how an export is verified.
//!
//! Within a lane (one process incarnation) every tenant has its own hash chain, so that a tenant's export can be
//! verified without seeing anybody else's events. The chain covers the exact bytes of an event's compact JSON. Personal
//! fields stand beside it, under a key that can be destroyed; the event holds only a salted commitment to them.

pub mod chain;
pub mod export;
pub mod verify;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
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

/// One event, in the order of its JSON members. Absent members are left out. Texts are borrowed, from whoever describes
/// the event or from its JSON: one is written for every request, and owning its texts cost more than writing them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event<'a> {
    /// The event.
    pub id: EventId,
    /// When it happened, in Unix milliseconds.
    pub at: Timestamp,
    /// Whose event it is.
    pub tenant: TenantId,
    /// `SecretRead`, `Encrypt`, `KeyCreated`, ...
    #[serde(borrow)]
    pub action: Cow<'a, str>,
    /// `keys`, `secrets`, `auth`, `platform`.
    #[serde(borrow)]
    pub category: Cow<'a, str>,
    /// How it ended.
    pub outcome: Outcome,
    /// A mail address, `apikey:<name>`, what an application calls itself, `federated:<trust> (<algorithm>)`, or `system`.
    #[serde(borrow)]
    pub actor: Cow<'a, str>,
    /// `apiKey`, `user` or `other`.
    #[serde(borrow)]
    pub actor_type: Cow<'a, str>,
    /// The credential's id.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default, deserialize_with = "optional_text")]
    pub actor_id: Option<Cow<'a, str>>,
    /// `CryptoKey`, `Secret`, `ApiKey`, ...
    #[serde(borrow)]
    pub resource_type: Cow<'a, str>,
    /// The resource's id; empty when there is none.
    #[serde(borrow)]
    pub resource_id: Cow<'a, str>,
    /// The resource's name.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default, deserialize_with = "optional_text")]
    pub resource_name: Option<Cow<'a, str>>,
    /// The stable error code of a failure.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default, deserialize_with = "optional_text")]
    pub error: Option<Cow<'a, str>>,
    /// The algorithm used.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default, deserialize_with = "optional_text")]
    pub algorithm: Option<Cow<'a, str>>,
    /// The key version used, or the version of the secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u32>,
    /// `eaas` or `transit`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default, deserialize_with = "optional_text")]
    pub channel: Option<Cow<'a, str>>,
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
    #[serde(borrow, skip_serializing_if = "Option::is_none", default, deserialize_with = "optional_text")]
    pub note: Option<Cow<'a, str>>,
    /// The request that caused it.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default, deserialize_with = "optional_text")]
    pub request_id: Option<Cow<'a, str>>,
    /// Salted SHA-256 commitment to [`Personal`], in hex.
    #[serde(borrow)]
    pub commitment: Cow<'a, str>,
}

/// What an event can be found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBy<'a> {
    /// When it happened.
    pub at: Timestamp,
    /// Its category.
    pub category: Cow<'a, str>,
    /// What was done.
    pub action: Cow<'a, str>,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub actor: Cow<'a, str>,
    /// With which credential.
    pub actor_id: Option<Cow<'a, str>>,
    /// To what kind of thing.
    pub resource_type: Cow<'a, str>,
    /// To which.
    pub resource_id: Cow<'a, str>,
}

impl FoundBy<'_> {
    /// The same, lent.
    pub fn lent(&self) -> FoundBy<'_> {
        FoundBy {
            at: self.at,
            category: Cow::Borrowed(&*self.category),
            action: Cow::Borrowed(&*self.action),
            outcome: self.outcome,
            actor: Cow::Borrowed(&*self.actor),
            actor_id: self.actor_id.as_deref().map(Cow::Borrowed),
            resource_type: Cow::Borrowed(&*self.resource_type),
            resource_id: Cow::Borrowed(&*self.resource_id),
        }
    }

    /// The same for whoever keeps it longer than the event.
    pub fn into_owned(self) -> FoundBy<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        FoundBy {
            at: self.at,
            category: owned(self.category),
            action: owned(self.action),
            outcome: self.outcome,
            actor: owned(self.actor),
            actor_id: self.actor_id.map(owned),
            resource_type: owned(self.resource_type),
            resource_id: owned(self.resource_id),
        }
    }
}

/// `Option` by itself would have its text copied: only a `Cow` that stands in a field borrows.
fn optional_text<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<Text<'a>>::deserialize(deserializer)?.map(|text| text.0))
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
        let context = Context::new("qapi/audit/personal/v1")
            .bytes(self.salt.as_bytes())
            .bytes(self.ip_address.as_deref().unwrap_or_default().as_bytes())
            .bytes(self.user_agent.as_deref().unwrap_or_default().as_bytes());
        sha256(&[context.as_bytes()])
    }
}

/// What goes into a lane: the event's exact JSON, and the sealed personal fields beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft<'a> {
    /// Compact JSON of the [`Event`]: the bytes that are chained.
    pub event: Cow<'a, [u8]>,
    /// The sealed [`Personal`], or nothing once erased.
    pub personal: Cow<'a, [u8]>,
}

/// The bytes are not a draft that this version wrote.
#[derive(Debug, thiserror::Error)]
#[error("not an audit record")]
pub struct BadRecord;

impl<'a> Draft<'a> {
    /// Both parts, each behind its length.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.event.len() + self.personal.len());
        write_part(&mut out, |out| out.extend_from_slice(&self.event));
        write_part(&mut out, |out| out.extend_from_slice(&self.personal));
        out
    }

    /// What [`Draft::encode`] gives for an event and its sealed personal fields, written in one go.
    pub fn encode_event(event: &Event<'_>, personal: &[u8]) -> serde_json::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(EVENT_LEN + personal.len());
        let mut written = Ok(());
        write_part(&mut out, |out| written = serde_json::to_writer(out, event));
        write_part(&mut out, |out| out.extend_from_slice(personal));
        written.map(|()| out)
    }

    /// Reads what [`Draft::encode`] wrote.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, BadRecord> {
        let (event, personal) = parts(bytes)?;
        Ok(Self { event: event.into(), personal: personal.into() })
    }

    /// The same for whoever keeps it longer than what it was read from.
    pub fn into_owned(self) -> Draft<'static> {
        Draft { event: self.event.into_owned().into(), personal: self.personal.into_owned().into() }
    }

    /// The event itself.
    pub fn parsed(&self) -> Result<Event<'_>, BadRecord> {
        Event::parse(&self.event)
    }

    /// The event's exact JSON, to be embedded as it is.
    pub fn raw(&self) -> Result<Box<RawValue>, BadRecord> {
        let text = String::from_utf8(self.event.to_vec()).map_err(|_| BadRecord)?;
        RawValue::from_string(text).map_err(|_| BadRecord)
    }
}

impl<'a> Event<'a> {
    /// Reads an event's JSON.
    pub fn parse(json: &'a [u8]) -> Result<Self, BadRecord> {
        // UTF-8 as a whole: string by string it is a quarter of the reading.
        let text = std::str::from_utf8(json).map_err(|_| BadRecord)?;
        serde_json::from_str(text).map_err(|_| BadRecord)
    }

    /// What it can be found by.
    pub fn found_by(self) -> FoundBy<'a> {
        FoundBy {
            at: self.at,
            category: self.category,
            action: self.action,
            outcome: self.outcome,
            actor: self.actor,
            actor_id: self.actor_id,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
        }
    }
}

/// Room for most events and the lengths of both parts.
const EVENT_LEN: usize = 640;

/// The event's JSON and the sealed personal fields in what [`Draft::encode`] wrote.
pub fn parts(bytes: &[u8]) -> Result<(&[u8], &[u8]), BadRecord> {
    let (event, rest) = split_part(bytes)?;
    let (personal, rest) = split_part(rest)?;
    if rest.is_empty() { Ok((event, personal)) } else { Err(BadRecord) }
}

fn write_part(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

fn split_part(bytes: &[u8]) -> Result<(&[u8], &[u8]), BadRecord> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(BadRecord)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| BadRecord)?;
    rest.split_at_checked(length).ok_or(BadRecord)
}

#[cfg(test)]
mod tests;
