//! Keeping certificates fresh: loops that end with whoever holds them.
//!
//! [`renew`] renews what is in use, by `plan`. [`follow`] follows the trust bundle, so that new anchors and revocations arrive
//! within seconds. Neither takes away what is in use before it has something better, and neither gives up.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::clock::{self, Clock};
use super::plan::{self, Failure, START_TRIES, Standing, Step, Window};
use super::{Failed, Inner};
use crate::error::report;
use crate::random;

/// Certificates that are in use, and can be renewed.
pub trait Renewable: Send + Sync + 'static {
    /// What time it is.
    fn clock(&self) -> &dyn Clock;
    /// Ends when what is in use has to be looked at before its time.
    fn woken(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
    /// When what is in use is valid, and whether it is accepted.
    fn look(&self, now_s: i64) -> (Window, Standing);
    /// Puts something new in its place, or leaves it as it is.
    fn renew(&self) -> impl Future<Output = Result<(), Failed>> + Send;
    /// Notes that it was not renewed, and why.
    fn note(&self, failure: Failure, why: String);
}

/// Fetches for the first time: after so many failures whoever wants it cannot start.
pub async fn first<T, F>(fetch: impl Fn() -> F) -> Result<T, Failed>
where
    F: Future<Output = Result<T, Failed>>,
{
    let mut failures = 0;
    loop {
        match fetch().await {
            Err(error) if failures + 1 < START_TRIES => {
                failures += 1;
                tracing::warn!(failures, error = report(&error), "no certificate yet");
                tokio::time::sleep(plan::pause(failures, random::fraction())).await;
            }
            settled => return settled,
        }
    }
}

/// Renews whenever it is time to.
pub async fn renew(held: Arc<impl Renewable>) {
    let (mut failure, mut jitter): (Option<Failure>, f64) = (None, random::fraction());
    loop {
        let now_s = held.clock().now_s();
        let (window, standing) = held.look(now_s);
        match plan::next(now_s, window, standing, failure, jitter) {
            Step::Renew => {
                failure = attempt(&*held, window, failure).await;
                jitter = random::fraction();
                // By a clock that is far ahead of the authority's, the new certificate is due as well.
                if failure.is_none() {
                    pause(&*held, plan::REST).await;
                }
            }
            Step::Wait(time) => pause(&*held, time).await,
        }
    }
}

async fn pause(held: &impl Renewable, time: Duration) {
    tokio::select! {
        () = clock::wait(held.clock(), time) => {}
        () = held.woken() => {}
    }
}

async fn attempt(held: &impl Renewable, window: Window, before: Option<Failure>) -> Option<Failure> {
    let error = held.renew().await.err()?;
    let failure =
        Failure { count: before.map_or(0, |failure| failure.count).saturating_add(1), at_s: held.clock().now_s() };
    let (why, hours_left) = (report(&error), rounded(window.hours_left(failure.at_s)));
    tracing::warn!(failures = failure.count, hours_left, error = why, "certificate not renewed");
    held.note(failure, why);
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
