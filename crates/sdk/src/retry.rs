//! When to send a request again, and how long to wait before it.

use std::time::Duration;

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request was never sent.
    NotSent,
    /// It may have been carried out, or not.
    Unknown,
    /// The server was too busy, and said so.
    Busy { retry_after: Option<Duration> },
}

/// Whether carrying a request out twice does harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It reads, or the server recognises it.
    Harmless,
    /// It changes something each time.
    Harmful,
    /// It must never be sent again, whatever happened.
    Forbidden,
}

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// A server that wants more patience than this is not waited for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The wait before the next attempt, or none if there is to be no other. `attempt` counts from 0, `jitter` is between
/// 0 and 1.
pub fn wait(failure: Failure, repetition: Repetition, attempt: u32, jitter: f64) -> Option<Duration> {
    let wanted = match (failure, repetition) {
        (_, Repetition::Forbidden) | (Failure::Unknown, Repetition::Harmful) => return None,
        (Failure::Busy { retry_after }, _) => retry_after.unwrap_or_default(),
        (Failure::NotSent | Failure::Unknown, _) => Duration::ZERO,
    };
    if wanted > LONGEST_RETRY_AFTER {
        return None;
    }
    let step = FIRST_WAIT.saturating_mul(1 << attempt.min(10)).min(LONGEST_WAIT);
    Some(wanted + step.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_repeated_is_repeated_after_a_growing_wait() {
        let busy = |seconds| Failure::Busy { retry_after: Some(Duration::from_secs(seconds)) };
        for (failure, repetition, attempt, expected_ms) in [
            (Failure::Unknown, Repetition::Harmless, 0, Some(200)),
            (Failure::Unknown, Repetition::Harmless, 3, Some(1_600)),
            (Failure::Unknown, Repetition::Harmless, 30, Some(8_000)),
            (Failure::Unknown, Repetition::Harmful, 0, None),
            (Failure::NotSent, Repetition::Harmful, 0, Some(200)),
            (Failure::NotSent, Repetition::Forbidden, 0, None),
            (busy(2), Repetition::Harmful, 0, Some(2_200)),
            (busy(61), Repetition::Harmless, 0, None),
        ] {
            let found = wait(failure, repetition, attempt, 1.0);
            assert_eq!(found, expected_ms.map(Duration::from_millis), "{failure:?} {repetition:?}");
        }
    }
}
