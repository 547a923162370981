//! Finding what is signed beside an image.
//!
//! Everything that could hold a signed thing is looked into, in the order in which it is likely to be what is wanted; lists only
//! tell the order. Whoever has seen enough stops, which is sound, because more evidence never makes a verdict worse.
//! An image of which somebody stored a broken signature is not thereby kept from being verified by a good one: what is not
//! usable is told and passed over. A registry that does not answer is another matter, and an error.

use futures_util::StreamExt as _;
use futures_util::stream;

use super::Image;
use super::legacy::{self, Kind};
use crate::bundle::{self, Bundle};
use crate::digest::Digest;
use crate::manifest::{Content, Descriptor, Manifest};
use crate::reference::Repository;
use crate::registry::{Client, Error};
use crate::verification::{Carrier, SIGN_PREDICATE};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'w> {
    /// Signatures.
    Signatures,
    /// Attestations, of this predicate first if one is named.
    Attestations(Option<&'w str>),
}

/// What was found beside an image. Nothing of it is proved.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The signed things, as `verification` judges them. All kinds of bundles are among them.
    pub carriers: Vec<Carrier>,
    /// Where each of them lies.
    pub origins: Vec<Origin>,
    /// What is there and not usable.
    pub skipped: Vec<Skipped>,
}

/// Where something that was found lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A layer of the manifest under a tag.
    Layer {
        /// The tag.
        tag: String,
        /// The place of the layer.
        layer: usize,
    },
    /// A manifest that refers to the image.
    Referrer {
        /// What it hashes to.
        manifest: Digest,
    },
}

/// Something that is there and not usable.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// Where it lies.
    pub origin: Origin,
    /// Why it is not usable.
    pub why: String,
}

/// Where a manifest that refers to an image tells what its bundle holds: a hint.
pub(super) const PREDICATE: &str = "dev.sigstore.bundle.predicateType";
/// What else it tells there: a hint.
pub(super) const CONTENT: &str = "dev.sigstore.bundle.content";
/// Referrers that are looked into.
const MOST_LOOKED_INTO: usize = 500;
/// A signature has no need of more; attestations of an image are as long as its bill of materials.
const LONGEST_SIGNATURE_BYTES: u64 = 1 << 20;
const AT_ONCE: usize = 4;

/// Everything that is signed beside an image.
pub async fn find(client: &Client, image: &Image, wanted: Wanted<'_>) -> Result<Evidence, Error> {
    find_until(client, image, wanted, |_| false).await
}

/// What is signed beside an image, until `enough` says that no more is needed. It is asked after every step, of which there are
/// four at most, and may be handed carriers that it has seen before.
pub async fn find_until(
    client: &Client,
    image: &Image,
    wanted: Wanted<'_>,
    mut enough: impl FnMut(&[Carrier]) -> bool,
) -> Result<Evidence, Error> {
    let listed = client.referrers(&image.evidence, &image.digest).await?;
    let mut listed: Vec<(Likely, Descriptor)> =
        listed.manifests.into_iter().map(|entry| (likely(&entry, wanted), entry)).collect();
    // The order of a list is its writer's; among the equally likely the newest entries of most registries come last.
    listed.sort_by_key(|(likely, _)| *likely);
    listed.truncate(MOST_LOOKED_INTO);
    let mut evidence = Evidence::default();
    for step in [Likely::Wanted, Likely::Legacy, Likely::Unknown, Likely::Other] {
        let before = evidence.carriers.len();
        if step == Likely::Legacy {
            evidence.look_at_tag(client, image, wanted).await?;
        }
        let entries = listed.iter().filter(|(likely, _)| *likely == step).map(|(_, entry)| entry);
        evidence.look_into(client, &image.evidence, entries.collect(), wanted).await?;
        if evidence.carriers.len() > before && enough(&evidence.carriers) {
            break;
        }
    }
    Ok(evidence)
}

/// How likely an entry holds what is wanted, the likeliest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likely {
    Wanted,
    /// Whatever lies under a tag; no entry is this.
    Legacy,
    Unknown,
    Other,
}

fn likely(entry: &Descriptor, wanted: Wanted<'_>) -> Likely {
    match (entry.annotations.get(PREDICATE).map(String::as_str), wanted) {
        (Some(SIGN_PREDICATE), Wanted::Signatures) => Likely::Wanted,
        (Some(said), Wanted::Attestations(Some(wanted))) if said == wanted => Likely::Wanted,
        (Some(said), Wanted::Attestations(None)) if said != SIGN_PREDICATE => Likely::Wanted,
        (Some(_), _) => Likely::Other,
        (None, _) if entry.artifact_type.as_deref() == Some(bundle::MEDIA_TYPE) => Likely::Wanted,
        (None, _) => Likely::Unknown,
    }
}

