//! The only crate that names database drivers.
//!
//! SQL is written once, with `$1..$n`, and runs on SQLite (one process, one file per concern) and on PostgreSQL (any number of
//! replicas). Everything above sees four kinds of values, statements, rows and named transactions; the engine shows through nowhere.
//! Rows are private to the file of their aggregate; what leaves this crate is `domain`'s.
//!
//! The crate has no clock and no random source of its own: both are arguments, except for the database's time, by which leases are
//! kept.

pub mod access_tokens;
pub mod account_codes;
pub mod account_factors;
pub mod account_history;
pub mod accounts;
pub mod api_keys;
pub mod applications;
pub mod audit_index;
pub mod authorities;
pub mod background;
pub mod batch;
pub mod certificates;
pub mod checkpoints;
pub mod consents;
mod db;
pub mod device_codes;
pub mod dump;
pub mod entropy_usage;
pub mod epoch;
mod error;
pub mod gate_tickets;
pub mod grants;
pub mod idempotency;
pub mod index;
pub mod keys;
pub mod lane;
pub mod lease;
pub mod letters;
pub mod logout_notices;
pub mod mail;
pub mod meta;
pub mod migrate;
pub mod outbox;
pub mod own_account;
mod postgres;
pub mod pushed_requests;
mod recent;
pub mod resource_servers;
pub mod roles;
mod row;
pub mod secrets;
pub mod sessions;
pub mod shares;
pub mod sign_ins;
mod sqlite;
pub mod standing;
mod stmt;
mod store;
pub mod tenant_keys;
pub mod tenants;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod token_keys;
pub mod trusts;
mod tx;
mod value;

pub use db::Isolation;
pub use error::{Cause, Error, Result};
pub use row::Row;
pub use stmt::{Stmt, sql};
pub use store::{Counts, Options, Store};
pub use tx::{BoxFuture, Tx};
pub use value::Value;
