//! People. Their profiles arrive sealed and leave sealed; their addresses are here as keyed hashes.
//!
//! Passwords, second factors and codes have files of their own.

use domain::authz::{Action, Authorized};
use domain::identity::account::{AccountRealm, State, TenantRole};
use domain::ids::{AccountId, ApplicationId, RoleId};
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::{Row, opt_word, word};
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One person.
#[derive(Clone, Debug)]
pub struct StoredAccount {
    pub id: AccountId,
    pub realm: AccountRealm,
    /// The keyed hash of the folded address.
    pub email: [u8; 32],
    pub is_email_verified: bool,
    pub state: State,
    /// What one of the tenant's own people is; absent for end users.
    pub role: Option<TenantRole>,
    /// The sealed profile.
    pub profile: Vec<u8>,
    /// Whether there is a password. Not written from here.
    pub has_password: bool,
    /// Whether it must be changed at the next sign-in. Not written from here.
    pub must_change_password: bool,
    /// Whether there is a second factor. Not written from here.
    pub has_second_factor: bool,
    /// Access tokens issued before are dead.
    pub tokens_not_before: Timestamp,
    /// Grants and sessions begun before are dead.
    pub grants_not_before: Timestamp,
    /// How often they signed in. Not written from here.
    pub login_count: i64,
    /// When they signed in last. Not written from here.
    pub last_login_at: Option<Timestamp>,
    pub blocked_at: Option<Timestamp>,
    /// Counts changes.
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Which people a listing is of.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountFilter {
    /// Only those who are shut out, or only those who are not.
    pub is_blocked: Option<bool>,
    /// Only those whose address is verified, or only those whose is not.
    pub is_email_verified: Option<bool>,
    /// Only those who have this role.
    pub role: Option<RoleId>,
}

/// How many people of a realm are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    pub total: u64,
    pub verified: u64,
    pub blocked: u64,
    /// Signed in since the time that was given.
    pub active: u64,
}

macro_rules! select_accounts {
    ($rest:expr) => {
        concat!(
            "SELECT a.id, a.realm, a.email, a.is_email_verified, a.state, a.role, a.profile, ",
            "CASE WHEN a.password IS NULL THEN 0 ELSE 1 END, a.must_change_password, a.has_second_factor, a.tokens_not_before, ",
            "a.grants_not_before, a.login_count, a.last_login_at, a.blocked_at, a.ver, a.created_at, a.updated_at ",
            "FROM account a WHERE a.tenant = $1 ",
            $rest
        )
    };
}

/// The people of the realm `$2` that a filter lets through. A deleted person is found among the blocked alone.
macro_rules! of_filter {
    () => {
        "AND a.realm = $2 AND ($3 < 0 AND a.state <> 'deleted' OR $3 = 1 AND a.state IN ('blocked', 'deleted') \
         OR $3 = 0 AND a.state IN ('invited', 'active')) AND ($4 < 0 OR a.is_email_verified = $4) \
         AND ($5 = 0 OR EXISTS (SELECT 1 FROM role_assignment r WHERE r.tenant = a.tenant AND r.account = a.id AND r.role = $6)) "
    };
}

