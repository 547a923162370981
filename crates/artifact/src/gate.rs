//! The deploy gate: every image of a versions file under a policy, and a report.
//!
//! How digests and evidence are found is the caller's; here each distinct reference is resolved once, the evidence of each
//! distinct digest is looked for once, and of each registry no more than so many at a time. What cannot be found is a reason like
//! any other, so that one registry that is down does not hide what is wrong elsewhere, nor takes the time of others.

mod door;
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
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::OnceCell;

use crate::digest::Digest;
use crate::policy::{Asked, Code, Environment, Judgement, Policy};
use crate::reference::{Reference, Repository};
use crate::verification::Carrier;
use crate::versions::Entry;
use door::Door;

/// Why something was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfound {
    /// The registry says that there is no such thing.
    Absent(String),
    /// No whole answer comes, however long it is waited for; in words.
    Silent(String),
    /// It does not answer as it should; in words.
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
    /// How many images of one registry are looked at together.
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
type Evidence = BTreeMap<(Repository, Digest), Found>;

/// What was found beside a digest, or why not.
type Found = Result<Vec<Carrier>, Unfound>;

/// What is found by whoever comes first, for all who wait.
type Cell = Arc<OnceCell<Found>>;

/// What is being looked for.
#[derive(Default)]
struct Looked {
    cells: Mutex<BTreeMap<(Repository, Digest), Cell>>,
}

impl Looked {
    /// Looks for the evidence of a digest, or waits for whoever does.
    async fn once<E>(&self, repository: &Repository, digest: &Digest, evidence: impl Fn(Repository, Digest) -> E)
    where
        E: Future<Output = Found>,
    {
        let key = (repository.clone(), digest.clone());
        let cell = Arc::clone(self.cells.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        cell.get_or_init(|| evidence(repository.clone(), digest.clone())).await;
    }

    fn found(self) -> Evidence {
        let cells = self.cells.into_inner().unwrap_or_else(PoisonError::into_inner);
        let found = |(key, cell): (_, Arc<OnceCell<_>>)| Some((key, Arc::into_inner(cell)?.into_inner()?));
        cells.into_iter().filter_map(found).collect()
    }
}

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
        let mut registries: BTreeMap<&str, (Door, Vec<&Reference>)> = BTreeMap::new();
        for reference in references {
            registries.entry(reference.repository().registry()).or_default().1.push(reference);
        }
        let (all, resolve, evidence) = (Looked::default(), &resolve, &evidence);
        let looked = &all;
        // Each registry has its own places, so that one that is slow keeps nobody waiting who wants something of another.
        let looking = registries.values().map(|(door, references)| {
            let look = move |reference: &&Reference| {
                let reference = (*reference).clone();
                async move {
                    let resolved = match reference.digest() {
                        Some(digest) => Ok(digest.clone()),
                        None => door.ask(|| resolve(reference.clone())).await,
                    };
                    if let Ok(digest) = &resolved {
                        looked.once(reference.repository(), digest, |at, image| door.ask(|| evidence(at, image))).await;
                    }
                    (reference, resolved)
                }
            };
            stream::iter(references).map(look).buffer_unordered(self.at_once.max(1)).boxed_local()
        });
        let resolved: BTreeMap<Reference, Result<Digest, Unfound>> = stream::select_all(looking).collect().await;
        let evidence = all.found();
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
            Self::Silent(what) | Self::Unreachable(what) => Judgement::refused(Code::Unreachable, what),
        }
    }
}

#[cfg(test)]
mod tests;
