//! What a key may be used for: the bits of keyUsage, and the purposes of extKeyUsage.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use super::Oid;
use super::oid::known;
use crate::Error;

/// A set of the nine bits of RFC 5280 4.2.1.3.
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// Bit 0.
    pub const DIGITAL_SIGNATURE: Self = Self(1);
    /// Bit 1, also called contentCommitment.
    pub const NON_REPUDIATION: Self = Self(1 << 1);
    /// Bit 2.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// Bit 3.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    /// Bit 4.
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    /// Bit 5.
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    /// Bit 6.
    pub const CRL_SIGN: Self = Self(1 << 6);
    /// Bit 7.
    pub const ENCIPHER_ONLY: Self = Self(1 << 7);
    /// Bit 8.
    pub const DECIPHER_ONLY: Self = Self(1 << 8);
    /// The bits of which RFC 9881 section 5 asks for one at least.
    pub const SIGNING: Self =
        Self(Self::DIGITAL_SIGNATURE.0 | Self::NON_REPUDIATION.0 | Self::KEY_CERT_SIGN.0 | Self::CRL_SIGN.0);

    /// The set of these bits, counted from digitalSignature.
    pub(super) fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u16 {
        self.0
    }

    /// Whether every bit of `other` is in this set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What both sets have.
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// This set without the bits of `other`.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether no bit is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The bits that RFC 9881 section 5 forbids beside an ML-DSA key: everything but the signing ones.
    pub fn forbidden_for_ml_dsa(self) -> Self {
        self.without(Self::SIGNING)
    }

    /// The names of the bits as RFC 5280 spells them, in order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| *name)
    }
}

impl BitOr for KeyUsage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<KeyUsage> for KeyUsage {
    fn from_iter<I: IntoIterator<Item = KeyUsage>>(sets: I) -> Self {
        sets.into_iter().fold(Self::default(), BitOr::bitor)
    }
}

impl FromStr for KeyUsage {
    type Err = Error;

    /// The name of one bit. Case and separators do not matter: `digitalSignature`, `DigitalSignature`, `key_encipherment`.
    fn from_str(name: &str) -> Result<Self, Error> {
        let plain = |text: &str| text.replace(['_', '-', ' '], "").to_ascii_lowercase();
        let name = plain(name);
        if name == "contentcommitment" {
            return Ok(Self::NON_REPUDIATION);
        }
        NAMES.iter().find(|(_, known)| plain(known) == name).map(|(bit, _)| *bit).ok_or(Error::Unknown("key usage"))
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Debug for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyUsage({self})")
    }
}

/// What extKeyUsage says a key is for (RFC 5280 4.2.1.12).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Purpose {
    /// A TLS server.
    ServerAuth,
    /// A TLS client.
    ClientAuth,
    /// anyExtendedKeyUsage: no restriction, and no statement either.
    Any,
    /// Something else.
    Other(Oid),
}

impl Purpose {
    /// The purpose that an object identifier stands for.
    pub fn from_oid(oid: Oid) -> Self {
        match oid.0 {
            known::SERVER_AUTH => Self::ServerAuth,
            known::CLIENT_AUTH => Self::ClientAuth,
            known::ANY_PURPOSE => Self::Any,
            _ => Self::Other(oid),
        }
    }

    /// Its object identifier.
    pub fn oid(self) -> Oid {
        match self {
            Self::ServerAuth => Oid(known::SERVER_AUTH),
            Self::ClientAuth => Oid(known::CLIENT_AUTH),
            Self::Any => Oid(known::ANY_PURPOSE),
            Self::Other(oid) => oid,
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerAuth => f.write_str("serverAuth"),
            Self::ClientAuth => f.write_str("clientAuth"),
            Self::Any => f.write_str("anyExtendedKeyUsage"),
            Self::Other(oid) => oid.fmt(f),
        }
    }
}

impl FromStr for Purpose {
    type Err = Error;

    /// `serverAuth`, `clientAuth` in any case, or an object identifier.
    fn from_str(name: &str) -> Result<Self, Error> {
        match name.replace(['_', '-'], "").to_ascii_lowercase().as_str() {
            "serverauth" => Ok(Self::ServerAuth),
            "clientauth" => Ok(Self::ClientAuth),
            _ => name.parse().map(Self::from_oid).map_err(|_| Error::Unknown("purpose")),
        }
    }
}

const NAMES: &[(KeyUsage, &str)] = &[
    (KeyUsage::DIGITAL_SIGNATURE, "digitalSignature"),
    (KeyUsage::NON_REPUDIATION, "nonRepudiation"),
    (KeyUsage::KEY_ENCIPHERMENT, "keyEncipherment"),
    (KeyUsage::DATA_ENCIPHERMENT, "dataEncipherment"),
    (KeyUsage::KEY_AGREEMENT, "keyAgreement"),
    (KeyUsage::KEY_CERT_SIGN, "keyCertSign"),
    (KeyUsage::CRL_SIGN, "cRLSign"),
    (KeyUsage::ENCIPHER_ONLY, "encipherOnly"),
    (KeyUsage::DECIPHER_ONLY, "decipherOnly"),
];
