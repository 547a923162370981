//! The audit lane: how an operation that changes no row is made durable before it is answered.
//!
//! Events that queued up during one commit share the next, as one row. A batch waits for what is on its way already, as long as
//! events keep coming while this thread has other requests to serve, and no longer than a millisecond: a commit costs as much
//! processor time as ten requests, whatever is in it. An event that is alone waits for nothing; one that comes behind a crowd waits for
//! half as many, because whoever was answered asks again, and late ones would have a commit to themselves. The queue is bounded: an operation
//! that finds it full waits, then fails; nothing is dropped and nothing is answered unaudited. A batch whose commit failed may or
//! may not be stored, so the lane is given up and the next batch begins another one: a chain never forks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use domain::audit::FoundBy;
use domain::ids::{LaneId, TenantId};

use crate::batch::{Entry, Lane, MOST_BYTES, MOST_EVENTS};
use crate::db::{Db, Isolation};
use crate::error::{Error, Result};
use crate::recent::Recent;
use crate::store::Store;

const QUEUE: usize = 4_096;
/// How long an event waits for room in the queue; a caller with less time gives up sooner by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// A batch of so many waits for no more: the commit's own cost is small beside theirs.
const ENOUGH: usize = 64;
/// So many in one batch are a crowd.
const CROWD: usize = 16;
/// The longest that a batch waits for events that are on their way.
const LINGER: Duration = Duration::from_millis(1);

/// Names each new lane; random, so that no two processes share one.
pub type NewLane = Box<dyn Fn() -> LaneId + Send + Sync>;

/// Where events are handed in. Cheap to clone; the lane ends when the last clone is dropped.
#[derive(Clone)]
pub struct AuditLane {
    queue: mpsc::Sender<Waiting>,
    tally: Arc<Tally>,
}

struct Waiting {
    entry: Entry,
    done: oneshot::Sender<Result<()>>,
}

#[derive(Default)]
struct Tally {
    events: AtomicU64,
    batches: AtomicU64,
    failed: AtomicU64,
    last_commit_us: AtomicU64,
}

/// What the lane has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneStatus {
    pub events: u64,
    pub batches: u64,
    /// Events whose commit failed: their operations were not answered.
    pub failed: u64,
    /// Events waiting now.
    pub queued: usize,
    pub last_commit_us: u64,
}

impl AuditLane {
    pub fn start(store: &Store, new_lane: NewLane) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let tally = Arc::new(Tally::default());
        let writer = Writer {
            db: store.lane.clone(),
            recent: store.recent.clone(),
            lane: Lane::new(new_lane()),
            new_lane,
            tally: Arc::clone(&tally),
        };
        tokio::spawn(writer.run(waiting));
        Self { queue, tally }
    }

    /// Returns once the event is on disk. `body` is what `domain::audit::Draft::encode` made, and `found_by` what the index has to know
    /// of it, which otherwise is read from it.
    pub async fn append(&self, tenant: TenantId, body: Vec<u8>, found_by: Option<FoundBy<'static>>) -> Result<()> {
        let (done, stored) = oneshot::channel();
        let waiting = Waiting { entry: Entry { tenant, body, found_by }, done };
        match self.queue.try_send(waiting) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(waiting)) => {
                Box::pin(self.queue.send_timeout(waiting, PATIENCE)).await.map_err(|_| Error::Busy)?;
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Error::unavailable("the audit lane has ended")),
        }
        stored.await.map_err(Error::unavailable)?
    }

    pub fn status(&self) -> LaneStatus {
        LaneStatus {
            events: self.tally.events.load(Ordering::Relaxed),
            batches: self.tally.batches.load(Ordering::Relaxed),
            failed: self.tally.failed.load(Ordering::Relaxed),
            queued: self.queue.max_capacity() - self.queue.capacity(),
            last_commit_us: self.tally.last_commit_us.load(Ordering::Relaxed),
        }
    }
}

struct Writer {
    db: Db,
    recent: Recent,
    lane: Lane,
    new_lane: NewLane,
    tally: Arc<Tally>,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut taken = Vec::with_capacity(MOST_EVENTS);
        let mut expected = 0;
        while waiting.recv_many(&mut taken, MOST_EVENTS).await > 0 {
            gather(&mut waiting, &mut taken, expected).await;
            expected = if taken.len() < CROWD { 0 } else { taken.len() / 2 };
            let mut left: VecDeque<Waiting> = taken.drain(..).collect();
            while !left.is_empty() {
                let (entries, callers) = next_batch(&mut left);
                let stored = self.store(entries).await;
                for caller in callers {
                    // A caller who went away leaves its event in the log; the operation itself happened.
                    let _ = caller.send(stored.clone());
                }
            }
        }
    }

    async fn store(&mut self, entries: Vec<Entry>) -> Result<()> {
        let count = entries.len() as u64;
        let start = Instant::now();
        let batch = Arc::new(self.lane.link(entries));
        let linked = Arc::clone(&batch);
        let stored = self
            .db
            .write("audit lane", Isolation::ReadCommitted, move |tx| {
                // Nothing to wait for before the commit: on PostgreSQL all of it is one flight.
                tx.exec_last(linked.insert());
                Box::pin(async { Ok(()) })
            })
            .await;
        if stored.is_ok() {
            self.recent.add(batch);
            self.tally.events.fetch_add(count, Ordering::Relaxed);
            self.tally.batches.fetch_add(1, Ordering::Relaxed);
        } else {
            self.tally.failed.fetch_add(count, Ordering::Relaxed);
            self.lane = Lane::new((self.new_lane)());
        }
        let spent = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.tally.last_commit_us.store(spent, Ordering::Relaxed);
        stored
    }
}

/// Lets the requests that can run now come to their events, and those that are expected.
async fn gather(waiting: &mut mpsc::Receiver<Waiting>, taken: &mut Vec<Waiting>, expected: usize) {
    let end = Instant::now() + LINGER;
    while taken.len() < ENOUGH && Instant::now() < end {
        let before = taken.len();
        // Behind everything else that can run on this thread, and a look at the sockets.
        tokio::task::yield_now().await;
        while taken.len() < MOST_EVENTS
            && let Ok(next) = waiting.try_recv()
        {
            taken.push(next);
        }
        if taken.len() > before {
            continue;
        }
        if taken.len() >= expected {
            return;
        }
        match tokio::time::timeout_at(end.into(), waiting.recv()).await {
            Ok(Some(next)) => taken.push(next),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Takes from the front until the batch is full; one event always goes, however large it is.
fn next_batch(left: &mut VecDeque<Waiting>) -> (Vec<Entry>, Vec<oneshot::Sender<Result<()>>>) {
    let (mut entries, mut callers, mut bytes) = (Vec::new(), Vec::new(), 0);
    while let Some(waiting) = left.pop_front() {
        bytes += waiting.entry.body.len();
        if bytes > MOST_BYTES && !entries.is_empty() {
            left.push_front(waiting);
            break;
        }
        entries.push(waiting.entry);
        callers.push(waiting.done);
    }
    (entries, callers)
}
