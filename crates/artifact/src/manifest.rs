//! Manifests and indexes of registries (OCI image specification 1.1, `manifest.md` and `image-index.md`, and the two formats of
//! Docker that have the same members).
//!
//! A document that could be read as both is refused: two readers would see two images (CVE-2021-41190). The bytes that came are
//! kept, because their hash is the image's name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::json::{self, Malformed};

/// The media type of an image's manifest.
pub const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's manifest.
pub const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The media type of the configuration of what is no image.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The content of such a configuration.
pub const EMPTY_CONTENT: &[u8] = b"{}";
/// Every media type that a request for a manifest accepts.
pub const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
/// Manifests longer than this are not read; registries refuse them as well.
pub const LONGEST_BYTES: usize = 4 << 20;
/// Contents of at most this length may stand in a descriptor that we write.
pub const LONGEST_EMBEDDED_BYTES: usize = 64 << 10;

/// What is known of a content before it is read (`descriptor.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// What it hashes to.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What kind of artifact it describes, where it is the manifest of one. Registries report it wrongly: a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Further facts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// For what machine it is made, within an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The content itself, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// A kind of machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The processor.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// A variant of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// A version of the operating system.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
}

impl Descriptor {
    /// A descriptor of a content.
    pub fn of(media_type: &str, content: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(content),
            size: content.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
            data: None,
        }
    }

    /// The same with the content inside, where it is short: whoever reads the manifest need not ask again.
    #[must_use]
    pub fn embedding(self, content: &[u8]) -> Self {
        let data = (content.len() <= LONGEST_EMBEDDED_BYTES).then(|| crate::base64::encode(content));
        Self { data, ..self }
    }

    /// The content that stands inside, if it is the one described.
    pub fn embedded(&self) -> Option<Vec<u8>> {
        let content = crate::base64::decode(self.data.as_deref()?)?;
        (content.len() as u64 == self.size && self.digest.is_of(&content)).then_some(content)
    }

    /// Whether it describes an index.
    pub fn is_index(&self) -> bool {
        [INDEX, DOCKER_INDEX].contains(&self.media_type.as_str())
    }

    /// Whether it describes a manifest or an index.
    pub fn is_manifest(&self) -> bool {
        self.is_index() || [IMAGE, DOCKER_IMAGE].contains(&self.media_type.as_str())
    }
}

/// A manifest or an index, with the bytes it was read from.
#[derive(Clone, Debug)]
pub struct Manifest {
    bytes: Vec<u8>,
    descriptor: Descriptor,
    content: Content,
}

/// What a manifest lists.
#[derive(Clone, Debug)]
pub enum Content {
    /// The parts of one image, or of something else that is stored like one.
    Image(Box<Image>),
    /// Further manifests.
    Index(Box<Index>),
}

/// The parts of one image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    schema_version: u64,
    media_type: Option<String>,
    /// What kind of artifact it is, where it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The contents.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Further facts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A list of manifests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    schema_version: u64,
    media_type: Option<String>,
    /// What kind of artifact it is, where it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests.
    #[serde(deserialize_with = "null_is_empty")]
    pub manifests: Vec<Descriptor>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Further facts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Why a document is no manifest that we take.
#[derive(Debug, thiserror::Error)]
pub enum NotAManifest {
    /// It is no JSON that has one meaning, or has another shape.
    #[error("the manifest is malformed")]
    Malformed(#[source] Malformed),
    /// It is of another kind, or says two things of its kind.
    #[error("the manifest is of type {0:?}, which is not read, or which it contradicts")]
    OtherType(String),
    /// It could be read as an image and as an index.
    #[error("the manifest can be read in two ways")]
    Ambiguous,
}

impl Manifest {
    /// Reads a manifest that came under a media type.
    pub fn parse(media_type: &str, bytes: Vec<u8>) -> Result<Self, NotAManifest> {
        let value = json::value(&bytes, LONGEST_BYTES).map_err(NotAManifest::Malformed)?;
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let said = value.get("mediaType").and_then(Value::as_str);
        let wrong = || NotAManifest::OtherType(media_type.chars().take(200).collect());
        if said.is_some_and(|said| said != media_type) || value.get("schemaVersion").and_then(Value::as_u64) != Some(2)
        {
            return Err(wrong());
        }
        let has = |name: &str| value.get(name).is_some_and(|member| !member.is_null());
        let content = match media_type {
            IMAGE | DOCKER_IMAGE if has("manifests") => return Err(NotAManifest::Ambiguous),
            INDEX | DOCKER_INDEX if has("config") || has("layers") => return Err(NotAManifest::Ambiguous),
            IMAGE | DOCKER_IMAGE => Content::Image(Box::new(shaped(value)?)),
            INDEX | DOCKER_INDEX => Content::Index(Box::new(shaped(value)?)),
            _ => return Err(wrong()),
        };
        let mut descriptor = Descriptor::of(media_type, &bytes);
        let (artifact_type, annotations) = match &content {
            Content::Image(image) => (image.kind(), &image.annotations),
            Content::Index(index) => (index.artifact_type.clone(), &index.annotations),
        };
        descriptor.artifact_type = artifact_type;
        descriptor.annotations.clone_from(annotations);
        Ok(Self { bytes, descriptor, content })
    }

