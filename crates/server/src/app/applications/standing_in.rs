//! Ways to be an application without a secret or key of its own: the trust and the certificate that it signs in by. Whoever gives somebody
//! one of these is asked for what changing the application takes.

use crypto::x509::AltName;
use domain::authz::{Action, Authorized};
use domain::identity::application::{ClientAuth, Settings};
use domain::ids::TrustId;
use store::Store;

use super::{covers, may_equip};
use crate::ctx::Ctx;
use crate::problem::Outcome;

const PAGE: u32 = 200;

/// Refuses whoever may not change every application that signs in by a trust: what the trust believes is that application.
pub async fn by_trust<A: Action>(ctx: &Ctx, store: &Store, auth: &Authorized<A>, trust: TrustId) -> Outcome<()> {
    let named = settings_with(store, auth, &trust.to_string()).await?;
    named.iter().filter(|settings| settings.trust_ids.contains(&trust)).try_for_each(|settings| covers(ctx, settings))
}

/// The settings of every application that proves who it is by a certificate of the tenant's authority.
pub async fn proved_by_certificate<A: Action>(store: &Store, auth: &Authorized<A>) -> Outcome<Vec<Settings>> {
    let mut all = settings_with(store, auth, ClientAuth::TlsClientAuth.as_str()).await?;
    all.retain(|settings| settings.client_auth == ClientAuth::TlsClientAuth);
    Ok(all)
}

/// Refuses whoever may not change every application that is proved by a certificate of these names. Nobody
/// is to have one by spelling it in another case.
pub fn by_certificate(ctx: &Ctx, proved: &[Settings], names: &[AltName]) -> Outcome<()> {
    let is_shown = |san: &str| {
        let shown = names.iter().filter(|name| matches!(name, AltName::Dns(_) | AltName::Uri(_)));
        shown.map(AltName::value).any(|name| name.eq_ignore_ascii_case(san))
    };
    let mut meant = proved.iter().filter(|settings| settings.tls_san.as_deref().is_some_and(is_shown));
    meant.try_for_each(|settings| may_equip(ctx, settings))
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
