//! One connection with its prepared statements, and a transaction open on it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::{join, join_all};
use tokio::sync::mpsc;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::codec;
use crate::db::Isolation;
use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::Stmt;
use crate::tx::Unfinished;

pub(crate) struct Connection {
    client: Client,
    // Keyed by the text, which is static; there are as many entries as statements in this crate.
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl Connection {
    pub fn new(client: Client) -> Self {
        Self { client, statements: Mutex::default() }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub async fn batch(&self, text: &str) -> Result<()> {
        self.client.batch_execute(text).await.map_err(into_error)
    }

    pub async fn exec(&self, statement: &Stmt) -> Result<u64> {
        let prepared = self.prepare(statement.sql).await?;
        let answer = self.client.execute(&prepared, &arguments(statement)).await;
        answer.map_err(|error| self.judge(error))
    }

    pub async fn rows(&self, statement: &Stmt) -> Result<Vec<Row>> {
        let prepared = self.prepare(statement.sql).await?;
        let answer = self.client.query(&prepared, &arguments(statement)).await;
        let rows = answer.map_err(|error| self.judge(error))?;
        rows.iter().map(codec::decode).collect()
    }

    pub(super) async fn prepare(&self, text: &'static str) -> Result<Statement> {
        if let Some(prepared) = self.known().get(text) {
            return Ok(prepared.clone());
        }
        let prepared = self.client.prepare(text).await.map_err(into_error)?;
        self.known().insert(text, prepared.clone());
        Ok(prepared)
    }

    #[cfg(feature = "test-util")]
    pub async fn prepares(&self, text: &'static str) -> Result<()> {
        let prepared = self.prepare(text).await?;
        let types = prepared.params().iter().chain(prepared.columns().iter().map(tokio_postgres::Column::type_));
        match types.into_iter().find(|ty| !codec::is_ours(ty)) {
            None => Ok(()),
            Some(foreign) => Err(Error::other(format!("a parameter or column of type {foreign}"))),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a migration by another replica a plan may no longer fit its table: forget the plans, and let the caller try again.
    fn judge(&self, error: tokio_postgres::Error) -> Error {
        if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) {
            self.known().clear();
            return Error::Conflict;
        }
        into_error(error)
    }
}

/// A transaction whose BEGIN travels with its first statement and whose COMMIT travels with its last.
pub(crate) struct Open<'c> {
    connection: &'c Connection,
    begin: &'static str,
    begun: bool,
}

impl<'c> Open<'c> {
    pub fn new(connection: &'c Connection, isolation: Isolation) -> Self {
        Self {
            connection,
            begin: match isolation {
                Isolation::ReadCommitted => "BEGIN",
                Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            },
            begun: false,
        }
    }

    pub async fn exec(&mut self, statement: &Stmt) -> Result<u64> {
        // Preparing first keeps its round trip out of the transaction, where locks would wait for it.
        self.connection.prepare(statement.sql).await?;
        if std::mem::replace(&mut self.begun, true) {
            return self.connection.exec(statement).await;
        }
        let (begun, done) = join(self.connection.batch(self.begin), self.connection.exec(statement)).await;
        begun.and(done)
    }

    pub async fn rows(&mut self, statement: &Stmt) -> Result<Vec<Row>> {
        self.connection.prepare(statement.sql).await?;
        if std::mem::replace(&mut self.begun, true) {
            return self.connection.rows(statement).await;
        }
        let (begun, rows) = join(self.connection.batch(self.begin), self.connection.rows(statement)).await;
        begun.and(rows)
    }

    pub async fn exec_all(&mut self, statements: &[Stmt]) -> Result<Vec<u64>> {
        for statement in statements {
            self.connection.prepare(statement.sql).await?;
        }
        let begun = std::mem::replace(&mut self.begun, true);
        let begin = async {
            match begun {
                true => Ok(()),
                false => self.connection.batch(self.begin).await,
            }
        };
        let (begun, answers) = join(begin, self.flight(statements)).await;
        begun?;
        answers
    }

    pub async fn script(&mut self, text: &str) -> Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.connection.batch(self.begin).await?;
        }
        self.connection.batch(text).await
    }

