//! The entropy pool: the operating system's generator mixed with every configured source.
//!
//! ```text
//! state' || output block = HKDF(salt = state, ikm = OS bytes || bytes of each healthy source)
//! ```
//! A source can only add: whoever controls one, or all but one, learns nothing, because the operating system's bytes and
//! the old state are in the same derivation. Raw bytes of every source pass the health tests of SP 800-90B (4.4.1
//! and 4.4.2) and a start-up test; a source that fails them is dropped until restart and shown as failed.
//!
//! Each refill gives a block of output and replaces the state first, so a state stolen later does not give past output.
//! The operating system is read at every refill, the other sources at every 64th (64 KiB) and whenever output is asked
//! for with its provenance.

mod health;

use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::{Zeroize as _, Zeroizing};

use crate::context::Context;
use crate::hash::hkdf_sha256;
use crate::random::Random;
pub use health::Failure;
use health::Health;

const SAMPLE_LEN: usize = 32;
const STATE_LEN: usize = 32;
const BLOCK_LEN: usize = 1024;
const REFILLS_PER_MIX: u32 = 64;
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
pub struct EntropyPool(Mutex<Pool>);

struct Pool {
    state: Zeroizing<[u8; STATE_LEN]>,
    block: Zeroizing<[u8; BLOCK_LEN]>,
    used: usize,
    refills: u64,
    /// Refills until every source is asked again; 0 asks them at the next.
    until_all: u32,
    os: Member,
    others: Vec<Member>,
}

struct Member {
    name: String,
    source: Box<dyn Source>,
    health: Health,
    mixed_bytes: u64,
}

impl EntropyPool {
    /// A pool over the operating system's generator.
    pub fn new(os: Box<dyn Source>) -> Self {
        let os = Member::new(os.name().to_owned(), os);
        Self(Mutex::new(Pool {
            state: Zeroizing::new([0; STATE_LEN]),
            block: Zeroizing::new([0; BLOCK_LEN]),
            used: BLOCK_LEN,
            refills: 0,
            until_all: 0,
            os,
            others: Vec::new(),
        }))
    }

    /// Adds a source; it is tested and mixed in at the next refill.
    pub fn add_source(&self, name: &str, source: Box<dyn Source>) {
        let mut pool = self.lock();
        pool.others.push(Member::new(name.to_owned(), source));
        pool.used = BLOCK_LEN;
        pool.until_all = 0;
    }

    /// How every source does, the operating system first.
    pub fn status(&self) -> Vec<SourceStatus> {
        let pool = self.lock();
        std::iter::once(&pool.os).chain(&pool.others).map(Member::status).collect()
    }

    /// Fills `out` from a fresh mix of all sources and says which of them were in it.
    pub fn fill_with_provenance(&self, out: &mut [u8]) -> Provenance {
        let mut pool = self.lock();
        let provenance = pool.mix(true);
        pool.read(out);
        provenance
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        // A panic while the lock is held leaves a state that was replaced or not; both are good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Random for EntropyPool {
    fn fill(&self, out: &mut [u8]) {
        self.lock().read(out);
    }
}

impl Pool {
    fn read(&mut self, out: &mut [u8]) {
        let mut rest = out;
        while !rest.is_empty() {
            if self.used == BLOCK_LEN {
                self.mix(self.until_all == 0);
            }
            let length = rest.len().min(BLOCK_LEN - self.used);
            let (now, later) = rest.split_at_mut(length);
            if let Some(fresh) = self.block.get_mut(self.used..self.used + length) {
                now.copy_from_slice(fresh);
                fresh.zeroize();
            }
            self.used += length;
            rest = later;
        }
    }

    /// Replaces state and block. Without the operating system's bytes at the very start there is nothing to go on with;
    /// later, an operating system that stops delivering leaves a state that is still unpredictable, and shows in the status.
    fn mix(&mut self, all: bool) -> Provenance {
        let mut ikm = Zeroizing::new(Vec::with_capacity(SAMPLE_LEN * (1 + self.others.len())));
        let mut provenance = Provenance { sources: Vec::new(), is_quantum: false };
        let delivered = (0..OS_ATTEMPTS).any(|_| self.os.sample(&mut ikm, &mut provenance));
        assert!(delivered || self.refills > 0, "the operating system delivers no randomness");
        self.until_all = if all { REFILLS_PER_MIX } else { self.until_all }.saturating_sub(1);
        if all {
            for member in &mut self.others {
                member.sample(&mut ikm, &mut provenance);
            }
        }
        let context = Context::new(LABEL).u64(self.refills);
        let mut out = Zeroizing::new([0; STATE_LEN + BLOCK_LEN]);
        let derived = hkdf_sha256(self.state.as_slice(), &ikm, context.as_bytes(), out.as_mut_slice());
        assert!(derived.is_ok(), "the provider derives no bytes");
        let (state, block) = out.split_at(STATE_LEN);
        self.state.copy_from_slice(state);
        self.block.copy_from_slice(block);
        self.used = 0;
        self.refills = self.refills.saturating_add(1);
        provenance
    }
}

impl Member {
    fn new(name: String, source: Box<dyn Source>) -> Self {
        Self { name, source, health: Health::default(), mixed_bytes: 0 }
    }

    /// Appends a sample, when the source delivers one and is healthy.
    fn sample(&mut self, ikm: &mut Vec<u8>, provenance: &mut Provenance) -> bool {
        let mut sample = Zeroizing::new([0; SAMPLE_LEN]);
        let source = &mut self.source;
        if !self.health.take(sample.as_mut_slice(), |out| source.read(out)) {
            return false;
        }
        ikm.extend_from_slice(sample.as_slice());
        self.mixed_bytes += SAMPLE_LEN as u64;
        provenance.sources.push(self.name.clone());
        provenance.is_quantum |= self.source.is_quantum();
        true
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
