//! Share links that ended long ago are forgotten. Until then they can still say how they ended.

use domain::time::DAY_MS;

use super::{Ticks, note};
use crate::clock;
use crate::platform::Platform;

/// How long an ended link stays in lists.
const KEPT_MS: i64 = 30 * DAY_MS;

/// Runs until the server stops.
pub async fn run(platform: Platform, mut ticks: Ticks) {
    while ticks.next().await {
        note("share links", platform.store.forget_share_links(clock::now().plus_millis(-KEPT_MS)).await);
    }
}
