//! Certificate revocation lists (RFC 5280 section 5), version 2.

use core::fmt;

use der::asn1::{GeneralizedTime, Uint};
use der::{Decode, Encode, Sequence};
use x509_cert::crl::TbsCertList;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix;
use x509_cert::name::RdnSequence;
use x509_cert::serial_number::SerialNumber as EncodedSerial;
use x509_cert::time::Time;

use super::extensions::read;
use super::oid::known;
use super::signature::{self, Envelope, Identifier, canonical};
use super::statement::{Criticality, extension, octets, unwritable};
use super::{DistinguishedName, KeyId, Malformed, Marked, Oid, SerialNumber, time};
use crate::Error;
use crate::algorithm::Algorithm;
use crate::key::{PrivateKey, PublicKey};
use crate::random::Random;

/// What a revocation list shall say.
#[derive(Clone, Debug)]
pub struct RevocationList {
    /// Who signs it.
    pub issuer: DistinguishedName,
    /// When it was made, since the Unix epoch.
    pub this_update: i64,
    /// When the next will have been made at the latest.
    pub next_update: i64,
    /// A number that grows with every list of the issuer.
    pub number: u64,
    /// What is revoked.
    pub revoked: Vec<Revoked>,
}

/// A certificate that is no longer to be trusted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revoked {
    /// Its number.
    pub serial_number: SerialNumber,
    /// Since when, in seconds since the Unix epoch.
    pub revoked_at: i64,
    /// Why, where that is said.
    pub reason: Reason,
}

/// Why a certificate was revoked (RFC 5280 5.3.1).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Reason {
    /// Nothing is said.
    #[default]
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// Somebody else may have the issuer's key.
    CaCompromise,
    /// The subject is called otherwise now.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// For the time being.
    CertificateHold,
    /// A right was taken back.
    PrivilegeWithdrawn,
}

/// Whose revocations a list may speak of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CrlScope {
    /// Everything its issuer issued.
    Full,
    /// Only a part: a distribution point, some reasons, some kinds of certificate, or what changed since another list.
    Partial,
    /// Also what others issued.
    Indirect,
}

#[derive(Sequence)]
struct TbsList {
    version: x509_cert::certificate::Version,
    signature: Identifier,
    issuer: RdnSequence,
    this_update: Time,
    next_update: Time,
    #[asn1(optional = "true")]
    revoked: Option<Vec<Entry>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Clone, Sequence)]
struct Entry {
    serial_number: EncodedSerial,
    revoked_at: Time,
    #[asn1(optional = "true")]
    extensions: Option<Vec<Extension>>,
}

impl RevocationList {
    /// The list in DER, signed with the issuer's key, whose identifier it carries.
    pub fn sign(&self, issuer: &PrivateKey, random: &dyn Random) -> Result<Vec<u8>, Error> {
        if self.next_update <= self.this_update {
            return Err(Error::BadArgument("a revocation list that is out of date when it is made"));
        }
        let issuer_key = issuer.public_key().ok_or(Error::WrongOperation("signing"))?;
        let authority = pkix::AuthorityKeyIdentifier {
            key_identifier: Some(octets(KeyId::of(&issuer_key).as_bytes())?),
            ..pkix::AuthorityKeyIdentifier::default()
        };
        let number = Uint::try_from(self.number).map_err(unwritable)?;
        let entries = self.revoked.iter().map(Entry::of).collect::<Result<Vec<_>, Error>>()?;
        let inner = TbsList {
            version: x509_cert::certificate::Version::V2,
            signature: signature::identifier(issuer.algorithm())?,
            issuer: self.issuer.rdns().clone(),
            this_update: time::encode(self.this_update)?,
            next_update: time::encode(self.next_update)?,
            // RFC 5280 5.1.2.6: absent when there is nothing to list.
            revoked: Some(entries).filter(|entries| !entries.is_empty()),
            extensions: vec![
                extension(known::AUTHORITY_KEY_ID, Criticality::Plain, &authority)?,
                extension(known::CRL_NUMBER, Criticality::Plain, &number)?,
            ],
        };
        signature::sign(&inner.to_der().map_err(unwritable)?, issuer, random)
    }
}

