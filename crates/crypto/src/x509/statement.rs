//! What a certificate shall say, as plain data, and the writing of it.

use der::asn1::{Any, Null, OctetString};
use der::flagset::FlagSet;
use der::{Decode, Encode, Sequence};
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName as EncodedName};
use x509_cert::ext::{Extension, pkix};
use x509_cert::name::RdnSequence;
use x509_cert::serial_number::SerialNumber as EncodedSerial;
use x509_cert::time::Time;

use super::oid::known;
use super::signature::{self, Identifier};
use super::{AltName, DistinguishedName, KeyId, KeyUsage, Oid, Purpose, SerialNumber, general_name, time};
use crate::Error;
use crate::key::{PrivateKey, PublicKey};
use crate::random::Random;

/// What a certificate states.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its number.
    pub serial_number: SerialNumber,
    /// Who signs it.
    pub issuer: DistinguishedName,
    /// Whom it is about.
    pub subject: DistinguishedName,
    /// First second of validity, since the Unix epoch.
    pub not_before: i64,
    /// Last second of validity.
    pub not_after: i64,
    /// The subject's key.
    pub key: PublicKey,
    /// End entity or authority.
    pub role: Role,
    /// keyUsage, critical.
    pub key_usage: KeyUsage,
    /// extKeyUsage; left out when empty.
    pub purposes: Vec<Purpose>,
    /// subjectAltName; left out when empty, critical when the subject is.
    pub alt_names: Vec<AltName>,
    /// Critical name constraints: DNS subtrees that an authority is limited to. Left out when empty.
    pub permitted_dns: Vec<String>,
    /// certificatePolicies; left out when empty.
    pub policies: Vec<Oid>,
    /// noRevAvail (RFC 9608): whoever relies on it need not look for revocation.
    pub no_rev_avail: bool,
    /// cRLDistributionPoints; left out when empty.
    pub crl_urls: Vec<String>,
    /// authorityInfoAccess, caIssuers; left out when empty.
    pub issuer_urls: Vec<String>,
}

/// Which side of an issuance a certificate can stand on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It signs no certificates.
    EndEntity,
    /// It does, with so many authorities after it at most.
    Authority {
        /// pathLenConstraint.
        path_len: Option<u8>,
    },
}

#[derive(Sequence)]
struct TbsCertificate {
    #[asn1(context_specific = "0", default = "Default::default")]
    version: Version,
    serial_number: EncodedSerial,
    signature: Identifier,
    issuer: RdnSequence,
    validity: Validity,
    subject: RdnSequence,
    key: Any,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Validity {
    not_before: Time,
    not_after: Time,
}

impl Statement {
    /// The certificate in DER, signed with the issuer's key, whose identifier it carries.
    pub fn sign(&self, issuer: &PrivateKey, random: &dyn Random) -> Result<Vec<u8>, Error> {
        self.check()?;
        let issuer_key = issuer.public_key().ok_or(Error::WrongOperation("signing"))?;
        let inner = TbsCertificate {
            version: Version::V3,
            serial_number: EncodedSerial::new(self.serial_number.as_bytes()).map_err(unwritable)?,
            signature: signature::identifier(issuer.algorithm())?,
            issuer: self.issuer.rdns().clone(),
            validity: Validity { not_before: time::encode(self.not_before)?, not_after: time::encode(self.not_after)? },
            subject: self.subject.rdns().clone(),
            key: Any::from_der(&self.key.to_spki_der()).map_err(unwritable)?,
            extensions: self.extensions(&KeyId::of(&issuer_key))?,
        };
        signature::sign(&inner.to_der().map_err(unwritable)?, issuer, random)
    }

    /// What no profile may ask for, because the standards leave no room.
    fn check(&self) -> Result<(), Error> {
        let refuse = |what| Err(Error::BadArgument(what));
        let is_authority = matches!(self.role, Role::Authority { .. });
        if !self.serial_number.is_conforming() {
            return refuse("a serial number that is not positive or too long (RFC 5280 4.1.2.2)");
        }
        if self.not_after < self.not_before {
            return refuse("a validity that ends before it begins");
        }
        if self.issuer.is_empty() || is_authority && self.subject.is_empty() {
            return refuse("an authority without a name (RFC 5280 4.1.2.4, 4.1.2.6)");
        }
        if self.subject.is_empty() && self.alt_names.is_empty() {
            return refuse("a certificate about nobody");
        }
        if self.key.algorithm().is_ml_dsa() && !self.key_usage.forbidden_for_ml_dsa().is_empty() {
            return refuse("a key usage that RFC 9881 section 5 forbids for ML-DSA");
        }
        if self.key_usage.intersection(KeyUsage::SIGNING).is_empty() {
            return refuse("a signing key without a signing usage (RFC 9881 5)");
        }
        if self.key_usage.contains(KeyUsage::KEY_CERT_SIGN) != is_authority {
            return refuse("keyCertSign and cA that contradict each other (RFC 5280 4.2.1.9)");
        }
        if !is_authority && !self.permitted_dns.is_empty() {
            return refuse("name constraints of an end entity (RFC 5280 4.2.1.10)");
        }
        if self.no_rev_avail && (is_authority || !self.crl_urls.is_empty()) {
            return refuse("noRevAvail beside a revocation list or on an authority (RFC 9608 4)");
        }
        Ok(())
    }

