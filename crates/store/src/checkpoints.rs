//! Checkpoints of the audit trail: signed heads, so that a rewritten or rolled back chain shows even to somebody who
//! holds the database only.
//!
//! The latest checkpoint of a tenant says everything; earlier ones of the same hour are dropped when it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::authz::{Authorized, ReadAudit};
use domain::ids::{EventId, LaneId, TenantId};
use domain::time::{HOUR_MS, Timestamp};

use crate::batch::Batch;
use crate::error::Result;
use crate::index;
use crate::lease::Lease;
use crate::recent::Met;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// A signed head of a tenant's chains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The tenant.
    pub tenant: TenantId,
    /// When it was signed.
    pub at: Timestamp,
    /// Its name.
    pub id: EventId,
    /// The exact bytes signed: the JSON of an export's trailer.
    pub body: Vec<u8>,
    /// ML-DSA-65 over the body.
    pub signature: Vec<u8>,
}

/// Where reading goes on in each lane.
pub type Cursors = BTreeMap<LaneId, i64>;

/// The row of `meta` under which the cursors of the checkpoints stand.
const CURSORS: &str = "audit.checkpoint.cursors";
/// Batches read at once, of all lanes; each has half a megabyte at most.
const MOST_AT_ONCE: usize = 16;
/// Batches read at once, of one lane.
const MOST_BATCHES: u8 = 16;
const MOST_CHECKPOINTS: i64 = 10_000;

/// A row where a batch should be. Whoever changed one must not stop the others from being followed.
#[derive(Debug)]
pub struct Found {
    pub lane: LaneId,
    pub seq: i64,
    /// Whether this process linked it a moment ago, and nobody had it in between.
    pub is_own: bool,
    /// Absent when the row is not what was written.
    pub batch: Option<Arc<Batch>>,
}

impl Store {
    /// Batches written behind the cursors, a few of each lane, in the lanes' order. Empty when there are none.
    pub async fn audit_batches_since(&self, cursors: &Cursors) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        'sources: for source in self.lanes() {
            for (lane, head) in index::heads(source).await? {
                let next = cursors.get(&lane).copied().unwrap_or(1);
                if next > head {
                    continue;
                }
                let read =
                    move |met: Met| Ok(Found { lane, seq: met.seq()?, is_own: met.is_own(), batch: met.batch().ok() });
                found.extend(self.follow(source, lane, next, MOST_BATCHES, read).await?);
                if found.len() >= MOST_AT_ONCE {
                    break 'sources;
                }
            }
        }
        Ok(found)
    }

    /// Up to where the checkpoints have read, as they stored it.
    pub async fn checkpoint_cursors(&self) -> Result<Option<Vec<u8>>> {
        self.meta(CURSORS).await
    }

    /// The newest checkpoint of every tenant.
    pub async fn newest_checkpoints(&self) -> Result<Vec<Checkpoint>> {
        let text = "SELECT c.tenant, c.at, c.id, c.body, c.signature FROM audit_checkpoint c \
             JOIN (SELECT tenant, MAX(at) AS newest FROM audit_checkpoint GROUP BY tenant) n \
             ON n.tenant = c.tenant AND n.newest = c.at ORDER BY c.tenant, c.id LIMIT $1";
        self.scan(sql(text).bind(MOST_CHECKPOINTS)).await?.iter().map(checkpoint).collect()
    }

    /// The newest checkpoint of the caller's tenant.
    pub async fn newest_checkpoint(&self, auth: &Authorized<ReadAudit>) -> Result<Option<Checkpoint>> {
        let text = "SELECT tenant, at, id, body, signature FROM audit_checkpoint WHERE tenant = $1 ORDER BY at DESC, id DESC LIMIT 1";
        self.read_one(sql(text).bind(auth.tenant().as_bytes())).await?.as_ref().map(checkpoint).transpose()
    }

    /// Writes checkpoints and where reading goes on, while the lease is held.
    pub async fn write_checkpoints(&self, lease: Lease, checkpoints: &[Checkpoint], cursors: Vec<u8>) -> Result<()> {
        let mut statements: Vec<Stmt> = checkpoints.iter().flat_map(|new| [thin_out(new), insert(new)]).collect();
        statements.push(
            sql("INSERT INTO meta (k, v) VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v")
                .bind(CURSORS)
                .bind(cursors),
        );
        self.write("write checkpoints", move |tx| {
            let (lease, statements) = (lease.clone(), statements.clone());
            Box::pin(async move {
                tx.hold(&lease).await?;
                tx.exec_all(statements).await.map(|_| ())
            })
        })
        .await
    }
}

fn insert(new: &Checkpoint) -> Stmt {
    sql("INSERT INTO audit_checkpoint (tenant, at, id, body, signature) VALUES ($1, $2, $3, $4, $5)")
        .bind(new.tenant.as_bytes())
        .bind(new.at.millis())
        .bind(new.id.as_bytes())
        .bind(&new.body)
        .bind(&new.signature)
}

fn thin_out(new: &Checkpoint) -> Stmt {
    let hour = new.at.millis() - new.at.millis().rem_euclid(HOUR_MS);
    sql("DELETE FROM audit_checkpoint WHERE tenant = $1 AND at >= $2 AND at < $3")
        .bind(new.tenant.as_bytes())
        .bind(hour)
        .bind(new.at.millis())
}

fn checkpoint(row: &Row) -> Result<Checkpoint> {
    Ok(Checkpoint {
        tenant: TenantId::from_bytes(row.array(0)?),
        at: Timestamp::from_millis(row.int(1)?),
        id: EventId::from_bytes(row.array(2)?),
        body: row.blob(3)?.to_vec(),
        signature: row.blob(4)?.to_vec(),
    })
}
