//! What was found beside an image, and what a policy said of it a moment ago.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use artifact::digest::Digest;
use artifact::gate::source::Source;
use artifact::gate::verdict;
use artifact::policy::{Asked, Endpoint, Environment, Judgement, Policy};
use artifact::reference::{Reference, Repository};
use artifact::registry::Client;
use artifact::verification::Carrier;

use crate::remembered::{Lookup, Weighed};

/// Where images lie and how that is asked.
pub trait Registry: Send + Sync + 'static {
    /// The digest that a name has at the moment.
    fn resolve(&self, place: &Place, asking: Asking) -> Lookup<Digest>;
    /// What lies beside an image: as much of it as answers the question, and everything if nothing does.
    fn beside(&self, place: &Place, question: Question) -> Lookup<Arc<Evidence>>;
}

/// Who wants to run what, where.
#[derive(Clone, Debug)]
pub struct Asking {
    /// By which policy.
    pub policy: Arc<Policy>,
    /// The name under which it is to run.
    pub reference: Reference,
    /// The name of the environment that it is to run in.
    pub environment: Option<String>,
    /// Now, in Unix seconds.
    pub now: i64,
}

/// What is asked of an image.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who wants to run it, where.
    pub asking: Asking,
    /// What its manifest hashes to.
    pub image: Digest,
}

/// A repository, and where its registry answers.
#[derive(Clone, Debug)]
pub struct Place {
    /// The repository.
    pub repository: Repository,
    /// Its registry.
    pub endpoint: Endpoint,
}

/// The name of an image that is remembered. The registry's address belongs to it: a policy may come to name another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageKey {
    /// The repository.
    pub repository: Repository,
    /// The registry's address.
    pub host: String,
    /// The digest, or a tag.
    pub what: String,
}

/// What was found beside an image.
pub struct Evidence {
    carriers: Vec<Carrier>,
    /// By which policy was decided that nothing more is needed.
    enough_for: Digest,
    judged: Mutex<HashMap<JudgedKey, (i64, Arc<Judgement>)>>,
}

impl Weighed for Digest {
    fn bytes(&self) -> usize {
        2 * self.hex().len()
    }
}

impl Weighed for Arc<Evidence> {
    fn bytes(&self) -> usize {
        WITHOUT_EVIDENCE_BYTES + self.carriers.iter().map(Carrier::bytes).sum::<usize>()
    }
}

/// What is remembered of an image of which nothing was found.
const WITHOUT_EVIDENCE_BYTES: usize = 1_024;

/// What a judgement depends on beside the evidence and the time.
#[derive(PartialEq, Eq, Hash)]
struct JudgedKey {
    policy: Digest,
    reference: Reference,
    environment: Option<String>,
}

/// How long a judgement stands, in seconds. Dates in a policy come to pass, and keys expire: it is not for long.
const STANDS_S: i64 = 10;
/// One image is judged under few names and by few policies.
const MOST_JUDGEMENTS: usize = 64;

impl Place {
    /// What is remembered of this.
    pub fn key(&self, what: impl fmt::Display) -> ImageKey {
        ImageKey { repository: self.repository.clone(), host: self.endpoint.host.clone(), what: what.to_string() }
    }
}

impl fmt::Display for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}", self.repository, self.what, self.host)
    }
}

impl Asking {
    /// The registries as the policy sees them.
    pub fn source<'a>(&'a self, client: &'a Client) -> Source<'a> {
        Source { client, policy: &self.policy, environment: self.environment(), evidence: None, now: self.now }
    }

    /// An environment that the policy does not have is none, where everything is enforced.
    fn environment(&self) -> Option<&Environment> {
        self.environment.as_deref().and_then(|name| self.policy.environment(name).ok())
    }
}

impl Question {
    /// What the policy says, if these are the carriers. What the gate let pass under this policy passes here, as long as the
    /// policy wants that.
    fn judge(&self, carriers: &[Carrier]) -> Judgement {
        let Asking { policy, reference, now, .. } = &self.asking;
        let environment = self.asking.environment();
        let asked = Asked { reference, image: &self.image, carriers, environment, now: *now };
        let judgement = policy.judge(&asked);
        if judgement.passes() { judgement } else { verdict::reuse(policy, &asked).unwrap_or(judgement) }
    }
}

impl Evidence {
    /// What was found, for one policy.
    pub fn new(carriers: Vec<Carrier>, policy: &Policy) -> Arc<Self> {
        Arc::new(Self { carriers, enough_for: policy.hash().clone(), judged: Mutex::default() })
    }

    /// Whether it was looked for by this policy. Another one could want more than was looked for.
    pub fn is_for(&self, policy: &Policy) -> bool {
        self.enough_for == *policy.hash()
    }

    /// What is to be said. Who asks while it is being judged waits for that one judgement.
    pub fn judge(&self, question: &Question) -> Arc<Judgement> {
        let key = JudgedKey {
            policy: question.asking.policy.hash().clone(),
            reference: question.asking.reference.clone(),
            environment: question.asking.environment.clone(),
        };
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = |at: i64| (0..STANDS_S).contains(&question.asking.now.saturating_sub(at));
        if let Some((_, judgement)) = judged.get(&key).filter(|(at, _)| stands(*at)) {
            return Arc::clone(judgement);
        }
        let judgement = Arc::new(question.judge(&self.carriers));
        if judged.len() >= MOST_JUDGEMENTS {
            judged.clear();
        }
        judged.insert(key, (question.asking.now, Arc::clone(&judgement)));
        judgement
    }
}
