//! Writing signed things beside an image.

use std::collections::BTreeMap;

use super::legacy::{self, Kind};
use super::{Image, evidence};
use crate::bundle::{self, Bundle, Content};
use crate::digest::Digest;
use crate::dsse::Envelope;
use crate::json;
use crate::manifest::{self, Descriptor, EMPTY, EMPTY_CONTENT, Manifest, NotAManifest};
use crate::registry::{Client, Error};
use crate::verification::Carrier;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// The tags that legacy evidence was added to.
    pub tags: Vec<String>,
    /// The manifests of bundles, in the order in which they were stored.
    pub manifests: Vec<Digest>,
}

/// Why nothing, or not all, was written.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// The registry did not do it.
    #[error(transparent)]
    Registry(#[from] Error),
    /// A carrier cannot be written down.
    #[error("writing a signature down")]
    Unwritable(#[source] serde_json::Error),
    /// A manifest cannot be written down.
    #[error("writing a manifest down")]
    Manifest(#[source] NotAManifest),
    /// Readers that find one bundle look at no legacy signature any more: the image would seem unsigned to whoever knows no
    /// post-quantum signatures.
    #[error(
        "a post-quantum bundle would hide the image's legacy signatures from other tools; sign with a classical key as well"
    )]
    HidesLegacy,
}

/// The annotation that tells when a manifest was made.
const CREATED: &str = "org.opencontainers.image.created";
/// The shortest post-quantum signature, that of ML-DSA-44 (FIPS 204, table 2). No classical one comes near it.
const SHORTEST_POST_QUANTUM_BYTES: usize = 2_420;
/// How often others may be faster.
const MOST_ROUNDS: usize = 60;

/// Writes carriers beside an image at `now`, in Unix seconds: legacy ones into the manifests under its tags, bundles as manifests
/// that refer to it. Classical bundles are stored and listed no later than post-quantum ones, because other tools that see one
/// bundle look at nothing else.
///
/// What others write at the same time stays, and what is there already is not written twice.
pub async fn attach(client: &Client, image: &Image, carriers: &[Carrier], now: i64) -> Result<Attached, AttachError> {
    let mut bundles: Vec<&Bundle> = carriers.iter().filter_map(as_bundle).collect();
    bundles.sort_by_key(|bundle| is_post_quantum(bundle));
    if bundles.first().is_some_and(|first| is_post_quantum(first)) && hides_legacy(client, image, carriers).await? {
        return Err(AttachError::HidesLegacy);
    }
    let mut attached = Attached::default();
    for kind in [Kind::Signatures, Kind::Attestations] {
        let layers = carriers.iter().map(legacy::layer).collect::<Result<Vec<_>, _>>();
        let layers = layers.map_err(AttachError::Unwritable)?.into_iter().flatten();
        let layers: Vec<_> =
            layers.filter(|(of, ..)| *of == kind).map(|(_, layer, content)| (layer, content)).collect();
        if !layers.is_empty() {
            attached.tags.push(add_layers(client, image, kind, layers).await?);
        }
    }
    if !bundles.is_empty() {
        attached.manifests = add_bundles(client, image, &bundles, now).await?;
    }
    Ok(attached)
}

fn as_bundle(carrier: &Carrier) -> Option<&Bundle> {
    match carrier {
        Carrier::Bundle(bundle) => Some(bundle),
        Carrier::Layer { .. } | Carrier::Envelope(_) => None,
    }
}

fn is_post_quantum(bundle: &Bundle) -> bool {
    let length = match &bundle.content {
        Content::Envelope(envelope) => envelope.signatures().iter().map(|signature| signature.sig.len()).max(),
        Content::Message { signature, .. } => Some(signature.len()),
    };
    length.unwrap_or_default() >= SHORTEST_POST_QUANTUM_BYTES
}

/// Whether post-quantum bundles alone would be the first ones of an image that has, or is given, legacy signatures.
async fn hides_legacy(client: &Client, image: &Image, carriers: &[Carrier]) -> Result<bool, Error> {
    let is_given = carriers.iter().any(|carrier| matches!(carrier, Carrier::Layer { .. }));
    if !is_given && client.resolve(&image.legacy_reference(Kind::Signatures)?).await?.is_none() {
        return Ok(false);
    }
    let found = evidence::find(client, image, evidence::Wanted::Signatures).await?;
    Ok(!found.carriers.iter().filter_map(as_bundle).any(|bundle| !is_post_quantum(bundle)))
}

