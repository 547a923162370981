//! The export format: one JSON object a line, events first, a signed trailer last.
//!
//! An event line is `{"lane","seq","prev","hash","event","personal"}`; `event` is embedded byte for byte as it was
//! chained. The trailer line is `{"trailer":{...},"signature","publicKey"}`: the ML-DSA-65 signature covers the exact
//! bytes of the `trailer` object, which holds the number of events and the head of every lane, so a cut tail shows.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ids::{LaneId, TenantId};
use crate::time::Timestamp;

use super::Personal;

/// One event line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLine {
    /// The lane.
    pub lane: LaneId,
    /// Position in the lane, from 1.
    pub seq: u64,
    /// Hash of the link before, in hex.
    pub prev: String,
    /// Hash of this link, in hex.
    pub hash: String,
    /// The event's exact JSON.
    pub event: Box<RawValue>,
    /// The personal fields, absent once erased.
    #[serde(default)]
    pub personal: Option<Personal>,
}

/// The head of one lane at the time of the export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneHead {
    /// The lane.
    pub lane: LaneId,
    /// Events in it.
    pub count: u64,
    /// Hash of the last, in hex.
    pub hash: String,
}

/// What the trailer's signature covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trailer {
    /// The tenant.
    pub tenant: TenantId,
    /// When the export was made, in Unix milliseconds.
    pub at: Timestamp,
    /// Events in the file.
    pub count: u64,
    /// Every lane's head, in order of lane id.
    pub heads: Vec<LaneHead>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrailerLine {
    /// The exact JSON of a [`Trailer`].
    pub trailer: Box<RawValue>,
    /// ML-DSA-65 signature over those bytes, in base64.
    pub signature: String,
    /// The audit key's SubjectPublicKeyInfo (RFC 9881), in base64.
    pub public_key: String,
}
