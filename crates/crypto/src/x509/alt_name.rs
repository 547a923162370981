//! Names that can be asked for: `DNS:`, `IP:`, `URI:`, `EMAIL:`. Well-formedness alone; what may be issued is policy.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A name of subjectAltName that can be asked for, compared and shown.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AltName {
    /// A DNS name, in lower case; the first label may be `*`.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A URI.
    Uri(String),
    /// A mailbox.
    Email(String),
}

impl AltName {
    /// The name without its kind.
    pub fn value(&self) -> String {
        match self {
            Self::Dns(name) | Self::Uri(name) | Self::Email(name) => name.clone(),
            Self::Ip(address) => address.to_string(),
        }
    }
}

/// `DNS:name`, `IP:address`, `URI:uri`, `EMAIL:mailbox`.
impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{name}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Uri(uri) => write!(f, "URI:{uri}"),
            Self::Email(mailbox) => write!(f, "EMAIL:{mailbox}"),
        }
    }
}

impl FromStr for AltName {
    type Err = Error;

    /// With one of the prefixes that [`AltName`] is shown with, in any case. Without one: an address, something with `://`,
    /// something with `@`, or else a DNS name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let (kind, value) = text.split_once(':').unwrap_or(("", text));
        match kind.to_ascii_lowercase().as_str() {
            "dns" => dns(value),
            "ip" => value.parse().map(Self::Ip).map_err(|_| Error::BadArgument("not an IP address")),
            "uri" => uri(value),
            "email" => email(value),
            _ => guessed(text),
        }
    }
}

fn guessed(text: &str) -> Result<AltName, Error> {
    if let Ok(address) = text.parse() {
        return Ok(AltName::Ip(address));
    }
    if text.contains("://") {
        uri(text)
    } else if text.contains('@') {
        email(text)
    } else {
        dns(text)
    }
}

/// Letters, digits and hyphens (RFC 1034 3.5), underscores, and `*` as the whole first label. Whether wildcards and
/// underscores are issued is for the caller's policy to say; here they are only well formed.
fn dns(name: &str) -> Result<AltName, Error> {
    let labels = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !labels.split('.').all(is_label) {
        return Err(Error::BadArgument("not a DNS name"));
    }
    Ok(AltName::Dns(name.to_ascii_lowercase()))
}

fn uri(uri: &str) -> Result<AltName, Error> {
    let (scheme, rest) = uri.split_once("://").ok_or(NOT_A_URI)?;
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let starts = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_graphic = rest.bytes().all(|byte| byte.is_ascii_graphic());
    if uri.len() > 2048 || !starts || !scheme.bytes().all(is_scheme) || rest.is_empty() || !is_graphic {
        return Err(NOT_A_URI);
    }
    Ok(AltName::Uri(uri.to_owned()))
}

fn email(mailbox: &str) -> Result<AltName, Error> {
    let (local, host) = mailbox.rsplit_once('@').ok_or(NOT_A_MAILBOX)?;
    let is_local = |byte: u8| byte.is_ascii_graphic() && !b"@\"(),:;<>[\\]".contains(&byte);
    if local.is_empty() || local.len() > 64 || !local.bytes().all(is_local) {
        return Err(NOT_A_MAILBOX);
    }
    match dns(host).map_err(|_| NOT_A_MAILBOX)? {
        AltName::Dns(host) if !host.starts_with('*') => Ok(AltName::Email(format!("{local}@{host}"))),
        _ => Err(NOT_A_MAILBOX),
    }
}

const NOT_A_URI: Error = Error::BadArgument("not a URI");
const NOT_A_MAILBOX: Error = Error::BadArgument("not an e-mail address");
