//! Images in registries, and what belongs to them: signatures, attestations, whatever else refers to them.
//!
//! What belongs to an image lies beside it in two ways. Legacy: manifests under tags that spell its digest, one layer for each
//! signature or attestation. Present: manifests that name the image as their subject, one bundle each. Both are read and
//! written, and nothing of what lists say of their entries decides anything.
//!
//! What is found here is proved by nobody: `verification` judges it.

mod attach;
mod copy;
mod evidence;
mod legacy;
mod tree;

pub use attach::{AttachError, Attached, attach};
pub use copy::{Copied, Step, copy};
pub use evidence::{Evidence, Origin, Skipped, Wanted, find, find_until};
pub use legacy::Kind;
pub use tree::{Node, Relation, tree};

use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::reference::{Reference, Repository};
use crate::registry::{Client, Error};

/// An image by its digest, and the repository in which what belongs to it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    repository: Repository,
    digest: Digest,
    evidence: Repository,
}

impl Image {
    /// The image of this digest. What belongs to it lies in the same repository.
    pub fn new(repository: Repository, digest: Digest) -> Self {
        Self { evidence: repository.clone(), repository, digest }
    }

    /// The image that a name stands for now: by what its manifest hashes to, whatever the registry calls it. A name with a digest
    /// is not asked about.
    pub async fn resolve(client: &Client, reference: &Reference) -> Result<Self, Error> {
        let digest = match reference.digest() {
            Some(digest) => digest.clone(),
            None => client.manifest(reference).await?.digest().clone(),
        };
        Ok(Self::new(reference.repository().clone(), digest))
    }

    /// The same, with what belongs to it in another repository: cosign's `COSIGN_REPOSITORY`.
    #[must_use]
    pub fn with_evidence_in(self, evidence: Repository) -> Self {
        Self { evidence, ..self }
    }

    /// The repository that the image lies in.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// What its manifest hashes to.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The repository that its evidence lies in.
    pub fn evidence_repository(&self) -> &Repository {
        &self.evidence
    }

    /// Its name by digest alone.
    pub fn reference(&self) -> Reference {
        self.repository.at(self.digest.clone())
    }

    /// The name under which a kind of legacy evidence lies, whether there is some or not.
    pub fn legacy_reference(&self, kind: Kind) -> Result<Reference, Error> {
        self.evidence.tagged(&kind.tag(&self.digest)).map_err(|error| Error::Config(error.to_string()))
    }

    /// The image itself and, where it is an index, every image that it lists, each once: what has to be signed for every
    /// platform to be signed. The descriptors tell of which platform each is.
    pub async fn family(&self, client: &Client) -> Result<Vec<(Self, Descriptor)>, Error> {
        let root = client.manifest(&self.reference()).await?;
        let mut family = vec![(self.clone(), root.descriptor().clone())];
        let mut waiting: Vec<Descriptor> = root.manifests().iter().rev().cloned().collect();
        while let Some(descriptor) = waiting.pop() {
            if family.iter().any(|(image, _)| image.digest == descriptor.digest) || !descriptor.is_manifest() {
                continue;
            }
            if family.len() == MOST_FAMILY {
                let what = format!("the list of platforms of {}", self.reference());
                return Err(Error::TooLarge { what, limit: MOST_FAMILY as u64 });
            }
            let image = Self { digest: descriptor.digest.clone(), ..self.clone() };
            if descriptor.is_index() {
                let index = client.manifest(&image.reference()).await?;
                waiting.extend(index.manifests().iter().rev().cloned());
            }
            family.push((image, descriptor));
        }
        Ok(family)
    }
}

/// Indexes within indexes may list no more images than this.
const MOST_FAMILY: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn is_send<T: Send>(_: T) {}

    #[test]
    fn whatever_asks_registries_can_be_spawned() {
        let client = Client::new(crate::registry::Options::default(), crate::registry::Keychain::anonymous()).unwrap();
        let name: Reference = "registry.example/team/api:1".parse().unwrap();
        let image = Image::new(name.repository().clone(), Digest::of(b"image"));
        is_send(Image::resolve(&client, &name));
        is_send(image.family(&client));
        is_send(find(&client, &image, Wanted::Signatures));
        is_send(attach(&client, &image, &[], 0));
        is_send(copy(&client, &image, &name, |_| {}));
        is_send(tree(&client, &image));
    }
}
