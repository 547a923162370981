//! Moves committed pages from the log into the file, off the writer's thread: the checkpoint is what made the slowest commits slow.
//!
//! Under a steady writer the log would only ever grow, and a commit that makes a file longer waits for the file system's journal,
//! which carries the checkpoint's own pages. So once nearly everything is moved the writer is told to move the last few pages and to
//! begin the log anew, over blocks that are there already.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::connection;
use crate::background::{NICER, give_way};
use crate::error::{Error, Result};

const PERIOD: Duration = Duration::from_millis(100);
/// A log of fewer pages is not worth beginning anew.
const WORTH_PAGES: i64 = 256;

/// Told by the writer that there is something to move. Dropping it ends the thread.
pub(super) struct Dirty {
    tell: SyncSender<()>,
    is_nearly_moved: Arc<AtomicBool>,
}

impl Dirty {
    pub fn mark(&self) {
        // Full means the thread has been told already; disconnected means it has died, and the writer's cap takes over.
        let _: std::result::Result<(), TrySendError<()>> = self.tell.try_send(());
    }

    /// Whether the writer should move the rest now; said once.
    pub fn is_nearly_moved(&self) -> bool {
        self.is_nearly_moved.swap(false, Ordering::Relaxed)
    }
}

pub(super) fn spawn(path: &Path) -> Result<(Dirty, JoinHandle<()>)> {
    let connection = connection::checkpointer(path)?;
    let (tell, told) = sync_channel(1);
    let is_nearly_moved = Arc::new(AtomicBool::new(false));
    let nearly_moved = Arc::clone(&is_nearly_moved);
    let thread = std::thread::Builder::new()
        .name("sqlite-checkpoint".into())
        .spawn(move || run(&connection, &told, &nearly_moved))
        .map_err(Error::unavailable)?;
    Ok((Dirty { tell, is_nearly_moved }, thread))
}

fn run(connection: &Connection, told: &Receiver<()>, nearly_moved: &AtomicBool) {
    give_way(NICER);
    while told.recv().is_ok() {
        std::thread::sleep(PERIOD);
        // What was written during a long first pass would be the writer's to move; a second one leaves it little.
        match pass(connection).and_then(|pages| if pages < WORTH_PAGES { Ok(pages) } else { pass(connection) }) {
            Ok(pages) => nearly_moved.store(pages >= WORTH_PAGES, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "checkpoint failed; the log keeps growing until one succeeds"),
        }
    }
}

/// Moves what can be moved without disturbing anybody; answers with the pages in the log.
pub(super) fn pass(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
}
