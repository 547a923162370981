//! Ways to be an application without a credential of its own: a trust that it signs in by. Whoever could make one of these is asked for
//! what changing the application takes.

use domain::authz::{Action, Authorized};
use domain::identity::application::Settings;
use domain::ids::TrustId;
use store::Store;

use super::covers;
use crate::ctx::Ctx;
use crate::problem::Outcome;

const PAGE: u32 = 200;

/// Refuses whoever may not change every application that signs in by a trust: what the trust believes is that application.
pub async fn by_trust<A: Action>(ctx: &Ctx, store: &Store, auth: &Authorized<A>, trust: TrustId) -> Outcome<()> {
    let named = settings_with(store, auth, &trust.to_string()).await?;
    named.iter().filter(|settings| settings.trust_ids.contains(&trust)).try_for_each(|settings| covers(ctx, settings))
}

/// The settings of every application of the tenant in which a word stands.
async fn settings_with<A: Action>(store: &Store, auth: &Authorized<A>, word: &str) -> Outcome<Vec<Settings>> {
    let mut all = Vec::new();
    loop {
        let skipped = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let page = store.applications_with(auth, word, PAGE, skipped).await?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page.into_iter().map(|row| row.settings));
        if is_last {
            return Ok(all);
        }
    }
}
