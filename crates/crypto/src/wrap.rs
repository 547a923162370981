//! Sealing small secrets to a KEM key: tenant keys under the root, named keys under a tenant's, backups to a recipient.
//!
//! `version 1 || suite u16 || commitment 32 || encapsulation || ciphertext || tag 16`. The shape is HPKE's base mode: one
//! encapsulation, and key, nonce and commitment derived from its secret, the recipient and the context.

use crate::aead::{COMMITMENT_LEN, MessageKeys, NONCE_LEN, TAG_LEN};
use crate::algorithm::Algorithm;
use crate::context::Context;
use crate::key::{PrivateKey, PublicKey};
use crate::random::Random;
use crate::secret::{SecretArray, SecretBytes};
use crate::{Error, Refused};

const VERSION: u8 = 1;
const LABEL: &str = "qapi/wrap/v1";

/// Seals `plaintext` to `to`, bound to `context`.
pub fn wrap(to: &PublicKey, context: &Context, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>, Error> {
    wrap_to(to, to.encapsulate(random)?, context, plaintext)
}

/// As [`wrap`], with the randomness of the encapsulation given.
#[cfg(any(test, feature = "test-util"))]
pub fn wrap_with(to: &PublicKey, m: &[u8], context: &Context, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    wrap_to(to, to.encapsulate_with(m)?, context, plaintext)
}

fn wrap_to(
    to: &PublicKey,
    (encapsulation, secret): (Vec<u8>, SecretArray<32>),
    context: &Context,
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let header = header(to.algorithm()).ok_or(Error::WrongOperation("wrapping"))?;
    let (keys, nonce) = derive(&secret, &header, to, &encapsulation, context)?;
    let mut out = Vec::with_capacity(header.len() + COMMITMENT_LEN + encapsulation.len() + plaintext.len() + TAG_LEN);
    out.extend_from_slice(&header);
    out.extend_from_slice(keys.commitment());
    out.extend_from_slice(&encapsulation);
    keys.seal(nonce, &header, plaintext, &mut out)?;
    Ok(out)
}

/// Opens what [`wrap`] sealed to this key for the same context.
pub fn unwrap(with: &PrivateKey, context: &Context, blob: &[u8]) -> Result<SecretBytes, Refused> {
    let public = with.public_key().ok_or(Refused)?;
    let expected = header(with.algorithm()).ok_or(Refused)?;
    let (header, rest) = blob.split_first_chunk::<3>().ok_or(Refused)?;
    let (commitment, rest) = rest.split_first_chunk::<COMMITMENT_LEN>().ok_or(Refused)?;
    let (encapsulation, body) = rest.split_at_checked(encapsulation_len(with.algorithm())).ok_or(Refused)?;
    let secret = with.decapsulate(encapsulation)?;
    let (keys, nonce) = derive(&secret, header, &public, encapsulation, context)?;
    if *header != expected || !keys.matches(commitment) {
        return Err(Refused);
    }
    keys.open(nonce, header, body)
}

/// The number of a KEM in our formats; none for what is no KEM.
pub(crate) fn suite(algorithm: Algorithm) -> Option<u16> {
    match algorithm {
        Algorithm::MlKem768 => Some(1),
        Algorithm::MlKem1024 => Some(2),
        Algorithm::XWing => Some(3),
        _ => None,
    }
}

/// How long a KEM's encapsulations are; 0 for what is no KEM.
pub(crate) fn encapsulation_len(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::MlKem768 => 1088,
        Algorithm::MlKem1024 => 1568,
        Algorithm::XWing => 1120,
        _ => 0,
    }
}

fn header(algorithm: Algorithm) -> Option<[u8; 3]> {
    let [high, low] = suite(algorithm)?.to_be_bytes();
    Some([VERSION, high, low])
}

fn derive(
    secret: &SecretArray<32>,
    header: &[u8; 3],
    recipient: &PublicKey,
    encapsulation: &[u8],
    context: &Context,
) -> Result<(MessageKeys, [u8; NONCE_LEN]), Error> {
    let info = Context::new(LABEL).bytes(header).bytes(recipient.hash()).bytes(encapsulation).bytes(context.as_bytes());
    MessageKeys::derive_with_nonce(&[], secret.expose(), info.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;

    #[test]
    fn opens_only_with_its_key_its_context_and_every_byte() {
        let random = Seeded::new(b"wrap");
        let context = || Context::new("test").u32(1);
        for algorithm in [Algorithm::MlKem768, Algorithm::MlKem1024, Algorithm::XWing] {
            let (key, other) =
                (PrivateKey::generate(algorithm, &random).unwrap(), PrivateKey::generate(algorithm, &random).unwrap());
            let blob = wrap(&key.public_key().unwrap(), &context(), b"a seed", &random).unwrap();
            assert_eq!(unwrap(&key, &context(), &blob).unwrap().expose(), b"a seed");
            assert!(unwrap(&other, &context(), &blob).is_err());
            assert!(unwrap(&key, &Context::new("test").u32(2), &blob).is_err());
            for at in (0..blob.len()).step_by(1 + blob.len() / 67) {
                let mut changed = blob.clone();
                changed[at] ^= 1;
                assert!(unwrap(&key, &context(), &changed).is_err(), "{algorithm} byte {at}");
                assert!(unwrap(&key, &context(), &blob[..at]).is_err(), "{algorithm} cut at {at}");
            }
        }
    }
}