impl Evidence {
    async fn look_at_tag(&mut self, client: &Client, image: &Image, wanted: Wanted<'_>) -> Result<(), Error> {
        let kind = match wanted {
            Wanted::Signatures => Kind::Signatures,
            Wanted::Attestations(_) => Kind::Attestations,
        };
        let (name, tag) = (image.legacy_reference(kind)?, kind.tag(&image.digest));
        let origin = |layer| Origin::Layer { tag: tag.clone(), layer };
        match client.find_manifest(&name).await {
            Ok(Some(manifest)) => self.take_layers(client, &image.evidence, &manifest, origin).await,
            Ok(None) => Ok(()),
            Err(error) => {
                self.skipped.push(Skipped { origin: origin(0), why: Skipped::because(error)? });
                Ok(())
            }
        }
    }

    async fn look_into(
        &mut self,
        client: &Client,
        repository: &Repository,
        entries: Vec<&Descriptor>,
        wanted: Wanted<'_>,
    ) -> Result<(), Error> {
        // Collected, since a future that holds the closure is one that no compiler proves to be Send.
        let looks: Vec<_> = entries.into_iter().map(|entry| look(client, repository, entry, wanted)).collect();
        let mut looks = stream::iter(looks).buffered(AT_ONCE);
        while let Some(looked) = looks.next().await {
            let looked = looked?;
            self.carriers.extend(looked.carriers);
            self.origins.extend(looked.origins);
            self.skipped.extend(looked.skipped);
        }
        Ok(())
    }

    /// The signed things among the layers of a manifest. A layer of another kind is nothing to do with us.
    async fn take_layers(
        &mut self,
        client: &Client,
        repository: &Repository,
        manifest: &Manifest,
        origin: impl Fn(usize) -> Origin,
    ) -> Result<(), Error> {
        let Content::Image(image) = manifest.content() else { return Ok(()) };
        let layers = image.layers.iter().take(legacy::MOST_LAYERS);
        let found: Vec<_> = layers.map(|layer| legacy::carrier(client, repository, layer)).collect();
        let mut found = stream::iter(found).buffered(AT_ONCE).enumerate();
        while let Some((place, carrier)) = found.next().await {
            self.add(origin(place), carrier?);
        }
        Ok(())
    }

    fn add(&mut self, origin: Origin, found: Result<Option<Carrier>, String>) {
        match found {
            Ok(Some(carrier)) => {
                self.carriers.push(carrier);
                self.origins.push(origin);
            }
            Ok(None) => {}
            Err(why) => self.skipped.push(Skipped { origin, why }),
        }
    }
}

/// Looks into one referrer: a bundle, or legacy signatures that refer to the image instead of lying under its tag.
async fn look(
    client: &Client,
    repository: &Repository,
    entry: &Descriptor,
    wanted: Wanted<'_>,
) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    let origin = Origin::Referrer { manifest: entry.digest.clone() };
    let manifest = match client.find_manifest(&repository.at(entry.digest.clone())).await {
        Ok(Some(manifest)) => manifest,
        Ok(None) => {
            evidence.add(origin, Err("it is listed and not there".to_owned()));
            return Ok(evidence);
        }
        Err(error) => {
            evidence.add(origin, Err(Skipped::because(error)?));
            return Ok(evidence);
        }
    };
    match manifest.content() {
        Content::Image(image) if image.layers.iter().any(legacy::is_bundle) => {
            let found = match image.layers.as_slice() {
                [layer] => bundle_of(client, repository, layer, wanted).await?,
                _ => Err("a manifest of a bundle has one layer".to_owned()),
            };
            evidence.add(origin, found.map(|bundle| Some(Carrier::Bundle(bundle))));
        }
        _ => evidence.take_layers(client, repository, &manifest, |_| origin.clone()).await?,
    }
    Ok(evidence)
}

async fn bundle_of(
    client: &Client,
    repository: &Repository,
    layer: &Descriptor,
    wanted: Wanted<'_>,
) -> Result<Result<Bundle, String>, Error> {
    let limit = match wanted {
        Wanted::Signatures => LONGEST_SIGNATURE_BYTES,
        Wanted::Attestations(_) => bundle::LONGEST_BYTES as u64,
    };
    let bytes = legacy::content(client, repository, layer, limit).await?;
    Ok(bytes.and_then(|bytes| Bundle::parse(&bytes).map_err(|error| legacy::why(&error))))
}

impl Skipped {
    /// Why something is passed over; a registry that gives no answer is no reason to.
    pub(super) fn because(error: Error) -> Result<String, Error> {
        match error {
            Error::Absent(_)
            | Error::OtherContent { .. }
            | Error::TooLarge { .. }
            | Error::Manifest { .. }
            | Error::Refused { .. } => Ok(legacy::why(&error)),
            other => Err(other),
        }
    }
}
