//! Letters to people: what one holds, and when one that could not be delivered is tried again.

use serde::{Deserialize, Serialize};

use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// A letter, as it is sealed. Whom it goes to is nobody's business in a log, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// The address.
    pub to: String,
    /// Whose it is.
    pub name: String,
    /// The subject.
    pub subject: String,
    /// The text, in lines that end with a line feed.
    pub text: String,
}

/// How long a letter that could not be delivered is kept: its codes have ended long before.
pub const KEPT_MS: i64 = 30 * DAY_MS;

/// The waits between tries. After the last, nobody tries any more.
const WAITS_MS: [i64; 8] =
    [5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, 12 * HOUR_MS];

/// How long to wait after this many tries before the next; none when that was the last.
pub fn wait_ms(tries: i64) -> Option<i64> {
    usize::try_from(tries - 1).ok().and_then(|place| WAITS_MS.get(place).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_tried_nine_times_over_most_of_a_day() {
        assert_eq!(wait_ms(1), Some(5 * SECOND_MS));
        assert_eq!(wait_ms(8), Some(12 * HOUR_MS));
        assert_eq!((wait_ms(9), wait_ms(0), wait_ms(i64::MIN + 1)), (None, None, None));
        let whole: i64 = (1..=9).filter_map(wait_ms).sum();
        assert!(whole > 17 * HOUR_MS && whole < DAY_MS);
    }
}
