//! AES-256-GCM under a key that serves once: HKDF gives key, nonce (where it is not random) and commitment together.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize as _, Zeroizing};

use crate::hash::{ct_eq, hkdf_sha256};
use crate::secret::SecretBytes;
use crate::{Error, Refused};

pub(crate) const KEY_LEN: usize = 32;
pub(crate) const COMMITMENT_LEN: usize = 32;
pub(crate) const NONCE_LEN: usize = 12;
pub(crate) const TAG_LEN: usize = 16;

/// The keys of one message. The commitment comes from the same derivation as the key, so a ciphertext that opens under
/// one input opens under no other: GCM alone does not promise that.
pub(crate) struct MessageKeys(Zeroizing<[u8; KEY_LEN + COMMITMENT_LEN]>);

impl MessageKeys {
    /// The key of a published vector, without a derivation.
    #[cfg(test)]
    pub(crate) fn given(key: [u8; KEY_LEN]) -> Self {
        let mut keys = Self(Zeroizing::new([0; KEY_LEN + COMMITMENT_LEN]));
        keys.0[..KEY_LEN].copy_from_slice(&key);
        keys
    }

    /// Key and commitment; the nonce is the caller's.
    pub(crate) fn derive(salt: &[u8], ikm: &[u8], info: &[u8]) -> Result<Self, Error> {
        let mut okm = Zeroizing::new([0; KEY_LEN + COMMITMENT_LEN]);
        hkdf_sha256(salt, ikm, info, okm.as_mut_slice())?;
        Ok(Self(okm))
    }

    /// Key, commitment and nonce, for formats whose key never serves twice.
    pub(crate) fn derive_with_nonce(salt: &[u8], ikm: &[u8], info: &[u8]) -> Result<(Self, [u8; NONCE_LEN]), Error> {
        let mut okm = Zeroizing::new([0; KEY_LEN + COMMITMENT_LEN + NONCE_LEN]);
        hkdf_sha256(salt, ikm, info, okm.as_mut_slice())?;
        let mut keys = Self(Zeroizing::new([0; KEY_LEN + COMMITMENT_LEN]));
        let (head, nonce) = okm.split_at(KEY_LEN + COMMITMENT_LEN);
        keys.0.copy_from_slice(head);
        Ok((keys, nonce.try_into().map_err(|_| Error::Provider)?))
    }

    pub(crate) fn commitment(&self) -> &[u8; COMMITMENT_LEN] {
        self.0.last_chunk().unwrap_or(&[0; COMMITMENT_LEN])
    }

    /// Whether the commitment is the one of these keys; in constant time.
    pub(crate) fn matches(&self, commitment: &[u8]) -> bool {
        ct_eq(self.commitment(), commitment)
    }

    /// Appends ciphertext and tag to `out`.
    pub(crate) fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        seal_appended(&self.key()?, nonce, aad, plaintext, out)
    }

    /// Opens ciphertext and tag.
    pub(crate) fn open(&self, nonce: [u8; NONCE_LEN], aad: &[u8], sealed: &[u8]) -> Result<SecretBytes, Refused> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(Refused)?;
        let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key()?.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, &mut plaintext)?;
        Ok(SecretBytes::new(std::mem::take(&mut plaintext)))
    }

    pub(crate) fn key(&self) -> Result<LessSafeKey, Error> {
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.0[..KEY_LEN])?))
    }
}

/// Appends ciphertext and tag to `out`.
pub(crate) fn seal_appended(
    key: &LessSafeKey,
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    out.reserve_exact(plaintext.len() + TAG_LEN);
    let start = out.len();
    out.extend_from_slice(plaintext);
    let body = out.get_mut(start..).unwrap_or_default();
    match key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), body) {
        Ok(tag) => {
            out.extend_from_slice(tag.as_ref());
            Ok(())
        }
        Err(_) => {
            out.zeroize();
            Err(Error::Provider)
        }
    }
}
