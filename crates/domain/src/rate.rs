//! Token buckets: so many requests a minute, spread evenly, with whole seconds to wait when empty (contract 2.8).

use crate::time::{MINUTE_MS, Timestamp};

/// A bucket that refills continuously and holds one minute's worth.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    per_minute: u32,
    /// Tokens in thousandths, so that a refill of less than one token is not lost.
    millitokens: u64,
    at: Timestamp,
}

/// The bucket after a request was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests a minute.
    pub limit: u32,
    /// Requests that would be let through right now.
    pub remaining: u32,
    /// Unix second at which the bucket is full again.
    pub reset_s: i64,
}

/// Refused; another try may be let through after so many whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Requests a minute.
    pub limit: u32,
    /// Whole seconds to wait, at least one.
    pub retry_after_s: u64,
}

const MILLI: u64 = 1_000;

impl Bucket {
    /// A full bucket.
    pub fn full(per_minute: u32, now: Timestamp) -> Self {
        Self { per_minute, millitokens: u64::from(per_minute) * MILLI, at: now }
    }

    /// Requests a minute.
    pub fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Takes one token, or says how long to wait.
    pub fn take(&mut self, now: Timestamp) -> Result<Allowance, Exhausted> {
        self.refill(now);
        if self.millitokens < MILLI {
            let missing = MILLI - self.millitokens;
            let wait_ms = (missing * MINUTE_MS as u64).div_ceil(u64::from(self.per_minute.max(1)) * MILLI);
            return Err(Exhausted { limit: self.per_minute, retry_after_s: wait_ms.div_ceil(1_000).max(1) });
        }
        self.millitokens -= MILLI;
        Ok(self.allowance(now))
    }

    /// What is left, without taking any.
    pub fn peek(&mut self, now: Timestamp) -> Allowance {
        self.refill(now);
        self.allowance(now)
    }

    fn refill(&mut self, now: Timestamp) {
        let elapsed_ms = u64::try_from(now.millis() - self.at.millis()).unwrap_or(0);
        let full = u64::from(self.per_minute) * MILLI;
        let gained = elapsed_ms.saturating_mul(full) / MINUTE_MS as u64;
        if gained > 0 {
            self.millitokens = self.millitokens.saturating_add(gained).min(full);
            self.at = now;
        }
    }

    fn allowance(&self, now: Timestamp) -> Allowance {
        let missing = u64::from(self.per_minute) * MILLI - self.millitokens;
        let full_in_ms = missing * MINUTE_MS as u64 / (u64::from(self.per_minute.max(1)) * MILLI);
        let reset = now.plus_millis(i64::try_from(full_in_ms).unwrap_or(MINUTE_MS));
        Allowance { limit: self.per_minute, remaining: (self.millitokens / MILLI) as u32, reset_s: reset.seconds() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_passes_at_once_and_then_one_a_refill() {
        let start = Timestamp::from_millis(1_000_000);
        let mut bucket = Bucket::full(60, start);
        for left in (0..60).rev() {
            assert_eq!(bucket.take(start).unwrap().remaining, left);
        }
        assert_eq!(bucket.take(start).unwrap_err().retry_after_s, 1);
        assert!(bucket.take(start.plus_millis(1_000)).is_ok());
        assert!(bucket.take(start.plus_millis(1_001)).is_err());
    }

    #[test]
    fn a_slow_bucket_says_how_many_whole_seconds_to_wait() {
        let start = Timestamp::from_millis(0);
        let mut bucket = Bucket::full(2, start);
        bucket.take(start).unwrap();
        bucket.take(start).unwrap();
        assert_eq!(bucket.take(start).unwrap_err().retry_after_s, 30);
    }

    #[test]
    fn a_clock_that_steps_back_neither_panics_nor_refills() {
        let start = Timestamp::from_millis(10_000);
        let mut bucket = Bucket::full(1, start);
        bucket.take(start).unwrap();
        assert!(bucket.take(Timestamp::from_millis(0)).is_err());
    }
}
