//! Sessions, grants and history of people, and how the former are ended.

use std::collections::{BTreeMap, BTreeSet};

use api::people::{Factor, Grant, Login, Session};
use domain::authz::{Action, Authorized};
use domain::identity::account::AccountRealm;
use domain::identity::grant::Ended;
use domain::ids::{AccountId, GrantId, SessionId};
use serde::{Deserialize, Serialize};
use store::account_factors::{Has, ListedFactors, forget_factors, mark_second_factor};
use store::account_history::{ListedLogin, ListedSession, end_session_of};
use store::consents::forget_consent;
use store::grants::{StoredGrant, end_grant, end_grants_of_session};

use super::{Accounts, sealed};
use crate::ctx::Ctx;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

const LOGINS_DEFAULT: u32 = 50;
const LOGINS_MAX: u32 = 100;
/// Why a session is over that nobody ended.
const RAN_OUT: &str = "ran_out";

/// From where and with what somebody came; sealed beside the event.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Whence {
    /// The address.
    pub ip_address: Option<String>,
    /// The device.
    pub user_agent: Option<String>,
}

impl Whence {
    /// What a row holds of it. What cannot be read is not known: the event or the session is there all the same.
    fn of(ctx: &Ctx, cell: Cell<'_>, sealed: &[u8]) -> Self {
        let opened = ctx.keys.cells.open(cell, sealed).ok();
        opened.and_then(|bytes| serde_json::from_slice(bytes.expose()).ok()).unwrap_or_default()
    }
}

impl Accounts {
    /// The history of somebody, the newest first.
    pub async fn logins<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        (realm, id): (AccountRealm, AccountId),
        limit: Option<u32>,
        entry: &mut Entry,
    ) -> Outcome<Vec<Login>> {
        self.load(auth, realm, id, entry).await?;
        let most = limit.unwrap_or(LOGINS_DEFAULT);
        if most == 0 {
            return Err(Problem::invalid("limit is counted from 1."));
        }
        let rows = self.core.store.listed_logins(auth, id, most.min(LOGINS_MAX)).await?;
        Ok(rows.into_iter().map(|row| login(ctx, id, row)).collect())
    }

    /// From where somebody came last.
    pub async fn last_address<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        id: AccountId,
    ) -> Outcome<Option<String>> {
        let rows = self.core.store.listed_logins(auth, id, 1).await?;
        Ok(rows.into_iter().next().and_then(|row| login(ctx, id, row).ip_address))
    }

    /// The sessions of somebody, the newest first.
    pub async fn sessions<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        (realm, id): (AccountRealm, AccountId),
        entry: &mut Entry,
    ) -> Outcome<Vec<Session>> {
        self.load(auth, realm, id, entry).await?;
        let rows = self.core.store.listed_sessions(auth, id, ctx.now()).await?;
        Ok(rows.into_iter().map(|row| session(ctx, row)).collect())
    }

    /// Ends one session of somebody, and what was granted in it.
    pub async fn end_session<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        (realm, id): (AccountRealm, AccountId),
        session: SessionId,
        entry: &mut Entry,
    ) -> Outcome<()> {
        self.load(auth, realm, id, entry).await?;
        let known = self.core.store.listed_sessions(auth, id, ctx.now()).await?;
        let found = known.iter().find(|row| row.id == session).ok_or_else(|| Problem::not_found("session"))?;
        entry.note(format!("session={session}"));
        if found.state != "live" {
            return Ok(());
        }
        let end = vec![end_session_of(auth, id, session, Ended::Revoked, ctx.now())];
        let follow = end_grants_of_session(auth, session, Ended::Revoked, ctx.now()).to_vec();
        self.commit(ctx, "end session", end, follow, entry).await
    }

    /// Ends every session, grant and token of somebody.
    pub async fn end_sessions<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        (realm, id): (AccountRealm, AccountId),
        entry: &mut Entry,
    ) -> Outcome<()> {
        let mut row = self.load(auth, realm, id, entry).await?;
        let follow = self.cut_off(ctx, auth, &mut row, Ended::Revoked);
        self.save(ctx, "end sessions", auth, &row, follow, entry).await
    }
}

