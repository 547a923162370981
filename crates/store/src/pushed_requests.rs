//! Authorization requests that wait: pushed ones (RFC 9126) for a browser to bring them, and interactions for somebody to sign in. What they hold is sealed.

use domain::authz::{Action, Authorized};
use domain::ids::ApplicationId;
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;
use crate::tx::Tx;

/// A request that waits, by keyed hash.
#[derive(Clone, Debug)]
pub struct StoredRequest {
    pub hash: [u8; 32],
    pub application: ApplicationId,
    /// The request; sealed.
    pub sealed: Vec<u8>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Store {
    /// An interaction that is still open at `now`.
    pub async fn interaction<A: Action>(
        &self,
        auth: &Authorized<A>,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<StoredRequest>> {
        let text = "SELECT hash, application, sealed, created_at, expires_at FROM interaction \
                    WHERE tenant = $1 AND hash = $2 AND state = 'live' AND expires_at > $3 LIMIT 1";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(hash).bind(now.millis());
        self.read_one(statement).await?.as_ref().map(request).transpose()
    }
}

/// Adds a pushed request.
pub fn insert_pushed<A: Action>(auth: &Authorized<A>, row: &StoredRequest) -> Stmt {
    let text = "INSERT INTO pushed_request (tenant, hash, application, state, sealed, created_at, expires_at) \
                VALUES ($1, $2, $3, 'live', $4, $5, $6)";
    bound(text, auth, row)
}

/// Adds an interaction.
pub fn insert_interaction<A: Action>(auth: &Authorized<A>, row: &StoredRequest) -> Stmt {
    let text = "INSERT INTO interaction (tenant, hash, application, state, sealed, created_at, expires_at) \
                VALUES ($1, $2, $3, 'live', $4, $5, $6)";
    bound(text, auth, row)
}

fn bound<A: Action>(text: &'static str, auth: &Authorized<A>, row: &StoredRequest) -> Stmt {
    sql(text)
        .bind(auth.tenant().as_bytes())
        .bind(row.hash)
        .bind(row.application.as_bytes())
        .bind(&row.sealed)
        .bind(row.created_at.millis())
        .bind(row.expires_at.millis())
}

/// Spends a pushed request of an application. However many try, one gets it.
pub async fn spend_pushed<A: Action>(
    tx: &mut Tx<'_>,
    auth: &Authorized<A>,
    application: ApplicationId,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<StoredRequest>> {
    let statement = sql("UPDATE pushed_request SET state = 'spent' WHERE tenant = $1 AND hash = $2 AND application = $3 \
                         AND state = 'live' AND expires_at > $4 RETURNING hash, application, sealed, created_at, expires_at")
    .bind(auth.tenant().as_bytes())
    .bind(hash)
    .bind(application.as_bytes())
    .bind(now.millis());
    tx.row(statement).await?.as_ref().map(request).transpose()
}

/// Ends an interaction. Touches no row when it was over.
pub fn spend_interaction<A: Action>(auth: &Authorized<A>, hash: &[u8; 32]) -> Stmt {
    sql("UPDATE interaction SET state = 'spent' WHERE tenant = $1 AND hash = $2 AND state = 'live'")
        .bind(auth.tenant().as_bytes())
        .bind(hash)
}

fn request(row: &Row) -> Result<StoredRequest> {
    Ok(StoredRequest {
        hash: row.array(0)?,
        application: ApplicationId::from_bytes(row.array(1)?),
        sealed: row.blob(2)?.to_vec(),
        created_at: Timestamp::from_millis(row.int(3)?),
        expires_at: Timestamp::from_millis(row.int(4)?),
    })
}
