//! Migrations: one list, embedded, written in PostgreSQL's words and rewritten for SQLite.
//!
//! Forward only. A database that is newer than the binary is refused, and so is a migration whose text is not the one that was
//! applied. Opening never migrates by itself: on SQLite the server does it at its start, on PostgreSQL the operator does.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crypto::hash::sha256;
use domain::time::Timestamp;

use crate::db::{Db, Engine, Isolation};
use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::sql;
use crate::store::Store;
use crate::tx::Tx;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
    /// Where its tables are on SQLite; on PostgreSQL everything is one database.
    files: &'static [Part],
    /// Settings of tables that only PostgreSQL has.
    postgres: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Main,
    Lane,
    Index,
}

/// Append only, once released.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "base",
        sql: include_str!("migrate/0001_base.sql"),
        files: &[Part::Main],
        // Every cached change updates this row: leave room on its page and clean up early.
        postgres: "ALTER TABLE tenant_epoch SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
                       autovacuum_vacuum_threshold = 1000)",
    },
    Migration {
        version: 2,
        name: "audit batch",
        sql: include_str!("migrate/0002_audit_batch.sql"),
        files: &[Part::Main, Part::Lane],
        postgres: "",
    },
    Migration {
        version: 3,
        name: "audit index",
        sql: include_str!("migrate/0003_audit_index.sql"),
        files: &[Part::Index],
        postgres: "",
    },
    Migration {
        version: 4,
        name: "audit groups",
        sql: include_str!("migrate/0004_audit_group.sql"),
        files: &[Part::Index],
        postgres: "",
    },
    Migration {
        version: 5,
        name: "certificates",
        sql: include_str!("migrate/0005_certificates.sql"),
        files: &[Part::Main],
        postgres: "",
    },
    Migration {
        version: 6,
        name: "identity",
        sql: include_str!("migrate/0006_identity.sql"),
        files: &[Part::Main],
        postgres: "",
    },
    Migration {
        version: 7,
        name: "certificate indexes",
        sql: include_str!("migrate/0007_certificate_indexes.sql"),
        files: &[Part::Main],
        postgres: "",
    },
    Migration {
        version: 8,
        name: "sessions over",
        sql: include_str!("migrate/0008_sessions_over.sql"),
        files: &[Part::Main],
        postgres: "",
    },
    Migration {
        version: 9,
        name: "gate tickets",
        sql: include_str!("migrate/0009_gate_tickets.sql"),
        files: &[Part::Main],
        postgres: "",
    },
    Migration {
        version: 10,
        name: "certificate intents",
        sql: include_str!("migrate/0010_certificate_intents.sql"),
        files: &[Part::Main],
        // Rows come and go all day: clean up by their number, not by a share of a table that is nearly empty.
        postgres: "ALTER TABLE certificate_intent SET (autovacuum_vacuum_scale_factor = 0,
                       autovacuum_vacuum_threshold = 1000)",
    },
];

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the database has schema version {found}, which is newer than this program's {known}")]
    Newer { found: i64, known: i64 },
    #[error("migration {version} ({name}) was applied with another text than this program's")]
    Changed { version: i64, name: &'static str },
    #[error("the database lacks {missing} migration(s): run `qapid migrate`")]
    Behind { missing: usize },
    #[error("another server has been migrating this database for too long")]
    Locked,
}

/// Brings the schema up to this program's version; returns the names of the steps applied.
pub async fn migrate(store: &Store, now: Timestamp) -> Result<Vec<&'static str>> {
    migrate_with(store, MIGRATIONS, now).await
}

/// As [`migrate`], with another list: how tests make older and newer databases.
pub async fn migrate_with(store: &Store, list: &'static [Migration], now: Timestamp) -> Result<Vec<&'static str>> {
    let mut applied = Vec::new();
    for (part, db) in parts(store) {
        let steps: Vec<Migration> =
            list.iter().copied().filter(|m| part.is_none_or(|part| m.files.contains(&part))).collect();
        bootstrap(db).await?;
        let holder = lock(db).await?;
        let outcome = apply_missing(db, &steps, now).await;
        unlock(db, holder).await?;
        applied.extend(outcome?);
    }
    Ok(applied)
}

/// Refuses a schema that is not exactly this program's.
pub async fn check(store: &Store) -> Result<()> {
    for (part, db) in parts(store) {
        let steps: Vec<Migration> =
            MIGRATIONS.iter().copied().filter(|m| part.is_none_or(|part| m.files.contains(&part))).collect();
        bootstrap(db).await?;
        let missing = missing(db, &steps).await?.len();
        if missing > 0 {
            return Err(Error::other(Refused::Behind { missing }));
        }
    }
    crate::dump::refuse_remains(&store.main).await
}

fn parts(store: &Store) -> Vec<(Option<Part>, &Db)> {
    match &*store.main.engine {
        Engine::Lite(_) => {
            vec![(Some(Part::Main), &store.main), (Some(Part::Lane), &store.lane), (Some(Part::Index), &store.index)]
        }
        Engine::Pg(_) => vec![(None, &store.main)],
    }
}

async fn bootstrap(db: &Db) -> Result<()> {
    let tables = "CREATE TABLE IF NOT EXISTS schema_migration (
            version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, sha256 BYTEA NOT NULL, applied_at BIGINT NOT NULL
        );
        CREATE TABLE IF NOT EXISTS schema_lock (
            id BIGINT NOT NULL PRIMARY KEY, holder BIGINT NOT NULL, until BIGINT NOT NULL
        );";
    // Two replicas that create the tables at the same moment collide inside PostgreSQL's catalogue; the second try finds them.
    for _ in 0..5 {
        match script(db, "create schema tables", tables).await {
            Err(Error::Unique | Error::Conflict) => tokio::time::sleep(Duration::from_millis(50)).await,
            outcome => return outcome,
        }
    }
    Err(Error::Conflict)
}