impl Accounts {
    /// What applications were allowed on behalf of somebody, the newest first.
    pub async fn grants<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        (realm, id): (AccountRealm, AccountId),
        entry: &mut Entry,
    ) -> Outcome<Vec<Grant>> {
        self.load(auth, realm, id, entry).await?;
        let rows = self.core.store.grants_of_account(auth, id, ctx.now()).await?;
        let mut names = BTreeMap::new();
        for application in rows.iter().map(|row| row.application).collect::<BTreeSet<_>>() {
            let found = self.core.store.application(auth, application).await?;
            names.insert(application, found.map(|found| found.name));
        }
        Ok(rows.into_iter().map(|row| grant(names.get(&row.application).cloned().flatten(), row)).collect())
    }

    /// Ends one grant of somebody, and forgets what they allowed its application: it has to ask them before it gets another. One that has ended
    /// already stays so.
    pub async fn end_grant<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        (realm, id): (AccountRealm, AccountId),
        grant: GrantId,
        entry: &mut Entry,
    ) -> Outcome<()> {
        self.load(auth, realm, id, entry).await?;
        let found = self.core.store.grant(auth, grant).await?.filter(|row| row.account == Some(id));
        let found = found.ok_or_else(|| Problem::not_found("grant"))?;
        entry.note(format!("grant={grant} of {}", found.application));
        let end =
            vec![forget_consent(auth, id, found.application), end_grant(auth, grant, Ended::Withdrawn, ctx.now())];
        self.commit(ctx, "end grant", Vec::new(), end, entry).await
    }

    /// The second factors of somebody by their kinds.
    pub async fn factors<A: Action>(
        &self,
        auth: &Authorized<A>,
        (realm, id): (AccountRealm, AccountId),
        entry: &mut Entry,
    ) -> Outcome<Vec<Factor>> {
        self.load(auth, realm, id, entry).await?;
        Ok(self.core.store.listed_factors(auth, id).await?.into_iter().map(factor).collect())
    }

    /// Takes the second factors of somebody away who lost them. Whoever had one of their devices is signed out by it.
    pub async fn remove_factors<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        (realm, id): (AccountRealm, AccountId),
        entry: &mut Entry,
    ) -> Outcome<()> {
        let mut row = self.load(auth, realm, id, entry).await?;
        if !row.has_second_factor {
            return Ok(());
        }
        let profile = sealed::open(ctx, &row)?;
        let mut follow = self.cut_off(ctx, auth, &mut row, Ended::Revoked);
        follow.push(forget_factors(auth, id));
        follow.push(mark_second_factor(auth, id, Has::None));
        follow.push(self.notice(ctx, auth, &profile, "The second factors of your account were removed")?);
        self.save(ctx, "remove second factors", auth, &row, follow, entry).await
    }
}

fn grant(name: Option<String>, row: StoredGrant) -> Grant {
    Grant {
        id: row.id.uuid(),
        application_id: row.application.uuid(),
        application_name: name,
        session_id: row.session.map(|id| id.uuid()),
        kind: row.kind.to_string(),
        scopes: row.terms.scope.words().map(str::to_owned).collect(),
        is_offline: row.terms.is_offline(),
        resources: row.terms.resources,
        created_at: row.created_at.into(),
        expires_at: row.expires_at.into(),
    }
}

fn factor(row: ListedFactors) -> Factor {
    Factor {
        kind: row.kind,
        left: row.left,
        created_at: row.created_at.into(),
        last_used_at: row.used_at.map(Into::into),
    }
}

/// What is known of a session. One that ran out is over, though nobody ended it.
fn session(ctx: &Ctx, row: ListedSession) -> Session {
    let whence =
        Whence::of(ctx, Cell { table: "session", row: row.id.as_bytes(), column: "sealed", version: 0 }, &row.sealed);
    let is_over = row.state == "live" && row.runs_out_at <= ctx.now();
    Session {
        id: row.id.uuid(),
        state: if is_over { "ended".to_owned() } else { row.state },
        reason: if is_over { Some(RAN_OUT.to_owned()) } else { row.reason },
        acr: row.acr,
        amr: row.amr.split_whitespace().map(str::to_owned).collect(),
        authenticated_at: row.authenticated_at.into(),
        created_at: row.created_at.into(),
        last_seen_at: row.seen_at.into(),
        expires_at: row.runs_out_at.into(),
        ended_at: row.ended_at.or(is_over.then_some(row.runs_out_at)).map(Into::into),
        ip_address: whence.ip_address,
        user_agent: whence.user_agent,
    }
}

fn login(ctx: &Ctx, account: AccountId, row: ListedLogin) -> Login {
    let cell = Cell { table: "login_event", row: row.id.as_bytes(), column: "sealed", version: 0 };
    let whence = Whence::of(ctx, cell, &row.sealed);
    Login {
        id: row.id.uuid(),
        end_user_id: account.uuid(),
        event_type: row.kind,
        success: row.is_success,
        failure_reason: row.reason,
        ip_address: whence.ip_address,
        user_agent: whence.user_agent,
        timestamp: row.at.into(),
    }
}
