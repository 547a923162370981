//! The elliptic-curve keys kept for compatibility. None of them survives a quantum computer.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384};
use aws_lc_rs::digest::{Digest, SHA256, SHA384};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm,
};

use crate::Error;
use crate::algorithm::Algorithm;
use crate::random::Random;
use crate::secret::SecretBytes;

/// What differs between the two curves.
struct Curve {
    agreement: &'static agreement::Algorithm,
    signing: &'static EcdsaSigningAlgorithm,
    scalar_len: usize,
}

fn curve(algorithm: Algorithm) -> Result<Curve, Error> {
    match algorithm {
        Algorithm::EcdsaP256 => {
            Ok(Curve { agreement: &ECDH_P256, signing: &ECDSA_P256_SHA256_ASN1_SIGNING, scalar_len: 32 })
        }
        Algorithm::EcdsaP384 => {
            Ok(Curve { agreement: &ECDH_P384, signing: &ECDSA_P384_SHA384_ASN1_SIGNING, scalar_len: 48 })
        }
        _ => Err(Error::WrongOperation("ECDSA")),
    }
}

/// The pair of a secret scalar, and the uncompressed point of its public half.
pub(super) fn ecdsa(algorithm: Algorithm, scalar: &[u8]) -> Result<(EcdsaKeyPair, Vec<u8>), Error> {
    let malformed = |_| Error::MalformedKey("not a scalar of this curve");
    let curve = curve(algorithm)?;
    let private = agreement::PrivateKey::from_private_key(curve.agreement, scalar).map_err(malformed)?;
    let public = private.compute_public_key()?;
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(curve.signing, scalar, public.as_ref()).map_err(malformed)?;
    Ok((pair, public.as_ref().to_vec()))
}

/// A fresh scalar. One outside the curve's order is drawn again, which happens about once in 2^32 (P-256) draws.
pub(super) fn new_scalar(algorithm: Algorithm, random: &dyn Random) -> Result<SecretBytes, Error> {
    let length = curve(algorithm)?.scalar_len;
    for _ in 0..64 {
        let mut bytes = vec![0; length];
        random.fill(&mut bytes);
        let scalar = SecretBytes::new(bytes);
        if ecdsa(algorithm, scalar.expose()).is_ok() {
            return Ok(scalar);
        }
    }
    Err(Error::Provider)
}

/// Signs a message. The nonce of ECDSA comes from the provider's own generator.
pub(super) fn sign(pair: &EcdsaKeyPair, message: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec())
}

/// Signs a digest made elsewhere, with the hash that belongs to the curve.
pub(super) fn sign_digest(algorithm: Algorithm, pair: &EcdsaKeyPair, digest: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(pair.sign_digest(&import_digest(algorithm, digest)?)?.as_ref().to_vec())
}

pub(super) fn import_digest(algorithm: Algorithm, digest: &[u8]) -> Result<Digest, Error> {
    let hash = if algorithm == Algorithm::EcdsaP256 { &SHA256 } else { &SHA384 };
    Digest::import_less_safe(digest, hash).map_err(|_| Error::BadArgument("the digest has not the length of its hash"))
}

pub(super) fn verification(algorithm: Algorithm) -> Result<&'static EcdsaVerificationAlgorithm, Error> {
    match algorithm {
        Algorithm::EcdsaP256 => Ok(&ECDSA_P256_SHA256_ASN1),
        Algorithm::EcdsaP384 => Ok(&ECDSA_P384_SHA384_ASN1),
        _ => Err(Error::WrongOperation("ECDSA")),
    }
}
