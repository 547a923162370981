//! Checkpoints: the heads of every tenant's chains, signed while the platform runs.
//!
//! A checkpoint is the trailer an export would have had at that moment. Whoever kept one can show that a later
//! database is not an earlier one restored, and whoever rewrites a chain cannot sign its new head. What is read from
//! the database is followed link by link on the way, so a link that does not fit is noticed by the server itself; what
//! this process linked a moment ago is signed as it linked it, whatever the database says now.

use std::collections::{BTreeMap, BTreeSet};

use domain::audit::chain::{GENESIS, Head, link_hash};
use domain::audit::export::{LaneHead, Trailer};
use domain::ids::{EventId, LaneId, TenantId};
use domain::time::Timestamp;
use store::batch::Batch;
use store::checkpoints::{Checkpoint, Cursors};
use store::lease::Lease;

use super::export::sign_trailer;
use crate::app::Core;
use crate::app::tenants::bytes;
use crate::keyring::public_of;
use crate::keyring::root::Root;
use crate::problem::{Outcome, Problem};

/// Where every chain stands, as far as it was followed.
#[derive(Debug, Default)]
pub struct Heads {
    cursors: Cursors,
    heads: BTreeMap<TenantId, BTreeMap<LaneId, Head>>,
    changed: BTreeSet<TenantId>,
    broken: BTreeSet<TenantId>,
    breaks: u64,
}

impl Heads {
    /// Takes up where the last checkpoints ended.
    pub async fn load(core: &Core, root: &Root) -> Outcome<Self> {
        let Some(cursors) = core.store.checkpoint_cursors().await? else { return Ok(Self::default()) };
        let unreadable = |error| Problem::internal("reading checkpoints", error);
        let mut heads = Self { cursors: serde_json::from_slice(&cursors).map_err(unreadable)?, ..Self::default() };
        let signer = public_of(&root.audit)?;
        for checkpoint in core.store.newest_checkpoints().await? {
            if !signer.verify(&checkpoint.body, &checkpoint.signature) {
                tracing::error!(tenant.id = %checkpoint.tenant, "an audit checkpoint does not verify: the database was changed");
                heads.broken.insert(checkpoint.tenant);
                heads.breaks += 1;
                continue;
            }
            let trailer: Trailer = serde_json::from_slice(&checkpoint.body).map_err(unreadable)?;
            heads.heads.insert(checkpoint.tenant, trailer.heads.iter().filter_map(read_head).collect());
        }
        Ok(heads)
    }

    /// Follows what was written since. Requests do not wait for it: a busy server writes ten thousand links a second.
    pub async fn catch_up(&mut self, core: &Core) -> Outcome<()> {
        loop {
            let batches = core.store.audit_batches_since(&self.cursors).await?;
            if batches.is_empty() {
                return Ok(());
            }
            let mut heads = std::mem::take(self);
            let followed = core.store.in_background(move || {
                for found in &batches {
                    match &found.batch {
                        Some(batch) if found.is_own => heads.take_over(batch),
                        Some(batch) => heads.follow(batch),
                        None => heads.pass_over(found.lane, found.seq),
                    }
                }
                heads
            });
            *self = followed.await?;
        }
    }

    /// Follows what was written since, and signs the heads that moved. Answers with how many were signed.
    pub async fn advance(&mut self, core: &Core, root: &Root, lease: Lease, now: Timestamp) -> Outcome<usize> {
        self.catch_up(core).await?;
        let moved: Vec<TenantId> = self.changed.difference(&self.broken).copied().collect();
        if moved.is_empty() {
            return Ok(0);
        }
        let signed = moved.iter().map(|tenant| self.sign(core, root, *tenant, now)).collect::<Outcome<Vec<_>>>()?;
        let cursors =
            serde_json::to_vec(&self.cursors).map_err(|error| Problem::internal("writing checkpoints", error))?;
        core.store.write_checkpoints(lease, &signed, cursors).await?;
        self.changed.clear();
        Ok(signed.len())
    }

    /// Links and checkpoints that did not verify since this was last asked.
    pub fn take_breaks(&mut self) -> u64 {
        std::mem::take(&mut self.breaks)
    }

    fn sign(&self, core: &Core, root: &Root, tenant: TenantId, now: Timestamp) -> Outcome<Checkpoint> {
        let (_, signed) = sign_trailer(root, &self.trailer(tenant, now), &*core.entropy)?;
        Ok(Checkpoint {
            tenant,
            at: now,
            id: EventId::from_random(bytes(&*core.entropy)),
            body: signed.body,
            signature: signed.signature,
        })
    }

