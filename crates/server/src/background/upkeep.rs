//! Slow upkeep: last-used stamps, and answers kept for repeated requests that have run out.

use super::{Ticks, note};
use crate::clock;
use crate::platform::Platform;

/// Runs until the server stops.
pub async fn run(platform: Platform, mut ticks: Ticks) {
    while ticks.next().await {
        let used = platform.credentials.take_used();
        if !used.is_empty() {
            note("last-used stamps", platform.store.stamp_api_keys(used).await);
        }
        note("kept answers", platform.services.replays.expire(clock::now()).await);
    }
}
