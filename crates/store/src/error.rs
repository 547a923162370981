use std::sync::Arc;

/// What went wrong below the seam; cloneable, because one failed commit answers a whole group.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A unique key is taken. Which one is known to whoever wrote the row: SQLite does not name the constraint.
    #[error("a row with this key exists already")]
    Unique,
    /// The transaction collided with another one; `Store::write` has already tried it again.
    #[error("the transaction collided with another one")]
    Conflict,
    /// A queue, a pool or the database itself has no room within the time allowed.
    #[error("the database is busy")]
    Busy,
    /// The database cannot be reached, or failed while committing: the outcome of a write is then unknown.
    #[error("the database is unavailable")]
    Unavailable(#[source] Cause),
    /// Stored bytes are not what was written.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
    /// An earlier write failed on the disk; the store must be opened again before it can be trusted with another.
    #[error("the store is read-only since an earlier write failed")]
    ReadOnly,
    /// A text holds a NUL: PostgreSQL keeps none, so nothing that is kept or looked for has one.
    #[error("a text holds a NUL")]
    Nul,
    #[error("the database refused a statement")]
    Other(#[source] Cause),
}

impl Error {
    pub fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(cause.into()))
    }

    /// Any other failure; also what a transaction's closure returns to roll back with a reason of its own, which the caller
    /// gets back through [`Error::reason`].
    pub fn other(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(Arc::from(cause.into()))
    }

    /// The reason a closure gave to [`Error::other`].
    pub fn reason<E: std::error::Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::Other(cause) => cause.downcast_ref(),
            _ => None,
        }
    }

    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }
}
