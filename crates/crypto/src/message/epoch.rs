//! Epoch keys: encapsulated once to a named key, then many messages are derived under them.

use super::{Place, Suite};
use crate::Error;
use crate::algorithm::Algorithm;
use crate::context::Context;
use crate::hash::hkdf_sha256;
use crate::key::{PrivateKey, PublicKey};
use crate::random::Random;
use crate::secret::{Key32, SecretArray};
use zeroize::Zeroizing;

const LABEL: &str = "qapi/epoch/v1";

/// The key of one epoch of one version of a named key.
pub struct EpochKey {
    id: [u8; 8],
    place: Place,
    suite: Suite,
    /// SHA-256 of the named key's public half; nothing for symmetric keys.
    recipient: Option<[u8; 32]>,
    key: Key32,
}

impl EpochKey {
    /// A new epoch for a KEM key. The encapsulation must be kept: only it and the private half give the key again.
    pub fn establish(public: &PublicKey, place: &Place, random: &dyn Random) -> Result<(Self, Vec<u8>), Error> {
        Self::establish_to(public, place, random, public.encapsulate(random)?)
    }

    /// As [`EpochKey::establish`], with the randomness of the encapsulation given.
    #[cfg(any(test, feature = "test-util"))]
    pub fn establish_with(
        public: &PublicKey,
        m: &[u8],
        place: &Place,
        random: &dyn Random,
    ) -> Result<(Self, Vec<u8>), Error> {
        Self::establish_to(public, place, random, public.encapsulate_with(m)?)
    }

    fn establish_to(
        public: &PublicKey,
        place: &Place,
        random: &dyn Random,
        (encapsulation, secret): (Vec<u8>, SecretArray<32>),
    ) -> Result<(Self, Vec<u8>), Error> {
        let mut id = [0; 8];
        random.fill(&mut id);
        let epoch = Self::derive(secret.expose(), id, place, public.algorithm(), Some(public.hash()), &encapsulation)?;
        Ok((epoch, encapsulation))
    }

    /// The epoch of an encapsulation kept. Another encapsulation gives another key, under which nothing opens.
    pub fn recover(private: &PrivateKey, place: &Place, id: [u8; 8], encapsulation: &[u8]) -> Result<Self, Error> {
        let public = private.public_key().ok_or(Error::WrongOperation("decapsulation"))?;
        let secret = private.decapsulate(encapsulation)?;
        Self::derive(secret.expose(), id, place, private.algorithm(), Some(public.hash()), encapsulation)
    }

    /// The epoch of an AES-256 key: derived, with nothing to keep but its id.
    pub fn from_symmetric(private: &PrivateKey, place: &Place, id: [u8; 8]) -> Result<Self, Error> {
        if private.algorithm() != Algorithm::Aes256Gcm {
            return Err(Error::WrongOperation("a symmetric epoch"));
        }
        Self::derive(private.material().expose(), id, place, private.algorithm(), None, &[])
    }

    /// The epoch's id, random and unique within its key version.
    pub fn id(&self) -> [u8; 8] {
        self.id
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn recipient(&self) -> &[u8] {
        self.recipient.as_ref().map_or(&[], <[u8; 32]>::as_slice)
    }

    pub(super) fn key(&self) -> &Key32 {
        &self.key
    }

    fn derive(
        ikm: &[u8],
        id: [u8; 8],
        place: &Place,
        algorithm: Algorithm,
        recipient: Option<&[u8; 32]>,
        encapsulation: &[u8],
    ) -> Result<Self, Error> {
        let suite = Suite::of(algorithm).ok_or(Error::WrongOperation("encryption"))?;
        let info = Context::new(LABEL)
            .bytes(&place.tenant)
            .bytes(&place.key)
            .u32(place.version)
            .bytes(&id)
            .bytes(&(suite as u16).to_be_bytes())
            .bytes(recipient.map_or(&[], <[u8; 32]>::as_slice))
            .bytes(encapsulation);
        let mut key = Zeroizing::new([0; 32]);
        hkdf_sha256(&[], ikm, info.as_bytes(), key.as_mut_slice())?;
        Ok(Self { id, place: *place, suite, recipient: recipient.copied(), key: SecretArray::new(*key) })
    }
}
