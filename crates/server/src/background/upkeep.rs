//! Slow upkeep: last-used stamps and gauges.

use super::{Ticks, note};
use crate::platform::Platform;

/// Runs until the server stops.
pub async fn run(platform: Platform, _holder: [u8; 16], mut ticks: Ticks) {
    while ticks.next().await {
        let used = platform.credentials.take_used();
        if !used.is_empty() {
            note("last-used stamps", platform.store.stamp_api_keys(used).await);
        }
    }
}
