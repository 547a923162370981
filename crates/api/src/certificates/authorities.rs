//! Authorities, the policy of names, and the trust bundle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::WireTime;

/// One key of an authority.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authority {
    /// It.
    pub id: Uuid,
    /// What its rotations have in common.
    pub name: String,
    /// `root`, `issuing` or `classical`.
    pub kind: String,
    /// Counts rotations, from 1.
    pub generation: u32,
    /// `incoming`, `active`, `retiring` or `retired`.
    pub status: String,
    /// Its algorithm.
    pub algorithm: String,
    /// Whether a quantum computer leaves it standing.
    pub quantum_safe: bool,
    /// Its distinguished name.
    pub subject: String,
    /// Its key identifier, in hexadecimal digits.
    pub key_id: String,
    /// Its self-signed certificate, in PEM.
    pub certificate: String,
    /// Its certificates under the roots there are, in PEM: same subject, same key.
    pub intermediate: Option<String>,
    /// When its certificates begin.
    pub not_before: WireTime,
    /// When its certificates end.
    pub not_after: WireTime,
    /// From when on it issues.
    pub active_from: WireTime,
    /// When its overlap with its successor ends.
    pub retires_at: Option<WireTime>,
    /// When it left the trust bundle.
    pub retired_at: Option<WireTime>,
}

/// Answer of `GET /cas`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthorityList {
    /// All of them, the oldest first.
    pub cas: Vec<Authority>,
    /// How many there are.
    pub total: u64,
}

/// Body of `POST /cas`: a further issuing authority under the tenant's root.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateAuthority {
    /// Letters, digits and hyphens, at most 40.
    pub name: String,
    /// `ML-DSA-65` unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}

/// Body of `POST /cas/{id}/rotate`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotateAuthority {
    /// How long the successor is published before it issues; twice the bundle's refresh hint unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_seconds: Option<u32>,
    /// How long the old key stays an anchor after that; until its last certificate has ended unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<u32>,
}

/// What the tenant's certificates may be called.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamePolicy {
    /// The trust domain of its SPIFFE ids.
    pub trust_domain: String,
    /// DNS names, each with what lies below it if it has a dot; addresses and networks.
    pub allowed_names: Vec<String>,
    /// Whether an unconfined credential's new name is added to them.
    pub learning: bool,
    /// When it last changed.
    pub updated_at: WireTime,
}

/// Body of `PATCH /ca/policy`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateNamePolicy {
    /// Another trust domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<String>,
    /// Names, in place of all the old ones. The authorities are certified anew with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_names: Option<Vec<String>>,
    /// Whether to learn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning: Option<bool>,
}

/// An anchor as JSON, for who asks for that.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthorityCertificate {
    /// The authority.
    pub ca_id: Uuid,
    /// Its distinguished name.
    pub subject: String,
    /// Its algorithm.
    pub algorithm: String,
    /// Its key identifier, in hexadecimal digits.
    pub key_id: String,
    /// SHA-256 of the certificate, in hexadecimal digits: what a client pins.
    pub fingerprint: String,
    /// In PEM.
    pub certificate: String,
    /// When it ends.
    pub not_after: WireTime,
}

/// Query of certificates and revocation lists of an authority.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadEncoded {
    /// `pem`, `der` or `json`; otherwise what `Accept` asks for, and PEM when it asks for nothing.
    pub format: Option<String>,
}

/// Query of `GET /ca/bundle`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadBundle {
    /// Answer when the sequence is beyond this.
    pub after: Option<i64>,
    /// Or after so many seconds, at most 55.
    pub wait_seconds: Option<u32>,
}

/// What peers of a trust domain trust and refuse.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// The trust domain.
    pub trust_domain: String,
    /// Moves with every anchor and every revocation.
    pub sequence: i64,
    /// How often to ask again without waiting.
    pub refresh_hint_seconds: u32,
    /// What to trust, in PEM: every issuing authority in its self-signed form, and the roots.
    pub anchors: Vec<String>,
    /// The issuing authorities under the roots, in PEM.
    pub intermediates: Vec<String>,
    /// What to refuse.
    pub deny_list: SignedDenyList,
}

/// A signed list of certificates to refuse.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedDenyList {
    /// The list's JSON in base64: these bytes are signed.
    pub payload: String,
    /// The signature over `qapi/deny-list/v1`, a zero byte and the payload, in base64.
    pub signature: String,
    /// The key identifier of the authority that signed, in hexadecimal digits.
    pub key_id: String,
}

/// The trust bundle in SPIFFE's form (SPIFFE Trust Domain and Bundle, 4).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SpiffeBundle {
    /// The sequence.
    pub spiffe_sequence: i64,
    /// Seconds.
    pub spiffe_refresh_hint: u32,
    /// One for each anchor.
    pub keys: Vec<SpiffeKey>,
}

/// One anchor as a JSON Web Key (RFC 9964 for ML-DSA).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SpiffeKey {
    /// `x509-svid`.
    #[serde(rename = "use")]
    pub usage: String,
    /// `AKP`.
    pub kty: String,
    /// The algorithm.
    pub alg: String,
    /// The public key in base64url.
    #[serde(rename = "pub")]
    pub public: String,
    /// The anchor, in base64.
    pub x5c: Vec<String>,
}
