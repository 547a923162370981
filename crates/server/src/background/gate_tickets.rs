//! Tickets that ended long ago are forgotten. Until then lists tell how they ended; the audit trail tells it for good.

use domain::time::DAY_MS;

use super::{Ticks, note};
use crate::clock;
use crate::platform::Platform;

/// How long an ended ticket stays in lists.
const KEPT_MS: i64 = 30 * DAY_MS;

/// Runs until the server stops.
pub async fn run(platform: Platform, mut ticks: Ticks) {
    while ticks.next().await {
        note("gate tickets", platform.store.forget_gate_tickets(clock::now().plus_millis(-KEPT_MS)).await);
    }
}
