//! Everything that decides whether a token or a grant is alive, read in one statement, so that it is of one moment.

use domain::authz::{Action, Authorized};
use domain::identity::liveness::{Grant, On, Party, Session, Snapshot, Trust};
use domain::ids::{AccountId, GrantId, TrustId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::sql;
use crate::store::Store;

/// What something hangs on.
#[derive(Clone, Copy, Debug)]
pub struct HangsOn<'a> {
    /// The application's own name.
    pub client_id: &'a str,
    pub account: Option<AccountId>,
    pub grant: Option<GrantId>,
    pub trust: Option<TrustId>,
    /// What its `jti` begins with.
    pub token: Option<[u8; 16]>,
}

/// No row has this id.
const NOBODY: [u8; 16] = [0; 16];

impl Store {
    /// How everything stands that something hangs on.
    pub async fn standing<A: Action>(&self, auth: &Authorized<A>, of: &HangsOn<'_>) -> Result<Snapshot> {
        let text = "SELECT t.state, a.state, a.tokens_not_before, a.grants_not_before, \
                    p.state, p.tokens_not_before, p.grants_not_before, \
                    g.state, g.terms, g.created_at, g.expires_at, g.session, \
                    s.state, s.created_at, s.seen_at, s.idle_ms, s.expires_at, \
                    r.revoked_at, x.state, x.not_before, o.state, o.tokens_not_before, o.grants_not_before \
                    FROM tenant t \
                    LEFT JOIN application a ON a.tenant = t.id AND a.client_id = $2 \
                    LEFT JOIN account p ON p.tenant = t.id AND p.id = $3 \
                    LEFT JOIN token_grant g ON g.tenant = t.id AND g.id = $4 \
                    LEFT JOIN application o ON o.tenant = t.id AND o.id = g.application \
                    LEFT JOIN session s ON s.tenant = t.id AND s.id = g.session \
                    LEFT JOIN revoked_token r ON r.tenant = t.id AND r.token = $5 \
                    LEFT JOIN trust x ON x.tenant = t.id AND x.id = $6 \
                    WHERE t.id = $1 LIMIT 1";
        let statement = sql(text)
            .bind(auth.tenant().as_bytes())
            .bind(of.client_id)
            .bind(of.account.map_or(NOBODY, |id| *id.as_bytes()))
            .bind(of.grant.map_or(NOBODY, |id| *id.as_bytes()))
            .bind(of.token.unwrap_or(NOBODY))
            .bind(of.trust.map_or(NOBODY, |id| *id.as_bytes()));
        match self.read_one(statement).await? {
            Some(row) => snapshot(&row, of),
            None => Ok(nothing()),
        }
    }
}

fn nothing() -> Snapshot {
    Snapshot {
        is_tenant_active: false,
        application: On::Missing,
        grantor: On::Missing,
        account: On::Missing,
        session: On::Missing,
        grant: On::Missing,
        trust: On::Missing,
        is_revoked: true,
    }
}

fn snapshot(row: &Row, of: &HangsOn<'_>) -> Result<Snapshot> {
    let at = |column| row.int(column).map(Timestamp::from_millis);
    let party = |column: usize| -> Result<On<Party>> {
        let Some(state) = row.opt_text(column)? else { return Ok(On::Missing) };
        let (tokens_not_before, grants_not_before) = (at(column + 1)?, at(column + 2)?);
        Ok(On::Found(Party { is_active: state == "active", tokens_not_before, grants_not_before }))
    };
    let grant = match row.opt_text(7)? {
        Some(state) => On::Found(Grant {
            is_live: state == "live",
            is_offline: row.text(8)?.contains("\"offline_access\""),
            created_at: at(9)?,
            expires_at: at(10)?,
        }),
        None => On::Missing,
    };
    let session = match (row.opt_blob(11)?, row.opt_text(12)?) {
        (None, _) => On::Nothing,
        (Some(_), None) => On::Missing,
        (Some(_), Some(state)) => On::Found(Session {
            is_live: state == "live",
            created_at: at(13)?,
            seen_at: at(14)?,
            idle_ms: row.int(15)?,
            expires_at: at(16)?,
        }),
    };
    let trust = match row.opt_text(18)? {
        Some(state) => On::Found(Trust { is_active: state == "active", not_before: at(19)? }),
        None => On::Missing,
    };
    Ok(Snapshot {
        is_tenant_active: row.text(0)? == "active",
        application: party(1)?,
        grantor: if of.grant.is_some() { party(20)? } else { On::Nothing },
        account: if of.account.is_some() { party(4)? } else { On::Nothing },
        session,
        grant: if of.grant.is_some() { grant } else { On::Nothing },
        trust: if of.trust.is_some() { trust } else { On::Nothing },
        is_revoked: row.opt_int(17)?.is_some(),
    })
}
