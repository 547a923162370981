//! The process's one reading of the wall clock. Everything below takes the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970 began, in UTC.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now_s() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
