//! The audit events of mutations.
//!
//! They are written in the mutation's own transaction, so one never exists without the other, and moved into a lane afterwards by
//! whichever replica holds the lease: rows out and batch in are one transaction.

use domain::ids::{EventId, TenantId};
use domain::time::Timestamp;

use crate::batch::{Entry, Lane, MOST_BYTES};
use crate::error::{Error, Result};
use crate::idempotency::Claim;
use crate::lane::NewLane;
use crate::lease::Lease;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

const LEASE: &str = "audit outbox";
const LEASE_MS: i64 = 5_000;
const MOST_ROWS: i64 = 500;

/// The event of a mutation.
#[derive(Clone)]
pub struct OutboxRow {
    pub tenant: TenantId,
    pub id: EventId,
    pub at: Timestamp,
    /// What `domain::audit::Draft::encode` made.
    pub body: Vec<u8>,
}

impl OutboxRow {
    /// For [`crate::Tx::exec_last`] in the mutation's own transaction.
    pub fn insert(&self) -> Stmt {
        sql("INSERT INTO audit_outbox (tenant, id, at, body) VALUES ($1, $2, $3, $4)")
            .bind(self.tenant.as_bytes())
            .bind(self.id.as_bytes())
            .bind(self.at.millis())
            .bind(&self.body)
    }

    /// The same for a mutation that must happen once: it is undone unless its request still has its idempotency key, and
    /// marks the key's request as done. Only for [`crate::Tx::exec_last`].
    pub fn insert_once(&self, claim: &Claim, kept_until: Timestamp) -> Stmt {
        // Without the claim there is no tenant, and the column refuses that: the whole transaction is rolled back.
        sql("INSERT INTO audit_outbox (tenant, id, at, body) VALUES (
                 (SELECT tenant FROM idempotency WHERE tenant = $1 AND principal = $5 AND k = $6 AND answer = $7 AND status = 1),
                 $2, $3, $4)")
        .bind(self.tenant.as_bytes())
        .bind(self.id.as_bytes())
        .bind(self.at.millis())
        .bind(&self.body)
        .bind(claim.principal)
        .bind(&claim.key)
        .bind(claim.token)
        .after(claim.done(kept_until))
    }
}

/// Events not yet moved, counted up to 10,000, and the time of the oldest: the lag of the outbox.
pub async fn backlog(store: &Store) -> Result<(i64, Option<Timestamp>)> {
    let oldest = store.read_one(sql("SELECT at FROM audit_outbox ORDER BY at LIMIT 1")).await?;
    let Some(oldest) = oldest else { return Ok((0, None)) };
    let count = sql("SELECT COUNT(*) FROM (SELECT at FROM audit_outbox LIMIT 10000) AS waiting");
    let count = store.read_one(count).await?.map_or(Ok(0), |row| row.int(0))?;
    Ok((count, Some(Timestamp::from_millis(oldest.int(0)?))))
}

/// Moves events from the outbox into a lane of its own.
pub struct Mover {
    store: Store,
    holder: [u8; 16],
    new_lane: NewLane,
    lane: Option<Lane>,
}

/// A row was gone when it should have been moved: another replica has been faster.
#[derive(Debug, thiserror::Error)]
#[error("the outbox changed while it was being moved")]
struct Changed;

impl Mover {
    /// `holder` names this process in the lease.
    pub fn new(store: &Store, holder: [u8; 16], new_lane: NewLane) -> Self {
        Self { store: store.clone(), holder, new_lane, lane: None }
    }

    /// Moves one batch; returns how many events it held. Zero when there is nothing to do or another replica does it.
    pub async fn run_once(&mut self) -> Result<usize> {
        if self.store.read(sql("SELECT 1 FROM audit_outbox LIMIT 1")).await?.is_empty() {
            return Ok(0);
        }
        let Some(lease) = self.store.lease(LEASE, self.holder, LEASE_MS).await? else {
            return Ok(0);
        };
        let rows = self
            .store
            .scan(sql("SELECT tenant, id, body FROM audit_outbox ORDER BY at, tenant, id LIMIT $1").bind(MOST_ROWS))
            .await?;
        let (entries, deletes) = take(rows)?;
        let count = entries.len();
        let mut lane = self.lane.take().unwrap_or_else(|| Lane::new((self.new_lane)()));
        let insert = lane.link(entries).insert();
        self.store(lease, insert, deletes).await?;
        // Only now: after a failure the batch may be stored all the same, and the lane must not be continued.
        self.lane = Some(lane);
        Ok(count)
    }

    async fn store(&self, lease: Lease, insert: Stmt, deletes: Vec<Stmt>) -> Result<()> {
        self.store
            .write("move audit outbox", move |tx| {
                let (lease, insert, deletes) = (lease.clone(), insert.clone(), deletes.clone());
                Box::pin(async move {
                    tx.hold(&lease).await?;
                    tx.exec_last(insert);
                    match tx.exec_all(deletes).await?.iter().all(|deleted| *deleted == 1) {
                        true => Ok(()),
                        false => Err(Error::other(Changed)),
                    }
                })
            })
            .await
    }
}

fn take(rows: Vec<Row>) -> Result<(Vec<Entry>, Vec<Stmt>)> {
    let (mut entries, mut deletes, mut bytes) = (Vec::new(), Vec::new(), 0);
    for row in rows {
        let (tenant, id, body) = (row.array::<16>(0)?, row.array::<16>(1)?, row.blob(2)?);
        bytes += body.len();
        if bytes > MOST_BYTES && !entries.is_empty() {
            break;
        }
        entries.push(Entry { tenant: TenantId::from_bytes(tenant), body: body.to_vec(), found_by: None });
        deletes.push(sql("DELETE FROM audit_outbox WHERE tenant = $1 AND id = $2").bind(tenant).bind(id));
    }
    Ok((entries, deletes))
}
