//! Legacy evidence: manifests under tags that spell an image's digest, with one layer for each signature or attestation.

use std::collections::BTreeMap;

use serde_json::json;

use super::evidence::Skipped;
use crate::bundle::MEDIA_TYPE_PREFIX;
use crate::digest::Digest;
use crate::dsse::{self, Envelope};
use crate::manifest::{Content, Descriptor, Image, Manifest, NotAManifest};
use crate::reference::Repository;
use crate::registry::{Client, Error};
use crate::simple_signing;
use crate::verification::Carrier;

/// A kind of legacy evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Signatures.
    Signatures,
    /// Attestations.
    Attestations,
    /// A bill of materials that nobody signed. It is carried along and never believed.
    Sbom,
}

/// The media type of a layer that holds an envelope.
pub(super) const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// The annotation by which a layer with an envelope tells what it attests: a hint.
const PREDICATE: &str = "predicateType";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// As many as cosign looks at.
pub(super) const MOST_LAYERS: usize = 1_000;
/// Readers of cosign 3 refuse a layer of a kind that they do not know in a list of signatures; ours are of its kinds.
const CERTIFICATES: [&str; 2] = ["dev.sigstore.cosign/certificate", "dev.sigstore.cosign/chain"];

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Signatures, Self::Attestations, Self::Sbom];

    /// The tag of this kind of evidence of an image: `sha256-<hash>.sig`.
    pub fn tag(self, image: &Digest) -> String {
        let suffix = match self {
            Self::Signatures => "sig",
            Self::Attestations => "att",
            Self::Sbom => "sbom",
        };
        format!("{}.{suffix}", image.as_tag())
    }
}

/// The signed thing that a layer holds; nothing for a layer of another kind. The reason tells why it is not usable.
pub(super) async fn carrier(
    client: &Client,
    repository: &Repository,
    layer: &Descriptor,
) -> Result<Result<Option<Carrier>, String>, Error> {
    match layer.media_type.as_str() {
        simple_signing::MEDIA_TYPE => {
            let text = layer.annotations.get(simple_signing::SIGNATURE_ANNOTATION);
            let Some(signature) = text.and_then(|text| crate::base64::decode(text)) else {
                return Ok(Err("the layer has no signature".to_owned()));
            };
            let payload = content(client, repository, layer, simple_signing::LONGEST_BYTES as u64).await?;
            Ok(payload.map(|payload| Some(Carrier::Layer { payload, signature })))
        }
        ENVELOPE => {
            let bytes = match content(client, repository, layer, dsse::LONGEST_BYTES as u64).await? {
                Ok(bytes) => bytes,
                Err(why) => return Ok(Err(why)),
            };
            Ok(Envelope::parse(&bytes).map(|envelope| Some(Carrier::Envelope(envelope))).map_err(|error| why(&error)))
        }
        _ => Ok(Ok(None)),
    }
}

/// A content, or why it is not to be had from an otherwise healthy registry.
pub(super) async fn content(
    client: &Client,
    repository: &Repository,
    descriptor: &Descriptor,
    limit: u64,
) -> Result<Result<Vec<u8>, String>, Error> {
    match client.blob(repository, descriptor, limit).await {
        Ok(content) => Ok(Ok(content)),
        Err(error) => Skipped::because(error).map(Err),
    }
}

/// The layer of a carrier, with the content to store. Nothing for a bundle, which is no layer.
pub(super) fn layer(carrier: &Carrier) -> Result<Option<(Kind, Descriptor, Vec<u8>)>, serde_json::Error> {
    Ok(match carrier {
        Carrier::Layer { payload, signature } => {
            let mut descriptor = Descriptor::of(simple_signing::MEDIA_TYPE, payload).embedding(payload);
            let annotation = (simple_signing::SIGNATURE_ANNOTATION.to_owned(), crate::base64::encode(signature));
            descriptor.annotations = BTreeMap::from([annotation]);
            Some((Kind::Signatures, descriptor, payload.clone()))
        }
        Carrier::Envelope(envelope) => {
            let content = serde_json::to_vec(envelope)?;
            let mut descriptor = Descriptor::of(ENVELOPE, &content);
            // cosign wants the annotation of a signature here as well, and leaves it empty.
            descriptor.annotations.insert(simple_signing::SIGNATURE_ANNOTATION.to_owned(), String::new());
            if let Some(predicate) = super::attach::predicate_of(envelope) {
                descriptor.annotations.insert(PREDICATE.to_owned(), predicate);
            }
            Some((Kind::Attestations, descriptor, content))
        }
        Carrier::Bundle(_) => None,
    })
}

