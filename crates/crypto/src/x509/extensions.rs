//! The extensions of a certificate: every known one in the form its standard gives it, the others by name.

use der::Decode;
use der::asn1::{Null, ObjectIdentifier, OctetString};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName as EncodedName};

use super::oid::known;
use super::{GeneralName, KeyId, KeyUsage, Malformed, Oid, Purpose, SerialNumber};

/// A value and whether its extension is critical.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marked<T> {
    /// Whether whoever does not understand it must refuse.
    pub critical: bool,
    /// What it says.
    pub value: T,
}

/// basicConstraints (RFC 5280 4.2.1.9).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BasicConstraints {
    /// Whether the key is an authority's.
    pub is_ca: bool,
    /// How many further authorities may follow.
    pub path_len: Option<u8>,
}

/// authorityKeyIdentifier (RFC 5280 4.2.1.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorityKeyId {
    /// The identifier of the issuer's key.
    pub key_id: Option<KeyId>,
    /// Whether the issuer's certificate is named by its own issuer.
    pub has_issuer: bool,
    /// The serial number of the issuer's certificate.
    pub serial_number: Option<SerialNumber>,
}

/// nameConstraints (RFC 5280 4.2.1.10).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NameConstraints {
    /// Where names must lie, for each kind of name that is listed.
    pub permitted: Vec<GeneralName>,
    /// Where names must not lie.
    pub excluded: Vec<GeneralName>,
}

/// What a certificate's extensions say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Extensions {
    /// subjectKeyIdentifier.
    pub subject_key_id: Option<Marked<KeyId>>,
    /// authorityKeyIdentifier.
    pub authority_key_id: Option<Marked<AuthorityKeyId>>,
    /// basicConstraints.
    pub basic_constraints: Option<Marked<BasicConstraints>>,
    /// keyUsage.
    pub key_usage: Option<Marked<KeyUsage>>,
    /// extKeyUsage.
    pub purposes: Option<Marked<Vec<Purpose>>>,
    /// subjectAltName.
    pub alt_names: Option<Marked<Vec<GeneralName>>>,
    /// nameConstraints.
    pub name_constraints: Option<Marked<NameConstraints>>,
    /// certificatePolicies, by name.
    pub policies: Option<Marked<Vec<Oid>>>,
    /// policyConstraints: present.
    pub policy_constraints: Option<Marked<()>>,
    /// policyMappings: present.
    pub policy_mappings: Option<Marked<()>>,
    /// inhibitAnyPolicy: present.
    pub inhibit_any_policy: Option<Marked<()>>,
    /// cRLDistributionPoints: the URLs in it.
    pub crl_urls: Option<Marked<Vec<String>>>,
    /// authorityInfoAccess: the URLs of issuers' certificates.
    pub issuer_urls: Option<Marked<Vec<String>>>,
    /// noRevAvail (RFC 9608).
    pub no_rev_avail: Option<Marked<()>>,
    /// Extensions that are not understood here.
    pub unknown: Vec<Marked<Oid>>,
}

impl Extensions {
    /// Reads all of them. None may occur twice (RFC 5280 4.2).
    pub(super) fn read(encoded: &[Extension]) -> Result<Self, Malformed> {
        if encoded.is_empty() || encoded.len() > MAX_EXTENSIONS {
            return Err(Malformed::new("an empty or endless list of extensions", "RFC 5280 4.1.2.9"));
        }
        let mut extensions = Self::default();
        for (place, extension) in encoded.iter().enumerate() {
            if encoded.iter().take(place).any(|earlier| earlier.extn_id == extension.extn_id) {
                return Err(Malformed::new("an extension occurs twice", "RFC 5280 4.2"));
            }
            extensions.take(extension)?;
        }
        Ok(extensions)
    }

