//! Opening connections, running statements on them, and what SQLite's errors mean.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, ToSql};

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::Stmt;
use crate::value::Value;

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    Full,
    /// For files that can be rebuilt from others.
    Rebuildable,
}

pub(crate) fn writer(path: &Path, durability: Durability, cache_kib: u32) -> Result<Connection> {
    let create = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    forget_statistics(&open(path, create)?)?;
    let connection = open(path, create)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Rebuildable => "NORMAL",
    };
    pragmas(
        &connection,
        &format!(
            "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};
             PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-{cache_kib}; PRAGMA foreign_keys=ON;
             PRAGMA journal_size_limit=67108864;"
        ),
    )?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(into_error)?;
    if mode != "wal" {
        return Err(Error::unavailable(format!(
            "{} cannot use a write-ahead log: is it on a network disk?",
            path.display()
        )));
    }
    Ok(connection)
}

/// Statements are planned by the indexes there are. By statistics of a day on which a table had one row, SQLite would read all of the
/// hundred thousand that it has an hour later. The connection is not to be used any more: it has read them, and keeps to them.
fn forget_statistics(connection: &Connection) -> Result<()> {
    script(connection, "DROP TABLE IF EXISTS sqlite_stat1; DROP TABLE IF EXISTS sqlite_stat4;")
}

pub(crate) fn reader(path: &Path, cache_kib: u32) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    pragmas(&connection, &format!("PRAGMA query_only=ON; PRAGMA cache_size=-{cache_kib};"))?;
    Ok(connection)
}

pub(crate) fn checkpointer(path: &Path) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    pragmas(&connection, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-256;")?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(into_error)?;
    connection.busy_timeout(Duration::from_millis(5000)).map_err(into_error)?;
    connection.set_prepared_statement_cache_capacity(512);
    // A statement is planned once and not for every value bound: parsing costs more than the reading.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(into_error)?;
    pragmas(
        &connection,
        "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;",
    )?;
    Ok(connection)
}

pub(crate) fn script(connection: &Connection, text: &str) -> Result<()> {
    connection.execute_batch(text).map_err(into_error)
}

fn pragmas(connection: &Connection, text: &str) -> Result<()> {
    connection.execute_batch(text).map_err(into_error)
}

pub(crate) fn exec(connection: &Connection, statement: &Stmt) -> Result<u64> {
    let mut prepared = prepare(connection, statement)?;
    let touched = prepared.raw_execute().map_err(into_error)?;
    u64::try_from(touched).map_err(Error::other)
}

pub(crate) fn rows(connection: &Connection, statement: &Stmt) -> Result<Vec<Row>> {
    let mut out = Vec::new();
    each_row(connection, statement, &mut |row| {
        out.push(row);
        Ok(())
    })?;
    Ok(out)
}

pub(crate) fn each_row(
    connection: &Connection,
    statement: &Stmt,
    sink: &mut dyn FnMut(Row) -> Result<()>,
) -> Result<()> {
    let mut prepared = prepare(connection, statement)?;
    let width = prepared.column_count();
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next().map_err(into_error)? {
        let values =
            (0..width).map(|column| decode(row.get_ref(column).map_err(into_error)?)).collect::<Result<Vec<_>>>()?;
        sink(Row(values))?;
    }
    Ok(())
}

fn prepare<'c>(connection: &'c Connection, statement: &Stmt) -> Result<CachedStatement<'c>> {
    let mut prepared = connection.prepare_cached(statement.sql).map_err(into_error)?;
    // To SQLite `$2` is a name, and names are numbered by their first appearance in the text: bind by the number in the name.
    let mut highest = 0;
    for index in 1..=prepared.parameter_count() {
        let number = prepared
            .parameter_name(index)
            .and_then(|name| name.strip_prefix('$'))
            .and_then(|digits| digits.parse::<usize>().ok())
            .filter(|number| *number > 0)
            .ok_or_else(|| Error::other(Misuse::Parameter))?;
        let value = statement.args.get(number - 1).ok_or_else(|| Error::other(Misuse::Count))?;
        highest = highest.max(number);
        if matches!(value, Value::Text(text) if text.contains('\0')) {
            return Err(Error::Nul);
        }
        prepared.raw_bind_parameter(index, value).map_err(into_error)?;
    }
    if highest != statement.args.len() {
        return Err(Error::other(Misuse::Count));
    }
    Ok(prepared)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(v) => ValueRef::Integer(*v),
            Self::Text(v) => ValueRef::Text(v.as_bytes()),
            Self::Blob(v) => ValueRef::Blob(v),
        }))
    }
}

fn decode(value: ValueRef<'_>) -> Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Int(v),
        ValueRef::Real(_) => return Err(Error::corrupt("a floating-point number")),
        ValueRef::Text(v) => {
            Value::Text(std::str::from_utf8(v).map_err(|_| Error::corrupt("text that is not UTF-8"))?.to_owned())
        }
        ValueRef::Blob(v) => Value::Blob(v.to_vec()),
    })
}

/// A statement that was written wrongly.
#[derive(Debug, thiserror::Error)]
enum Misuse {
    #[error("a parameter is not written $1..$n")]
    Parameter,
    #[error("the number of arguments differs from the number of parameters")]
    Count,
}

/// Codes: <https://sqlite.org/rescode.html>.
pub(crate) fn into_error(error: rusqlite::Error) -> Error {
    let Some(code) = error.sqlite_error().map(|e| e.extended_code) else {
        return Error::other(error);
    };
    match code {
        2067 | 1555 => Error::Unique,
        _ => match code & 0xff {
            5 | 6 => Error::Busy,
            8 => Error::ReadOnly,
            10 | 13 | 14 => Error::unavailable(error),
            11 | 26 => Error::corrupt(error.to_string()),
            _ => Error::other(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_table_was_like_when_it_was_small_decides_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let open = || writer(&dir.path().join("t.db"), Durability::Full, 64).unwrap();
        script(&open(), "CREATE TABLE t (k BLOB PRIMARY KEY, v BLOB); INSERT INTO t VALUES (x'01', x'02'); ANALYZE")
            .unwrap();
        let text = "EXPLAIN QUERY PLAN SELECT o.v FROM t LEFT JOIN t AS o ON o.k = t.v WHERE t.k = $1";
        let plan = rows(&open(), &crate::stmt::sql(text).bind([1])).unwrap();
        let steps: Vec<_> = plan.iter().map(|step| step.text(3).unwrap().to_owned()).collect();
        assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:?}");
    }

    #[test]
    fn sqlite_is_built_to_write_its_data_and_not_the_times_of_its_files() {
        // It does not tell by itself; the flag stands in .cargo/config.toml.
        assert!(option_env!("LIBSQLITE3_FLAGS").is_some_and(|flags| flags.contains("-DHAVE_FDATASYNC=1")));
    }
}
