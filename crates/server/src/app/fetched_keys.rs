//! Keys that others publish, remembered: of issuers that are trusted, and of applications that prove who they are by a signature.
//!
//! Keys that were fetched are good for ten minutes, and while nobody answers for a day: an outage of theirs is none of ours. A key that
//! is not known is looked for once, and then not again for a while, so whoever sends tokens of invented keys makes us fetch nothing. One
//! caller fetches; others go on with what there is, and wait only where there is nothing.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use domain::time::{SECOND_MS, Timestamp};

/// Places remembered at most.
const CAPACITY: usize = 1_024;
/// How long keys are used before they are fetched again.
const FRESH_MS: i64 = 600 * SECOND_MS;
/// How long they are used while they cannot be fetched.
const STALE_MS: i64 = 86_400 * SECOND_MS;
/// How long nothing is fetched again, at first and at most: it doubles with every failure.
const PAUSE_MS: i64 = 30 * SECOND_MS;
const LONGEST_PAUSE_MS: i64 = 960 * SECOND_MS;

/// Why keys are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// To have some.
    Any,
    /// Because the ones that there are lack the one that a token names.
    Newer,
}

/// Sets of keys by where they come from.
pub struct FetchedKeys<K> {
    known: Mutex<HashMap<String, Arc<Place<K>>>>,
}

/// One place that keys come from.
struct Place<K> {
    kept: Mutex<Kept<K>>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
}

struct Kept<K> {
    keys: Option<Arc<K>>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
    failures: u32,
}

impl<K> Default for FetchedKeys<K> {
    fn default() -> Self {
        Self { known: Mutex::default() }
    }
}

impl<K> FetchedKeys<K> {
    /// The keys of a place, by what is remembered or by `fetch`, which is polled at most once and often not at all. The error is a
    /// sentence for whoever named the place.
    pub async fn keys(
        &self,
        place: String,
        want: Want,
        now: Timestamp,
        fetch: impl Future<Output = Result<K, String>>,
    ) -> Result<Arc<K>, String> {
        let place = self.place(place);
        let (must_fetch, usable) = place.look(want, now);
        if !must_fetch {
            return usable.ok_or_else(away);
        }
        let _fetching = match (place.fetching.try_lock(), usable) {
            (Ok(guard), _) => guard,
            // Somebody is at it: what there is will do, unless it lacks the key.
            (Err(_), Some(usable)) if want == Want::Any => return Ok(usable),
            (Err(_), _) => place.fetching.lock().await,
        };
        let (must_fetch, usable) = place.look(want, now);
        if !must_fetch {
            return usable.ok_or_else(away);
        }
        let fetched = fetch.await;
        place.locked().take(fetched, now)
    }

    fn place(&self, name: String) -> Arc<Place<K>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY && !known.contains_key(&name) {
            known.clear();
        }
        Arc::clone(known.entry(name).or_default())
    }
}

fn away() -> String {
    "the keys could not be fetched a moment ago".to_owned()
}

impl<K> Default for Place<K> {
    fn default() -> Self {
        Self { kept: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }
}

impl<K> Place<K> {
    fn locked(&self) -> std::sync::MutexGuard<'_, Kept<K>> {
        // What is kept is whole after every statement, so a thread that died with the lock left nothing half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, want: Want, now: Timestamp) -> (bool, Option<Arc<K>>) {
        let kept = self.locked();
        (kept.must_fetch(want, now), kept.usable(now))
    }
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { keys: None, fetched_at: None, tried_at: None, failures: 0 }
    }
}

impl<K> Kept<K> {
    fn must_fetch(&self, want: Want, now: Timestamp) -> bool {
        let pause = PAUSE_MS.saturating_mul(1 << self.failures.min(5)).min(LONGEST_PAUSE_MS);
        let is_rested = self.tried_at.is_none_or(|tried_at| now >= tried_at.plus_millis(pause));
        let is_fresh = self.fetched_at.is_some_and(|at| now < at.plus_millis(FRESH_MS));
        is_rested && (want == Want::Newer || !is_fresh)
    }

    fn take(&mut self, fetched: Result<K, String>, now: Timestamp) -> Result<Arc<K>, String> {
        self.tried_at = Some(now);
        match fetched {
            Ok(keys) => {
                let keys = Arc::new(keys);
                self.keys = Some(Arc::clone(&keys));
                self.fetched_at = Some(now);
                self.failures = 0;
                Ok(keys)
            }
            Err(reason) => {
                self.failures = self.failures.saturating_add(1);
                tracing::warn!(error.cause = %reason, "keys of somebody else could not be fetched");
                self.usable(now).ok_or(reason)
            }
        }
    }

    fn usable(&self, now: Timestamp) -> Option<Arc<K>> {
        let is_usable = self.fetched_at.is_some_and(|at| now < at.plus_millis(STALE_MS));
        self.keys.as_ref().filter(|_| is_usable).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * SECOND_MS)
    }

    fn tried(kept: &mut Kept<u8>, seconds: i64, fetched: Result<u8, String>) -> bool {
        kept.take(fetched, at(seconds)).is_ok()
    }

    #[test]
    fn an_unknown_key_is_looked_for_once_and_not_again_for_a_while() {
        let mut kept = Kept::default();
        assert!(kept.must_fetch(Want::Any, at(0)));
        assert!(tried(&mut kept, 0, Ok(1)));
        assert!(!kept.must_fetch(Want::Any, at(599)) && kept.must_fetch(Want::Any, at(600)));
        assert!(!kept.must_fetch(Want::Newer, at(29)) && kept.must_fetch(Want::Newer, at(30)));
    }

    #[test]
    fn whoever_is_away_is_asked_less_and_less_and_believed_for_a_day() {
        let mut kept = Kept::default();
        assert!(tried(&mut kept, 0, Ok(1)));
        assert!(tried(&mut kept, 600, Err("away".into())));
        assert!(!kept.must_fetch(Want::Newer, at(659)) && kept.must_fetch(Want::Newer, at(660)));
        assert!(tried(&mut kept, 660, Err("away".into())));
        assert!(!kept.must_fetch(Want::Any, at(779)) && kept.must_fetch(Want::Any, at(780)));
        assert!(kept.usable(at(86_399)).is_some() && kept.usable(at(86_400)).is_none());
        assert!(!tried(&mut Kept::default(), 0, Err("away".into())));
    }

    #[tokio::test]
    async fn one_fetches_and_the_others_take_what_there_is() {
        let (keys, fetched) = (FetchedKeys::default(), AtomicUsize::new(0));
        let fetch = || async {
            tokio::task::yield_now().await;
            Ok(fetched.fetch_add(1, Ordering::SeqCst))
        };
        let ask = |seconds| keys.keys("place".to_owned(), Want::Any, at(seconds), fetch());
        let (first, second) = tokio::join!(ask(0), ask(0));
        assert_eq!((*first.unwrap(), *second.unwrap()), (0, 0));
        let (third, fourth) = tokio::join!(ask(600), ask(600));
        assert_eq!((*third.unwrap(), *fourth.unwrap()), (1, 0));
        assert_eq!(fetched.load(Ordering::SeqCst), 2);
    }
}
