//! APIs that tokens are for (RFC 8707).

use domain::authz::{Action, Authorized, WriteApplications};
use domain::identity::application::TokenFormat;
use domain::ids::ResourceServerId;
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::{Row, word};
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One API.
#[derive(Clone, Debug)]
pub struct StoredResourceServer {
    pub id: ResourceServerId,
    /// The audience of its tokens: an absolute URI.
    pub identifier: String,
    pub name: String,
    /// The form of its access tokens, whatever the application prefers.
    pub token_format: TokenFormat,
    pub token_lifetime_s: u32,
    /// A JSON array of texts: the scopes it knows.
    pub scopes: String,
    /// Counts changes.
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const MOST: i64 = 1_000;

macro_rules! select_servers {
    ($rest:literal) => {
        concat!(
            "SELECT id, identifier, name, token_format, token_lifetime_s, scopes, ver, created_at, updated_at FROM resource_server ",
            "WHERE tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// One API.
    pub async fn resource_server<A: Action>(
        &self,
        auth: &Authorized<A>,
        id: ResourceServerId,
    ) -> Result<Option<StoredResourceServer>> {
        let text = select_servers!("AND id = $2 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes());
        self.read_one(statement).await?.as_ref().map(server).transpose()
    }

    /// The API that a token names as its audience.
    pub async fn resource_server_by_identifier<A: Action>(
        &self,
        auth: &Authorized<A>,
        identifier: &str,
    ) -> Result<Option<StoredResourceServer>> {
        let text = select_servers!("AND identifier = $2 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(identifier);
        self.read_one(statement).await?.as_ref().map(server).transpose()
    }

    /// Every API of the tenant, the oldest first.
    pub async fn resource_servers<A: Action>(&self, auth: &Authorized<A>) -> Result<Vec<StoredResourceServer>> {
        let text = select_servers!("ORDER BY created_at, id LIMIT $2");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(MOST);
        self.scan(statement).await?.iter().map(server).collect()
    }
}

/// Adds an API.
pub fn insert_resource_server(auth: &Authorized<WriteApplications>, row: &StoredResourceServer) -> Stmt {
    sql("INSERT INTO resource_server (tenant, id, identifier, name, token_format, token_lifetime_s, scopes, ver, created_at, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(&row.identifier)
    .bind(&row.name)
    .bind(row.token_format.as_str())
    .bind(row.token_lifetime_s)
    .bind(&row.scopes)
    .bind(row.revision)
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis())
}

/// Changes an API over the revision that was read; its identifier stays.
pub fn update_resource_server(auth: &Authorized<WriteApplications>, row: &StoredResourceServer) -> Stmt {
    sql("UPDATE resource_server SET name = $4, token_format = $5, token_lifetime_s = $6, scopes = $7, updated_at = $8, ver = ver + 1 \
         WHERE tenant = $1 AND id = $2 AND ver = $3")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(row.revision)
    .bind(&row.name)
    .bind(row.token_format.as_str())
    .bind(row.token_lifetime_s)
    .bind(&row.scopes)
    .bind(row.updated_at.millis())
}

/// Removes an API.
pub fn delete_resource_server(auth: &Authorized<WriteApplications>, id: ResourceServerId) -> Stmt {
    sql("DELETE FROM resource_server WHERE tenant = $1 AND id = $2").bind(auth.tenant().as_bytes()).bind(id.as_bytes())
}

fn server(row: &Row) -> Result<StoredResourceServer> {
    Ok(StoredResourceServer {
        id: ResourceServerId::from_bytes(row.array(0)?),
        identifier: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        token_format: word(row, 3)?,
        token_lifetime_s: row.u32(4)?,
        scopes: row.text(5)?.to_owned(),
        revision: row.int(6)?,
        created_at: Timestamp::from_millis(row.int(7)?),
        updated_at: Timestamp::from_millis(row.int(8)?),
    })
}
