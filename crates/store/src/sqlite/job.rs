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
    pub f: F,
    pub committed: C,
    pub reply: oneshot::Sender<Result<T>>,
}

pub(super) trait Job: Send {
    fn run(self: Box<Self>, connection: &mut Connection) -> Ran;
    fn refuse(self: Box<Self>, error: Error);
}

/// A job whose statements have run; it is answered once the fate of the whole group is known.
pub(super) struct Ran {
    pub keep: bool,
    /// The disk failed under it.
    pub disk: bool,
    pub answer: Box<dyn FnOnce(Option<Error>) + Send>,
}

impl<T, F, C> Job for Task<T, F, C>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send,
    C: FnOnce(&[[u8; 16]]) + Send + 'static,
{
    fn run(self: Box<Self>, connection: &mut Connection) -> Ran {
        let Self { f, committed, reply } = *self;
        let (result, disk) = match run(connection, f) {
            Ok(done) => (Ok(done), false),
            Err(Failed { error, disk }) => (Err(error), disk),
        };
        Ran {
            keep: result.is_ok(),
            disk,
            answer: Box::new(move |failed| {
                let result = match (failed, result) {
                    (None, Ok((value, bumped))) => {
                        committed(&bumped);
                        Ok(value)
                    }
                    (Some(error), Ok(_)) | (_, Err(error)) => Err(error),
                };
                // The caller may have gone away; the write stands all the same.
                let _ = reply.send(result);
            }),
        }
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

/// Runs the closure to its end. Every call of `Tx` completes inline here, so a future that is not ready after one poll has awaited
/// something else inside a transaction: a timer, a lock, the network.
fn run<T>(
    connection: &mut Connection,
    f: impl for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>>,
) -> std::result::Result<(T, Vec<[u8; 16]>), Failed> {
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
