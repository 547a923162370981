//! Named keys, their versions and their epochs.
//!
//! A row outside the caller's limits is absent. Versions are only ever added; what changes is their state.

use domain::authz::{Action, Authorized, WriteKeys};
use domain::ids::{KeyId, KeyVersionId, TenantId};
use domain::key::State;
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;
use crate::tx::Tx;

/// A named key without its versions.
#[derive(Clone, Debug)]
pub struct NamedKey {
    /// The key.
    pub id: KeyId,
    /// Its name as given.
    pub name: String,
    /// The name by which it is unique.
    pub folded: String,
    /// `encryption`, `signing` or `hmac`.
    pub key_type: String,
    /// The algorithm's wire name.
    pub algorithm: String,
    /// Where it stands.
    pub state: State,
    /// Whether it is the tenant's default of its type.
    pub is_default: bool,
    /// Marked by somebody.
    pub is_favorite: bool,
    /// The newest version.
    pub current_version: u32,
    /// The oldest version that may open and verify.
    pub min_version: u32,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// The sealed description.
    pub description: Option<Vec<u8>>,
    /// Labels as a JSON array.
    pub labels: String,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was last rotated.
    pub rotated_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Whether its private half may ever leave.
    pub exportable: bool,
}

/// One version of a named key.
#[derive(Clone, Debug)]
pub struct KeyVersion {
    /// The version row's own id.
    pub id: KeyVersionId,
    /// From 1.
    pub version: u32,
    /// `active`, `retired` or `revoked`.
    pub state: String,
    /// The public half.
    pub public: Option<Vec<u8>>,
    /// The private half, sealed to a tenant KEK; absent for public-only imports and after deletion.
    pub sealed: Option<Vec<u8>>,
    /// Which KEK.
    pub kek_version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the next one replaced it.
    pub rotated_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// How a key is addressed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyRef {
    /// By id.
    Id(KeyId),
    /// By folded name.
    Name(String),
    /// The tenant's default of a type.
    Default(&'static str),
}

/// What a listing is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// Only this type.
    pub key_type: Option<String>,
    /// Only in one of these states, as [`State::as_str`] or [`State::status`] spells it.
    pub states: Vec<&'static str>,
}

/// Keys in one tenant at most; a listing that would pass it is cut.
const MOST_KEYS: i64 = 100_000;
const MOST_VERSIONS: i64 = 100_000;

/// Selects whole keys of the tenant `$1`; the rest of the statement is the argument.
macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, folded, key_type, algorithm, state, deletion_at, is_default, is_favorite, current_version, ",
            "min_version, ver, description, labels, expires_at, rotated_at, created_at, updated_at, exportable ",
            "FROM named_key WHERE tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// One key.
    pub async fn named_key<A: Action>(&self, auth: &Authorized<A>, key: &KeyRef) -> Result<Option<NamedKey>> {
        let rows = self.read(select_key(auth.tenant(), key)).await?;
        let found = rows.first().map(named_key).transpose()?;
        Ok(found.filter(|key| auth.admits_labelled(key.id.uuid(), &key.name, &key.labels)))
    }

    /// Every key that the caller may know of, by name.
    pub async fn named_keys<A: Action>(&self, auth: &Authorized<A>, filter: &KeyFilter) -> Result<Vec<NamedKey>> {
        let text = select_keys!("ORDER BY folded LIMIT $2");
        let keys = self.scan(sql(text).bind(auth.tenant().as_bytes()).bind(MOST_KEYS)).await?;
        let keys = keys.iter().map(named_key).collect::<Result<Vec<_>>>()?;
        let wanted = |key: &NamedKey| {
            auth.admits_labelled(key.id.uuid(), &key.name, &key.labels)
                && filter.key_type.as_ref().is_none_or(|wanted| *wanted == key.key_type)
                && (filter.states.is_empty()
                    || filter.states.iter().any(|word| [key.state.as_str(), key.state.status()].contains(word)))
        };
        Ok(keys.into_iter().filter(wanted).collect())
    }

    /// All versions of a key that was read before, oldest first.
    pub async fn key_versions<A: Action>(&self, auth: &Authorized<A>, key: &NamedKey) -> Result<Vec<KeyVersion>> {
        let text = "SELECT id, version, state, public, sealed, kek_version, created_at, rotated_at, revoked_at \
                    FROM key_version WHERE tenant = $1 AND key_id = $2 ORDER BY version LIMIT $3";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(key.id.as_bytes()).bind(MOST_VERSIONS);
        self.read(statement).await?.iter().map(key_version).collect()
    }

    /// The encapsulation that established an epoch of a key version.
    pub async fn key_epoch<A: Action>(
        &self,
        auth: &Authorized<A>,
        key: KeyId,
        version: u32,
        epoch: [u8; 8],
    ) -> Result<Option<Vec<u8>>> {
        let text = "SELECT encapsulation FROM key_epoch WHERE tenant = $1 AND key_id = $2 AND version = $3 AND epoch = $4 LIMIT 1";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(key.as_bytes()).bind(version).bind(epoch);
        self.read(statement).await?.first().map(|row| row.blob(0).map(<[u8]>::to_vec)).transpose()
    }

    /// Tenants and keys whose grace period is over at `now`.
    pub async fn keys_due_for_deletion(&self, now: Timestamp) -> Result<Vec<(TenantId, KeyId)>> {
        let text = "SELECT tenant, id FROM named_key WHERE deletion_at <= $1 LIMIT 1000";
        let rows = self.scan(sql(text).bind(now.millis())).await?;
        rows.iter().map(|row| Ok((TenantId::from_bytes(row.array(0)?), KeyId::from_bytes(row.array(1)?)))).collect()
    }
}