impl Entry {
    fn of(revoked: &Revoked) -> Result<Self, Error> {
        // RFC 5280 5.3.1: the reason is left out rather than written as unspecified.
        let extensions = match revoked.reason {
            Reason::Unspecified => None,
            reason => Some(vec![extension(known::REASON, Criticality::Plain, &reason.encoded())?]),
        };
        Ok(Self {
            serial_number: EncodedSerial::new(revoked.serial_number.as_bytes()).map_err(unwritable)?,
            revoked_at: time::encode(revoked.revoked_at)?,
            extensions,
        })
    }
}

impl Reason {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::PrivilegeWithdrawn,
    ];

    /// The name that RFC 5280 gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
        }
    }

    fn encoded(self) -> pkix::CrlReason {
        match self {
            Self::Unspecified => pkix::CrlReason::Unspecified,
            Self::KeyCompromise => pkix::CrlReason::KeyCompromise,
            Self::CaCompromise => pkix::CrlReason::CaCompromise,
            Self::AffiliationChanged => pkix::CrlReason::AffiliationChanged,
            Self::Superseded => pkix::CrlReason::Superseded,
            Self::CessationOfOperation => pkix::CrlReason::CessationOfOperation,
            Self::CertificateHold => pkix::CrlReason::CertificateHold,
            Self::PrivilegeWithdrawn => pkix::CrlReason::PrivilegeWithdrawn,
        }
    }

    fn read(encoded: pkix::CrlReason) -> Self {
        let found = Self::ALL.iter().find(|reason| reason.encoded() == encoded);
        found.copied().unwrap_or(Self::Unspecified)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::str::FromStr for Reason {
    type Err = Error;

    /// Case and separators do not matter.
    fn from_str(name: &str) -> Result<Self, Error> {
        let plain = |text: &str| text.replace(['_', '-', ' '], "").to_ascii_lowercase();
        let name = plain(name);
        Self::ALL.iter().find(|reason| plain(reason.as_str()) == name).copied().ok_or(Error::Unknown("reason"))
    }
}

/// A revocation list that was read.
#[derive(Clone)]
pub struct Crl {
    signed: Box<[u8]>,
    signature: Box<[u8]>,
    algorithm: Option<Algorithm>,
    issuer: DistinguishedName,
    this_update: i64,
    next_update: Option<i64>,
    number: Option<Box<[u8]>>,
    authority_key_id: Option<KeyId>,
    scope: CrlScope,
    unknown: Vec<Marked<Oid>>,
    revoked: Vec<Revoked>,
}

impl Crl {
    /// Reads one list in DER and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_LENGTH {
            return Err(Malformed::new("a revocation list larger than any of ours may be", "qapi limit 16 MiB"));
        }
        let not_der = |_| Malformed::new("not one revocation list of version 2 in DER", "RFC 5280 5.1");
        let envelope = Envelope::read(bytes).map_err(not_der)?;
        let inner = TbsCertList::<x509_cert::certificate::Rfc5280>::from_der(envelope.signed).map_err(not_der)?;
        canonical(&inner, envelope.signed)?;
        let clause = "RFC 5280 5.1.2.1";
        if inner.version != x509_cert::certificate::Version::V2 {
            return Err(Malformed::new("a revocation list of a version other than 2", clause));
        }
        if inner.signature.to_der().map_err(not_der)? != envelope.identifier {
            return Err(Malformed::new("the two names of the signature algorithm differ", "RFC 5280 5.1.1.2"));
        }
        let mut list = Self {
            signed: envelope.signed.into(),
            signature: envelope.signature.into(),
            algorithm: envelope.algorithm,
            issuer: DistinguishedName::from_rdns(inner.issuer.into()),
            this_update: time::decode(&inner.this_update, "RFC 5280 5.1.2.4")?,
            next_update: inner.next_update.map(|at| time::decode(&at, "RFC 5280 5.1.2.5")).transpose()?,
            number: None,
            authority_key_id: None,
            scope: CrlScope::Full,
            unknown: Vec::new(),
            revoked: Vec::new(),
        };
        list.take_extensions(&inner.crl_extensions.unwrap_or_default())?;
        for entry in inner.revoked_certificates.into_iter().flatten() {
            let revoked_at = time::decode(&entry.revocation_date, "RFC 5280 5.1.2.6")?;
            let reason = list.take_entry(&entry.crl_entry_extensions.unwrap_or_default())?;
            let serial_number = SerialNumber::from_bytes(entry.serial_number.as_bytes());
            list.revoked.push(Revoked { serial_number, revoked_at, reason });
        }
        Ok(list)
    }

    fn take_extensions(&mut self, extensions: &[Extension]) -> Result<(), Malformed> {
        refuse_repeated(extensions)?;
        for extension in extensions {
            let bytes = extension.extn_value.as_bytes();
            match extension.extn_id {
                known::CRL_NUMBER => {
                    let number: Uint = read(bytes, "cRLNumber is malformed", "RFC 5280 5.2.3")?;
                    self.number = Some(number.as_bytes().into());
                }
                known::AUTHORITY_KEY_ID => {
                    let found: pkix::AuthorityKeyIdentifier =
                        read(bytes, "authorityKeyIdentifier is malformed", "RFC 5280 5.2.1")?;
                    self.authority_key_id = found.key_identifier.map(|octets| KeyId::from_bytes(octets.as_bytes()));
                }
                known::DELTA_CRL => self.narrow(CrlScope::Partial),
                known::ISSUING_DISTRIBUTION_POINT => {
                    let found: pkix::IssuingDistributionPoint =
                        read(bytes, "issuingDistributionPoint is malformed", "RFC 5280 5.2.5")?;
                    self.narrow(if found.indirect_crl { CrlScope::Indirect } else { CrlScope::Partial });
                }
                other => self.unknown.push(Marked { critical: extension.critical, value: Oid(other) }),
            }
        }
        Ok(())
    }

    /// What one entry's extensions say: its reason, and whether the list as a whole can be understood.
    fn take_entry(&mut self, extensions: &[Extension]) -> Result<Reason, Malformed> {
        refuse_repeated(extensions)?;
        let mut reason = Reason::Unspecified;
        for extension in extensions {
            let bytes = extension.extn_value.as_bytes();
            match extension.extn_id {
                known::REASON => {
                    reason = Reason::read(read(bytes, "reasonCode is malformed", "RFC 5280 5.3.1")?);
                }
                known::INVALIDITY_DATE => {
                    read::<GeneralizedTime>(bytes, "invalidityDate is malformed", "RFC 5280 5.3.2")?;
                }
                known::CERTIFICATE_ISSUER => self.narrow(CrlScope::Indirect),
                other => self.unknown.push(Marked { critical: extension.critical, value: Oid(other) }),
            }
        }
        Ok(reason)
    }

    fn narrow(&mut self, scope: CrlScope) {
        if self.scope != CrlScope::Indirect {
            self.scope = scope;
        }
    }

    /// Whether this key signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        signature::is_valid(key, self.algorithm, &self.signed, &self.signature)
    }

    /// Who made it.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// When it was made, since the Unix epoch.
    pub fn this_update(&self) -> i64 {
        self.this_update
    }

    /// When there is a newer one at the latest, where that is said.
    pub fn next_update(&self) -> Option<i64> {
        self.next_update
    }

    /// Its number, most significant octet first, where it has one.
    pub fn number(&self) -> Option<&[u8]> {
        self.number.as_deref()
    }

    /// The identifier of the issuer's key, where it is said.
    pub fn authority_key_id(&self) -> Option<&KeyId> {
        self.authority_key_id.as_ref()
    }

    /// What it may speak of.
    pub fn scope(&self) -> CrlScope {
        self.scope
    }

    /// Extensions of the list or of an entry that are not understood here.
    pub fn unknown(&self) -> &[Marked<Oid>] {
        &self.unknown
    }

    /// What is revoked.
    pub fn revoked(&self) -> &[Revoked] {
        &self.revoked
    }

    /// The entry of a certificate, if it is listed.
    pub fn entry(&self, serial_number: &SerialNumber) -> Option<&Revoked> {
        self.revoked.iter().find(|entry| entry.serial_number == *serial_number)
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({} entries of {})", self.revoked.len(), self.issuer)
    }
}

fn refuse_repeated(extensions: &[Extension]) -> Result<(), Malformed> {
    let repeated = |(place, extension): (usize, &Extension)| {
        extensions.iter().take(place).any(|earlier| earlier.extn_id == extension.extn_id)
    };
    if extensions.len() > MAX_EXTENSIONS || extensions.iter().enumerate().any(repeated) {
        return Err(Malformed::new("an extension occurs twice, or there are too many", "RFC 5280 4.2"));
    }
    Ok(())
}

const MAX_LENGTH: usize = 16 * 1024 * 1024;
const MAX_EXTENSIONS: usize = 32;
