//! The algorithms the platform offers, by the names they have on the wire.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// An algorithm. The list grows; it never changes meaning.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Algorithm {
    /// ML-KEM-768 (FIPS 203): the default for encryption.
    MlKem768,
    /// ML-KEM-1024 (FIPS 203).
    MlKem1024,
    /// X-Wing: ML-KEM-768 with X25519.
    XWing,
    /// ML-DSA-44 (FIPS 204).
    MlDsa44,
    /// ML-DSA-65 (FIPS 204): the default for signing.
    MlDsa65,
    /// ML-DSA-87 (FIPS 204).
    MlDsa87,
    /// AES-256 in GCM; used through keys derived per message, never directly.
    Aes256Gcm,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
    /// ECDSA on P-256 with SHA-256; for compatibility, not quantum-safe.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384; for compatibility, not quantum-safe.
    EcdsaP384,
    /// Ed25519; for compatibility, not quantum-safe.
    Ed25519,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Purpose {
    /// Sealing and opening.
    Encryption,
    /// Signing and verifying.
    Signing,
    /// Message authentication codes.
    Hmac,
}

impl Algorithm {
    /// All of them, in the order of their declaration.
    pub const ALL: &[Self] = &[
        Self::MlKem768,
        Self::MlKem1024,
        Self::XWing,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
        Self::Aes256Gcm,
        Self::HmacSha256,
        Self::HmacSha384,
        Self::HmacSha512,
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::Ed25519,
    ];

    /// The canonical name, as written on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MlKem768 => "ML-KEM-768",
            Self::MlKem1024 => "ML-KEM-1024",
            Self::XWing => "X-Wing",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
            Self::Aes256Gcm => "AES-256-GCM",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::HmacSha384 => "HMAC-SHA384",
            Self::HmacSha512 => "HMAC-SHA512",
            Self::EcdsaP256 => "ECDSA-P256",
            Self::EcdsaP384 => "ECDSA-P384",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// What keys of it are for.
    pub fn purpose(self) -> Purpose {
        match self {
            Self::MlKem768 | Self::MlKem1024 | Self::XWing | Self::Aes256Gcm => Purpose::Encryption,
            Self::HmacSha256 | Self::HmacSha384 | Self::HmacSha512 => Purpose::Hmac,
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 | Self::EcdsaP256 | Self::EcdsaP384 | Self::Ed25519 => {
                Purpose::Signing
            }
        }
    }

    /// Whether a quantum computer leaves it standing.
    ///
    /// True for the lattice algorithms and X-Wing, and for AES-256 and HMAC too: Grover's search leaves a 256-bit key
    /// at least the strength of category 1 of the post-quantum standards. False for elliptic curves.
    pub fn is_post_quantum(self) -> bool {
        !matches!(self, Self::EcdsaP256 | Self::EcdsaP384 | Self::Ed25519)
    }

    /// Whether it encapsulates: its keys seal to a public half.
    pub fn is_kem(self) -> bool {
        matches!(self, Self::MlKem768 | Self::MlKem1024 | Self::XWing)
    }

    /// Whether it is one of ML-DSA's parameter sets.
    pub fn is_ml_dsa(self) -> bool {
        matches!(self, Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87)
    }

    /// Whether its keys have a public half.
    pub fn is_asymmetric(self) -> bool {
        self.is_kem() || self.purpose() == Purpose::Signing
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    /// Case does not matter, nor do the separators `-`, `_` and `.`; some names have a second spelling.
    fn from_str(name: &str) -> Result<Self, Error> {
        let mut plain = [0; 16];
        let letters =
            name.bytes().filter(|byte| !matches!(byte, b'-' | b'_' | b'.')).map(|byte| byte.to_ascii_lowercase());
        let mut length = 0;
        for letter in letters {
            *plain.get_mut(length).ok_or(UNKNOWN)? = letter;
            length += 1;
        }
        let plain = plain.get(..length).ok_or(UNKNOWN)?;
        NAMES.iter().find(|(spelling, _)| spelling.as_bytes() == plain).map(|(_, algorithm)| *algorithm).ok_or(UNKNOWN)
    }
}

const UNKNOWN: Error = Error::Unknown("algorithm");

const NAMES: &[(&str, Algorithm)] = &[
    ("mlkem768", Algorithm::MlKem768),
    ("mlkem1024", Algorithm::MlKem1024),
    ("xwing", Algorithm::XWing),
    ("mlkem768x25519", Algorithm::XWing),
    ("mldsa44", Algorithm::MlDsa44),
    ("mldsa65", Algorithm::MlDsa65),
    ("mldsa87", Algorithm::MlDsa87),
    ("aes256gcm", Algorithm::Aes256Gcm),
    ("aes256", Algorithm::Aes256Gcm),
    ("hmac", Algorithm::HmacSha256),
    ("hmacsha256", Algorithm::HmacSha256),
    ("hmacsha384", Algorithm::HmacSha384),
    ("hmacsha512", Algorithm::HmacSha512),
    ("ecdsa", Algorithm::EcdsaP256),
    ("ecdsap256", Algorithm::EcdsaP256),
    ("es256", Algorithm::EcdsaP256),
    ("ecdsap384", Algorithm::EcdsaP384),
    ("es384", Algorithm::EcdsaP384),
    ("ed25519", Algorithm::Ed25519),
    ("eddsa", Algorithm::Ed25519),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_in_any_case() {
        for algorithm in Algorithm::ALL {
            for name in [algorithm.to_string(), algorithm.as_str().to_lowercase(), algorithm.as_str().replace('-', "_")]
            {
                assert_eq!(name.parse(), Ok(*algorithm), "{name}");
            }
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        for name in ["", "ML-KEM-512", "RSA-4096", "ML-DSA-65 ", "ml-kem-768-and-much-more-than-fits"] {
            assert_eq!(name.parse::<Algorithm>(), Err(UNKNOWN), "{name}");
        }
    }
}
