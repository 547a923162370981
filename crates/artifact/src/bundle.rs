//! Sigstore bundles, version 0.3, with a plain key: a signature and what is needed to check it, in one JSON document.
//!
//! We write what `cosign verify --key` reads offline: one signature, the hint of the key, no certificate, no log entry. A log
//! entry or a timestamp in a bundle that we read proves nothing to us and is kept aside.

use crypto::hash::sha256;
use crypto::key::PublicKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dsse::Envelope;
use crate::json::{self, Malformed};

/// The media type, and the artifact type of its manifest in a registry.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What every version's media type begins with.
pub const MEDIA_TYPE_PREFIX: &str = "application/vnd.dev.sigstore.bundle";
/// Bundles longer than this are not read.
pub const LONGEST_BYTES: usize = crate::dsse::LONGEST_BYTES * 2;

/// A bundle. Nothing in it is to be believed before its signature was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// A hint which key signed: standard base64 of the SHA-256 of its SubjectPublicKeyInfo.
    pub key_hint: Option<String>,
    /// What was signed.
    pub content: Content,
}

/// What a bundle carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A payload in its envelope: images and attestations.
    Envelope(Envelope),
    /// A signature over a file that lies elsewhere.
    Message {
        /// The SHA-256 of the file.
        digest: Vec<u8>,
        /// The signature.
        signature: Vec<u8>,
    },
}

/// Why a document is no bundle that we take.
#[derive(Debug, thiserror::Error)]
pub enum NotABundle {
    /// It is no JSON, or has another shape.
    #[error("the bundle is malformed")]
    Malformed(#[source] Malformed),
    /// It is of another version or kind.
    #[error("its media type is {0:?}, and bundles of version 0.3 are read")]
    OtherVersion(String),
    /// It carries not one thing.
    #[error("a bundle carries one envelope with one signature, or one message signature")]
    Content,
    /// The file was hashed in a way that we do not take.
    #[error("the message was hashed with {0:?}, not with SHA2_256")]
    OtherHash(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    media_type: String,
    verification_material: Material,
    #[serde(default)]
    dsse_envelope: Option<Envelope>,
    #[serde(default)]
    message_signature: Option<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Write<'b> {
    media_type: &'static str,
    verification_material: Material,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<&'b Envelope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_signature: Option<Message>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Material {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<Hint>,
    #[serde(skip_serializing)]
    certificate: Option<Value>,
    #[serde(skip_serializing)]
    x509_certificate_chain: Option<Value>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Hint {
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_digest: MessageDigest,
    #[serde(with = "crate::base64::text")]
    signature: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct MessageDigest {
    algorithm: String,
    #[serde(with = "crate::base64::text")]
    digest: Vec<u8>,
}

const SHA2_256: &str = "SHA2_256";

impl Bundle {
    /// Reads a bundle.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotABundle> {
        let read: Read = json::read(bytes, LONGEST_BYTES).map_err(NotABundle::Malformed)?;
        if ![MEDIA_TYPE, "application/vnd.dev.sigstore.bundle+json;version=0.3"].contains(&read.media_type.as_str()) {
            return Err(NotABundle::OtherVersion(read.media_type.chars().take(200).collect()));
        }
        let content = match (read.dsse_envelope, read.message_signature) {
            (Some(envelope), None) if envelope.signatures().len() == 1 => Content::Envelope(envelope),
            (None, Some(message)) if message.message_digest.algorithm == SHA2_256 => {
                Content::Message { digest: message.message_digest.digest, signature: message.signature }
            }
            (None, Some(message)) => return Err(NotABundle::OtherHash(message.message_digest.algorithm)),
            _ => return Err(NotABundle::Content),
        };
        let key_hint = read.verification_material.public_key.map(|key| key.hint).filter(|hint| !hint.is_empty());
        Ok(Self { key_hint, content })
    }

    /// A bundle of an envelope signed with `key`.
    pub fn of_envelope(envelope: Envelope, key: &PublicKey) -> Self {
        Self { key_hint: Some(hint(key)), content: Content::Envelope(envelope) }
    }

    /// A bundle of a signature with `key` over a file.
    pub fn of_message(message: &[u8], signature: Vec<u8>, key: &PublicKey) -> Self {
        let digest = sha256(&[message]).to_vec();
        Self { key_hint: Some(hint(key)), content: Content::Message { digest, signature } }
    }

    /// The document.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let public_key = self.key_hint.as_ref().map(|hint| Hint { hint: hint.clone() });
        let (dsse_envelope, message_signature) = match &self.content {
            Content::Envelope(envelope) => (Some(envelope), None),
            Content::Message { digest, signature } => {
                let message_digest = MessageDigest { algorithm: SHA2_256.to_owned(), digest: digest.clone() };
                (None, Some(Message { message_digest, signature: signature.clone() }))
            }
        };
        serde_json::to_vec(&Write {
            media_type: MEDIA_TYPE,
            verification_material: Material { public_key, ..Material::default() },
            dsse_envelope,
            message_signature,
        })
    }
}

/// The hint by which a bundle names a key. It is a hint: whoever wrote the bundle could have written another.
pub fn hint(key: &PublicKey) -> String {
    crate::base64::encode(&sha256(&[&key.to_spki_der()]))
}

#[cfg(test)]
mod tests {
    use crypto::algorithm::Algorithm;
    use crypto::key::PrivateKey;
    use crypto::random::Seeded;

    use super::*;
    use crate::dsse::{IN_TOTO, Signature, pae};

    fn signed() -> (PublicKey, Bundle) {
        let random = Seeded::new(b"bundle");
        let key = PrivateKey::generate(Algorithm::MlDsa65, &random).unwrap();
        let sig = key.sign(&pae(IN_TOTO, b"{}"), &random).unwrap();
        let envelope = Envelope::new(IN_TOTO, b"{}".to_vec(), Signature { key_id: None, sig });
        let public = key.public_key().unwrap();
        (public.clone(), Bundle::of_envelope(envelope, &public))
    }

    #[test]
    fn a_bundle_reads_back_as_it_was_written() {
        let (key, bundle) = signed();
        let read = Bundle::parse(&bundle.to_json().unwrap()).unwrap();
        assert_eq!(read, bundle);
        let Content::Envelope(envelope) = &read.content else { panic!("an envelope was written") };
        assert_eq!(envelope.verify(IN_TOTO, &[key], 1).unwrap().payload, b"{}");
    }

    #[test]
    fn a_bundle_carries_exactly_one_signature() {
        let (_, bundle) = signed();
        let text = String::from_utf8(bundle.to_json().unwrap()).unwrap();
        let mut two: Value = serde_json::from_str(&text).unwrap();
        let one = two["dsseEnvelope"]["signatures"][0].clone();
        two["dsseEnvelope"]["signatures"] = vec![one.clone(), one].into();
        assert!(matches!(Bundle::parse(two.to_string().as_bytes()), Err(NotABundle::Content)));
        let older = text.replace(".v0.3+json", "+json;version=0.1");
        assert!(matches!(Bundle::parse(older.as_bytes()), Err(NotABundle::OtherVersion(_))));
        let twice = text.replacen(r#""mediaType":"#, r#""mediaType":"x","mediaType":"#, 1);
        assert!(matches!(Bundle::parse(twice.as_bytes()), Err(NotABundle::Malformed(_))));
    }
}
