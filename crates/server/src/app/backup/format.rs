//! The file format of backups.
//!
//! ```text
//! file   = header chunk* last-chunk
//! header = "qapi-bak" version:u8=1 recipient:32 length:u32 wrapped-key
//! chunk  = last:u8 length:u32 sealed
//! ```
//! `recipient` is SHA-256 of the recipient's public key; `wrapped-key` is a fresh 256-bit key sealed to it. Every chunk
//! holds up to 64 KiB, sealed under that key and bound to the header, to its number and to whether it is the last: a
//! chunk moved, dropped, doubled or cut off does not open. Numbers are big-endian.

use std::io::Read;

use crypto::context::Context;
use crypto::hash::sha256;
use crypto::key::{PrivateKey, PublicKey};
use crypto::random::Random;
use crypto::secret::{Key32, SecretBytes};
use crypto::symmetric;

/// Plaintext bytes of a full chunk.
pub const CHUNK: usize = 64 << 10;

const MAGIC: &[u8; 8] = b"qapi-bak";
const VERSION: u8 = 1;
/// No KEM of ours wraps a key into more than this.
const WRAPPED_MAX: usize = 4 << 10;
const CHUNK_LABEL: &str = "qapi/backup/chunk/v1";
const KEY_LABEL: &str = "qapi/backup/key/v1";

/// Why a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The bytes are something else.
    #[error("this is not a backup that this version can read")]
    NotABackup,
    /// Encrypted to another key.
    #[error("the backup is encrypted to another key")]
    OtherRecipient,
    /// A chunk does not open.
    #[error("the backup was changed: chunk {0} does not open")]
    Changed(u64),
    /// There is no last chunk.
    #[error("the backup is cut short")]
    CutShort,
    /// Something stands behind the last chunk.
    #[error("the backup has bytes behind its end")]
    BeyondEnd,
    /// What was encrypted is no dump.
    #[error("the backup holds something unreadable")]
    Content(#[source] store::dump::Bad),
    /// It could not be read.
    #[error("reading the backup")]
    Read(#[source] std::io::Error),
}

/// Encrypts a backup while it is made.
pub struct Sealer<'r> {
    key: Key32,
    header: [u8; 32],
    next: u64,
    plain: Vec<u8>,
    random: &'r dyn Random,
}

impl<'r> Sealer<'r> {
    /// A new backup for this recipient, and the bytes it begins with.
    pub fn begin(to: &PublicKey, random: &'r dyn Random) -> Result<(Self, Vec<u8>), crypto::Error> {
        let key = Key32::random(random);
        let wrapped = crypto::wrap::wrap(to, &Context::new(KEY_LABEL), key.expose(), random)?;
        let mut header = MAGIC.to_vec();
        header.push(VERSION);
        header.extend_from_slice(to.hash());
        header.extend_from_slice(&length(wrapped.len()));
        header.extend_from_slice(&wrapped);
        Ok((Self { key, header: sha256(&[&header]), next: 0, plain: Vec::with_capacity(CHUNK), random }, header))
    }

    /// Takes more of the backup, and appends every chunk that became full.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), crypto::Error> {
        while !bytes.is_empty() {
            // A full chunk waits for the byte behind it: only then is it known not to be the last.
            if self.plain.len() == CHUNK {
                self.seal(Last::No, out)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.plain.len()));
            self.plain.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Appends the last chunk.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), crypto::Error> {
        self.seal(Last::Yes, out)
    }

    fn seal(&mut self, last: Last, out: &mut Vec<u8>) -> Result<(), crypto::Error> {
        let context = chunk_context(&self.header, self.next, last);
        let sealed = symmetric::seal_with_key(&self.key, &context, &self.plain, self.random)?;
        out.push(last as u8);
        out.extend_from_slice(&length(sealed.len()));
        out.extend_from_slice(&sealed);
        self.plain.clear();
        self.next += 1;
        Ok(())
    }
}

/// Decrypts a backup while it is read.
pub struct Opener<R> {
    key: Key32,
    header: [u8; 32],
    next: u64,
    is_over: bool,
    input: R,
}

impl<R: Read> Opener<R> {
    /// Reads the header and opens the backup's key.
    pub fn begin(with: &PrivateKey, mut input: R) -> Result<Self, Unusable> {
        let mut header = vec![0; MAGIC.len() + 1 + 32 + 4];
        fill(&mut input, &mut header).map_err(not_a_backup)?;
        let length = read_length(&header[header.len() - 4..]);
        if !header.starts_with(MAGIC) || header[MAGIC.len()] != VERSION || length > WRAPPED_MAX {
            return Err(Unusable::NotABackup);
        }
        let own = with.public_key().ok_or(Unusable::OtherRecipient)?;
        if header[MAGIC.len() + 1..][..32] != *own.hash() {
            return Err(Unusable::OtherRecipient);
        }
        let mut wrapped = vec![0; length];
        fill(&mut input, &mut wrapped)?;
        let key =
            crypto::wrap::unwrap(with, &Context::new(KEY_LABEL), &wrapped).map_err(|_| Unusable::OtherRecipient)?;
        let key = Key32::copy_from(key.expose()).ok_or(Unusable::NotABackup)?;
        header.extend_from_slice(&wrapped);
        Ok(Self { key, header: sha256(&[&header]), next: 0, is_over: false, input })
    }

    /// The next chunk's plaintext; `None` behind the last, once nothing follows it.
    pub fn next(&mut self) -> Result<Option<SecretBytes>, Unusable> {
        if self.is_over {
            return Ok(None);
        }
        let mut head = [0; 5];
        fill(&mut self.input, &mut head)?;
        let [flag, length @ ..] = head;
        let last = if flag == Last::Yes as u8 { Last::Yes } else { Last::No };
        let length = read_length(&length);
        if length > CHUNK + symmetric::OVERHEAD || flag > 1 {
            return Err(Unusable::Changed(self.next));
        }
        let mut sealed = vec![0; length];
        fill(&mut self.input, &mut sealed)?;
        let context = chunk_context(&self.header, self.next, last);
        let plain = symmetric::open_with_key(&self.key, &context, &sealed).map_err(|_| Unusable::Changed(self.next))?;
        self.next += 1;
        if last == Last::Yes {
            self.is_over = true;
            if self.input.read(&mut [0]).map_err(Unusable::Read)? != 0 {
                return Err(Unusable::BeyondEnd);
            }
        }
        Ok(Some(plain))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    No = 0,
    Yes = 1,
}

fn chunk_context(header: &[u8; 32], number: u64, last: Last) -> Context {
    Context::new(CHUNK_LABEL).bytes(header).u64(number).bytes(&[last as u8])
}

fn fill(input: &mut impl Read, out: &mut [u8]) -> Result<(), Unusable> {
    input.read_exact(out).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Unusable::CutShort,
        _ => Unusable::Read(error),
    })
}

/// A file too short for a header is no backup at all.
fn not_a_backup(error: Unusable) -> Unusable {
    match error {
        Unusable::CutShort => Unusable::NotABackup,
        other => other,
    }
}

/// Chunks and wrapped keys are far below 4 GiB.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn read_length(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests;
