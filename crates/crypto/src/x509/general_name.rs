use core::net::IpAddr;
use std::fmt;

use der::asn1::{Ia5String, OctetString};
use x509_cert::ext::pkix::name::GeneralName as Encoded;

use super::{AltName, DistinguishedName};
use crate::Error;

/// A GeneralName (RFC 5280 4.2.1.6) as it was read: of any kind, and not yet known to be a good one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum GeneralName {
    /// dNSName.
    Dns(String),
    /// rfc822Name.
    Email(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// iPAddress: 4 or 16 octets in a name, twice as many in a constraint; whatever was written is here.
    Ip(Vec<u8>),
    /// directoryName.
    Directory(DistinguishedName),
    /// A kind that is known but not understood: otherName, ediPartyName, registeredID.
    Other(&'static str),
}

impl GeneralName {
    pub(super) fn read(name: Encoded) -> Self {
        match name {
            Encoded::DnsName(name) => Self::Dns(name.to_string()),
            Encoded::Rfc822Name(mailbox) => Self::Email(mailbox.to_string()),
            Encoded::UniformResourceIdentifier(uri) => Self::Uri(uri.to_string()),
            Encoded::IpAddress(octets) => Self::Ip(octets.as_bytes().to_vec()),
            Encoded::DirectoryName(name) => Self::Directory(DistinguishedName::from_rdns(name.into())),
            Encoded::OtherName(_) => Self::Other("otherName"),
            Encoded::EdiPartyName(_) => Self::Other("ediPartyName"),
            Encoded::RegisteredId(_) => Self::Other("registeredID"),
        }
    }

    /// The address in it, where there is one.
    pub fn address(&self) -> Option<IpAddr> {
        let Self::Ip(octets) = self else { return None };
        if let Ok(octets) = <[u8; 4]>::try_from(octets.as_slice()) {
            return Some(IpAddr::from(octets));
        }
        <[u8; 16]>::try_from(octets.as_slice()).ok().map(IpAddr::from)
    }

    /// The name as one that can be asked for; none for kinds that cannot, and for names that are not well formed.
    pub fn as_alt_name(&self) -> Option<AltName> {
        match self {
            Self::Dns(name) => format!("DNS:{name}").parse().ok(),
            Self::Email(mailbox) => format!("EMAIL:{mailbox}").parse().ok(),
            Self::Uri(uri) => format!("URI:{uri}").parse().ok(),
            Self::Ip(_) => self.address().map(AltName::Ip),
            Self::Directory(_) | Self::Other(_) => None,
        }
    }
}

/// As [`AltName`] is shown; `DIRNAME:` and the kind alone for the others.
impl fmt::Display for GeneralName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{}", name.escape_debug()),
            Self::Email(mailbox) => write!(f, "EMAIL:{}", mailbox.escape_debug()),
            Self::Uri(uri) => write!(f, "URI:{}", uri.escape_debug()),
            Self::Directory(name) => write!(f, "DIRNAME:{name}"),
            Self::Other(kind) => f.write_str(kind),
            Self::Ip(octets) => match self.address() {
                Some(address) => write!(f, "IP:{address}"),
                None => {
                    f.write_str("IP:#")?;
                    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
                }
            },
        }
    }
}

/// The encoding of a name that is asked for.
pub(super) fn encode(name: &AltName) -> Result<Encoded, Error> {
    let ia5 = |text: &str| Ia5String::new(text).map_err(|_| Error::BadArgument("a name with letters beyond ASCII"));
    Ok(match name {
        AltName::Dns(name) => Encoded::DnsName(ia5(name)?),
        AltName::Email(mailbox) => Encoded::Rfc822Name(ia5(mailbox)?),
        AltName::Uri(uri) => Encoded::UniformResourceIdentifier(ia5(uri)?),
        AltName::Ip(address) => {
            let octets = match address {
                IpAddr::V4(address) => OctetString::new(address.octets()),
                IpAddr::V6(address) => OctetString::new(address.octets()),
            };
            Encoded::IpAddress(octets.map_err(|_| Error::Provider)?)
        }
    })
}
