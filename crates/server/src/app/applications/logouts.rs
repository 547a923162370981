//! Back-channel logouts that an application could not be told of.

use api::applications::UndeliveredLogout;
use domain::authz::{Authorized, ReadApplications};
use domain::ids::ApplicationId;

use super::{Applications, entry};
use crate::ctx::Ctx;
use crate::problem::Outcome;
use crate::trail::Entry;

impl Applications {
    /// Those that nobody tells any more, the newest first.
    pub async fn undelivered_logouts(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadApplications>,
        id: ApplicationId,
    ) -> Outcome<Vec<UndeliveredLogout>> {
        let mut entry = entry("UndeliveredLogoutListed");
        let result = self.undelivered_now(auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn undelivered_now(
        &self,
        auth: &Authorized<ReadApplications>,
        id: ApplicationId,
        entry: &mut Entry,
    ) -> Outcome<Vec<UndeliveredLogout>> {
        self.load(auth, id, entry).await?;
        let rows = self.core.store.dead_logout_notices(auth, id).await?;
        let shown = rows.into_iter().map(|row| UndeliveredLogout {
            sid: row.sid,
            end_user_id: row.account.uuid(),
            tries: u64::try_from(row.tries).unwrap_or_default(),
            created_at: row.created_at.into(),
        });
        Ok(shown.collect())
    }
}
