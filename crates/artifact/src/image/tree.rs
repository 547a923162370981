//! What belongs to an image, as a tree.

use super::legacy::Kind;
use super::{Image, MOST_FAMILY};
use crate::digest::Digest;
use crate::manifest::{Content, Descriptor, Manifest};
use crate::registry::{Client, Error};

/// A manifest, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Node {
    /// How it belongs to what stands above it.
    pub relation: Relation,
    /// The manifest.
    pub descriptor: Descriptor,
    /// The contents that it holds, without configuration.
    pub layers: Vec<Descriptor>,
    /// What belongs to it.
    pub children: Vec<Node>,
}

/// How a manifest belongs to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It is what was asked for.
    Root,
    /// An index lists it.
    Listed,
    /// It names the other as its subject.
    Refers,
    /// It lies under a tag of the other's digest.
    Tag {
        /// What it holds by its tag.
        kind: Kind,
        /// The tag.
        tag: String,
    },
}

/// Referrers of referrers are followed so far.
const DEEPEST: usize = 4;

/// Everything that belongs to an image and to the images that it lists.
pub async fn tree(client: &Client, image: &Image) -> Result<Node, Error> {
    let manifest = client.manifest(&image.reference()).await?;
    let mut seen = Vec::new();
    Box::pin(node(client, image, Relation::Root, &manifest, manifest.descriptor().clone(), DEEPEST, &mut seen)).await
}

async fn node(
    client: &Client,
    image: &Image,
    relation: Relation,
    manifest: &Manifest,
    descriptor: Descriptor,
    depth: usize,
    seen: &mut Vec<Digest>,
) -> Result<Node, Error> {
    seen.push(image.digest.clone());
    let layers = match manifest.content() {
        Content::Image(image) => image.layers.clone(),
        Content::Index(_) => Vec::new(),
    };
    let mut children = Vec::new();
    for kind in Kind::ALL {
        let Some(found) = client.find_manifest(&image.legacy_reference(kind)?).await? else { continue };
        let relation = Relation::Tag { kind, tag: kind.tag(&image.digest) };
        let layers = found.blobs().into_iter().skip(1).cloned().collect();
        children.push(Node { relation, descriptor: found.descriptor().clone(), layers, children: Vec::new() });
    }
    let referrers = match depth {
        0 => Vec::new(),
        _ => client.referrers(&image.evidence, &image.digest).await?.manifests,
    };
    let below = referrers.into_iter().map(|entry| (Relation::Refers, entry, depth - 1));
    let below = below.chain(manifest.manifests().iter().map(|entry| (Relation::Listed, entry.clone(), depth)));
    for (relation, entry, depth) in below {
        if !entry.is_manifest() || seen.contains(&entry.digest) || seen.len() > MOST_FAMILY {
            continue;
        }
        let repository = if relation == Relation::Refers { &image.evidence } else { &image.repository };
        let Some(found) = client.find_manifest(&repository.at(entry.digest.clone())).await? else { continue };
        let below =
            Image { repository: repository.clone(), digest: entry.digest.clone(), evidence: image.evidence.clone() };
        // What a list says of its entry is overruled by the entry, except for the platform, which only lists know.
        let descriptor = Descriptor { platform: entry.platform, ..found.descriptor().clone() };
        children.push(Box::pin(node(client, &below, relation, &found, descriptor, depth, seen)).await?);
    }
    Ok(Node { relation, descriptor, layers, children })
}
