//! Judging one image: by its name if that is enough, by what is remembered of it, or by what its registry says.

use std::sync::Arc;
use std::time::Duration;

use artifact::digest::Digest;
use artifact::policy::{Code, Environment, Finding, Judgement, Policy};
use artifact::reference::Reference;
use tokio::time::{Instant, timeout_at};

use crate::config;
use crate::evidence::{Asking, Evidence, ImageKey, Place, Question, Registry};
use crate::numbers::Numbers;
use crate::remembered::{Failure, Known, Remembered, Source};
use crate::tickets::Tickets;

/// Judges images.
pub struct Judge {
    registry: Arc<dyn Registry>,
    tickets: Arc<Tickets>,
    tags: Arc<Remembered<ImageKey, Digest>>,
    images: Arc<Remembered<ImageKey, Arc<Evidence>>>,
    cache: config::Cache,
    numbers: Arc<Numbers>,
}

/// By what, where and until when an image is judged.
#[derive(Clone, Copy)]
pub struct Terms<'p> {
    /// The policy.
    pub policy: &'p Arc<Policy>,
    /// The environment of the namespace, if it belongs to one.
    pub environment: Option<&'p Environment>,
    /// Now, in Unix seconds.
    pub now: i64,
    /// When nobody waits for the answer any more.
    pub deadline: Instant,
}

/// What is said of an image.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The image's digest, as far as it is known.
    pub image: Option<Digest>,
    /// What the policy says.
    pub judgement: Arc<Judgement>,
    /// What that rests on.
    pub basis: Basis,
}

/// What a verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The name or the digest alone.
    Name,
    /// What was found earlier, so many seconds ago.
    Memory(u64),
    /// What was found for this question.
    Lookup,
    /// What was found so many seconds ago, since the registry does not answer now; why.
    Stale(u64, String),
    /// Nothing: it could not be found out.
    Nothing,
}

/// How long a tag is believed to stand for the same digest. Long enough for the two webhooks to agree on one request, short
/// enough for whoever has just moved it.
const TAG_FRESH: Duration = Duration::from_secs(5);

impl Judge {
    /// Nothing is known yet.
    pub fn new(
        registry: Arc<dyn Registry>,
        tickets: Arc<Tickets>,
        cache: config::Cache,
        numbers: Arc<Numbers>,
    ) -> Self {
        let (tags, images) = (Remembered::new(cache.stale, cache.room), Remembered::new(cache.stale, cache.room));
        Self { registry, tickets, tags, images, cache, numbers }
    }

    /// What is to be said of an image.
    pub async fn judge(&self, reference: &Reference, terms: Terms<'_>) -> Verdict {
        let mut verdict = match timeout_at(terms.deadline, self.unbounded(reference, terms)).await {
            Ok(verdict) => verdict,
            Err(_) => Verdict::unknown(format!("nothing was known of {reference} in the time that a review has")),
        };
        let (image, environment) =
            (verdict.image.as_ref().or(reference.digest()), terms.environment.map(Environment::name));
        verdict.judgement = self.tickets.apply(verdict.judgement, image, environment, terms.now);
        self.numbers.remembered.set(i64::try_from(self.images.len()).unwrap_or(i64::MAX));
        self.numbers.remembered_bytes.set(i64::try_from(self.images.bytes()).unwrap_or(i64::MAX));
        self.numbers.judged(verdict.label(), verdict.basis.label());
        verdict
    }

    /// The digest that the image's name stands for at the moment.
    pub async fn resolve(&self, reference: &Reference, terms: Terms<'_>) -> Result<Known<Digest>, Failure> {
        let place = place(reference, terms.policy)?;
        let late =
            |_| Failure::Unreachable(format!("{} did not answer in the time that a review has", place.endpoint.host));
        let asking = terms.asking(reference);
        timeout_at(terms.deadline, self.digest(&asking, &place)).await.map_err(late)?
    }

    async fn unbounded(&self, reference: &Reference, terms: Terms<'_>) -> Verdict {
        if let Some(judgement) = terms.policy.judge_by_name(reference, terms.environment, terms.now) {
            return Verdict { image: reference.digest().cloned(), judgement: Arc::new(judgement), basis: Basis::Name };
        }
        match self.by_evidence(reference, terms).await {
            Ok(verdict) => verdict,
            Err(Failure::NotThere(why)) => Verdict::without(Code::NotFound, why),
            Err(Failure::Unreachable(why) | Failure::Unusable(why)) => Verdict::unknown(why),
        }
    }

