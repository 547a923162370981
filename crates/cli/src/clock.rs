//! The program's one clock.

use domain::time::Timestamp;

/// Now.
#[expect(clippy::disallowed_methods, reason = "the one place where this program asks for the time")]
pub fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
