//! Who may come in: blocked, unblocked, removed, erased, signed out.

use api::error::ErrorCode;
use api::people::{BlockEndUser, EndUser, Factor, Grant};
use domain::authz::{Authorized, ReadEndUsers, WriteEndUsers};
use domain::identity::account::State;
use domain::ids::{GrantId, SessionId};
use store::accounts::erase_account;
use store::sign_ins::forgive;

use super::{EndUsers, Whom, entry, of};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// An operation that changes somebody and answers with them: its entry, the work, and the conclusion.
macro_rules! concluded {
    ($self:ident, $ctx:ident, $action:literal, |$entry:ident| $work:expr) => {{
        let mut own = entry($action);
        let $entry = &mut own;
        let result = $work.await;
        $self.accounts.core.trail.conclude($ctx, own, result).await
    }};
}

impl EndUsers {
    /// Shuts an end user out.
    pub async fn block(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        request: BlockEndUser,
    ) -> Outcome<EndUser> {
        concluded!(self, ctx, "EndUserBlocked", |entry| self.block_now(ctx, auth, whom, request, entry))
    }

    async fn block_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        request: BlockEndUser,
        entry: &mut Entry,
    ) -> Outcome<EndUser> {
        let mut row = self.load(auth, whom, entry).await?;
        let reason = request.reason.filter(|reason| !reason.is_empty());
        let follow = self.accounts.shut_out(ctx, auth, &mut row, reason)?;
        self.accounts.save(ctx, "block end user", auth, &row, follow, entry).await?;
        self.whole(ctx, auth, &row).await
    }

    /// Lets an end user in again.
    pub async fn unblock(&self, ctx: &Ctx, auth: &Authorized<WriteEndUsers>, whom: Whom) -> Outcome<EndUser> {
        concluded!(self, ctx, "EndUserUnblocked", |entry| self.unblock_now(ctx, auth, whom, entry))
    }

    async fn unblock_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        entry: &mut Entry,
    ) -> Outcome<EndUser> {
        let mut row = self.load(auth, whom, entry).await?;
        self.accounts.let_in(ctx, &mut row)?;
        self.accounts.save(ctx, "unblock end user", auth, &row, Vec::new(), entry).await?;
        self.whole(ctx, auth, &row).await
    }

    /// Forgets the wrong passwords and second factors that slow an end user down.
    pub async fn unlock(&self, ctx: &Ctx, auth: &Authorized<WriteEndUsers>, whom: Whom) -> Outcome<EndUser> {
        concluded!(self, ctx, "EndUserUnlocked", |entry| self.unlock_now(ctx, auth, whom, entry))
    }

    async fn unlock_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        entry: &mut Entry,
    ) -> Outcome<EndUser> {
        let row = self.load(auth, whom, entry).await?;
        let subject = |kind| ctx.keyring.root.token_hash(kind, row.id.as_bytes());
        let follow = ["throttle-account", "throttle-second-factor"].map(|kind| forgive(auth, &subject(kind))).to_vec();
        self.accounts.commit(ctx, "unlock end user", Vec::new(), follow, entry).await?;
        self.whole(ctx, auth, &row).await
    }

    /// Removes an end user: they are shut out, their address is free, and unblocking brings them back.
    pub async fn delete(&self, ctx: &Ctx, auth: &Authorized<WriteEndUsers>, whom: Whom) -> Outcome<()> {
        concluded!(self, ctx, "EndUserDeleted", |entry| self.delete_now(ctx, auth, whom, entry))
    }

    async fn delete_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let mut row = self.load(auth, whom, entry).await?;
        if row.state == State::Deleted {
            return Ok(());
        }
        let follow = self.accounts.remove(ctx, auth, &mut row)?;
        self.accounts.save(ctx, "delete end user", auth, &row, follow, entry).await
    }

    /// Erases an end user who is shut out, for ever.
    pub async fn erase(&self, ctx: &Ctx, auth: &Authorized<WriteEndUsers>, whom: Whom) -> Outcome<()> {
        concluded!(self, ctx, "EndUserErased", |entry| self.erase_now(ctx, auth, whom, entry))
    }

    async fn erase_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let row = self.load(auth, whom, entry).await?;
        if !row.state.is_erasable() {
            return Err(Problem::new(ErrorCode::Conflict, "Only somebody who is blocked can be erased."));
        }
        let mut follow = erase_account(auth, row.id);
        let exact = vec![follow.remove(0)];
        self.accounts.commit(ctx, "erase end user", exact, follow, entry).await
    }

    /// Ends one session.
    pub async fn end_session(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        session: SessionId,
    ) -> Outcome<()> {
        concluded!(self, ctx, "EndUserSessionEnded", |entry| self.accounts.end_session(
            ctx,
            auth,
            of(whom),
            session,
            entry
        ))
    }

    /// What applications were allowed on somebody's behalf.
    pub async fn grants(&self, ctx: &Ctx, auth: &Authorized<ReadEndUsers>, whom: Whom) -> Outcome<Vec<Grant>> {
        concluded!(self, ctx, "EndUserGrantsRead", |entry| self.accounts.grants(ctx, auth, of(whom), entry))
    }

    /// Ends one grant.
    pub async fn end_grant(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        grant: GrantId,
    ) -> Outcome<()> {
        concluded!(self, ctx, "EndUserGrantEnded", |entry| self.accounts.end_grant(ctx, auth, of(whom), grant, entry))
    }

    /// What they have of second factors.
    pub async fn factors(&self, ctx: &Ctx, auth: &Authorized<ReadEndUsers>, whom: Whom) -> Outcome<Vec<Factor>> {
        concluded!(self, ctx, "EndUserFactorsRead", |entry| self.accounts.factors(auth, of(whom), entry))
    }

    /// Takes second factors away.
    pub async fn remove_factors(&self, ctx: &Ctx, auth: &Authorized<WriteEndUsers>, whom: Whom) -> Outcome<()> {
        concluded!(self, ctx, "EndUserFactorsRemoved", |entry| self.accounts.remove_factors(ctx, auth, of(whom), entry))
    }

    /// Ends every session, grant and token.
    pub async fn end_sessions(&self, ctx: &Ctx, auth: &Authorized<WriteEndUsers>, whom: Whom) -> Outcome<()> {
        concluded!(self, ctx, "EndUserSessionsEnded", |entry| self.accounts.end_sessions(ctx, auth, of(whom), entry))
    }
}
