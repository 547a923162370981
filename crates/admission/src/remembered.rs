//! What was looked up, remembered for a while: one question under way for each thing, however many ask for it, and what is
//! known already when nobody answers.
//!
//! Three ages decide. Younger than `fresh`, what is known is given at once; from the half of it on it is looked up again
//! meanwhile, so that what is used all the time never has to be waited for. Younger than `stale`, it is given when the place
//! where it is looked up does not answer. Older, it counts for nothing. A failure is remembered for a moment, too.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use artifact::gate::Unfound;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

/// Things of one kind that were looked up.
pub struct Remembered<K, V> {
    kept: Mutex<Kept<K, V>>,
    stale: Duration,
    room: Room,
}

/// How much is remembered. Whoever may write to a registry decides how long a single thing is, so that a number of things alone
/// would bound nothing.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// So many things.
    pub entries: usize,
    /// Of so many bytes together. One thing alone may be longer; it is then the only one.
    pub bytes: usize,
}

/// Something that takes room.
pub trait Weighed {
    /// How many bytes, about.
    fn bytes(&self) -> usize;
}

struct Kept<K, V> {
    entries: HashMap<K, Entry<V>>,
    bytes: usize,
}

/// Something that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Known<V> {
    /// It.
    pub value: V,
    /// How long ago it was looked up.
    pub age: Duration,
    /// How it came to be known.
    pub source: Source,
}

/// How something came to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was remembered.
    Memory,
    /// It was looked up just now.
    Lookup,
    /// It was remembered, and could not be looked up again; why.
    Stale(String),
}

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It does not exist.
    #[error("{0}")]
    NotThere(String),
    /// Nobody answered.
    #[error("{0}")]
    Unreachable(String),
    /// What was answered is of no use, or nobody may know.
    #[error("{0}")]
    Unusable(String),
}

impl From<Unfound> for Failure {
    fn from(unfound: Unfound) -> Self {
        match unfound {
            Unfound::Absent(what) => Self::NotThere(what),
            Unfound::Silent(why) | Unfound::Unreachable(why) => Self::Unreachable(why),
        }
    }
}

/// A question that was begun.
pub type Lookup<V> = BoxFuture<'static, Result<V, Failure>>;

struct Entry<V> {
    known: Option<(V, Instant)>,
    /// What is known weighs this much.
    bytes: usize,
    failed: Option<(Failure, Instant)>,
    under_way: Option<Shared<Lookup<V>>>,
    used: Instant,
}

/// How long a failure is remembered: what is down is not asked by every review.
const FAILURE: Duration = Duration::from_secs(2);

