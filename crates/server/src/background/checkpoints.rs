//! Signs the heads of the audit chains, on one replica at a time, while the platform is unsealed.
//!
//! The chains are followed all the time and not when there is to be signed: ten seconds of a busy server are a hundred thousand
//! links, and every request would have to wait while they are hashed.

use std::sync::Arc;
use std::time::Instant;

use super::{Ticks, UPKEEP_PERIOD};
use crate::app::Core;
use crate::app::audit::Heads;
use crate::clock;
use crate::metrics::Metrics;
use crate::platform::Platform;
use crate::problem::Outcome;
use crate::seal_state::SealState;

const LEASE: &str = "audit checkpoints";
/// Longer than the period: the replica that knows where the chains stand goes on.
const LEASE_MS: i64 = 60_000;

/// Runs until the server stops.
pub async fn run(platform: Platform, holder: [u8; 16], mut ticks: Ticks) {
    let mut task = Checkpoints {
        core: platform.core(),
        seal: Arc::clone(&platform.seal),
        metrics: Arc::clone(&platform.metrics),
        holder,
        heads: None,
    };
    let mut signed = Instant::now();
    while ticks.next().await {
        let is_due = signed.elapsed() >= UPKEEP_PERIOD || ticks.is_last();
        if is_due {
            signed = Instant::now();
        }
        let run = if is_due { task.sign().await } else { task.follow().await };
        if let Err(problem) = run {
            tracing::warn!(task = "audit checkpoints", error.cause = ?problem.cause, "{}", problem.message);
        }
    }
}

struct Checkpoints {
    core: Core,
    seal: Arc<SealState>,
    metrics: Arc<Metrics>,
    holder: [u8; 16],
    heads: Option<Heads>,
}

impl Checkpoints {
    /// Goes on from where the last signature ended, if it was this replica's.
    async fn follow(&mut self) -> Outcome<()> {
        let Some(mut heads) = self.heads.take() else { return Ok(()) };
        let followed = heads.catch_up(&self.core).await;
        self.metrics.audit_breaks.inc_by(heads.take_breaks());
        followed?;
        self.heads = Some(heads);
        Ok(())
    }

    async fn sign(&mut self) -> Outcome<()> {
        let Ok(keyring) = self.seal.keyring() else { return Ok(()) };
        let Some(lease) = self.core.store.lease(LEASE, self.holder, LEASE_MS).await? else {
            // Another replica signs; where it will have come to is read when the lease comes here.
            self.heads = None;
            return Ok(());
        };
        let mut heads = match self.heads.take() {
            Some(heads) => heads,
            None => Heads::load(&self.core, &keyring.root).await?,
        };
        let advanced = heads.advance(&self.core, &keyring.root, lease, clock::now()).await;
        self.metrics.audit_breaks.inc_by(heads.take_breaks());
        advanced?;
        // Only now: after a failure what was written is not known, and it is read anew.
        self.heads = Some(heads);
        Ok(())
    }
}
