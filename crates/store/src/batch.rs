//! A batch of chained audit records: one row of a lane, written by one commit.

use crypto::hash::sha256;
use domain::audit::FoundBy;
use domain::audit::chain::{Chain, RECORD_HEAD_LEN, Record};
use domain::ids::{LaneId, TenantId};
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};

/// A batch holds no more than this: CockroachDB wants rows below a megabyte.
pub(crate) const MOST_EVENTS: usize = 1_000;
pub(crate) const MOST_BYTES: usize = 512 << 10;

/// The hash before a lane's first batch.
const GENESIS: [u8; 32] = [0; 32];

/// One event on its way into a lane: `body` is what `domain::audit::Draft::encode` made.
pub(crate) struct Entry {
    pub tenant: TenantId,
    pub body: Vec<u8>,
    /// What the event is found by, from whoever still knows it: reading it again is a tenth of a cheap request.
    pub found_by: Option<FoundBy<'static>>,
}

/// The writing end of a lane: its chains, and where the next batch goes.
pub(crate) struct Lane {
    chain: Chain,
    next_seq: i64,
    last_hash: [u8; 32],
}

/// A batch: linked here, or as it was stored, its own hash checked. Every record in it can be read.
#[derive(Debug)]
pub struct Batch {
    pub lane: LaneId,
    pub seq: i64,
    pub prev_hash: [u8; 32],
    pub hash: [u8; 32],
    /// Records, each behind its length.
    data: Vec<u8>,
    /// Where each record ends.
    ends: Vec<usize>,
    /// What each is found by, as far as that is known without reading it.
    found_by: Vec<Option<FoundBy<'static>>>,
}

impl Lane {
    pub fn new(id: LaneId) -> Self {
        Self { chain: Chain::new(id), next_seq: 1, last_hash: GENESIS }
    }

    /// Chains entries in their order. The lane counts them as written: if storing the batch fails, the lane must be given up.
    pub fn link(&mut self, entries: Vec<Entry>) -> Batch {
        let mut data = Vec::with_capacity(entries.iter().map(|entry| entry.body.len() + 4 + RECORD_HEAD_LEN).sum());
        let mut ends = Vec::with_capacity(entries.len());
        for entry in &entries {
            let length = RECORD_HEAD_LEN + entry.body.len();
            data.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
            self.chain.link_into(entry.tenant, &entry.body, &mut data);
            ends.push(data.len());
        }
        let (seq, prev_hash) = (self.next_seq, self.last_hash);
        self.next_seq += 1;
        self.last_hash = sha256(&[&prev_hash, &data]);
        Batch {
            lane: self.chain.lane(),
            seq,
            prev_hash,
            hash: self.last_hash,
            data,
            ends,
            found_by: entries.into_iter().map(|entry| entry.found_by).collect(),
        }
    }
}

impl Batch {
    pub(crate) fn insert(&self) -> Stmt {
        sql("INSERT INTO audit_batch (lane, seq, first_at, last_at, cnt, prev_hash, hash, data)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(self.lane.as_bytes())
        .bind(self.seq)
        .bind(self.at(0).millis())
        .bind(self.at(self.ends.len().saturating_sub(1)).millis())
        .bind(i64::try_from(self.ends.len()).unwrap_or(i64::MAX))
        .bind(self.prev_hash)
        .bind(self.hash)
        .bind(&self.data)
    }

    /// When something happened, for people who look for a batch by its time; what counts stands in the events.
    fn at(&self, place: usize) -> Timestamp {
        let record = self.record(place);
        let event = record.as_ref().and_then(|record| record.draft.parsed().ok());
        event.map_or(Timestamp::from_millis(0), |event| event.at)
    }

    pub(crate) fn select() -> Stmt {
        sql(
            "SELECT lane, seq, prev_hash, hash, data FROM audit_batch WHERE lane = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
        )
    }

    pub(crate) fn from_row(mut row: Row) -> Result<Self> {
        let data = row.take_blob(4)?;
        Self::read(LaneId::from_bytes(row.array(0)?), row.int(1)?, row.array(2)?, row.array(3)?, data)
    }

    /// Reads the records of a batch that was stored with these hashes.
    pub fn read(lane: LaneId, seq: i64, prev_hash: [u8; 32], hash: [u8; 32], data: Vec<u8>) -> Result<Self> {
        if sha256(&[&prev_hash, &data]) != hash {
            return Err(Error::corrupt("an audit batch does not match its hash"));
        }
        let ends = ends(&data).ok_or_else(|| Error::corrupt("an audit batch that cannot be read"))?;
        Ok(Self { lane, seq, prev_hash, hash, data, ends, found_by: Vec::new() })
    }

    /// Its records, in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.ends.len()).map_while(|place| self.record(place))
    }

    /// The record at a place.
    pub fn record(&self, place: usize) -> Option<Record<'_>> {
        let before = place.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = before.copied().unwrap_or_default() + 4;
        Record::decode(self.data.get(start..*self.ends.get(place)?)?).ok()
    }

    /// What the event of a record is found by, if that is known without reading it.
    pub(crate) fn found_by(&self, place: usize) -> Option<&FoundBy<'static>> {
        self.found_by.get(place)?.as_ref()
    }

    /// Bytes of its records.
    pub(crate) fn size(&self) -> usize {
        self.data.len()
    }
}

fn ends(data: &[u8]) -> Option<Vec<usize>> {
    let (mut ends, mut left) = (Vec::new(), data);
    while !left.is_empty() {
        let (length, rest) = left.split_first_chunk::<4>()?;
        let (record, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        Record::decode(record).ok()?;
        ends.push(data.len() - rest.len());
        left = rest;
    }
    Some(ends)
}