    fn take(&mut self, extension: &Extension) -> Result<(), Malformed> {
        let bytes = extension.extn_value.as_bytes();
        let critical = extension.critical;
        match extension.extn_id {
            known::SUBJECT_KEY_ID => self.subject_key_id = marked(critical, key_id(bytes)?),
            known::AUTHORITY_KEY_ID => self.authority_key_id = marked(critical, authority_key_id(bytes)?),
            known::BASIC_CONSTRAINTS => self.basic_constraints = marked(critical, basic_constraints(bytes)?),
            known::KEY_USAGE => self.key_usage = marked(critical, key_usage(bytes)?),
            known::EXTENDED_KEY_USAGE => self.purposes = marked(critical, purposes(bytes)?),
            known::SUBJECT_ALT_NAME => self.alt_names = marked(critical, alt_names(bytes)?),
            known::NAME_CONSTRAINTS => self.name_constraints = marked(critical, name_constraints(bytes)?),
            known::CERTIFICATE_POLICIES => self.policies = marked(critical, policies(bytes)?),
            known::CRL_DISTRIBUTION_POINTS => self.crl_urls = marked(critical, crl_urls(bytes)?),
            known::AUTHORITY_INFO_ACCESS => self.issuer_urls = marked(critical, issuer_urls(bytes)?),
            known::NO_REV_AVAIL => {
                read::<Null>(bytes, "noRevAvail is malformed", "RFC 9608 2")?;
                self.no_rev_avail = marked(critical, ());
            }
            known::POLICY_CONSTRAINTS => {
                let clause = "RFC 5280 4.2.1.11";
                let found: pkix::PolicyConstraints = read(bytes, "policyConstraints is malformed", clause)?;
                if found.require_explicit_policy.is_none() && found.inhibit_policy_mapping.is_none() {
                    return Err(Malformed::new("policyConstraints is empty", clause));
                }
                self.policy_constraints = marked(critical, ());
            }
            known::POLICY_MAPPINGS => {
                read::<pkix::PolicyMappings>(bytes, "policyMappings is malformed", "RFC 5280 4.2.1.5")?;
                self.policy_mappings = marked(critical, ());
            }
            known::INHIBIT_ANY_POLICY => {
                read::<pkix::InhibitAnyPolicy>(bytes, "inhibitAnyPolicy is malformed", "RFC 5280 4.2.1.14")?;
                self.inhibit_any_policy = marked(critical, ());
            }
            known::ISSUER_ALT_NAME => {
                general_names(bytes, "issuerAltName is malformed", "RFC 5280 4.2.1.7")?;
                self.unknown.push(Marked { critical, value: Oid(extension.extn_id) });
            }
            unknown => self.unknown.push(Marked { critical, value: Oid(unknown) }),
        }
        Ok(())
    }
}

fn marked<T>(critical: bool, value: T) -> Option<Marked<T>> {
    Some(Marked { critical, value })
}

/// One DER value and nothing after it.
pub(super) fn read<'a, T>(bytes: &'a [u8], what: &'static str, clause: &'static str) -> Result<T, Malformed>
where
    T: Decode<'a>,
{
    T::from_der(bytes).map_err(|_| Malformed::new(what, clause))
}

fn key_id(bytes: &[u8]) -> Result<KeyId, Malformed> {
    let clause = "RFC 5280 4.2.1.2";
    let octets: OctetString = read(bytes, "subjectKeyIdentifier is malformed", clause)?;
    if octets.as_bytes().is_empty() {
        return Err(Malformed::new("subjectKeyIdentifier is empty", clause));
    }
    Ok(KeyId::from_bytes(octets.as_bytes()))
}

fn authority_key_id(bytes: &[u8]) -> Result<AuthorityKeyId, Malformed> {
    let found: pkix::AuthorityKeyIdentifier = read(bytes, "authorityKeyIdentifier is malformed", "RFC 5280 4.2.1.1")?;
    Ok(AuthorityKeyId {
        key_id: found.key_identifier.map(|octets| KeyId::from_bytes(octets.as_bytes())),
        has_issuer: found.authority_cert_issuer.is_some(),
        serial_number: found.authority_cert_serial_number.map(|serial| SerialNumber::from_bytes(serial.as_bytes())),
    })
}

fn basic_constraints(bytes: &[u8]) -> Result<BasicConstraints, Malformed> {
    let found: pkix::BasicConstraints = read(bytes, "basicConstraints is malformed", "RFC 5280 4.2.1.9")?;
    Ok(BasicConstraints { is_ca: found.ca, path_len: found.path_len_constraint })
}

pub(super) fn key_usage(bytes: &[u8]) -> Result<KeyUsage, Malformed> {
    let found: pkix::KeyUsage = read(bytes, "keyUsage is malformed", "RFC 5280 4.2.1.3")?;
    Ok(KeyUsage::from_bits(found.0.bits()))
}