impl Store {
    /// One person, whatever their state.
    pub async fn account<A: Action>(&self, auth: &Authorized<A>, id: AccountId) -> Result<Option<StoredAccount>> {
        let text = select_accounts!("AND a.id = $2 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes());
        self.read_one(statement).await?.as_ref().map(account).transpose()
    }

    /// The person of this address in a realm. A deleted one has none.
    pub async fn account_by_email<A: Action>(
        &self,
        auth: &Authorized<A>,
        realm: AccountRealm,
        email: &[u8; 32],
    ) -> Result<Option<StoredAccount>> {
        let text = select_accounts!("AND a.realm = $2 AND a.email = $3 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(realm.to_bytes()).bind(email);
        self.read_one(statement).await?.as_ref().map(account).transpose()
    }

    /// The person of this address in a realm, if a filter lets them through.
    pub async fn account_among<A: Action>(
        &self,
        auth: &Authorized<A>,
        realm: AccountRealm,
        filter: AccountFilter,
        email: &[u8; 32],
    ) -> Result<Option<StoredAccount>> {
        let text = select_accounts!(concat!(of_filter!(), "AND a.email = $7 LIMIT 1"));
        let statement = filtered(sql(text), auth, realm, filter).bind(email);
        self.read_one(statement).await?.as_ref().map(account).transpose()
    }

    /// A page of the people of a realm, the newest first.
    pub async fn accounts<A: Action>(
        &self,
        auth: &Authorized<A>,
        realm: AccountRealm,
        filter: AccountFilter,
        most: u32,
        skipped: u32,
    ) -> Result<Vec<StoredAccount>> {
        let text = select_accounts!(concat!(of_filter!(), "ORDER BY a.created_at DESC, a.id DESC LIMIT $7 OFFSET $8"));
        let statement = filtered(sql(text), auth, realm, filter).bind(most).bind(skipped);
        self.scan(statement).await?.iter().map(account).collect()
    }

    /// How many people of a realm a filter lets through.
    pub async fn count_accounts<A: Action>(
        &self,
        auth: &Authorized<A>,
        realm: AccountRealm,
        filter: AccountFilter,
    ) -> Result<u64> {
        let text = concat!("SELECT COUNT(*) FROM account a WHERE a.tenant = $1 ", of_filter!());
        let rows = self.scan(filtered(sql(text), auth, realm, filter)).await?;
        rows.first().map_or(Ok(0), |row| count(row, 0))
    }

    /// How many people of a realm are what. Deleted ones do not count.
    pub async fn account_counts<A: Action>(
        &self,
        auth: &Authorized<A>,
        realm: AccountRealm,
        since: Timestamp,
    ) -> Result<AccountCounts> {
        let text = "SELECT COUNT(*), COUNT(CASE WHEN is_email_verified = 1 THEN 1 END), COUNT(CASE WHEN state = 'blocked' THEN 1 END), \
                    COUNT(CASE WHEN last_login_at >= $3 THEN 1 END) FROM account \
                    WHERE tenant = $1 AND realm = $2 AND state <> 'deleted'";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(realm.to_bytes()).bind(since.millis());
        let rows = self.scan(statement).await?;
        let Some(row) = rows.first() else { return Ok(AccountCounts::default()) };
        Ok(AccountCounts {
            total: count(row, 0)?,
            verified: count(row, 1)?,
            blocked: count(row, 2)?,
            active: count(row, 3)?,
        })
    }

    /// How many of the tenant's people who may come in are owners.
    pub async fn count_owners<A: Action>(&self, auth: &Authorized<A>) -> Result<u64> {
        let text =
            "SELECT COUNT(*) FROM account WHERE tenant = $1 AND realm = $2 AND state = 'active' AND role = 'owner'";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(AccountRealm::Tenant.to_bytes());
        let rows = self.scan(statement).await?;
        rows.first().map_or(Ok(0), |row| count(row, 0))
    }
}

/// Adds a person, without a password and without a second factor.
pub fn insert_account<A: Action>(auth: &Authorized<A>, row: &StoredAccount) -> Stmt {
    sql("INSERT INTO account (tenant, id, realm, email, is_email_verified, state, role, profile, must_change_password, \
         has_second_factor, tokens_not_before, grants_not_before, login_count, blocked_at, ver, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, $10, 0, $11, $12, $13, $14)")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(row.realm.to_bytes())
    .bind(row.email)
    .bind(row.is_email_verified)
    .bind(row.state.as_str())
    .bind(row.role.map(TenantRole::as_str))
    .bind(&row.profile)
    .bind(row.tokens_not_before.millis())
    .bind(row.grants_not_before.millis())
    .bind(row.blocked_at.map(Timestamp::millis))
    .bind(row.revision)
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis())
}

/// Changes a person over the revision that was read; the new revision is one more. Cutoffs only move forward.
pub fn update_account<A: Action>(auth: &Authorized<A>, row: &StoredAccount) -> Stmt {
    sql("UPDATE account SET email = $4, is_email_verified = $5, state = $6, role = $7, profile = $8, blocked_at = $11, updated_at = $12, \
         tokens_not_before = CASE WHEN tokens_not_before > $9 THEN tokens_not_before ELSE $9 END, \
         grants_not_before = CASE WHEN grants_not_before > $10 THEN grants_not_before ELSE $10 END, ver = ver + 1 \
         WHERE tenant = $1 AND id = $2 AND ver = $3")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(row.revision)
    .bind(row.email)
    .bind(row.is_email_verified)
    .bind(row.state.as_str())
    .bind(row.role.map(TenantRole::as_str))
    .bind(&row.profile)
    .bind(row.tokens_not_before.millis())
    .bind(row.grants_not_before.millis())
    .bind(row.blocked_at.map(Timestamp::millis))
    .bind(row.updated_at.millis())
}

/// Puts changes of the tenant's own people in line. Touches one row.
pub fn lock_people<A: Action>(auth: &Authorized<A>) -> Stmt {
    sql("UPDATE tenant SET ver = ver WHERE id = $1").bind(auth.tenant().as_bytes())
}

/// Touches one row if an owner is left who may come in, and none otherwise.
pub fn keep_an_owner<A: Action>(auth: &Authorized<A>) -> Stmt {
    sql("UPDATE tenant SET ver = ver WHERE id = $1 AND EXISTS (SELECT 1 FROM account a \
         WHERE a.tenant = $1 AND a.realm = $2 AND a.state = 'active' AND a.role = 'owner')")
    .bind(auth.tenant().as_bytes())
    .bind(AccountRealm::Tenant.to_bytes())
}

/// Gives a person a password, as the record that it is checked by. One that somebody else chose must be changed.
pub fn set_password<A: Action>(
    auth: &Authorized<A>,
    id: AccountId,
    record: &[u8],
    must_change: bool,
    now: Timestamp,
) -> Stmt {
    sql("UPDATE account SET password = $3, must_change_password = $4, password_at = $5 WHERE tenant = $1 AND id = $2")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(record)
        .bind(must_change)
        .bind(now.millis())
}

/// Kills the access tokens of a person: what they say of the roles is no longer so.
pub fn cut_off_tokens<A: Action>(auth: &Authorized<A>, id: AccountId, now: Timestamp) -> Stmt {
    sql("UPDATE account SET tokens_not_before = CASE WHEN tokens_not_before > $3 THEN tokens_not_before ELSE $3 END, ver = ver + 1 \
         WHERE tenant = $1 AND id = $2")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(now.millis())
}

/// Erases the people of an application with everything that hangs on them.
pub fn erase_realm<A: Action>(auth: &Authorized<A>, application: ApplicationId) -> Vec<Stmt> {
    [
        "DELETE FROM role_assignment WHERE tenant = $1 AND account IN (SELECT id FROM account WHERE tenant = $1 AND realm = $2)",
        "DELETE FROM account_factor WHERE tenant = $1 AND account IN (SELECT id FROM account WHERE tenant = $1 AND realm = $2)",
        "DELETE FROM account_code WHERE tenant = $1 AND account IN (SELECT id FROM account WHERE tenant = $1 AND realm = $2)",
        "DELETE FROM login_event WHERE tenant = $1 AND account IN (SELECT id FROM account WHERE tenant = $1 AND realm = $2)",
        "DELETE FROM consent WHERE tenant = $1 AND application = $2",
        "DELETE FROM session WHERE tenant = $1 AND realm = $2",
        "DELETE FROM account WHERE tenant = $1 AND realm = $2",
        "DELETE FROM role WHERE tenant = $1 AND application = $2",
    ]
    .into_iter()
    .map(|text| sql(text).bind(auth.tenant().as_bytes()).bind(application.as_bytes()))
    .collect()
}

/// Erases a person who is shut out: the first statement touches exactly one row, the others what hung on it.
pub fn erase_account<A: Action>(auth: &Authorized<A>, id: AccountId) -> Vec<Stmt> {
    [
        "DELETE FROM account WHERE tenant = $1 AND id = $2 AND state IN ('blocked', 'deleted')",
        "DELETE FROM role_assignment WHERE tenant = $1 AND account = $2",
        "DELETE FROM account_factor WHERE tenant = $1 AND account = $2",
        "DELETE FROM account_code WHERE tenant = $1 AND account = $2",
        "DELETE FROM login_event WHERE tenant = $1 AND account = $2",
        "DELETE FROM consent WHERE tenant = $1 AND account = $2",
        "DELETE FROM session WHERE tenant = $1 AND account = $2",
    ]
    .into_iter()
    .map(|text| sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes()))
    .collect()
}