/// Reads a key inside a transaction, so that a decision and its write see the same row.
pub async fn key_in<A: Action>(tx: &mut Tx<'_>, auth: &Authorized<A>, key: &KeyRef) -> Result<Option<NamedKey>> {
    let found = tx.row(select_key(auth.tenant(), key)).await?.as_ref().map(named_key).transpose()?;
    Ok(found.filter(|key| auth.admits_labelled(key.id.uuid(), &key.name, &key.labels)))
}

/// Takes the row's lock, so that everything after it in the transaction is serial with other changes of this key.
pub fn lock_key(auth: &Authorized<WriteKeys>, key: KeyId) -> Stmt {
    sql("UPDATE named_key SET ver = ver + 1 WHERE tenant = $1 AND id = $2")
        .bind(auth.tenant().as_bytes())
        .bind(key.as_bytes())
}

/// Adds a key. The name being taken is [`Error::Unique`].
pub fn insert_key(auth: &Authorized<WriteKeys>, key: &NamedKey) -> Stmt {
    sql("INSERT INTO named_key (tenant, id, name, folded, key_type, algorithm, state, deletion_at, is_default, is_favorite, \
         current_version, min_version, ver, description, labels, expires_at, rotated_at, created_at, updated_at, exportable) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14, $15, $16, $17, $18, $19)")
    .bind(auth.tenant().as_bytes())
    .bind(key.id.as_bytes())
    .bind(&key.name)
    .bind(&key.folded)
    .bind(&key.key_type)
    .bind(&key.algorithm)
    .bind(key.state.as_str())
    .bind(key.state.deletion_at().map(Timestamp::millis))
    .bind(key.is_default)
    .bind(key.is_favorite)
    .bind(key.current_version)
    .bind(key.min_version)
    .bind(key.description.clone())
    .bind(&key.labels)
    .bind(key.expires_at.map(Timestamp::millis))
    .bind(key.rotated_at.map(Timestamp::millis))
    .bind(key.created_at.millis())
    .bind(key.updated_at.millis())
    .bind(key.exportable)
}

/// Writes back a key that was read at `key.revision`; somebody else's change in between is [`Error::Conflict`].
pub async fn update_key(tx: &mut Tx<'_>, auth: &Authorized<WriteKeys>, key: &NamedKey) -> Result<()> {
    let statement = sql("UPDATE named_key SET name = $3, folded = $4, state = $5, deletion_at = $6, is_default = $7, is_favorite = $8, \
                         current_version = $9, min_version = $10, description = $11, expires_at = $12, rotated_at = $13, \
                         updated_at = $14, labels = $15, ver = ver + 1 WHERE tenant = $1 AND id = $2 AND ver = $16")
    .bind(auth.tenant().as_bytes())
    .bind(key.id.as_bytes())
    .bind(&key.name)
    .bind(&key.folded)
    .bind(key.state.as_str())
    .bind(key.state.deletion_at().map(Timestamp::millis))
    .bind(key.is_default)
    .bind(key.is_favorite)
    .bind(key.current_version)
    .bind(key.min_version)
    .bind(key.description.clone())
    .bind(key.expires_at.map(Timestamp::millis))
    .bind(key.rotated_at.map(Timestamp::millis))
    .bind(key.updated_at.millis())
    .bind(&key.labels)
    .bind(key.revision);
    if tx.exec(statement).await? == 1 { Ok(()) } else { Err(Error::Conflict) }
}

/// Takes the default mark from every key of a type.
pub fn clear_default(auth: &Authorized<WriteKeys>, key_type: &str) -> Stmt {
    sql("UPDATE named_key SET is_default = 0 WHERE tenant = $1 AND key_type = $2 AND is_default = 1")
        .bind(auth.tenant().as_bytes())
        .bind(key_type)
}

