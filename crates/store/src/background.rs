//! A thread for work that no request waits for. It gets what requests leave of the processor, and a quarter of it when they leave nothing.
//!
//! The index and the chains of the audit trail are a tenth of a busy server's work, and come in bursts. At the rank of the others a
//! burst takes half of a core, and every request that comes meanwhile queues behind it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Cheap to clone; the thread ends with the last clone.
#[derive(Clone)]
pub(crate) struct Background {
    jobs: Sender<Job>,
}

impl Background {
    pub fn start() -> Result<Self> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new().name("background".into());
        thread.spawn(move || work(&queue)).map_err(Error::unavailable)?;
        Ok(Self { jobs })
    }

    /// Runs a job when those before it have ended.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (done, result) = oneshot::channel();
        // A caller who went away wants no answer.
        let job = move || drop(done.send(job()));
        self.jobs.send(Box::new(job)).map_err(|_| Error::unavailable("the background thread has ended"))?;
        result.await.map_err(Error::unavailable)
    }
}

fn work(queue: &Receiver<Job>) {
    give_way();
    while let Ok(job) = queue.recv() {
        // Its caller is told by the answer that never comes, and the next job is somebody else's.
        let _ended: std::thread::Result<()> = catch_unwind(AssertUnwindSafe(job));
    }
}

/// So much nicer than the others weighs a third of one of them, see `sched(7)`: less than that, and a core that requests keep busy
/// leaves the index behind, which has a second.
const NICER: i32 = 5;

/// Lets threads that requests wait for go before this one. Elsewhere than on Linux the nice value is the whole process's.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICER) {
        tracing::debug!(%error, "a background thread keeps the rank of the others");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_takes_nobody_with_it() {
        let background = Background::start().unwrap();
        assert!(background.run(|| panic!("this job does")).await.is_err());
        assert_eq!(background.run(|| 7).await.unwrap(), 7);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn jobs_run_behind_everybody_else() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let background = Background::start().unwrap();
        assert_eq!(background.run(nice).await.unwrap(), (nice() + NICER).min(19));
    }
}
