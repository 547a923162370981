//! PKCS#10 requests (RFC 2986): the subject's own statement, signed with the key that it is about.

use core::fmt;

use der::asn1::{Any, SetOfVec};
use der::{Decode, Encode};
use x509_cert::attr::Attribute;
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::request::CertReqInfo;

use super::extensions::{alt_names, key_usage, purposes, read};
use super::oid::known;
use super::signature::{self, Envelope, canonical};
use super::statement::{Criticality, encoded_names, encoded_purposes, encoded_usage, extension, of_names, unwritable};
use super::{AltName, DistinguishedName, GeneralName, KeyUsage, Malformed, Oid, Purpose};
use crate::Error;
use crate::key::{PrivateKey, PublicKey};
use crate::random::Random;

/// What a request shall ask for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The subject.
    pub subject: DistinguishedName,
    /// Names; left out when empty.
    pub alt_names: Vec<AltName>,
    /// Usage; left out when empty.
    pub key_usage: KeyUsage,
    /// Purposes; left out when empty.
    pub purposes: Vec<Purpose>,
}

impl Request {
    /// The request in DER, for this key and signed with it.
    pub fn sign(&self, key: &PrivateKey, random: &dyn Random) -> Result<Vec<u8>, Error> {
        let public = key.public_key().ok_or(Error::WrongOperation("signing"))?;
        let mut attributes = SetOfVec::new();
        let extensions = self.extensions()?;
        if !extensions.is_empty() {
            let list = Any::encode_from(&extensions).map_err(unwritable)?;
            let values = SetOfVec::try_from(vec![list]).map_err(unwritable)?;
            attributes.insert(Attribute { oid: known::EXTENSION_REQUEST, values }).map_err(unwritable)?;
        }
        let info = CertReqInfo {
            version: x509_cert::request::Version::V1,
            subject: Name::from_der(&self.subject.to_der()).map_err(unwritable)?,
            public_key: Decode::from_der(&public.to_spki_der()).map_err(unwritable)?,
            attributes,
        };
        signature::sign(&info.to_der().map_err(unwritable)?, key, random)
    }

    fn extensions(&self) -> Result<Vec<Extension>, Error> {
        let mut list = Vec::new();
        if !self.key_usage.is_empty() {
            list.push(extension(known::KEY_USAGE, Criticality::Critical, &encoded_usage(self.key_usage)?)?);
        }
        if !self.purposes.is_empty() {
            list.push(extension(known::EXTENDED_KEY_USAGE, Criticality::Plain, &encoded_purposes(&self.purposes))?);
        }
        if !self.alt_names.is_empty() {
            list.push(extension(known::SUBJECT_ALT_NAME, of_names(&self.subject), &encoded_names(&self.alt_names)?)?);
        }
        Ok(list)
    }
}

/// A request that was read, and whose sender holds the private key.
#[derive(Clone, Eq, PartialEq)]
pub struct SigningRequest {
    key: PublicKey,
    subject: DistinguishedName,
    alt_names: Vec<GeneralName>,
    key_usage: Option<KeyUsage>,
    purposes: Vec<Purpose>,
    ignored: Vec<Oid>,
}

impl SigningRequest {
    /// Reads one request in DER and nothing after it. The signature is checked: it proves possession of the key.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_LENGTH {
            return Err(Malformed::new("a request larger than any may be", "qapi limit 64 KiB"));
        }
        let not_der = |_| Malformed::new("not one certification request in DER", "RFC 2986 4");
        let envelope = Envelope::read(bytes).map_err(not_der)?;
        let info = CertReqInfo::from_der(envelope.signed).map_err(not_der)?;
        canonical(&info, envelope.signed)?;
        let spki = info.public_key.to_der().map_err(not_der)?;
        let key = PublicKey::from_spki_der(&spki).map_err(|_| {
            Malformed::new("the key is malformed or of an algorithm that is not offered", "RFC 2986 4.1")
        })?;
        if !signature::is_valid(&key, envelope.algorithm, envelope.signed, envelope.signature) {
            return Err(Malformed::new("the signature does not prove possession of the key", "RFC 2986 4.2"));
        }
        let mut request = Self {
            key,
            subject: DistinguishedName::from_rdns(info.subject.into()),
            alt_names: Vec::new(),
            key_usage: None,
            purposes: Vec::new(),
            ignored: Vec::new(),
        };
        for extension in asked_extensions(&info.attributes)? {
            request.take(&extension)?;
        }
        Ok(request)
    }

    fn take(&mut self, extension: &Extension) -> Result<(), Malformed> {
        let bytes = extension.extn_value.as_bytes();
        match extension.extn_id {
            known::SUBJECT_ALT_NAME => self.alt_names = alt_names(bytes)?,
            known::KEY_USAGE => self.key_usage = Some(key_usage(bytes)?),
            known::EXTENDED_KEY_USAGE => self.purposes = purposes(bytes)?,
            other => self.ignored.push(Oid(other)),
        }
        Ok(())
    }

    /// The key that shall be certified.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The subject that is asked for.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The names that are asked for, as they were written.
    pub fn alt_names(&self) -> &[GeneralName] {
        &self.alt_names
    }

    /// The usage that is asked for, if any.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// The purposes that are asked for.
    pub fn purposes(&self) -> &[Purpose] {
        &self.purposes
    }

    /// Extensions that were asked for and that no request of ours can have.
    pub fn ignored(&self) -> &[Oid] {
        &self.ignored
    }
}

impl fmt::Debug for SigningRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningRequest({} for {:?})", self.subject, self.key)
    }
}

/// The extensions of the one extensionRequest attribute. Other attributes, such as a challenge password, say nothing here.
fn asked_extensions(attributes: &SetOfVec<Attribute>) -> Result<Vec<Extension>, Malformed> {
    let clause = "RFC 2985 5.4.2";
    let mut asked = attributes.iter().filter(|attribute| attribute.oid == known::EXTENSION_REQUEST);
    let Some(attribute) = asked.next() else { return Ok(Vec::new()) };
    let (Some(list), 1, None) = (attribute.values.get(0), attribute.values.len(), asked.next()) else {
        return Err(Malformed::new("more than one list of extensions is asked for", clause));
    };
    let der = list.to_der().map_err(|_| Malformed::new("the list of extensions is malformed", clause))?;
    let extensions: Vec<Extension> = read(&der, "the list of extensions is malformed", clause)?;
    let repeated = |(place, extension): (usize, &Extension)| {
        extensions.iter().take(place).any(|earlier| earlier.extn_id == extension.extn_id)
    };
    if extensions.len() > MAX_EXTENSIONS || extensions.iter().enumerate().any(repeated) {
        return Err(Malformed::new("an extension is asked for twice, or too many are", "RFC 5280 4.2"));
    }
    Ok(extensions)
}

const MAX_LENGTH: usize = 64 * 1024;
const MAX_EXTENSIONS: usize = 64;
