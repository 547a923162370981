//! Backups: one moment of the whole platform, encrypted to a recipient's key, verified without being restored.
//!
//! What is sealed in the database is sealed in the backup too: restoring gives a sealed platform, which opens with the
//! shares or the passphrase it was made with.

pub mod format;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use axum::body::Body;
use bytes::Bytes;
use crypto::key::{PrivateKey, PublicKey};
use crypto::random::Random;
use futures_util::stream;
use store::Store;
use store::dump::{self, Check, Record, Summary};
use tokio::runtime::Handle;

use format::{Opener, Sealer, Unusable};

/// Pieces between the database and a slow reader.
const PIECES: usize = 4;

/// Writes a backup.
pub async fn write(
    store: &Store,
    to: &PublicKey,
    random: &(dyn Random + 'static),
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Summary> {
    let (mut sealer, header) = Sealer::begin(to, random)?;
    out.write_all(&header)?;
    let mut sealed = Vec::new();
    let mut sink = |record: Record| {
        sealer.push(&record.encode(), &mut sealed).map_err(store::Error::other)?;
        out.write_all(&sealed).map_err(store::Error::other)?;
        sealed.clear();
        Ok(())
    };
    let summary = dump::dump(store, &mut sink).await?;
    sealer.finish(&mut sealed)?;
    out.write_all(&sealed)?;
    Ok(summary)
}

/// A backup as the body of an answer. When it fails on the way the body ends without its last chunk, and nobody can
/// take it for a whole one.
pub fn body(store: Store, to: PublicKey, random: Arc<dyn Random>) -> Body {
    let (send, receive) = sync_channel(PIECES);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut out = Pieces { send: send.clone(), gathered: Vec::new() };
        let written = runtime.block_on(write(&store, &to, &*random, &mut out)).and_then(|_| Ok(out.flush()?));
        if let Err(error) = written {
            tracing::error!(error = %format!("{error:#}"), "a backup was not finished");
            // If nobody takes it any more there is nobody to tell.
            let _gone = send.send(Err(std::io::Error::other("the backup was not finished")));
        }
    });
    Body::from_stream(stream::unfold(receive, next_piece))
}

type Piece = Result<Bytes, std::io::Error>;

async fn next_piece(receive: Receiver<Piece>) -> Option<(Piece, Receiver<Piece>)> {
    let waited = tokio::task::spawn_blocking(move || (receive.recv(), receive)).await.ok()?;
    Some((waited.0.ok()?, waited.1))
}

/// Hands what is written to a slow reader, and waits for it.
struct Pieces {
    send: std::sync::mpsc::SyncSender<Piece>,
    gathered: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= format::CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.gathered));
        self.send.send(Ok(piece)).map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))
    }
}

/// What a backup was found to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Rows of all tables.
    pub rows: u64,
    /// Audit events whose chains were followed.
    pub events: u64,
}

/// Reads a whole backup and checks it: every chunk, order, counts, digest, and the audit chains.
pub fn verify(with: &PrivateKey, input: impl Read) -> anyhow::Result<Verified> {
    let mut records = Records::begin(with, input)?;
    let mut check = Check::default();
    while let Some(record) = records.next()? {
        check.take(&record)?;
    }
    let (rows, events) = check.finish()?;
    Ok(Verified { rows, events })
}

/// Fills an empty database, of either engine.
pub async fn restore(store: &Store, with: &PrivateKey, input: impl Read + Send) -> anyhow::Result<Summary> {
    let mut records = Records::begin(with, input)?;
    let mut source = || records.next().map_err(store::Error::other);
    Ok(dump::load(store, &mut source).await?)
}

/// The records of a backup, decrypted as they are asked for.
struct Records<R> {
    chunks: Opener<R>,
    plain: Vec<u8>,
    used: usize,
}

impl<R: Read> Records<R> {
    fn begin(with: &PrivateKey, input: R) -> Result<Self, Unusable> {
        Ok(Self { chunks: Opener::begin(with, input)?, plain: Vec::new(), used: 0 })
    }

    fn next(&mut self) -> Result<Option<Record>, Unusable> {
        loop {
            let mut rest = &self.plain[self.used..];
            let before = rest.len();
            if let Some(record) = Record::decode(&mut rest).map_err(Unusable::Content)? {
                self.used += before - rest.len();
                return Ok(Some(record));
            }
            self.plain.drain(..self.used);
            self.used = 0;
            match self.chunks.next()? {
                Some(chunk) => self.plain.extend_from_slice(chunk.expose()),
                None if self.plain.is_empty() => return Ok(None),
                None => return Err(Unusable::CutShort),
            }
        }
    }
}
