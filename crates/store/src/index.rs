//! Expands batches into the audit index within a second: one row for all events of a batch that agree in everything one can filter
//! by (see [`group`]), because under load a batch holds many events of few kinds.
//!
//! The index can be rebuilt at any time: groups are inserted once by their key, and the cursor of a lane moves by a guarded update,
//! so two replicas at work do no harm. The lease only spares the second one the effort. Reading and grouping run on the
//! background thread, so that requests wait for neither.

pub(crate) mod group;

use std::collections::HashMap;
use std::sync::Arc;

use domain::ids::LaneId;

use crate::db::{Db, Isolation};
use crate::error::{Error, Result};
use crate::recent::Met;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

const LEASE: &str = "audit index";
const LEASE_MS: i64 = 5_000;
/// Batches of one lane expanded in one transaction.
const MOST_BATCHES: u8 = 32;

pub struct Expander {
    store: Store,
    holder: [u8; 16],
    /// The next batch of each lane, as far as known here; another replica may have gone on.
    cursors: HashMap<LaneId, i64>,
}

/// The cursor was not where it was thought to be.
#[derive(Debug, thiserror::Error)]
#[error("another replica has expanded this lane")]
struct Overtaken;

impl Expander {
    pub fn new(store: &Store, holder: [u8; 16]) -> Self {
        Self { store: store.clone(), holder, cursors: HashMap::new() }
    }

    /// Expands what is there, up to a few batches of every lane; returns how many events. Zero when there is nothing to do or
    /// another replica does it.
    pub async fn run_once(&mut self) -> Result<usize> {
        let mut behind = Vec::new();
        for source in self.store.lanes() {
            for (lane, head) in heads(source).await? {
                if self.cursors.get(&lane).is_none_or(|next| *next <= head) {
                    behind.push((source.clone(), lane));
                }
            }
        }
        if behind.is_empty()
            || (self.store.is_shared() && self.store.lease(LEASE, self.holder, LEASE_MS).await?.is_none())
        {
            return Ok(0);
        }
        let (mut events, mut failed) = (0, None);
        for (source, lane) in behind {
            match self.expand(&source, lane).await {
                Ok(count) => events += count,
                Err(error) if error.reason::<Overtaken>().is_some() => {
                    self.cursors.remove(&lane);
                }
                // One lane that cannot go on holds up no other.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(events), Err)
    }

    /// Forgets the index and begins again: for a file that was lost or is doubted.
    pub async fn rebuild(&mut self) -> Result<()> {
        self.cursors.clear();
        self.store
            .index
            .write("rebuild audit index", Isolation::ReadCommitted, |tx| {
                Box::pin(async move {
                    tx.exec(sql("DELETE FROM audit_group_cursor")).await?;
                    tx.exec(sql("DELETE FROM audit_group")).await.map(|_| ())
                })
            })
            .await
    }

    async fn expand(&mut self, source: &Db, lane: LaneId) -> Result<usize> {
        let next = match self.cursors.get(&lane) {
            Some(next) => *next,
            None => self.cursor(lane).await?,
        };
        let batches = self.store.follow(source, lane, next, MOST_BATCHES, expanded).await?;
        let Some(last) = batches.last() else {
            self.cursors.insert(lane, next);
            return Ok(0);
        };
        let after = last.seq + 1;
        let count = batches.iter().map(|batch| batch.events).sum();
        let inserts: Arc<[Stmt]> = batches.into_iter().flat_map(|batch| batch.inserts).collect();
        self.store
            .index
            .write("audit index", Isolation::ReadCommitted, move |tx| {
                let inserts = Arc::clone(&inserts);
                Box::pin(async move {
                    if tx.exec(advance(lane, next, after)).await? != 1 {
                        return Err(Error::other(Overtaken));
                    }
                    tx.exec_all(inserts).await.map(|_| ())
                })
            })
            .await?;
        self.cursors.insert(lane, after);
        Ok(count)
    }

    async fn cursor(&self, lane: LaneId) -> Result<i64> {
        let rows = self
            .store
            .index
            .read(sql("SELECT next_seq FROM audit_group_cursor WHERE lane = $1").bind(lane.as_bytes()))
            .await?;
        rows.first().map_or(Ok(1), |row| row.int(0))
    }
}

/// A lane that is new has no row yet, and the guard of the update does not apply to the insert: its first batch is number 1.
fn advance(lane: LaneId, next: i64, after: i64) -> Stmt {
    if next == 1 {
        return sql("INSERT INTO audit_group_cursor (lane, next_seq) VALUES ($1, $2) ON CONFLICT (lane) DO NOTHING")
            .bind(lane.as_bytes())
            .bind(after);
    }
    sql("UPDATE audit_group_cursor SET next_seq = $3 WHERE lane = $1 AND next_seq = $2")
        .bind(lane.as_bytes())
        .bind(next)
        .bind(after)
}

/// Every lane with the number of its newest batch. Lanes are as many as process starts, so each is found by a probe of the key.
pub(crate) async fn heads(source: &Db) -> Result<Vec<(LaneId, i64)>> {
    let rows = source
        .scan(sql("WITH RECURSIVE known (lane) AS (
                 SELECT * FROM (SELECT b.lane FROM audit_batch b ORDER BY b.lane LIMIT 1) AS lowest
                 UNION ALL
                 SELECT (SELECT b.lane FROM audit_batch b WHERE b.lane > known.lane ORDER BY b.lane LIMIT 1)
                 FROM known WHERE known.lane IS NOT NULL
             )
             SELECT known.lane, (SELECT MAX(b.seq) FROM audit_batch b WHERE b.lane = known.lane)
             FROM known WHERE known.lane IS NOT NULL LIMIT 100000"))
        .await?;
    rows.iter().map(|row| Ok((LaneId::from_bytes(row.array(0)?), row.int(1)?))).collect()
}

/// What stands in the index for a batch.
struct Expanded {
    seq: i64,
    events: usize,
    inserts: Vec<Stmt>,
}

/// A batch that is not what was written holds nothing that could be found. It is passed over, or whoever changed one batch would keep
/// everything behind it out of the index; that it was changed, the chains tell.
fn expanded(met: Met) -> Result<Expanded> {
    let seq = met.seq()?;
    let batch = match met.batch() {
        Ok(batch) => batch,
        Err(Error::Corrupt(_)) => return Ok(Expanded { seq, events: 0, inserts: Vec::new() }),
        Err(error) => return Err(error),
    };
    let records: Vec<_> = batch.records().collect();
    let groups = group::of(&batch, &records);
    Ok(Expanded {
        seq,
        events: groups.iter().map(|group| group.members.len()).sum(),
        inserts: (0..).zip(&groups).map(|(n, group)| group.insert(&batch, n)).collect(),
    })
}
