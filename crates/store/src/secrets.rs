//! Secrets and their versions. Values and everything personal arrive sealed and leave sealed.
//!
//! A row outside the caller's limits is absent. Versions are only ever added; they go when their secret goes.

use domain::authz::{Action, Authorized, WriteSecrets};
use domain::ids::SecretId;
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;
use crate::tx::Tx;

/// A secret without its versions.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    pub id: SecretId,
    pub name: String,
    pub content_type: Option<String>,
    /// A JSON array of texts.
    pub labels: String,
    pub is_active: bool,
    pub is_favorite: bool,
    pub has_totp: bool,
    /// The newest version.
    pub version: u32,
    /// Counts changes; the entity tag.
    pub revision: i64,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The sealed rest.
    pub meta: Vec<u8>,
}

/// One version of a secret.
#[derive(Clone, Debug)]
pub struct StoredVersion {
    /// From 1.
    pub version: u32,
    /// The sealed value.
    pub value: Vec<u8>,
    /// Who made it, and what stood beside the value; sealed.
    pub meta: Vec<u8>,
    pub created_at: Timestamp,
    /// The version whose value it repeats.
    pub restored_from: Option<u32>,
}

/// What a search looks at.
#[derive(Clone, Debug)]
pub struct ListedSecret {
    pub id: SecretId,
    pub name: String,
    pub content_type: Option<String>,
    /// A JSON array of texts.
    pub labels: String,
    pub is_active: bool,
}

/// Secrets in one tenant that a listing goes through; those made before are cut off.
const MOST_SECRETS: i64 = 200_000;
/// Secrets of one name that are told apart.
const MOST_OF_A_NAME: i64 = 100;

macro_rules! secret_columns {
    () => {
        "s.id, s.name, s.content_type, s.labels, s.is_active, s.is_favorite, s.has_totp, s.version, s.ver, s.expires_at, \
         s.created_at, s.updated_at, s.meta"
    };
}

/// Where a version's columns begin beside a secret's.
const VERSION_AT: usize = 13;

macro_rules! version_columns {
    () => {
        "v.version, v.value, v.meta, v.created_at, v.restored_from"
    };
}

/// Selects secrets of the tenant `$1` with one version each; the rest of the statement is the argument.
macro_rules! select_with_value {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            secret_columns!(),
            ", ",
            version_columns!(),
            " FROM secret s JOIN secret_version v ON v.tenant = s.tenant AND v.secret = s.id WHERE s.tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// One secret without a value.
    pub async fn secret<A: Action>(&self, auth: &Authorized<A>, id: SecretId) -> Result<Option<StoredSecret>> {
        let text = concat!("SELECT ", secret_columns!(), " FROM secret s WHERE s.tenant = $1 AND s.id = $2 LIMIT 1");
        let row = self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes())).await?;
        admitted(auth, row.as_ref().map(secret).transpose()?)
    }

    /// One secret with its newest version: one read.
    pub async fn secret_with_value<A: Action>(
        &self,
        auth: &Authorized<A>,
        id: SecretId,
    ) -> Result<Option<(StoredSecret, StoredVersion)>> {
        let text = select_with_value!("AND s.id = $2 AND v.version = s.version LIMIT 1");
        let row = self.read_one(sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes())).await?;
        with_version(auth, row.as_ref())
    }

    /// One secret with one of its versions.
    pub async fn secret_at_version<A: Action>(
        &self,
        auth: &Authorized<A>,
        id: SecretId,
        version: u32,
    ) -> Result<Option<(StoredSecret, StoredVersion)>> {
        let text = select_with_value!("AND s.id = $2 AND v.version = $3 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes()).bind(version);
        with_version(auth, self.read_one(statement).await?.as_ref())
    }

    /// The secrets of a name with their newest versions, the oldest secret first.
    pub async fn secrets_named<A: Action>(
        &self,
        auth: &Authorized<A>,
        name: &str,
    ) -> Result<Vec<(StoredSecret, StoredVersion)>> {
        let text = select_with_value!("AND s.name = $2 AND v.version = s.version ORDER BY s.created_at, s.id LIMIT $3");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(name).bind(MOST_OF_A_NAME);
        let rows = self.read(statement).await?;
        rows.iter().filter_map(|row| with_version(auth, Some(row)).transpose()).collect()
    }

    /// What can be searched of every secret that the caller may know of, newest first.
    pub async fn listed_secrets<A: Action>(&self, auth: &Authorized<A>) -> Result<Vec<ListedSecret>> {
        let text = "SELECT id, name, content_type, labels, is_active FROM secret WHERE tenant = $1 \
                    ORDER BY created_at DESC, id DESC LIMIT $2";
        let rows = self.scan(sql(text).bind(auth.tenant().as_bytes()).bind(MOST_SECRETS)).await?;
        let mut listed = rows.iter().map(listed).collect::<Result<Vec<_>>>()?;
        listed.retain(|secret| auth.admits_labelled(secret.id.uuid(), &secret.name, &secret.labels));
        Ok(listed)
    }

    /// The newest versions of a secret that was read before, newest first.
    pub async fn secret_versions<A: Action>(
        &self,
        auth: &Authorized<A>,
        secret: &StoredSecret,
        most: u32,
    ) -> Result<Vec<StoredVersion>> {
        let text = concat!(
            "SELECT ",
            version_columns!(),
            " FROM secret_version v WHERE v.tenant = $1 AND v.secret = $2 ORDER BY v.version DESC LIMIT $3"
        );
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(secret.id.as_bytes()).bind(most);
        self.scan(statement).await?.iter().map(|row| version(row, 0)).collect()
    }
}

