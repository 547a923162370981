//! Tenant KEKs and cell epochs: sealed key material, by tenant.
//!
//! Read before anything of the tenant can be opened, so these methods take the tenant itself and not an authorization.

use domain::ids::TenantId;
use domain::time::Timestamp;

use crate::error::Result;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One version of a tenant's key-encryption key.
#[derive(Clone)]
pub struct KekRow {
    /// From 1.
    pub version: u32,
    /// The encapsulation key.
    pub public: Vec<u8>,
    /// The private half, sealed to the root.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One cell epoch.
#[derive(Clone)]
pub struct CellEpochRow {
    /// Its random name.
    pub epoch: [u8; 8],
    /// The cell key, wrapped to a KEK.
    pub wrapped: Vec<u8>,
    /// Which KEK.
    pub kek_version: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// More versions than this is a fault, not a tenant.
const MOST: i64 = 10_000;

impl Store {
    /// Every KEK version of a tenant.
    pub async fn tenant_keks(&self, tenant: TenantId) -> Result<Vec<KekRow>> {
        let text =
            "SELECT version, public, sealed, created_at FROM tenant_kek WHERE tenant = $1 ORDER BY version LIMIT $2";
        self.read(sql(text).bind(tenant.as_bytes()).bind(MOST)).await?.iter().map(kek).collect()
    }

    /// Every cell epoch of a tenant, oldest first.
    pub async fn cell_epochs(&self, tenant: TenantId) -> Result<Vec<CellEpochRow>> {
        let text = "SELECT epoch, wrapped, kek_version, created_at FROM cell_epoch WHERE tenant = $1 ORDER BY created_at, epoch LIMIT $2";
        self.read(sql(text).bind(tenant.as_bytes()).bind(MOST)).await?.iter().map(cell_epoch).collect()
    }
}

/// The statement that adds a KEK version.
pub fn insert_kek(tenant: TenantId, row: &KekRow) -> Stmt {
    sql("INSERT INTO tenant_kek (tenant, version, public, sealed, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant.as_bytes())
        .bind(row.version)
        .bind(&row.public)
        .bind(&row.sealed)
        .bind(row.created_at.millis())
}

/// The statement that adds a cell epoch.
pub fn insert_cell_epoch(tenant: TenantId, row: &CellEpochRow) -> Stmt {
    sql("INSERT INTO cell_epoch (tenant, epoch, wrapped, kek_version, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant.as_bytes())
        .bind(row.epoch)
        .bind(&row.wrapped)
        .bind(row.kek_version)
        .bind(row.created_at.millis())
}

fn kek(row: &Row) -> Result<KekRow> {
    Ok(KekRow {
        version: row.u32(0)?,
        public: row.blob(1)?.to_vec(),
        sealed: row.blob(2)?.to_vec(),
        created_at: Timestamp::from_millis(row.int(3)?),
    })
}

fn cell_epoch(row: &Row) -> Result<CellEpochRow> {
    Ok(CellEpochRow {
        epoch: row.array(0)?,
        wrapped: row.blob(1)?.to_vec(),
        kek_version: row.u32(2)?,
        created_at: Timestamp::from_millis(row.int(3)?),
    })
}