    async fn by_evidence(&self, reference: &Reference, terms: Terms<'_>) -> Result<Verdict, Failure> {
        let place = place(reference, terms.policy)?;
        let asking = terms.asking(reference);
        let resolved = self.digest(&asking, &place).await?;
        let question = Question { asking, image: resolved.value.clone() };
        let mut found = self.found(&place, &question, self.cache.fresh).await?;
        let mut judgement = found.value.judge(&question);
        if let Some(fresh) = self.again(&found, &judgement, terms.policy) {
            found = self.found(&place, &question, fresh).await?;
            judgement = found.value.judge(&question);
        }
        let basis = Basis::of(&resolved, &found);
        Ok(Verdict { image: Some(question.image), judgement, basis })
    }

    /// How young what was remembered has to be for a refusal: its signature may have come meanwhile, and what was looked for by
    /// another policy may not be all.
    fn again(&self, found: &Known<Arc<Evidence>>, judgement: &Judgement, policy: &Policy) -> Option<Duration> {
        if judgement.passes() || found.source != Source::Memory {
            return None;
        }
        match found.value.is_for(policy) {
            true => (found.age >= self.cache.refused).then_some(self.cache.refused),
            false => Some(Duration::ZERO),
        }
    }

    async fn digest(&self, asking: &Asking, place: &Place) -> Result<Known<Digest>, Failure> {
        let reference = &asking.reference;
        let tag = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => {
                return Ok(Known { value: digest.clone(), age: Duration::ZERO, source: Source::Memory });
            }
            (None, Some(tag)) => tag,
            (None, None) => return Err(Failure::Unusable(format!("{reference} has neither a tag nor a digest"))),
        };
        self.tags.get(&place.key(tag), TAG_FRESH, || self.registry.resolve(place, asking.clone())).await
    }

    async fn found(&self, place: &Place, of: &Question, fresh: Duration) -> Result<Known<Arc<Evidence>>, Failure> {
        self.images.get(&place.key(&of.image), fresh, || self.registry.beside(place, of.clone())).await
    }
}

impl Terms<'_> {
    fn asking(&self, reference: &Reference) -> Asking {
        Asking {
            policy: Arc::clone(self.policy),
            reference: reference.clone(),
            environment: self.environment.map(|environment| environment.name().to_owned()),
            now: self.now,
        }
    }
}

/// Where the image lies. A registry that the policy does not list is not asked, whoever names it.
fn place(reference: &Reference, policy: &Policy) -> Result<Place, Failure> {
    let repository = reference.repository();
    let endpoint = policy.endpoint(repository).cloned();
    let endpoint = endpoint.ok_or_else(|| Failure::Unusable(format!("images of {repository} are not allowed")))?;
    Ok(Place { repository: repository.clone(), endpoint })
}

impl Verdict {
    fn without(code: Code, why: String) -> Self {
        Self { image: None, judgement: Arc::new(Judgement::refused(code, why)), basis: Basis::Nothing }
    }

    /// A word that stays the same from version to version.
    fn label(&self) -> &'static str {
        let is_bypassed = self.judgement.warnings.iter().any(|warning| warning.code == Code::Bypassed);
        match self.judgement.passes() {
            true if is_bypassed => "bypassed",
            true => "passed",
            false => "refused",
        }
    }

    fn unknown(why: String) -> Self {
        Self::without(Code::Unreachable, why)
    }

    /// Why it is refused; also that it rests on old evidence, which may be the reason.
    pub fn refusals(&self) -> Vec<Finding> {
        let mut refusals = self.judgement.refusals.clone();
        if let (Basis::Stale(age_s, why), false) = (&self.basis, refusals.is_empty()) {
            let text = format!("what was found is {age_s} s old, and cannot be looked at again: {why}");
            refusals.push(Finding::new(Code::Unreachable, text));
        }
        refusals
    }

    /// What is to be done although it passes.
    pub fn warnings(&self) -> Vec<Finding> {
        let mut warnings = self.judgement.warnings.clone();
        if let (Basis::Stale(age_s, why), true) = (&self.basis, self.judgement.passes()) {
            let text = format!("it passes by what was found {age_s} s ago, since the registry does not answer: {why}");
            warnings.push(Finding::new(Code::Unreachable, text));
        }
        warnings
    }
}

impl Basis {
    fn of(resolved: &Known<Digest>, found: &Known<Arc<Evidence>>) -> Self {
        match (&resolved.source, &found.source) {
            (_, Source::Stale(why)) => Self::Stale(found.age.as_secs(), why.clone()),
            (Source::Stale(why), _) => Self::Stale(resolved.age.as_secs(), why.clone()),
            (Source::Lookup, _) | (_, Source::Lookup) => Self::Lookup,
            (Source::Memory, Source::Memory) => Self::Memory(found.age.as_secs()),
        }
    }

    /// A word that stays the same from version to version.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Memory(_) => "memory",
            Self::Lookup => "lookup",
            Self::Stale(..) => "stale",
            Self::Nothing => "nothing",
        }
    }
}
