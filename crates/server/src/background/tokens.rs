//! Tokens over time: keys that are old get successors while the platform is unsealed, and what ended long ago is forgotten.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use api::casing::Casing;
use domain::ids::{RequestId, TenantId};
use domain::time::{HOUR_MS, Timestamp};

use super::{Ticks, note, random_id};
use crate::app::oidc::Oidc;
use crate::clock;
use crate::ctx::{Ctx, Origin};
use crate::keyring::Keyring;
use crate::platform::Platform;
use crate::problem::Outcome;

const LEASE: &str = "token keys";
const LEASE_MS: i64 = 60_000;
/// How long what ended is kept, for whoever looks at it a moment later.
const KEPT_MS: i64 = HOUR_MS;
/// In which of so many turns is looked for it.
const FORGETTING: u32 = 30;

/// Runs until the server stops.
pub async fn run(platform: Platform, holder: [u8; 16], mut ticks: Ticks) {
    let mut turn = 0_u32;
    while ticks.next().await {
        let now = clock::now();
        if let Err(problem) = rotate(&platform, holder, now).await {
            tracing::warn!(task = "token keys", error.cause = ?problem.cause, "{}", problem.message);
        }
        if turn.is_multiple_of(FORGETTING) {
            note("ended tokens", platform.store.forget_ended_tokens(now.plus_millis(-KEPT_MS)).await);
        }
        turn = turn.wrapping_add(1);
    }
}

async fn rotate(platform: &Platform, holder: [u8; 16], now: Timestamp) -> Outcome<()> {
    let Ok(keyring) = platform.seal.keyring() else { return Ok(()) };
    let due = platform.store.tenants_with_old_token_keys(Oidc::old_before(now)).await?;
    if due.is_empty() || platform.store.lease(LEASE, holder, LEASE_MS).await?.is_none() {
        return Ok(());
    }
    for tenant in due {
        // One that fails must not keep the others waiting.
        if let Err(problem) = attend(platform, &keyring, tenant, now).await {
            tracing::warn!(tenant = %tenant, error.cause = ?problem.cause, "token keys were not rotated: {}", problem.message);
        }
    }
    Ok(())
}

async fn attend(platform: &Platform, keyring: &Arc<Keyring>, tenant: TenantId, now: Timestamp) -> Outcome<()> {
    let keys = keyring.tenant(&platform.store, tenant).await?;
    let origin = Origin {
        request_id: RequestId::from_random(random_id(&platform.entropy)),
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        user_agent: None,
        now,
        casing: Casing::Camel,
        snake_body: Arc::default(),
        operation: "tokenKeys",
        allowance: Arc::default(),
    };
    let ctx = Ctx::of_the_platform(origin, Arc::clone(keyring), keys);
    platform.services.oidc.rotate_old_keys(&ctx).await
}
