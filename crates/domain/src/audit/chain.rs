//! Hash chains: one per lane and tenant. Each link covers the link before it and the event's exact bytes.

use std::collections::HashMap;

use crypto::context::Context;
use crypto::hash::sha256;

use super::{BadRecord, Draft, parts};
use crate::ids::{LaneId, TenantId};

/// The hash before the first event of a chain.
pub const GENESIS: [u8; 32] = [0; 32];

/// The end of a chain: how many events it has, and the hash of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Events so far.
    pub count: u64,
    /// Hash of the last event, or [`GENESIS`].
    pub hash: [u8; 32],
}

/// One chained event as it is stored in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Whose chain.
    pub tenant: TenantId,
    /// Position in the chain, from 1.
    pub seq: u64,
    /// Hash of this link.
    pub hash: [u8; 32],
    /// The event and its personal part.
    pub draft: Draft<'a>,
}

/// What stands before the draft in a record: tenant, position and hash.
pub const RECORD_HEAD_LEN: usize = 16 + 8 + 32;

/// Where every chain begins.
const BEFORE_ALL: Head = Head { count: 0, hash: GENESIS };

/// The heads of one lane.
#[derive(Debug)]
pub struct Chain {
    lane: LaneId,
    heads: HashMap<TenantId, Head>,
}

impl Chain {
    /// A lane in which nothing has happened yet.
    pub fn new(lane: LaneId) -> Self {
        Self { lane, heads: HashMap::new() }
    }

    /// The lane's id.
    pub fn lane(&self) -> LaneId {
        self.lane
    }

    /// Appends an event: the record to store is written to `out`. `draft` is what [`Draft::encode`] made.
    pub fn link_into(&mut self, tenant: TenantId, draft: &[u8], out: &mut Vec<u8>) {
        let head = self.heads.entry(tenant).or_insert(BEFORE_ALL);
        let seq = head.count + 1;
        // A draft that does not decode cannot come from this process; chaining its raw bytes keeps it visible.
        let event = parts(draft).map_or(draft, |(event, _)| event);
        let hash = link_hash(self.lane, tenant, seq, &head.hash, event);
        *head = Head { count: seq, hash };
        out.extend_from_slice(tenant.as_bytes());
        out.extend_from_slice(&seq.to_be_bytes());
        out.extend_from_slice(&hash);
        out.extend_from_slice(draft);
    }

    /// As [`Chain::link_into`], by itself.
    pub fn link(&mut self, tenant: TenantId, draft: &[u8]) -> Vec<u8> {
        let mut record = Vec::with_capacity(RECORD_HEAD_LEN + draft.len());
        self.link_into(tenant, draft, &mut record);
        record
    }

    /// Where a tenant's chain ends.
    pub fn head(&self, tenant: TenantId) -> Head {
        self.heads.get(&tenant).copied().unwrap_or(BEFORE_ALL)
    }
}

/// The hash of one link.
pub fn link_hash(lane: LaneId, tenant: TenantId, seq: u64, before: &[u8; 32], event: &[u8]) -> [u8; 32] {
    // The event is the last part and by far the longest: it is hashed where it stands instead of being copied behind the others.
    let length = u32::try_from(event.len()).unwrap_or(u32::MAX);
    let context = Context::new("qapi/audit/link/v1")
        .bytes(lane.as_bytes())
        .bytes(tenant.as_bytes())
        .bytes(&seq.to_be_bytes())
        .bytes(before);
    sha256(&[context.as_bytes(), &length.to_be_bytes(), event])
}

impl<'a> Record<'a> {
    /// Reads what [`Chain::link`] returned.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, BadRecord> {
        let (tenant, rest) = bytes.split_first_chunk::<16>().ok_or(BadRecord)?;
        let (seq, rest) = rest.split_first_chunk::<8>().ok_or(BadRecord)?;
        let (hash, rest) = rest.split_first_chunk::<32>().ok_or(BadRecord)?;
        Ok(Self {
            tenant: TenantId::from_bytes(*tenant),
            seq: u64::from_be_bytes(*seq),
            hash: *hash,
            draft: Draft::decode(rest)?,
        })
    }

    /// The same for whoever keeps it longer than what it was read from.
    pub fn into_owned(self) -> Record<'static> {
        Record { draft: self.draft.into_owned(), tenant: self.tenant, seq: self.seq, hash: self.hash }
    }
}
