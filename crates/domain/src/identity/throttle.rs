//! How wrong passwords slow down whoever tries them: no account is ever locked, because then strangers could lock it.
//!
//! Failures are counted for an account on devices that never signed in to it, for it on each device that did, and for a network. A
//! stranger slows down strangers, and the person goes on with their own device.

use crate::time::Timestamp;

/// Failures that cost nothing.
const FREE: i64 = 5;
const FIRST_WAIT_MS: i64 = 1_000;
const LONGEST_WAIT_MS: i64 = 15 * 60 * 1_000;
/// Failures older than this are forgotten.
pub const MEMORY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How many times as many failures a network has free: many people share one.
const NETWORK_FREE: i64 = 50;

/// What failures are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// One account, on one device or on all strange ones.
    Account,
    /// One network, whatever accounts were tried from it.
    Network,
}

/// Failures so far, and the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: i64,
    /// When the last was.
    pub last_at: Timestamp,
}

/// How many seconds to wait before the next try, if any.
pub fn wait_s(counted: Counted, failures: Option<Failures>, now: Timestamp) -> Option<u64> {
    let failures = failures.filter(|failures| failures.last_at.plus_millis(MEMORY_MS) > now)?;
    let free = if counted == Counted::Account { FREE } else { NETWORK_FREE };
    let beyond = u32::try_from(failures.count - free).ok()?;
    let wait = FIRST_WAIT_MS.saturating_mul(1_i64.checked_shl(beyond.min(20)).unwrap_or(i64::MAX)).min(LONGEST_WAIT_MS);
    let left = failures.last_at.plus_millis(wait).millis() - now.millis();
    u64::try_from(left).ok().filter(|left| *left > 0).map(|left| left.div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_after_the_fifth_failure_and_end_at_a_quarter_of_an_hour() {
        let at = |millis| Timestamp::from_millis(millis);
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
            assert_eq!(wait_s(Counted::Account, failed(count), at(later_ms)), expected, "{count} after {later_ms}");
        }
        assert_eq!(wait_s(Counted::Network, failed(49), at(0)), None);
        assert_eq!(wait_s(Counted::Network, failed(51), at(0)), Some(2));
        assert_eq!(wait_s(Counted::Account, None, at(0)), None);
    }
}
