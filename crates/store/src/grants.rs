//! Grants, and the codes and refresh tokens by which they are redeemed. What works once is spent by a guarded update.

use domain::authz::{Action, Authorized};
use domain::identity::grant::{Ended, Kind, Terms};
use domain::ids::{AccountId, ApplicationId, GrantId, SessionId};
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::logout_notices::tell_of_session;
use crate::row::{Row, opt_word, word};
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One grant.
#[derive(Clone, Debug)]
pub struct StoredGrant {
    pub id: GrantId,
    pub application: ApplicationId,
    pub account: Option<AccountId>,
    pub session: Option<SessionId>,
    pub kind: Kind,
    pub is_live: bool,
    /// Why it ended.
    pub reason: Option<Ended>,
    pub terms: Terms,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// A code, by keyed hash.
#[derive(Clone, Debug)]
pub struct StoredCode {
    pub hash: [u8; 32],
    pub application: ApplicationId,
    pub grant: GrantId,
    pub is_live: bool,
    /// What it was asked with; sealed.
    pub sealed: Vec<u8>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A refresh token, by keyed hash.
#[derive(Clone, Debug)]
pub struct StoredRefresh {
    pub hash: [u8; 32],
    pub application: ApplicationId,
    pub grant: GrantId,
    pub is_live: bool,
    /// What it was rotated to; sealed.
    pub successor: Option<Vec<u8>>,
    pub spent_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Grants of one person that a listing shows.
const MOST_GRANTS: i64 = 1_000;

macro_rules! select_grants {
    ($rest:literal) => {
        concat!(
            "SELECT id, application, account, session, kind, state, reason, terms, created_at, expires_at, ended_at ",
            "FROM token_grant WHERE tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// One grant.
    pub async fn grant<A: Action>(&self, auth: &Authorized<A>, id: GrantId) -> Result<Option<StoredGrant>> {
        let text = select_grants!("AND id = $2 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes());
        self.read_one(statement).await?.as_ref().map(grant).transpose()
    }

    /// What a person allowed and nobody ended, the newest first.
    pub async fn grants_of_account<A: Action>(
        &self,
        auth: &Authorized<A>,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Vec<StoredGrant>> {
        let text = select_grants!(
            "AND account = $2 AND state = 'live' AND expires_at > $3 ORDER BY created_at DESC, id LIMIT $4"
        );
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(now.millis());
        self.scan(statement.bind(MOST_GRANTS)).await?.iter().map(grant).collect()
    }

    /// The code of this hash.
    pub async fn authorization_code<A: Action>(
        &self,
        auth: &Authorized<A>,
        hash: &[u8; 32],
    ) -> Result<Option<StoredCode>> {
        let text = "SELECT hash, application, token_grant, state, sealed, created_at, expires_at FROM authorization_code \
                    WHERE tenant = $1 AND hash = $2 LIMIT 1";
        self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(hash)).await?.as_ref().map(code).transpose()
    }

    /// The refresh token of this hash.
    pub async fn refresh_token<A: Action>(
        &self,
        auth: &Authorized<A>,
        hash: &[u8; 32],
    ) -> Result<Option<StoredRefresh>> {
        let text = "SELECT hash, application, token_grant, state, successor, spent_at, created_at, expires_at FROM refresh_token \
                    WHERE tenant = $1 AND hash = $2 LIMIT 1";
        self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(hash)).await?.as_ref().map(refresh).transpose()
    }
}

/// Adds a grant.
pub fn insert_grant<A: Action>(auth: &Authorized<A>, row: &StoredGrant) -> Result<Stmt> {
    let terms = serde_json::to_string(&row.terms).map_err(Error::other)?;
    Ok(sql("INSERT INTO token_grant (tenant, id, application, account, session, kind, state, terms, created_at, expires_at) \
            VALUES ($1, $2, $3, $4, $5, $6, 'live', $7, $8, $9)")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(row.application.as_bytes())
    .bind(row.account.map(|id| *id.as_bytes()))
    .bind(row.session.map(|id| *id.as_bytes()))
    .bind(row.kind.as_str())
    .bind(terms)
    .bind(row.created_at.millis())
    .bind(row.expires_at.millis()))
}

/// Ends a grant, and with it every token of its family. Touches no row when it was ended before.
pub fn end_grant<A: Action>(auth: &Authorized<A>, id: GrantId, why: Ended, now: Timestamp) -> Stmt {
    sql("UPDATE token_grant SET state = 'ended', reason = $3, ended_at = $4 WHERE tenant = $1 AND id = $2 AND state = 'live'")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(why.as_str())
        .bind(now.millis())
}

/// Ends every grant that began in a session, and has the applications told that the session is over.
pub fn end_grants_of_session<A: Action>(
    auth: &Authorized<A>,
    session: SessionId,
    why: Ended,
    now: Timestamp,
) -> [Stmt; 2] {
    let end = "UPDATE token_grant SET state = 'ended', reason = $3, ended_at = $4 WHERE tenant = $1 AND session = $2 AND state = 'live'";
    let end = sql(end).bind(auth.tenant().as_bytes()).bind(session.as_bytes()).bind(why.as_str()).bind(now.millis());
    [tell_of_session(auth, session, now), end]
}

/// Ends a session. Touches no row when it was ended before.
pub fn end_session<A: Action>(auth: &Authorized<A>, session: SessionId, why: Ended, now: Timestamp) -> Stmt {
    sql("UPDATE session SET state = 'ended', reason = $3, ended_at = $4 WHERE tenant = $1 AND id = $2 AND state = 'live'")
        .bind(auth.tenant().as_bytes())
        .bind(session.as_bytes())
        .bind(why.as_str())
        .bind(now.millis())
}

/// Adds a code.
pub fn insert_code<A: Action>(auth: &Authorized<A>, row: &StoredCode) -> Stmt {
    sql("INSERT INTO authorization_code (tenant, hash, application, token_grant, state, sealed, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, 'live', $5, $6, $7)")
    .bind(auth.tenant().as_bytes())
    .bind(row.hash)
    .bind(row.application.as_bytes())
    .bind(row.grant.as_bytes())
    .bind(&row.sealed)
    .bind(row.created_at.millis())
    .bind(row.expires_at.millis())
}

/// Spends a code. Touches no row when it was spent before.
pub fn spend_code<A: Action>(auth: &Authorized<A>, hash: &[u8; 32]) -> Stmt {
    sql("UPDATE authorization_code SET state = 'spent' WHERE tenant = $1 AND hash = $2 AND state = 'live'")
        .bind(auth.tenant().as_bytes())
        .bind(hash)
}

/// Adds a refresh token.
pub fn insert_refresh<A: Action>(auth: &Authorized<A>, row: &StoredRefresh) -> Stmt {
    sql("INSERT INTO refresh_token (tenant, hash, application, token_grant, state, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, 'live', $5, $6)")
    .bind(auth.tenant().as_bytes())
    .bind(row.hash)
    .bind(row.application.as_bytes())
    .bind(row.grant.as_bytes())
    .bind(row.created_at.millis())
    .bind(row.expires_at.millis())
}

/// Spends a refresh token and keeps what it was rotated to, sealed. Touches no row when it was spent before.
pub fn spend_refresh<A: Action>(auth: &Authorized<A>, hash: &[u8; 32], successor: &[u8], now: Timestamp) -> Stmt {
    sql("UPDATE refresh_token SET state = 'spent', successor = $3, spent_at = $4 WHERE tenant = $1 AND hash = $2 AND state = 'live'")
        .bind(auth.tenant().as_bytes())
        .bind(hash)
        .bind(successor)
        .bind(now.millis())
}

fn grant(row: &Row) -> Result<StoredGrant> {
    let terms = serde_json::from_str(row.text(7)?).map_err(|_| Error::corrupt("the terms of a grant"))?;
    Ok(StoredGrant {
        id: GrantId::from_bytes(row.array(0)?),
        application: ApplicationId::from_bytes(row.array(1)?),
        account: row.opt_array(2)?.map(AccountId::from_bytes),
        session: row.opt_array(3)?.map(SessionId::from_bytes),
        kind: word(row, 4)?,
        is_live: row.text(5)? == "live",
        reason: opt_word(row, 6)?,
        terms,
        created_at: Timestamp::from_millis(row.int(8)?),
        expires_at: Timestamp::from_millis(row.int(9)?),
        ended_at: row.opt_int(10)?.map(Timestamp::from_millis),
    })
}

fn code(row: &Row) -> Result<StoredCode> {
    Ok(StoredCode {
        hash: row.array(0)?,
        application: ApplicationId::from_bytes(row.array(1)?),
        grant: GrantId::from_bytes(row.array(2)?),
        is_live: row.text(3)? == "live",
        sealed: row.blob(4)?.to_vec(),
        created_at: Timestamp::from_millis(row.int(5)?),
        expires_at: Timestamp::from_millis(row.int(6)?),
    })
}

fn refresh(row: &Row) -> Result<StoredRefresh> {
    Ok(StoredRefresh {
        hash: row.array(0)?,
        application: ApplicationId::from_bytes(row.array(1)?),
        grant: GrantId::from_bytes(row.array(2)?),
        is_live: row.text(3)? == "live",
        successor: row.opt_blob(4)?.map(<[u8]>::to_vec),
        spent_at: row.opt_int(5)?.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.int(6)?),
        expires_at: Timestamp::from_millis(row.int(7)?),
    })
}
