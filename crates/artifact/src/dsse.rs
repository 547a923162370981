//! Envelopes of the Dead Simple Signing Envelope, DSSE 1.0.2.
//!
//! What is signed is not the payload but its pre-authentication encoding, which binds the payload's type. The payload is kept as
//! the bytes that came: it is parsed only after its signatures were checked, and never written anew.

use std::collections::HashSet;

use crypto::key::PublicKey;
use serde::{Deserialize, Serialize};

use crate::json::{self, Malformed};

/// The payload type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// Envelopes longer than this are not read: an SBOM of a large image has some 20 MiB.
pub const LONGEST_BYTES: usize = 64 << 20;
/// Signatures that are looked at.
const MOST_SIGNATURES: usize = 100;

/// A signed payload, as it stands in JSON. Nothing in it is to be believed before [`Envelope::verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The payload's bytes.
    #[serde(with = "crate::base64::text")]
    payload: Vec<u8>,
    payload_type: String,
    signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// A hint which key it was. It never decides anything.
    #[serde(default, rename = "keyid", skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The signature's bytes.
    #[serde(with = "crate::base64::text")]
    pub sig: Vec<u8>,
}

/// Why an envelope is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is no envelope.
    #[error("the envelope is malformed")]
    Malformed(#[source] Malformed),
    /// It holds something else than asked for.
    #[error("the payload is of type {found:?}, not {expected:?}")]
    OtherType {
        /// The type that stands in the envelope.
        found: String,
        /// The type that was asked for.
        expected: &'static str,
    },
    /// There are no signatures, or too many to look at.
    #[error("it has {0} signatures, and between 1 and 100 are looked at")]
    Signatures(usize),
    /// Too few of the trusted keys have signed.
    #[error("{found} of the trusted keys have signed it, and {threshold} are needed")]
    Untrusted {
        /// How many different trusted keys have signed.
        found: usize,
        /// How many are needed.
        threshold: usize,
    },
}

/// A payload whose signatures were checked, and which of the trusted keys made them.
#[derive(Clone, Debug)]
pub struct Verified<'e> {
    /// The payload's bytes.
    pub payload: &'e [u8],
    /// The keys that have signed it, by their place among the trusted ones.
    pub signers: Vec<usize>,
}

impl Envelope {
    /// An envelope with one signature over [`pae`] of the same type and payload.
    pub fn new(payload_type: &str, payload: Vec<u8>, signature: Signature) -> Self {
        Self { payload, payload_type: payload_type.to_owned(), signatures: vec![signature] }
    }

    /// Reads an envelope.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        json::read(bytes, LONGEST_BYTES).map_err(Refused::Malformed)
    }

    /// The signatures; none of them has been checked.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The payload, of which nothing is proved. For showing, and for finding out what to verify it with.
    pub fn danger_unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, if it is of the expected type and at least `threshold` different keys of `trusted` have signed it.
    pub fn verify(
        &self,
        expected: &'static str,
        trusted: &[PublicKey],
        threshold: usize,
    ) -> Result<Verified<'_>, Refused> {
        if self.payload_type != expected {
            return Err(Refused::OtherType { found: self.payload_type.chars().take(200).collect(), expected });
        }
        if !(1..=MOST_SIGNATURES).contains(&self.signatures.len()) {
            return Err(Refused::Signatures(self.signatures.len()));
        }
        let signed = pae(&self.payload_type, &self.payload);
        let has_signed = |key: &PublicKey| self.signatures.iter().any(|signature| key.verify(&signed, &signature.sig));
        // A key that is listed twice counts once.
        let mut counted = HashSet::new();
        let signers: Vec<usize> = (0..)
            .zip(trusted)
            .filter(|(_, key)| has_signed(key) && counted.insert(*key.hash()))
            .map(|(place, _)| place)
            .collect();
        if signers.len() < threshold.max(1) {
            return Err(Refused::Untrusted { found: signers.len(), threshold: threshold.max(1) });
        }
        Ok(Verified { payload: &self.payload, signers })
    }
}

/// The pre-authentication encoding: what is signed for a payload of a type.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests;
