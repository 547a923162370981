//! The only crate that names database drivers.
//!
//! SQL is written once, with `$1..$n`, and runs on SQLite (one process, one file per concern) and on PostgreSQL (any number of
//! replicas). Everything above sees four kinds of values, statements, rows and named transactions; the engine shows through nowhere.
//! Rows are private to the file of their aggregate; what leaves this crate is `domain`'s.
//!
//! The crate has no clock and no random source of its own: both are arguments, except for the database's time, by which leases are
//! kept.

mod db;
mod error;
pub mod migrate;
mod postgres;
mod row;
mod sqlite;
mod stmt;
mod store;
mod tx;
#[cfg(feature = "test-util")]
pub mod testing;
mod value;

pub use db::Isolation;
pub use error::{Cause, Error, Result};
pub use row::Row;
pub use stmt::{Stmt, sql};
pub use store::{Counts, Options, Store};
pub use tx::{BoxFuture, Tx};
pub use value::Value;
