//! Destroys keys whose grace period is over, while the platform is unsealed.

use std::sync::Arc;

use domain::authz::{WriteKeys, on_behalf_of_the_platform};
use domain::ids::{KeyId, TenantId};
use domain::time::Timestamp;

use super::Ticks;
use crate::clock;
use crate::ctx::{Ctx, Origin};
use crate::keyring::Keyring;
use crate::platform::Platform;
use crate::problem::Outcome;

const LEASE: &str = "key deletion";
const LEASE_MS: i64 = 60_000;

/// Runs until the server stops.
pub async fn run(platform: Platform, holder: [u8; 16], mut ticks: Ticks) {
    while ticks.next().await {
        if let Err(problem) = run_once(&platform, holder).await {
            tracing::warn!(task = "key deletion", error.cause = ?problem.cause, "{}", problem.message);
        }
    }
}

async fn run_once(platform: &Platform, holder: [u8; 16]) -> Outcome<()> {
    let now = clock::now();
    let Ok(keyring) = platform.seal.keyring() else { return Ok(()) };
    let due = platform.store.keys_due_for_deletion(now).await?;
    if due.is_empty() || platform.store.lease(LEASE, holder, LEASE_MS).await?.is_none() {
        return Ok(());
    }
    for (tenant, key) in due {
        // One that fails must not keep the others alive.
        if let Err(problem) = destroy(platform, &keyring, tenant, key, now).await {
            tracing::warn!(key.id = %key, error.cause = ?problem.cause, "a key was not destroyed: {}", problem.message);
        }
    }
    Ok(())
}

async fn destroy(
    platform: &Platform,
    keyring: &Arc<Keyring>,
    tenant: TenantId,
    key: KeyId,
    now: Timestamp,
) -> Outcome<()> {
    let keys = keyring.tenant(&platform.store, tenant).await?;
    let origin = Origin::of_the_platform(&*platform.entropy, now, "keyDeletion");
    let ctx = Ctx::of_the_platform(origin, Arc::clone(keyring), keys);
    platform.services.keys.destroy(&ctx, &on_behalf_of_the_platform::<WriteKeys>(tenant), key).await
}
