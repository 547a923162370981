//! Browsers that somebody signed in with, by the keyed hash of their cookie.

use domain::authz::{Action, Authorized};
use domain::identity::account::AccountRealm;
use domain::identity::liveness::{Party, Session};
use domain::identity::session::LiveSession;
use domain::ids::{AccountId, SessionId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// A new session.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// What it says.
    pub live: LiveSession,
    /// The keyed hash of its cookie.
    pub hash: [u8; 32],
    /// When it begins.
    pub created_at: Timestamp,
    /// How long it may go unseen.
    pub idle_ms: i64,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Address and device, sealed.
    pub sealed: Vec<u8>,
}

/// A session that was found, with what decides whether it is alive.
#[derive(Clone, Debug)]
pub struct FoundSession {
    /// What it says.
    pub live: LiveSession,
    /// How it stands.
    pub session: Session,
    /// How its person stands.
    pub account: Party,
    /// Whether its tenant is let in at all.
    pub is_tenant_active: bool,
}

impl Store {
    /// The session of a cookie, ended ones included.
    pub async fn session_by_hash<A: Action>(
        &self,
        auth: &Authorized<A>,
        hash: &[u8; 32],
    ) -> Result<Option<FoundSession>> {
        let text = "SELECT s.id, s.sid, s.account, s.realm, s.acr, s.amr, s.authenticated_at, s.state, s.created_at, s.seen_at, \
                    s.idle_ms, s.expires_at, a.state, a.tokens_not_before, a.grants_not_before, t.state FROM session s \
                    JOIN account a ON a.tenant = s.tenant AND a.id = s.account JOIN tenant t ON t.id = s.tenant \
                    WHERE s.hash = $2 AND s.tenant = $1 LIMIT 1";
        let row = self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(hash)).await?;
        row.as_ref().map(found).transpose()
    }

    /// Forgets sessions that cannot have been alive since `before`, unless there is a grant of theirs still. Answers with how many.
    ///
    /// Whoever was signed out keeps what says so: an offline grant outlives a session that is not there any more, and must not outlive
    /// one that somebody ended.
    pub async fn forget_sessions(&self, before: Timestamp) -> Result<u64> {
        let mut forgotten = 0;
        loop {
            let forget = sql("DELETE FROM session WHERE (tenant, id) IN (SELECT s.tenant, s.id FROM session s \
                              WHERE s.expires_at < $1 AND NOT EXISTS \
                              (SELECT 1 FROM token_grant g WHERE g.tenant = s.tenant AND g.session = s.id) LIMIT $2)")
            .bind(before.millis())
            .bind(FORGOTTEN_AT_ONCE);
            let batch = self
                .write("forget sessions", move |tx| {
                    let forget = forget.clone();
                    Box::pin(async move { tx.exec(forget).await })
                })
                .await?;
            forgotten += batch;
            if batch < u64::from(FORGOTTEN_AT_ONCE) {
                return Ok(forgotten);
            }
        }
    }
}

/// Sessions that one transaction forgets: others write too.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// Adds a session.
pub fn insert_session<A: Action>(auth: &Authorized<A>, new: &NewSession) -> Stmt {
    sql("INSERT INTO session (tenant, id, hash, sid, realm, account, state, acr, amr, authenticated_at, created_at, seen_at, idle_ms, \
         expires_at, sealed) VALUES ($1, $2, $3, $4, $5, $6, 'live', $7, $8, $9, $10, $10, $11, $12, $13)")
    .bind(auth.tenant().as_bytes())
    .bind(new.live.id.as_bytes())
    .bind(new.hash)
    .bind(&new.live.sid)
    .bind(new.live.realm.to_bytes())
    .bind(new.live.account.as_bytes())
    .bind(&new.live.acr)
    .bind(new.live.amr.join(" "))
    .bind(new.live.authenticated_at.millis())
    .bind(new.created_at.millis())
    .bind(new.idle_ms)
    .bind(new.expires_at.millis())
    .bind(&new.sealed)
}

/// Writes down that a session was seen. Touches no row when it has ended, by itself too.
pub fn see_session<A: Action>(auth: &Authorized<A>, id: SessionId, now: Timestamp) -> Stmt {
    sql("UPDATE session SET seen_at = $3 WHERE tenant = $1 AND id = $2 AND state = 'live' AND seen_at < $3 \
         AND expires_at > $3 AND seen_at + idle_ms > $3")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(now.millis())
}

/// Gives a live session another cookie and what it now says: what was seen of the old one is worth nothing.
pub fn renew_session<A: Action>(auth: &Authorized<A>, live: &LiveSession, hash: [u8; 32], now: Timestamp) -> Stmt {
    sql("UPDATE session SET hash = $3, acr = $4, amr = $5, authenticated_at = $6, seen_at = $7 \
         WHERE tenant = $1 AND id = $2 AND state = 'live'")
    .bind(auth.tenant().as_bytes())
    .bind(live.id.as_bytes())
    .bind(hash)
    .bind(&live.acr)
    .bind(live.amr.join(" "))
    .bind(live.authenticated_at.millis())
    .bind(now.millis())
}

/// The same for a session whose person signed in anew: it ends by itself later.
pub fn prolong_session<A: Action>(
    auth: &Authorized<A>,
    live: &LiveSession,
    hash: [u8; 32],
    now: Timestamp,
    expires_at: Timestamp,
) -> Stmt {
    sql("UPDATE session SET hash = $3, acr = $4, amr = $5, authenticated_at = $6, seen_at = $7, expires_at = $8 \
         WHERE tenant = $1 AND id = $2 AND state = 'live'")
    .bind(auth.tenant().as_bytes())
    .bind(live.id.as_bytes())
    .bind(hash)
    .bind(&live.acr)
    .bind(live.amr.join(" "))
    .bind(live.authenticated_at.millis())
    .bind(now.millis())
    .bind(expires_at.millis())
}

fn found(row: &Row) -> Result<FoundSession> {
    let at = |column| row.int(column).map(Timestamp::from_millis);
    let live = LiveSession {
        id: SessionId::from_bytes(row.array(0)?),
        sid: row.text(1)?.to_owned(),
        account: AccountId::from_bytes(row.array(2)?),
        realm: AccountRealm::from_bytes(row.array(3)?),
        acr: row.text(4)?.to_owned(),
        amr: row.text(5)?.split_whitespace().map(str::to_owned).collect(),
        authenticated_at: at(6)?,
    };
    let session = Session {
        is_live: row.text(7)? == "live",
        created_at: at(8)?,
        seen_at: at(9)?,
        idle_ms: row.int(10)?,
        expires_at: at(11)?,
    };
    let account =
        Party { is_active: row.text(12)? == "active", tokens_not_before: at(13)?, grants_not_before: at(14)? };
    Ok(FoundSession { live, session, account, is_tenant_active: row.text(15)? == "active" })
}
