//! Authorities over time, while the platform is unsealed: overlaps that are over, lists to be signed anew, authorities
//! that end and have no successor; and certificates that nobody will ask about any more.

use std::sync::Arc;

use api::certificates::RotateAuthority;
use domain::authz::{ManageAuthorities, on_behalf_of_the_platform};
use domain::ids::{AuthorityId, TenantId};
use domain::time::{DAY_MS, MINUTE_MS, Timestamp};

use super::Ticks;
use crate::clock;
use crate::ctx::{Ctx, Origin};
use crate::keyring::Keyring;
use crate::platform::Platform;
use crate::problem::Outcome;

const LEASE: &str = "authorities";
const LEASE_MS: i64 = 60_000;
/// An authority with less left than this gets a successor: the longest certificate it may issue, and time to notice.
const SUCCESSION_MS: i64 = 90 * DAY_MS;
/// Who intended a certificate and has not signed it by then was cut off.
const INTENT_MS: i64 = 10 * MINUTE_MS;
/// How long a certificate that ended stays in lists.
const KEPT_MS: i64 = 90 * DAY_MS;

/// What is to be done with an authority.
#[derive(Clone, Copy, Debug)]
enum Due {
    Retire,
    SignList,
    Rotate,
}

/// Runs until the server stops.
pub async fn run(platform: Platform, holder: [u8; 16], mut ticks: Ticks) {
    while ticks.next().await {
        if let Err(problem) = run_once(&platform, holder).await {
            tracing::warn!(task = "authorities", error.cause = ?problem.cause, "{}", problem.message);
        }
    }
}

async fn run_once(platform: &Platform, holder: [u8; 16]) -> Outcome<()> {
    let now = clock::now();
    let Ok(keyring) = platform.seal.keyring() else { return Ok(()) };
    if platform.store.lease(LEASE, holder, LEASE_MS).await?.is_none() {
        return Ok(());
    }
    let store = &platform.store;
    let retiring = store.authorities_due_to_retire(now).await?;
    let lists = store.crls_due(now).await?;
    let ending = store.authorities_ending(now.plus_millis(SUCCESSION_MS)).await?;
    let of = |due: Due| move |(tenant, id)| (due, tenant, id);
    let retiring = retiring.into_iter().map(of(Due::Retire));
    let lists = lists.into_iter().map(of(Due::SignList));
    for (due, tenant, id) in retiring.chain(lists).chain(ending.into_iter().map(of(Due::Rotate))) {
        // One that fails must not keep the others waiting.
        if let Err(problem) = attend(platform, &keyring, due, tenant, id, now).await {
            tracing::warn!(ca.id = %id, ?due, error.cause = ?problem.cause, "an authority was not attended to: {}", problem.message);
        }
    }
    let abandoned = store.abandon_certificates(now.plus_millis(-INTENT_MS)).await?;
    if abandoned > 0 {
        tracing::warn!(abandoned, "certificates were intended and never completed");
    }
    store.forget_certificates(now.plus_millis(-KEPT_MS)).await?;
    Ok(())
}

async fn attend(
    platform: &Platform,
    keyring: &Arc<Keyring>,
    due: Due,
    tenant: TenantId,
    id: AuthorityId,
    now: Timestamp,
) -> Outcome<()> {
    let keys = keyring.tenant(&platform.store, tenant).await?;
    let origin = Origin::of_the_platform(&*platform.entropy, now, "authorities");
    let ctx = Ctx::of_the_platform(origin, Arc::clone(keyring), keys);
    let authority = &platform.services.authority;
    match due {
        Due::Retire => authority.retire(&ctx, id).await,
        Due::SignList => authority.crl(&ctx, id).await.map(drop),
        Due::Rotate => {
            let auth = on_behalf_of_the_platform::<ManageAuthorities>(tenant);
            authority.rotate(&ctx, &auth, id, &RotateAuthority::default()).await.map(drop)
        }
    }
}
