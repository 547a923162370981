//! Creates that are sent again because their answer was lost: clients repeat them without an idempotency key (contract 2.9).
//!
//! One process recognises what it has seen itself; across replicas only an idempotency key helps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use domain::authz::Actor;
use domain::ids::SecretId;
use domain::time::{SECOND_MS, Timestamp};

use crate::problem::{Outcome, Problem};

/// How long an identical create counts as the same one.
const WINDOW_MS: i64 = 5 * SECOND_MS;
/// Creates remembered before those past the window are first swept out.
const SWEEP_AT: usize = 4_096;

/// What was created a moment ago.
#[derive(Default)]
pub struct Repeats(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    by_create: HashMap<Create, Arc<Slot>>,
    /// How many there may be before the next sweep: twice what the last one left, so that sweeping stays cheap however
    /// fast creates come.
    sweep_at: usize,
}

/// One create: who sent it, and the hash of what was sent.
pub type Create = (Actor, [u8; 32]);

/// The place of a create's outcome. Whoever sends the same meanwhile waits for it here.
pub struct Slot {
    begun_at: Timestamp,
    /// The secret, once it is made.
    pub made: tokio::sync::Mutex<Option<Made>>,
}

/// A secret that was made.
#[derive(Clone, Copy)]
pub struct Made {
    pub id: SecretId,
    pub at: Timestamp,
}

impl Repeats {
    /// The place of this create: a new one, or that of the same create a moment ago.
    pub fn slot(&self, create: Create, now: Timestamp) -> Outcome<Arc<Slot>> {
        let mut slots = self.0.lock().map_err(|_| Problem::internal("recognising a repeat", "a lock is poisoned"))?;
        let recent = |slot: &Slot| now.millis() - slot.begun_at.millis() < WINDOW_MS;
        if slots.by_create.len() >= slots.sweep_at.max(SWEEP_AT) {
            slots.by_create.retain(|_, slot| recent(slot));
            slots.sweep_at = slots.by_create.len() * 2;
        }
        let new = || Arc::new(Slot { begun_at: now, made: tokio::sync::Mutex::default() });
        let slot = slots.by_create.entry(create).or_insert_with(new);
        if !recent(slot) {
            *slot = new();
        }
        Ok(Arc::clone(slot))
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::ApiKeyId;

    use super::*;

    #[test]
    fn the_same_create_shares_a_slot_within_the_window_only() {
        let repeats = Repeats::default();
        let who = Actor::ApiKey(ApiKeyId::from_bytes([1; 16]));
        let at = Timestamp::from_millis;
        let first = repeats.slot((who, [1; 32]), at(0)).unwrap();
        let same = |create, now| Arc::ptr_eq(&first, &repeats.slot(create, now).unwrap());
        assert!(same((who, [1; 32]), at(WINDOW_MS - 1)));
        assert!(!same((who, [2; 32]), at(1)));
        assert!(!same((Actor::ApiKey(ApiKeyId::from_bytes([2; 16])), [1; 32]), at(1)));
        assert!(!same((who, [1; 32]), at(WINDOW_MS)));
    }
}
