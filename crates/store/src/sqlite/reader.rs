//! Reading connections. A read by key takes 11 microseconds inline and five times that through another thread, so `read` runs
//! where it is called; listings go to the blocking threads.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection;
use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};

/// How many times a statement may report its progress, every [`STEPS_PER_REPORT`] instructions, before it is ended as a runaway:
/// some 50 ms for a read, some seconds for a listing.
pub(super) const READ_STEPS: u32 = 200;
pub(super) const SCAN_STEPS: u32 = 20_000;
/// Listings and snapshots read everything once.
pub(super) const ONCE_CACHE_KIB: u32 = 512;
const STEPS_PER_REPORT: i32 = 50_000;

pub(super) struct Pool {
    free: Arc<Mutex<Vec<Reader>>>,
    permits: Arc<Semaphore>,
}

struct Reader {
    connection: Connection,
    reports: Arc<AtomicU32>,
}

impl Pool {
    pub fn open(path: &Path, size: usize, cache_kib: u32, steps: u32) -> Result<Self> {
        let size = size.max(1);
        let readers = (0..size).map(|_| Reader::open(path, cache_kib, steps)).collect::<Result<Vec<_>>>()?;
        Ok(Self { free: Arc::new(Mutex::new(readers)), permits: Arc::new(Semaphore::new(size)) })
    }

    pub async fn take(&self) -> Result<Taken> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(Error::unavailable)?;
        let reader = self.free.lock().map_err(|_| Error::Busy)?.pop();
        Ok(Taken { reader: Some(reader.ok_or(Error::Busy)?), home: Arc::clone(&self.free), _permit: permit })
    }
}

/// A reader on loan; it goes home when dropped, before its permit does.
pub(super) struct Taken {
    reader: Option<Reader>,
    home: Arc<Mutex<Vec<Reader>>>,
    _permit: OwnedSemaphorePermit,
}

impl Taken {
    pub fn rows(&mut self, statement: &Stmt) -> Result<Vec<Row>> {
        connection::rows(self.fresh()?, statement)
    }

    pub fn each_row(&mut self, statement: &Stmt, sink: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
        connection::each_row(self.fresh()?, statement, sink)
    }

    /// The connection, with all its time before it.
    fn fresh(&mut self) -> Result<&Connection> {
        let reader = self.reader.as_mut().ok_or(Error::Busy)?;
        reader.reports.store(0, Ordering::Relaxed);
        Ok(&reader.connection)
    }
}

#[cfg(feature = "test-util")]
impl Taken {
    pub fn prepares(&mut self, text: &str) -> Result<()> {
        let reader = self.reader.as_ref().ok_or(Error::Busy)?;
        reader.connection.prepare(text).map(|_| ()).map_err(connection::into_error)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let (Some(reader), Ok(mut home)) = (self.reader.take(), self.home.lock()) {
            home.push(reader);
        }
    }
}

impl Reader {
    fn open(path: &Path, cache_kib: u32, steps: u32) -> Result<Self> {
        let mut connection = connection::reader(path, cache_kib)?;
        let reports = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&reports);
        connection
            .progress_handler(STEPS_PER_REPORT, Some(move || seen.fetch_add(1, Ordering::Relaxed) >= steps))
            .map_err(connection::into_error)?;
        Ok(Self { connection, reports })
    }
}

/// A transaction that sees one moment of the file for as long as it lives.
pub(crate) struct Snapshot {
    connection: Connection,
}

impl Snapshot {
    pub fn open(path: &Path) -> Result<Self> {
        let connection = connection::reader(path, ONCE_CACHE_KIB)?;
        connection.execute_batch("BEGIN").map_err(connection::into_error)?;
        // The snapshot is taken by the first read, not by BEGIN.
        connection::rows(&connection, &sql("SELECT COUNT(*) FROM sqlite_schema"))?;
        Ok(Self { connection })
    }

    /// Hands the rows over in chunks.
    pub fn chunks(&self, statement: &Stmt, size: usize, sink: &mut dyn FnMut(Vec<Row>) -> Result<()>) -> Result<()> {
        let mut chunk = Vec::with_capacity(size);
        connection::each_row(&self.connection, statement, &mut |row| {
            chunk.push(row);
            match chunk.len() == size {
                true => sink(std::mem::replace(&mut chunk, Vec::with_capacity(size))),
                false => Ok(()),
            }
        })?;
        if chunk.is_empty() { Ok(()) } else { sink(chunk) }
    }
}