/// Adds a version.
pub fn insert_version(auth: &Authorized<WriteKeys>, key: KeyId, version: &KeyVersion) -> Stmt {
    sql("INSERT INTO key_version (tenant, key_id, version, id, state, public, sealed, kek_version, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
    .bind(auth.tenant().as_bytes())
    .bind(key.as_bytes())
    .bind(version.version)
    .bind(version.id.as_bytes())
    .bind(&version.state)
    .bind(version.public.clone())
    .bind(version.sealed.clone())
    .bind(version.kek_version)
    .bind(version.created_at.millis())
}

/// Retires the version that a rotation replaced.
pub fn retire_version(auth: &Authorized<WriteKeys>, key: KeyId, version: u32, now: Timestamp) -> Stmt {
    sql("UPDATE key_version SET state = 'retired', rotated_at = $4 WHERE tenant = $1 AND key_id = $2 AND version = $3 AND state = 'active'")
        .bind(auth.tenant().as_bytes())
        .bind(key.as_bytes())
        .bind(version)
        .bind(now.millis())
}

/// Revokes one version.
pub fn revoke_version(auth: &Authorized<WriteKeys>, key: KeyId, version: u32, now: Timestamp) -> Stmt {
    sql("UPDATE key_version SET state = 'revoked', revoked_at = $4 \
         WHERE tenant = $1 AND key_id = $2 AND version = $3 AND revoked_at IS NULL")
    .bind(auth.tenant().as_bytes())
    .bind(key.as_bytes())
    .bind(version)
    .bind(now.millis())
}

/// Destroys the private halves and epochs of a key: what was encrypted under it can never be read again.
pub fn destroy_material(auth: &Authorized<WriteKeys>, key: KeyId) -> [Stmt; 2] {
    let bound = |text| sql(text).bind(auth.tenant().as_bytes()).bind(key.as_bytes());
    [
        bound("UPDATE key_version SET sealed = NULL WHERE tenant = $1 AND key_id = $2"),
        bound("DELETE FROM key_epoch WHERE tenant = $1 AND key_id = $2"),
    ]
}

/// Records the encapsulation that established an epoch.
pub fn insert_epoch<A: Action>(
    auth: &Authorized<A>,
    key: KeyId,
    version: u32,
    epoch: [u8; 8],
    encapsulation: &[u8],
    now: Timestamp,
) -> Stmt {
    sql("INSERT INTO key_epoch (tenant, key_id, version, epoch, encapsulation, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(auth.tenant().as_bytes())
        .bind(key.as_bytes())
        .bind(version)
        .bind(epoch)
        .bind(encapsulation)
        .bind(now.millis())
}

fn select_key(tenant: TenantId, key: &KeyRef) -> Stmt {
    const BY_ID: &str = select_keys!("AND id = $2 LIMIT 1");
    const BY_NAME: &str = select_keys!("AND folded = $2 LIMIT 1");
    const DEFAULT: &str = select_keys!("AND key_type = $2 AND is_default = 1 LIMIT 1");
    match key {
        KeyRef::Id(id) => sql(BY_ID).bind(tenant.as_bytes()).bind(id.as_bytes()),
        KeyRef::Name(folded) => sql(BY_NAME).bind(tenant.as_bytes()).bind(folded),
        KeyRef::Default(key_type) => sql(DEFAULT).bind(tenant.as_bytes()).bind(*key_type),
    }
}

fn named_key(row: &Row) -> Result<NamedKey> {
    let at = |column| -> Result<Option<Timestamp>> { Ok(row.opt_int(column)?.map(Timestamp::from_millis)) };
    let state = State::from_stored(row.text(5)?, at(6)?).ok_or_else(|| Error::corrupt("a key's state"))?;
    Ok(NamedKey {
        id: KeyId::from_bytes(row.array(0)?),
        name: row.text(1)?.to_owned(),
        folded: row.text(2)?.to_owned(),
        key_type: row.text(3)?.to_owned(),
        algorithm: row.text(4)?.to_owned(),
        state,
        is_default: row.flag(7)?,
        is_favorite: row.flag(8)?,
        current_version: row.u32(9)?,
        min_version: row.u32(10)?,
        revision: row.int(11)?,
        description: row.opt_blob(12)?.map(<[u8]>::to_vec),
        labels: row.text(13)?.to_owned(),
        expires_at: at(14)?,
        rotated_at: at(15)?,
        created_at: Timestamp::from_millis(row.int(16)?),
        updated_at: Timestamp::from_millis(row.int(17)?),
        exportable: row.flag(18)?,
    })
}

fn key_version(row: &Row) -> Result<KeyVersion> {
    let at = |column| -> Result<Option<Timestamp>> { Ok(row.opt_int(column)?.map(Timestamp::from_millis)) };
    Ok(KeyVersion {
        id: KeyVersionId::from_bytes(row.array(0)?),
        version: row.u32(1)?,
        state: row.text(2)?.to_owned(),
        public: row.opt_blob(3)?.map(<[u8]>::to_vec),
        sealed: row.opt_blob(4)?.map(<[u8]>::to_vec),
        kek_version: row.u32(5)?,
        created_at: Timestamp::from_millis(row.int(6)?),
        rotated_at: at(7)?,
        revoked_at: at(8)?,
    })
}
