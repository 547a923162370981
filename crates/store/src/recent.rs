//! The batches that this process has just written, for those who follow the lanes: the index and the signer of the chains read every
//! batch once and soon, and what was in memory a moment ago need not come back from the disk, nor be hashed to see what it is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::LaneId;

use crate::batch::{Batch, MOST_BYTES};
use crate::db::Db;
use crate::error::Result;
use crate::row::Row;
use crate::store::Store;

/// What is held at most, in bytes of batches: more than a busy server writes between two looks. Who comes later reads the database.
const HELD: usize = 8 << 20;
const _: () = assert!(HELD > MOST_BYTES);

/// Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Recent(Arc<Mutex<Ring>>);

#[derive(Default)]
struct Ring {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
}

impl Recent {
    /// Takes a batch that is on disk, behind all that are.
    pub fn add(&self, batch: Arc<Batch>) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += batch.size();
        ring.batches.push_back(batch);
        while ring.bytes > HELD
            && let Some(oldest) = ring.batches.pop_front()
        {
            ring.bytes -= oldest.size();
        }
    }

    /// The batches of a lane from this one on. None when it is not held: then the database has to be asked, for all of them.
    fn since(&self, lane: LaneId, seq: i64, most: usize) -> Vec<Arc<Batch>> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_lane = ring.batches.iter().filter(|batch| batch.lane == lane);
        let since = of_lane.skip_while(|batch| batch.seq < seq);
        // A lane is given up when one of its batches may be missing, so what comes behind the first comes without a gap.
        let mut since = since.take(most).peekable();
        match since.peek() {
            Some(first) if first.seq == seq => since.map(Arc::clone).collect(),
            _ => Vec::new(),
        }
    }
}

/// A batch as whoever follows its lane comes upon it.
pub(crate) enum Met {
    /// This process linked it.
    Own(Arc<Batch>),
    Stored(Row),
}

impl Met {
    pub fn seq(&self) -> Result<i64> {
        match self {
            Self::Own(batch) => Ok(batch.seq),
            Self::Stored(row) => row.int(1),
        }
    }

    pub fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// Corrupt when what is stored is not what was written.
    pub fn batch(self) -> Result<Arc<Batch>> {
        match self {
            Self::Own(batch) => Ok(batch),
            Self::Stored(row) => Batch::from_row(row).map(Arc::new),
        }
    }
}

impl Store {
    /// Reads a lane from a batch on, at most so many, each as soon as it is there.
    pub(crate) async fn follow<T: Send + 'static>(
        &self,
        source: &Db,
        lane: LaneId,
        from: i64,
        most: u8,
        mut read: impl FnMut(Met) -> Result<T> + Send + 'static,
    ) -> Result<Vec<T>> {
        let own = self.recent.since(lane, from, most.into());
        if own.is_empty() {
            let select = Batch::select().bind(lane.as_bytes()).bind(from).bind(i64::from(most));
            return source.scan_each(select, move |row| read(Met::Stored(row))).await;
        }
        self.in_background(move || own.into_iter().map(Met::Own).map(read).collect()).await?
    }
}

#[cfg(test)]
mod tests {
    use domain::audit::Draft;
    use domain::ids::TenantId;

    use super::*;
    use crate::batch::{Entry, Lane};

    fn batch(lane: &mut Lane, size: usize) -> Arc<Batch> {
        let body = Draft { event: vec![b'x'; size].into(), personal: vec![].into() }.encode();
        Arc::new(lane.link(vec![Entry { tenant: TenantId::from_bytes([1; 16]), body, found_by: None }]))
    }

    fn numbers(found: &[Arc<Batch>]) -> Vec<i64> {
        found.iter().map(|batch| batch.seq).collect()
    }

    #[test]
    fn a_lane_is_followed_from_what_is_held_and_what_went_is_asked_for_elsewhere() {
        let recent = Recent::default();
        let [one, other] = [[1; 16], [2; 16]].map(LaneId::from_bytes);
        let (mut mine, mut theirs) = (Lane::new(one), Lane::new(other));
        for _ in 0..3 {
            recent.add(batch(&mut mine, 10));
            recent.add(batch(&mut theirs, 10));
        }
        assert_eq!(numbers(&recent.since(one, 2, 9)), [2, 3]);
        assert_eq!(numbers(&recent.since(one, 1, 2)), [1, 2]);
        assert_eq!(numbers(&recent.since(one, 4, 9)), [0_i64; 0]);
        recent.add(batch(&mut theirs, HELD - 500));
        assert_eq!(numbers(&recent.since(one, 1, 9)), [0_i64; 0]);
        assert_eq!(numbers(&recent.since(other, 4, 9)), [4]);
    }
}
