//! Puts the events of groups that overlap in time into one order, newest first.
//!
//! Groups come by their newest event. Whatever is newer than the newest event of the next group is final: nothing that comes later
//! can stand before it.

use std::cmp::Reverse;

use domain::ids::{EventId, LaneId};
use domain::time::Timestamp;

use super::{Events, Filter, Found, Start};
use crate::error::{Error, Result};
use crate::row::Row;

/// Where a group stands in the index.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub last_at: i64,
    pub lane: LaneId,
    pub seq: i64,
    pub n: i64,
}

impl Place {
    /// Newer than every group.
    pub fn before_all() -> Self {
        Self { last_at: i64::MAX, lane: LaneId::from_bytes([0xff; 16]), seq: i64::MAX, n: i64::MAX }
    }
}

/// A row of the index.
pub(super) struct Group {
    pub place: Place,
    pub first_at: i64,
    count: u64,
    /// Places of its events in their batch.
    pub members: Vec<u16>,
}

impl Group {
    pub fn from_row(row: &Row) -> Result<Self> {
        let (pairs, []) = row.blob(6)?.as_chunks::<2>() else {
            return Err(Error::corrupt("an audit group that cannot be read"));
        };
        Ok(Self {
            place: Place {
                last_at: row.int(0)?,
                lane: LaneId::from_bytes(row.array(1)?),
                seq: row.int(2)?,
                n: row.int(3)?,
            },
            first_at: row.int(4)?,
            count: u64::try_from(row.int(5)?).map_err(Error::other)?,
            members: pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect(),
        })
    }
}

/// A page on its way.
pub(super) struct Merge {
    from: i64,
    to: i64,
    before: (i64, EventId),
    skip: u64,
    limit: usize,
    /// Not read yet.
    groups: Vec<Group>,
    /// Read and not final yet.
    events: Vec<Found>,
    page: Vec<Found>,
}

impl Merge {
    pub fn new(filter: &Filter, start: Start, limit: u32) -> Self {
        let (skip, before) = match start {
            Start::Offset(skip) => (skip, (i64::MAX, EventId::from_bytes([0xff; 16]))),
            Start::After(at, id) => (0, (at.millis(), id)),
        };
        Self {
            from: filter.earliest(),
            to: filter.latest(),
            before,
            skip: skip.into(),
            limit: limit as usize,
            groups: Vec::new(),
            events: Vec::new(),
            page: Vec::new(),
        }
    }

    /// Nothing newer than this belongs to the page.
    pub fn newest(&self) -> i64 {
        self.before.0.min(self.to)
    }

    pub fn add(&mut self, group: Group) {
        self.groups.push(group);
    }

    /// Takes what is newer than `next`, the newest event still to come, for final. Answers whether the page is full.
    pub async fn reach(&mut self, next: i64, events: &mut Events<'_>) -> Result<bool> {
        self.skip_whole(next);
        // Some of what waits may have to be skipped; as long as all of it may, none of it has to be read.
        if self.skip >= self.waiting() && next > i64::MIN {
            return Ok(self.limit == 0);
        }
        for group in std::mem::take(&mut self.groups) {
            let mut found = events.of(&group).await?;
            found.retain(|found| self.belongs(found));
            self.events.append(&mut found);
        }
        self.settle(next);
        Ok(self.page.len() >= self.limit)
    }

    pub fn into_page(self) -> Vec<Found> {
        self.page
    }

    /// Groups that are final as a whole are skipped unread while everything that waits is to be skipped: of events that all stand
    /// before the page it does not matter in which order they are counted.
    fn skip_whole(&mut self, next: i64) {
        if self.skip < self.waiting() {
            return;
        }
        let (from, newest) = (self.from, self.newest());
        let mut skipped = 0;
        self.groups.retain(|group| {
            let is_skipped = group.first_at > next && group.first_at >= from && group.place.last_at < newest;
            skipped += if is_skipped { group.count } else { 0 };
            !is_skipped
        });
        self.skip -= skipped;
    }

    fn waiting(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum::<u64>() + self.events.len() as u64
    }

    fn belongs(&self, found: &Found) -> bool {
        let at = found.at.millis();
        (self.from..=self.to).contains(&at) && (at, found.id) < self.before
    }

    /// Moves the final events into the page, behind those to be skipped.
    fn settle(&mut self, next: i64) {
        let (mut ready, waiting): (Vec<Found>, Vec<Found>) =
            std::mem::take(&mut self.events).into_iter().partition(|found| found.at > Timestamp::from_millis(next));
        self.events = waiting;
        ready.sort_unstable_by_key(|found| Reverse((found.at, found.id)));
        let skipped = ready.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.skip -= skipped as u64;
        let room = self.limit.saturating_sub(self.page.len());
        self.page.extend(ready.into_iter().skip(skipped).take(room));
    }
}
