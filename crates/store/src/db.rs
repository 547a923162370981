//! One database, whichever engine it is: a SQLite file or a PostgreSQL database.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::background::Background;
use crate::epoch::Epochs;
use crate::error::{Error, Result};
use crate::postgres;
use crate::row::Row;
use crate::sqlite;
use crate::stmt::Stmt;
use crate::store::Counts;
use crate::tx::{BoxFuture, Tx};

const ATTEMPTS: u32 = 5;
/// A transaction that takes longer has lost its connection, whatever the connection says.
const LIMIT: Duration = Duration::from_secs(15);
const MIGRATION_LIMIT: Duration = Duration::from_secs(3600);

/// What a transaction may rely on. Everything has to be right under the first; SQLite gives the second always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    ReadCommitted,
    /// For rules over several rows, such as "the last owner stays". Costs retries.
    Serializable,
}

#[derive(Clone)]
pub(crate) struct Db {
    pub(crate) engine: Arc<Engine>,
    counts: Arc<Mutex<BTreeMap<&'static str, Counts>>>,
    epochs: Epochs,
    background: Background,
}

pub(crate) enum Engine {
    Lite(sqlite::File),
    Pg(postgres::Database),
}

pub(crate) enum Attempt<T> {
    Committed(T, Vec<[u8; 16]>),
    Failed(Error),
    /// It may have been committed.
    Unknown(Error),
}

impl Db {
    pub fn new(engine: Engine, epochs: &Epochs, background: &Background) -> Self {
        Self {
            engine: Arc::new(engine),
            counts: Arc::default(),
            epochs: epochs.clone(),
            background: background.clone(),
        }
    }

    // What waits for PostgreSQL is boxed: inline it is three kilobytes of every request's future on either engine, and those are moved
    // a few times and held while the request waits.
    pub async fn read(&self, statement: Stmt) -> Result<Vec<Row>> {
        match &*self.engine {
            Engine::Lite(file) => file.read(&statement).await,
            Engine::Pg(database) => Box::pin(database.read(&statement)).await,
        }
    }

    pub async fn scan(&self, statement: Stmt) -> Result<Vec<Row>> {
        match &*self.engine {
            Engine::Lite(file) => file.scan(statement).await,
            Engine::Pg(database) => Box::pin(database.scan(&statement)).await,
        }
    }

    /// As [`Db::scan`] for long rows that no request waits for: each is read as soon as it is there where the engine can.
    pub async fn scan_each<T: Send + 'static>(
        &self,
        statement: Stmt,
        read: impl FnMut(Row) -> Result<T> + Send + 'static,
    ) -> Result<Vec<T>> {
        match &*self.engine {
            Engine::Lite(file) => self.background.run(file.scan_each(statement, read).await?).await?,
            Engine::Pg(database) => {
                let rows = Box::pin(database.scan(&statement)).await?;
                self.background.run(move || rows.into_iter().map(read).collect()).await?
            }
        }
    }

    pub async fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        isolation: Isolation,
        f: impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    ) -> Result<T> {
        self.write_within(LIMIT, name, isolation, f).await
    }

    /// As [`Db::write`], for changes of the schema: those may take their time.
    pub async fn migrate<T: Send + 'static>(
        &self,
        name: &'static str,
        f: impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    ) -> Result<T> {
        self.write_within(MIGRATION_LIMIT, name, Isolation::ReadCommitted, f).await
    }

    async fn write_within<T: Send + 'static>(
        &self,
        limit: Duration,
        name: &'static str,
        isolation: Isolation,
        f: impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    ) -> Result<T> {
        let result = match &*self.engine {
            Engine::Lite(file) => {
                let epochs = self.epochs.clone();
                file.write(move |tx| f(tx), move |tenants| epochs.moved(tenants)).await
            }
            Engine::Pg(_) => match self.clone().in_a_task(limit, name, isolation, f).await {
                Ok(result) => result,
                Err(error) if error.is_panic() => Err(sqlite::panicked(error.into_panic().as_ref())),
                Err(error) => Err(Error::unavailable(error)),
            },
        };
        self.count(name, |counts| match result {
            Ok(_) => counts.committed += 1,
            Err(_) => counts.failed += 1,
        });
        result
    }

    /// A caller who goes away cannot leave half a transaction on the connection.
    fn in_a_task<T: Send + 'static>(
        self,
        limit: Duration,
        name: &'static str,
        isolation: Isolation,
        f: impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Send + Sync + 'static,
    ) -> JoinHandle<Result<T>> {
        tokio::spawn(async move { self.retried(limit, name, isolation, &f).await })
    }

    async fn retried<T>(
        &self,
        limit: Duration,
        name: &'static str,
        isolation: Isolation,
        f: &(impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Sync),
    ) -> Result<T> {
        let Engine::Pg(database) = &*self.engine else {
            return Err(Error::other("retries are for PostgreSQL"));
        };
        let mut attempt = 1;
        loop {
            let error = match database.attempt(isolation, limit, f).await {
                Attempt::Committed(value, bumped) => {
                    self.epochs.moved(&bumped);
                    return Ok(value);
                }
                Attempt::Unknown(error) => return Err(error),
                Attempt::Failed(error) => error,
            };
            // Unavailable is before the commit here: nothing has happened yet.
            let again = matches!(error, Error::Conflict | Error::Unavailable(_));
            if !again || attempt == ATTEMPTS {
                return Err(error);
            }
            self.count(name, |counts| counts.retried += 1);
            tokio::time::sleep(jitter(attempt)).await;
            attempt += 1;
        }
    }

    pub fn counts(&self) -> BTreeMap<&'static str, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, name: &'static str, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        change(counts.entry(name).or_default());
    }
}

/// 2 to 50 ms, later attempts longer. Only spreads replicas apart, so the hasher's seed is random enough.
fn jitter(attempt: u32) -> Duration {
    let most = (2u64 << (2 * attempt)).min(48);
    Duration::from_millis(2 + RandomState::new().hash_one(attempt) % most)
}
