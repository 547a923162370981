//! Keeping an identity fresh: two loops that end with it.
//!
//! One renews the certificate, by `plan`. The other follows the trust bundle, so that new anchors and revocations arrive
//! within seconds. Neither takes away what is in use before it has something better, and neither gives up.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::plan::{self, Failure, Step};
use super::{Failed, Inner};
use crate::error::report;
use crate::random;

/// Renews whenever it is time to.
pub async fn renew(inner: Arc<Inner>) {
    let (mut failure, mut jitter): (Option<Failure>, f64) = (None, random::fraction());
    loop {
        let now_s = inner.clock.now_s();
        let status = inner.look(now_s);
        match plan::next(now_s, status.window, status.standing, failure, jitter) {
            Step::Renew => {
                failure = attempt(&inner, failure).await;
                jitter = random::fraction();
                // By a clock that is far ahead of the authority's, the new certificate is due as well.
                if failure.is_none() {
                    pause(&inner, plan::REST).await;
                }
            }
            Step::Wait(time) => pause(&inner, time).await,
        }
    }
}

async fn pause(inner: &Inner, time: Duration) {
    tokio::select! {
        () = clock::wait(&*inner.clock, time) => {}
        // The bundle has changed so that peers refuse the certificate.
        () = inner.refused.notified() => {}
    }
}

async fn attempt(inner: &Inner, before: Option<Failure>) -> Option<Failure> {
    let error = inner.renew().await.err()?;
    let failure =
        Failure { count: before.map_or(0, |failure| failure.count).saturating_add(1), at_s: inner.clock.now_s() };
    let why = report(&error);
    let hours_left = inner.status.borrow().hours_left(failure.at_s);
    tracing::warn!(failures = failure.count, hours_left = rounded(hours_left), error = why, "certificate not renewed");
    inner.status.send_modify(|status| {
        status.failures = failure.count;
        status.failures_total += 1;
        status.last_failure = Some(why);
    });
    Some(failure)
}

/// Follows the trust bundle.
pub async fn follow(inner: Arc<Inner>) {
    let mut failures = 0_u32;
    loop {
        let begun = tokio::time::Instant::now();
        let held = inner.sequence();
        match inner.follow(held).await {
            // A server that answers at once that nothing is new does not hold the question back for us.
            Ok(()) if inner.sequence() == held => {
                failures = 0;
                tokio::time::sleep(SHORTEST_POLL.saturating_sub(begun.elapsed())).await;
            }
            Ok(()) => failures = 0,
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::warn!(failures, error = report(&error), "trust bundle not fetched");
                if let Failed::Bundle(_) = error {
                    inner.status.send_modify(|status| status.bundles_refused += 1);
                }
                tokio::time::sleep(plan::pause(failures, random::fraction()).min(LONGEST_POLL_PAUSE)).await;
            }
        }
    }
}

/// Hours for people: one digit behind the point.
pub fn rounded(hours: f64) -> f64 {
    (hours * 10.0).round() / 10.0
}

const SHORTEST_POLL: Duration = Duration::from_secs(2);
/// Revocations wait behind this, so it is shorter than between renewals.
const LONGEST_POLL_PAUSE: Duration = Duration::from_secs(15);
