//! Sealing under a symmetric key: cells at rest, the root under its seal, answers kept for replay.
//!
//! `version 1 || salt 24 || commitment 32 || ciphertext || tag 16`. Every seal derives its own AES-256 key, nonce and
//! commitment from a fresh salt, so there is no limit on how often one key seals. `docs/formats.md` has every byte.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use zeroize::Zeroizing;

use crate::aead::{COMMITMENT_LEN, MessageKeys, NONCE_LEN, TAG_LEN};
use crate::context::Context;
use crate::random::Random;
use crate::secret::{Key32, SecretBytes};
use crate::{Error, Refused};

/// How many bytes sealing adds.
pub const OVERHEAD: usize = 1 + SALT_LEN + COMMITMENT_LEN + TAG_LEN;

const VERSION: u8 = 1;
const SALT_LEN: usize = 24;
const LABEL: &str = "qapi/symmetric/v1";

/// Seals `plaintext` under `key`, bound to `context`.
pub fn seal_with_key(key: &Key32, context: &Context, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>, Error> {
    let mut salt = [0; SALT_LEN];
    random.fill(&mut salt);
    let (keys, nonce) = derive(key, &salt, context)?;
    let mut out = Vec::with_capacity(OVERHEAD + plaintext.len());
    out.push(VERSION);
    out.extend_from_slice(&salt);
    out.extend_from_slice(keys.commitment());
    keys.seal(nonce, &[VERSION], plaintext, &mut out)?;
    Ok(out)
}

/// Opens what [`seal_with_key`] made for the same key and context.
pub fn open_with_key(key: &Key32, context: &Context, sealed: &[u8]) -> Result<SecretBytes, Refused> {
    let (&version, rest) = sealed.split_first().ok_or(Refused)?;
    let (salt, rest) = rest.split_first_chunk::<SALT_LEN>().ok_or(Refused)?;
    let (commitment, body) = rest.split_first_chunk::<COMMITMENT_LEN>().ok_or(Refused)?;
    let (keys, nonce) = derive(key, salt, context)?;
    if version != VERSION || !keys.matches(commitment) {
        return Err(Refused);
    }
    keys.open(nonce, &[VERSION], body)
}

/// AES-256 key wrap with padding (RFC 5649, SP 800-38F), for exchanging keys with others' systems.
pub fn key_wrap(key: &Key32, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = vec![0; plaintext.len().next_multiple_of(8) + 8];
    let length = AesKek::new(&AES_256, key.expose())?.wrap_with_padding(plaintext, &mut out)?.len();
    out.truncate(length);
    Ok(out)
}

/// The inverse of [`key_wrap`].
pub fn key_unwrap(key: &Key32, wrapped: &[u8]) -> Result<SecretBytes, Refused> {
    let mut out = Zeroizing::new(vec![0; wrapped.len()]);
    let length = AesKek::new(&AES_256, key.expose())?.unwrap_with_padding(wrapped, &mut out)?.len();
    out.truncate(length);
    Ok(SecretBytes::new(std::mem::take(&mut out)))
}

fn derive(key: &Key32, salt: &[u8; SALT_LEN], context: &Context) -> Result<(MessageKeys, [u8; NONCE_LEN]), Error> {
    let info = Context::new(LABEL).bytes(context.as_bytes());
    MessageKeys::derive_with_nonce(salt, key.expose(), info.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seeded;

    fn context(name: &str) -> Context {
        Context::new("test").bytes(name.as_bytes())
    }

    #[test]
    fn opens_only_with_its_key_its_context_and_every_byte() {
        let random = Seeded::new(b"symmetric");
        let (key, other) = (Key32::random(&random), Key32::random(&random));
        for plaintext in [b"".as_slice(), b"one value", &[7; 5000]] {
            let sealed = seal_with_key(&key, &context("a"), plaintext, &random).unwrap();
            assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
            assert_eq!(open_with_key(&key, &context("a"), &sealed).unwrap().expose(), plaintext);
            assert!(open_with_key(&other, &context("a"), &sealed).is_err());
            assert!(open_with_key(&key, &context("b"), &sealed).is_err());
            for at in (0..sealed.len()).step_by(1 + sealed.len() / 97) {
                let mut changed = sealed.clone();
                changed[at] ^= 0x40;
                assert!(open_with_key(&key, &context("a"), &changed).is_err(), "byte {at}");
                assert!(open_with_key(&key, &context("a"), &sealed[..at]).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn two_seals_of_one_value_differ() {
        let random = Seeded::new(b"two seals");
        let key = Key32::random(&random);
        let seal = || seal_with_key(&key, &context("a"), b"value", &random).unwrap();
        assert_ne!(seal(), seal());
    }
}
