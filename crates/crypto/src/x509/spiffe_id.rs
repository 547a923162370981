use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A SPIFFE id: `spiffe://trust-domain/path`, as the SPIFFE-ID standard spells it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SpiffeId {
    text: Box<str>,
    domain_end: usize,
}

impl SpiffeId {
    /// The id in full.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain's name.
    pub fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..self.domain_end).unwrap_or_default()
    }

    /// The path with its leading slash; empty for the id of the trust domain itself.
    pub fn path(&self) -> &str {
        self.text.get(self.domain_end..).unwrap_or_default()
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for SpiffeId {
    type Err = Error;

    /// SPIFFE-ID 2: at most 2048 bytes; a trust domain of lower-case letters, digits, `.`, `-` and `_`; segments of letters,
    /// digits, `.`, `-` and `_` that are neither empty nor `.` nor `..`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix(SCHEME).filter(|_| text.len() <= MAX_LENGTH).ok_or(NOT_SPIFFE)?;
        let domain = rest.split('/').next().unwrap_or_default();
        let is_domain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if domain.is_empty() || domain.len() > MAX_DOMAIN_LENGTH || !domain.bytes().all(is_domain) {
            return Err(NOT_SPIFFE);
        }
        let is_segment = |segment: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
        };
        if !rest.split('/').skip(1).all(is_segment) {
            return Err(NOT_SPIFFE);
        }
        Ok(Self { text: text.into(), domain_end: SCHEME.len() + domain.len() })
    }
}

const SCHEME: &str = "spiffe://";
const MAX_LENGTH: usize = 2048;
const MAX_DOMAIN_LENGTH: usize = 255;
const NOT_SPIFFE: Error = Error::BadArgument("not a SPIFFE id: spiffe://trust-domain/path");
