//! Share links, by keyed hash: the token itself is never here.
//!
//! Opening a link needs no credential, so [`Store::share_link_by_token`] is one of the few reads that no tenant narrows; the
//! tenant comes out of it.

use domain::authz::{Action, Authorized, WriteSecrets};
use domain::ids::{SecretId, ShareLinkId, TenantId};
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;
use crate::tx::Tx;

/// One share link.
#[derive(Clone, Debug)]
pub struct StoredLink {
    pub tenant: TenantId,
    pub id: ShareLinkId,
    pub secret: SecretId,
    pub token_hash: [u8; 32],
    pub state: LinkState,
    pub expires_at: Timestamp,
    /// How often it may be opened; unlimited when absent.
    pub max_access: Option<u32>,
    pub access_count: u32,
    /// What a password is checked against; sealed.
    pub password: Option<Vec<u8>>,
    pub created_at: Timestamp,
    /// Who made it; sealed, and gone with the secret.
    pub created_by: Option<Vec<u8>>,
}

/// What was decided about a link; that it ran out is told by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    Active,
    Revoked,
    /// Its secret was deleted.
    Retired,
}

/// Links of one secret that a listing shows.
const MOST_LINKS: i64 = 1_000;

macro_rules! select_links {
    ($rest:literal) => {
        concat!(
            "SELECT l.tenant, l.id, l.secret, l.token_hash, l.state, l.expires_at, l.max_access, l.access_count, l.password, ",
            "l.created_at, l.created_by FROM share_link l ",
            $rest
        )
    };
}

impl Store {
    /// The link of this token, unless its tenant is suspended.
    pub async fn share_link_by_token(&self, hash: &[u8; 32]) -> Result<Option<StoredLink>> {
        let text =
            select_links!("JOIN tenant t ON t.id = l.tenant WHERE l.token_hash = $1 AND t.state = 'active' LIMIT 1");
        self.read_one(sql(text).bind(hash)).await?.as_ref().map(link).transpose()
    }

    /// One link. Whether its secret may be known of is for the caller to ask.
    pub async fn share_link<A: Action>(&self, auth: &Authorized<A>, id: ShareLinkId) -> Result<Option<StoredLink>> {
        let text = select_links!("WHERE l.tenant = $1 AND l.id = $2 LIMIT 1");
        self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes()))
            .await?
            .as_ref()
            .map(link)
            .transpose()
    }

    /// The links of a secret that was read before, newest first.
    pub async fn share_links<A: Action>(&self, auth: &Authorized<A>, secret: SecretId) -> Result<Vec<StoredLink>> {
        let text = select_links!("WHERE l.tenant = $1 AND l.secret = $2 ORDER BY l.created_at DESC, l.id LIMIT $3");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(secret.as_bytes()).bind(MOST_LINKS);
        self.scan(statement).await?.iter().map(link).collect()
    }

    /// Forgets links that ended before `before`; returns how many.
    pub async fn forget_share_links(&self, before: Timestamp) -> Result<u64> {
        self.write("forget share links", move |tx| {
            let statement = sql("DELETE FROM share_link WHERE expires_at < $1").bind(before.millis());
            Box::pin(async move { tx.exec(statement).await })
        })
        .await
    }
}

/// When the secret's newest link was made; links of one secret are told apart by their times.
pub async fn newest_link_at(
    tx: &mut Tx<'_>,
    auth: &Authorized<WriteSecrets>,
    secret: SecretId,
) -> Result<Option<Timestamp>> {
    let text = "SELECT created_at FROM share_link WHERE tenant = $1 AND secret = $2 ORDER BY created_at DESC LIMIT 1";
    let row = tx.row(sql(text).bind(auth.tenant().as_bytes()).bind(secret.as_bytes())).await?;
    row.map(|row| row.int(0).map(Timestamp::from_millis)).transpose()
}

/// Adds a link.
pub fn insert_link(auth: &Authorized<WriteSecrets>, link: &StoredLink) -> Stmt {
    sql("INSERT INTO share_link (tenant, id, secret, token_hash, state, expires_at, max_access, access_count, password, created_at, \
         created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
    .bind(auth.tenant().as_bytes())
    .bind(link.id.as_bytes())
    .bind(link.secret.as_bytes())
    .bind(link.token_hash)
    .bind(link.state.as_str())
    .bind(link.expires_at.millis())
    .bind(link.max_access)
    .bind(link.access_count)
    .bind(link.password.clone())
    .bind(link.created_at.millis())
    .bind(link.created_by.clone())
}

/// Revokes a link; revoking twice is the same as once.
pub fn revoke_link(auth: &Authorized<WriteSecrets>, id: ShareLinkId) -> Stmt {
    sql("UPDATE share_link SET state = 'revoked', password = NULL WHERE tenant = $1 AND id = $2")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
}

/// Counts one opening, if the link may still be opened at `now` and its secret still be read; returns the new count. However
/// many try at once, no more than the maximum get one.
pub async fn count_opening<A: Action>(
    tx: &mut Tx<'_>,
    auth: &Authorized<A>,
    id: ShareLinkId,
    now: Timestamp,
) -> Result<Option<u32>> {
    let statement = sql("UPDATE share_link SET access_count = access_count + 1 \
                         WHERE tenant = $1 AND id = $2 AND state = 'active' AND expires_at > $3 \
                         AND (max_access IS NULL OR access_count < max_access) \
                         AND EXISTS (SELECT 1 FROM secret s WHERE s.tenant = share_link.tenant AND s.id = share_link.secret \
                         AND s.is_active = 1 AND (s.expires_at IS NULL OR s.expires_at > $3)) \
                         RETURNING access_count")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(now.millis());
    tx.row(statement).await?.map(|row| row.u32(0)).transpose()
}

impl LinkState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Retired => "retired",
        }
    }

    fn from_stored(text: &str) -> Result<Self> {
        let known = [Self::Active, Self::Revoked, Self::Retired].into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| Error::corrupt("a link's state"))
    }
}

fn link(row: &Row) -> Result<StoredLink> {
    let max_access = row.opt_int(6)?.map(u32::try_from).transpose().map_err(|_| Error::corrupt("a link's maximum"))?;
    Ok(StoredLink {
        tenant: TenantId::from_bytes(row.array(0)?),
        id: ShareLinkId::from_bytes(row.array(1)?),
        secret: SecretId::from_bytes(row.array(2)?),
        token_hash: row.array(3)?,
        state: LinkState::from_stored(row.text(4)?)?,
        expires_at: Timestamp::from_millis(row.int(5)?),
        max_access,
        access_count: row.u32(7)?,
        password: row.opt_blob(8)?.map(<[u8]>::to_vec),
        created_at: Timestamp::from_millis(row.int(9)?),
        created_by: row.opt_blob(10)?.map(<[u8]>::to_vec),
    })
}
