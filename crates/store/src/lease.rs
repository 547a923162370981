//! Leases: which replica does a piece of background work.
//!
//! Time is the database's. A lease alone cannot stop a holder that was asleep while it expired, so every transaction of the work
//! names the fence ([`Tx::hold`]): it fails once somebody else has taken over.

use crate::error::{Error, Result};
use crate::stmt::sql;
use crate::store::Store;
use crate::tx::Tx;

#[derive(Clone, Debug)]
pub struct Lease {
    name: &'static str,
    holder: [u8; 16],
    fence: i64,
}

/// Somebody else holds the lease now; the transaction was rolled back.
#[derive(Debug, thiserror::Error)]
#[error("the lease {0} has been taken over")]
pub struct Lost(pub &'static str);

impl Store {
    /// Takes a lease that is free or has run out, or renews one's own; `None` while another holds it. Renewing moves the fence.
    pub async fn lease(&self, name: &'static str, holder: [u8; 16], for_ms: i64) -> Result<Option<Lease>> {
        self.write("lease", move |tx| {
            Box::pin(async move {
                let now = tx.database_time().await?;
                let taken = tx
                    .row(
                        sql("INSERT INTO lease (name, holder, until, fence) VALUES ($1, $2, $3, 1)
                             ON CONFLICT (name) DO UPDATE
                             SET holder = excluded.holder, until = excluded.until, fence = lease.fence + 1
                             WHERE lease.until < $4 OR lease.holder = excluded.holder
                             RETURNING fence")
                        .bind(name)
                        .bind(holder)
                        .bind(now.saturating_add(for_ms))
                        .bind(now),
                    )
                    .await?;
                taken.map(|row| Ok(Lease { name, holder, fence: row.int(0)? })).transpose()
            })
        })
        .await
    }

    /// Lets the next replica start at once instead of waiting for the lease to run out.
    pub async fn release(&self, lease: Lease) -> Result<()> {
        self.write("release lease", move |tx| {
            Box::pin(async move {
                // A lease already taken over is not ours to release: no row, no error.
                tx.exec(
                    sql("UPDATE lease SET until = 0 WHERE name = $1 AND holder = $2 AND fence = $3")
                        .bind(lease.name)
                        .bind(lease.holder)
                        .bind(lease.fence),
                )
                .await
                .map(|_| ())
            })
        })
        .await
    }
}

impl Tx<'_> {
    /// Ties this transaction to a lease: it commits only while nobody has taken over.
    pub async fn hold(&mut self, lease: &Lease) -> Result<()> {
        let held = self
            .exec(
                sql("UPDATE lease SET fence = fence WHERE name = $1 AND holder = $2 AND fence = $3")
                    .bind(lease.name)
                    .bind(lease.holder)
                    .bind(lease.fence),
            )
            .await?;
        match held {
            1 => Ok(()),
            _ => Err(Error::other(Lost(lease.name))),
        }
    }
}
