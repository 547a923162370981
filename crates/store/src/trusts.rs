//! Trusts in other issuers.

use domain::authz::{Action, Authorized, WriteTrusts};
use domain::identity::trust::{Kind, Settings, State};
use domain::ids::TrustId;
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::{Row, word};
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One trust.
#[derive(Clone, Debug)]
pub struct StoredTrust {
    pub id: TrustId,
    pub name: String,
    pub kind: Kind,
    /// As its tokens name it.
    pub issuer: String,
    pub state: State,
    pub settings: Settings,
    /// Tokens issued by it before are dead.
    pub not_before: Timestamp,
    /// Counts changes.
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const MOST: i64 = 1_000;

macro_rules! select_trusts {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, kind, issuer, state, settings, not_before, ver, created_at, updated_at FROM trust WHERE tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// One trust.
    pub async fn trust<A: Action>(&self, auth: &Authorized<A>, id: TrustId) -> Result<Option<StoredTrust>> {
        let text = select_trusts!("AND id = $2 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes());
        self.read_one(statement).await?.as_ref().map(trust).transpose()
    }

    /// Every trust of the tenant, the oldest first.
    pub async fn trusts<A: Action>(&self, auth: &Authorized<A>) -> Result<Vec<StoredTrust>> {
        let text = select_trusts!("ORDER BY created_at, id LIMIT $2");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(MOST);
        self.scan(statement).await?.iter().map(trust).collect()
    }
}

/// Adds a trust.
pub fn insert_trust(auth: &Authorized<WriteTrusts>, row: &StoredTrust) -> Result<Stmt> {
    Ok(sql(
        "INSERT INTO trust (tenant, id, name, kind, issuer, state, settings, not_before, ver, created_at, updated_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(&row.name)
    .bind(row.kind.as_str())
    .bind(&row.issuer)
    .bind(row.state.as_str())
    .bind(json(&row.settings)?)
    .bind(row.not_before.millis())
    .bind(row.revision)
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis()))
}

/// Changes a trust over the revision that was read. Its kind and issuer stay, and its cutoff only moves forward.
pub fn update_trust(auth: &Authorized<WriteTrusts>, row: &StoredTrust) -> Result<Stmt> {
    Ok(sql("UPDATE trust SET name = $4, state = $5, settings = $6, updated_at = $8, ver = ver + 1, \
            not_before = CASE WHEN not_before > $7 THEN not_before ELSE $7 END WHERE tenant = $1 AND id = $2 AND ver = $3")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(row.revision)
    .bind(&row.name)
    .bind(row.state.as_str())
    .bind(json(&row.settings)?)
    .bind(row.not_before.millis())
    .bind(row.updated_at.millis()))
}

/// Removes a trust. What it was believed for is dead without it.
pub fn delete_trust(auth: &Authorized<WriteTrusts>, id: TrustId) -> Stmt {
    sql("DELETE FROM trust WHERE tenant = $1 AND id = $2").bind(auth.tenant().as_bytes()).bind(id.as_bytes())
}

fn json(settings: &Settings) -> Result<String> {
    settings.to_json().map_err(Error::other)
}

fn trust(row: &Row) -> Result<StoredTrust> {
    Ok(StoredTrust {
        id: TrustId::from_bytes(row.array(0)?),
        name: row.text(1)?.to_owned(),
        kind: word(row, 2)?,
        issuer: row.text(3)?.to_owned(),
        state: word(row, 4)?,
        settings: Settings::from_json(row.text(5)?).map_err(|_| Error::corrupt("the settings of a trust"))?,
        not_before: Timestamp::from_millis(row.int(6)?),
        revision: row.int(7)?,
        created_at: Timestamp::from_millis(row.int(8)?),
        updated_at: Timestamp::from_millis(row.int(9)?),
    })
}
