//! SPIFFE ids and trust domains, as the SPIFFE-ID specification spells them (sections 2.1 to 2.3).

use std::fmt;
use std::str::FromStr;

/// The name of a set of services that one authority speaks for.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TrustDomain(String);

/// The name of one service: `spiffe://trust-domain/path`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SpiffeId {
    text: String,
    domain_len: usize,
}

/// Text that is no SPIFFE id or trust domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotSpiffe {
    /// Another scheme, or none.
    #[error("a SPIFFE id starts with spiffe://")]
    Scheme,
    /// A trust domain that is empty, too long, or holds other characters.
    #[error("a trust domain is 1 to 255 lower-case letters, digits, dots, dashes and underscores")]
    TrustDomain,
    /// A path with an empty or relative segment, or with other characters.
    #[error("the path of a SPIFFE id is made of segments of letters, digits, dots, dashes and underscores")]
    Path,
    /// Longer than 2048 bytes.
    #[error("a SPIFFE id has at most 2048 bytes")]
    TooLong,
}

impl TrustDomain {
    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = NotSpiffe;

    fn from_str(text: &str) -> Result<Self, NotSpiffe> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if (1..=LONGEST_TRUST_DOMAIN).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotSpiffe::TrustDomain)
        }
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SpiffeId {
    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands behind the trust domain, with its leading slash.
    pub fn path(&self) -> &str {
        self.text.get(SCHEME.len() + self.domain_len..).unwrap_or_default()
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> TrustDomain {
        TrustDomain(self.domain().to_owned())
    }

    /// Whether it belongs to a trust domain.
    pub fn is_in(&self, domain: &TrustDomain) -> bool {
        self.domain() == domain.as_str()
    }

    fn domain(&self) -> &str {
        self.text.get(SCHEME.len()..SCHEME.len() + self.domain_len).unwrap_or_default()
    }
}

impl FromStr for SpiffeId {
    type Err = NotSpiffe;

    fn from_str(text: &str) -> Result<Self, NotSpiffe> {
        if text.len() > LONGEST_ID {
            return Err(NotSpiffe::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(NotSpiffe::Scheme)?;
        let (domain, path) = rest.split_once('/').ok_or(NotSpiffe::Path)?;
        let domain: TrustDomain = domain.parse()?;
        if !path.split('/').all(is_segment) {
            return Err(NotSpiffe::Path);
        }
        Ok(Self { text: text.to_owned(), domain_len: domain.0.len() })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_segment(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
}

const SCHEME: &str = "spiffe://";
const LONGEST_TRUST_DOMAIN: usize = 255;
const LONGEST_ID: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_ids() {
        let rows = [
            ("spiffe://qapi.internal/ns/users/sa/users-api", None),
            ("spiffe://td_1/A.b-c", None),
            ("spiffe://td", Some(NotSpiffe::Path)),
            ("spiffe://td/", Some(NotSpiffe::Path)),
            ("spiffe://td/a/", Some(NotSpiffe::Path)),
            ("spiffe://td/a//b", Some(NotSpiffe::Path)),
            ("spiffe://td/a/../b", Some(NotSpiffe::Path)),
            ("spiffe://td/%61", Some(NotSpiffe::Path)),
            ("spiffe://td/a?b", Some(NotSpiffe::Path)),
            ("spiffe://td/a#b", Some(NotSpiffe::Path)),
            ("spiffe://TD/a", Some(NotSpiffe::TrustDomain)),
            ("spiffe://td:1/a", Some(NotSpiffe::TrustDomain)),
            ("spiffe://user@td/a", Some(NotSpiffe::TrustDomain)),
            ("spiffe:///a", Some(NotSpiffe::TrustDomain)),
            ("SPIFFE://td/a", Some(NotSpiffe::Scheme)),
            ("https://td/a", Some(NotSpiffe::Scheme)),
            ("", Some(NotSpiffe::Scheme)),
        ];
        for (text, refusal) in rows {
            assert_eq!(text.parse::<SpiffeId>().err(), refusal, "{text}");
        }
        assert_eq!(format!("spiffe://td/{}", "a".repeat(2048)).parse::<SpiffeId>(), Err(NotSpiffe::TooLong));
    }

    #[test]
    fn an_id_knows_its_parts() {
        let id: SpiffeId = "spiffe://qapi.internal/ns/a/sa/b".parse().unwrap();
        assert_eq!(id.path(), "/ns/a/sa/b");
        assert_eq!(id.trust_domain().as_str(), "qapi.internal");
        assert!(id.is_in(&"qapi.internal".parse().unwrap()));
        assert!(!id.is_in(&"qapi".parse().unwrap()));
    }
}
