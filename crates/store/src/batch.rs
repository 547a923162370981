//! A batch of chained audit records: one row of a lane, written by one commit.

use crypto::hash::sha256;
use domain::audit::chain::{Chain, RECORD_HEAD_LEN, Record};
use domain::audit::{Event, parts};
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
}

/// The writing end of a lane: its chains, and where the next batch goes.
pub(crate) struct Lane {
    chain: Chain,
    next_seq: i64,
    last_hash: [u8; 32],
}

/// A batch that is linked but not yet stored.
pub(crate) struct Linked {
    lane: LaneId,
    seq: i64,
    first_at: Timestamp,
    last_at: Timestamp,
    count: usize,
    prev_hash: [u8; 32],
    hash: [u8; 32],
    data: Vec<u8>,
}

impl Lane {
    pub fn new(id: LaneId) -> Self {
        Self { chain: Chain::new(id), next_seq: 1, last_hash: GENESIS }
    }

    /// Chains entries in their order. The lane counts them as written: if storing the batch fails, the lane must be given up.
    pub fn link(&mut self, entries: &[Entry]) -> Linked {
        let mut data = Vec::with_capacity(entries.iter().map(|entry| entry.body.len() + 80).sum());
        for entry in entries {
            let length = RECORD_HEAD_LEN + entry.body.len();
            data.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
            self.chain.link_into(entry.tenant, &entry.body, &mut data);
        }
        let linked = Linked {
            lane: self.chain.lane(),
            seq: self.next_seq,
            first_at: at(entries.first()),
            last_at: at(entries.last()),
            count: entries.len(),
            prev_hash: self.last_hash,
            hash: sha256(&[&self.last_hash, &data]),
            data,
        };
        self.next_seq += 1;
        self.last_hash = linked.hash;
        linked
    }
}

/// For people who look for a batch by its time; what counts stands in the events.
fn at(entry: Option<&Entry>) -> Timestamp {
    entry
        .and_then(|entry| Event::parse(parts(&entry.body).ok()?.0).ok())
        .map_or(Timestamp::from_millis(0), |event| event.at)
}

impl Linked {
    pub fn insert(self) -> Stmt {
        sql("INSERT INTO audit_batch (lane, seq, first_at, last_at, cnt, prev_hash, hash, data)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(self.lane.as_bytes())
        .bind(self.seq)
        .bind(self.first_at.millis())
        .bind(self.last_at.millis())
        .bind(i64::try_from(self.count).unwrap_or(i64::MAX))
        .bind(self.prev_hash)
        .bind(self.hash)
        .bind(self.data)
    }
}

/// A batch as it was stored, its own hash checked.
#[derive(Debug)]
pub struct Batch {
    pub lane: LaneId,
    pub seq: i64,
    pub prev_hash: [u8; 32],
    pub hash: [u8; 32],
    pub records: Vec<Record>,
}

impl Batch {
    pub(crate) fn select() -> Stmt {
        sql(
            "SELECT lane, seq, prev_hash, hash, data FROM audit_batch WHERE lane = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
        )
    }

    pub(crate) fn from_row(row: &Row) -> Result<Self> {
        let (prev_hash, hash, data) = (row.array(2)?, row.array(3)?, row.blob(4)?);
        if sha256(&[&prev_hash, data]) != hash {
            return Err(Error::corrupt("an audit batch does not match its hash"));
        }
        Ok(Self {
            lane: LaneId::from_bytes(row.array(0)?),
            seq: row.int(1)?,
            prev_hash,
            hash,
            records: records(data).ok_or_else(|| Error::corrupt("an audit batch that cannot be read"))?,
        })
    }
}

fn records(mut data: &[u8]) -> Option<Vec<Record>> {
    let mut out = Vec::new();
    while !data.is_empty() {
        let (length, rest) = data.split_first_chunk::<4>()?;
        let (record, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        out.push(Record::decode(record).ok()?);
        data = rest;
    }
    Some(out)
}
