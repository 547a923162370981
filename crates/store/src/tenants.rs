//! Tenants. Their slugs stand in addresses, so they never change.

use domain::authz::{Authorized, ManageSignIn, ManageTenants};
use domain::identity::application::MfaPolicy;
use domain::ids::TenantId;
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::{Row, opt_word};
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// The tenant.
    pub id: TenantId,
    /// Its name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Whether its credentials are refused.
    pub is_suspended: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// Whether its people need a second factor, where an application says nothing.
    pub mfa_policy: Option<MfaPolicy>,
}

const MOST_TENANTS: i64 = 10_000;

impl Store {
    /// One tenant.
    pub async fn tenant(&self, _: &Authorized<ManageTenants>, id: TenantId) -> Result<Option<Tenant>> {
        let text =
            "SELECT id, slug, name, state, created_at, updated_at, ver, mfa_policy FROM tenant WHERE id = $1 LIMIT 1";
        self.read_one(sql(text).bind(id.as_bytes())).await?.as_ref().map(tenant).transpose()
    }

    /// Every tenant, by slug.
    pub async fn tenants(&self, _: &Authorized<ManageTenants>) -> Result<Vec<Tenant>> {
        let text =
            "SELECT id, slug, name, state, created_at, updated_at, ver, mfa_policy FROM tenant ORDER BY slug LIMIT $1";
        self.scan(sql(text).bind(MOST_TENANTS)).await?.iter().map(tenant).collect()
    }

    /// The tenant of a slug, for what anybody may read of it.
    pub async fn tenant_of_slug(&self, slug: &str) -> Result<Option<TenantId>> {
        let found = self.read_one(sql("SELECT id FROM tenant WHERE slug = $1 LIMIT 1").bind(slug)).await?;
        found.map(|row| row.array(0).map(TenantId::from_bytes)).transpose()
    }

    /// A tenant's slug, which names its trust domain.
    pub async fn slug_of_tenant(&self, id: TenantId) -> Result<Option<String>> {
        let found = self.read_one(sql("SELECT slug FROM tenant WHERE id = $1 LIMIT 1").bind(id.as_bytes())).await?;
        found.map(|row| Ok(row.text(0)?.to_owned())).transpose()
    }

    /// Whether a tenant's people need a second factor, where an application says nothing.
    pub async fn mfa_policy_of_tenant(&self, id: TenantId) -> Result<Option<MfaPolicy>> {
        let found =
            self.read_one(sql("SELECT mfa_policy FROM tenant WHERE id = $1 LIMIT 1").bind(id.as_bytes())).await?;
        found.map_or(Ok(None), |row| opt_word(&row, 0))
    }

    /// Every tenant's id, for work that goes through all of them.
    pub async fn tenant_ids(&self) -> Result<Vec<TenantId>> {
        let rows = self.scan(sql("SELECT id FROM tenant ORDER BY id LIMIT $1").bind(MOST_TENANTS)).await?;
        rows.iter().map(|row| row.array(0).map(TenantId::from_bytes)).collect()
    }
}

/// Adds a tenant. Its slug being taken is [`crate::Error::Unique`].
pub fn insert_tenant(tenant: &Tenant) -> Stmt {
    sql("INSERT INTO tenant (id, slug, name, state, created_at, updated_at, ver) VALUES ($1, $2, $3, $4, $5, $6, 1)")
        .bind(tenant.id.as_bytes())
        .bind(&tenant.slug)
        .bind(&tenant.name)
        .bind(state(tenant.is_suspended))
        .bind(tenant.created_at.millis())
        .bind(tenant.updated_at.millis())
}

/// Writes back a tenant that was read at its revision; touches no row when somebody else changed it in between.
pub fn update_tenant(_: &Authorized<ManageTenants>, tenant: &Tenant) -> Stmt {
    sql("UPDATE tenant SET name = $2, state = $3, updated_at = $4, mfa_policy = $6, ver = ver + 1 WHERE id = $1 AND ver = $5")
        .bind(tenant.id.as_bytes())
        .bind(&tenant.name)
        .bind(state(tenant.is_suspended))
        .bind(tenant.updated_at.millis())
        .bind(tenant.revision)
        .bind(tenant.mfa_policy.map(MfaPolicy::as_str))
}

/// Says whether the tenant's people need a second factor, where an application says nothing.
pub fn set_mfa_policy(auth: &Authorized<ManageSignIn>, policy: MfaPolicy, now: Timestamp) -> Stmt {
    sql("UPDATE tenant SET mfa_policy = $2, updated_at = $3, ver = ver + 1 WHERE id = $1")
        .bind(auth.tenant().as_bytes())
        .bind(policy.as_str())
        .bind(now.millis())
}

fn state(is_suspended: bool) -> &'static str {
    if is_suspended { "suspended" } else { "active" }
}

fn tenant(row: &Row) -> Result<Tenant> {
    Ok(Tenant {
        id: TenantId::from_bytes(row.array(0)?),
        slug: row.text(1)?.to_owned(),
        name: row.text(2)?.to_owned(),
        is_suspended: row.text(3)? != "active",
        created_at: Timestamp::from_millis(row.int(4)?),
        updated_at: Timestamp::from_millis(row.int(5)?),
        revision: row.int(6)?,
        mfa_policy: opt_word(row, 7)?,
    })
}