/// Takes the row's lock, counts a change and reads what it holds, so that the rest of the transaction is serial with other
/// changes of this secret. The revision is the new one.
pub async fn lock_secret(
    tx: &mut Tx<'_>,
    auth: &Authorized<WriteSecrets>,
    id: SecretId,
) -> Result<Option<StoredSecret>> {
    let text = concat!(
        "UPDATE secret AS s SET ver = ver + 1 WHERE s.tenant = $1 AND s.id = $2 RETURNING ",
        "id, name, content_type, labels, is_active, is_favorite, has_totp, version, ver, expires_at, created_at, updated_at, meta"
    );
    let row = tx.row(sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes())).await?;
    admitted(auth, row.as_ref().map(secret).transpose()?)
}

/// Puts transactions of one tenant that decide by names in line: a name that nobody holds yet has no row to lock.
pub fn lock_names(auth: &Authorized<WriteSecrets>) -> Stmt {
    sql("UPDATE tenant SET ver = ver WHERE id = $1").bind(auth.tenant().as_bytes())
}

/// The secrets of a name, the oldest first, as the transaction sees them.
pub async fn secrets_named_in(tx: &mut Tx<'_>, auth: &Authorized<WriteSecrets>, name: &str) -> Result<Vec<SecretId>> {
    let text = "SELECT id, labels FROM secret WHERE tenant = $1 AND name = $2 ORDER BY created_at, id LIMIT $3";
    let rows = tx.rows(sql(text).bind(auth.tenant().as_bytes()).bind(name).bind(MOST_OF_A_NAME)).await?;
    let admitted = |row: &Row| -> Result<Option<SecretId>> {
        let id = SecretId::from_bytes(row.array(0)?);
        Ok(auth.admits_labelled(id.uuid(), name, row.text(1)?).then_some(id))
    };
    rows.iter().filter_map(|row| admitted(row).transpose()).collect()
}

/// One version of a secret that was locked before.
pub async fn version_in(
    tx: &mut Tx<'_>,
    auth: &Authorized<WriteSecrets>,
    id: SecretId,
    wanted: u32,
) -> Result<Option<StoredVersion>> {
    let text = concat!(
        "SELECT ",
        version_columns!(),
        " FROM secret_version v WHERE v.tenant = $1 AND v.secret = $2 AND v.version = $3 LIMIT 1"
    );
    let row = tx.row(sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes()).bind(wanted)).await?;
    row.as_ref().map(|row| version(row, 0)).transpose()
}

/// Adds a secret.
pub fn insert_secret(auth: &Authorized<WriteSecrets>, secret: &StoredSecret) -> Stmt {
    sql("INSERT INTO secret (tenant, id, name, content_type, labels, is_active, is_favorite, has_totp, version, ver, expires_at, \
         created_at, updated_at, meta) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)")
    .bind(auth.tenant().as_bytes())
    .bind(secret.id.as_bytes())
    .bind(&secret.name)
    .bind(secret.content_type.clone())
    .bind(&secret.labels)
    .bind(secret.is_active)
    .bind(secret.is_favorite)
    .bind(secret.has_totp)
    .bind(secret.version)
    .bind(secret.revision)
    .bind(secret.expires_at.map(Timestamp::millis))
    .bind(secret.created_at.millis())
    .bind(secret.updated_at.millis())
    .bind(&secret.meta)
}

