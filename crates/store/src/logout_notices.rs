//! Back-channel logouts: which applications have yet to be told that a session is over, whose turn it is, and who could not be told.
//!
//! Notices are written by the transaction that ends the session, for every application that was granted something in it. Whoever takes
//! one moves its next turn forward in the same statement, so of any number of replicas one tells, and one that dies while telling leaves
//! it to be tried again: an application may hear twice, never not at all while it can be reached.

use domain::authz::{Action, Authorized};
use domain::ids::{AccountId, ApplicationId, SessionId, TenantId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// A notice.
#[derive(Clone, Debug)]
pub struct StoredNotice {
    pub tenant: TenantId,
    /// Who is told.
    pub application: ApplicationId,
    /// What tokens called the session.
    pub sid: String,
    pub account: AccountId,
    /// How often it was tried.
    pub tries: i64,
    pub created_at: Timestamp,
}

/// Notices that a listing shows.
const MOST_NOTICES: i64 = 100;

impl Store {
    /// Notices whose turn it is, of every tenant, those that wait longest first.
    pub async fn logout_notices_due(&self, now: Timestamp, most: u32) -> Result<Vec<StoredNotice>> {
        let text = "SELECT tenant, application, sid, account, attempts, created_at FROM logout_notice \
                    WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at LIMIT $2";
        self.scan(sql(text).bind(now.millis()).bind(most)).await?.iter().map(notice).collect()
    }

    /// Notices of an application that were given up, the newest first.
    pub async fn dead_logout_notices<A: Action>(
        &self,
        auth: &Authorized<A>,
        application: ApplicationId,
    ) -> Result<Vec<StoredNotice>> {
        let text = "SELECT tenant, application, sid, account, attempts, created_at FROM logout_notice \
                    WHERE tenant = $1 AND application = $2 AND state = 'dead' ORDER BY created_at DESC, sid LIMIT $3";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(application.as_bytes()).bind(MOST_NOTICES);
        self.scan(statement).await?.iter().map(notice).collect()
    }

    /// Takes a notice in order to tell of it. Answers with whether it was still there to be taken.
    pub async fn take_notice(&self, notice: &StoredNotice, next_at: Timestamp) -> Result<bool> {
        let take = "UPDATE logout_notice SET attempts = attempts + 1, next_at = $5 \
                    WHERE tenant = $1 AND application = $2 AND sid = $3 AND attempts = $4 AND state = 'waiting'";
        let take = of(take, notice).bind(notice.tries).bind(next_at.millis());
        Ok(self.change_notice("take a notice", take).await? == 1)
    }

    /// Puts a notice back that could not be told.
    pub async fn put_notice_back(&self, notice: &StoredNotice, next_at: Timestamp) -> Result<()> {
        let back = "UPDATE logout_notice SET next_at = $5 \
                    WHERE tenant = $1 AND application = $2 AND sid = $3 AND attempts = $4 AND state = 'waiting'";
        let back = of(back, notice).bind(notice.tries + 1).bind(next_at.millis());
        self.change_notice("put a notice back", back).await.map(|_| ())
    }

    /// Forgets a notice that was told, or that has nobody to be told to.
    pub async fn forget_notice(&self, notice: &StoredNotice) -> Result<()> {
        let forget = "DELETE FROM logout_notice WHERE tenant = $1 AND application = $2 AND sid = $3";
        self.change_notice("forget a notice", of(forget, notice)).await.map(|_| ())
    }

    /// Forgets notices that nobody tells any more. Answers with how many.
    pub async fn forget_dead_notices(&self, before: Timestamp) -> Result<u64> {
        let forget = sql("DELETE FROM logout_notice WHERE state = 'dead' AND created_at < $1").bind(before.millis());
        self.change_notice("forget dead notices", forget).await
    }

    async fn change_notice(&self, name: &'static str, statement: Stmt) -> Result<u64> {
        self.write(name, move |tx| {
            let statement = statement.clone();
            Box::pin(async move { tx.exec(statement).await })
        })
        .await
    }
}

/// Gives a notice up: it is kept, and nobody tells it any more. Touches no row when it was given up or told already.
pub fn give_up_notice<A: Action>(auth: &Authorized<A>, application: ApplicationId, sid: &str) -> Stmt {
    sql("UPDATE logout_notice SET state = 'dead' WHERE tenant = $1 AND application = $2 AND sid = $3 AND state = 'waiting'")
        .bind(auth.tenant().as_bytes())
        .bind(application.as_bytes())
        .bind(sid)
}

/// Applications of which something was granted in a session, whatever became of the grant: they may have a session of their own.
macro_rules! tell {
    ($whose:literal) => {
        concat!(
            "INSERT INTO logout_notice (tenant, application, sid, account, state, attempts, next_at, created_at) ",
            "SELECT DISTINCT s.tenant, a.id, s.sid, s.account, 'waiting', 0, CAST($3 AS BIGINT), CAST($3 AS BIGINT) ",
            "FROM session s JOIN token_grant g ON g.tenant = s.tenant AND g.session = s.id ",
            "JOIN application a ON a.tenant = g.tenant AND a.id = g.application ",
            "WHERE s.tenant = $1 AND a.state = 'active' AND a.settings LIKE '%\"backchannel_logout_uri\":\"%' AND ",
            $whose,
            " ON CONFLICT (tenant, application, sid) DO NOTHING"
        )
    };
}

/// Has every application told that was granted something in a session. For the transaction that ends it.
pub fn tell_of_session<A: Action>(auth: &Authorized<A>, session: SessionId, now: Timestamp) -> Stmt {
    told(sql(tell!("s.id = $2")), auth, session.as_bytes(), now)
}

/// The same of every live session of somebody: to be written before they are ended.
pub fn tell_of_account<A: Action>(auth: &Authorized<A>, account: AccountId, now: Timestamp) -> Stmt {
    told(sql(tell!("s.account = $2 AND s.state = 'live' AND s.expires_at > $3")), auth, account.as_bytes(), now)
}

/// The same of every live session of somebody but one.
pub fn tell_of_others<A: Action>(auth: &Authorized<A>, account: AccountId, kept: SessionId, now: Timestamp) -> Stmt {
    let text = tell!("s.account = $2 AND s.state = 'live' AND s.expires_at > $3 AND s.id <> $4");
    told(sql(text), auth, account.as_bytes(), now).bind(kept.as_bytes())
}

fn told<A: Action>(statement: Stmt, auth: &Authorized<A>, whose: &[u8; 16], now: Timestamp) -> Stmt {
    statement.bind(auth.tenant().as_bytes()).bind(whose).bind(now.millis())
}

fn of(text: &'static str, notice: &StoredNotice) -> Stmt {
    sql(text).bind(notice.tenant.as_bytes()).bind(notice.application.as_bytes()).bind(&notice.sid)
}

fn notice(row: &Row) -> Result<StoredNotice> {
    Ok(StoredNotice {
        tenant: TenantId::from_bytes(row.array(0)?),
        application: ApplicationId::from_bytes(row.array(1)?),
        sid: row.text(2)?.to_owned(),
        account: AccountId::from_bytes(row.array(3)?),
        tries: row.int(4)?,
        created_at: Timestamp::from_millis(row.int(5)?),
    })
}
