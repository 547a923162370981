//! Sealing under a symmetric key: cells at rest, the root under its seal, answers kept for replay.
//!
//! `version 1 || salt 24 || commitment 32 || ciphertext || tag 16`. Every seal derives its own AES-256 key, nonce and
//! commitment from a fresh salt, so there is no limit on how often one key seals. What is sealed tens of thousands of times
//! a second shares a derivation ([`Run`]): `version 2 || salt 24 || commitment 32 || nonce 12 || ciphertext || tag 16`.
//! `docs/formats.md` has every byte.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::aead::LessSafeKey;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use zeroize::Zeroizing;

use crate::aead::{COMMITMENT_LEN, MessageKeys, NONCE_LEN, TAG_LEN, seal_appended};
use crate::context::Context;
use crate::random::Random;
use crate::secret::{Key32, SecretBytes};
use crate::{Error, Refused};

/// How many bytes sealing adds.
pub const OVERHEAD: usize = 1 + SALT_LEN + COMMITMENT_LEN + TAG_LEN;
/// How many bytes sealing in a [`Run`] adds.
pub const RUN_OVERHEAD: usize = OVERHEAD + NONCE_LEN;

const VERSION: u8 = 1;
const SALT_LEN: usize = 24;
const LABEL: &str = "qapi/symmetric/v1";

const RUN_VERSION: u8 = 2;
const RUN_LABEL: &str = "qapi/symmetric/v2";
const RUN_HEAD_LEN: usize = 1 + SALT_LEN + COMMITMENT_LEN;
/// Nonces are random: two of so many are the same with a probability of 2^-57.
const RUN_SEALS: u32 = 1 << 20;

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

/// Seals many values under one derivation: a fresh salt gives an AES-256 key and its commitment, each value has a random
/// nonce, and its context is associated data.
pub struct Run {
    key: LessSafeKey,
    /// What every sealed value begins with.
    head: [u8; RUN_HEAD_LEN],
    sealed: AtomicU32,
}

impl Run {
    /// Derives the keys of a run from `key`.
    pub fn start(key: &Key32, random: &dyn Random) -> Result<Self, Error> {
        let mut salt = [0; SALT_LEN];
        random.fill(&mut salt);
        let keys = derive_run(key, &salt)?;
        let mut head = [RUN_VERSION; RUN_HEAD_LEN];
        let (head_salt, head_commitment) = head[1..].split_at_mut(SALT_LEN);
        head_salt.copy_from_slice(&salt);
        head_commitment.copy_from_slice(keys.commitment());
        Ok(Self { key: keys.key()?, head, sealed: AtomicU32::new(0) })
    }

    /// Whether it has sealed as much as one may, so that another has to be started.
    pub fn is_spent(&self) -> bool {
        self.sealed.load(Ordering::Relaxed) >= RUN_SEALS
    }

    /// Appends the sealed `plaintext`, bound to `context`, to `out`.
    pub fn seal(
        &self,
        context: &Context,
        plaintext: &[u8],
        random: &dyn Random,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.sealed.fetch_add(1, Ordering::Relaxed);
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&nonce);
        seal_appended(&self.key, nonce, context.as_bytes(), plaintext, out)
    }
}

/// Opens what [`seal_with_key`] or a [`Run`] made for the same key and context.
pub fn open_with_key(key: &Key32, context: &Context, sealed: &[u8]) -> Result<SecretBytes, Refused> {
    let (&version, rest) = sealed.split_first().ok_or(Refused)?;
    let (salt, rest) = rest.split_first_chunk::<SALT_LEN>().ok_or(Refused)?;
    let (commitment, body) = rest.split_first_chunk::<COMMITMENT_LEN>().ok_or(Refused)?;
    match version {
        VERSION => {
            let (keys, nonce) = derive(key, salt, context)?;
            keys.matches(commitment).then_some(()).ok_or(Refused)?;
            keys.open(nonce, &[VERSION], body)
        }
        RUN_VERSION => {
            let keys = derive_run(key, salt)?;
            keys.matches(commitment).then_some(()).ok_or(Refused)?;
            let (nonce, body) = body.split_first_chunk().ok_or(Refused)?;
            keys.open(*nonce, context.as_bytes(), body)
        }
        _ => Err(Refused),
    }
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

/// The version is part of the label, and with it of the commitment.
fn derive_run(key: &Key32, salt: &[u8; SALT_LEN]) -> Result<MessageKeys, Error> {
    MessageKeys::derive(salt, key.expose(), Context::new(RUN_LABEL).as_bytes())
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
            let alone = seal_with_key(&key, &context("a"), plaintext, &random).unwrap();
            assert_eq!(alone.len(), plaintext.len() + OVERHEAD);
            let mut in_a_run = Vec::new();
            Run::start(&key, &random).unwrap().seal(&context("a"), plaintext, &random, &mut in_a_run).unwrap();
            assert_eq!(in_a_run.len(), plaintext.len() + RUN_OVERHEAD);
            for sealed in [alone, in_a_run] {
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
    }

    #[test]
    fn the_values_of_a_run_share_their_head_alone_and_open_each_at_its_place() {
        let random = Seeded::new(b"run");
        let key = Key32::random(&random);
        let run = Run::start(&key, &random).unwrap();
        let seal = |place: &str| {
            let mut out = b"before".to_vec();
            run.seal(&context(place), b"value", &random, &mut out).unwrap();
            out.split_off(b"before".len())
        };
        let (first, second) = (seal("a"), seal("b"));
        assert_eq!(first[..RUN_HEAD_LEN], second[..RUN_HEAD_LEN]);
        assert_ne!(first[RUN_HEAD_LEN..], second[RUN_HEAD_LEN..]);
        assert_eq!(open_with_key(&key, &context("b"), &second).unwrap().expose(), b"value");
        assert!(open_with_key(&key, &context("a"), &second).is_err());
        assert_ne!(Run::start(&key, &random).unwrap().head, run.head);
    }

    #[test]
    fn a_run_says_when_it_has_sealed_enough() {
        let random = Seeded::new(b"spent");
        let run = Run::start(&Key32::random(&random), &random).unwrap();
        run.sealed.store(RUN_SEALS - 1, Ordering::Relaxed);
        assert!(!run.is_spent());
        run.seal(&context("a"), b"", &random, &mut Vec::new()).unwrap();
        assert!(run.is_spent());
    }

    #[test]
    fn two_seals_of_one_value_differ() {
        let random = Seeded::new(b"two seals");
        let key = Key32::random(&random);
        let seal = || seal_with_key(&key, &context("a"), b"value", &random).unwrap();
        assert_ne!(seal(), seal());
    }
}
