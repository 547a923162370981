//! The store as the rest of the server sees it: open, read, list, write.
//!
//! Three databases stand behind it: the main one, the audit lane's and the audit index's. On SQLite each is a file with a writer
//! of its own, because two writers on one file starve each other; on PostgreSQL they are one database, and the lane has its own
//! connections. Nothing is migrated by opening.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::background::{Background, NICER};
use crate::db::{Db, Engine, Isolation};
use crate::epoch::Epochs;
use crate::error::{Error, Result};
use crate::postgres::{Database, Target};
use crate::recent::Recent;
use crate::row::Row;
use crate::sqlite::{self, Durability, File, Lock, Shape, Waking};
use crate::stmt::{Stmt, sql};
use crate::tx::{BoxFuture, Tx};

/// Everything the server keeps. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) main: Db,
    /// The audit lane: a file of its own on SQLite, connections of its own on PostgreSQL.
    pub(crate) lane: Db,
    /// The audit index, rebuildable: a third file on SQLite, the same database on PostgreSQL.
    pub(crate) index: Db,
    epochs: Epochs,
    background: Background,
    pub(crate) recent: Recent,
}

#[derive(Clone, Debug)]
pub struct Options {
    /// Reading connections of SQLite.
    pub readers: usize,
    /// Connections that share the reads of PostgreSQL.
    pub shared: usize,
    /// Connections for transactions of PostgreSQL; two to four per core of the database.
    pub pool: usize,
    /// Lets a PostgreSQL on another machine be used without encryption.
    pub danger_plaintext_database: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 4, shared: 2, pool: 12, danger_plaintext_database: false }
    }
}

/// How the transactions of one name have fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub committed: u64,
    pub failed: u64,
    pub retried: u64,
}

impl Store {
    /// Opens or creates the files of a data directory. Nothing is migrated. One process at a time: a second one is refused.
    pub async fn open_sqlite(dir: &Path, options: Options) -> Result<Self> {
        let dir = dir.to_path_buf();
        let opened = tokio::task::spawn_blocking(move || {
            sqlite::create_dir(&dir)?;
            let lock = Arc::new(Lock::take(&dir)?);
            let open = |name: &str, shape| File::open(&dir.join(name), shape, &lock);
            let main = Shape {
                durability: Durability::Full,
                waking: Waking::Gathered,
                readers: options.readers,
                writer_cache_kib: 16_384,
                reader_cache_kib: 2_048,
            };
            // Batches are written once and read once, in order.
            let lane =
                Shape { waking: Waking::AtOnce, readers: 1, writer_cache_kib: 4_096, reader_cache_kib: 512, ..main };
            let index = Shape { durability: Durability::Rebuildable, ..lane };
            Ok((open("qapi.db", main)?, open("audit.db", lane)?, open("audit_index.db", index)?))
        });
        let (main, lane, index) = opened.await.map_err(Error::other)??;
        let (epochs, background) = (Epochs::alone(), Background::start("background", 1, NICER)?);
        let db = |file| Db::new(Engine::Lite(file), &epochs, &background);
        Ok(Self { main: db(main), lane: db(lane), index: db(index), epochs, background, recent: Recent::default() })
    }

    /// Connects to a database and checks that it keeps what it confirms. Nothing is migrated.
    pub async fn open_postgres(url: &str, options: Options) -> Result<Self> {
        let target = Arc::new(Target::parse(url, options.danger_plaintext_database)?);
        let main = Database::open(Arc::clone(&target), options.shared, options.pool).await?;
        let lane = Database::open(target, 1, 1).await?;
        let (epochs, background) = (Epochs::polled(), Background::start("background", 1, NICER)?);
        let db = |database| Db::new(Engine::Pg(database), &epochs, &background);
        let (main, lane) = (db(main), db(lane));
        Ok(Self { index: main.clone(), main, lane, epochs, background, recent: Recent::default() })
    }

    /// Reads one moment of the database by key: inline on SQLite, pipelined on PostgreSQL.
    pub async fn read(&self, statement: Stmt) -> Result<Vec<Row>> {
        self.main.read(statement).await
    }

    /// A read that finds at most one row.
    pub async fn read_one(&self, statement: Stmt) -> Result<Option<Row>> {
        let mut rows = self.main.read(statement).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            n => Err(Error::corrupt(format!("{n} rows where one was expected"))),
        }
    }

    /// A listing: anything that one probe of an index does not answer.
    pub async fn scan(&self, statement: Stmt) -> Result<Vec<Row>> {
        self.main.scan(statement).await
    }

    /// A named transaction under READ COMMITTED. The closure may run again after a collision, so it changes nothing but the
    /// database, and awaits nothing but `tx`: on SQLite it is polled once.
    ///
    /// ```text
    /// store.write("rename tenant", move |tx| {
    ///     let name = name.clone();
    ///     Box::pin(async move { tx.exec(sql("UPDATE tenant SET name = $1 WHERE id = $2").bind(name).bind(id)).await })
    /// })
    /// ```
    pub async fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        f: impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    ) -> Result<T> {
        self.main.write(name, Isolation::ReadCommitted, f).await
    }

    /// As [`Store::write`], for rules over several rows.
    pub async fn write_serializable<T: Send + 'static>(
        &self,
        name: &'static str,
        f: impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    ) -> Result<T> {
        self.main.write(name, Isolation::Serializable, f).await
    }

    /// The epochs of the tenants, which say what may be cached. Somebody has to run [`Epochs::follow`].
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// Computes what no request waits for, behind everything else.
    pub async fn in_background<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        self.background.run(job).await
    }

    /// Whether other processes may be writing to the same database.
    pub fn is_shared(&self) -> bool {
        matches!(&*self.main.engine, Engine::Pg(_))
    }

    /// Whether an earlier write failed on the disk, after which only reads are served.
    pub fn is_read_only(&self) -> bool {
        [&self.main, &self.lane, &self.index].iter().any(|db| match &*db.engine {
            Engine::Lite(file) => file.is_read_only(),
            Engine::Pg(_) => false,
        })
    }

    /// Transactions by name since the start.
    pub fn counts(&self) -> BTreeMap<&'static str, Counts> {
        self.main.counts()
    }

    /// Reads everything and refuses what does not hold together. PostgreSQL has tools of its own for this (`pg_amcheck`), so there
    /// it only says that the database answers.
    pub async fn check_integrity(&self) -> Result<()> {
        for db in [&self.main, &self.lane, &self.index] {
            let check = match &*db.engine {
                Engine::Lite(_) => sql("PRAGMA integrity_check(10)"),
                Engine::Pg(_) => sql("SELECT 'ok' AS integrity"),
            };
            let rows = db.scan(check).await?;
            if let Some(wrong) = rows.iter().find(|row| row.text(0).is_ok_and(|text| text != "ok")) {
                return Err(Error::corrupt(wrong.text(0)?));
            }
        }
        Ok(())
    }

    /// Finishes what is queued and lets go of the files. Later writes are refused.
    pub async fn close(&self) {
        for db in [&self.main, &self.lane, &self.index] {
            if let Engine::Lite(file) = &*db.engine {
                file.close().await;
            }
        }
    }
}