fn filtered<A: Action>(statement: Stmt, auth: &Authorized<A>, realm: AccountRealm, filter: AccountFilter) -> Stmt {
    let tri = |flag: Option<bool>| flag.map_or(-1, i64::from);
    statement
        .bind(auth.tenant().as_bytes())
        .bind(realm.to_bytes())
        .bind(tri(filter.is_blocked))
        .bind(tri(filter.is_email_verified))
        .bind(filter.role.is_some())
        .bind(filter.role.map_or([0; 16], |role| *role.as_bytes()))
}

fn count(row: &Row, column: usize) -> Result<u64> {
    u64::try_from(row.int(column)?).map_err(|_| Error::corrupt("a negative count"))
}

fn account(row: &Row) -> Result<StoredAccount> {
    Ok(StoredAccount {
        id: AccountId::from_bytes(row.array(0)?),
        realm: AccountRealm::from_bytes(row.array(1)?),
        email: row.array(2)?,
        is_email_verified: row.flag(3)?,
        state: word(row, 4)?,
        role: opt_word(row, 5)?,
        profile: row.blob(6)?.to_vec(),
        has_password: row.flag(7)?,
        must_change_password: row.flag(8)?,
        has_second_factor: row.flag(9)?,
        tokens_not_before: Timestamp::from_millis(row.int(10)?),
        grants_not_before: Timestamp::from_millis(row.int(11)?),
        login_count: row.int(12)?,
        last_login_at: row.opt_int(13)?.map(Timestamp::from_millis),
        blocked_at: row.opt_int(14)?.map(Timestamp::from_millis),
        revision: row.int(15)?,
        created_at: Timestamp::from_millis(row.int(16)?),
        updated_at: Timestamp::from_millis(row.int(17)?),
    })
}
