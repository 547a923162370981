//! Applications hear that a session is over, while the platform is unsealed.

use super::Ticks;
use crate::clock;
use crate::platform::Platform;

/// Tells until the server stops.
pub async fn run(platform: Platform, mut ticks: Ticks) {
    while ticks.next().await {
        let Ok(keyring) = platform.seal.keyring() else { continue };
        if let Err(problem) = platform.services.oidc.tell_due_logouts(&keyring, clock::now()).await {
            tracing::warn!(task = "logouts", error.cause = ?problem.cause, "{}", problem.message);
        }
    }
}
