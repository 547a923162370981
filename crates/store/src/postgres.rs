//! PostgreSQL: a few shared connections that pipeline reads, a small pool for transactions.

mod codec;
mod connect;
mod connection;
mod pool;

pub(crate) use connect::Target;
pub(crate) use connection::Open;
pub(crate) use pool::Database;
