//! When to renew: a function from the time, the certificate and the last failure to the next step.
//!
//! It decides nothing by what was decided before, so a clock that jumps, a machine that slept and a restart are no special
//! cases: whoever asks again gets the step that is right now. It never says to give up what is still valid.

use std::time::Duration;

use crypto::x509::Certificate;

/// A certificate is renewed when this much of its life is left.
pub const MARGIN_S: i64 = 4 * HOUR_S;
/// Somebody looks at least this often, and says in the log how many hours are left.
pub const CHECK: Duration = Duration::from_secs(3_600);
/// The first pause after a failure, and the longest.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// See [`FIRST_PAUSE`].
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// At least so long lies between a renewal that succeeded and the next, unless peers refuse what it gave.
pub const REST: Duration = Duration::from_secs(60);
/// How often a start is tried before it fails.
pub const START_TRIES: u32 = 5;

/// The seconds in which a certificate is valid, both included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// The first, since the Unix epoch.
    pub not_before_s: i64,
    /// The last.
    pub not_after_s: i64,
}

/// What our own verifier says of the certificate in use, by the bundle of this moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Peers with the same bundle will accept it.
    Accepted,
    /// They will not: its number is on the deny list, or its authority has left the bundle.
    Refused,
}

/// The attempts that failed since the last one that did not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// How many.
    pub count: u32,
    /// When the last of them failed, in seconds since the Unix epoch.
    pub at_s: i64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Ask for a new certificate, now.
    Renew,
    /// Look again after so long.
    Wait(Duration),
}

impl Window {
    /// That of a certificate.
    pub fn of(certificate: &Certificate) -> Self {
        Self { not_before_s: certificate.not_before(), not_after_s: certificate.not_after() }
    }

    /// The seconds in which both are valid.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let not_before_s = self.not_before_s.max(other.not_before_s);
        Self { not_before_s, not_after_s: self.not_after_s.min(other.not_after_s) }
    }

    /// Whether it is valid at this second.
    pub fn holds(self, now_s: i64) -> bool {
        (self.not_before_s..=self.not_after_s).contains(&now_s)
    }

    /// Until its end; negative afterwards.
    pub fn seconds_left(self, now_s: i64) -> i64 {
        self.not_after_s.saturating_sub(now_s)
    }

    /// The same in hours.
    pub fn hours_left(self, now_s: i64) -> f64 {
        self.seconds_left(now_s) as f64 / 3_600.0
    }

    /// From when on it is to be renewed. Certificates that live less than twelve hours are renewed when a third of their
    /// life is left. Up to a sixteenth of the margin is waited beyond that, so that a fleet whose certificates were made in
    /// one minute does not come back in one minute; `jitter` between 0 and 1 says how much of it.
    pub fn renewal_s(self, jitter: f64) -> i64 {
        let life_s = self.not_after_s.saturating_sub(self.not_before_s).max(0);
        let margin_s = MARGIN_S.min(life_s / 3);
        let spread = Duration::from_secs(u64::try_from(margin_s / 16).unwrap_or_default()).mul_f64(unit(jitter));
        self.not_after_s.saturating_sub(margin_s).saturating_add(i64::try_from(spread.as_secs()).unwrap_or_default())
    }
}

/// The next step. `jitter` lies between 0 and 1; it is drawn once for a certificate and once for a failure, and kept
/// until the next.
pub fn next(now_s: i64, window: Window, standing: Standing, failure: Option<Failure>, jitter: f64) -> Step {
    let due = match standing {
        Standing::Refused => true,
        // What was due once stays so: the jitter of a failure is not the one that its certificate had.
        Standing::Accepted if failure.is_some() => true,
        // The clock is behind the authority's: a new certificate would begin no earlier.
        Standing::Accepted if now_s < window.not_before_s => false,
        Standing::Accepted => now_s >= window.renewal_s(jitter),
    };
    if !due {
        return Step::Wait(until(now_s, window.renewal_s(jitter)).clamp(FIRST_PAUSE, CHECK));
    }
    let Some(failure) = failure else { return Step::Renew };
    let pause = retry_pause(now_s, window, failure, jitter);
    // A clock that was set back must not turn a pause of seconds into one of hours.
    let waited = until(failure.at_s, now_s);
    if now_s >= failure.at_s && waited >= pause {
        Step::Renew
    } else {
        Step::Wait((pause - waited.min(pause)).max(TICK))
    }
}

/// The pause after so many failures in a row: 1 second, doubled each time up to 5 minutes, the upper half of it jittered.
pub fn pause(failures: u32, jitter: f64) -> Duration {
    let step = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    step.mul_f64(0.5 + unit(jitter) / 2.0).max(FIRST_PAUSE)
}

