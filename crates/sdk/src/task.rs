//! A background task that ends with whoever keeps it.

use std::future::Future;

use tokio::task::JoinHandle;

/// A task that is stopped when this is dropped.
pub struct Task(JoinHandle<()>);

impl Task {
    /// Starts one on the runtime of the caller.
    pub fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
