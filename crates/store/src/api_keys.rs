//! API keys, by keyed hash: the text itself is never here.

use domain::authz::{Action, Authorized, WriteApiKeys, WriteApplications};
use domain::ids::{ApiKeyId, ApplicationId, TenantId};
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One API key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The key.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// Its first characters, for people.
    pub prefix: String,
    /// Its keyed hash.
    pub hash: [u8; 32],
    /// Its scopes in words.
    pub scopes: String,
    /// Its resource limits as a JSON array.
    pub limits: String,
    /// Its networks as a JSON array.
    pub cidrs: String,
    /// The environment it is bound to.
    pub environment: Option<String>,
    /// Requests a minute; the platform's default when absent, none when 0.
    pub rate_per_minute: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the half minute.
    pub last_used_at: Option<Timestamp>,
    /// The key that a rotation made from it.
    pub replaced_by: Option<ApiKeyId>,
    /// When a rotated-out key stops working.
    pub grace_until: Option<Timestamp>,
    /// The application it belongs to: what it may do follows from what the application may do.
    pub application: Option<ApplicationId>,
}

/// What the column says when the platform's default applies.
const DEFAULT_RATE: i64 = -1;
const MOST_KEYS: i64 = 10_000;

/// Selects whole keys; the rest of the statement is the argument.
macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT k.tenant, k.id, k.name, k.prefix, k.hash, k.scopes, k.limits, k.cidrs, k.environment, k.rate_per_minute, ",
            "k.created_at, k.created_by, k.expires_at, k.revoked_at, k.last_used_at, k.replaced_by, k.grace_until, k.application FROM api_key k ",
            $rest
        )
    };
}

impl Store {
    /// The key of this hash, unless its tenant is suspended. The credential decides the tenant, so none is given.
    pub async fn api_key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>> {
        let text = select_keys!("JOIN tenant t ON t.id = k.tenant WHERE k.hash = $1 AND t.state = 'active' LIMIT 1");
        self.read_one(sql(text).bind(hash)).await?.as_ref().map(api_key).transpose()
    }