/// The present manifest with further layers, and the configuration to store before it; nothing if they are all in it.
pub(super) fn with_layers(
    present: Option<&Manifest>,
    ours: &[Descriptor],
) -> Result<Option<(Manifest, Vec<u8>)>, NotAManifest> {
    let mut layers = match present.map(Manifest::content) {
        Some(Content::Image(image)) => image.layers.clone(),
        Some(Content::Index(_)) => return Err(NotAManifest::Ambiguous),
        None => Vec::new(),
    };
    let before = layers.len();
    for ours in ours {
        if !layers.iter().any(|there| is_same(there, ours)) {
            layers.push(ours.clone());
        }
    }
    if layers.len() == before {
        return Ok(None);
    }
    let config = configuration(&layers);
    let mut image = Image::new(Descriptor::of(CONFIG, &config), layers);
    if let Some(Content::Image(there)) = present.map(Manifest::content) {
        image.annotations.clone_from(&there.annotations);
        image.subject.clone_from(&there.subject);
        image.artifact_type.clone_from(&there.artifact_type);
    }
    image.to_manifest().map(|manifest| Some((manifest, config)))
}

/// Two layers can have one content and different signatures.
fn is_same(there: &Descriptor, ours: &Descriptor) -> bool {
    let signature = |layer: &Descriptor| layer.annotations.get(simple_signing::SIGNATURE_ANNOTATION).cloned();
    let certificates = |layer: &Descriptor| CERTIFICATES.map(|name| layer.annotations.get(name).cloned());
    there.digest == ours.digest && signature(there) == signature(ours) && certificates(there) == certificates(ours)
}

/// The configuration that the layers of an image belong to: readers that unpack images want one entry for each.
pub(super) fn configuration(layers: &[Descriptor]) -> Vec<u8> {
    let ids: Vec<String> = layers.iter().map(|layer| layer.digest.to_string()).collect();
    let history: Vec<_> = layers.iter().map(|_| json!({ "created": "0001-01-01T00:00:00Z" })).collect();
    json!({
        "architecture": "",
        "config": {},
        "created": "0001-01-01T00:00:00Z",
        "history": history,
        "os": "",
        "rootfs": { "type": "layers", "diff_ids": ids },
    })
    .to_string()
    .into_bytes()
}

/// Whether a layer holds a bundle of any version.
pub(super) fn is_bundle(layer: &Descriptor) -> bool {
    layer.media_type.starts_with(MEDIA_TYPE_PREFIX)
}

pub(super) fn why(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::IMAGE;

    fn signature(payload: &[u8], signature: &[u8]) -> Descriptor {
        let carrier = Carrier::Layer { payload: payload.to_vec(), signature: signature.to_vec() };
        layer(&carrier).unwrap().unwrap().1
    }

    #[test]
    fn a_layer_is_added_once_and_two_signatures_of_one_payload_are_two() {
        let (a, b) = (signature(b"payload", b"a"), signature(b"payload", b"b"));
        let (first, config) = with_layers(None, std::slice::from_ref(&a)).unwrap().unwrap();
        assert_eq!(first.blobs()[0].digest, Digest::of(&config));
        assert!(with_layers(Some(&first), std::slice::from_ref(&a)).unwrap().is_none());
        let (both, config) = with_layers(Some(&first), &[a, b]).unwrap().unwrap();
        assert_eq!(both.blobs().len(), 3);
        assert_eq!(String::from_utf8(config).unwrap().matches("0001-01-01").count(), 3);
        assert_eq!(both.media_type(), IMAGE);
    }
}
