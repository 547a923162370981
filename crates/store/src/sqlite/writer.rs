//! The thread that owns the writing connection.
//!
//! Jobs that queued up during one commit share the next: each runs in a savepoint of its own, so one that fails takes nobody with
//! it, and all are answered after the disk has confirmed the whole. There is no timed window: the fsync is the window.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::Lock;
use super::checkpoint::{self, Dirty};
use super::connection::into_error;
use super::job::{Job, Ran, Task};
use crate::error::{Error, Result};
use crate::tx::{BoxFuture, Tx};

const QUEUE: usize = 1024;
const GROUP: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);
/// A passive checkpoint never empties the log under a steady writer; past this size the writer starts it over itself.
const LOG_CAP: u64 = 64 << 20;
const OPTIMIZE_EVERY: Duration = Duration::from_secs(3600);
const LOG_STEP: u64 = 16 << 20;

pub(super) struct Handle {
    queue: mpsc::Sender<Message>,
    read_only: Arc<AtomicBool>,
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Handle {
    pub async fn write<T: Send + 'static>(
        &self,
        f: impl for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + 'static,
        committed: impl FnOnce(&[[u8; 16]]) + Send + 'static,
    ) -> Result<T> {
        if self.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { f, committed, reply });
        self.send(Message::Job(job)).await?;
        answer.await.map_err(Error::unavailable)?
    }

    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    pub async fn close(&self) {
        let (done, wait) = oneshot::channel();
        if self.send(Message::Close(done)).await.is_ok() {
            let _ = wait.await;
        }
    }

    async fn send(&self, message: Message) -> Result<()> {
        let message = match self.queue.try_send(message) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Error::unavailable("the store is closed")),
            Err(mpsc::error::TrySendError::Full(message)) => message,
        };
        self.queue.send_timeout(message, PATIENCE).await.map_err(|_| Error::Busy)
    }
}

pub(super) fn spawn(
    connection: Connection,
    path: &Path,
    dirty: Dirty,
    lock: Arc<Lock>,
) -> Result<(Handle, JoinHandle<()>)> {
    let (queue, jobs) = mpsc::channel(QUEUE);
    let read_only = Arc::new(AtomicBool::new(false));
    let writer = Writer {
        connection,
        log: log_path(path),
        cap: LOG_CAP,
        optimized: Instant::now(),
        dirty,
        read_only: Arc::clone(&read_only),
        _lock: lock,
    };
    let thread = std::thread::Builder::new()
        .name("sqlite-writer".into())
        .spawn(move || writer.run(jobs))
        .map_err(Error::unavailable)?;
    Ok((Handle { queue, read_only }, thread))
}

/// The whole transaction is gone, as it is when SQLite runs out of disk, with the job that noticed.
struct Lost {
    error: Error,
    job: Option<Box<dyn Job>>,
    done: Option<Ran>,
}

struct Writer {
    connection: Connection,
    log: PathBuf,
    cap: u64,
    optimized: Instant,
    dirty: Dirty,
    read_only: Arc<AtomicBool>,
    _lock: Arc<Lock>,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut closing = None;
        while let Some(first) = queue.blocking_recv() {
            let mut group = Vec::with_capacity(GROUP);
            let mut next = Some(first);
            while let Some(message) = next.take() {
                match message {
                    Message::Job(job) => group.push(job),
                    Message::Close(done) => closing = Some(done),
                }
                if group.len() < GROUP {
                    next = queue.try_recv().ok();
                }
            }
            self.commit(group);
            self.renew_log();
            self.cap_log();
            self.optimize();
            if closing.is_some() {
                queue.close();
            }
        }
        if let Err(error) = self.connection.execute_batch("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::debug!(%error, "the log was not emptied at the end; the next start will");
        }
        drop(self);
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    fn commit(&mut self, group: Vec<Box<dyn Job>>) {
        if group.is_empty() {
            return;
        }
        if self.read_only.load(Ordering::Acquire) {
            return refuse(group, &Error::ReadOnly);
        }
        if let Err(error) = self.statement("BEGIN IMMEDIATE") {
            self.trip_on(&error);
            return refuse(group, &error);
        }
        let mut ran = Vec::with_capacity(group.len());
        let mut left = Vec::new();
        let mut broken = None;
        for job in group {
            if broken.is_some() {
                // The group is lost; running the rest would only write outside a transaction.
                left.push(job);
                continue;
            }
            match self.savepoint(job) {
                Ok(done) => ran.push(done),
                Err(Lost { error, job, done }) => {
                    broken = Some(error);
                    left.extend(job);
                    ran.extend(done);
                }
            }
        }
        let failed = broken.or_else(|| self.statement("COMMIT").err());
        match &failed {
            Some(error) => self.fail(error),
            None => self.dirty.mark(),
        }
        let outcome = failed.map(Error::unavailable);
        for done in ran {
            (done.answer)(outcome.clone());
        }
        if let Some(error) = outcome {
            refuse(left, &error);
        }
    }

