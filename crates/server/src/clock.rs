//! The process's one reading of the wall clock. Everything below takes the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::time::Timestamp;

/// The present instant.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
