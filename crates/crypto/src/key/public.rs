//! The public half: checked when it is made, hashed once, cheap to clone.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, ML_DSA_44, ML_DSA_65, ML_DSA_87, ParsedPublicKey, VerificationAlgorithm};
use serde_json::Value;

use super::{classical, kem, ml_dsa};
use crate::Error;
use crate::algorithm::Algorithm;
use crate::encoding::{jwk, pem, spki};
use crate::hash::sha256;
use crate::import::Imported;
use crate::random::Random;
use crate::secret::SecretArray;

/// A public key, parsed and checked.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    algorithm: Algorithm,
    raw: Box<[u8]>,
    hash: [u8; 32],
    half: Half,
}

enum Half {
    Kem(kem::Public),
    Signature(ParsedPublicKey),
}

impl PublicKey {
    /// Reads the algorithm's own encoding: FIPS 203 and 204, X-Wing's concatenation, the uncompressed point of a curve,
    /// the 32 bytes of Ed25519.
    pub fn from_raw(algorithm: Algorithm, raw: &[u8]) -> Result<Self, Error> {
        if Some(raw.len()) != raw_len(algorithm) {
            return Err(Error::MalformedKey("of another length than the algorithm's public keys"));
        }
        let half = if algorithm.is_kem() {
            Half::Kem(kem::Public::parse(algorithm, raw)?)
        } else {
            let key = ParsedPublicKey::new(verification(algorithm)?, raw);
            Half::Signature(key.map_err(|_| Error::MalformedKey("not a public key of this algorithm"))?)
        };
        Ok(Self(Arc::new(Inner { algorithm, raw: raw.into(), hash: sha256(&[raw]), half })))
    }

    /// Reads a SubjectPublicKeyInfo in DER.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, Error> {
        spki::decode(der)
    }

    /// Reads a SubjectPublicKeyInfo in PEM.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        let (label, der) = pem::decode_public(text)?;
        if label != pem::PUBLIC {
            return Err(Error::WrongHalf("a PEM block of a public key is expected"));
        }
        spki::decode(&der)
    }

    /// Reads a public JSON Web Key.
    pub fn from_jwk(text: &str) -> Result<Self, Error> {
        // The algorithm given matters only to symmetric keys, which are no public ones.
        match jwk::decode(text, Algorithm::MlDsa65)? {
            Imported::Public(key) => Ok(key),
            Imported::Private(_) => Err(Error::WrongHalf("a public JWK is expected")),
        }
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn to_spki_der(&self) -> Vec<u8> {
        spki::encode(self)
    }

    /// The SubjectPublicKeyInfo in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode_public(pem::PUBLIC, &self.to_spki_der())
    }

    /// The public JSON Web Key.
    pub fn to_jwk(&self, kid: Option<&str>) -> Value {
        jwk::encode_public(self, kid)
    }

    /// The JWK thumbprint (RFC 7638).
    pub fn thumbprint(&self) -> String {
        jwk::thumbprint(self)
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The algorithm's own encoding.
    pub fn raw(&self) -> &[u8] {
        &self.0.raw
    }

    /// SHA-256 of the raw encoding, computed once.
    pub fn hash(&self) -> &[u8; 32] {
        &self.0.hash
    }

    /// Whether `signature` is this key's over `message`. ML-DSA: pure mode, empty context. ECDSA: ASN.1 DER.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0.half {
            Half::Signature(key) => key.verify_sig(message, signature).is_ok(),
            Half::Kem(_) => false,
        }
    }

    /// As [`PublicKey::verify`] for ML-DSA with a context string of at most 255 bytes.
    pub fn verify_with_context(&self, context: &[u8], message: &[u8], signature: &[u8]) -> bool {
        self.mu(context, message).is_ok_and(|mu| self.verify_mu(&mu, signature))
    }

    /// Whether `signature` is this ML-DSA key's over a message representative computed elsewhere.
    pub fn verify_mu(&self, mu: &[u8; 64], signature: &[u8]) -> bool {
        ml_dsa::verify_mu(self.0.algorithm, &self.0.raw, mu, signature)
    }

    /// The message representative (mu) that this ML-DSA key signs for a message and a context.
    pub fn mu(&self, context: &[u8], message: &[u8]) -> Result<[u8; 64], Error> {
        if !self.0.algorithm.is_ml_dsa() {
            return Err(Error::WrongOperation("a message representative"));
        }
        ml_dsa::mu(&self.0.raw, context, message)
    }

    /// Whether `signature` is this ECDSA key's over a digest made elsewhere with the curve's hash.
    pub fn verify_digest(&self, digest: &[u8], signature: &[u8]) -> bool {
        match &self.0.half {
            Half::Signature(key) if classical::verification(self.0.algorithm).is_ok() => {
                classical::import_digest(self.0.algorithm, digest)
                    .is_ok_and(|digest| key.verify_digest_sig(&digest, signature).is_ok())
            }
            _ => false,
        }
    }

    /// A fresh shared secret and its encapsulation to this key.
    pub fn encapsulate(&self, random: &dyn Random) -> Result<(Vec<u8>, SecretArray<32>), Error> {
        match &self.0.half {
            Half::Kem(key) => key.encapsulate(random),
            Half::Signature(_) => Err(Error::WrongOperation("encapsulation")),
        }
    }

    /// Encapsulates with the randomness that a published vector gives: `m`, for X-Wing `m || ephemeral`.
    #[cfg(any(test, feature = "test-util"))]
    pub fn encapsulate_with(&self, m: &[u8]) -> Result<(Vec<u8>, SecretArray<32>), Error> {
        kem::encapsulate_with(self.0.algorithm, &self.0.raw, m)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.algorithm == other.0.algorithm && self.0.raw == other.0.raw
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0.hash;
        write!(f, "PublicKey({} {a:02x}{b:02x}{c:02x}{d:02x})", self.0.algorithm)
    }
}

/// The length of an algorithm's raw public keys; none for symmetric ones.
pub(crate) fn raw_len(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::MlKem768 => Some(1184),
        Algorithm::MlKem1024 => Some(1568),
        Algorithm::XWing => Some(1216),
        Algorithm::MlDsa44 => Some(1312),
        Algorithm::MlDsa65 => Some(1952),
        Algorithm::MlDsa87 => Some(2592),
        Algorithm::EcdsaP256 => Some(65),
        Algorithm::EcdsaP384 => Some(97),
        Algorithm::Ed25519 => Some(32),
        Algorithm::Aes256Gcm | Algorithm::HmacSha256 | Algorithm::HmacSha384 | Algorithm::HmacSha512 => None,
    }
}

fn verification(algorithm: Algorithm) -> Result<&'static dyn VerificationAlgorithm, Error> {
    match algorithm {
        Algorithm::MlDsa44 => Ok(&ML_DSA_44),
        Algorithm::MlDsa65 => Ok(&ML_DSA_65),
        Algorithm::MlDsa87 => Ok(&ML_DSA_87),
        Algorithm::Ed25519 => Ok(&ED25519),
        _ => Ok(classical::verification(algorithm)?),
    }
}
