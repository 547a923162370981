//! Backup and restore: every table as a stream of typed rows, the same for both engines.
//!
//! A dump is one moment of the database. It is encrypted by whoever writes it out, and nothing in it is in the clear that is not in
//! the clear in the database. Restoring wants an empty, migrated database; [`Check`] goes through a stream without one.

mod check;
mod record;
mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::db::{Db, Engine};
use crate::error::{Error, Result};
use crate::migrate::MIGRATIONS;
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

pub use check::Check;
pub use record::Record;
pub use tables::{TABLES, Table};

/// Rows in flight between the database and whoever takes them.
const CHUNK: usize = 256;
/// Restored rows in one transaction.
const GROUP: usize = 256;
/// Set while a restore is under way; its remains must not be served.
const UNDER_WAY: &str = "restore under way";

/// Rows by table.
pub type Summary = BTreeMap<String, u64>;

/// Why a backup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    #[error("the backup holds bytes that are not a record")]
    Record,
    #[error(
        "the backup has schema version {found}, this program has {known}: restore it with the program that wrote it, then upgrade"
    )]
    Schema { found: u32, known: u32 },
    #[error("the backup's records are not in order: {0}")]
    Order(&'static str),
    #[error("the backup names a table that is not known: {0}")]
    Table(String),
    #[error("a row of {0} does not fit its table")]
    Row(String),
    #[error("the backup ends early or was changed: {0}")]
    End(&'static str),
    #[error("an audit batch in the backup does not verify")]
    Audit,
    #[error("the database to restore into is not empty")]
    NotEmpty,
    #[error("an earlier restore into this database was not finished: empty it and restore again")]
    Unfinished,
}

/// The schema that this program's dumps have.
pub fn schema() -> u32 {
    MIGRATIONS.last().and_then(|step| u32::try_from(step.version).ok()).unwrap_or(0)
}

/// Hands every record of one moment of the database to `sink`, in order.
pub async fn dump(store: &Store, sink: &mut (dyn FnMut(Record) -> Result<()> + Send)) -> Result<Summary> {
    let mut check = Check::default();
    let mut summary = Summary::new();
    emit(&mut check, sink, Record::Header { schema: schema() })?;
    let mut rows = snapshot(store).await?;
    let mut current = None;
    while let Some((table, chunk)) = rows.recv().await.transpose()? {
        if current != Some(table) {
            emit(&mut check, sink, Record::Table(table.to_owned()))?;
            current = Some(table);
        }
        *summary.entry(table.to_owned()).or_default() += chunk.len() as u64;
        for row in chunk {
            emit(&mut check, sink, Record::Row(row.into_values()))?;
        }
    }
    let (rows, digest) = check.so_far();
    emit(&mut check, sink, Record::End { rows, digest })?;
    check.finish()?;
    Ok(summary)
}

/// What is handed out is checked first: a backup that would not restore fails when it is made.
fn emit(check: &mut Check, sink: &mut (dyn FnMut(Record) -> Result<()> + Send), record: Record) -> Result<()> {
    check.take(&record)?;
    sink(record)
}

/// Fills an empty, migrated database from a dump.
pub async fn load(store: &Store, source: &mut (dyn FnMut() -> Result<Option<Record>> + Send)) -> Result<Summary> {
    for table in TABLES {
        if !store.scan(sql(table.any)).await?.is_empty() {
            return Err(Error::other(Bad::NotEmpty));
        }
    }
    one(store, sql("INSERT INTO meta (k, v) VALUES ($1, $2)").bind(UNDER_WAY).bind(b"")).await?;
    let mut check = Check::default();
    let mut summary = Summary::new();
    let mut group = Vec::with_capacity(GROUP);
    while let Some(record) = source()? {
        check.take(&record)?;
        if let (Record::Row(values), Some(table)) = (record, check.table()) {
            *summary.entry(table.name.to_owned()).or_default() += 1;
            group.push(values.into_iter().fold(sql(table.insert), Stmt::bind));
        }
        if group.len() >= GROUP {
            insert(store, std::mem::take(&mut group)).await?;
        }
    }
    insert(store, group).await?;
    check.finish()?;
    one(store, sql("DELETE FROM meta WHERE k = $1").bind(UNDER_WAY)).await?;
    Ok(summary)
}

/// Refuses what an interrupted restore has left behind.
pub(crate) async fn refuse_remains(db: &Db) -> Result<()> {
    match db.read(sql("SELECT 1 FROM meta WHERE k = $1 LIMIT 1").bind(UNDER_WAY)).await?.is_empty() {
        true => Ok(()),
        false => Err(Error::other(Bad::Unfinished)),
    }
}

async fn one(store: &Store, statement: Stmt) -> Result<()> {
    insert(store, vec![statement]).await
}

async fn insert(store: &Store, group: Vec<Stmt>) -> Result<()> {
    let group: Arc<[Stmt]> = group.into();
    store
        .write("restore", move |tx| {
            let group = Arc::clone(&group);
            Box::pin(async move { tx.exec_all(group).await.map(|_| ()) })
        })
        .await
}

type Chunks = mpsc::Receiver<Result<(&'static str, Vec<Row>)>>;

/// Starts reading every table within one snapshot; the reader waits for whoever takes the rows.
async fn snapshot(store: &Store) -> Result<Chunks> {
    let (send, receive) = mpsc::channel(4);
    match &*store.main.engine {
        Engine::Lite(main) => {
            let mut files = vec![main.snapshot()?];
            if let Engine::Lite(lane) = &*store.lane.engine {
                files.push(lane.snapshot()?);
            }
            tokio::task::spawn_blocking(move || {
                for table in TABLES {
                    for (n, file) in files.iter().enumerate() {
                        // The lane's file holds nothing but batches; the main file has some too, those of mutations.
                        if n == 1 && table.name != "audit_batch" {
                            continue;
                        }
                        let sent = file.chunks(&sql(table.select), CHUNK, &mut |rows| {
                            send.blocking_send(Ok((table.name, rows))).map_err(Error::unavailable)
                        });
                        if let Err(error) = sent {
                            // Whoever took the rows may have gone; then nobody is there to be told either.
                            let _ = send.blocking_send(Err(error));
                            return;
                        }
                    }
                }
            });
        }
        Engine::Pg(database) => {
            let snapshot = database.snapshot().await?;
            tokio::spawn(async move {
                for table in TABLES {
                    if let Err(error) = snapshot.chunks(table.select, CHUNK, table.name, &send).await {
                        let _ = send.send(Err(error)).await;
                        return;
                    }
                }
            });
        }
    }
    Ok(receive)
}
