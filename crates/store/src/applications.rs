//! Applications and their secrets, which are here as keyed hashes alone.

use domain::authz::{Action, Authorized, WriteApplications};
use domain::identity::application::{Environment, Kind, Settings, State};
use domain::ids::{ApplicationId, ApplicationSecretId};
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::{Row, word};
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One application.
#[derive(Clone, Debug)]
pub struct StoredApplication {
    pub id: ApplicationId,
    /// What it calls itself at the token endpoint.
    pub client_id: String,
    pub name: String,
    pub kind: Kind,
    pub environment: Environment,
    pub state: State,
    pub settings: Settings,
    /// Access tokens issued before are dead.
    pub tokens_not_before: Timestamp,
    /// Grants and sessions begun before are dead.
    pub grants_not_before: Timestamp,
    /// Counts changes.
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// One secret of an application.
#[derive(Clone, Debug)]
pub struct StoredApplicationSecret {
    pub id: ApplicationSecretId,
    pub application: ApplicationId,
    /// The keyed hash of its text.
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    /// When one that was rotated out stops working.
    pub expires_at: Option<Timestamp>,
}

/// Secrets that are compared with what a client shows: one, and the few that were rotated out and still work.
const MOST_SECRETS: i64 = 10;

macro_rules! select_applications {
    ($rest:literal) => {
        concat!(
            "SELECT id, client_id, name, kind, environment, state, settings, tokens_not_before, grants_not_before, ver, created_at, ",
            "updated_at FROM application WHERE tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// One application that is not deleted.
    pub async fn application<A: Action>(
        &self,
        auth: &Authorized<A>,
        id: ApplicationId,
    ) -> Result<Option<StoredApplication>> {
        let text = select_applications!("AND id = $2 AND state = 'active' LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes());
        self.read_one(statement).await?.as_ref().map(application).transpose()
    }

    /// The application that calls itself so, unless it is deleted.
    pub async fn application_by_client_id<A: Action>(
        &self,
        auth: &Authorized<A>,
        client_id: &str,
    ) -> Result<Option<StoredApplication>> {
        let text = select_applications!("AND client_id = $2 AND state = 'active' LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(client_id);
        self.read_one(statement).await?.as_ref().map(application).transpose()
    }

    /// A page of applications, the oldest first.
    pub async fn applications<A: Action>(
        &self,
        auth: &Authorized<A>,
        most: u32,
        skipped: u32,
    ) -> Result<Vec<StoredApplication>> {
        let text = select_applications!("AND state = 'active' ORDER BY created_at, id LIMIT $2 OFFSET $3");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(most).bind(skipped);
        self.scan(statement).await?.iter().map(application).collect()
    }

    /// A page of the applications in whose settings a word stands, wherever it stands there: callers look closer. The oldest first.
    pub async fn applications_with<A: Action>(
        &self,
        auth: &Authorized<A>,
        word: &str,
        most: u32,
        skipped: u32,
    ) -> Result<Vec<StoredApplication>> {
        let text = select_applications!(
            "AND state = 'active' AND settings LIKE $2 ORDER BY created_at, id LIMIT $3 OFFSET $4"
        );
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(format!("%{word}%")).bind(most).bind(skipped);
        self.scan(statement).await?.iter().map(application).collect()
    }

    /// How many applications there are.
    pub async fn count_applications<A: Action>(&self, auth: &Authorized<A>) -> Result<u64> {
        let text = "SELECT COUNT(*) FROM application WHERE tenant = $1 AND state = 'active'";
        let rows = self.scan(sql(text).bind(auth.tenant().as_bytes())).await?;
        let count = rows.first().map_or(Ok(0), |row| row.int(0))?;
        u64::try_from(count).map_err(|_| Error::corrupt("a negative count"))
    }

    /// The secrets of an application that work at `now`, the newest first.
    pub async fn application_secrets<A: Action>(
        &self,
        auth: &Authorized<A>,
        application: ApplicationId,
        now: Timestamp,
    ) -> Result<Vec<StoredApplicationSecret>> {
        let text = "SELECT id, application, hash, created_at, expires_at FROM application_secret WHERE tenant = $1 AND application = $2 \
                    AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3) ORDER BY created_at DESC, id DESC LIMIT $4";
        let statement =
            sql(text).bind(auth.tenant().as_bytes()).bind(application.as_bytes()).bind(now.millis()).bind(MOST_SECRETS);
        self.read(statement).await?.iter().map(secret).collect()
    }
}

/// Adds an application.
pub fn insert_application<A: Action>(auth: &Authorized<A>, row: &StoredApplication) -> Result<Stmt> {
    Ok(sql(
        "INSERT INTO application (tenant, id, client_id, name, kind, environment, state, settings, tokens_not_before, \
            grants_not_before, ver, created_at, updated_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(&row.client_id)
    .bind(&row.name)
    .bind(row.kind.as_str())
    .bind(row.environment.as_str())
    .bind(row.state.as_str())
    .bind(json(&row.settings)?)
    .bind(row.tokens_not_before.millis())
    .bind(row.grants_not_before.millis())
    .bind(row.revision)
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis()))
}

/// Changes an application over the revision that was read; the new revision is one more.
pub fn update_application(auth: &Authorized<WriteApplications>, row: &StoredApplication) -> Result<Stmt> {
    Ok(sql("UPDATE application SET name = $4, environment = $5, settings = $6, tokens_not_before = $7, grants_not_before = $8, \
            updated_at = $9, ver = ver + 1 WHERE tenant = $1 AND id = $2 AND ver = $3 AND state = 'active'")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(row.revision)
    .bind(&row.name)
    .bind(row.environment.as_str())
    .bind(json(&row.settings)?)
    .bind(row.tokens_not_before.millis())
    .bind(row.grants_not_before.millis())
    .bind(row.updated_at.millis()))
}

/// Marks an application as deleted, and everything it was given as dead.
pub fn delete_application(auth: &Authorized<WriteApplications>, id: ApplicationId, now: Timestamp) -> Stmt {
    sql("UPDATE application SET state = 'deleted', tokens_not_before = $3, grants_not_before = $3, updated_at = $3, ver = ver + 1 \
         WHERE tenant = $1 AND id = $2 AND state = 'active'")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(now.millis())
}

/// Adds a secret.
pub fn insert_application_secret<A: Action>(auth: &Authorized<A>, row: &StoredApplicationSecret) -> Stmt {
    sql("INSERT INTO application_secret (tenant, id, application, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(auth.tenant().as_bytes())
        .bind(row.id.as_bytes())
        .bind(row.application.as_bytes())
        .bind(row.hash)
        .bind(row.created_at.millis())
        .bind(row.expires_at.map(Timestamp::millis))
}

/// Lets the secrets that an application has work until `until` at most.
pub fn expire_application_secrets(
    auth: &Authorized<WriteApplications>,
    application: ApplicationId,
    until: Timestamp,
) -> Stmt {
    sql("UPDATE application_secret SET expires_at = $3 WHERE tenant = $1 AND application = $2 AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > $3)")
    .bind(auth.tenant().as_bytes())
    .bind(application.as_bytes())
    .bind(until.millis())
}

fn json(settings: &Settings) -> Result<String> {
    settings.to_json().map_err(Error::other)
}

fn application(row: &Row) -> Result<StoredApplication> {
    Ok(StoredApplication {
        id: ApplicationId::from_bytes(row.array(0)?),
        client_id: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        kind: word(row, 3)?,
        environment: word(row, 4)?,
        state: word(row, 5)?,
        settings: Settings::from_json(row.text(6)?).map_err(|_| Error::corrupt("the settings of an application"))?,
        tokens_not_before: Timestamp::from_millis(row.int(7)?),
        grants_not_before: Timestamp::from_millis(row.int(8)?),
        revision: row.int(9)?,
        created_at: Timestamp::from_millis(row.int(10)?),
        updated_at: Timestamp::from_millis(row.int(11)?),
    })
}

fn secret(row: &Row) -> Result<StoredApplicationSecret> {
    Ok(StoredApplicationSecret {
        id: ApplicationSecretId::from_bytes(row.array(0)?),
        application: ApplicationId::from_bytes(row.array(1)?),
        hash: row.array(2)?,
        created_at: Timestamp::from_millis(row.int(3)?),
        expires_at: row.opt_int(4)?.map(Timestamp::from_millis),
    })
}
