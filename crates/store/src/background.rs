//! Threads for work that others must not wait for. It gets what requests leave of the processor, and a part of it when they leave nothing.
//!
//! The index and the chains of the audit trail are a tenth of a busy server's work, and come in bursts. At the rank of the others a
//! burst takes half of a core, and every request that comes meanwhile queues behind it. So it is with passwords, which are stretched
//! for 16 ms each: whoever signs in waits for that, whoever wants a token does not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Cheap to clone; the threads end with the last clone.
#[derive(Clone)]
pub struct Background {
    jobs: Sender<Job>,
}

impl Background {
    /// Starts `threads` of one name, which Linux cuts after 15 characters, so much nicer than the others.
    pub fn start(name: &str, threads: usize, nicer: i32) -> Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name(name.into());
            thread.spawn(move || work(&queue, nicer)).map_err(Error::unavailable)?;
        }
        Ok(Self { jobs })
    }

    /// Runs a job on the first thread that is free, in the order they came.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (done, result) = oneshot::channel();
        // A caller who went away wants no answer.
        let job = move || drop(done.send(job()));
        self.jobs.send(Box::new(job)).map_err(|_| Error::unavailable("the background thread has ended"))?;
        result.await.map_err(Error::unavailable)
    }
}

fn work(queue: &Mutex<Receiver<Job>>, nicer: i32) {
    give_way(nicer);
    while let Some(job) = next(queue) {
        // Its caller is told by the answer that never comes, and the next job is somebody else's.
        let _ended: std::thread::Result<()> = catch_unwind(AssertUnwindSafe(job));
    }
}

/// Waits in the lock for those that wait before it. A lock is poisoned by a panic while it is held, which nothing here can cause.
fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().ok()?.recv().ok()
}

/// So much nicer than the others weighs a third of one of them, see `sched(7)`: less than that, and a core that requests keep busy
/// leaves the index behind, which has a second.
pub(crate) const NICER: i32 = 5;

/// Lets threads that requests wait for go before this one. Elsewhere than on Linux the nice value is the whole process's.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
pub(crate) fn give_way(nicer: i32) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(nicer) {
        tracing::debug!(%error, "a background thread keeps the rank of the others");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_takes_nobody_with_it() {
        let background = Background::start("background", 1, NICER).unwrap();
        assert!(background.run(|| panic!("this job does")).await.is_err());
        assert_eq!(background.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn threads_work_side_by_side() {
        let background = Background::start("pair", 2, NICER).unwrap();
        let (ask, asked) = channel();
        let waits = background.run(move || asked.recv().is_ok());
        let (waited, ()) = tokio::join!(waits, async { background.run(move || ask.send(())).await.unwrap().unwrap() });
        assert!(waited.unwrap());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn jobs_run_behind_everybody_else() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let background = Background::start("background", 1, NICER).unwrap();
        assert_eq!(background.run(nice).await.unwrap(), (nice() + NICER).min(19));
    }
}
