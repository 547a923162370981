//! Work that nobody asks for: each task is idempotent, takes no input, and runs on a period until the server stops.
//!
//! A failing run is logged and tried again at the next tick; nothing is retried inside. Any number of replicas run the
//! same tasks, and leases decide who does the work.

use std::sync::Arc;
use std::time::Duration;

use crypto::entropy::EntropyPool;
use crypto::random::Random as _;
use domain::ids::LaneId;
use store::Store;
use store::index::Expander;
use store::lane::{AuditLane, NewLane};
use store::outbox::Mover;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::platform::Platform;

mod authorities;
mod checkpoints;
mod deletions;
mod gate_tickets;
mod letters;
mod logouts;
mod share_links;
mod tokens;
mod upkeep;

/// How often the outbox, the index and the chains are looked at: events must be queryable within a second.
const AUDIT_PERIOD: Duration = Duration::from_millis(200);
/// How often letters are looked for: somebody waits for them.
const LETTERS_PERIOD: Duration = Duration::from_secs(1);
/// How often is looked for applications that have to hear that a session is over.
const LOGOUTS_PERIOD: Duration = Duration::from_millis(500);
/// How often everything slow is looked at.
const UPKEEP_PERIOD: Duration = Duration::from_secs(10);

/// How often what nobody waits for is looked at.
const TIDYING_PERIOD: Duration = Duration::from_secs(3_600);

/// Starts this process's audit lane.
pub fn start_lane(store: &Store, entropy: &Arc<EntropyPool>) -> AuditLane {
    AuditLane::start(store, new_lane(entropy))
}

fn new_lane(entropy: &Arc<EntropyPool>) -> NewLane {
    let entropy = Arc::clone(entropy);
    Box::new(move || LaneId::from_random(random_id(&entropy)))
}

fn random_id(entropy: &EntropyPool) -> [u8; 16] {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    id
}

/// Starts every task; the handle ends when all have stopped.
pub fn start(platform: &Platform, stop: watch::Receiver<bool>) -> JoinHandle<()> {
    let holder = random_id(&platform.entropy);
    let store = &platform.store;
    let feed = tokio::spawn(store.epochs().clone().follow(store.clone()));
    let mover = Mover::new(store, holder, new_lane(&platform.entropy));
    let expander = Expander::new(store, holder);
    let audit = audit(mover, expander, Ticks::new(AUDIT_PERIOD, stop.clone()));
    let checkpoints = checkpoints::run(platform.clone(), holder, Ticks::new(AUDIT_PERIOD, stop.clone()));
    let deletions = deletions::run(platform.clone(), holder, Ticks::new(UPKEEP_PERIOD, stop.clone()));
    let share_links = share_links::run(platform.clone(), Ticks::new(TIDYING_PERIOD, stop.clone()));
    let gate_tickets = gate_tickets::run(platform.clone(), Ticks::new(TIDYING_PERIOD, stop.clone()));
    let authorities = authorities::run(platform.clone(), holder, Ticks::new(UPKEEP_PERIOD, stop.clone()));
    let tokens = tokens::run(platform.clone(), holder, Ticks::new(UPKEEP_PERIOD, stop.clone()));
    let letters = letters::run(platform.clone(), Ticks::new(LETTERS_PERIOD, stop.clone()));
    let logouts = logouts::run(platform.clone(), Ticks::new(LOGOUTS_PERIOD, stop.clone()));
    let old_letters = letters::forget(platform.clone(), Ticks::new(TIDYING_PERIOD, stop.clone()));
    let upkeep = upkeep::run(platform.clone(), Ticks::new(UPKEEP_PERIOD, stop));
    tokio::spawn(async move {
        let mail = async { tokio::join!(letters, old_letters, logouts) };
        let tidying = async { tokio::join!(share_links, gate_tickets) };
        tokio::join!(audit, checkpoints, deletions, tidying, authorities, tokens, mail, upkeep);
        feed.abort();
    })
}

/// A period that ends with the server.
pub struct Ticks {
    period: Duration,
    stop: watch::Receiver<bool>,
    is_over: bool,
}

impl Ticks {
    /// Ticks until the server stops.
    pub fn new(period: Duration, stop: watch::Receiver<bool>) -> Self {
        Self { period, stop, is_over: false }
    }

    /// Whether no tick comes after this one.
    pub fn is_last(&self) -> bool {
        self.is_over
    }

    /// Waits for the next tick. There is one more when the server stops, so that nothing is left lying, and then none.
    pub async fn next(&mut self) -> bool {
        if self.is_over {
            return false;
        }
        self.is_over = tokio::time::timeout(self.period, self.stop.wait_for(|stop| *stop)).await.is_ok();
        true
    }
}

/// Logs a failed run; the next tick tries again.
pub fn note<T>(task: &'static str, run: store::Result<T>) -> Option<T> {
    run.inspect_err(|error| tracing::warn!(task, error = %crate::problem::report(error), "background task failed")).ok()
}

/// Moves events from the outbox into a lane, and from the lanes into the index.
async fn audit(mut mover: Mover, mut expander: Expander, mut ticks: Ticks) {
    while ticks.next().await {
        while note("audit outbox", mover.run_once().await).is_some_and(|moved| moved > 0) {}
        while note("audit index", expander.run_once().await).is_some_and(|indexed| indexed > 0) {}
    }
}
