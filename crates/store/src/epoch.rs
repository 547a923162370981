//! What replicas cache is valid only while its tenant's epoch stands.
//!
//! A transaction that changes something cached bumps the tenant's row last; the row's lock is held to the commit, so epochs have
//! no holes and their order is the order of commits. Every replica polls the rows. Freshness counts from the start of the last poll
//! that succeeded, on a monotonic clock.
//!
//! A cache keeps a value with the [`Mark`] it read *before* loading the value, and uses it while the mark is still the current one
//! and [`Epochs::freshness`] allows.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use domain::ids::TenantId;

use crate::error::Result;
use crate::stmt::sql;
use crate::store::Store;

/// How often the rows are polled.
pub const PERIOD: Duration = Duration::from_millis(100);
/// Past this age a cached value is not used without reading the database.
pub const FRESH: Duration = Duration::from_millis(250);
/// Past this age nothing revocable may be answered at all.
pub const BLIND: Duration = Duration::from_secs(1);
const PAGE: i64 = 5_000;

/// The state of one tenant's caches; differs after every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    epoch: i64,
    /// Changes committed by this process, counted before the poll sees them: a caller reads what it wrote.
    local: u64,
}

/// How far the caches can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A value whose mark is current can be used.
    Fresh,
    /// Read through: the value may have changed a moment ago.
    Stale,
    /// The database has been out of reach for too long: fail closed.
    Blind,
}

/// The epochs this replica knows. Cheap to clone.
#[derive(Clone)]
pub struct Epochs(Arc<Inner>);

struct Inner {
    marks: RwLock<HashMap<TenantId, Mark>>,
    polled: Polled,
    wake: Notify,
    changes: watch::Sender<u64>,
}

enum Polled {
    /// Nobody else can write to a SQLite file: what this process has committed is all there is.
    Alone,
    /// When the last successful poll began.
    Since(watch::Sender<Option<Instant>>),
}

impl Epochs {
    pub(crate) fn alone() -> Self {
        Self::new(Polled::Alone)
    }

    pub(crate) fn polled() -> Self {
        Self::new(Polled::Since(watch::Sender::new(None)))
    }

    fn new(polled: Polled) -> Self {
        Self(Arc::new(Inner { marks: RwLock::default(), polled, wake: Notify::new(), changes: watch::Sender::new(0) }))
    }

    pub fn mark(&self, tenant: TenantId) -> Mark {
        let marks = self.0.marks.read().unwrap_or_else(PoisonError::into_inner);
        marks.get(&tenant).copied().unwrap_or_default()
    }

    /// Time since the start of the last successful poll; `None` before the first.
    pub fn age(&self) -> Option<Duration> {
        match &self.0.polled {
            Polled::Alone => Some(Duration::ZERO),
            Polled::Since(since) => since.borrow().map(|start| start.elapsed()),
        }
    }

    pub fn freshness(&self) -> Freshness {
        match self.age() {
            Some(age) if age <= FRESH => Freshness::Fresh,
            Some(age) if age <= BLIND => Freshness::Stale,
            _ => Freshness::Blind,
        }
    }

    /// Waits until all is known that any replica had committed when this was called. It does not end while the database is out of
    /// reach: callers have a patience of their own.
    pub async fn caught_up(&self) {
        let Polled::Since(since) = &self.0.polled else { return };
        let asked = Instant::now();
        self.0.wake.notify_one();
        // The sender is as old as `self`.
        drop(since.subscribe().wait_for(|start| start.is_some_and(|start| start >= asked)).await);
    }

    /// A number that grows whenever any mark moves.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Called between a commit of this process and the answer to its caller.
    pub(crate) fn moved(&self, tenants: &[[u8; 16]]) {
        if tenants.is_empty() {
            return;
        }
        let mut marks = self.0.marks.write().unwrap_or_else(PoisonError::into_inner);
        for tenant in tenants {
            marks.entry(TenantId::from_bytes(*tenant)).or_default().local += 1;
        }
        drop(marks);
        self.0.changes.send_modify(|n| *n += 1);
        self.0.wake.notify_one();
    }

    /// Polls for ever. On SQLite there is nothing to poll.
    pub async fn follow(self, store: Store) {
        let Polled::Since(since) = &self.0.polled else {
            return;
        };
        loop {
            let start = Instant::now();
            match self.poll(&store).await {
                Ok(()) => drop(since.send_replace(Some(start))),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the epochs could not be read");
                }
            }
            let rest = PERIOD.saturating_sub(start.elapsed()).max(Duration::from_millis(10));
            // Woken by a commit of our own, the others' changes are read a little earlier too.
            let _ = tokio::time::timeout(rest, self.0.wake.notified()).await;
        }
    }

    async fn poll(&self, store: &Store) -> Result<()> {
        let mut after = Vec::new();
        loop {
            let page = sql("SELECT tenant, epoch FROM tenant_epoch WHERE tenant > $1 ORDER BY tenant LIMIT $2");
            let rows = store.read(page.bind(&after).bind(PAGE)).await?;
            let seen = rows
                .iter()
                .map(|row| Ok((TenantId::from_bytes(row.array(0)?), row.int(1)?)))
                .collect::<Result<Vec<_>>>()?;
            self.note(&seen);
            match seen.last() {
                Some((tenant, _)) if seen.len() as i64 == PAGE => after = tenant.as_bytes().to_vec(),
                _ => return Ok(()),
            }
        }
    }

    fn note(&self, seen: &[(TenantId, i64)]) {
        let known = self.0.marks.read().unwrap_or_else(PoisonError::into_inner);
        let moved: Vec<_> = seen
            .iter()
            .filter(|(tenant, epoch)| known.get(tenant).is_none_or(|mark| mark.epoch < *epoch))
            .copied()
            .collect();
        drop(known);
        if moved.is_empty() {
            return;
        }
        let mut marks = self.0.marks.write().unwrap_or_else(PoisonError::into_inner);
        for (tenant, epoch) in moved {
            let mark = marks.entry(tenant).or_default();
            mark.epoch = mark.epoch.max(epoch);
        }
        drop(marks);
        self.0.changes.send_modify(|n| *n += 1);
    }
}