/// Adds layers to the manifest under the tag of their kind.
async fn add_layers(
    client: &Client,
    image: &Image,
    kind: Kind,
    layers: Vec<(Descriptor, Vec<u8>)>,
) -> Result<String, AttachError> {
    let (tag, repository) = (kind.tag(&image.digest), &image.evidence);
    for (_, content) in &layers {
        client.put_blob(repository, content).await?;
    }
    let layers: Vec<Descriptor> = layers.into_iter().map(|(layer, _)| layer).collect();
    merge_layers(client, image, kind, &layers).await?;
    Ok(tag)
}

/// Adds layers whose contents are stored already.
pub(super) async fn merge_layers(
    client: &Client,
    image: &Image,
    kind: Kind,
    layers: &[Descriptor],
) -> Result<(), AttachError> {
    let (tag, repository) = (kind.tag(&image.digest), &image.evidence);
    for _ in 0..MOST_ROUNDS {
        // The configuration lists all layers, so it has to be stored before the manifest, and anew when others were faster.
        let present = client.find_manifest(&image.legacy_reference(kind)?).await?;
        let Some((wanted, config)) = legacy::with_layers(present.as_ref(), layers).map_err(AttachError::Manifest)?
        else {
            return Ok(());
        };
        client.put_blob(repository, &config).await?;
        let expected = present.map(|present| present.digest().clone());
        let outcome = client
            .change_tag(repository, &tag, |now| {
                if now.map(Manifest::digest) == expected.as_ref() {
                    return Ok(Some(wanted.clone()));
                }
                match legacy::with_layers(now, layers) {
                    Ok(None) => Ok(None),
                    // Somebody was faster: from the beginning, with another configuration.
                    _ => Err(Error::Contended(tag.clone())),
                }
            })
            .await;
        match outcome {
            Err(Error::Contended(_)) => {}
            settled => return Ok(settled?),
        }
    }
    Err(Error::Contended(format!("{repository}:{tag}")).into())
}

async fn add_bundles(
    client: &Client,
    image: &Image,
    bundles: &[&Bundle],
    now: i64,
) -> Result<Vec<Digest>, AttachError> {
    let subject = client.manifest(&image.reference()).await?;
    let subject = Descriptor { annotations: BTreeMap::new(), artifact_type: None, ..subject.descriptor().clone() };
    if !client.has_blob(&image.evidence, &Digest::of(EMPTY_CONTENT)).await? {
        client.put_blob(&image.evidence, EMPTY_CONTENT).await?;
    }
    let mut manifests = Vec::with_capacity(bundles.len());
    for bundle in bundles {
        let content = bundle.to_json().map_err(AttachError::Unwritable)?;
        client.put_blob(&image.evidence, &content).await?;
        manifests.push(referrer(bundle, &content, &subject, now).map_err(AttachError::Manifest)?);
    }
    client.put_referrers(&image.evidence, &manifests).await?;
    Ok(manifests.iter().map(|manifest| manifest.digest().clone()).collect())
}

/// The manifest of one bundle: one layer, no configuration, the image as its subject.
fn referrer(bundle: &Bundle, content: &[u8], subject: &Descriptor, now: i64) -> Result<Manifest, NotAManifest> {
    let layer = Descriptor::of(bundle::MEDIA_TYPE, content).embedding(content);
    let mut image = manifest::Image::new(Descriptor::of(EMPTY, EMPTY_CONTENT).embedding(EMPTY_CONTENT), vec![layer]);
    image.artifact_type = Some(bundle::MEDIA_TYPE.to_owned());
    image.subject = Some(subject.clone());
    let (kind, predicate) = match &bundle.content {
        Content::Envelope(envelope) => ("dsse-envelope", predicate_of(envelope)),
        Content::Message { .. } => ("message-signature", None),
    };
    let predicate = predicate.map(|predicate| (evidence::PREDICATE.to_owned(), predicate));
    let created = rfc3339(now).map(|created| (CREATED.to_owned(), created));
    let content = Some((evidence::CONTENT.to_owned(), kind.to_owned()));
    image.annotations = [content, predicate, created].into_iter().flatten().collect();
    image.to_manifest()
}

/// What an envelope of ours says that it holds. For telling others where to look, and for nothing else.
pub(super) fn predicate_of(envelope: &Envelope) -> Option<String> {
    let payload = json::value(envelope.danger_unverified_payload(), crate::dsse::LONGEST_BYTES).ok()?;
    payload.get("predicateType")?.as_str().map(str::to_owned)
}

fn rfc3339(now: i64) -> Option<String> {
    let moment = time::OffsetDateTime::from_unix_timestamp(now).ok()?;
    moment.format(&time::format_description::well_known::Rfc3339).ok()
}
