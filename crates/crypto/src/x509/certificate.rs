//! Reading one certificate. What it says is not judged here, but for what makes it no certificate at all.

use core::fmt;

use der::{Decode, Reader as _, SliceReader};
use x509_cert::certificate::{TbsCertificate, Version};

use super::extensions::Extensions;
use super::signature::{self, Envelope, canonical};
use super::{DistinguishedName, GeneralName, KeyId, KeyUsage, Malformed, Oid, SerialNumber, time};
use crate::algorithm::Algorithm;
use crate::hash::sha256;
use crate::key::PublicKey;

/// A certificate that was read. Nothing is said about whether to trust it.
#[derive(Clone)]
pub struct Certificate {
    der: Box<[u8]>,
    signed: core::ops::Range<usize>,
    signature: Box<[u8]>,
    algorithm: Option<Algorithm>,
    serial_number: SerialNumber,
    issuer: DistinguishedName,
    subject: DistinguishedName,
    not_before: i64,
    not_after: i64,
    key: SubjectKey,
    extensions: Extensions,
}

/// The key that a certificate is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SubjectKey {
    /// One of ours, checked.
    Known(PublicKey),
    /// A key that cannot be used here: of an algorithm that is not offered, or malformed. The algorithm's name.
    Unusable(Oid),
}

impl Certificate {
    /// Reads one certificate in DER and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_LENGTH {
            return Err(Malformed::new("a certificate larger than any of ours may be", "qapi limit 64 KiB"));
        }
        let not_der = |_| Malformed::new("not one certificate in DER", "RFC 5280 4.1");
        let envelope = Envelope::read(bytes).map_err(not_der)?;
        let inner = TbsCertificate::from_der(envelope.signed).map_err(not_der)?;
        let certificate = Self::checked(bytes, &envelope, &inner)?;
        canonical(&inner, envelope.signed)?;
        Ok(certificate)
    }

    /// Reads several that lie behind each other.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        let not_der = |_| Malformed::new("not certificates in DER behind each other", "RFC 5280 4.1");
        let mut reader = SliceReader::new(bytes).map_err(not_der)?;
        let mut found = Vec::new();
        while !reader.is_finished() {
            found.push(Self::parse(reader.tlv_bytes().map_err(not_der)?)?);
        }
        Ok(found)
    }

    fn checked(bytes: &[u8], envelope: &Envelope<'_>, inner: &TbsCertificate) -> Result<Self, Malformed> {
        let inner_identifier = der::Encode::to_der(inner.signature()).unwrap_or_default();
        if inner_identifier != envelope.identifier {
            return Err(Malformed::new("the two names of the signature algorithm differ", "RFC 5280 4.1.1.2"));
        }
        let extensions = match (inner.version(), inner.extensions()) {
            (Version::V3, Some(encoded)) => Extensions::read(encoded)?,
            (Version::V3, None) => Extensions::default(),
            _ => return Err(Malformed::new("a certificate of a version before 3", "RFC 5280 4.1.2.1")),
        };
        let validity = inner.validity();
        let signed = envelope.range.clone();
        Ok(Self {
            der: bytes.into(),
            signed,
            signature: envelope.signature.into(),
            algorithm: envelope.algorithm,
            serial_number: SerialNumber::from_bytes(inner.serial_number().as_bytes()),
            issuer: DistinguishedName::from_rdns(inner.issuer().clone().into()),
            subject: DistinguishedName::from_rdns(inner.subject().clone().into()),
            not_before: time::decode(&validity.not_before, "RFC 5280 4.1.2.5")?,
            not_after: time::decode(&validity.not_after, "RFC 5280 4.1.2.5")?,
            key: subject_key(inner),
            extensions,
        })
    }

    /// The certificate as it was read.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// In PEM.
    pub fn to_pem(&self) -> String {
        super::pem::encode(super::pem::CERTIFICATE, &self.der)
    }

    /// SHA-256 of the DER.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&[&self.der])
    }

    /// The algorithm of its signature; none for those that are not offered, and for ours with parameters.
    pub fn signature_algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Whether this key signed it. The algorithm that the certificate names must be the key's own.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let signed = self.der.get(self.signed.clone()).unwrap_or_default();
        signature::is_valid(key, self.algorithm, signed, &self.signature)
    }

    /// The number its issuer gave it.
    pub fn serial_number(&self) -> &SerialNumber {
        &self.serial_number
    }

    /// Who issued it.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// Whom it is about.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The first second of its validity, since the Unix epoch.
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// The last second of its validity, since the Unix epoch.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// The subject's key.
    pub fn key(&self) -> &SubjectKey {
        &self.key
    }

    /// The subject's key, where it can be used.
    pub fn public_key(&self) -> Option<&PublicKey> {
        match &self.key {
            SubjectKey::Known(key) => Some(key),
            SubjectKey::Unusable(_) => None,
        }
    }

    /// What its extensions say.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The names of subjectAltName; none when there is no such extension.
    pub fn alt_names(&self) -> &[GeneralName] {
        self.extensions.alt_names.as_ref().map_or(&[], |names| names.value.as_slice())
    }

    /// What the key may be used for, where that is said.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.extensions.key_usage.as_ref().map(|usage| usage.value)
    }

    /// Whether basicConstraints make it an authority's.
    pub fn is_ca(&self) -> bool {
        self.extensions.basic_constraints.as_ref().is_some_and(|constraints| constraints.value.is_ca)
    }

    /// Whether issuer and subject are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.issuer.matches(&self.subject)
    }

    /// The identifier of the subject's key, where it is said.
    pub fn subject_key_id(&self) -> Option<&KeyId> {
        self.extensions.subject_key_id.as_ref().map(|id| &id.value)
    }

    /// The identifier of the issuer's key, where it is said.
    pub fn authority_key_id(&self) -> Option<&KeyId> {
        self.extensions.authority_key_id.as_ref().and_then(|id| id.value.key_id.as_ref())
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} of {})", self.serial_number, self.subject)
    }
}

fn subject_key(inner: &TbsCertificate) -> SubjectKey {
    let info = inner.subject_public_key_info();
    let der = der::Encode::to_der(info).unwrap_or_default();
    match PublicKey::from_spki_der(&der) {
        Ok(key) => SubjectKey::Known(key),
        Err(_) => SubjectKey::Unusable(Oid(info.algorithm.oid)),
    }
}

const MAX_LENGTH: usize = 64 * 1024;
