//! Distinguished names, in the order in which they are written: `CN=users-api,O=users-api,C=EU`.
//!
//! RFC 4514 shows names backwards, and tools disagree on who follows it. Here the text has the order of the encoding, so
//! that what a person asks for is what stands in the certificate.

use std::fmt;
use std::str::FromStr;

use der::asn1::{Any, AnyRef, Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use der::{Encode, Tag, Tagged};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};

use crate::Error;

/// A distinguished name.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct DistinguishedName(RdnSequence);

impl DistinguishedName {
    pub(super) fn from_rdns(rdns: RdnSequence) -> Self {
        Self(rdns)
    }

    pub(super) fn rdns(&self) -> &RdnSequence {
        &self.0
    }

    /// Whether it has no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its DER, for comparing to the byte and for hashing.
    pub fn to_der(&self) -> Vec<u8> {
        self.0.to_der().unwrap_or_default()
    }

    /// The values of all common names, in order.
    pub fn common_names(&self) -> Vec<String> {
        self.values(COMMON_NAME)
    }

    /// The values of all e-mail addresses, in order.
    pub fn email_addresses(&self) -> Vec<String> {
        self.values(EMAIL_ADDRESS)
    }

    fn values(&self, oid: ObjectIdentifier) -> Vec<String> {
        let attributes = self.0.iter().flat_map(RelativeDistinguishedName::iter);
        let wanted = attributes.filter(|attribute| attribute.oid == oid);
        wanted.filter_map(|attribute| text(&attribute.value)).collect()
    }

    /// Whether both name the same (RFC 5280 7.1): letters' case, and blanks around and between words, do not matter.
    pub fn matches(&self, other: &Self) -> bool {
        self.0 == other.0 || self.0.len() == other.0.len() && self.is_within(other)
    }

    /// Whether it begins with every relative name of `base`, which is how RFC 5280 4.2.1.10 draws a directory subtree.
    pub fn is_within(&self, base: &Self) -> bool {
        self.0.len() >= base.0.len() && self.0.iter().zip(base.0.iter()).all(|(own, based)| same_rdn(own, based))
    }
}

/// Attributes are compared as a set, because that is what the encoding has.
fn same_rdn(one: &RelativeDistinguishedName, other: &RelativeDistinguishedName) -> bool {
    let same = |a: &AttributeTypeAndValue, b: &AttributeTypeAndValue| {
        a.oid == b.oid && (a.value == b.value || folded(&a.value).is_some_and(|text| Some(text) == folded(&b.value)))
    };
    one.len() == other.len() && one.iter().all(|own| other.iter().any(|based| same(own, based)))
}

fn folded(value: &Any) -> Option<String> {
    let text = text(value)?.to_lowercase();
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The text of a value in one of the string types that RFC 5280 lets names be written in.
fn text(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Tag::PrintableString | Tag::Ia5String => {
            bytes.is_ascii().then(|| bytes.iter().map(|byte| char::from(*byte)).collect())
        }
        // T.61 as everybody writes it: Latin-1.
        Tag::TeletexString => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        _ => None,
    }
}

/// RFC 4514's escapes, but in the order of the encoding. A value of no string type is shown in hexadecimal digits.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, rdn) in self.0.iter().enumerate() {
            for (inner, attribute) in rdn.iter().enumerate() {
                match (place, inner) {
                    (0, 0) => {}
                    (_, 0) => f.write_str(",")?,
                    _ => f.write_str("+")?,
                }
                fmt_attribute(attribute, f)?;
            }
        }
        Ok(())
    }
}

fn fmt_attribute(attribute: &AttributeTypeAndValue, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match KINDS.iter().find(|kind| kind.oid == attribute.oid) {
        Some(kind) => write!(f, "{}=", kind.name)?,
        None => write!(f, "{}=", attribute.oid)?,
    }
    let Some(text) = text(&attribute.value) else {
        f.write_str("#")?;
        let der = attribute.value.to_der().unwrap_or_default();
        return der.iter().try_for_each(|byte| write!(f, "{byte:02x}"));
    };
    let last = text.chars().count().saturating_sub(1);
    for (place, letter) in text.chars().enumerate() {
        match letter {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => write!(f, "\\{letter}")?,
            '#' if place == 0 => f.write_str("\\#")?,
            ' ' if place == 0 || place == last => f.write_str("\\ ")?,
            // Control characters would let a name paint on a terminal.
            letter if letter.is_control() => {
                let mut bytes = [0; 4];
                letter.encode_utf8(&mut bytes).bytes().try_for_each(|byte| write!(f, "\\{byte:02x}"))?;
            }
            letter => write!(f, "{letter}")?,
        }
    }
    Ok(())
}

