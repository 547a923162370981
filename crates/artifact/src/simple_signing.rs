//! The payload of legacy image signatures: the simple signing format of containers/image, as cosign writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::json::{self, Malformed};

/// The media type of the layer that holds the payload.
pub const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of that layer which holds the signature.
pub const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// Payloads longer than this are not read.
pub const LONGEST_BYTES: usize = 64 << 10;
/// What the payload calls itself.
const TYPE: &str = "cosign container image signature";

/// A payload that was read. Make one of verified bytes only.
#[derive(Clone, Debug, PartialEq)]
pub struct SimpleSigning {
    /// The image.
    pub digest: Digest,
    /// The name it was signed under; other images may have the same content.
    pub reference: String,
    /// Further facts that were signed.
    pub optional: BTreeMap<String, Value>,
}

/// Why a payload is none.
#[derive(Debug, thiserror::Error)]
pub enum NotAPayload {
    /// It is no JSON, or has another shape.
    #[error("the signed payload is malformed")]
    Malformed(#[source] Malformed),
    /// It calls itself something else.
    #[error("the signed payload calls itself {0:?}, not an image signature")]
    OtherType(String),
}

#[derive(Serialize, Deserialize)]
struct Written {
    critical: Critical,
    #[serde(default)]
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    reference: String,
}

#[derive(Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

impl SimpleSigning {
    /// Reads a payload.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAPayload> {
        let Written { critical, optional } = json::read(bytes, LONGEST_BYTES).map_err(NotAPayload::Malformed)?;
        // An older tool wrote `atomic container signature`; nobody whose signature we read has one.
        if critical.kind != TYPE {
            return Err(NotAPayload::OtherType(critical.kind.chars().take(200).collect()));
        }
        let (digest, reference) = (critical.image.digest, critical.identity.reference);
        Ok(Self { digest, reference, optional: optional.unwrap_or_default() })
    }

    /// The bytes to sign.
    pub fn to_payload(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Written {
            critical: Critical {
                identity: Identity { reference: self.reference.clone() },
                image: Image { digest: self.digest.clone() },
                kind: TYPE.to_owned(),
            },
            optional: Some(self.optional.clone()).filter(|optional| !optional.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_spelled_as_cosign_spells_it() {
        let payload = SimpleSigning {
            digest: Digest::of(b"image"),
            reference: "registry.example/team/api".to_owned(),
            optional: BTreeMap::new(),
        };
        let bytes = payload.to_payload().unwrap();
        let expected = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"registry.example/team/api"}},"image":{{"docker-manifest-digest":"{}"}},"type":"cosign container image signature"}},"optional":null}}"#,
            payload.digest
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
        assert_eq!(SimpleSigning::parse(&bytes).unwrap(), payload);
    }

    #[test]
    fn what_is_signed_for_another_purpose_is_no_image_signature() {
        let other = expected_with("atomic container signature");
        assert!(matches!(SimpleSigning::parse(other.as_bytes()), Err(NotAPayload::OtherType(_))));
        let twice = expected_with(TYPE).replace(r#""image":"#, r#""image":{"docker-manifest-digest":"x"},"image":"#);
        assert!(matches!(SimpleSigning::parse(twice.as_bytes()), Err(NotAPayload::Malformed(_))));
    }

    fn expected_with(kind: &str) -> String {
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"a"}},"image":{{"docker-manifest-digest":"{}"}},"type":"{kind}"}}}}"#,
            Digest::of(b"image")
        )
    }
}
