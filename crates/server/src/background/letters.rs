//! Letters leave while the platform is unsealed; those that cannot be delivered, codes and sessions that have ended, wrong passwords and
//! old history are forgotten.

use domain::identity::mail::KEPT_MS;
use domain::identity::throttle::MEMORY_MS;
use domain::time::DAY_MS;

use super::{Ticks, note};
use crate::clock;
use crate::platform::Platform;

/// How long it is known when and from where somebody signed in.
const HISTORY_MS: i64 = 400 * DAY_MS;
/// How long a session that is over is shown; that somebody signed in then stays in the history.
const SESSIONS_MS: i64 = 30 * DAY_MS;

/// Sends until the server stops.
pub async fn run(platform: Platform, mut ticks: Ticks) {
    while ticks.next().await {
        let Ok(keyring) = platform.seal.keyring() else { continue };
        if let Err(problem) = platform.services.mail.deliver_due(&keyring, clock::now()).await {
            tracing::warn!(task = "letters", error.cause = ?problem.cause, "{}", problem.message);
        }
    }
}

/// Forgets until the server stops.
pub async fn forget(platform: Platform, mut ticks: Ticks) {
    while ticks.next().await {
        let now = clock::now();
        let (letters, codes) = (now.plus_millis(-KEPT_MS), now.plus_millis(-DAY_MS));
        note("logout notices", platform.store.forget_dead_notices(letters).await);
        note("letters and codes", platform.store.forget_letters_and_codes(letters, codes).await);
        let (failures, history) = (now.plus_millis(-MEMORY_MS), now.plus_millis(-HISTORY_MS));
        note("sign-ins", platform.store.forget_sign_ins(failures, history).await);
        note("sessions", platform.store.forget_sessions(now.plus_millis(-SESSIONS_MS)).await);
    }
}