pub(super) fn purposes(bytes: &[u8]) -> Result<Vec<Purpose>, Malformed> {
    let clause = "RFC 5280 4.2.1.12";
    let found: pkix::ExtendedKeyUsage = read(bytes, "extKeyUsage is malformed", clause)?;
    if found.0.is_empty() {
        return Err(Malformed::new("extKeyUsage names no purpose", clause));
    }
    Ok(found.0.into_iter().map(|oid| Purpose::from_oid(Oid(oid))).collect())
}

pub(super) fn alt_names(bytes: &[u8]) -> Result<Vec<GeneralName>, Malformed> {
    general_names(bytes, "subjectAltName is malformed", "RFC 5280 4.2.1.6")
}

fn general_names(bytes: &[u8], what: &'static str, clause: &'static str) -> Result<Vec<GeneralName>, Malformed> {
    let found: Vec<EncodedName> = read(bytes, what, clause)?;
    if found.is_empty() {
        return Err(Malformed::new(what, clause));
    }
    Ok(found.into_iter().map(GeneralName::read).collect())
}

fn name_constraints(bytes: &[u8]) -> Result<NameConstraints, Malformed> {
    let clause = "RFC 5280 4.2.1.10";
    let found: pkix::NameConstraints = read(bytes, "nameConstraints is malformed", clause)?;
    if found.permitted_subtrees.is_none() && found.excluded_subtrees.is_none() {
        return Err(Malformed::new("nameConstraints is empty", clause));
    }
    let subtrees = |listed: Option<pkix::constraints::name::GeneralSubtrees>| {
        let Some(listed) = listed else { return Ok(Vec::new()) };
        let plain = listed.iter().all(|subtree| subtree.minimum == 0 && subtree.maximum.is_none());
        if listed.is_empty() || !plain {
            return Err(Malformed::new("nameConstraints has an empty list or a distance", clause));
        }
        Ok(listed.into_iter().map(|subtree| GeneralName::read(subtree.base)).collect())
    };
    Ok(NameConstraints { permitted: subtrees(found.permitted_subtrees)?, excluded: subtrees(found.excluded_subtrees)? })
}

fn policies(bytes: &[u8]) -> Result<Vec<Oid>, Malformed> {
    let clause = "RFC 5280 4.2.1.4";
    let found: pkix::CertificatePolicies = read(bytes, "certificatePolicies is malformed", clause)?;
    let named: Vec<ObjectIdentifier> = found.0.iter().map(|policy| policy.policy_identifier).collect();
    let repeated = named.iter().enumerate().any(|(place, oid)| named.iter().take(place).any(|earlier| earlier == oid));
    if named.is_empty() || repeated {
        return Err(Malformed::new("certificatePolicies is empty or names a policy twice", clause));
    }
    Ok(named.into_iter().map(Oid).collect())
}

fn crl_urls(bytes: &[u8]) -> Result<Vec<String>, Malformed> {
    let clause = "RFC 5280 4.2.1.13";
    let found: pkix::CrlDistributionPoints = read(bytes, "cRLDistributionPoints is malformed", clause)?;
    if found.0.is_empty() {
        return Err(Malformed::new("cRLDistributionPoints is empty", clause));
    }
    let mut urls = Vec::new();
    for point in found.0 {
        match point.distribution_point {
            Some(DistributionPointName::FullName(names)) => urls.extend(names.into_iter().filter_map(url)),
            Some(DistributionPointName::NameRelativeToCRLIssuer(_)) => {}
            None if point.crl_issuer.is_some() => {}
            None => return Err(Malformed::new("cRLDistributionPoints has a point without a name", clause)),
        }
    }
    Ok(urls)
}

fn issuer_urls(bytes: &[u8]) -> Result<Vec<String>, Malformed> {
    let clause = "RFC 5280 4.2.2.1";
    let found: pkix::AuthorityInfoAccessSyntax = read(bytes, "authorityInfoAccess is malformed", clause)?;
    if found.0.is_empty() {
        return Err(Malformed::new("authorityInfoAccess is empty", clause));
    }
    let issuers = found.0.into_iter().filter(|access| access.access_method == known::CA_ISSUERS);
    Ok(issuers.filter_map(|access| url(access.access_location)).collect())
}

fn url(name: EncodedName) -> Option<String> {
    match GeneralName::read(name) {
        GeneralName::Uri(uri) => Some(uri),
        _ => None,
    }
}

const MAX_EXTENSIONS: usize = 64;
