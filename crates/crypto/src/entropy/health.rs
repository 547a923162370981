//! The health tests of SP 800-90B on the raw bytes of one source: repetition count (4.4.1), adaptive proportion (4.4.2),
//! and both over the first 1,024 samples before anything of a source is used (4.3).
//!
//! Cutoffs are for one false alarm in 2^20 and the cautious claim of half a bit of entropy a byte, so that a source with
//! some bias still counts as what it is: an addition.

use zeroize::Zeroizing;

use super::SourceFailed;

/// 1 + ceil(20 / 0.5).
const REPETITION_CUTOFF: u32 = 41;
/// The critical binomial value for 512 samples at p = 2^-0.5 and 2^-20.
const PROPORTION_CUTOFF: u32 = 410;
const PROPORTION_WINDOW: u32 = 512;
const START_UP_SAMPLES: usize = 1024;

/// Why a source is not mixed in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Failure {
    /// It did not deliver. Asked again at the next mix, from the start-up test on.
    #[error("does not deliver")]
    Unreadable,
    /// The same byte too often in a row. Final.
    #[error("repeats itself")]
    Repetition,
    /// One byte too often in a window. Final.
    #[error("is biased")]
    Proportion,
}

/// The running tests of one source.
#[derive(Default)]
pub(super) struct Health {
    started: bool,
    failure: Option<Failure>,
    last: Option<u8>,
    run: u32,
    watched: u8,
    matches: u32,
    seen: u32,
}

impl Health {
    /// Reads a sample through the tests. False when there is none to use.
    pub(super) fn take(
        &mut self,
        sample: &mut [u8],
        mut read: impl FnMut(&mut [u8]) -> Result<(), SourceFailed>,
    ) -> bool {
        if matches!(self.failure, Some(Failure::Repetition | Failure::Proportion)) {
            return false;
        }
        if !self.started {
            *self = Self::default();
            let mut start_up = Zeroizing::new([0; START_UP_SAMPLES]);
            if !self.read_tested(start_up.as_mut_slice(), &mut read) {
                return false;
            }
            self.started = true;
        }
        self.read_tested(sample, &mut read)
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.started && self.failure.is_none()
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure
    }

    fn read_tested(&mut self, out: &mut [u8], read: &mut impl FnMut(&mut [u8]) -> Result<(), SourceFailed>) -> bool {
        if read(out).is_err() {
            self.started = false;
            self.failure = Some(Failure::Unreadable);
            return false;
        }
        self.failure = out.iter().find_map(|byte| self.test(*byte));
        self.failure.is_none()
    }

    fn test(&mut self, byte: u8) -> Option<Failure> {
        self.run = if self.last == Some(byte) { self.run + 1 } else { 1 };
        self.last = Some(byte);
        if self.seen == 0 {
            self.watched = byte;
            self.matches = 0;
        }
        self.matches += u32::from(byte == self.watched);
        self.seen = (self.seen + 1) % PROPORTION_WINDOW;
        if self.run >= REPETITION_CUTOFF {
            return Some(Failure::Repetition);
        }
        (self.matches >= PROPORTION_CUTOFF).then_some(Failure::Proportion)
    }
}