    fn trailer(&self, tenant: TenantId, at: Timestamp) -> Trailer {
        let lanes = self.heads.get(&tenant).into_iter().flatten();
        let heads: Vec<LaneHead> = lanes
            .map(|(lane, head)| LaneHead { lane: *lane, count: head.count, hash: hex::encode(head.hash) })
            .collect();
        Trailer { tenant, at, count: heads.iter().map(|head| head.count).sum(), heads }
    }

    fn follow(&mut self, batch: &Batch) {
        for record in batch.records() {
            let head = self.heads.entry(record.tenant).or_default().entry(batch.lane);
            let head = head.or_insert(Head { count: 0, hash: GENESIS });
            let seq = head.count + 1;
            let hash = link_hash(batch.lane, record.tenant, seq, &head.hash, &record.draft.event);
            if record.seq != seq || record.hash != hash {
                tracing::error!(tenant.id = %record.tenant, audit.lane = %batch.lane, audit.seq = record.seq,
                    "an audit event does not follow the one before it: the trail was changed");
                self.broken.insert(record.tenant);
                self.breaks += 1;
            }
            *head = Head { count: record.seq, hash: record.hash };
            self.changed.insert(record.tenant);
        }
        self.cursors.insert(batch.lane, batch.seq + 1);
    }
}

impl Heads {
    /// Goes to the end of a batch that this process linked: every link would be computed as it was a moment ago.
    fn take_over(&mut self, batch: &Batch) {
        for record in batch.records() {
            let heads = self.heads.entry(record.tenant).or_default();
            heads.insert(batch.lane, Head { count: record.seq, hash: record.hash });
            self.changed.insert(record.tenant);
        }
        self.cursors.insert(batch.lane, batch.seq + 1);
    }

    /// Counts a batch that is not what was written. Whose events it held shows at the next one of each: it does not follow.
    fn pass_over(&mut self, lane: LaneId, seq: i64) {
        tracing::error!(audit.lane = %lane, audit.batch = seq, "an audit batch is not what was written: the trail was changed");
        self.breaks += 1;
        self.cursors.insert(lane, seq + 1);
    }
}

fn read_head(head: &LaneHead) -> Option<(LaneId, Head)> {
    let hash = hex::decode(&head.hash).ok()?.try_into().ok()?;
    Some((head.lane, Head { count: head.count, hash }))
}

#[cfg(test)]
mod tests {
    use crypto::hash::sha256;
    use domain::audit::Draft;
    use domain::audit::chain::{Chain, RECORD_HEAD_LEN};

    use super::*;

    /// What a batch of these events of tenants holds.
    fn data(chain: &mut Chain, events: &[(u8, &str)]) -> Vec<u8> {
        let mut data = Vec::new();
        for (tenant, event) in events {
            let draft = Draft { event: event.as_bytes().into(), personal: [].as_slice().into() };
            let record = chain.link(TenantId::from_bytes([*tenant; 16]), &draft.encode());
            data.extend_from_slice(&u32::try_from(record.len()).unwrap().to_be_bytes());
            data.extend_from_slice(&record);
        }
        data
    }

    fn batch(seq: i64, data: Vec<u8>) -> Batch {
        let hash = sha256(&[&GENESIS, &data]);
        Batch::read(LaneId::from_bytes([9; 16]), seq, GENESIS, hash, data).unwrap()
    }

    #[test]
    fn heads_follow_the_chains_and_a_wrong_link_is_noticed() {
        let mut chain = Chain::new(LaneId::from_bytes([9; 16]));
        let mut heads = Heads::default();
        heads.follow(&batch(1, data(&mut chain, &[(1, "a"), (2, "b"), (1, "c")])));
        let one = TenantId::from_bytes([1; 16]);
        let trailer = heads.trailer(one, Timestamp::from_millis(5));
        assert_eq!((trailer.count, trailer.heads.len()), (2, 1));
        assert_eq!(trailer.heads[0].hash, hex::encode(chain.head(one).hash));
        assert!(heads.broken.is_empty());

        let mut forged = data(&mut chain, &[(1, "d"), (2, "e")]);
        let first_event = 4 + RECORD_HEAD_LEN + 4;
        forged[first_event] = b'x';
        heads.follow(&batch(2, forged));
        assert_eq!(heads.broken, BTreeSet::from([one]));
        assert_eq!((heads.take_breaks(), heads.take_breaks()), (1, 0));
        assert_eq!(heads.cursors, Cursors::from([(LaneId::from_bytes([9; 16]), 3)]));

        heads.take_over(&batch(3, data(&mut chain, &[(2, "f"), (1, "g")])));
        let two = TenantId::from_bytes([2; 16]);
        assert_eq!(heads.trailer(two, Timestamp::from_millis(5)).heads[0].hash, hex::encode(chain.head(two).hash));
        assert_eq!((heads.take_breaks(), heads.cursors[&LaneId::from_bytes([9; 16])]), (0, 4));
    }
}
