//! The export: every event of the tenant in every lane, from the first, then the signed trailer.
//!
//! Lines are made a few batches at a time, so that an export of any size needs little memory. A failure on the way
//! ends the stream without a trailer, which no verifier takes for a whole file.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crypto::random::Random;
use domain::audit::export::{EventLine, LaneHead, Trailer, TrailerLine};
use domain::authz::{Authorized, ReadAudit};
use domain::ids::EventId;
use serde_json::value::RawValue;
use store::audit_index::{Export, Exported};

use super::spell::personal;
use crate::app::Core;
use crate::ctx::Ctx;
use crate::keyring::public_of;
use crate::keyring::root::Root;
use crate::problem::{Outcome, Problem};

/// How long an export waits for the events of mutations to reach their lane: longer than the lease on that work, which a
/// process that was killed still holds.
const PATIENCE_MS: i64 = 8_000;
const SETTLE_PERIOD: Duration = Duration::from_millis(50);

/// The lines of an export under way.
pub struct Lines {
    core: Core,
    ctx: Ctx,
    export: Option<Export>,
    count: u64,
    ready: VecDeque<Bytes>,
}

/// Begins an export once everything that happened before it stands in a lane.
pub async fn begin(core: &Core, ctx: &Ctx, auth: &Authorized<ReadAudit>) -> Outcome<Lines> {
    settle(core, ctx).await?;
    let export = core.store.audit_export(auth).await?;
    Ok(Lines { core: core.clone(), ctx: ctx.clone(), export: Some(export), count: 0, ready: VecDeque::new() })
}

/// Mutations leave their events in the outbox, and a moment later they are moved.
async fn settle(core: &Core, ctx: &Ctx) -> Outcome<()> {
    let mut waited_ms = 0;
    loop {
        let (_, oldest) = store::outbox::backlog(&core.store).await?;
        if oldest.is_none_or(|oldest| oldest > ctx.now()) {
            return Ok(());
        }
        if waited_ms >= PATIENCE_MS {
            let problem =
                Problem::new(api::error::ErrorCode::Unavailable, "Audit events are still on their way into the trail.");
            return Err(problem.retry_after(2));
        }
        tokio::time::sleep(SETTLE_PERIOD).await;
        waited_ms += 50;
    }
}

impl Lines {
    /// The next bytes, whole lines; `None` behind the trailer.
    pub async fn next(&mut self) -> Outcome<Option<Bytes>> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(Some(ready));
            }
            let Some(export) = self.export.as_mut() else { return Ok(None) };
            match export.next().await? {
                Some(events) => self.add(&events)?,
                None => {
                    let trailer = self.trailer()?;
                    self.ready.push_back(trailer);
                }
            }
        }
    }

    fn add(&mut self, events: &[Exported]) -> Outcome<()> {
        if events.is_empty() {
            return Ok(());
        }
        let mut text = Vec::new();
        for exported in events {
            serde_json::to_writer(&mut text, &line(&self.ctx, exported)?).map_err(unwritable)?;
            text.push(b'\n');
        }
        self.count += events.len() as u64;
        self.ready.push_back(text.into());
        Ok(())
    }

    fn trailer(&mut self) -> Outcome<Bytes> {
        let heads = self.export.take().map(Export::into_heads).unwrap_or_default();
        let heads =
            heads.into_iter().map(|(lane, head)| LaneHead { lane, count: head.count, hash: hex::encode(head.hash) });
        let trailer =
            Trailer { tenant: self.ctx.tenant(), at: self.ctx.now(), count: self.count, heads: heads.collect() };
        let (line, _) = sign_trailer(&self.ctx.keyring.root, &trailer, &*self.core.entropy)?;
        let mut text = serde_json::to_vec(&line).map_err(unwritable)?;
        text.push(b'\n');
        Ok(text.into())
    }
}

fn line(ctx: &Ctx, exported: &Exported) -> Outcome<EventLine> {
    let draft = &exported.record.draft;
    let broken = |error| Problem::internal("exporting an audit event", error);
    let event = draft.raw().map_err(broken)?;
    let id: EventId = draft.parsed().map_err(broken)?.id;
    Ok(EventLine {
        lane: exported.lane,
        seq: exported.record.seq,
        prev: hex::encode(exported.prev),
        hash: hex::encode(exported.record.hash),
        event,
        personal: personal(ctx, id, draft),
    })
}

/// A trailer with the audit key's signature over its exact bytes; the bytes and the signature apart, too.
pub(crate) fn sign_trailer(root: &Root, trailer: &Trailer, random: &dyn Random) -> Outcome<(TrailerLine, Signed)> {
    let body = serde_json::to_string(trailer).map_err(unwritable)?;
    let signature = root.audit.sign(body.as_bytes(), random)?;
    let line = TrailerLine {
        trailer: RawValue::from_string(body.clone()).map_err(unwritable)?,
        signature: STANDARD.encode(&signature),
        public_key: STANDARD.encode(public_of(&root.audit)?.to_spki_der()),
    };
    Ok((line, Signed { body: body.into_bytes(), signature }))
}

/// The parts of a signed trailer as a checkpoint stores them.
pub struct Signed {
    /// The exact bytes signed.
    pub body: Vec<u8>,
    /// ML-DSA-65.
    pub signature: Vec<u8>,
}

fn unwritable(error: serde_json::Error) -> Problem {
    Problem::internal("writing an export", error)
}

#[cfg(test)]
mod tests {
    use crypto::secret::SecretArray;
    use domain::audit::verify::{Trust, verify};
    use domain::ids::TenantId;
    use domain::time::Timestamp;

    use super::*;

    struct Counting;

    impl Random for Counting {
        fn fill(&self, out: &mut [u8]) {
            for (n, byte) in (0..=u8::MAX).cycle().zip(out) {
                *byte = n;
            }
        }
    }

    #[test]
    fn the_trailer_of_an_empty_trail_verifies_and_a_changed_one_does_not() {
        let (root, _) = Root::generate(&SecretArray::new([7; 32]), &Counting).unwrap();
        let trailer =
            Trailer { tenant: TenantId::from_bytes([1; 16]), at: Timestamp::from_millis(5), count: 0, heads: vec![] };
        let (line, signed) = sign_trailer(&root, &trailer, &Counting).unwrap();
        assert!(public_of(&root.audit).unwrap().verify(&signed.body, &signed.signature));
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(verify([text.as_str()].into_iter(), &Trust::default()).findings, []);
        let changed = text.replace("\"count\":0", "\"count\":1");
        assert!(!verify([changed.as_str()].into_iter(), &Trust::default()).findings.is_empty());
    }
}