    /// Statements in one flight. After a failure the server answers the later ones with "transaction is aborted", so the first
    /// error is the one that tells.
    async fn flight(&self, statements: &[Stmt]) -> Result<Vec<u64>> {
        join_all(statements.iter().map(|statement| self.connection.exec(statement))).await.into_iter().collect()
    }

    pub async fn commit(mut self, last: &[Stmt]) -> std::result::Result<(), Unfinished> {
        for statement in last {
            if let Err(error) = self.connection.prepare(statement.sql).await {
                // Not yet committed; ending the transaction is best effort, for the connection is probably gone.
                let _ = self.connection.batch("ROLLBACK").await;
                return Err(Unfinished::RolledBack(error));
            }
        }
        if !self.begun {
            if last.is_empty() {
                return Ok(());
            }
            self.begun = true;
            let (begun, (done, committed)) =
                join(self.connection.batch(self.begin), join(self.flight(last), self.connection.batch("COMMIT"))).await;
            return ended(begun.and(done.map(|_| ())), committed);
        }
        let (done, committed) = join(self.flight(last), self.connection.batch("COMMIT")).await;
        ended(done.map(|_| ()), committed)
    }

    pub async fn rollback(self) -> Result<()> {
        match self.begun {
            true => self.connection.batch("ROLLBACK").await,
            false => Ok(()),
        }
    }
}

/// A failed statement turns the COMMIT behind it into a rollback. A lost connection says nothing about what the server did.
fn ended(done: Result<()>, committed: Result<()>) -> std::result::Result<(), Unfinished> {
    match done.and(committed) {
        Ok(()) => Ok(()),
        Err(error @ Error::Unavailable(_)) => Err(Unfinished::Unknown(error)),
        Err(error) => Err(Unfinished::RolledBack(error)),
    }
}

/// A transaction that sees one moment of the database for as long as it lives.
pub(crate) struct Snapshot {
    connection: Connection,
}

impl Snapshot {
    pub async fn open(connection: Connection) -> Result<Self> {
        connection
            .batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; SELECT 1")
            .await?;
        Ok(Self { connection })
    }

    /// Hands the rows over in chunks, under the name that goes with them.
    pub async fn chunks(
        &self,
        text: &'static str,
        size: usize,
        name: &'static str,
        sink: &mpsc::Sender<Result<(&'static str, Vec<Row>)>>,
    ) -> Result<()> {
        let none: [&(dyn ToSql + Sync); 0] = [];
        let rows = self.connection.client.query_raw(text, none).await.map_err(into_error)?;
        let mut chunks = std::pin::pin!(rows.ready_chunks(size));
        while let Some(chunk) = chunks.next().await {
            let rows =
                chunk.into_iter().map(|row| codec::decode(&row.map_err(into_error)?)).collect::<Result<Vec<_>>>()?;
            sink.send(Ok((name, rows))).await.map_err(Error::unavailable)?;
        }
        Ok(())
    }
}

fn arguments(statement: &Stmt) -> Vec<&(dyn ToSql + Sync)> {
    statement.args.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Codes: PostgreSQL manual, appendix A.
pub(super) fn into_error(error: tokio_postgres::Error) -> Error {
    let Some(code) = error.code() else {
        // Without a code it is our own encoding or decoding, or the connection itself.
        return match is_transport(&error) {
            true => Error::unavailable(error),
            false => Error::other(error),
        };
    };
    match code.code() {
        "23505" => Error::Unique,
        // The one text of Rust that no encoding of PostgreSQL takes.
        "22021" => Error::Nul,
        "40001" | "40P01" => Error::Conflict,
        "55P03" | "57014" | "53300" => Error::Busy,
        "25006" => Error::ReadOnly,
        "XX001" | "XX002" => Error::corrupt(error.to_string()),
        other
            if other.starts_with("08")
                || other.starts_with("57P")
                || other.starts_with("53")
                || other.starts_with("58") =>
        {
            Error::unavailable(error)
        }
        "25P03" | "25P04" => Error::unavailable(error),
        _ => Error::other(error),
    }
}

fn is_transport(error: &tokio_postgres::Error) -> bool {
    if error.is_closed() {
        return true;
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    let text = error.to_string();
    text.starts_with("error connecting") || text.starts_with("timeout")
}