async fn script(db: &Db, name: &'static str, text: &'static str) -> Result<()> {
    db.write(name, Isolation::ReadCommitted, move |tx| Box::pin(async move { tx.script(text, "").await })).await
}

async fn apply_missing(db: &Db, steps: &[Migration], now: Timestamp) -> Result<Vec<&'static str>> {
    let missing = missing(db, steps).await?;
    for step in &missing {
        let step = *step;
        db.migrate("migrate", move |tx| Box::pin(apply(tx, step, now))).await?;
        tracing::info!(schema.version = step.version, schema.name = step.name, "migration applied");
    }
    Ok(missing.iter().map(|step| step.name).collect())
}

async fn apply(tx: &mut Tx<'_>, step: Migration, now: Timestamp) -> Result<()> {
    tx.script(step.sql, step.postgres).await?;
    tx.exec(
        sql("INSERT INTO schema_migration (version, name, sha256, applied_at) VALUES ($1, $2, $3, $4)")
            .bind(step.version)
            .bind(step.name)
            .bind(sha256(&[step.sql.as_bytes()]))
            .bind(now.millis()),
    )
    .await?;
    Ok(())
}

/// The steps not yet applied, after those that were have been compared.
async fn missing(db: &Db, steps: &[Migration]) -> Result<Vec<Migration>> {
    let applied = db.scan(sql("SELECT version, sha256 FROM schema_migration ORDER BY version LIMIT 10000")).await?;
    let known = steps.last().map_or(0, |step| step.version);
    for row in &applied {
        compare(row, steps, known)?;
    }
    let versions = applied.iter().map(|row| row.int(0)).collect::<Result<Vec<_>>>()?;
    Ok(steps.iter().copied().filter(|step| !versions.contains(&step.version)).collect())
}

fn compare(row: &Row, steps: &[Migration], known: i64) -> Result<()> {
    let found = row.int(0)?;
    let step = steps.iter().find(|step| step.version == found);
    let step = step.ok_or_else(|| Error::other(Refused::Newer { found, known }))?;
    if row.array::<32>(1)? != sha256(&[step.sql.as_bytes()]) {
        return Err(Error::other(Refused::Changed { version: found, name: step.name }));
    }
    Ok(())
}

const LOCK_MS: i64 = 60_000;

/// One replica migrates; the others wait. The lock is a row, because not every engine has advisory locks.
async fn lock(db: &Db) -> Result<i64> {
    // Only has to differ between replicas.
    let holder = i64::from_ne_bytes(RandomState::new().hash_one(0).to_ne_bytes());
    for _ in 0..600 {
        let taken = db
            .write("lock schema", Isolation::ReadCommitted, move |tx| {
                Box::pin(async move {
                    let now = tx.database_time().await?;
                    tx.exec(
                        sql("INSERT INTO schema_lock (id, holder, until) VALUES (1, $1, $2)
                             ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, until = excluded.until
                             WHERE schema_lock.until < $3")
                        .bind(holder)
                        .bind(now + LOCK_MS)
                        .bind(now),
                    )
                    .await
                })
            })
            .await?;
        if taken == 1 {
            return Ok(holder);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(Error::other(Refused::Locked))
}

async fn unlock(db: &Db, holder: i64) -> Result<()> {
    db.write("unlock schema", Isolation::ReadCommitted, move |tx| {
        Box::pin(async move {
            tx.exec(sql("DELETE FROM schema_lock WHERE id = 1 AND holder = $1").bind(holder)).await.map(|_| ())
        })
    })
    .await
}

/// The text as SQLite takes it. STRICT tables refuse a value of another type, as PostgreSQL does.
pub(crate) fn for_sqlite(text: &str) -> String {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    code.join("\n")
        .replace("BYTEA", "BLOB")
        .replace("BIGINT", "INTEGER")
        .split_inclusive(';')
        .map(|statement| match statement.trim_start().starts_with("CREATE TABLE") {
            true => format!("{} STRICT;", statement.trim_end_matches(';')),
            false => statement.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_become_strict_and_indexes_stay_as_they_are() {
        let text = "-- why; and why not\n\nCREATE TABLE a (\n  x BYTEA, y BIGINT\n);\nCREATE INDEX b ON a (x);\n";
        assert_eq!(for_sqlite(text), "\nCREATE TABLE a (\n  x BLOB, y INTEGER\n) STRICT;\nCREATE INDEX b ON a (x);");
    }

    #[test]
    fn versions_rise_without_holes() {
        for (n, step) in (1..).zip(MIGRATIONS) {
            assert_eq!(step.version, n);
        }
    }
}