impl<K, V> Remembered<K, V>
where
    K: Clone + Eq + Hash + Display + Send + Sync + 'static,
    V: Clone + Weighed + Send + Sync + 'static,
{
    /// Nothing is known yet.
    pub fn new(stale: Duration, room: Room) -> Arc<Self> {
        Arc::new(Self { kept: Mutex::new(Kept { entries: HashMap::new(), bytes: 0 }), stale, room })
    }

    /// What is known of `key`, looked up when it is not known or older than `fresh`.
    pub async fn get(
        self: &Arc<Self>,
        key: &K,
        fresh: Duration,
        lookup: impl FnOnce() -> Lookup<V> + Send,
    ) -> Result<Known<V>, Failure> {
        let lookup = match self.begin(key, fresh, lookup) {
            Begun::Done(done) => return done,
            Begun::Wait(lookup) => lookup,
        };
        match lookup.await {
            Ok(value) => Ok(Known { value, age: Duration::ZERO, source: Source::Lookup }),
            Err(failure) => self.in_spite_of(key, failure),
        }
    }

    /// How many things are known.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// How much room what is known takes.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn begin(self: &Arc<Self>, key: &K, fresh: Duration, lookup: impl FnOnce() -> Lookup<V>) -> Begun<V> {
        let mut kept = self.lock();
        let now = Instant::now();
        let entry = kept.entries.entry(key.clone()).or_insert_with(|| Entry::new(now));
        entry.used = now;
        if let Some((value, at)) = &entry.known {
            let age = now.duration_since(*at);
            if age < fresh {
                let known = Known { value: value.clone(), age, source: Source::Memory };
                if age > fresh / 2 && !entry.is_asking(now) {
                    entry.under_way = Some(self.spawned(key, lookup()));
                }
                return Begun::Done(Ok(known));
            }
        }
        if let Some((failure, _)) = entry.failed.as_ref().filter(|(_, at)| now.duration_since(*at) < FAILURE) {
            return Begun::Done(entry.in_spite_of(failure.clone(), now, self.stale));
        }
        let under_way = entry.under_way.get_or_insert_with(|| self.spawned(key, lookup())).clone();
        kept.evict(self.room, key);
        Begun::Wait(under_way)
    }

    /// Runs on when nobody waits for it any more: the next one who asks has the answer.
    fn spawned(self: &Arc<Self>, key: &K, lookup: Lookup<V>) -> Shared<Lookup<V>> {
        let (remembered, key) = (Arc::clone(self), key.clone());
        let task = tokio::spawn(async move {
            let outcome = lookup.await;
            remembered.note(&key, outcome.clone());
            outcome
        });
        let ended = task.map(|ended| {
            ended.unwrap_or_else(|_| Err(Failure::Unreachable("looking it up ended without an answer".to_owned())))
        });
        ended.boxed().shared()
    }

    fn note(&self, key: &K, outcome: Result<V, Failure>) {
        let mut kept = self.lock();
        let now = Instant::now();
        let Some(entry) = kept.entries.get_mut(key) else { return };
        entry.under_way = None;
        let before = entry.bytes;
        match outcome {
            Ok(value) => {
                entry.bytes = value.bytes();
                (entry.known, entry.failed) = (Some((value, now)), None);
            }
            Err(failure) => {
                tracing::warn!(key = %key, failure = %failure, "not looked up");
                if matches!(failure, Failure::NotThere(_)) {
                    (entry.known, entry.bytes) = (None, 0);
                }
                entry.failed = Some((failure, now));
            }
        }
        let after = entry.bytes;
        kept.bytes = kept.bytes.saturating_add(after).saturating_sub(before);
        kept.evict(self.room, key);
    }

    fn in_spite_of(&self, key: &K, failure: Failure) -> Result<Known<V>, Failure> {
        match self.lock().entries.get(key) {
            Some(entry) => entry.in_spite_of(failure, Instant::now(), self.stale),
            None => Err(failure),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Begun<V> {
    Done(Result<Known<V>, Failure>),
    Wait(Shared<Lookup<V>>),
}

impl<V: Clone> Entry<V> {
    fn new(now: Instant) -> Self {
        Self { known: None, bytes: 0, failed: None, under_way: None, used: now }
    }

    fn is_asking(&self, now: Instant) -> bool {
        self.under_way.is_some() || self.failed.as_ref().is_some_and(|(_, at)| now.duration_since(*at) < FAILURE)
    }

    /// What is known although it could not be looked up: only when nobody answered, and not for ever.
    fn in_spite_of(&self, failure: Failure, now: Instant, stale: Duration) -> Result<Known<V>, Failure> {
        match (&failure, &self.known) {
            (Failure::Unreachable(why), Some((value, at))) if now.duration_since(*at) < stale => {
                let age = now.duration_since(*at);
                Ok(Known { value: value.clone(), age, source: Source::Stale(why.clone()) })
            }
            _ => Err(failure),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Kept<K, V> {
    /// Makes room: what was not used for longest is forgotten, but nothing that somebody waits for.
    fn evict(&mut self, room: Room, but: &K) {
        while self.entries.len() > room.entries || self.bytes > room.bytes {
            let idle = self.entries.iter().filter(|(key, entry)| *key != but && entry.under_way.is_none());
            let Some(oldest) = idle.min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone()) else { return };
            let forgotten = self.entries.remove(&oldest).map_or(0, |entry| entry.bytes);
            self.bytes = self.bytes.saturating_sub(forgotten);
        }
    }
}

#[cfg(test)]
mod tests;
