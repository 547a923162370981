//! A transaction, as its closure sees it: the one place where a statement chooses its engine.
//!
//! An error spoils the transaction on both engines, as PostgreSQL does anyway: a closure that swallowed one cannot commit. A key
//! that may be taken is therefore written with `ON CONFLICT`, never by catching [`Error::Unique`].

use std::borrow::Borrow;
use std::future::Future;
use std::pin::Pin;

use crate::error::{Error, Result};
use crate::postgres;
use crate::row::Row;
use crate::sqlite;
use crate::stmt::{Stmt, sql};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub struct Tx<'c> {
    side: Side<'c>,
    spoilt: Option<Error>,
    last: Vec<Stmt>,
    bumped: Vec<[u8; 16]>,
}

enum Side<'c> {
    // `&mut`, although every call takes `&`: a connection is Send but not Sync, and the closure's future must be Send.
    Lite(&'c mut rusqlite::Connection),
    Pg(postgres::Open<'c>),
}

impl<'c> Tx<'c> {
    pub(crate) fn lite(connection: &'c mut rusqlite::Connection) -> Self {
        Self::new(Side::Lite(connection))
    }

    pub(crate) fn pg(open: postgres::Open<'c>) -> Self {
        Self::new(Side::Pg(open))
    }

    fn new(side: Side<'c>) -> Self {
        Self { side, spoilt: None, last: Vec::new(), bumped: Vec::new() }
    }

    /// Runs a statement and returns how many rows it touched. A guarded update checks this number.
    /// One that holds much is lent, because a closure that may run again would have to copy it.
    pub async fn exec(&mut self, statement: impl Borrow<Stmt> + Send) -> Result<u64> {
        self.sound()?;
        let statement = statement.borrow();
        let answer = match &mut self.side {
            Side::Lite(connection) => sqlite::exec(connection, statement),
            Side::Pg(open) => open.exec(statement).await,
        };
        self.note(answer)
    }

    pub async fn rows(&mut self, statement: Stmt) -> Result<Vec<Row>> {
        self.sound()?;
        let answer = match &mut self.side {
            Side::Lite(connection) => sqlite::rows(connection, &statement),
            Side::Pg(open) => open.rows(&statement).await,
        };
        self.note(answer)
    }

    /// At most one row; more than one is corruption.
    pub async fn row(&mut self, statement: Stmt) -> Result<Option<Row>> {
        let mut rows = self.rows(statement).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            n => Err(Error::corrupt(format!("{n} rows where one was expected"))),
        }
    }

    /// Runs statements in order, in one round trip on PostgreSQL.
    pub async fn exec_all(&mut self, statements: impl AsRef<[Stmt]> + Send) -> Result<Vec<u64>> {
        self.sound()?;
        let statements = statements.as_ref();
        let answer = match &mut self.side {
            Side::Lite(connection) => statements.iter().map(|statement| sqlite::exec(connection, statement)).collect(),
            Side::Pg(open) => open.exec_all(statements).await,
        };
        self.note(answer)
    }

    /// Puts a statement at the end of the transaction, on PostgreSQL into the same flight as COMMIT. For statements whose count of
    /// rows nobody looks at: audit rows, the epoch.
    pub fn exec_last(&mut self, statement: Stmt) {
        self.last.extend(statement.unfolded());
    }

    /// Says that something replicas cache for this tenant has changed. Several calls for one tenant count once; the rows are
    /// written at the very end and in sorted order, because each stays locked until the commit.
    pub fn bump_epoch(&mut self, tenant: [u8; 16]) {
        if let Err(place) = self.bumped.binary_search(&tenant) {
            self.bumped.insert(place, tenant);
        }
    }

    /// The database's own time in milliseconds, for leases only: replicas' clocks differ.
    pub async fn database_time(&mut self) -> Result<i64> {
        let statement = match self.side {
            Side::Lite(_) => sql("SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)"),
            Side::Pg(_) => sql("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"),
        };
        let row = self.row(statement).await?;
        row.ok_or_else(|| Error::corrupt("the database told no time"))?.int(0)
    }

    /// Schema statements. `postgres` follows on that engine only.
    pub(crate) async fn script(&mut self, text: &'static str, postgres: &'static str) -> Result<()> {
        self.sound()?;
        let answer = match &mut self.side {
            Side::Lite(connection) => sqlite::script(connection, &crate::migrate::for_sqlite(text)),
            Side::Pg(open) => open.script(&format!("SET LOCAL statement_timeout = 0; {text} {postgres}")).await,
        };
        self.note(answer)
    }

    /// Ends the closure's part: runs what was put last and, on PostgreSQL, commits. Returns the tenants whose epoch moved.
    pub(crate) async fn finish(mut self) -> std::result::Result<Vec<[u8; 16]>, Unfinished> {
        self.sound().map_err(Unfinished::RolledBack)?;
        let mut last = std::mem::take(&mut self.last);
        last.extend(self.bumped.iter().map(|tenant| {
            sql("INSERT INTO tenant_epoch (tenant, epoch) VALUES ($1, 1)
                 ON CONFLICT (tenant) DO UPDATE SET epoch = tenant_epoch.epoch + 1")
            .bind(tenant)
        }));
        match self.side {
            Side::Lite(connection) => {
                for statement in &last {
                    sqlite::exec(connection, statement).map_err(Unfinished::RolledBack)?;
                }
            }
            Side::Pg(open) => open.commit(&last).await?,
        }
        Ok(self.bumped)
    }

    /// On SQLite the writer rolls back.
    pub(crate) async fn abandon(self) -> Result<()> {
        match self.side {
            Side::Lite(_) => Ok(()),
            Side::Pg(open) => open.rollback().await,
        }
    }

    /// Whether the database itself has failed, rather than a statement.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.spoilt, Some(Error::Unavailable(_)))
    }

    fn sound(&self) -> Result<()> {
        self.spoilt.clone().map_or(Ok(()), Err)
    }

    fn note<T>(&mut self, answer: Result<T>) -> Result<T> {
        if let Err(error) = &answer {
            self.spoilt.get_or_insert_with(|| error.clone());
        }
        answer
    }
}

/// How a transaction failed to end.
pub(crate) enum Unfinished {
    /// Nothing of it is in the database.
    RolledBack(Error),
    /// The connection was lost while committing: it may be in the database, and must not be repeated blindly.
    Unknown(Error),
}

impl Unfinished {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::RolledBack(error) | Self::Unknown(error) => error,
        }
    }
}