    fn savepoint(&mut self, job: Box<dyn Job>) -> std::result::Result<Ran, Lost> {
        if let Err(error) = self.statement("SAVEPOINT job") {
            return Err(Lost { error, job: Some(job), done: None });
        }
        let ran = job.run(&mut self.connection);
        let end = if self.connection.is_autocommit() {
            Err(Error::unavailable("SQLite rolled the transaction back"))
        } else if ran.disk {
            Err(Error::unavailable("the disk failed under a statement"))
        } else if ran.keep {
            self.statement("RELEASE job")
        } else {
            self.statement("ROLLBACK TO job").and_then(|()| self.statement("RELEASE job"))
        };
        match end {
            Ok(()) => Ok(ran),
            Err(error) => Err(Lost { error, job: None, done: Some(ran) }),
        }
    }

    fn statement(&self, text: &'static str) -> Result<()> {
        let mut prepared = self.connection.prepare_cached(text).map_err(into_error)?;
        prepared.raw_execute().map(|_| ()).map_err(into_error)
    }

    /// After a failed commit the page cache cannot be trusted, so nothing more is written until the file is opened again.
    fn fail(&self, error: &Error) {
        self.read_only.store(true, Ordering::Release);
        tracing::error!(error = error as &dyn std::error::Error, "commit failed; the store is read-only now");
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    fn trip_on(&self, error: &Error) {
        if matches!(error, Error::Unavailable(_) | Error::Corrupt(_)) {
            self.fail(error);
        }
    }

    /// Keeps the statistics of the query planner in step with the tables.
    fn optimize(&mut self) {
        if self.optimized.elapsed() > OPTIMIZE_EVERY {
            self.optimized = Instant::now();
            if let Err(error) = self.connection.execute_batch("PRAGMA optimize") {
                tracing::warn!(%error, "the statistics were not renewed");
            }
        }
    }

    /// Moves the last pages of a log that the other thread has nearly emptied; the next commit then begins it anew. Between two
    /// commits nobody else writes, so there is no end to run after.
    fn renew_log(&self) {
        if !self.dirty.is_nearly_moved() {
            return;
        }
        if let Err(error) = checkpoint::pass(&self.connection) {
            tracing::warn!(%error, "the log was not begun anew; it grows on");
        }
    }

    fn cap_log(&mut self) {
        let size = std::fs::metadata(&self.log).map_or(0, |meta| meta.len());
        if size <= self.cap {
            return;
        }
        // A long reader, such as a backup, holds the log: wait for it briefly, then let the log grow by a step before trying again.
        let _ = self.connection.busy_timeout(Duration::from_millis(50));
        let emptied = self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0));
        let _ = self.connection.busy_timeout(Duration::from_millis(5000));
        self.cap = match emptied {
            Ok(0) => LOG_CAP,
            _ => size + LOG_STEP,
        };
    }
}

fn log_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn refuse(group: Vec<Box<dyn Job>>, error: &Error) {
    for job in group {
        job.refuse(error.clone());
    }
}
