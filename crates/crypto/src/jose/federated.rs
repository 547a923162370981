//! Tokens of outside issuers: pipelines, clusters, other identity providers. They sign with RS256 and ES256 still, so this is the
//! one place where RSA is believed (RFC 7518, 3.3). Our own kinds of key are taken as well. Nothing is ever signed here.

use std::fmt;
use std::ops::RangeInclusive;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

use super::compact::Parts;
use super::jwk::{self, Jwk, Unusable};
use super::set::select;
use super::{Refusal, SignatureAlgorithm, Typ, Verified, VerifyingKey};

/// The public keys of an outside issuer.
#[derive(Clone, Debug, Default)]
pub struct OutsideKeys(Vec<OutsideKey>);

#[derive(Clone)]
enum OutsideKey {
    Ours(VerifyingKey),
    Rsa(Rsa),
}

/// An RSA key for RS256, of 2048 to 8192 bits.
#[derive(Clone)]
struct Rsa {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    kid: Option<String>,
}

impl OutsideKeys {
    /// Reads a JWK set. Keys of unknown kinds, for encryption, too short, of other algorithms or malformed are passed over; a private
    /// one is refused with the whole set.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let mut keys: Vec<OutsideKey> = Vec::new();
        for jwk in jwk::read(text)? {
            let Ok(key) = OutsideKey::of(&jwk) else { continue };
            let is_taken = |other: &OutsideKey| other.kid() == key.kid() && other.algorithm() == key.algorithm();
            if key.kid().is_some() && keys.iter().any(is_taken) {
                return Err(Refusal::KeySet("two keys of one name"));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// How many keys are usable.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the token says, if a key of the issuer signed it: the one that it names, or else the only one of its algorithm.
    pub fn verify(&self, token: &str, typ: Typ<'_>) -> Result<Verified, Refusal> {
        let parts = Parts::of(token)?;
        let key = select(&self.0, &parts, OutsideKey::kid, OutsideKey::fits)?;
        match key {
            OutsideKey::Ours(key) => key.open(parts, typ),
            OutsideKey::Rsa(key) if key.is_valid(parts.signed.as_bytes(), &parts.signature) => parts.open(typ, RS256),
            OutsideKey::Rsa(_) => Err(Refusal::Signature),
        }
    }
}

impl OutsideKey {
    fn of(jwk: &Jwk) -> Result<Self, Unusable> {
        if jwk.kind()? == "RSA" { Rsa::of(jwk).map(Self::Rsa) } else { jwk.verifying_key().map(Self::Ours) }
    }

    fn kid(&self) -> Option<&str> {
        match self {
            Self::Ours(key) => key.kid(),
            Self::Rsa(key) => key.kid.as_deref(),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ours(key) => key.algorithm().as_str(),
            Self::Rsa(_) => RS256,
        }
    }

    fn fits(&self, alg: &str) -> bool {
        match self {
            Self::Ours(key) => SignatureAlgorithm::named(alg) == Some(key.algorithm()),
            Self::Rsa(_) => alg == RS256,
        }
    }
}

impl fmt::Debug for OutsideKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutsideKey({} {:?})", self.algorithm(), self.kid())
    }
}

impl Rsa {
    fn of(jwk: &Jwk) -> Result<Self, Unusable> {
        let (modulus, exponent) = (jwk.bytes("n")?, jwk.bytes("e")?);
        let is_within = |number: &[u8], bits: RangeInclusive<usize>| bit_len(number).is_some_and(|n| bits.contains(&n));
        let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        let is_usable = jwk.text("alg")?.is_none_or(|alg| alg == RS256)
            && is_within(&modulus, MODULUS_BITS)
            && is_within(&exponent, EXPONENT_BITS)
            && is_odd(&modulus)
            && is_odd(&exponent);
        if is_usable { Ok(Self { modulus, exponent, kid: jwk.kid()? }) } else { Err(Unusable) }
    }

    fn is_valid(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        signature.len() == self.modulus.len() && key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

/// The length of a number in bits; none for zero and for one with a leading zero byte (RFC 7518, 2).
fn bit_len(number: &[u8]) -> Option<usize> {
    let first = number.first().filter(|first| **first != 0)?;
    Some(number.len() * 8 - first.leading_zeros() as usize)
}

const RS256: &str = "RS256";
const MODULUS_BITS: RangeInclusive<usize> = 2048..=8192;
/// 3 to 2^33 - 1, as the provider takes them.
const EXPONENT_BITS: RangeInclusive<usize> = 2..=33;
