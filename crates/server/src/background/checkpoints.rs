//! Signs the heads of the audit chains, on one replica at a time, while the platform is unsealed.

use std::sync::Arc;

use super::Ticks;
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
    while ticks.next().await {
        if let Err(problem) = task.run_once().await {
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
    async fn run_once(&mut self) -> Outcome<()> {
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
