//! The deny list: certificates that peers must refuse although they have not ended, pushed with the trust bundle.
//!
//! It is signed by an issuing authority over `"qapi/deny-list/v1"`, a zero byte and the exact bytes of its JSON, so that
//! its signature can never stand for anything else that this key signs.

use serde::{Deserialize, Serialize};

/// The list, in the order of its JSON members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DenyList {
    /// Whose it is.
    pub trust_domain: String,
    /// The sequence of the bundle it belongs to. A peer that holds a later one keeps it.
    pub sequence: i64,
    /// When the sequence moved to this, in RFC 3339.
    pub issued_at: String,
    /// What is denied.
    pub denied: Vec<Denied>,
}

/// One certificate, named by issuer and number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Denied {
    /// Lower-case hexadecimal digits.
    pub serial_number: String,
    /// The key identifier of its issuer, in the same digits.
    pub issuer_key_id: String,
    /// When it ends by itself, in RFC 3339.
    pub not_after: String,
}

/// What is signed for a payload.
pub fn signing_input(payload: &[u8]) -> Vec<u8> {
    [DOMAIN, &[0], payload].concat()
}

const DOMAIN: &[u8] = b"qapi/deny-list/v1";
