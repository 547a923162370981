//! Back-channel logouts that applications have yet to be told of, and those that could not be told.

use domain::authz::{Action, Authorized};
use domain::ids::{AccountId, ApplicationId, LogoutNoticeId, TenantId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// A notice.
#[derive(Clone, Debug)]
pub struct StoredNotice {
    pub tenant: TenantId,
    pub id: LogoutNoticeId,
    pub application: ApplicationId,
    pub account: AccountId,
    pub sid: String,
    /// Whether it was given up.
    pub is_dead: bool,
    pub attempts: i64,
    pub next_at: Timestamp,
    pub created_at: Timestamp,
}

/// Notices that one look takes.
const MOST_NOTICES: i64 = 100;

macro_rules! select_notices {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, id, application, account, sid, state, attempts, next_at, created_at FROM logout_notice ",
            $rest
        )
    };
}

impl Store {
    /// Notices whose turn it is at `now`, of all tenants.
    pub async fn logout_notices_due(&self, now: Timestamp) -> Result<Vec<StoredNotice>> {
        let text = select_notices!("WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at, id LIMIT $2");
        self.scan(sql(text).bind(now.millis()).bind(MOST_NOTICES)).await?.iter().map(notice).collect()
    }

    /// Notices of a tenant that were given up, the newest first.
    pub async fn dead_logout_notices<A: Action>(&self, auth: &Authorized<A>) -> Result<Vec<StoredNotice>> {
        let text = select_notices!("WHERE tenant = $1 AND state = 'dead' ORDER BY created_at DESC, id LIMIT $2");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(MOST_NOTICES);
        self.scan(statement).await?.iter().map(notice).collect()
    }
}

/// Adds a notice.
pub fn insert_notice<A: Action>(auth: &Authorized<A>, row: &StoredNotice) -> Stmt {
    sql("INSERT INTO logout_notice (tenant, id, application, account, sid, state, attempts, next_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6, $7)")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(row.application.as_bytes())
    .bind(row.account.as_bytes())
    .bind(&row.sid)
    .bind(row.next_at.millis())
    .bind(row.created_at.millis())
}

/// The application was told.
pub fn settle_notice<A: Action>(auth: &Authorized<A>, id: LogoutNoticeId) -> Stmt {
    sql("DELETE FROM logout_notice WHERE tenant = $1 AND id = $2").bind(auth.tenant().as_bytes()).bind(id.as_bytes())
}

/// The application could not be told: another try, or none when there is no time for one.
pub fn postpone_notice<A: Action>(auth: &Authorized<A>, id: LogoutNoticeId, next_at: Option<Timestamp>) -> Stmt {
    let state = if next_at.is_some() { "waiting" } else { "dead" };
    sql("UPDATE logout_notice SET state = $3, attempts = attempts + 1, next_at = $4 WHERE tenant = $1 AND id = $2 AND state = 'waiting'")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(state)
        .bind(next_at.map_or(0, Timestamp::millis))
}

fn notice(row: &Row) -> Result<StoredNotice> {
    Ok(StoredNotice {
        tenant: TenantId::from_bytes(row.array(0)?),
        id: LogoutNoticeId::from_bytes(row.array(1)?),
        application: ApplicationId::from_bytes(row.array(2)?),
        account: AccountId::from_bytes(row.array(3)?),
        sid: row.text(4)?.to_owned(),
        is_dead: row.text(5)? == "dead",
        attempts: row.int(6)?,
        next_at: Timestamp::from_millis(row.int(7)?),
        created_at: Timestamp::from_millis(row.int(8)?),
    })
}