impl FromStr for DistinguishedName {
    type Err = Error;

    /// `TYPE=value` parts between commas; `\` takes the meaning off the next letter. One attribute a part.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut name = RdnSequence::default();
        if text.trim().is_empty() {
            return Ok(Self(name));
        }
        for part in parts(text)? {
            let (kind, value) = part.split_once('=').ok_or(NOT_A_NAME)?;
            let attribute = attribute(kind.trim(), value.trim())?;
            let rdn = RelativeDistinguishedName::try_from(vec![attribute]).map_err(|_| NOT_A_NAME)?;
            name.push(rdn);
            if name.len() > MAX_ATTRIBUTES {
                return Err(Error::BadArgument("a distinguished name of too many parts"));
            }
        }
        Ok(Self(name))
    }
}

fn parts(text: &str) -> Result<Vec<String>, Error> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            ',' => {
                parts.push(String::new());
                continue;
            }
            '\\' => letters.next().ok_or(NOT_A_NAME)?,
            letter => letter,
        };
        parts.last_mut().ok_or(NOT_A_NAME)?.push(letter);
    }
    Ok(parts)
}

fn attribute(name: &str, value: &str) -> Result<AttributeTypeAndValue, Error> {
    let kind = KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name));
    let kind = kind.or_else(|| name.eq_ignore_ascii_case("E").then(|| KINDS.last()).flatten());
    let kind = kind.ok_or(Error::BadArgument("an attribute that names here do not have: CN, O, OU, C, L, ST, ..."))?;
    let length = value.chars().count();
    if length == 0 || length > kind.max_length || value.chars().any(char::is_control) {
        return Err(Error::BadArgument("a distinguished name with an attribute that is empty or too long"));
    }
    let encoded = match kind.form {
        Tag::PrintableString => PrintableStringRef::new(value).map(|text| Any::from(AnyRef::from(text))),
        Tag::Ia5String => Ia5StringRef::new(value).map(|text| Any::from(AnyRef::from(text))),
        _ => Utf8StringRef::new(value).map(|text| Any::from(AnyRef::from(text))),
    };
    let value_of_country = kind.oid == COUNTRY && !(length == 2 && value.bytes().all(|b| b.is_ascii_alphabetic()));
    if value_of_country {
        return Err(Error::BadArgument("a country that is not two letters"));
    }
    let value = encoded.map_err(|_| Error::BadArgument("an attribute with a letter that its type does not have"))?;
    Ok(AttributeTypeAndValue { oid: kind.oid, value })
}

/// An attribute: its short name, and the upper bound and string type of RFC 5280 appendix A.
struct Kind {
    name: &'static str,
    oid: ObjectIdentifier,
    max_length: usize,
    form: Tag,
}

const fn kind(name: &'static str, oid: &str, max_length: usize, form: Tag) -> Kind {
    Kind { name, oid: ObjectIdentifier::new_unwrap(oid), max_length, form }
}

const KINDS: &[Kind] = &[
    kind("CN", "2.5.4.3", 64, Tag::Utf8String),
    kind("O", "2.5.4.10", 64, Tag::Utf8String),
    kind("OU", "2.5.4.11", 64, Tag::Utf8String),
    kind("C", "2.5.4.6", 2, Tag::PrintableString),
    kind("L", "2.5.4.7", 128, Tag::Utf8String),
    kind("ST", "2.5.4.8", 128, Tag::Utf8String),
    kind("STREET", "2.5.4.9", 128, Tag::Utf8String),
    kind("SERIALNUMBER", "2.5.4.5", 64, Tag::PrintableString),
    kind("UID", "0.9.2342.19200300.100.1.1", 256, Tag::Utf8String),
    kind("DC", "0.9.2342.19200300.100.1.25", 63, Tag::Ia5String),
    kind("emailAddress", "1.2.840.113549.1.9.1", 255, Tag::Ia5String),
];

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");
const MAX_ATTRIBUTES: usize = 32;
const NOT_A_NAME: Error = Error::BadArgument("not a distinguished name: CN=users-api,O=example,C=EU");
