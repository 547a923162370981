//! How a service's identity is doing: a value to look at, to wait for and to export.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::plan::{Failure, Standing, Window};

/// The identity at the last look.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// Who the service is.
    pub spiffe_id: String,
    /// The number of the certificate in use, in hexadecimal digits.
    pub serial_number: String,
    /// When it is valid.
    pub window: Window,
    /// Whether peers with the current bundle accept it.
    pub standing: Standing,
    /// How renewing it went.
    pub renewals: Renewals,
    /// The sequence of the trust bundle in use.
    pub bundle_sequence: i64,
    /// When the platform last confirmed it, in seconds since the Unix epoch.
    pub bundle_confirmed_s: i64,
    /// Certificates on its deny list.
    pub denied: usize,
    /// Bundles that were refused, because their signature, trust domain or sequence was wrong.
    pub bundles_refused: u64,
}

impl Status {
    /// Until the certificate expires; negative afterwards.
    pub fn seconds_left(&self, now_s: i64) -> i64 {
        self.window.seconds_left(now_s)
    }

    /// The same in hours.
    pub fn hours_left(&self, now_s: i64) -> f64 {
        self.window.hours_left(now_s)
    }

    /// Whether the service can prove who it is.
    pub fn is_ready(&self, now_s: i64) -> bool {
        self.window.holds(now_s) && self.standing == Standing::Accepted
    }
}

/// How renewing certificates went since the start.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Renewals {
    /// Those that put something new in the place of what was there.
    pub done: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that failed since the last one that did not.
    pub failures: u32,
    /// What the last of these said.
    pub last_failure: Option<String>,
}

impl Renewals {
    pub(super) fn succeeded(&mut self) {
        *self = Self { done: self.done + 1, failed: self.failed, ..Self::default() };
    }

    pub(super) fn failed(&mut self, failure: Failure, why: String) {
        self.failed += 1;
        self.failures = failure.count;
        self.last_failure = Some(why);
    }
}

/// Which side of a handshake we were.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// Somebody connected to us.
    Server,
    /// We connected to somebody.
    Client,
}

/// Handshakes that failed, by side and reason.
#[derive(Default)]
pub(super) struct Refusals(Mutex<BTreeMap<(Side, &'static str), u64>>);

impl Refusals {
    pub(super) fn count(&self, side: Side, reason: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((side, reason)).or_default() += 1;
    }

    pub(super) fn counts(&self) -> Vec<(Side, &'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(&(side, reason), &count)| (side, reason, count)).collect()
    }
}
