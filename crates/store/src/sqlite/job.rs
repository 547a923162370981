//! One transaction on its way through the writer's thread: run first, answered once the fate of its group is known.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::tx::{BoxFuture, Tx};

/// One transaction in the queue. `C` is told the tenants whose epoch moved, after the commit and before the caller is answered.
pub(super) struct Task<T, F, C> {
    f: F,
    committed: C,
    reply: oneshot::Sender<Result<T>>,
    /// How it ended when it ran last.
    ended: Option<Result<Done<T>>>,
}

/// What the closure gave, and the tenants whose epoch moved.
type Done<T> = (T, Vec<[u8; 16]>);

pub(super) trait Job: Send {
    /// Runs it; again when the group's transaction was rolled back.
    fn run(&mut self, connection: &mut Connection) -> Ran;
    /// Answers the caller once the fate of the whole group is known: committed, or failed with this error.
    fn answer(self: Box<Self>, failed: Option<Error>);
}

/// How a job's statements have run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ran {
    pub keep: bool,
    /// The disk failed under it.
    pub disk: bool,
}

impl<T, F, C> Task<T, F, C> {
    pub fn new(f: F, committed: C, reply: oneshot::Sender<Result<T>>) -> Self {
        Self { f, committed, reply, ended: None }
    }
}

impl<T, F, C> Job for Task<T, F, C>
where
    T: Send + 'static,
    F: for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send,
    C: FnOnce(&[[u8; 16]]) + Send + 'static,
{
    fn run(&mut self, connection: &mut Connection) -> Ran {
        let (result, disk) = match run(connection, &self.f) {
            Ok(done) => (Ok(done), false),
            Err(Failed { error, disk }) => (Err(error), disk),
        };
        let ran = Ran { keep: result.is_ok(), disk };
        self.ended = Some(result);
        ran
    }

    fn answer(self: Box<Self>, failed: Option<Error>) {
        let result = match (failed, self.ended) {
            (None, Some(Ok((value, bumped)))) => {
                (self.committed)(&bumped);
                Ok(value)
            }
            (_, Some(Err(error))) | (Some(error), _) => Err(error),
            (None, None) => Err(Error::other("a transaction was not run")),
        };
        // The caller may have gone away; the write stands all the same.
        let _ = self.reply.send(result);
    }
}

/// Runs the closure to its end. Every call of `Tx` completes inline here, so a future that is not ready after one poll has awaited
/// something else inside a transaction: a timer, a lock, the network.
fn run<T>(
    connection: &mut Connection,
    f: &impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>>,
) -> std::result::Result<Done<T>, Failed> {
    catch_unwind(AssertUnwindSafe(|| {
        let mut tx = Tx::lite(connection);
        let outcome = poll_once(f(&mut tx)).and_then(|outcome| outcome);
        let disk = tx.is_broken();
        let value = outcome.map_err(|error| Failed { error, disk })?;
        let finished = poll_once(Box::pin(tx.finish())).map_err(Failed::alone)?;
        finished.map(|bumped| (value, bumped)).map_err(|unfinished| {
            let error = unfinished.into_error();
            Failed { disk: matches!(error, Error::Unavailable(_)), error }
        })
    }))
    .unwrap_or_else(|panic| Err(Failed::alone(panicked(panic.as_ref()))))
}

/// Why a job did not end well, and whether that is the disk's fault and everybody's concern.
struct Failed {
    error: Error,
    disk: bool,
}

impl Failed {
    fn alone(error: Error) -> Self {
        Self { error, disk: false }
    }
}

fn poll_once<T>(mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> Result<T> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err(Error::other("a transaction awaited something other than its own statements")),
    }
}

pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let what =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    Error::other(format!("a transaction panicked: {}", what.unwrap_or_default()))
}
