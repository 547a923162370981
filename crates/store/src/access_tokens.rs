//! Opaque access tokens, and access tokens of either form that were revoked one by one.

use domain::authz::{Action, Authorized};
use domain::ids::{AccountId, ApplicationId, GrantId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// An opaque access token, by keyed hash.
#[derive(Clone, Debug)]
pub struct StoredAccessToken {
    pub hash: [u8; 32],
    pub application: ApplicationId,
    pub grant: Option<GrantId>,
    pub account: Option<AccountId>,
    /// What a JWT would say; sealed.
    pub claims: Vec<u8>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Store {
    /// The slug of the tenant that issued an opaque token.
    pub async fn slug_of_access_token(&self, hash: &[u8; 32]) -> Result<Option<String>> {
        let text = "SELECT t.slug FROM access_token a JOIN tenant t ON t.id = a.tenant WHERE a.hash = $1 LIMIT 1";
        let row = self.read_one(sql(text).bind(hash)).await?;
        row.map(|row| row.text(0).map(str::to_owned)).transpose()
    }

    /// The opaque token of this hash.
    pub async fn access_token<A: Action>(
        &self,
        auth: &Authorized<A>,
        hash: &[u8; 32],
    ) -> Result<Option<StoredAccessToken>> {
        let text = "SELECT hash, application, token_grant, account, claims, issued_at, expires_at FROM access_token \
                    WHERE tenant = $1 AND hash = $2 LIMIT 1";
        self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(hash)).await?.as_ref().map(token).transpose()
    }
}

/// Adds an opaque token.
pub fn insert_access_token<A: Action>(auth: &Authorized<A>, row: &StoredAccessToken) -> Stmt {
    sql("INSERT INTO access_token (tenant, hash, application, token_grant, account, claims, issued_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
    .bind(auth.tenant().as_bytes())
    .bind(row.hash)
    .bind(row.application.as_bytes())
    .bind(row.grant.map(|id| *id.as_bytes()))
    .bind(row.account.map(|id| *id.as_bytes()))
    .bind(&row.claims)
    .bind(row.issued_at.millis())
    .bind(row.expires_at.millis())
}

/// Revokes one token, by what its `jti` begins with. Revoking twice is the same as once.
pub fn insert_revoked<A: Action>(
    auth: &Authorized<A>,
    token: &[u8; 16],
    now: Timestamp,
    expires_at: Timestamp,
) -> Stmt {
    sql("INSERT INTO revoked_token (tenant, token, revoked_at, expires_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant, token) DO NOTHING")
    .bind(auth.tenant().as_bytes())
    .bind(token)
    .bind(now.millis())
    .bind(expires_at.millis())
}

/// What is forgotten once it has ended, in the order of the tables.
fn forget_ended(before: Timestamp) -> Vec<Stmt> {
    [
        "DELETE FROM pushed_request WHERE expires_at < $1",
        "DELETE FROM interaction WHERE expires_at < $1",
        "DELETE FROM authorization_code WHERE expires_at < $1",
        "DELETE FROM refresh_token WHERE expires_at < $1",
        "DELETE FROM access_token WHERE expires_at < $1",
        "DELETE FROM revoked_token WHERE expires_at < $1",
        "DELETE FROM device_code WHERE expires_at < $1",
        "DELETE FROM spent_assertion WHERE expires_at < $1",
        "DELETE FROM token_grant WHERE expires_at < $1",
    ]
    .into_iter()
    .map(|text| sql(text).bind(before.millis()))
    .collect()
}

impl Store {
    /// Forgets what ended before `before`: nothing of it can be alive any more.
    pub async fn forget_ended_tokens(&self, before: Timestamp) -> Result<()> {
        self.write("forget ended tokens", move |tx| {
            let statements = forget_ended(before);
            Box::pin(async move { tx.exec_all(statements).await.map(drop) })
        })
        .await
    }
}

fn token(row: &Row) -> Result<StoredAccessToken> {
    Ok(StoredAccessToken {
        hash: row.array(0)?,
        application: ApplicationId::from_bytes(row.array(1)?),
        grant: row.opt_array(2)?.map(GrantId::from_bytes),
        account: row.opt_array(3)?.map(AccountId::from_bytes),
        claims: row.blob(4)?.to_vec(),
        issued_at: Timestamp::from_millis(row.int(5)?),
        expires_at: Timestamp::from_millis(row.int(6)?),
    })
}
