//! The first 59 bytes of a message: what it says about itself, all of it authenticated.

use crate::Refused;
use crate::algorithm::Algorithm;
use crate::wrap;

pub(super) const HEADER_LEN: usize = 59;
pub(super) const SALT_LEN: usize = 24;
const VERSION: u8 = 1;

/// How the message's key came to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// One encapsulation for this message.
    Sealed = 1,
    /// Derived under an epoch key.
    Fast = 2,
}

/// The algorithms of a message: a KEM or a symmetric key, always with HKDF-SHA-256 and AES-256-GCM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Suite {
    /// ML-KEM-768.
    MlKem768 = 1,
    /// ML-KEM-1024.
    MlKem1024 = 2,
    /// X-Wing.
    XWing = 3,
    /// An AES-256 key; fast mode only.
    Aes256 = 16,
}

/// What the plaintext is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// A caller's message.
    Message = 1,
    /// A data key, to be unwrapped and nothing else.
    DataKey = 2,
}

/// How the plaintext was spelled when it came in, so that it goes out the same way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Text.
    Utf8 = 0,
    /// Base64 of bytes.
    Base64 = 1,
}

/// The parsed header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// How the message's key came to be.
    pub mode: Mode,
    /// The algorithms.
    pub suite: Suite,
    /// What the plaintext is.
    pub purpose: Purpose,
    /// How the plaintext was spelled.
    pub encoding: Encoding,
    /// The named key's id.
    pub key: [u8; 16],
    /// The named key's version.
    pub version: u32,
    /// The epoch; zero in sealed messages.
    pub epoch: [u8; 8],
    /// The salt of the message's key.
    pub salt: [u8; SALT_LEN],
}

impl Header {
    pub(super) fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, Refused> {
        let [version, mode, suite_high, suite_low, flags, purpose, encoding, rest @ ..] = bytes;
        let (key, rest) = rest.split_first_chunk().ok_or(Refused)?;
        let (key_version, rest) = rest.split_first_chunk().ok_or(Refused)?;
        let (epoch, salt) = rest.split_first_chunk().ok_or(Refused)?;
        let header = Self {
            mode: [Mode::Sealed, Mode::Fast].into_iter().find(|known| *known as u8 == *mode).ok_or(Refused)?,
            suite: Suite::from_number(u16::from_be_bytes([*suite_high, *suite_low]))?,
            purpose: [Purpose::Message, Purpose::DataKey]
                .into_iter()
                .find(|known| *known as u8 == *purpose)
                .ok_or(Refused)?,
            encoding: [Encoding::Utf8, Encoding::Base64]
                .into_iter()
                .find(|known| *known as u8 == *encoding)
                .ok_or(Refused)?,
            key: *key,
            version: u32::from_be_bytes(*key_version),
            epoch: *epoch,
            salt: salt.try_into().map_err(|_| Refused)?,
        };
        // Bit 0 of the flags is kept for a data-subject key's id; nothing writes it yet, so nothing may carry it.
        let possible = match header.mode {
            Mode::Sealed => header.suite.is_kem() && header.epoch == [0; 8],
            Mode::Fast => true,
        };
        if *version == VERSION && *flags == 0 && possible { Ok(header) } else { Err(Refused) }
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let [suite_high, suite_low] = (self.suite as u16).to_be_bytes();
        let head = [VERSION, self.mode as u8, suite_high, suite_low, 0, self.purpose as u8, self.encoding as u8];
        let version = self.version.to_be_bytes();
        let mut rest = bytes.as_mut_slice();
        for part in [&head[..], &self.key, &version, &self.epoch, &self.salt] {
            let (space, tail) = rest.split_at_mut(part.len());
            space.copy_from_slice(part);
            rest = tail;
        }
        bytes
    }

    pub(super) fn encapsulation_len(&self) -> usize {
        match self.mode {
            Mode::Sealed => wrap::encapsulation_len(self.suite.algorithm()),
            Mode::Fast => 0,
        }
    }
}

impl Suite {
    /// The suite of a key's algorithm; none for keys that do not encrypt.
    pub fn of(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::MlKem768 => Some(Self::MlKem768),
            Algorithm::MlKem1024 => Some(Self::MlKem1024),
            Algorithm::XWing => Some(Self::XWing),
            Algorithm::Aes256Gcm => Some(Self::Aes256),
            _ => None,
        }
    }

    /// The algorithm of the keys it is for.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::MlKem768 => Algorithm::MlKem768,
            Self::MlKem1024 => Algorithm::MlKem1024,
            Self::XWing => Algorithm::XWing,
            Self::Aes256 => Algorithm::Aes256Gcm,
        }
    }

    pub(super) fn is_kem(self) -> bool {
        self.algorithm().is_kem()
    }

    fn from_number(number: u16) -> Result<Self, Refused> {
        let known = [Self::MlKem768, Self::MlKem1024, Self::XWing, Self::Aes256];
        known.into_iter().find(|suite| *suite as u16 == number).ok_or(Refused)
    }
}
