//! Signed tokens: JSON Web Signatures in compact form (RFC 7515) with ML-DSA (RFC 9964), ES256, ES384 and Ed25519, their public
//! keys (RFC 7517, `AKP` of RFC 9964), and the claims of a JWT (RFC 7519).
//!
//! What holds throughout:
//!
//! - A key carries the one algorithm that it is used with. What a token's header says is compared with it, never obeyed.
//! - No key comes out of a token, and no address of one: whoever carries `jwk`, `jku`, `x5u` or `x5c` is refused, and so is every
//!   `crit`, because no extension is understood here.
//! - One spelling of everything: no padding, no trailing bits or bytes, no member twice, no deep nesting, nothing too long.
//! - Nothing of a payload is handed out before its signature was checked.
//!
//! [`federated`] is the one place that believes RSA.

mod claims;
mod compact;
mod ecdsa;
pub mod federated;
mod json;
mod jwk;
mod key;
mod set;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shake::{ExtendableOutput as _, Shake256, Update as _, XofReader as _};

pub use claims::{Claims, Expected};
pub use compact::{Typ, Verified};
pub use key::{SigningKey, VerifyingKey};
pub use set::KeySet;

use crate::algorithm::Algorithm;
use crate::hash::Hash;

/// Why a token or a key set is not believed. It may be told: nothing secret decides about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Longer than any token or key set of ours.
    #[error("too long")]
    TooLong,
    /// Not a compact JWS: another number of parts, another encoding, a header or payload that is no JSON object.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The header says what no token may say: `crit`, a key or the address of one.
    #[error("the header has {0}")]
    Header(&'static str),
    /// A token of another kind (`typ`).
    #[error("a token of another type")]
    Typ,
    /// The algorithm is none of ours, or not the key's.
    #[error("another algorithm than the key's")]
    Algorithm,
    /// No key of the set has this name.
    #[error("signed with a key that is not known")]
    UnknownKey,
    /// The signature is not the key's over these bytes.
    #[error("the signature is not valid")]
    Signature,
    /// A claim is missing or of the wrong kind.
    #[error("the claim `{0}` is missing or malformed")]
    Claim(&'static str),
    /// Another issuer.
    #[error("issued by another issuer")]
    Issuer,
    /// For somebody else.
    #[error("meant for another audience")]
    Audience,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// Its time has not come.
    #[error("not valid yet")]
    NotYetValid,
    /// A key set that holds what no public key set may hold, or that is none.
    #[error("the key set is refused: {0}")]
    KeySet(&'static str),
}

/// The algorithms that tokens of ours are signed with.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SignatureAlgorithm {
    /// ML-DSA-44 (RFC 9964).
    MlDsa44,
    /// ML-DSA-65: the default.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519, by its name of RFC 9864.
    Ed25519,
}

impl SignatureAlgorithm {
    /// All of them, the quantum-safe first.
    pub const ALL: &[Self] = &[Self::MlDsa44, Self::MlDsa65, Self::MlDsa87, Self::Es256, Self::Es384, Self::Ed25519];

    /// What a header says.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The algorithm that a header names. `EdDSA` is the older name of `Ed25519`; case matters.
    pub fn named(name: &str) -> Option<Self> {
        if name == "EdDSA" {
            return Some(Self::Ed25519);
        }
        Self::ALL.iter().find(|algorithm| algorithm.as_str() == name).copied()
    }

    /// The algorithm of the keys.
    pub fn key_algorithm(self) -> Algorithm {
        match self {
            Self::MlDsa44 => Algorithm::MlDsa44,
            Self::MlDsa65 => Algorithm::MlDsa65,
            Self::MlDsa87 => Algorithm::MlDsa87,
            Self::Es256 => Algorithm::EcdsaP256,
            Self::Es384 => Algorithm::EcdsaP384,
            Self::Ed25519 => Algorithm::Ed25519,
        }
    }

    /// The one algorithm that a key is used with here; none for keys that do not sign.
    pub fn of_key(algorithm: Algorithm) -> Option<Self> {
        Self::ALL.iter().find(|signature| signature.key_algorithm() == algorithm).copied()
    }

    /// The claim `at_hash`, `c_hash` or `s_hash` (OpenID Connect Core 3.1.3.6) for a token signed with this algorithm: the left
    /// half of a hash. For ML-DSA that is SHAKE256 with 64 bytes, for Ed25519 SHA-512, for ECDSA the hash of the curve.
    pub fn half_hash(self, value: &str) -> String {
        let digest = match self {
            Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 => shake256(value.as_bytes()),
            Self::Ed25519 => Hash::Sha512.digest(value.as_bytes()),
            Self::Es256 => Hash::Sha256.digest(value.as_bytes()),
            Self::Es384 => Hash::Sha384.digest(value.as_bytes()),
        };
        let (left, _) = digest.split_at(digest.len() / 2);
        URL_SAFE_NO_PAD.encode(left)
    }
}

fn shake256(bytes: &[u8]) -> Vec<u8> {
    let mut state = Shake256::default();
    state.update(bytes);
    let mut out = vec![0; 64];
    state.finalize_xof().read(&mut out);
    out
}

#[cfg(test)]
mod tests;
