//! ECDSA signatures stand in JOSE as r and s side by side (RFC 7518, 3.4), and with the provider as a DER sequence of both.

use der::asn1::UintRef;
use der::{Decode as _, Encode as _, Sequence};

use crate::Error;

#[derive(Sequence)]
struct Pair<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// The DER of a signature of exactly twice `scalar_len` bytes.
pub(super) fn to_der(fixed: &[u8], scalar_len: usize) -> Option<Vec<u8>> {
    if fixed.len() != 2 * scalar_len {
        return None;
    }
    let (r, s) = fixed.split_at(scalar_len);
    Pair { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
}

/// The two numbers of a DER signature, each filled up to `scalar_len` bytes.
pub(super) fn to_fixed(der: &[u8], scalar_len: usize) -> Result<Vec<u8>, Error> {
    let pair = Pair::from_der(der).map_err(|_| Error::Provider)?;
    let mut fixed = Vec::with_capacity(2 * scalar_len);
    for number in [pair.r.as_bytes(), pair.s.as_bytes()] {
        let blank = scalar_len.checked_sub(number.len()).ok_or(Error::Provider)?;
        fixed.extend(std::iter::repeat_n(0, blank));
        fixed.extend_from_slice(number);
    }
    Ok(fixed)
}
