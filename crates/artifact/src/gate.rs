//! The deploy gate: every image of a versions file under a policy, and a report.
//!
//! How digests and evidence are found is the caller's; here each distinct reference is resolved once, the evidence of each
//! distinct digest is looked for once, and no more than so many at a time. What cannot be found is a reason like any other, so
//! that one registry that is down does not hide what is wrong elsewhere.

pub mod junit;
pub mod listing;
pub mod report;
pub mod sarif;
pub mod source;
pub mod text;
pub mod ticket;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures_util::stream::{self, StreamExt as _};

use crate::digest::Digest;
use crate::policy::{Asked, Code, Environment, Judgement, Policy};
use crate::reference::{Reference, Repository};
use crate::verification::Carrier;
use crate::versions::Entry;

/// Why something was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfound {
    /// The registry says that there is no such thing.
    Absent(String),
    /// It does not answer, or not as it should; in words.
    Unreachable(String),
}

/// What the gate was asked.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'g> {
    /// The policy.
    pub policy: &'g Policy,
    /// Where the images are to run.
    pub environment: Option<&'g Environment>,
    /// Now, in Unix seconds.
    pub now: i64,
    /// How many questions to registries are open at a time.
    pub at_once: usize,
}

/// One image of the file, and what the policy says of it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its place in the file.
    pub entry: Entry,
    /// What its name led to, where it led to something.
    pub image: Option<Digest>,
    /// The decision.
    pub judgement: Judgement,
}

/// What was found of one digest in one repository, once for all names that lead to it.
type Evidence = BTreeMap<(Repository, Digest), Result<Vec<Carrier>, Unfound>>;

impl Gate<'_> {
    /// Looks at every image. `resolve` says what a reference leads to, `evidence` what lies beside a digest.
    pub async fn check<R, E>(
        &self,
        entries: &[Entry],
        resolve: impl Fn(Reference) -> R,
        evidence: impl Fn(Repository, Digest) -> E,
    ) -> Vec<Checked>
    where
        R: Future<Output = Result<Digest, Unfound>>,
        E: Future<Output = Result<Vec<Carrier>, Unfound>>,
    {
        let asked = |reference: &&Reference| self.policy.judge_by_name(reference, self.environment, self.now).is_none();
        // A registry that is not allowed is not asked.
        let references: BTreeSet<&Reference> = entries.iter().map(|entry| &entry.reference).filter(asked).collect();
        let resolving = stream::iter(references).map(|reference| {
            let resolved = resolve(reference.clone());
            async move { (reference.clone(), resolved.await) }
        });
        let resolved: BTreeMap<Reference, Result<Digest, Unfound>> =
            resolving.buffer_unordered(self.at_once.max(1)).collect().await;

        let found = |(reference, digest): (&Reference, &Result<Digest, Unfound>)| {
            digest.as_ref().ok().map(|digest| (reference.repository().clone(), digest.clone()))
        };
        let digests: BTreeSet<(Repository, Digest)> = resolved.iter().filter_map(found).collect();
        let looking = stream::iter(digests).map(|(repository, digest)| {
            let found = evidence(repository.clone(), digest.clone());
            async move { ((repository, digest), found.await) }
        });
        let evidence: Evidence = looking.buffer_unordered(self.at_once.max(1)).collect().await;
        entries.iter().map(|entry| self.judged(entry, &resolved, &evidence)).collect()
    }

    fn judged(
        &self,
        entry: &Entry,
        resolved: &BTreeMap<Reference, Result<Digest, Unfound>>,
        evidence: &Evidence,
    ) -> Checked {
        let reference = &entry.reference;
        let checked =
            |image: Option<&Digest>, judgement| Checked { entry: entry.clone(), image: image.cloned(), judgement };
        if let Some(judgement) = self.policy.judge_by_name(reference, self.environment, self.now) {
            return checked(reference.digest(), judgement);
        }
        let image = match resolved.get(reference) {
            Some(Ok(image)) => image,
            Some(Err(unfound)) => return checked(None, unfound.judgement()),
            None => return checked(None, Unfound::Unreachable("nobody has asked for it".to_owned()).judgement()),
        };
        let carriers = match evidence.get(&(reference.repository().clone(), image.clone())) {
            Some(Ok(carriers)) => carriers,
            Some(Err(unfound)) => return checked(Some(image), unfound.judgement()),
            None => {
                return checked(Some(image), Unfound::Unreachable("nobody has asked for it".to_owned()).judgement());
            }
        };
        let asked = Asked { reference, image, carriers, environment: self.environment, now: self.now };
        checked(Some(image), self.policy.judge(&asked))
    }
}

impl Unfound {
    /// The refusal that follows.
    pub fn judgement(&self) -> Judgement {
        match self {
            Self::Absent(what) => Judgement::refused(Code::NotFound, what),
            Self::Unreachable(what) => Judgement::refused(Code::Unreachable, what),
        }
    }
}

#[cfg(test)]
mod tests;
