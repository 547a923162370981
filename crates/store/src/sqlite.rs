//! SQLite: one writer thread per file, readers inline, checkpoints on a thread of their own.

mod bell;
mod checkpoint;
mod connection;
mod job;
mod place;
mod reader;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::Stmt;
use crate::tx::{BoxFuture, Tx};

pub(crate) use bell::Waking;
pub(crate) use connection::{Durability, exec, rows, script};
pub(crate) use job::panicked;
pub(crate) use place::{Lock, create_dir};
pub(crate) use reader::Snapshot;

/// What a file is used for, in numbers.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub durability: Durability,
    pub waking: Waking,
    pub readers: usize,
    /// Of the writer. A commit may look through all of it for pages behind the end of the file, which takes as long as it is large.
    pub writer_cache_kib: u32,
    /// Of each reader. What it has not, the operating system has; with all of them full, this is what an idle server keeps.
    pub reader_cache_kib: u32,
}

/// One database file with its threads and connections.
pub(crate) struct File {
    path: PathBuf,
    writer: writer::Handle,
    readers: reader::Pool,
    scanners: reader::Pool,
    threads: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl File {
    pub fn open(path: &Path, shape: Shape, lock: &Arc<Lock>) -> Result<Self> {
        place::create_file(path)?;
        let connection = connection::writer(path, shape.durability, shape.writer_cache_kib)?;
        let (dirty, checkpoints) = checkpoint::spawn(path)?;
        let (writer, writes) = writer::spawn(connection, path, shape, dirty, Arc::clone(lock))?;
        Ok(Self {
            path: path.to_path_buf(),
            writer,
            readers: reader::Pool::open(path, shape.readers, shape.reader_cache_kib, reader::READ_STEPS)?,
            scanners: reader::Pool::open(path, 2, reader::ONCE_CACHE_KIB, reader::SCAN_STEPS)?,
            threads: std::sync::Mutex::new(vec![writes, checkpoints]),
        })
    }

    pub async fn read(&self, statement: &Stmt) -> Result<Vec<Row>> {
        self.readers.take().await?.rows(statement)
    }

    /// A listing: long enough to be kept off the threads that serve requests.
    pub async fn scan(&self, statement: Stmt) -> Result<Vec<Row>> {
        let mut reader = self.scanners.take().await?;
        tokio::task::spawn_blocking(move || reader.rows(&statement)).await.map_err(Error::other)?
    }

    /// A listing for another thread to make, with each row read as soon as it is there, so that long ones are never in memory together.
    pub async fn scan_each<T: Send + 'static>(
        &self,
        statement: Stmt,
        mut read: impl FnMut(Row) -> Result<T> + Send + 'static,
    ) -> Result<impl FnOnce() -> Result<Vec<T>> + Send + 'static> {
        let mut reader = self.scanners.take().await?;
        Ok(move || {
            let mut out = Vec::new();
            reader.each_row(&statement, &mut |row| {
                out.push(read(row)?);
                Ok(())
            })?;
            Ok(out)
        })
    }

    #[cfg(feature = "test-util")]
    pub async fn prepares(&self, text: &'static str) -> Result<()> {
        self.readers.take().await?.prepares(text)
    }

    /// A read transaction over the whole file, on a connection of its own.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::open(&self.path)
    }

    pub async fn write<T: Send + 'static>(
        &self,
        f: impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + 'static,
        committed: impl FnOnce(&[[u8; 16]]) + Send + 'static,
    ) -> Result<T> {
        self.writer.write(f, committed).await
    }

    pub fn is_read_only(&self) -> bool {
        self.writer.is_read_only()
    }

    /// Finishes what is queued and ends the threads, so that the files can be opened again at once.
    pub async fn close(&self) {
        self.writer.close().await;
        let threads = match self.threads.lock() {
            Ok(mut threads) => std::mem::take(&mut *threads),
            Err(_) => return,
        };
        // A thread that panicked has already been logged; joining is only about the files being free.
        let _ = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        })
        .await;
    }
}
