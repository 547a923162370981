//! Randomness as an argument.
//!
//! Production passes `entropy::EntropyPool`. Tests that must give the same bytes every time pass `Seeded`, which exists
//! only under the feature `test-util`.

/// Where random bytes come from. Filling cannot fail: an implementation that has nothing to give must not return.
pub trait Random: Send + Sync {
    /// Fills `out`.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's generator did not deliver.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the operating system's generator did not deliver")]
pub struct NoRandomness;

/// Reads the operating system's generator, through the provider. For the entropy pool's first source, and for nothing else.
#[expect(clippy::disallowed_methods, reason = "this is the one door to the operating system's generator")]
pub fn operating_system(out: &mut [u8]) -> Result<(), NoRandomness> {
    aws_lc_rs::rand::fill(out).map_err(|_| NoRandomness)
}

#[cfg(any(test, feature = "test-util"))]
pub use seeded::Seeded;

#[cfg(any(test, feature = "test-util"))]
mod seeded {
    use std::sync::{Mutex, PoisonError};

    use shake::{ExtendableOutput as _, Shake256, Shake256Reader, Update as _, XofReader as _};

    /// The same bytes for the same seed: SHAKE256 of it. Remembers how much was drawn, in which pieces.
    pub struct Seeded(Mutex<(Shake256Reader, Vec<Vec<u8>>)>);

    impl Seeded {
        /// A generator for this seed.
        pub fn new(seed: &[u8]) -> Self {
            let mut shake = Shake256::default();
            shake.update(seed);
            Self(Mutex::new((shake.finalize_xof(), Vec::new())))
        }

        /// Everything drawn so far, one entry a call.
        pub fn drawn(&self) -> Vec<Vec<u8>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
        }
    }

    impl super::Random for Seeded {
        fn fill(&self, out: &mut [u8]) {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.0.read(out);
            state.1.push(out.to_vec());
        }
    }
}
