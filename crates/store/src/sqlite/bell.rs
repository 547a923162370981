//! When the writer's thread is woken.
//!
//! A commit costs about as much processor time as the transactions of ten requests. So a transaction that finds the thread asleep
//! waits for those that are on their way: until every other task that can run has had its turn and brought nothing more, until
//! there are enough, or until a millisecond is over. One that is alone waits for nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many jobs wait for no more. Half of what a busy moment brings: the other half is worked on while the disk confirms these.
const ENOUGH: usize = 8;
/// The longest that a job waits for others.
const LINGER: Duration = Duration::from_millis(1);

/// Which jobs are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waking {
    /// None: whoever writes to this file gathers for itself.
    AtOnce,
    /// Those that are on their way.
    Gathered,
}

pub(super) struct Bell {
    waking: Waking,
    /// Jobs that came since the thread last looked.
    waiting: AtomicUsize,
    /// Somebody gathers, and will ring.
    is_gathering: AtomicBool,
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    pub fn new(waking: Waking) -> Arc<Self> {
        Arc::new(Self {
            waking,
            waiting: AtomicUsize::new(0),
            is_gathering: AtomicBool::new(false),
            rung: Mutex::new(false),
            heard: Condvar::new(),
        })
    }

    /// Says that a job stands in the queue.
    pub fn announce(self: &Arc<Self>) {
        if self.waking == Waking::AtOnce || self.waiting.fetch_add(1, Ordering::AcqRel) + 1 >= ENOUGH {
            return self.ring();
        }
        if !self.is_gathering.swap(true, Ordering::AcqRel) {
            let gathering = Gathering(Arc::clone(self));
            // Without a runtime there is nobody to wait for: dropping it rings.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(gathering.run());
            }
        }
    }

    /// Wakes the thread.
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heard.notify_one();
    }

    /// Sleeps until somebody has rung. What was announced before is in the queue now.
    pub fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let rung = self.heard.wait_while(rung, |rung| !*rung);
        *rung.unwrap_or_else(PoisonError::into_inner) = false;
        // Before the queue is looked into: a job that comes later is counted anew, and at worst rung for in vain.
        self.waiting.swap(0, Ordering::AcqRel);
    }
}

/// Rings when it ends, however it ends.
struct Gathering(Arc<Bell>);

impl Gathering {
    /// Lets the requests that can run now come to their transactions.
    async fn run(self) {
        let since = Instant::now();
        loop {
            let before = self.0.waiting.load(Ordering::Acquire);
            // Behind everything else that can run on this thread, and a look at the sockets.
            tokio::task::yield_now().await;
            let now = self.0.waiting.load(Ordering::Acquire);
            // Fewer than before: enough had come, and were taken.
            if now <= before || since.elapsed() >= LINGER {
                return;
            }
        }
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        // What is announced from now on has somebody of its own; what was announced before is seen here.
        self.0.is_gathering.swap(false, Ordering::AcqRel);
        if self.0.waiting.load(Ordering::Acquire) > 0 {
            self.0.ring();
        }
    }
}

/// Rings when it is dropped, so that the thread sees that nobody is left who could.
pub(super) struct LastRing(pub Arc<Bell>);

impl Drop for LastRing {
    fn drop(&mut self) {
        self.0.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_rung(bell: &Bell) -> bool {
        *bell.rung.lock().unwrap()
    }

    #[tokio::test]
    async fn one_job_waits_for_the_tasks_that_can_run_and_enough_wait_for_nothing() {
        let bell = Bell::new(Waking::Gathered);
        bell.announce();
        assert!(!is_rung(&bell));
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert!(is_rung(&bell));
        bell.wait();
        assert!(!is_rung(&bell));
        (0..ENOUGH).for_each(|_| bell.announce());
        assert!(is_rung(&bell));
    }

    #[test]
    fn where_nobody_gathers_every_job_rings() {
        for waking in [Waking::AtOnce, Waking::Gathered] {
            let bell = Bell::new(waking);
            bell.announce();
            assert!(is_rung(&bell), "{waking:?}");
        }
    }

    #[test]
    fn a_runtime_that_ends_while_somebody_gathers_rings() {
        let bell = Bell::new(Waking::Gathered);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { bell.announce() });
        drop(runtime);
        assert!(is_rung(&bell));
    }
}
