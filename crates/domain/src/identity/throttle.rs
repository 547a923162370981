//! How wrong passwords slow down whoever tries them: no account is ever locked, because then strangers could lock it.
//!
//! Failures are counted for an account on devices that never signed in to it, for it on each device that did, and for a network. A
//! stranger slows down strangers, and the person goes on with their own device, whatever network they are in.

use crate::time::Timestamp;

/// Failures that cost nothing.
const FREE: i64 = 5;
const FIRST_WAIT_MS: i64 = 1_000;
const LONGEST_WAIT_MS: i64 = 15 * 60 * 1_000;
/// Failures older than this are forgotten.
pub const MEMORY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How soon a network is forgiven one failure: many people share one, and some of them mistype all the time.
pub const NETWORK_FORGIVES_MS: i64 = 20_000;
/// Failures that a network has free at once.
const NETWORK_FREE: i64 = 50;

/// Failures of an account so far, and the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: i64,
    /// When the last was.
    pub last_at: Timestamp,
}

impl Failures {
    /// These and one more that happens now.
    pub fn and_one(seen: Option<Self>, now: Timestamp) -> Self {
        let before = seen.filter(|seen| seen.is_remembered(now)).map_or(0, |seen| seen.count);
        Self { count: before + 1, last_at: now }
    }

    fn is_remembered(&self, now: Timestamp) -> bool {
        self.last_at.plus_millis(MEMORY_MS) > now
    }
}

/// How many seconds to wait before an account may be tried again, if any.
pub fn wait_s(failures: Option<Failures>, now: Timestamp) -> Option<u64> {
    let failures = failures.filter(|failures| failures.is_remembered(now))?;
    let beyond = u32::try_from(failures.count - FREE).ok()?;
    let wait = FIRST_WAIT_MS.saturating_mul(1_i64.checked_shl(beyond.min(20)).unwrap_or(i64::MAX)).min(LONGEST_WAIT_MS);
    seconds(failures.last_at.plus_millis(wait).millis() - now.millis())
}

/// How many seconds a network has to wait, if any. `forgiven_at` is when all of its failures will be forgiven: each of them moves that
/// on by [`NETWORK_FORGIVES_MS`], from now or from where it was.
pub fn network_wait_s(forgiven_at: Option<Timestamp>, now: Timestamp) -> Option<u64> {
    seconds(forgiven_at?.millis() - now.millis() - NETWORK_FREE * NETWORK_FORGIVES_MS)
}

fn seconds(millis: i64) -> Option<u64> {
    u64::try_from(millis).ok().filter(|left| *left > 0).map(|left| left.div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn waits_double_after_the_fifth_failure_and_end_at_a_quarter_of_an_hour() {
        let failed = |count| Some(Failures { count, last_at: at(0) });
        for (count, later_ms, expected) in [
            (4, 0, None),
            (5, 0, Some(1)),
            (5, 999, Some(1)),
            (5, 1_000, None),
            (6, 0, Some(2)),
            (10, 0, Some(32)),
            (100, 0, Some(900)),
            (100, MEMORY_MS, None),
        ] {
            assert_eq!(wait_s(failed(count), at(later_ms)), expected, "{count} after {later_ms}");
        }
        assert_eq!(wait_s(None, at(0)), None);
    }

    #[test]
    fn one_more_failure_counts_on_until_the_others_are_forgotten() {
        let seen = Some(Failures { count: 7, last_at: at(0) });
        assert_eq!(Failures::and_one(None, at(5)), Failures { count: 1, last_at: at(5) });
        assert_eq!(Failures::and_one(seen, at(5)), Failures { count: 8, last_at: at(5) });
        assert_eq!(Failures::and_one(seen, at(MEMORY_MS)), Failures { count: 1, last_at: at(MEMORY_MS) });
    }

    #[test]
    fn a_network_pays_for_what_comes_at_once_and_not_for_what_comes_all_day() {
        let after = |failures: i64| Some(at(failures * NETWORK_FORGIVES_MS));
        assert_eq!(network_wait_s(None, at(0)), None);
        assert_eq!(network_wait_s(after(50), at(0)), None);
        assert_eq!(network_wait_s(after(51), at(0)), Some(20));
        assert_eq!(network_wait_s(after(51), at(19_001)), Some(1));
        assert_eq!(network_wait_s(after(51), at(20_000)), None);
        // A failure a minute, for a year.
        assert_eq!(network_wait_s(Some(at(365 * MEMORY_MS + NETWORK_FORGIVES_MS)), at(365 * MEMORY_MS)), None);
    }
}
