use std::fmt;

use crate::key::PublicKey;

/// A key identifier: what SKI and AKI extensions hold.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(Box<[u8]>);

impl KeyId {
    /// The identifier of a key by RFC 7093 method 1: the leftmost 160 bits of the SHA-256 of its raw encoding.
    pub fn of(key: &PublicKey) -> Self {
        let (id, _) = key.hash().split_at(20);
        Self(id.into())
    }

    /// An identifier that somebody else chose.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Lower-case hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}