    /// One key.
    pub async fn api_key<A: Action>(&self, auth: &Authorized<A>, id: ApiKeyId) -> Result<Option<ApiKey>> {
        let text = select_keys!("WHERE k.tenant = $1 AND k.id = $2 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes());
        self.read_one(statement).await?.as_ref().map(api_key).transpose()
    }

    /// Every key of the tenant, oldest first.
    pub async fn api_keys<A: Action>(&self, auth: &Authorized<A>) -> Result<Vec<ApiKey>> {
        let text = select_keys!("WHERE k.tenant = $1 ORDER BY k.created_at, k.id LIMIT $2");
        self.scan(sql(text).bind(auth.tenant().as_bytes()).bind(MOST_KEYS)).await?.iter().map(api_key).collect()
    }

    /// The keys of an application that are not revoked, oldest first.
    pub async fn api_keys_of<A: Action>(
        &self,
        auth: &Authorized<A>,
        application: ApplicationId,
    ) -> Result<Vec<ApiKey>> {
        let text = select_keys!(
            "WHERE k.tenant = $1 AND k.application = $2 AND k.revoked_at IS NULL ORDER BY k.created_at, k.id LIMIT $3"
        );
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(application.as_bytes()).bind(MOST_KEYS);
        self.scan(statement).await?.iter().map(api_key).collect()
    }

    /// Stamps keys as used. Nobody caches the stamp, so no epoch moves.
    pub async fn stamp_api_keys(&self, used: Vec<(TenantId, ApiKeyId, Timestamp)>) -> Result<()> {
        let statements: Vec<Stmt> = used.iter().map(stamp).collect();
        self.write("stamp api keys", move |tx| {
            let statements = statements.clone();
            Box::pin(async move { tx.exec_all(statements).await.map(|_| ()) })
        })
        .await
    }
}

/// Adds a key.
pub fn insert_api_key(key: &ApiKey) -> Stmt {
    sql("INSERT INTO api_key (tenant, id, name, prefix, hash, scopes, limits, cidrs, environment, rate_per_minute, created_at, \
         created_by, expires_at, application) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)")
    .bind(key.tenant.as_bytes())
    .bind(key.id.as_bytes())
    .bind(&key.name)
    .bind(&key.prefix)
    .bind(key.hash)
    .bind(&key.scopes)
    .bind(&key.limits)
    .bind(&key.cidrs)
    .bind(key.environment.clone())
    .bind(key.rate_per_minute.map_or(DEFAULT_RATE, i64::from))
    .bind(key.created_at.millis())
    .bind(&key.created_by)
    .bind(key.expires_at.map(Timestamp::millis))
    .bind(key.application.as_ref().map(ApplicationId::as_bytes))
}

/// Changes what may change without another key. A revoked key is not touched.
pub fn update_api_key(auth: &Authorized<WriteApiKeys>, key: &ApiKey) -> Stmt {
    sql("UPDATE api_key SET name = $3, environment = $4, cidrs = $5, rate_per_minute = $6, expires_at = $7, scopes = $8, \
         limits = $9 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL")
    .bind(auth.tenant().as_bytes())
    .bind(key.id.as_bytes())
    .bind(&key.name)
    .bind(key.environment.clone())
    .bind(&key.cidrs)
    .bind(key.rate_per_minute.map_or(DEFAULT_RATE, i64::from))
    .bind(key.expires_at.map(Timestamp::millis))
    .bind(&key.scopes)
    .bind(&key.limits)
}

/// Revokes a key that is not revoked yet.
pub fn revoke_api_key<A: Action>(auth: &Authorized<A>, id: ApiKeyId, now: Timestamp) -> Stmt {
    sql("UPDATE api_key SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(now.millis())
}

/// Revokes every key of an application.
pub fn revoke_api_keys_of(auth: &Authorized<WriteApplications>, application: ApplicationId, now: Timestamp) -> Stmt {
    sql("UPDATE api_key SET revoked_at = $3 WHERE tenant = $1 AND application = $2 AND revoked_at IS NULL")
        .bind(auth.tenant().as_bytes())
        .bind(application.as_bytes())
        .bind(now.millis())
}

/// Lets the keys of an application do what the application may do now.
pub fn confine_api_keys_of(
    auth: &Authorized<WriteApplications>,
    application: ApplicationId,
    scopes: &str,
    limits: &str,
) -> Stmt {
    sql("UPDATE api_key SET scopes = $3, limits = $4 WHERE tenant = $1 AND application = $2 AND revoked_at IS NULL")
        .bind(auth.tenant().as_bytes())
        .bind(application.as_bytes())
        .bind(scopes)
        .bind(limits)
}

/// Lets a key live until `until` beside the one that replaces it. A key is replaced once.
pub fn replace_api_key(auth: &Authorized<WriteApiKeys>, id: ApiKeyId, by: ApiKeyId, until: Timestamp) -> Stmt {
    sql("UPDATE api_key SET replaced_by = $3, grace_until = $4 \
         WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL AND replaced_by IS NULL")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(by.as_bytes())
    .bind(until.millis())
}

fn stamp((tenant, id, at): &(TenantId, ApiKeyId, Timestamp)) -> Stmt {
    sql("UPDATE api_key SET last_used_at = $3 WHERE tenant = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)")
        .bind(tenant.as_bytes())
        .bind(id.as_bytes())
        .bind(at.millis())
}

fn api_key(row: &Row) -> Result<ApiKey> {
    let at = |column| -> Result<Option<Timestamp>> { Ok(row.opt_int(column)?.map(Timestamp::from_millis)) };
    Ok(ApiKey {
        tenant: TenantId::from_bytes(row.array(0)?),
        id: ApiKeyId::from_bytes(row.array(1)?),
        name: row.text(2)?.to_owned(),
        prefix: row.text(3)?.to_owned(),
        hash: row.array(4)?,
        scopes: row.text(5)?.to_owned(),
        limits: row.text(6)?.to_owned(),
        cidrs: row.text(7)?.to_owned(),
        environment: row.opt_text(8)?.map(str::to_owned),
        rate_per_minute: u32::try_from(row.int(9)?).ok(),
        created_at: Timestamp::from_millis(row.int(10)?),
        created_by: row.text(11)?.to_owned(),
        expires_at: at(12)?,
        revoked_at: at(13)?,
        last_used_at: at(14)?,
        replaced_by: row.opt_array(15)?.map(ApiKeyId::from_bytes),
        grace_until: at(16)?,
        application: row.opt_array(17)?.map(ApplicationId::from_bytes),
    })
}
