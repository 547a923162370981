use std::fmt;
use std::str::FromStr;

use der::asn1::ObjectIdentifier;

use crate::Error;

/// An object identifier, written with dots.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Oid(pub(super) ObjectIdentifier);

impl FromStr for Oid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self).map_err(|_| Error::BadArgument("not an object identifier"))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names of the extensions and algorithms that this crate writes or reads.
pub(super) mod known {
    use der::asn1::ObjectIdentifier;

    const fn oid(text: &str) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(text)
    }

    pub(crate) const SUBJECT_KEY_ID: ObjectIdentifier = oid("2.5.29.14");
    pub(crate) const KEY_USAGE: ObjectIdentifier = oid("2.5.29.15");
    pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = oid("2.5.29.17");
    pub(crate) const ISSUER_ALT_NAME: ObjectIdentifier = oid("2.5.29.18");
    pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.19");
    pub(crate) const CRL_NUMBER: ObjectIdentifier = oid("2.5.29.20");
    pub(crate) const REASON: ObjectIdentifier = oid("2.5.29.21");
    pub(crate) const INVALIDITY_DATE: ObjectIdentifier = oid("2.5.29.24");
    pub(crate) const DELTA_CRL: ObjectIdentifier = oid("2.5.29.27");
    pub(crate) const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = oid("2.5.29.28");
    pub(crate) const CERTIFICATE_ISSUER: ObjectIdentifier = oid("2.5.29.29");
    pub(crate) const NAME_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.30");
    pub(crate) const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = oid("2.5.29.31");
    pub(crate) const CERTIFICATE_POLICIES: ObjectIdentifier = oid("2.5.29.32");
    pub(crate) const POLICY_MAPPINGS: ObjectIdentifier = oid("2.5.29.33");
    pub(crate) const AUTHORITY_KEY_ID: ObjectIdentifier = oid("2.5.29.35");
    pub(crate) const POLICY_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.36");
    pub(crate) const EXTENDED_KEY_USAGE: ObjectIdentifier = oid("2.5.29.37");
    pub(crate) const INHIBIT_ANY_POLICY: ObjectIdentifier = oid("2.5.29.54");
    /// RFC 9608.
    pub(crate) const NO_REV_AVAIL: ObjectIdentifier = oid("2.5.29.56");
    pub(crate) const AUTHORITY_INFO_ACCESS: ObjectIdentifier = oid("1.3.6.1.5.5.7.1.1");
    pub(crate) const CA_ISSUERS: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.2");
    pub(crate) const SERVER_AUTH: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.1");
    pub(crate) const CLIENT_AUTH: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.2");
    pub(crate) const ANY_PURPOSE: ObjectIdentifier = oid("2.5.29.37.0");
    /// PKCS#9 extensionRequest (RFC 2985 5.4.2).
    pub(crate) const EXTENSION_REQUEST: ObjectIdentifier = oid("1.2.840.113549.1.9.14");
    pub(crate) const ECDSA_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
    pub(crate) const ECDSA_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
    pub(crate) const ED25519: ObjectIdentifier = oid("1.3.101.112");
    pub(crate) const ML_DSA_44: ObjectIdentifier = oid("2.16.840.1.101.3.4.3.17");
    pub(crate) const ML_DSA_65: ObjectIdentifier = oid("2.16.840.1.101.3.4.3.18");
    pub(crate) const ML_DSA_87: ObjectIdentifier = oid("2.16.840.1.101.3.4.3.19");
}
