//! How much entropy each tenant has drawn in a month.

use domain::ids::TenantId;

use crate::error::Result;
use crate::stmt::sql;
use crate::store::Store;

impl Store {
    /// Adds to a month's use and returns the sum; `None`, with nothing added, when that would pass the quota.
    pub async fn consume_entropy(&self, tenant: TenantId, month: i64, bytes: u64, quota: u64) -> Result<Option<u64>> {
        let (bytes, quota) = (i64::try_from(bytes).unwrap_or(i64::MAX), i64::try_from(quota).unwrap_or(i64::MAX));
        if bytes > quota {
            return Ok(None);
        }
        let statement = sql("INSERT INTO entropy_usage (tenant, month, bytes) VALUES ($1, $2, $3) \
                             ON CONFLICT (tenant, month) DO UPDATE SET bytes = entropy_usage.bytes + excluded.bytes \
                             WHERE entropy_usage.bytes + excluded.bytes <= $4 RETURNING bytes")
        .bind(tenant.as_bytes())
        .bind(month)
        .bind(bytes)
        .bind(quota);
        let row = self
            .write("consume entropy", move |tx| {
                let statement = statement.clone();
                Box::pin(async move { tx.row(statement).await })
            })
            .await?;
        row.map(|row| row.int(0).map(i64::unsigned_abs)).transpose()
    }
}
