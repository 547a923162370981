//! Who uses which connection: reads share a few, transactions and listings borrow one each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connect::{self, Target};
use super::connection::{Connection, Open, Snapshot};
use crate::db::{Attempt, Isolation};
use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::Stmt;
use crate::tx::{BoxFuture, Tx, Unfinished};

const READ_LIMIT: Duration = Duration::from_secs(2);
const WAIT_LIMIT: Duration = Duration::from_secs(5);
const SCAN_LIMIT: Duration = Duration::from_secs(15);
/// After a failed connect everybody else fails at once for this long, instead of queueing up behind the next attempt.
const REST: Duration = Duration::from_millis(100);

pub(crate) struct Database {
    target: Arc<Target>,
    shared: Vec<Slot>,
    turn: AtomicUsize,
    free: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    connecting: AsyncMutex<()>,
    failed: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Slot {
    current: Mutex<Option<Arc<Connection>>>,
    renewing: AsyncMutex<()>,
}

impl Database {
    pub async fn open(target: Arc<Target>, shared: usize, pool: usize) -> Result<Self> {
        let first = target.connect().await?;
        connect::check(&first).await?;
        Ok(Self {
            target,
            shared: (0..shared.max(1)).map(|_| Slot::default()).collect(),
            turn: AtomicUsize::new(0),
            free: Mutex::new(vec![first]),
            permits: Arc::new(Semaphore::new(pool.max(1))),
            connecting: AsyncMutex::new(()),
            failed: Mutex::new(None),
        })
    }

    /// A read that met a dying connection is repeated once on a new one.
    pub async fn read(&self, statement: &Stmt) -> Result<Vec<Row>> {
        match self.read_once(statement).await {
            Err(Error::Unavailable(_) | Error::Conflict) => self.read_once(statement).await,
            answer => answer,
        }
    }

    async fn read_once(&self, statement: &Stmt) -> Result<Vec<Row>> {
        let (slot, connection) = self.shared().await?;
        match timeout(READ_LIMIT, connection.rows(statement)).await {
            Ok(answer) => answer,
            Err(elapsed) => {
                // It may be cut off without knowing it: the next reader gets a new one.
                slot.forget(&connection);
                Err(Error::unavailable(elapsed))
            }
        }
    }

    /// A listing borrows a connection of its own: on a shared one everybody behind it would wait.
    pub async fn scan(&self, statement: &Stmt) -> Result<Vec<Row>> {
        let loan = self.borrow().await?;
        let rows = timeout(SCAN_LIMIT, loan.connection.rows(statement)).await.map_err(Error::unavailable)?;
        self.give_back(loan);
        rows
    }

    pub async fn attempt<T>(
        &self,
        isolation: Isolation,
        limit: Duration,
        f: &(impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Sync),
    ) -> Attempt<T> {
        let loan = match self.borrow().await {
            Ok(loan) => loan,
            Err(error) => return Attempt::Failed(error),
        };
        let outcome = timeout(limit, transaction(&loan.connection, isolation, f)).await;
        match outcome {
            Ok((attempt, Reusable::Yes)) => {
                self.give_back(loan);
                attempt
            }
            Ok((attempt, Reusable::No)) => attempt,
            Err(elapsed) => Attempt::Unknown(Error::unavailable(elapsed)),
        }
    }

    #[cfg(feature = "test-util")]
    pub async fn prepares(&self, text: &'static str) -> Result<()> {
        let loan = self.borrow().await?;
        let outcome = loan.connection.prepares(text).await;
        self.give_back(loan);
        outcome
    }

    /// A read transaction that sees one moment, on a connection of its own.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::open(self.target.connect().await?).await
    }

    async fn shared(&self) -> Result<(&Slot, Arc<Connection>)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.shared.len();
        let slot = self.shared.get(turn).ok_or(Error::Busy)?;
        if let Some(connection) = slot.usable() {
            return Ok((slot, connection));
        }
        let _one_at_a_time = slot.renewing.lock().await;
        if let Some(connection) = slot.usable() {
            return Ok((slot, connection));
        }
        let connection = Arc::new(self.renew().await?);
        *lock(&slot.current) = Some(Arc::clone(&connection));
        Ok((slot, connection))
    }

    async fn borrow(&self) -> Result<Loan> {
        let permit = timeout(WAIT_LIMIT, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| Error::Busy)?
            .map_err(Error::unavailable)?;
        loop {
            let free = lock(&self.free).pop();
            let connection = match free {
                Some(connection) if connection.is_closed() => continue,
                Some(connection) => connection,
                None => self.renew().await?,
            };
            return Ok(Loan { connection, permit });
        }
    }

    fn give_back(&self, loan: Loan) {
        let Loan { connection, permit } = loan;
        if !connection.is_closed() {
            lock(&self.free).push(connection);
        }
        drop(permit);
    }

    /// One attempt at a time: a database that is coming back is not helped by a crowd at its door.
    async fn renew(&self) -> Result<Connection> {
        let _turn = self.connecting.lock().await;
        if lock(&self.failed).is_some_and(|when| when.elapsed() < REST) {
            return Err(Error::unavailable("the database could not be reached a moment ago"));
        }
        let connection = self.target.connect().await;
        *lock(&self.failed) = connection.is_err().then(Instant::now);
        connection
    }
}

impl Slot {
    fn usable(&self) -> Option<Arc<Connection>> {
        lock(&self.current).as_ref().filter(|connection| !connection.is_closed()).cloned()
    }

    fn forget(&self, connection: &Arc<Connection>) {
        let mut current = lock(&self.current);
        if current.as_ref().is_some_and(|known| Arc::ptr_eq(known, connection)) {
            *current = None;
        }
    }
}

struct Loan {
    connection: Connection,
    permit: OwnedSemaphorePermit,
}

enum Reusable {
    Yes,
    No,
}

async fn transaction<T>(
    connection: &Connection,
    isolation: Isolation,
    f: &(impl for<'t> Fn(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T>> + Sync),
) -> (Attempt<T>, Reusable) {
    let mut tx = Tx::pg(Open::new(connection, isolation));
    match f(&mut tx).await {
        Ok(value) => match tx.finish().await {
            Ok(bumped) => (Attempt::Committed(value, bumped), Reusable::Yes),
            Err(Unfinished::Unknown(error)) => (Attempt::Unknown(error), Reusable::No),
            // A spoilt transaction is still open on the server.
            Err(Unfinished::RolledBack(error)) => {
                let reusable = after_rollback(connection.batch("ROLLBACK").await);
                (Attempt::Failed(error), reusable)
            }
        },
        Err(error) => {
            let reusable = after_rollback(tx.abandon().await);
            (Attempt::Failed(error), reusable)
        }
    }
}

fn after_rollback(rolled_back: Result<()>) -> Reusable {
    match rolled_back {
        Ok(()) => Reusable::Yes,
        Err(_) => Reusable::No,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
