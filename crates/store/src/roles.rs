//! Roles, and who has them.

use domain::authz::{Action, Authorized, WriteRoles};
use domain::identity::account::AccountRealm;
use domain::ids::{AccountId, RoleAssignmentId, RoleId};
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One role.
#[derive(Clone, Debug)]
pub struct StoredRole {
    pub id: RoleId,
    /// The application whose end users can have it; the tenant for a role that those of every application can have.
    pub realm: AccountRealm,
    pub name: String,
    pub description: Option<String>,
    /// A JSON array of texts.
    pub permissions: Option<String>,
    /// Whether new end users are given it.
    pub is_default: bool,
    /// Counts changes.
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A role as it is shown.
#[derive(Clone, Debug)]
pub struct ListedRole {
    pub role: StoredRole,
    /// The name of its application.
    pub application: Option<String>,
    /// How many people have it.
    pub holders: u64,
}

/// One role of one person.
#[derive(Clone, Debug)]
pub struct StoredAssignment {
    pub id: RoleAssignmentId,
    pub account: AccountId,
    pub role: RoleId,
    /// The role's name.
    pub name: String,
    pub assigned_at: Timestamp,
}

const MOST_ROLES: i64 = 2_000;
const MOST_OF_A_PERSON: i64 = 200;

macro_rules! select_roles {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.application, r.name, r.description, r.permissions, r.is_default, r.ver, r.created_at, r.updated_at, a.name, ",
            "(SELECT COUNT(*) FROM role_assignment x WHERE x.tenant = r.tenant AND x.role = r.id) ",
            "FROM role r LEFT JOIN application a ON a.tenant = r.tenant AND a.id = r.application WHERE r.tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// One role.
    pub async fn role<A: Action>(&self, auth: &Authorized<A>, id: RoleId) -> Result<Option<ListedRole>> {
        let text = select_roles!("AND r.id = $2 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes());
        self.read_one(statement).await?.as_ref().map(listed).transpose()
    }

    /// Every role, the oldest first.
    pub async fn roles<A: Action>(&self, auth: &Authorized<A>) -> Result<Vec<ListedRole>> {
        let text = select_roles!("ORDER BY r.created_at, r.id LIMIT $2");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(MOST_ROLES);
        self.scan(statement).await?.iter().map(listed).collect()
    }

    /// The roles that the people of a realm can have: the realm's and the tenant's, the oldest first.
    pub async fn roles_for<A: Action>(&self, auth: &Authorized<A>, realm: AccountRealm) -> Result<Vec<ListedRole>> {
        let text = select_roles!("AND r.application IN ($2, $3) ORDER BY r.created_at, r.id LIMIT $4");
        let statement = sql(text)
            .bind(auth.tenant().as_bytes())
            .bind(realm.to_bytes())
            .bind(AccountRealm::Tenant.to_bytes())
            .bind(MOST_ROLES);
        self.scan(statement).await?.iter().map(listed).collect()
    }

    /// The roles of a person, the oldest assignment first. Their names go into tokens.
    pub async fn roles_of<A: Action>(&self, auth: &Authorized<A>, account: AccountId) -> Result<Vec<StoredAssignment>> {
        let text = "SELECT x.id, x.account, x.role, r.name, x.assigned_at FROM role_assignment x \
                    JOIN role r ON r.tenant = x.tenant AND r.id = x.role WHERE x.tenant = $1 AND x.account = $2 \
                    ORDER BY x.assigned_at, x.id LIMIT $3";
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(account.as_bytes()).bind(MOST_OF_A_PERSON);
        self.read(statement).await?.iter().map(assignment).collect()
    }
}

/// Adds a role.
pub fn insert_role(auth: &Authorized<WriteRoles>, row: &StoredRole) -> Stmt {
    sql("INSERT INTO role (tenant, id, application, name, description, permissions, is_default, ver, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(row.realm.to_bytes())
    .bind(&row.name)
    .bind(row.description.clone())
    .bind(row.permissions.clone())
    .bind(row.is_default)
    .bind(row.revision)
    .bind(row.created_at.millis())
    .bind(row.updated_at.millis())
}

/// Changes a role over the revision that was read.
pub fn update_role(auth: &Authorized<WriteRoles>, row: &StoredRole) -> Stmt {
    sql("UPDATE role SET name = $4, description = $5, permissions = $6, is_default = $7, updated_at = $8, ver = ver + 1 \
         WHERE tenant = $1 AND id = $2 AND ver = $3")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(row.revision)
    .bind(&row.name)
    .bind(row.description.clone())
    .bind(row.permissions.clone())
    .bind(row.is_default)
    .bind(row.updated_at.millis())
}

/// Kills the access tokens of everybody who has a role, because they hold its old name. Touches as many rows as there are holders.
pub fn cut_off_holders(auth: &Authorized<WriteRoles>, id: RoleId, now: Timestamp) -> Stmt {
    sql("UPDATE account SET tokens_not_before = $3, ver = ver + 1 WHERE tenant = $1 AND tokens_not_before < $3 \
         AND id IN (SELECT x.account FROM role_assignment x WHERE x.tenant = $1 AND x.role = $2)")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
    .bind(now.millis())
}

/// Takes a role's row lock; whoever gives it or deletes it does so first, so that the one sees what the other did. Touches one row.
pub fn lock_role<A: Action>(auth: &Authorized<A>, id: RoleId) -> Stmt {
    sql("UPDATE role SET ver = ver WHERE tenant = $1 AND id = $2").bind(auth.tenant().as_bytes()).bind(id.as_bytes())
}

/// Removes a locked role that nobody has.
pub fn delete_role(auth: &Authorized<WriteRoles>, id: RoleId) -> Stmt {
    sql("DELETE FROM role WHERE tenant = $1 AND id = $2 \
         AND NOT EXISTS (SELECT 1 FROM role_assignment x WHERE x.tenant = $1 AND x.role = $2)")
    .bind(auth.tenant().as_bytes())
    .bind(id.as_bytes())
}

/// Gives a locked role to somebody. Having it already is [`Error::Unique`].
pub fn insert_assignment<A: Action>(auth: &Authorized<A>, row: &StoredAssignment) -> Stmt {
    sql("INSERT INTO role_assignment (tenant, id, account, role, assigned_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(auth.tenant().as_bytes())
        .bind(row.id.as_bytes())
        .bind(row.account.as_bytes())
        .bind(row.role.as_bytes())
        .bind(row.assigned_at.millis())
}

/// Takes a role from somebody.
pub fn delete_assignment<A: Action>(auth: &Authorized<A>, account: AccountId, role: RoleId) -> Stmt {
    sql("DELETE FROM role_assignment WHERE tenant = $1 AND account = $2 AND role = $3")
        .bind(auth.tenant().as_bytes())
        .bind(account.as_bytes())
        .bind(role.as_bytes())
}

fn listed(row: &Row) -> Result<ListedRole> {
    Ok(ListedRole {
        role: StoredRole {
            id: RoleId::from_bytes(row.array(0)?),
            realm: AccountRealm::from_bytes(row.array(1)?),
            name: row.text(2)?.to_owned(),
            description: row.opt_text(3)?.map(str::to_owned),
            permissions: row.opt_text(4)?.map(str::to_owned),
            is_default: row.flag(5)?,
            revision: row.int(6)?,
            created_at: Timestamp::from_millis(row.int(7)?),
            updated_at: Timestamp::from_millis(row.int(8)?),
        },
        application: row.opt_text(9)?.map(str::to_owned),
        holders: u64::try_from(row.int(10)?).map_err(|_| Error::corrupt("a negative count"))?,
    })
}

fn assignment(row: &Row) -> Result<StoredAssignment> {
    Ok(StoredAssignment {
        id: RoleAssignmentId::from_bytes(row.array(0)?),
        account: AccountId::from_bytes(row.array(1)?),
        role: RoleId::from_bytes(row.array(2)?),
        name: row.text(3)?.to_owned(),
        assigned_at: Timestamp::from_millis(row.int(4)?),
    })
}
