//! What is shown of somebody's sessions and history, and how sessions are ended by others than themselves.

use std::cmp::Reverse;

use domain::authz::{Action, Authorized};
use domain::identity::grant::Ended;
use domain::ids::{AccountId, LoginEventId, SessionId};
use domain::time::Timestamp;

use crate::account_codes::forget_what_waits;
use crate::error::Result;
use crate::logout_notices::tell_of_account;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// A session as it is shown. Address and device are in `sealed`.
#[derive(Clone, Debug)]
pub struct ListedSession {
    pub id: SessionId,
    /// `live` or `ended`.
    pub state: String,
    pub reason: Option<String>,
    pub acr: String,
    /// Words with spaces between.
    pub amr: String,
    pub authenticated_at: Timestamp,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
    /// When it ends at the latest, or would if it were not used any more.
    pub runs_out_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub sealed: Vec<u8>,
}

/// An event of somebody's history. Address and device are in `sealed`.
#[derive(Clone, Debug)]
pub struct ListedLogin {
    pub id: LoginEventId,
    pub at: Timestamp,
    pub kind: String,
    pub is_success: bool,
    pub reason: Option<String>,
    pub sealed: Vec<u8>,
}

const MOST_SESSIONS: i64 = 200;

impl Store {
    /// The sessions of somebody, the newest first. Where there are too many, those that are over are left out before one that somebody can
    /// be in.
    pub async fn listed_sessions<A: Action>(
        &self,
        auth: &Authorized<A>,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<ListedSession>> {
        let text = "SELECT id, state, reason, acr, amr, authenticated_at, created_at, seen_at, expires_at, ended_at, idle_ms, sealed FROM session \
                    WHERE tenant = $1 AND account = $2 ORDER BY \
                    CASE WHEN state = 'live' AND expires_at > $4 AND seen_at + idle_ms > $4 THEN 0 ELSE 1 END, created_at DESC, id DESC LIMIT $3";
        let statement =
            sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(MOST_SESSIONS).bind(now.millis());
        let mut listed = self.scan(statement).await?.iter().map(session).collect::<Result<Vec<_>>>()?;
        listed.sort_by_key(|one| Reverse((one.created_at, *one.id.as_bytes())));
        Ok(listed)
    }

    /// The history of somebody, the newest first.
    pub async fn listed_logins<A: Action>(
        &self,
        auth: &Authorized<A>,
        account: AccountId,
        most: u32,
    ) -> Result<Vec<ListedLogin>> {
        let text = "SELECT id, at, kind, is_success, reason, sealed FROM login_event WHERE tenant = $1 AND account = $2 \
                    ORDER BY at DESC, id DESC LIMIT $3";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(most);
        self.scan(statement).await?.iter().map(login).collect()
    }
}

/// Ends one session of somebody. Touches no row when it is not theirs or has ended.
pub fn end_session_of<A: Action>(
    auth: &Authorized<A>,
    account: AccountId,
    id: SessionId,
    why: Ended,
    now: Timestamp,
) -> Stmt {
    sql("UPDATE session SET state = 'ended', reason = $4, ended_at = $5 \
         WHERE tenant = $1 AND account = $2 AND id = $3 AND state = 'live'")
    .bind(auth.tenant().as_bytes())
    .bind(account.as_bytes())
    .bind(id.as_bytes())
    .bind(why.as_str())
    .bind(now.millis())
}

/// Ends every session and every grant of somebody, and what waits for them, and has the applications told.
pub fn end_everything_of<A: Action>(auth: &Authorized<A>, account: AccountId, why: Ended, now: Timestamp) -> Vec<Stmt> {
    let ends = [
        "UPDATE session SET state = 'ended', reason = $3, ended_at = $4 WHERE tenant = $1 AND account = $2 AND state = 'live'",
        "UPDATE token_grant SET state = 'ended', reason = $3, ended_at = $4 WHERE tenant = $1 AND account = $2 AND state = 'live'",
    ];
    let end =
        |text| sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(why.as_str()).bind(now.millis());
    let told = std::iter::once(tell_of_account(auth, account, now));
    told.chain(ends.into_iter().map(end)).chain(forget_what_waits(auth, account)).collect()
}

fn session(row: &Row) -> Result<ListedSession> {
    let at = |column| row.int(column).map(Timestamp::from_millis);
    Ok(ListedSession {
        id: SessionId::from_bytes(row.array(0)?),
        state: row.text(1)?.to_owned(),
        reason: row.opt_text(2)?.map(str::to_owned),
        acr: row.text(3)?.to_owned(),
        amr: row.text(4)?.to_owned(),
        authenticated_at: at(5)?,
        created_at: at(6)?,
        seen_at: at(7)?,
        runs_out_at: at(8)?.min(at(7)?.plus_millis(row.int(10)?)),
        ended_at: row.opt_int(9)?.map(Timestamp::from_millis),
        sealed: row.blob(11)?.to_vec(),
    })
}

fn login(row: &Row) -> Result<ListedLogin> {
    Ok(ListedLogin {
        id: LoginEventId::from_bytes(row.array(0)?),
        at: Timestamp::from_millis(row.int(1)?),
        kind: row.text(2)?.to_owned(),
        is_success: row.flag(3)?,
        reason: row.opt_text(4)?.map(str::to_owned),
        sealed: row.blob(5)?.to_vec(),
    })
}
