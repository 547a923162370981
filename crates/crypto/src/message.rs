//! The two ciphertext formats: *sealed*, one encapsulation per message, and *fast*, a key derived per message under an
//! epoch key that was encapsulated once. `docs/formats.md` has every byte.
//!
//! ```text
//! header 59 || commitment 32 || encapsulation (by suite; none in fast) || nonce 12 || ciphertext || tag 16
//! ```
//! The whole header is authenticated and goes into the key derivation together with the tenant, the recipient's public
//! key and the caller's associated data. So a message opens in its place or nowhere, and why it does not open is not told.

mod epoch;
mod header;

pub use epoch::EpochKey;
pub use header::{Encoding, Header, Mode, Purpose, Suite};

use crate::aead::{COMMITMENT_LEN, MessageKeys, NONCE_LEN, TAG_LEN};
use crate::context::Context;
use crate::hash::sha256;
use crate::key::{PrivateKey, PublicKey};
use crate::random::Random;
use crate::secret::{SecretArray, SecretBytes};
use crate::{Error, Refused};
use header::{HEADER_LEN, SALT_LEN};

const LABEL: &str = "qapi/message/v1";
/// SHA-256 of nothing: most messages have no associated data.
const EMPTY_HASH: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Where a message belongs: the tenant, the named key and its version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The tenant's id. It is not in the message; who opens must know it.
    pub tenant: [u8; 16],
    /// The key's id.
    pub key: [u8; 16],
    /// The key's version.
    pub version: u32,
}

/// What a new message is bound to.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    /// The key it is sealed under.
    pub place: &'a Place,
    /// What the plaintext is.
    pub purpose: Purpose,
    /// How the plaintext was spelled when it came in.
    pub encoding: Encoding,
    /// The caller's associated data: whoever opens must give the same.
    pub aad: &'a [u8],
}

/// A message, read into its parts. Reading needs no key.
#[derive(Clone)]
pub struct Message {
    header: Header,
    bytes: Vec<u8>,
}

/// Seals to the public half of a KEM key: one encapsulation for this message alone.
pub fn seal(public: &PublicKey, seal: &Seal<'_>, plaintext: &[u8], random: &dyn Random) -> Result<Message, Error> {
    seal_to(public, public.encapsulate(random)?, seal, plaintext, random)
}

/// Seals with the randomness of the encapsulation given, so that test vectors are the same every time.
#[cfg(any(test, feature = "test-util"))]
pub fn seal_with(
    public: &PublicKey,
    m: &[u8],
    seal: &Seal<'_>,
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Message, Error> {
    seal_to(public, public.encapsulate_with(m)?, seal, plaintext, random)
}

fn seal_to(
    public: &PublicKey,
    (encapsulation, secret): (Vec<u8>, SecretArray<32>),
    seal: &Seal<'_>,
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Message, Error> {
    let suite = Suite::of(public.algorithm()).filter(|suite| suite.is_kem()).ok_or(Error::WrongOperation("sealing"))?;
    let sealing =
        Sealing { mode: Mode::Sealed, suite, epoch: [0; 8], recipient: public.hash(), encapsulation: &encapsulation };
    sealing.seal(secret.expose(), seal, plaintext, random)
}

/// Seals under an epoch key.
pub fn seal_fast(epoch: &EpochKey, seal: &Seal<'_>, plaintext: &[u8], random: &dyn Random) -> Result<Message, Error> {
    if epoch.place() != seal.place {
        return Err(Error::BadArgument("the epoch key belongs to another key"));
    }
    let sealing = Sealing {
        mode: Mode::Fast,
        suite: epoch.suite(),
        epoch: epoch.id(),
        recipient: epoch.recipient(),
        encapsulation: &[],
    };
    sealing.seal(epoch.key().expose(), seal, plaintext, random)
}

/// Opens a sealed message.
pub fn open(
    private: &PrivateKey,
    place: &Place,
    purpose: Purpose,
    aad: &[u8],
    message: &Message,
) -> Result<SecretBytes, Refused> {
    let public = private.public_key().ok_or(Refused)?;
    let suite = Suite::of(private.algorithm()).ok_or(Refused)?;
    if message.header.mode != Mode::Sealed || message.header.suite != suite {
        return Err(Refused);
    }
    let secret = private.decapsulate(message.encapsulation())?;
    message.open(secret.expose(), public.hash(), place, purpose, aad)
}

/// Opens a message of the fast mode.
pub fn open_fast(
    epoch: &EpochKey,
    place: &Place,
    purpose: Purpose,
    aad: &[u8],
    message: &Message,
) -> Result<SecretBytes, Refused> {
    let header = &message.header;
    let ours = header.mode == Mode::Fast && header.suite == epoch.suite() && header.epoch == epoch.id();
    if !ours || epoch.place() != place {
        return Err(Refused);
    }
    message.open(epoch.key().expose(), epoch.recipient(), place, purpose, aad)
}

/// What the two modes put differently into a message.
struct Sealing<'a> {
    mode: Mode,
    suite: Suite,
    epoch: [u8; 8],
    recipient: &'a [u8],
    encapsulation: &'a [u8],
}

impl Sealing<'_> {
    fn seal(&self, ikm: &[u8], seal: &Seal<'_>, plaintext: &[u8], random: &dyn Random) -> Result<Message, Error> {
        let mut fresh = [0; SALT_LEN + NONCE_LEN];
        random.fill(&mut fresh);
        let (salt, nonce) = fresh.split_at(SALT_LEN);
        let (salt, nonce) = (salt.try_into().unwrap_or([0; SALT_LEN]), nonce.try_into().unwrap_or([0; NONCE_LEN]));
        let header = Header {
            mode: self.mode,
            suite: self.suite,
            purpose: seal.purpose,
            encoding: seal.encoding,
            key: seal.place.key,
            version: seal.place.version,
            epoch: self.epoch,
            salt,
        };
        let head = header.to_bytes();
        let keys = derive(ikm, &head, &header.salt, &seal.place.tenant, self.recipient, self.encapsulation, seal.aad)?;
        let fixed = HEADER_LEN + COMMITMENT_LEN + self.encapsulation.len() + NONCE_LEN + TAG_LEN;
        let mut bytes = Vec::with_capacity(fixed + plaintext.len());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(keys.commitment());
        bytes.extend_from_slice(self.encapsulation);
        bytes.extend_from_slice(&nonce);
        keys.seal(nonce, &head, plaintext, &mut bytes)?;
        Ok(Message { header, bytes })
    }
}

