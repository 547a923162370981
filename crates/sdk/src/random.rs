//! A client's own randomness: names for requests and jitter for waits straight from the operating system, keys from
//! the mixed pool over it.

use crypto::entropy::{EntropyPool, Source, SourceFailed};
use uuid::Uuid;

/// Sixteen random bytes from the operating system; zeros when it has none to give.
#[expect(clippy::disallowed_methods, reason = "names and jitter need no pool; keys are drawn from one")]
fn bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    // Without randomness an idempotency key would repeat and jitter would vanish: harmless, and the server refuses a
    // key that comes again with another request.
    let _ = getrandom::fill(&mut bytes);
    bytes
}

/// A fresh name for a request that must not happen twice.
pub(crate) fn request_name() -> Uuid {
    uuid::Builder::from_random_bytes(bytes()).into_uuid()
}

/// A number between 0 and 1.
pub(crate) fn fraction() -> f64 {
    let [first, second, ..] = bytes();
    f64::from(u16::from_be_bytes([first, second])) / f64::from(u16::MAX)
}

/// A pool that private keys are drawn from: those of identities, and those that a program makes for its user.
pub fn pool() -> EntropyPool {
    EntropyPool::new(Box::new(OperatingSystem))
}

struct OperatingSystem;

impl Source for OperatingSystem {
    fn name(&self) -> &str {
        "os"
    }

    fn is_quantum(&self) -> bool {
        false
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), SourceFailed> {
        crypto::random::operating_system(out).map_err(|_| SourceFailed)
    }
}
