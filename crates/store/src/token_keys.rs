//! Keys that sign tokens. They are made, retired and revoked; their private halves arrive sealed.

use domain::authz::{Action, Authorized};
use domain::ids::{TenantId, TokenKeyId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One key.
#[derive(Clone, Debug)]
pub struct StoredTokenKey {
    pub id: TokenKeyId,
    /// Its JWK thumbprint.
    pub kid: String,
    /// The algorithm's wire name.
    pub algorithm: String,
    pub is_revoked: bool,
    pub public: Vec<u8>,
    /// The private half, sealed to a tenant KEK.
    pub sealed: Vec<u8>,
    /// Which KEK.
    pub kek_version: u32,
    pub created_at: Timestamp,
    /// From when on it signs.
    pub active_from: Timestamp,
    /// When its successor takes over.
    pub retired_at: Option<Timestamp>,
    /// Until when it is published.
    pub published_until: Option<Timestamp>,
}

/// Keys of one tenant at most.
const MOST_KEYS: i64 = 1_000;

impl Store {
    /// Every key of a tenant, the oldest first.
    pub async fn token_keys<A: Action>(&self, auth: &Authorized<A>) -> Result<Vec<StoredTokenKey>> {
        let text = "SELECT id, kid, algorithm, state, public, sealed, kek_version, created_at, active_from, retired_at, published_until \
                    FROM token_key WHERE tenant = $1 ORDER BY created_at, id LIMIT $2";
        self.scan(sql(text).bind(auth.tenant().as_bytes()).bind(MOST_KEYS)).await?.iter().map(key).collect()
    }

    /// Tenants with a key that signs since before `before` and has no successor.
    pub async fn tenants_with_old_token_keys(&self, before: Timestamp) -> Result<Vec<TenantId>> {
        let text = "SELECT DISTINCT tenant FROM token_key WHERE state = 'live' AND retired_at IS NULL AND active_from <= $1 \
                    ORDER BY tenant LIMIT 1000";
        let rows = self.scan(sql(text).bind(before.millis())).await?;
        rows.iter().map(|row| row.array(0).map(TenantId::from_bytes)).collect()
    }
}

/// Adds a key.
pub fn insert_token_key<A: Action>(auth: &Authorized<A>, row: &StoredTokenKey) -> Stmt {
    sql("INSERT INTO token_key (tenant, id, kid, algorithm, state, public, sealed, kek_version, created_at, active_from) \
         VALUES ($1, $2, $3, $4, 'live', $5, $6, $7, $8, $9)")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(&row.kid)
    .bind(&row.algorithm)
    .bind(&row.public)
    .bind(&row.sealed)
    .bind(row.kek_version)
    .bind(row.created_at.millis())
    .bind(row.active_from.millis())
}

/// Says when a key's successor takes over. Touches no row when one was said before.
pub fn retire_token_key<A: Action>(
    auth: &Authorized<A>,
    id: TokenKeyId,
    retired_at: Timestamp,
    published_until: Timestamp,
) -> Stmt {
    sql("UPDATE token_key SET retired_at = $3, published_until = $4 WHERE tenant = $1 AND id = $2 AND state = 'live' AND retired_at IS NULL")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(retired_at.millis())
        .bind(published_until.millis())
}

/// Takes back that a successor takes over, because there is none any more. Touches no row of a key that was revoked.
pub fn keep_token_key<A: Action>(auth: &Authorized<A>, id: TokenKeyId) -> Stmt {
    sql("UPDATE token_key SET retired_at = NULL, published_until = NULL WHERE tenant = $1 AND id = $2 AND state = 'live'")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
}

/// Revokes a key: nothing it signed is believed any more. Its private half is forgotten.
pub fn revoke_token_key<A: Action>(auth: &Authorized<A>, id: TokenKeyId, now: Timestamp) -> Stmt {
    sql("UPDATE token_key SET state = 'revoked', retired_at = $3, published_until = $3, sealed = $4 \
         WHERE tenant = $1 AND id = $2 AND state = 'live'")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(now.millis())
    .bind(Vec::new())
}

fn key(row: &Row) -> Result<StoredTokenKey> {
    let at = |column| -> Result<Option<Timestamp>> { Ok(row.opt_int(column)?.map(Timestamp::from_millis)) };
    Ok(StoredTokenKey {
        id: TokenKeyId::from_bytes(row.array(0)?),
        kid: row.text(1)?.to_owned(),
        algorithm: row.text(2)?.to_owned(),
        is_revoked: row.text(3)? != "live",
        public: row.blob(4)?.to_vec(),
        sealed: row.blob(5)?.to_vec(),
        kek_version: row.u32(6)?,
        created_at: Timestamp::from_millis(row.int(7)?),
        active_from: Timestamp::from_millis(row.int(8)?),
        retired_at: at(9)?,
        published_until: at(10)?,
    })
}