/// The closer the end of what is in use, the shorter the pause: there are always several more attempts before it.
fn retry_pause(now_s: i64, window: Window, failure: Failure, jitter: f64) -> Duration {
    let left = until(now_s, window.not_after_s);
    let pause = pause(failure.count, jitter);
    if left.is_zero() { pause } else { pause.min((left / 4).max(FIRST_PAUSE)) }
}

fn until(from_s: i64, to_s: i64) -> Duration {
    Duration::from_secs(u64::try_from(to_s.saturating_sub(from_s)).unwrap_or_default())
}

fn unit(fraction: f64) -> f64 {
    if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 }
}

const HOUR_S: i64 = 3_600;
/// The clock is read in seconds; a shorter wait would only read the same one again.
const TICK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000;
    const DAY: Window = Window { not_before_s: START, not_after_s: START + 24 * HOUR_S };

    fn failed(count: u32, at_s: i64) -> Option<Failure> {
        Some(Failure { count, at_s })
    }

    fn wait(seconds: u64) -> Step {
        Step::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn table_of_steps() {
        let hours = |hours: i64| START + hours * HOUR_S;
        let rows = [
            ("fresh: looked at every hour", START, DAY, None, wait(3_600)),
            ("half an hour before it is due", hours(20) - 1_800, DAY, None, wait(1_800)),
            ("four hours left", hours(20), DAY, None, Step::Renew),
            ("the machine slept until an hour before the end", hours(23), DAY, None, Step::Renew),
            ("expired", hours(30), DAY, None, Step::Renew),
            ("the clock was set back before its beginning", START - 50 * HOUR_S, DAY, None, wait(3_600)),
            (
                "failed a little before it was due by another jitter",
                hours(20) - 60,
                DAY,
                failed(1, hours(19)),
                Step::Renew,
            ),
            ("failed this second", hours(20), DAY, failed(1, hours(20)), wait(1)),
            ("failed a second ago", hours(20) + 1, DAY, failed(1, hours(20)), Step::Renew),
            ("failed five times", hours(20), DAY, failed(5, hours(20)), wait(8)),
            ("failed for hours", hours(21), DAY, failed(60, hours(21)), wait(150)),
            ("failed for hours, expired", hours(25), DAY, failed(90, hours(25)), wait(150)),
            ("failed for hours, a minute left", hours(24) - 60, DAY, failed(60, hours(24) - 60), wait(15)),
            ("the clock was set back after a failure", hours(20), DAY, failed(2, hours(23)), wait(1)),
            ("the clock jumped ahead after a failure", hours(22), DAY, failed(60, hours(20)), Step::Renew),
        ];
        for (situation, now_s, window, failure, expected) in rows {
            assert_eq!(next(now_s, window, Standing::Accepted, failure, 0.0), expected, "{situation}");
        }
    }

    #[test]
    fn what_peers_refuse_is_renewed_at_once_and_retried_with_pauses() {
        assert_eq!(next(START, DAY, Standing::Refused, None, 0.5), Step::Renew);
        assert_eq!(next(START, DAY, Standing::Refused, failed(4, START), 0.0), wait(4));
    }

    #[test]
    fn a_fleet_of_one_minute_is_spread_over_a_quarter_of_an_hour() {
        assert_eq!(DAY.renewal_s(0.0), DAY.not_after_s - MARGIN_S);
        assert_eq!(DAY.renewal_s(1.0), DAY.not_after_s - MARGIN_S + 900);
        assert_eq!(DAY.renewal_s(f64::NAN), DAY.renewal_s(0.0));
    }

    #[test]
    fn a_short_life_is_renewed_when_a_third_is_left() {
        let hour = Window { not_before_s: START, not_after_s: START + HOUR_S };
        assert_eq!(hour.renewal_s(0.0), START + 2_400);
        let nothing = Window { not_before_s: START, not_after_s: START };
        assert_eq!(next(START, nothing, Standing::Accepted, None, 0.0), Step::Renew);
    }

    #[test]
    fn pauses_grow_from_a_second_to_five_minutes_and_no_further() {
        let seconds = |failures, jitter| pause(failures, jitter).as_secs_f64();
        for (failures, least, most) in
            [(0, 1.0, 1.0), (1, 1.0, 1.0), (2, 1.0, 2.0), (4, 4.0, 8.0), (9, 128.0, 256.0), (10, 150.0, 300.0)]
        {
            assert_eq!((seconds(failures, 0.0), seconds(failures, 1.0)), (least, most), "{failures}");
        }
        assert_eq!(pause(u32::MAX, 1.0), LONGEST_PAUSE);
    }
}