/// Adds a version.
pub fn insert_version(auth: &Authorized<WriteSecrets>, id: SecretId, version: &StoredVersion) -> Stmt {
    sql("INSERT INTO secret_version (tenant, secret, version, value, meta, created_at, restored_from) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(version.version)
    .bind(&version.value)
    .bind(&version.meta)
    .bind(version.created_at.millis())
    .bind(version.restored_from)
}

/// Writes back a secret that [`lock_secret`] gave.
pub async fn update_secret(tx: &mut Tx<'_>, auth: &Authorized<WriteSecrets>, secret: &StoredSecret) -> Result<()> {
    let statement = sql("UPDATE secret SET name = $3, content_type = $4, labels = $5, is_active = $6, is_favorite = $7, has_totp = $8, \
                         version = $9, expires_at = $10, updated_at = $11, meta = $12 WHERE tenant = $1 AND id = $2 AND ver = $13")
    .bind(auth.tenant().as_bytes())
    .bind(secret.id.as_bytes())
    .bind(&secret.name)
    .bind(secret.content_type.clone())
    .bind(&secret.labels)
    .bind(secret.is_active)
    .bind(secret.is_favorite)
    .bind(secret.has_totp)
    .bind(secret.version)
    .bind(secret.expires_at.map(Timestamp::millis))
    .bind(secret.updated_at.millis())
    .bind(&secret.meta)
    .bind(secret.revision);
    if tx.exec(statement).await? == 1 { Ok(()) } else { Err(Error::Conflict) }
}

/// Removes a locked secret with everything that could show its value. Its links stay as marks without a password, so that they
/// can say why they no longer open.
pub async fn delete_secret(
    tx: &mut Tx<'_>,
    auth: &Authorized<WriteSecrets>,
    id: SecretId,
    now: Timestamp,
) -> Result<()> {
    let bound = |text| sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes());
    let removed = tx
        .exec_all(vec![
            bound("DELETE FROM secret WHERE tenant = $1 AND id = $2"),
            bound("DELETE FROM secret_version WHERE tenant = $1 AND secret = $2"),
            bound("DELETE FROM share_link WHERE tenant = $1 AND secret = $2 AND expires_at <= $3").bind(now.millis()),
            bound(
                "UPDATE share_link SET state = CASE WHEN state = 'active' THEN 'retired' ELSE state END, password = NULL, \
                 created_by = NULL WHERE tenant = $1 AND secret = $2",
            ),
        ])
        .await?;
    if removed.first() == Some(&1) { Ok(()) } else { Err(Error::Conflict) }
}

fn admitted<A: Action>(auth: &Authorized<A>, found: Option<StoredSecret>) -> Result<Option<StoredSecret>> {
    Ok(found.filter(|secret| auth.admits_labelled(secret.id.uuid(), &secret.name, &secret.labels)))
}

fn with_version<A: Action>(auth: &Authorized<A>, row: Option<&Row>) -> Result<Option<(StoredSecret, StoredVersion)>> {
    let Some(row) = row else { return Ok(None) };
    let Some(secret) = admitted(auth, Some(secret(row)?))? else { return Ok(None) };
    Ok(Some((secret, version(row, VERSION_AT)?)))
}

fn secret(row: &Row) -> Result<StoredSecret> {
    Ok(StoredSecret {
        id: SecretId::from_bytes(row.array(0)?),
        name: row.text(1)?.to_owned(),
        content_type: row.opt_text(2)?.map(str::to_owned),
        labels: row.text(3)?.to_owned(),
        is_active: row.flag(4)?,
        is_favorite: row.flag(5)?,
        has_totp: row.flag(6)?,
        version: row.u32(7)?,
        revision: row.int(8)?,
        expires_at: row.opt_int(9)?.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.int(10)?),
        updated_at: Timestamp::from_millis(row.int(11)?),
        meta: row.blob(12)?.to_vec(),
    })
}

fn version(row: &Row, at: usize) -> Result<StoredVersion> {
    let restored_from = row.opt_int(at + 4)?.map(u32::try_from).transpose();
    Ok(StoredVersion {
        version: row.u32(at)?,
        value: row.blob(at + 1)?.to_vec(),
        meta: row.blob(at + 2)?.to_vec(),
        created_at: Timestamp::from_millis(row.int(at + 3)?),
        restored_from: restored_from.map_err(|_| Error::corrupt("a restored version"))?,
    })
}

fn listed(row: &Row) -> Result<ListedSecret> {
    Ok(ListedSecret {
        id: SecretId::from_bytes(row.array(0)?),
        name: row.text(1)?.to_owned(),
        content_type: row.opt_text(2)?.map(str::to_owned),
        labels: row.text(3)?.to_owned(),
        is_active: row.flag(4)?,
    })
}
