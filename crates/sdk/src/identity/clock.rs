//! What time it is, and waiting that notices when the clock is set or the machine slept.

use std::time::Duration;

use tokio::time::Instant;

/// The wall clock, as an argument.
pub trait Clock: Send + Sync + 'static {
    /// Seconds since the Unix epoch.
    fn now_s(&self) -> i64;
}

/// The machine's.
pub struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "the client's one reading of the wall clock")]
    fn now_s(&self) -> i64 {
        let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
    }
}

/// Waits, and no longer than until the clock was found to have been set: a sleep counts the time that passed, and a
/// certificate expires by the time that is.
pub async fn wait(clock: &dyn Clock, wanted: Duration) {
    let (begun, begun_s) = (Instant::now(), clock.now_s());
    loop {
        let passed = begun.elapsed();
        let Some(left) = wanted.checked_sub(passed).filter(|left| !left.is_zero()) else { return };
        let told = clock.now_s().saturating_sub(begun_s);
        if told.abs_diff(i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)) > TOLERANCE_S {
            tracing::info!(told_s = told, passed_s = passed.as_secs(), "the clock was set");
            return;
        }
        tokio::time::sleep(left.min(SLICE)).await;
    }
}

const SLICE: Duration = Duration::from_secs(30);
/// Clocks are corrected by fractions of a second all the time.
const TOLERANCE_S: u64 = 5;

#[cfg(test)]
pub mod paused {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A clock that goes with tokio's, and can be set.
    pub struct PausedClock {
        start: Instant,
        start_s: AtomicI64,
    }

    impl PausedClock {
        pub fn at(start_s: i64) -> Self {
            Self { start: Instant::now(), start_s: AtomicI64::new(start_s) }
        }

        pub fn jump(&self, seconds: i64) {
            self.start_s.fetch_add(seconds, Ordering::Relaxed);
        }
    }

    impl Clock for PausedClock {
        fn now_s(&self) -> i64 {
            self.start_s.load(Ordering::Relaxed) + i64::try_from(self.start.elapsed().as_secs()).unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_early_when_the_clock_is_set_either_way() {
        for jump_s in [7_200, -7_200] {
            let clock = std::sync::Arc::new(PausedClock::at(1_000_000));
            let begun = Instant::now();
            let waiting = tokio::spawn({
                let clock = std::sync::Arc::clone(&clock);
                async move { wait(&*clock, Duration::from_secs(3_600)).await }
            });
            tokio::time::sleep(Duration::from_secs(100)).await;
            clock.jump(jump_s);
            waiting.await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(140), "{:?}", begun.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_takes_as_long_as_it_should() {
        let begun = Instant::now();
        wait(&PausedClock::at(0), Duration::from_secs(3_601)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(3_601));
    }
}
