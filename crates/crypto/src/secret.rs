//! Bytes that must not be seen: wiped on drop, without `Debug`, `Clone`, `PartialEq` or `Display`.
//!
//! Reading goes through `expose()` and copying through `duplicate()`, so that both can be found by searching.

use zeroize::{Zeroize as _, Zeroizing};

use crate::random::Random;

/// A secret of any length.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes over the buffer. What the vector left behind when it grew is the caller's to have avoided.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A secret holding a copy of `bytes`.
    pub fn copy_from(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }

    /// A second copy, to be wiped on its own.
    pub fn duplicate(&self) -> Self {
        Self::copy_from(self.expose())
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A secret of fixed length.
pub struct SecretArray<const N: usize>(Zeroizing<[u8; N]>);

/// A 256-bit symmetric key.
pub type Key32 = SecretArray<32>;

impl<const N: usize> SecretArray<N> {
    /// A secret holding `bytes`; the argument's copy is wiped.
    pub fn new(mut bytes: [u8; N]) -> Self {
        let secret = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        secret
    }

    /// A fresh secret.
    pub fn random(random: &dyn Random) -> Self {
        Self::filled(|out| random.fill(out))
    }

    /// A secret that `fill` writes in place.
    pub(crate) fn filled(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut bytes = Zeroizing::new([0; N]);
        fill(&mut bytes);
        Self(bytes)
    }

    /// A secret copied from a slice of exactly this length.
    pub fn copy_from(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == N).then(|| Self::filled(|out| out.copy_from_slice(bytes)))
    }

    /// A second copy, to be wiped on its own.
    pub fn duplicate(&self) -> Self {
        Self::filled(|out| out.copy_from_slice(self.expose()))
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl From<SecretBytes> for Zeroizing<Vec<u8>> {
    fn from(mut secret: SecretBytes) -> Self {
        std::mem::take(&mut secret.0)
    }
}