impl Message {
    /// Reads the binary form. Anything not exactly ours is refused: unknown numbers, unknown flags, another length.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let header = Header::parse(bytes.first_chunk().ok_or(Refused)?)?;
        let least = HEADER_LEN + COMMITMENT_LEN + header.encapsulation_len() + NONCE_LEN + TAG_LEN;
        if bytes.len() < least {
            return Err(Refused);
        }
        Ok(Self { header, bytes: bytes.to_vec() })
    }

    /// Reads the parts as they travel on the wire: `c` is header, commitment and ciphertext; `ek` the encapsulation,
    /// `n` the nonce, `t` the tag.
    pub fn from_parts(c: &[u8], ek: &[u8], n: &[u8], t: &[u8]) -> Result<Self, Refused> {
        let header = Header::parse(c.first_chunk().ok_or(Refused)?)?;
        let (head, ciphertext) = c.split_at_checked(HEADER_LEN + COMMITMENT_LEN).ok_or(Refused)?;
        if ek.len() != header.encapsulation_len() || n.len() != NONCE_LEN || t.len() != TAG_LEN {
            return Err(Refused);
        }
        Ok(Self { header, bytes: [head, ek, n, ciphertext, t].concat() })
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The binary form, without a copy.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the message says about itself. Nothing of it is true until the message has opened.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The part `c` of the wire form: header, commitment, ciphertext.
    pub fn c(&self) -> Vec<u8> {
        [self.part(0, HEADER_LEN + COMMITMENT_LEN), self.ciphertext()].concat()
    }

    /// The encapsulation; empty in the fast mode.
    pub fn encapsulation(&self) -> &[u8] {
        self.part(HEADER_LEN + COMMITMENT_LEN, self.header.encapsulation_len())
    }

    /// The nonce.
    pub fn nonce(&self) -> &[u8] {
        self.part(HEADER_LEN + COMMITMENT_LEN + self.header.encapsulation_len(), NONCE_LEN)
    }

    /// The authentication tag.
    pub fn tag(&self) -> &[u8] {
        self.part(self.bytes.len() - TAG_LEN, TAG_LEN)
    }

    /// The bare ciphertext, of the plaintext's length.
    pub fn ciphertext(&self) -> &[u8] {
        let start = self.body_start();
        self.part(start, self.bytes.len() - TAG_LEN - start)
    }

    fn open(
        &self,
        ikm: &[u8],
        recipient: &[u8],
        place: &Place,
        purpose: Purpose,
        aad: &[u8],
    ) -> Result<SecretBytes, Refused> {
        let header = &self.header;
        if header.key != place.key || header.version != place.version || header.purpose != purpose {
            return Err(Refused);
        }
        let head = self.part(0, HEADER_LEN);
        let keys = derive(ikm, head, &header.salt, &place.tenant, recipient, self.encapsulation(), aad)?;
        if !keys.matches(self.part(HEADER_LEN, COMMITMENT_LEN)) {
            return Err(Refused);
        }
        let nonce = self.nonce().try_into().map_err(|_| Refused)?;
        let start = self.body_start();
        keys.open(nonce, head, self.part(start, self.bytes.len() - start))
    }

    fn body_start(&self) -> usize {
        HEADER_LEN + COMMITMENT_LEN + self.header.encapsulation_len() + NONCE_LEN
    }

    /// Both constructors saw to it that the fixed parts are there.
    fn part(&self, start: usize, length: usize) -> &[u8] {
        self.bytes.get(start..start + length).unwrap_or_default()
    }
}

fn derive(
    ikm: &[u8],
    header: &[u8],
    salt: &[u8; SALT_LEN],
    tenant: &[u8; 16],
    recipient: &[u8],
    encapsulation: &[u8],
    aad: &[u8],
) -> Result<MessageKeys, Error> {
    let aad = if aad.is_empty() { EMPTY_HASH } else { sha256(&[aad]) };
    let info = Context::new(LABEL).bytes(tenant).bytes(header).bytes(recipient).bytes(encapsulation).bytes(&aad);
    MessageKeys::derive(salt, ikm, info.as_bytes())
}

#[cfg(test)]
mod tests;