    /// The bytes it was read from.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The descriptor as an index lists it, with the type and the annotations of an artifact.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// What it hashes to.
    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    /// Its media type.
    pub fn media_type(&self) -> &str {
        &self.descriptor.media_type
    }

    /// What it lists.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// What it belongs to.
    pub fn subject(&self) -> Option<&Descriptor> {
        match &self.content {
            Content::Image(image) => image.subject.as_ref(),
            Content::Index(index) => index.subject.as_ref(),
        }
    }

    /// The manifests that it lists; none for an image.
    pub fn manifests(&self) -> &[Descriptor] {
        match &self.content {
            Content::Index(index) => &index.manifests,
            Content::Image(_) => &[],
        }
    }

    /// The contents that are no manifests: configuration and layers.
    pub fn blobs(&self) -> Vec<&Descriptor> {
        match &self.content {
            Content::Image(image) => std::iter::once(&image.config).chain(&image.layers).collect(),
            Content::Index(_) => Vec::new(),
        }
    }
}

impl Image {
    /// A manifest of these parts.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(IMAGE.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// What kind of artifact it is: what it says, or the type of its configuration.
    pub fn kind(&self) -> Option<String> {
        let config = &self.config.media_type;
        self.artifact_type.clone().or_else(|| (config != EMPTY).then(|| config.clone()))
    }

    /// The manifest to store.
    pub fn to_manifest(&self) -> Result<Manifest, NotAManifest> {
        written(IMAGE, self)
    }
}

impl Index {
    /// An index of these manifests.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The index to store.
    pub fn to_manifest(&self) -> Result<Manifest, NotAManifest> {
        written(INDEX, self)
    }
}

fn written(media_type: &str, content: &impl Serialize) -> Result<Manifest, NotAManifest> {
    let bytes = serde_json::to_vec(content).map_err(|error| NotAManifest::Malformed(Malformed::Json(error)))?;
    Manifest::parse(media_type, bytes)
}

fn shaped<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, NotAManifest> {
    serde_json::from_value(value).map_err(|error| NotAManifest::Malformed(Malformed::Json(error)))
}

/// Go's encoder writes `null` for a list or a map without entries.
fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        let layer = Descriptor::of("text/plain", b"layer").embedding(b"layer");
        Image::new(Descriptor::of(EMPTY, EMPTY_CONTENT), vec![layer])
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        let manifest = image().to_manifest().unwrap();
        let read = Manifest::parse(IMAGE, manifest.bytes().to_vec()).unwrap();
        assert_eq!(read.digest(), &Digest::of(manifest.bytes()));
        assert_eq!(read.blobs()[1].embedded().as_deref(), Some(&b"layer"[..]));
        assert_eq!(read.blobs().len(), 2);
        let index = Index::new(vec![manifest.descriptor().clone()]).to_manifest().unwrap();
        assert_eq!(index.manifests(), [manifest.descriptor().clone()]);
    }

    #[test]
    fn embedded_content_is_taken_only_if_it_is_the_described_one() {
        let honest = Descriptor::of("text/plain", b"layer");
        let lying = Descriptor { data: Some(crate::base64::encode(b"other")), ..honest.clone() };
        assert_eq!(lying.embedded(), None);
        assert_eq!(honest.embedding(&vec![0; LONGEST_EMBEDDED_BYTES + 1]).data, None);
    }

    #[test]
    fn what_has_two_meanings_is_refused() {
        let good = String::from_utf8(image().to_manifest().unwrap().bytes().to_vec()).unwrap();
        let changed = |from: &str, to: &str| good.replacen(from, to, 1).into_bytes();
        let head = r#"{"schemaVersion":2,"#;
        for (media_type, bytes) in [
            (INDEX, good.clone().into_bytes()),
            ("application/json", good.clone().into_bytes()),
            (IMAGE, changed(head, r#"{"schemaVersion":2,"manifests":[],"#)),
            (IMAGE, changed(head, r#"{"schemaVersion":2,"config":{},"#)),
            (IMAGE, changed(head, r#"{"schemaVersion":1,"#)),
            (INDEX, br#"{"schemaVersion":2,"manifests":[],"layers":[]}"#.to_vec()),
            (IMAGE, b"{}".to_vec()),
        ] {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(Manifest::parse(media_type, bytes).is_err(), "{media_type} {text}");
        }
    }
}
