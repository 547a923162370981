//! Copying images with everything that belongs to them.
//!
//! Contents go before the manifests that list them, an image before what refers to it, and the tag last: whoever reads the
//! destination by its tag at any moment finds either the image of before, or the new one with all of its signatures. At the end
//! the destination is read again, and everything that was copied has to be there, under the same digests.

use std::collections::BTreeSet;

use futures_util::stream;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};

use super::attach::{AttachError, merge_layers};
use super::legacy::Kind;
use super::{Image, MOST_FAMILY};
use crate::digest::Digest;
use crate::manifest::{Content, Descriptor, Manifest};
use crate::reference::{Reference, Repository};
use crate::registry::{Client, Error, Target};

/// What was copied.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The image at its destination.
    pub image: Image,
    /// Every image: itself, and where it is an index, those that it lists.
    pub images: Vec<Digest>,
    /// The manifests that refer to them.
    pub referrers: Vec<Digest>,
    /// The tags of legacy evidence.
    pub tags: Vec<String>,
}

/// A step of copying, for whoever shows progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A content is about to be copied: its length in bytes.
    Content(u64),
    /// A content is there.
    ContentDone(u64),
    /// A manifest is there.
    Manifest(Digest),
    /// The destination is read again.
    Checking,
}

const AT_ONCE: usize = 4;
const DEEPEST: usize = 4;

/// Copies an image to another name, with the evidence of all its platforms. A name without a tag is stored by digest alone.
pub async fn copy(
    client: &Client,
    from: &Image,
    to: &Reference,
    progress: impl Fn(Step) + Sync,
) -> Result<Copied, AttachError> {
    let root = client.manifest(&from.reference()).await?;
    if let Some(wanted) = to.digest().filter(|wanted| *wanted != root.digest()) {
        return Err(Error::OtherContent { what: wanted.to_string(), found: root.digest().clone() }.into());
    }
    let copy = Copy { client, from, to: to.repository(), progress: &progress };
    let mut copied = Copied {
        image: Image::new(to.repository().clone(), root.digest().clone()),
        images: Vec::new(),
        referrers: Vec::new(),
        tags: Vec::new(),
    };
    Box::pin(copy.image(&from.repository, &root, &mut copied.images)).await?;
    for digest in copied.images.clone() {
        copy.evidence(digest, &mut copied).await?;
    }
    if to.digest().is_none()
        && let Some(tag) = to.tag()
    {
        client.put_manifest(to.repository(), Target::Tag(tag), &root).await?;
    }
    progress(Step::Checking);
    copy.check(&copied, to).await?;
    Ok(copied)
}

struct Copy<'c, P> {
    client: &'c Client,
    from: &'c Image,
    to: &'c Repository,
    progress: &'c P,
}

impl<P: Fn(Step) + Sync> Copy<'_, P> {
    /// Copies a manifest after everything that it lists. `done` holds the manifests that are there.
    async fn image(&self, from: &Repository, manifest: &Manifest, done: &mut Vec<Digest>) -> Result<(), Error> {
        if done.contains(manifest.digest()) {
            return Ok(());
        }
        for entry in manifest.manifests().iter().filter(|entry| entry.is_manifest()) {
            if done.len() > MOST_FAMILY {
                return Err(Error::TooLarge { what: format!("{from} with all it lists"), limit: MOST_FAMILY as u64 });
            }
            let below = self.client.manifest(&from.at(entry.digest.clone())).await?;
            Box::pin(self.image(from, &below, done)).await?;
        }
        self.contents(from, &manifest.blobs()).await?;
        self.client.put_manifest(self.to, Target::Digest, manifest).await?;
        (self.progress)(Step::Manifest(manifest.digest().clone()));
        done.push(manifest.digest().clone());
        Ok(())
    }

    async fn contents(&self, from: &Repository, contents: &[&Descriptor]) -> Result<(), Error> {
        // Two layers may be one content.
        let mut seen = BTreeSet::new();
        let contents = contents.iter().filter(|content| seen.insert(content.digest.clone()));
        let copies = contents.map(|content| async move {
            (self.progress)(Step::Content(content.size));
            self.client.copy_blob(from, self.to, content).await?;
            (self.progress)(Step::ContentDone(content.size));
            Ok(())
        });
        let copies: Vec<_> = copies.map(|copy| copy.boxed()).collect();
        stream::iter(copies).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Copies what belongs to one image: what lies under its tags, and what refers to it, and to that in turn.
    async fn evidence(&self, digest: Digest, copied: &mut Copied) -> Result<(), AttachError> {
        let source = Image { digest: digest.clone(), ..self.from.clone() };
        let target = Image::new(self.to.clone(), digest.clone());
        for kind in Kind::ALL {
            if let Some(found) = self.client.find_manifest(&source.legacy_reference(kind)?).await? {
                self.tag(&found, &target, kind).await?;
                copied.tags.push(kind.tag(&digest));
            }
        }
        let mut subjects = vec![(digest, DEEPEST)];
        while let Some((subject, depth)) = subjects.pop() {
            let listed = self.client.referrers(&self.from.evidence, &subject).await?;
            let mut manifests = Vec::new();
            for entry in listed.manifests {
                let name = self.from.evidence.at(entry.digest.clone());
                // An entry of a list that is not there, or belongs elsewhere, is nobody's evidence.
                let Some(manifest) = self.client.find_manifest(&name).await? else { continue };
                if manifest.subject().is_none_or(|named| named.digest != subject) {
                    continue;
                }
                self.contents(&self.from.evidence, &manifest.blobs()).await?;
                if depth > 0 && !copied.referrers.contains(manifest.digest()) {
                    subjects.push((manifest.digest().clone(), depth - 1));
                }
                copied.referrers.push(manifest.digest().clone());
                manifests.push(manifest);
            }
            self.client.put_referrers(self.to, &manifests).await?;
        }
        Ok(())
    }

    /// Copies the manifest under one tag; what the destination has there already stays.
    async fn tag(&self, found: &Manifest, target: &Image, kind: Kind) -> Result<(), AttachError> {
        self.contents(&self.from.evidence, &found.blobs()).await?;
        let Content::Image(image) = found.content() else {
            return Ok(());
        };
        if self.client.find_manifest(&target.legacy_reference(kind)?).await?.is_none() {
            self.client.put_manifest(self.to, Target::Tag(&kind.tag(&target.digest)), found).await?;
        }
        merge_layers(self.client, target, kind, &image.layers).await
    }

    /// Reads the destination again.
    async fn check(&self, copied: &Copied, to: &Reference) -> Result<(), Error> {
        let gone = |what: String| Error::Absent(format!("{what} at its destination, right after it was copied,"));
        if to.digest().is_none() && self.client.manifest(to).await?.digest() != copied.image.digest() {
            return Err(Error::Contended(to.to_string()));
        }
        for digest in copied.images.iter().chain(&copied.referrers) {
            let name = self.to.at(digest.clone());
            let manifest = self.client.find_manifest(&name).await?.ok_or_else(|| gone(name.to_string()))?;
            for content in manifest.blobs() {
                if !self.client.has_blob(self.to, &content.digest).await? {
                    return Err(gone(format!("{}@{}", self.to, content.digest)));
                }
            }
            let Some(subject) = manifest.subject().filter(|_| copied.referrers.contains(digest)) else { continue };
            let listed = self.client.referrers(self.to, &subject.digest).await?;
            if !listed.manifests.iter().any(|entry| entry.digest == *digest) {
                return Err(gone(format!("{digest} among what belongs to {}", subject.digest)));
            }
        }
        Ok(())
    }
}
