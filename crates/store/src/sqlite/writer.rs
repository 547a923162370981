//! The thread that owns the writing connection.
//!
//! Jobs that queued up share a commit. One that fails takes nobody with it: then all are run anew, each in a savepoint of its own.
//! All are answered after the disk has confirmed the whole. There is no timed window; [`super::bell`] says what a group waits for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::bell::{Bell, LastRing};
use super::checkpoint::{self, Dirty};
use super::connection::into_error;
use super::job::{Job, Ran, Task};
use super::{Durability, Lock, Shape};
use crate::background::{NICER, give_way};
use crate::error::{Error, Result};
use crate::tx::{BoxFuture, Tx};

const QUEUE: usize = 1024;
const GROUP: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);
/// A passive checkpoint never empties the log under a steady writer; past this size the writer starts it over itself.
const LOG_CAP: u64 = 64 << 20;
const LOG_STEP: u64 = 16 << 20;

pub(super) struct Handle {
    queue: mpsc::Sender<Message>,
    bell: Arc<Bell>,
    read_only: Arc<AtomicBool>,
    // Dropped after the queue.
    _last: LastRing,
}

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

impl Handle {
    pub async fn write<T: Send + 'static>(
        &self,
        f: impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + 'static,
        committed: impl FnOnce(&[[u8; 16]]) + Send + 'static,
    ) -> Result<T> {
        if self.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task::new(f, committed, reply));
        self.send(Message::Job(job)).await?;
        self.bell.announce();
        answer.await.map_err(Error::unavailable)?
    }

    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Acquire)
    }

    pub async fn close(&self) {
        let (done, wait) = oneshot::channel();
        if self.send(Message::Close(done)).await.is_ok() {
            self.bell.ring();
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
    shape: Shape,
    dirty: Dirty,
    lock: Arc<Lock>,
) -> Result<(Handle, JoinHandle<()>)> {
    let (queue, jobs) = mpsc::channel(QUEUE);
    let read_only = Arc::new(AtomicBool::new(false));
    let bell = Bell::new(shape.waking);
    let writer = Writer {
        bell: Arc::clone(&bell),
        connection,
        log: log_path(path),
        cap: LOG_CAP,
        dirty,
        read_only: Arc::clone(&read_only),
        _lock: lock,
    };
    let thread = std::thread::Builder::new()
        .name("sqlite-writer".into())
        .spawn(move || {
            if shape.durability == Durability::Rebuildable {
                give_way(NICER);
            }
            writer.run(jobs);
        })
        .map_err(Error::unavailable)?;
    Ok((Handle { queue, _last: LastRing(Arc::clone(&bell)), bell, read_only }, thread))
}

struct Writer {
    bell: Arc<Bell>,
    connection: Connection,
    log: PathBuf,
    cap: u64,
    dirty: Dirty,
    read_only: Arc<AtomicBool>,
    _lock: Arc<Lock>,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut closing = None;
        loop {
            self.bell.wait();
            // A full group has left somebody behind.
            while self.round(&mut queue, &mut closing) == GROUP {}
            if closing.is_some() {
                queue.close();
            }
            if queue.is_closed() {
                break;
            }
        }
        while let Some(message) = queue.blocking_recv() {
            match message {
                Message::Job(job) => self.commit(vec![job]),
                Message::Close(done) => closing = Some(done),
            }
        }
        if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::debug!(%error, "the log was not emptied at the end; the next start will");
        }
        drop(self);
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    /// Commits what stands in the queue, up to a group; answers with how many jobs those were.
    fn round(&mut self, queue: &mut mpsc::Receiver<Message>, closing: &mut Option<oneshot::Sender<()>>) -> usize {
        let mut group = Vec::with_capacity(GROUP);
        while group.len() < GROUP
            && let Ok(message) = queue.try_recv()
        {
            match message {
                Message::Job(job) => group.push(job),
                Message::Close(done) => *closing = Some(done),
            }
        }
        let jobs = group.len();
        self.commit(group);
        self.renew_log();
        self.cap_log();
        jobs
    }

    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
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
        let failed = self.run_all(&mut group).and_then(|()| self.statement("COMMIT")).err();
        match &failed {
            Some(error) => self.fail(error),
            None => self.dirty.mark(),
        }
        let outcome = failed.map(Error::unavailable);
        for job in group {
            job.answer(outcome.clone());
        }
    }

    /// Runs a group in the transaction that is open: without savepoints at first, because for each of those SQLite copies every page
    /// that a job touches. They nearly always end well; where one does not, all begin anew, each by itself.
    fn run_all(&mut self, group: &mut [Box<dyn Job>]) -> Result<()> {
        if self.together(group)? {
            return Ok(());
        }
        self.statement("ROLLBACK")?;
        self.statement("BEGIN IMMEDIATE")?;
        group.iter_mut().try_for_each(|job| self.apart(&mut **job))
    }

    /// Says whether all of them are to be kept. What is false leaves a transaction that has to be rolled back.
    fn together(&mut self, group: &mut [Box<dyn Job>]) -> Result<bool> {
        for job in group {
            let ran = job.run(&mut self.connection);
            self.still_open(ran)?;
            if !ran.keep {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One that fails is undone, and takes nobody with it.
    fn apart(&mut self, job: &mut dyn Job) -> Result<()> {
        self.statement("SAVEPOINT job")?;
        let ran = job.run(&mut self.connection);
        self.still_open(ran)?;
        if !ran.keep {
            self.statement("ROLLBACK TO job")?;
        }
        self.statement("RELEASE job")
    }

    /// The whole transaction is gone when SQLite runs out of disk, with the job that noticed.
    fn still_open(&self, ran: Ran) -> Result<()> {
        if self.connection.is_autocommit() {
            Err(Error::unavailable("SQLite rolled the transaction back"))
        } else if ran.disk {
            Err(Error::unavailable("the disk failed under a statement"))
        } else {
            Ok(())
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
        job.answer(Some(error.clone()));
    }
}
