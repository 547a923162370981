//! Keys that sign tokens, over time: published before they sign, and for as long as what they signed may be shown.

use crate::ids::TokenKeyId;
use crate::time::{DAY_MS, HOUR_MS, SECOND_MS, Timestamp};

/// Seconds for which anybody may keep the set of keys.
pub const JWKS_MAX_AGE_S: u32 = 300;
/// How long a successor is published before it signs, unless told: twice the time for which the set may be kept.
pub const LEAD_MS: i64 = 2 * JWKS_MAX_AGE_S as i64 * SECOND_MS;
/// How long a key is published after its successor took over: the longest token lives a sixth of it.
pub const RETIRED_FOR_MS: i64 = HOUR_MS;
/// How long a key signs before it gets a successor by itself.
pub const ROTATED_AFTER_MS: i64 = 90 * DAY_MS;

/// What decides about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The key.
    pub id: TokenKeyId,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// From when on it signs.
    pub active_from: Timestamp,
    /// When its successor took over, or will.
    pub retired_at: Option<Timestamp>,
    /// Until when it is published.
    pub published_until: Option<Timestamp>,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Published, and does not sign yet.
    Next,
    /// Signs.
    Active,
    /// Signs no more; what it signed is believed while it is published.
    Retired,
    /// Nothing it signed is believed.
    Revoked,
}

impl Phase {
    /// As the wire calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

/// Where a key stands at `now`.
pub fn phase(key: &Facts, now: Timestamp) -> Phase {
    match key {
        key if key.is_revoked => Phase::Revoked,
        key if key.retired_at.is_some_and(|at| at <= now) => Phase::Retired,
        key if key.active_from > now => Phase::Next,
        _ => Phase::Active,
    }
}

/// Whether anybody is told of a key, and what it signed is believed.
pub fn is_published(key: &Facts, now: Timestamp) -> bool {
    !key.is_revoked && key.published_until.is_none_or(|until| until > now)
}

/// The key of one algorithm that signs at `now`. Of several the newest, so that replicas choose alike.
pub fn signer(keys: &[Facts], now: Timestamp) -> Option<TokenKeyId> {
    let active = keys.iter().filter(|key| phase(key, now) == Phase::Active);
    active.max_by_key(|key| (key.active_from, key.id)).map(|key| key.id)
}

/// Whether the keys of one algorithm are due for a successor: the one that signs is old, and none waits.
pub fn is_due(keys: &[Facts], now: Timestamp) -> bool {
    let waits = keys.iter().any(|key| phase(key, now) == Phase::Next);
    let old = keys.iter().filter(|key| phase(key, now) == Phase::Active).map(|key| key.active_from).max();
    !waits && old.is_some_and(|from| from.plus_millis(ROTATED_AFTER_MS) <= now)
}

/// When a successor that is made now begins to sign: after everybody who keeps the set has had to ask for it again.
pub fn successor_from(lead_s: Option<u32>, now: Timestamp) -> Timestamp {
    let lead_ms = lead_s.map_or(LEAD_MS, |seconds| i64::from(seconds.max(JWKS_MAX_AGE_S)) * SECOND_MS);
    now.plus_millis(lead_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u8, active_from: i64, retired_at: Option<i64>) -> Facts {
        Facts {
            id: TokenKeyId::from_bytes([id; 16]),
            is_revoked: false,
            active_from: Timestamp::from_millis(active_from),
            retired_at: retired_at.map(Timestamp::from_millis),
            published_until: retired_at.map(|at| Timestamp::from_millis(at + RETIRED_FOR_MS)),
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_old_key_signs_until_the_new_one_does() {
        let keys = [key(1, 0, Some(5_000)), key(2, 5_000, None)];
        assert_eq!(signer(&keys, at(4_999)), Some(keys[0].id));
        assert_eq!(signer(&keys, at(5_000)), Some(keys[1].id));
        assert_eq!(keys.map(|key| phase(&key, at(4_999)).as_str()), ["active", "next"]);
        assert_eq!(keys.map(|key| phase(&key, at(5_000)).as_str()), ["retired", "active"]);
        assert!(is_published(&keys[1], at(1)) && is_published(&keys[0], at(5_001)));
        assert!(!is_published(&keys[0], at(5_000 + RETIRED_FOR_MS)));
    }

    #[test]
    fn a_revoked_key_neither_signs_nor_is_believed() {
        let revoked = Facts { is_revoked: true, ..key(1, 0, None) };
        assert_eq!((signer(&[revoked], at(1)), is_published(&revoked, at(1))), (None, false));
    }

    #[test]
    fn a_successor_is_known_everywhere_before_it_signs() {
        for lead in [None, Some(0), Some(10), Some(100_000)] {
            assert!(successor_from(lead, at(0)) >= at(i64::from(JWKS_MAX_AGE_S) * SECOND_MS), "{lead:?}");
        }
        let old = [key(1, 0, None)];
        assert!(!is_due(&old, at(ROTATED_AFTER_MS - 1)) && is_due(&old, at(ROTATED_AFTER_MS)));
        assert!(!is_due(&[old[0], key(2, ROTATED_AFTER_MS + 9, None)], at(ROTATED_AFTER_MS)));
        assert!(!is_due(&[], at(ROTATED_AFTER_MS)));
    }
}
