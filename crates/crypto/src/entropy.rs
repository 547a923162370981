//! The entropy pool: the operating system's generator mixed with every configured source.
//!
//! ```text
//! state' || key = HKDF(salt = state, ikm = OS bytes || bytes of each healthy source)
//! output block  = the keystream of AES-256 in counter mode under key
//! ```
//! A source can only add: whoever controls one, or all but one, learns nothing, because the operating system's bytes and
//! the old state are in the same derivation. Raw bytes of every source pass the health tests of SP 800-90B (4.4.1
//! and 4.4.2) and a start-up test; a source that fails them is dropped until restart and shown as failed.
//!
//! Each refill gives a block of output, replaces the state and forgets the key, so a state stolen later does not give past
//! output.
//! The operating system is read at every refill, the other sources at every 16th (64 KiB) and whenever output is asked
//! for with its provenance.

mod health;

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use aws_lc_rs::cipher::{AES_256, AES_256_KEY_LEN, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use zeroize::{Zeroize as _, Zeroizing};

use crate::context::Context;
use crate::hash::hkdf_sha256;
use crate::random::Random;
pub use health::Failure;
use health::Health;

const SAMPLE_LEN: usize = 32;
const STATE_LEN: usize = 32;
const BLOCK_LEN: usize = 4096;
const REFILLS_PER_MIX: u32 = 16;
const OS_ATTEMPTS: u32 = 16;
const LABEL: &str = "qapi/entropy/v1";

/// Something that delivers raw random bytes.
pub trait Source: Send {
    /// What the operator calls it.
    fn name(&self) -> &str;
    /// Whether its bytes come from a quantum process.
    fn is_quantum(&self) -> bool;
    /// Fills `out` or fails; a short answer is a failure.
    fn read(&mut self, out: &mut [u8]) -> Result<(), SourceFailed>;
}

/// A source did not deliver.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the entropy source did not deliver")]
pub struct SourceFailed;

/// How a source does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Whether its bytes come from a quantum process.
    pub is_quantum: bool,
    /// Whether it is being mixed in.
    pub is_healthy: bool,
    /// Why not.
    pub failure: Option<Failure>,
    /// Bytes mixed in so far.
    pub mixed_bytes: u64,
}

/// What went into one piece of output.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Provenance {
    /// Names of the sources that delivered for this very output, the operating system first.
    pub sources: Vec<String>,
    /// Whether one of them is quantum.
    pub is_quantum: bool,
}

/// The generator that everything in a process draws from.
///
/// Two locks, so that a source that is slow to answer holds up only the caller whose turn it is to ask: nobody waits for
/// a source while holding the generator, and drawing does not wait for the sources at all when somebody asks them already.
pub struct EntropyPool {
    generator: Mutex<Generator>,
    sources: Mutex<Vec<Member>>,
    last_status: Mutex<Vec<SourceStatus>>,
}

struct Generator {
    state: Zeroizing<[u8; STATE_LEN]>,
    block: Zeroizing<[u8; BLOCK_LEN]>,
    used: usize,
    refills: u64,
    /// Refills until the sources are asked again; 0 asks them at the next.
    until_sources: u32,
    os: Member,
}

struct Member {
    name: String,
    source: Box<dyn Source>,
    health: Health,
    mixed_bytes: u64,
}

/// What the sources gave for one mix.
struct Sample {
    bytes: Zeroizing<Vec<u8>>,
    provenance: Provenance,
}

impl EntropyPool {
    /// A pool over the operating system's generator.
    pub fn new(os: Box<dyn Source>) -> Self {
        let generator = Generator {
            state: Zeroizing::new([0; STATE_LEN]),
            block: Zeroizing::new([0; BLOCK_LEN]),
            used: BLOCK_LEN,
            refills: 0,
            until_sources: 0,
            os: Member::new(os.name().to_owned(), os),
        };
        Self { generator: Mutex::new(generator), sources: Mutex::default(), last_status: Mutex::default() }
    }

    /// Adds a source; it is tested and mixed in at the next refill. Its `read` should have a time limit of its own.
    pub fn add_source(&self, name: &str, source: Box<dyn Source>) {
        lock(&self.sources).push(Member::new(name.to_owned(), source));
        let mut generator = lock(&self.generator);
        generator.used = BLOCK_LEN;
        generator.until_sources = 0;
    }

    /// How every source does, the operating system first. While somebody waits for a source, as it was before.
    pub fn status(&self) -> Vec<SourceStatus> {
        let mut status = vec![lock(&self.generator).os.status()];
        let mut last = lock(&self.last_status);
        if let Some(sources) = try_lock(&self.sources) {
            *last = sources.iter().map(Member::status).collect();
        }
        status.extend_from_slice(&last);
        status
    }

    /// Fills `out` from a fresh mix of all sources and says which of them were in it. Waits for the sources.
    pub fn fill_with_provenance(&self, out: &mut [u8]) -> Provenance {
        let sample = Sample::of(&mut lock(&self.sources));
        let mut generator = lock(&self.generator);
        let provenance = generator.mix(sample);
        // Output longer than a block goes on from the state that this mix gave.
        let mut rest = generator.take(out);
        while !rest.is_empty() {
            generator.mix(Sample::none());
            rest = generator.take(rest);
        }
        provenance
    }
}