    fn extensions(&self, issuer: &KeyId) -> Result<Vec<Extension>, Error> {
        let mut list = Vec::new();
        list.push(extension(known::BASIC_CONSTRAINTS, Criticality::Critical, &self.basic_constraints())?);
        list.push(extension(known::KEY_USAGE, Criticality::Critical, &encoded_usage(self.key_usage)?)?);
        if !self.purposes.is_empty() {
            list.push(extension(known::EXTENDED_KEY_USAGE, Criticality::Plain, &encoded_purposes(&self.purposes))?);
        }
        let subject_id = octets(KeyId::of(&self.key).as_bytes())?;
        list.push(extension(known::SUBJECT_KEY_ID, Criticality::Plain, &subject_id)?);
        let authority = pkix::AuthorityKeyIdentifier {
            key_identifier: Some(octets(issuer.as_bytes())?),
            ..pkix::AuthorityKeyIdentifier::default()
        };
        list.push(extension(known::AUTHORITY_KEY_ID, Criticality::Plain, &authority)?);
        if !self.alt_names.is_empty() {
            list.push(extension(known::SUBJECT_ALT_NAME, of_names(&self.subject), &encoded_names(&self.alt_names)?)?);
        }
        if !self.permitted_dns.is_empty() {
            list.push(extension(known::NAME_CONSTRAINTS, Criticality::Critical, &self.name_constraints()?)?);
        }
        if !self.policies.is_empty() {
            list.push(extension(known::CERTIFICATE_POLICIES, Criticality::Plain, &self.encoded_policies())?);
        }
        if !self.crl_urls.is_empty() {
            list.push(extension(known::CRL_DISTRIBUTION_POINTS, Criticality::Plain, &self.distribution_points()?)?);
        }
        if !self.issuer_urls.is_empty() {
            list.push(extension(known::AUTHORITY_INFO_ACCESS, Criticality::Plain, &self.issuers()?)?);
        }
        if self.no_rev_avail {
            list.push(extension(known::NO_REV_AVAIL, Criticality::Plain, &Null)?);
        }
        Ok(list)
    }

    fn basic_constraints(&self) -> pkix::BasicConstraints {
        match self.role {
            Role::EndEntity => pkix::BasicConstraints { ca: false, path_len_constraint: None },
            Role::Authority { path_len } => pkix::BasicConstraints { ca: true, path_len_constraint: path_len },
        }
    }

    fn name_constraints(&self) -> Result<pkix::NameConstraints, Error> {
        let subtree = |name: &String| {
            let base = general_name::encode(&AltName::Dns(name.clone()))?;
            Ok(GeneralSubtree { base, minimum: 0, maximum: None })
        };
        let permitted = self.permitted_dns.iter().map(subtree).collect::<Result<Vec<_>, Error>>()?;
        Ok(pkix::NameConstraints { permitted_subtrees: Some(permitted), excluded_subtrees: None })
    }

    fn encoded_policies(&self) -> Vec<PolicyInformation> {
        let policy = |oid: &Oid| PolicyInformation { policy_identifier: oid.0, policy_qualifiers: None };
        self.policies.iter().map(policy).collect()
    }

    fn distribution_points(&self) -> Result<Vec<DistributionPoint>, Error> {
        let point = |url: &String| {
            let name = DistributionPointName::FullName(vec![encoded_url(url)?]);
            Ok(DistributionPoint { distribution_point: Some(name), reasons: None, crl_issuer: None })
        };
        self.crl_urls.iter().map(point).collect()
    }

    fn issuers(&self) -> Result<Vec<pkix::AccessDescription>, Error> {
        let access = |url: &String| {
            Ok(pkix::AccessDescription { access_method: known::CA_ISSUERS, access_location: encoded_url(url)? })
        };
        self.issuer_urls.iter().map(access).collect()
    }
}

pub(super) fn extension(
    oid: der::asn1::ObjectIdentifier,
    criticality: Criticality,
    value: &impl Encode,
) -> Result<Extension, Error> {
    let der = value.to_der().map_err(unwritable)?;
    Ok(Extension { extn_id: oid, critical: criticality == Criticality::Critical, extn_value: octets(&der)? })
}

pub(super) fn encoded_usage(usage: KeyUsage) -> Result<pkix::KeyUsage, Error> {
    FlagSet::new(usage.bits()).map(pkix::KeyUsage).map_err(|_| Error::BadArgument("a key usage that does not exist"))
}

pub(super) fn encoded_purposes(purposes: &[Purpose]) -> pkix::ExtendedKeyUsage {
    pkix::ExtendedKeyUsage(purposes.iter().map(|purpose| purpose.oid().0).collect())
}

pub(super) fn encoded_names(names: &[AltName]) -> Result<Vec<EncodedName>, Error> {
    names.iter().map(general_name::encode).collect()
}

fn encoded_url(url: &str) -> Result<EncodedName, Error> {
    match format!("URI:{url}").parse()? {
        name @ AltName::Uri(_) => general_name::encode(&name),
        _ => Err(Error::BadArgument("not a URL")),
    }
}

pub(super) fn octets(bytes: &[u8]) -> Result<OctetString, Error> {
    OctetString::new(bytes).map_err(unwritable)
}

pub(super) fn unwritable(_: der::Error) -> Error {
    Error::BadArgument("something that DER cannot write")
}

/// Whether whoever does not understand an extension must refuse the certificate.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Criticality {
    Critical,
    Plain,
}

/// RFC 5280 4.2.1.6: alternative names are critical exactly when nothing else says who the subject is.
pub(super) fn of_names(subject: &DistinguishedName) -> Criticality {
    if subject.is_empty() { Criticality::Critical } else { Criticality::Plain }
}
