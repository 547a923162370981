//! Revocation lists: signed when first asked for, and again after a revocation or when half their life is over.

use crypto::x509::{Reason, RevocationList, Revoked, SerialNumber};
use domain::ids::AuthorityId;
use domain::time::{DAY_MS, Timestamp};
use store::authorities::{StoredCrl, keep_crl};

use super::loaded::LoadedAuthority;
use super::{Authority, TRIES, reader};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};

/// How long a list holds.
const HOLDS_MS: i64 = 7 * DAY_MS;

impl Authority {
    /// The list of an authority, in DER. A root's speaks of authorities, and none of those was ever revoked: they are
    /// rotated and leave the bundle.
    pub async fn crl(&self, ctx: &Ctx, id: AuthorityId) -> Outcome<Vec<u8>> {
        let missing = || Problem::not_found("certificate authority");
        let loaded = self.load(ctx).await?;
        let key = loaded.get(id).ok_or_else(missing)?;
        for _ in 0..TRIES {
            let kept = self.core.store.crl(&reader(ctx.tenant()), id).await?.ok_or_else(missing)?;
            if let Some(der) = kept.der.as_ref().filter(|_| kept.spoilt == 0 && kept.renew_at > ctx.now()) {
                return Ok(der.clone());
            }
            if let Some(der) = self.sign_crl(ctx, key, &kept).await? {
                return Ok(der);
            }
        }
        Err(Problem::new(api::error::ErrorCode::Conflict, "Much is being revoked at this moment; ask again."))
    }

    /// A new list after the one that was kept; none when another was kept or something was revoked meanwhile.
    async fn sign_crl(&self, ctx: &Ctx, key: &LoadedAuthority, kept: &StoredCrl) -> Outcome<Option<Vec<u8>>> {
        let now = ctx.now();
        let auth = reader(ctx.tenant());
        // RFC 5280 3.3: an entry stays until a list was issued after the certificate's end.
        let since = now.plus_millis(-HOLDS_MS);
        let rows = self.core.store.revocations(&auth, since).await?;
        let revoked = rows.iter().filter(|row| row.ca == key.row.id).map(|row| Revoked {
            serial_number: SerialNumber::from_bytes(&row.serial),
            revoked_at: row.revoked_at.seconds(),
            reason: row.reason.parse().unwrap_or(Reason::Unspecified),
        });
        let list = RevocationList {
            issuer: key.subject.clone(),
            this_update: now.seconds(),
            next_update: now.plus_millis(HOLDS_MS).seconds(),
            number: u64::try_from(kept.number + 1).unwrap_or(u64::MAX),
            revoked: revoked.collect(),
        };
        let der = list.sign(key.private(&ctx.keys)?, &*self.core.entropy)?;
        let keep = keep_crl(&auth, key.row.id, kept, &der, half_way(now));
        let touched = self.core.store.write("keep revocation list", move |tx| {
            let keep = keep.clone();
            Box::pin(async move { tx.exec(keep).await })
        });
        Ok((touched.await? == 1).then_some(der))
    }
}

fn half_way(now: Timestamp) -> Timestamp {
    now.plus_millis(HOLDS_MS / 2)
}
