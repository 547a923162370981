//! PKCS#8 and OneAsymmetricKey (RFC 5958) around each algorithm's own private form.
//!
//! ML-KEM (RFC 9935) and ML-DSA (RFC 9881): a choice of `seed [0]`, `expandedKey`, or `both`. We write the seed, and the
//! expanded form only for a key that has no seed. We read all three; of `both`, the expanded half is recomputed from the
//! seed and must be the same.

use super::der::{self, BIT_STRING, INTEGER, OCTET_STRING, Reader, SEQUENCE};
use super::{identified, identifier};
use crate::Error;
use crate::algorithm::Algorithm;
use crate::hash::ct_eq;
use crate::key::PrivateKey;
use crate::secret::SecretBytes;

const SEED: u8 = 0x80;
const ATTRIBUTES: u8 = 0xa0;
const PUBLIC_KEY: u8 = 0x81;
const EC_PARAMETERS: u8 = 0xa0;
const EC_PUBLIC: u8 = 0xa1;
/// The OID of ecPublicKey stands before the curve's.
const EC_PUBLIC_KEY_OID_LEN: usize = 9;

pub(crate) fn decode(bytes: &[u8]) -> Result<PrivateKey, Error> {
    let mut info = Reader::new(der::only(bytes, SEQUENCE)?);
    let version = info.read(INTEGER)?;
    let identifier = info.read(SEQUENCE)?;
    let algorithm = identified(identifier).ok_or(Error::MalformedKey("of an algorithm that is not offered"))?;
    let inner = info.read(OCTET_STRING)?;
    let _attributes = info.read_optional(ATTRIBUTES)?;
    let public = info.read_optional(PUBLIC_KEY)?;
    info.end()?;
    // RFC 5958: the public key may stand only in version 2, which is written as 1.
    if !(version == [0] && public.is_none() || version == [1]) {
        return Err(Error::MalformedKey("of a PKCS#8 version we do not know"));
    }
    let key = match algorithm {
        Algorithm::MlKem768 | Algorithm::MlKem1024 | Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
            lattice(algorithm, inner)?
        }
        Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => elliptic(algorithm, identifier, inner)?,
        Algorithm::Ed25519 => seed(algorithm, der::only(inner, OCTET_STRING)?)?,
        _ => seed(algorithm, inner)?,
    };
    match public {
        Some(public) => expect_public(key, der::bits(public)?),
        None => Ok(key),
    }
}

/// The key in PKCS#8; none for symmetric keys, which have no such form.
pub(crate) fn encode(key: &PrivateKey) -> Result<SecretBytes, Error> {
    let identifier = identifier(key.algorithm()).ok_or(Error::WrongOperation("PKCS#8"))?;
    let material = key.material().expose();
    let inner = match key.algorithm() {
        Algorithm::XWing => der::element(OCTET_STRING, &[material]),
        Algorithm::EcdsaP256 | Algorithm::EcdsaP384 => {
            let public = key.public_key().ok_or(Error::Provider)?;
            let bits = der::element(BIT_STRING, &[&[0], public.raw()]);
            let public = der::element(EC_PUBLIC, &[&bits]);
            let scalar = der::element(OCTET_STRING, &[material]);
            let ec_key = der::element(SEQUENCE, &[&[INTEGER, 1, 1], &scalar, &public]);
            der::element(OCTET_STRING, &[&ec_key])
        }
        Algorithm::Ed25519 => der::element(OCTET_STRING, &[&der::element(OCTET_STRING, &[material])]),
        _ => {
            let tag = if key.is_seed() { SEED } else { OCTET_STRING };
            der::element(OCTET_STRING, &[&der::element(tag, &[material])])
        }
    };
    let algorithm = der::element(SEQUENCE, &[identifier]);
    let mut encoded = der::element(SEQUENCE, &[&[INTEGER, 1, 0], &algorithm, &inner]);
    Ok(SecretBytes::new(std::mem::take(&mut encoded)))
}

fn lattice(algorithm: Algorithm, inner: &[u8]) -> Result<PrivateKey, Error> {
    let mut choice = Reader::new(inner);
    if let Some(bytes) = choice.read_optional(SEED)? {
        choice.end()?;
        return seed(algorithm, bytes);
    }
    if let Some(bytes) = choice.read_optional(OCTET_STRING)? {
        choice.end()?;
        return PrivateKey::from_expanded(algorithm, SecretBytes::copy_from(bytes));
    }
    let mut both = Reader::new(der::only(inner, SEQUENCE)?);
    let (seed_bytes, expanded) = (both.read(OCTET_STRING)?, both.read(OCTET_STRING)?);
    both.end()?;
    let key = seed(algorithm, seed_bytes)?;
    if !ct_eq(key.to_expanded()?.expose(), expanded) {
        return Err(Error::MalformedKey("seed and expanded form do not belong together"));
    }
    Ok(key)
}

/// A bare ECPrivateKey (RFC 5915, "SEC 1"), as older tools write it. It must name its curve.
pub(crate) fn decode_sec1(bytes: &[u8]) -> Result<PrivateKey, Error> {
    let mut ec_key = Reader::new(der::only(bytes, SEQUENCE)?);
    ec_key.read(INTEGER)?;
    ec_key.read(OCTET_STRING)?;
    let curve = ec_key.read_optional(EC_PARAMETERS)?.ok_or(Error::MalformedKey("of a curve it does not name"))?;
    let known = [Algorithm::EcdsaP256, Algorithm::EcdsaP384];
    let named = known.into_iter().find_map(|algorithm| {
        let content = identifier(algorithm)?;
        (content.get(EC_PUBLIC_KEY_OID_LEN..) == Some(curve)).then_some((algorithm, content))
    });
    let (algorithm, content) = named.ok_or(Error::MalformedKey("of a curve that is not offered"))?;
    elliptic(algorithm, content, bytes)
}

/// ECPrivateKey (RFC 5915). The curve, where it is repeated, and the public point must be the right ones.
fn elliptic(algorithm: Algorithm, identifier: &[u8], inner: &[u8]) -> Result<PrivateKey, Error> {
    let mut ec_key = Reader::new(der::only(inner, SEQUENCE)?);
    let version = ec_key.read(INTEGER)?;
    let scalar = ec_key.read(OCTET_STRING)?;
    let curve = ec_key.read_optional(EC_PARAMETERS)?;
    let public = ec_key.read_optional(EC_PUBLIC)?;
    ec_key.end()?;
    if version != [1] || curve.is_some() && curve != identifier.get(EC_PUBLIC_KEY_OID_LEN..) {
        return Err(Error::MalformedKey("of another curve than it says"));
    }
    let key = seed(algorithm, scalar)?;
    match public {
        Some(public) => expect_public(key, der::bits(der::only(public, BIT_STRING)?)?),
        None => Ok(key),
    }
}

fn seed(algorithm: Algorithm, bytes: &[u8]) -> Result<PrivateKey, Error> {
    PrivateKey::from_seed(algorithm, SecretBytes::copy_from(bytes))
}

fn expect_public(key: PrivateKey, raw: &[u8]) -> Result<PrivateKey, Error> {
    match key.public_key() {
        Some(public) if public.raw() == raw => Ok(key),
        _ => Err(Error::MalformedKey("the public half is another key's")),
    }
}
