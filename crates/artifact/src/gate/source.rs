//! Where the gate and admission look: registries as the policy maps them, and only as much evidence as the policy needs.

use super::Unfound;
use crate::digest::Digest;
use crate::image::{self, Image, Wanted};
use crate::policy::{Asked, Environment, Policy};
use crate::reference::{Reference, Repository};
use crate::registry::{Client, Error, Options};
use crate::verification::Carrier;

/// Registries under a policy.
#[derive(Clone, Copy)]
pub struct Source<'s> {
    /// Who talks with them. Make it with [`options`].
    pub client: &'s Client,
    /// The policy.
    pub policy: &'s Policy,
    /// Where the images are to run.
    pub environment: Option<&'s Environment>,
    /// Where what is signed lies, when it is not the images' own repositories: cosign's `COSIGN_REPOSITORY`. The policy has to
    /// allow its registry like any other.
    pub evidence: Option<&'s Repository>,
    /// Now, in Unix seconds.
    pub now: i64,
}

/// How the registries of a policy are talked with: without encryption only those of which the policy says so, even on this machine.
#[must_use]
pub fn options(policy: &Policy, options: Options) -> Options {
    policy.endpoints().fold(options, |options, endpoint| match endpoint.danger_plain_http {
        true => options.with_danger_plain_http(&endpoint.host),
        false => options.with_encrypted_loopback(&endpoint.host),
    })
}

impl Source<'_> {
    /// What a reference leads to. One with a digest leads to that.
    pub async fn resolve(&self, reference: &Reference) -> Result<Digest, Unfound> {
        if let Some(digest) = reference.digest() {
            return Ok(digest.clone());
        }
        let repository = self.place(reference.repository())?;
        let tagged = reference.tag().map(|tag| repository.tagged(tag));
        let Some(Ok(tagged)) = tagged else { return Err(Unfound::Absent(format!("{reference} has no tag"))) };
        match self.client.resolve(&tagged).await {
            Ok(Some(digest)) => Ok(digest),
            Ok(None) => Err(Unfound::Absent(format!("{reference} does not exist"))),
            Err(error) => Err(unfound(&error)),
        }
    }

    /// What lies beside a digest: signatures until the policy is content with them, and attestations if the rule asks for some.
    pub async fn evidence(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Carrier>, Unfound> {
        let image = self.image(repository, digest)?;
        let reference = repository.at(digest.clone());
        let judge = |carriers: &[Carrier]| {
            let (environment, now) = (self.environment, self.now);
            self.policy.judge(&Asked { reference: &reference, image: digest, carriers, environment, now })
        };
        let wanted = self.policy.attestations_of(&reference, self.environment);
        let is_enough = |carriers: &[Carrier]| wanted.is_empty() && judge(carriers).passes();
        let find = |wanted| image::find_until(self.client, &image, wanted, is_enough);
        let mut carriers = find(Wanted::Signatures).await.map_err(|error| unfound(&error))?.carriers;
        if let Some(first) = wanted.first() {
            let found = image::find_until(self.client, &image, Wanted::Attestations(Some(first)), |found| {
                judge(&[carriers.as_slice(), found].concat()).passes()
            });
            let found = found.await.map_err(|error| unfound(&error))?.carriers;
            carriers.extend(found);
        }
        Ok(carriers)
    }

    /// An image as it is asked for, with what is signed where it was said to lie.
    pub fn image(&self, repository: &Repository, digest: &Digest) -> Result<Image, Unfound> {
        let image = Image::new(self.place(repository)?, digest.clone());
        match self.evidence {
            Some(evidence) => Ok(image.with_evidence_in(self.place(evidence)?)),
            None => Ok(image),
        }
    }

    /// The repository as it is asked for: where the policy maps its registry to another host, in that one.
    pub fn place(&self, repository: &Repository) -> Result<Repository, Unfound> {
        let refused = || Unfound::Unreachable(format!("the policy does not allow {repository}"));
        let endpoint = self.policy.endpoint(repository).ok_or_else(refused)?;
        if endpoint.host == repository.api_host() {
            return Ok(repository.clone());
        }
        format!("{}/{}", endpoint.host, repository.path()).parse().map_err(|_| refused())
    }
}

/// A registry that does not let us look is as good as one that is down: nobody can say that the image is not signed.
fn unfound(error: &Error) -> Unfound {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    match error {
        Error::Absent(_) => Unfound::Absent(error.to_string()),
        Error::TimedOut { .. } | Error::Unreachable { .. } => Unfound::Silent(format!("{error}{cause}")),
        other => Unfound::Unreachable(format!("{other}{cause}")),
    }
}
