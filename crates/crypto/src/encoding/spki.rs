//! SubjectPublicKeyInfo (RFC 5280, 9881, 9935, 5480, 8410).

use super::der::{self, BIT_STRING, Reader, SEQUENCE};
use super::{identified, identifier};
use crate::Error;
use crate::key::PublicKey;

pub(crate) fn decode(bytes: &[u8]) -> Result<PublicKey, Error> {
    let mut info = Reader::new(der::only(bytes, SEQUENCE)?);
    let algorithm =
        identified(info.read(SEQUENCE)?).ok_or(Error::MalformedKey("of an algorithm that is not offered"))?;
    let raw = der::bits(info.read(BIT_STRING)?)?;
    info.end()?;
    PublicKey::from_raw(algorithm, raw)
}

pub(crate) fn encode(key: &PublicKey) -> Vec<u8> {
    let algorithm = der::public_element(SEQUENCE, &[identifier(key.algorithm()).unwrap_or_default()]);
    let bits = der::public_element(BIT_STRING, &[&[0], key.raw()]);
    der::public_element(SEQUENCE, &[&algorithm, &bits])
}
