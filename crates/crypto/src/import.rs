//! Keys from outside, in any spelling, checked for what they are before they are taken.

use std::str::FromStr;

use crate::Error;
use crate::algorithm::Algorithm;
use crate::encoding::{jwk, pem, pkcs8, spki};
use crate::key::{PrivateKey, PublicKey, raw_len};
use crate::secret::SecretBytes;

/// How key material is spelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// The algorithm's own bytes: seed, expanded key, scalar, symmetric bytes, or public key, told apart by length.
    Raw,
    /// PEM of PKCS#8, of SPKI, or of a bare EC private key.
    Pem,
    /// DER of PKCS#8 or SPKI.
    Der,
    /// DER of PKCS#8.
    Pkcs8,
    /// A JSON Web Key.
    Jwk,
}

/// What was in the key material.
pub enum Imported {
    /// A private or symmetric key.
    Private(PrivateKey),
    /// A public key alone.
    Public(PublicKey),
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name.to_ascii_lowercase().as_str() {
            "raw" => Ok(Self::Raw),
            "pem" => Ok(Self::Pem),
            "der" | "spki" => Ok(Self::Der),
            "pkcs8" => Ok(Self::Pkcs8),
            "jwk" => Ok(Self::Jwk),
            _ => Err(Error::Unknown("key format")),
        }
    }
}

/// Reads a key of `algorithm`. PEM and JWK are recognised whatever `format` says, since people send them as they are.
///
/// With `public_only`, a private key is refused: who wants to store only the public half must not have sent the other.
pub fn import(algorithm: Algorithm, format: Format, bytes: &[u8], public_only: bool) -> Result<Imported, Error> {
    let imported = if pem::is_pem(bytes) {
        from_pem(text(bytes)?)?
    } else if is_jwk(bytes) {
        jwk::decode(text(bytes)?, algorithm)?
    } else {
        match format {
            Format::Raw => from_raw(algorithm, bytes, public_only)?,
            Format::Pem => from_pem(text(bytes)?)?,
            Format::Jwk => jwk::decode(text(bytes)?, algorithm)?,
            Format::Pkcs8 => Imported::Private(pkcs8::decode(bytes)?),
            Format::Der => from_der(bytes)?,
        }
    };
    let (found, is_private) = match &imported {
        Imported::Private(key) => (key.algorithm(), true),
        Imported::Public(key) => (key.algorithm(), false),
    };
    if found != algorithm {
        return Err(Error::OtherAlgorithm);
    }
    if public_only && is_private {
        return Err(Error::WrongHalf("a public key was asked for, and this is a private one"));
    }
    Ok(imported)
}

fn from_pem(text: &str) -> Result<Imported, Error> {
    let block = pem::decode(text)?;
    match block.label {
        pem::PRIVATE => pkcs8::decode(&block.der).map(Imported::Private),
        pem::PUBLIC => spki::decode(&block.der).map(Imported::Public),
        pem::SEC1 => pkcs8::decode_sec1(&block.der).map(Imported::Private),
        _ => Err(Error::MalformedKey("a PEM block of another kind")),
    }
}

/// PKCS#8 starts with a version, SPKI with an algorithm.
fn from_der(bytes: &[u8]) -> Result<Imported, Error> {
    match spki::decode(bytes) {
        Ok(key) => Ok(Imported::Public(key)),
        Err(spki_error) => pkcs8::decode(bytes).map(Imported::Private).map_err(|pkcs8_error| {
            let starts_with_version = bytes.iter().take(5).any(|byte| *byte == 2);
            if starts_with_version { pkcs8_error } else { spki_error }
        }),
    }
}

/// Lengths tell the forms apart, but for Ed25519: its 32 bytes are a public key only where one was asked for.
fn from_raw(algorithm: Algorithm, bytes: &[u8], public_only: bool) -> Result<Imported, Error> {
    let is_public = Some(bytes.len()) == raw_len(algorithm) && (public_only || algorithm != Algorithm::Ed25519);
    if is_public {
        return PublicKey::from_raw(algorithm, bytes).map(Imported::Public);
    }
    let secret = SecretBytes::copy_from(bytes);
    let is_expanded = bytes.len() > 1024 && algorithm.is_asymmetric();
    let key = if is_expanded {
        PrivateKey::from_expanded(algorithm, secret)?
    } else {
        PrivateKey::from_seed(algorithm, secret)?
    };
    Ok(Imported::Private(key))
}

/// Whether the bytes are a JSON object with a key type; no raw key looks like one by chance.
fn is_jwk(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    bytes.starts_with(b"{") && bytes.ends_with(b"}") && bytes.windows(5).any(|window| window == b"\"kty\"")
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::MalformedKey("not text"))
}

#[cfg(test)]
mod tests;
