//! Hashes, HMAC, HKDF and comparison in constant time.

use std::str::FromStr;

use aws_lc_rs::{digest, hkdf, hmac};
use subtle::ConstantTimeEq as _;

use crate::Error;

/// A hash function.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-384.
    Sha3_384,
    /// SHA3-512.
    Sha3_512,
}

impl Hash {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Sha256, Self::Sha384, Self::Sha512, Self::Sha3_256, Self::Sha3_384, Self::Sha3_512];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Sha3_256 => "sha3-256",
            Self::Sha3_384 => "sha3-384",
            Self::Sha3_512 => "sha3-512",
        }
    }

    /// The digest of `data`.
    pub fn digest(self, data: &[u8]) -> Vec<u8> {
        digest::digest(self.provider(), data).as_ref().to_vec()
    }

    /// The start of a digest over data that comes in pieces.
    pub fn start(self) -> Running {
        Running(digest::Context::new(self.provider()))
    }

    /// The digest's length in bytes.
    pub fn output_len(self) -> usize {
        self.provider().output_len()
    }

    fn provider(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
            Self::Sha3_256 => &digest::SHA3_256,
            Self::Sha3_384 => &digest::SHA3_384,
            Self::Sha3_512 => &digest::SHA3_512,
        }
    }

    pub(crate) fn hmac(self) -> Result<hmac::Algorithm, Error> {
        match self {
            Self::Sha256 => Ok(hmac::HMAC_SHA256),
            Self::Sha384 => Ok(hmac::HMAC_SHA384),
            Self::Sha512 => Ok(hmac::HMAC_SHA512),
            Self::Sha3_256 | Self::Sha3_384 | Self::Sha3_512 => Err(Error::Unknown("hash for HMAC")),
        }
    }
}

/// A digest over data that comes in pieces.
#[derive(Clone)]
pub struct Running(digest::Context);

impl Running {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of what has come so far.
    pub fn digest(&self) -> Vec<u8> {
        self.0.clone().finish().as_ref().to_vec()
    }
}

impl FromStr for Hash {
    type Err = Error;

    /// Case and separators do not matter: `SHA-256`, `sha256`, `SHA3_256`.
    fn from_str(name: &str) -> Result<Self, Error> {
        let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
        let name = plain(name);
        Self::ALL.iter().find(|hash| plain(hash.as_str()) == name).copied().ok_or(Error::Unknown("hash"))
    }
}

/// SHA-256 over the parts one after the other. The caller sees to it that their borders are unambiguous.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = digest::Context::new(&digest::SHA256);
    for part in parts {
        state.update(part);
    }
    exactly(state.finish().as_ref())
}

/// SHA3-256 over the parts one after the other.
pub(crate) fn sha3_256(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = digest::Context::new(&digest::SHA3_256);
    for part in parts {
        state.update(part);
    }
    exactly(state.finish().as_ref())
}

/// HMAC-SHA-256 over the parts one after the other.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut state = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        state.update(part);
    }
    exactly(state.sign().as_ref())
}

/// HKDF with SHA-256 (RFC 5869), extract and expand.
///
/// Fails only when more than 255 blocks (8,160 bytes) are asked for.
pub fn hkdf_sha256(salt: &[u8], ikm: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let length = Length(out.len());
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(ikm).expand(&[info], length)?.fill(out)?;
    Ok(())
}

/// Whether two byte strings are equal, in time that depends on their lengths alone.
pub fn ct_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// The provider's 256-bit digests have 32 bytes; another length leaves zeros rather than a panic.
fn exactly(digest: &[u8]) -> [u8; 32] {
    digest.try_into().unwrap_or_default()
}

/// SHA-1, which proves nothing any more: lists of leaked passwords are kept by it, and nothing else is.
pub fn sha1_of_a_leaked_password(password: &[u8]) -> [u8; 20] {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password);
    let mut bytes = [0; 20];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for hash in Hash::ALL {
            assert_eq!(hash.as_str().parse(), Ok(*hash));
            let mut running = hash.start();
            [&b"in "[..], b"pieces"].iter().for_each(|piece| running.update(piece));
            assert_eq!(running.digest(), hash.digest(b"in pieces"));
            assert_eq!(hash.digest(b"").len(), hash.output_len());
        }
        assert_eq!("SHA-512".parse(), Ok(Hash::Sha512));
        assert_eq!("md5".parse::<Hash>(), Err(Error::Unknown("hash")));
    }

    #[test]
    fn parts_are_one_message() {
        assert_eq!(sha256(&[b"ab", b"c"]).as_slice(), Hash::Sha256.digest(b"abc"));
        assert_eq!(sha3_256(&[b"ab", b"c"]).as_slice(), Hash::Sha3_256.digest(b"abc"));
        assert_eq!(hmac_sha256(b"k", &[b"a", b"b"]), hmac_sha256(b"k", &[b"ab"]));
    }

    #[test]
    fn comparison_tells_lengths_and_bytes_apart() {
        assert!(ct_eq(b"same", b"same"));
        assert!(!ct_eq(b"same", b"some"));
        assert!(!ct_eq(b"same", b"sam"));
    }
}