impl Random for EntropyPool {
    fn fill(&self, out: &mut [u8]) {
        let mut rest = lock(&self.generator).take(out);
        while !rest.is_empty() {
            let is_sources_turn = lock(&self.generator).is_sources_turn();
            let sources = if is_sources_turn { try_lock(&self.sources) } else { None };
            let sample = sources.map_or_else(Sample::none, |mut sources| Sample::of(&mut sources));
            let mut generator = lock(&self.generator);
            generator.mix(sample);
            rest = generator.take(rest);
        }
    }
}

/// A panic while a lock is held leaves a state that was replaced or not; both are good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Generator {
    /// Whether this refill is one that asks the sources; it is then counted as done.
    fn is_sources_turn(&mut self) -> bool {
        let is_turn = self.until_sources == 0;
        self.until_sources = if is_turn { REFILLS_PER_MIX - 1 } else { self.until_sources - 1 };
        is_turn
    }

    /// Writes what is left of the block and wipes it there. What could not be filled comes back.
    fn take<'a>(&mut self, out: &'a mut [u8]) -> &'a mut [u8] {
        let length = out.len().min(BLOCK_LEN - self.used);
        let (now, later) = out.split_at_mut(length);
        if let Some(fresh) = self.block.get_mut(self.used..self.used + length) {
            now.copy_from_slice(fresh);
            fresh.zeroize();
        }
        self.used += length;
        later
    }

    /// Replaces state and block. Without the operating system's bytes at the very start there is nothing to go on with;
    /// later, an operating system that stops delivering leaves a state that is still unpredictable, and shows in the status.
    fn mix(&mut self, others: Sample) -> Provenance {
        let mut sample = Sample::none();
        let delivered = (0..OS_ATTEMPTS).any(|_| sample.add(&mut self.os));
        assert!(delivered || self.refills > 0, "the operating system delivers no randomness");
        sample.bytes.extend_from_slice(&others.bytes);
        let context = Context::new(LABEL).u64(self.refills);
        let mut out = Zeroizing::new([0; STATE_LEN + AES_256_KEY_LEN]);
        let derived = hkdf_sha256(self.state.as_slice(), &sample.bytes, context.as_bytes(), out.as_mut_slice());
        assert!(derived.is_ok(), "the provider derives no bytes");
        let (state, key) = out.split_at(STATE_LEN);
        self.state.copy_from_slice(state);
        self.block.zeroize();
        assert!(keystream(key, self.block.as_mut_slice()).is_ok(), "the provider encrypts no bytes");
        self.used = 0;
        self.refills = self.refills.saturating_add(1);
        sample.provenance.sources.extend(others.provenance.sources);
        sample.provenance.is_quantum |= others.provenance.is_quantum;
        sample.provenance
    }
}

/// Puts the keystream of AES-256 in counter mode over zeros. A counter that always begins at 0 is fine: no key serves twice.
fn keystream(key: &[u8], zeros: &mut [u8]) -> Result<(), Unspecified> {
    let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_256, key)?)?;
    key.less_safe_encrypt(zeros, EncryptionContext::Iv128(FixedLength::from([0; 16])))?;
    Ok(())
}

impl Sample {
    /// An empty one, with room for as many sources as anybody has, so that growing leaves no copies behind.
    fn none() -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(SAMPLE_LEN * 16)),
            provenance: Provenance { sources: Vec::new(), is_quantum: false },
        }
    }

    fn of(members: &mut [Member]) -> Self {
        let mut sample = Self::none();
        for member in members {
            sample.add(member);
        }
        sample
    }

    /// Adds a member's bytes, when it delivers and is healthy.
    fn add(&mut self, member: &mut Member) -> bool {
        let Some(bytes) = member.read() else { return false };
        self.bytes.extend_from_slice(bytes.as_slice());
        self.provenance.sources.push(member.name.clone());
        self.provenance.is_quantum |= member.source.is_quantum();
        true
    }
}

impl Member {
    fn new(name: String, source: Box<dyn Source>) -> Self {
        Self { name, source, health: Health::default(), mixed_bytes: 0 }
    }

    fn read(&mut self) -> Option<Zeroizing<[u8; SAMPLE_LEN]>> {
        let mut sample = Zeroizing::new([0; SAMPLE_LEN]);
        let source = &mut self.source;
        if !self.health.take(sample.as_mut_slice(), |out| source.read(out)) {
            return None;
        }
        self.mixed_bytes += SAMPLE_LEN as u64;
        Some(sample)
    }

    fn status(&self) -> SourceStatus {
        SourceStatus {
            name: self.name.clone(),
            is_quantum: self.source.is_quantum(),
            is_healthy: self.health.is_healthy(),
            failure: self.health.failure(),
            mixed_bytes: self.mixed_bytes,
        }
    }
}

#[cfg(test)]
mod tests;
