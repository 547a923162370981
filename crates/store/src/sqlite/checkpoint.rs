//! Moves committed pages from the log into the file, off the writer's thread: the checkpoint is what made the slowest commits slow.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::connection;
use crate::error::{Error, Result};

const PERIOD: Duration = Duration::from_millis(100);

/// Told by the writer that there is something to move. Dropping it ends the thread.
pub(super) struct Dirty(SyncSender<()>);

impl Dirty {
    pub fn mark(&self) {
        // Full means the thread has been told already; disconnected means it has died, and the writer's cap takes over.
        let _: std::result::Result<(), TrySendError<()>> = self.0.try_send(());
    }
}

pub(super) fn spawn(path: &Path) -> Result<(Dirty, JoinHandle<()>)> {
    let connection = connection::checkpointer(path)?;
    let (tell, told) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name("sqlite-checkpoint".into())
        .spawn(move || run(&connection, &told))
        .map_err(Error::unavailable)?;
    Ok((Dirty(tell), thread))
}

fn run(connection: &Connection, told: &Receiver<()>) {
    while told.recv().is_ok() {
        std::thread::sleep(PERIOD);
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(%error, "checkpoint failed; the log keeps growing until one succeeds");
        }
    }
}
