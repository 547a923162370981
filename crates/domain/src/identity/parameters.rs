//! The parameters of an OAuth request, read once and strictly: a query or a form body.
//!
//! What is too long, too much or there twice is refused whole. Nothing is ever cut off or left out: a parameter that was dropped could have been the
//! one that made the request harmless (RFC 9700, and CVE-2026-9704 of a peer).

use std::borrow::Cow;

/// Bytes of one value.
pub const VALUE_MAX: usize = 16 << 10;
/// Bytes of a query or body.
pub const TEXT_MAX: usize = 64 << 10;
/// Parameters of one request.
const COUNT_MAX: usize = 64;
/// Bytes of a name.
const NAME_MAX: usize = 128;
/// What may stand more than once (RFC 8707, RFC 8693).
const REPEATABLE: [&str; 2] = ["resource", "audience"];
/// What no parameter is believed about: long values are told by their names alone.
const EMPTY: &str = "";

/// Why a text holds no parameters that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadParameters {
    /// Longer than a request may be.
    #[error("the parameters have more than 65536 bytes")]
    TooLong,
    /// A longer value than any parameter has.
    #[error("a parameter has more than 16384 bytes")]
    ValueTooLong,
    /// More than a request has.
    #[error("there are more than 64 parameters")]
    TooMany,
    /// Twice the same name.
    #[error("a parameter is there twice")]
    Repeated,
    /// A broken escape, or bytes that are not UTF-8.
    #[error("a parameter is not UTF-8 in form encoding")]
    Malformed,
}

/// The parameters by name.
#[derive(Clone, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query or an `application/x-www-form-urlencoded` body.
    pub fn parse(text: &str) -> Result<Self, BadParameters> {
        if text.len() > TEXT_MAX {
            return Err(BadParameters::TooLong);
        }
        let mut all = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, EMPTY));
            all.add(&decoded(name)?, &decoded(value)?)?;
        }
        Ok(all)
    }

    /// Adds what came in another place of the same request: a name that is in both is there twice.
    pub fn and(mut self, other: &Self) -> Result<Self, BadParameters> {
        other.0.iter().try_for_each(|(name, value)| self.add(name, value))?;
        Ok(self)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), BadParameters> {
        if value.len() > VALUE_MAX || name.len() > NAME_MAX {
            return Err(BadParameters::ValueTooLong);
        }
        if self.0.len() >= COUNT_MAX {
            return Err(BadParameters::TooMany);
        }
        if !REPEATABLE.contains(&name) && self.0.iter().any(|(known, _)| known == name) {
            return Err(BadParameters::Repeated);
        }
        self.0.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// A value; one without content is as good as absent (RFC 6749, 3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of a name that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether a name is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

/// Reads one name or value of form encoding.
pub fn decoded(text: &str) -> Result<Cow<'_, str>, BadParameters> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit(), digit());
                let value = high.zip(low).map(|(high, low)| high * 16 + low).ok_or(BadParameters::Malformed)?;
                u8::try_from(value).map_err(|_| BadParameters::Malformed)?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| BadParameters::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_empty_ones_are_absent() {
        let read = Parameters::parse("scope=openid+a%2Bb&state=&nonce=%C3%A4&flag").unwrap();
        assert_eq!(read.get("scope"), Some("openid a+b"));
        assert_eq!((read.get("state"), read.has("state"), read.get("nonce")), (None, true, Some("ä")));
        assert!(read.has("flag"));
    }

    #[test]
    fn what_is_repeated_too_long_or_broken_is_refused_whole() {
        let long = format!("a={}", "b".repeat(VALUE_MAX + 1));
        let many = (0..COUNT_MAX + 1).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        for (text, why) in [
            ("client_id=a&client_id=b", BadParameters::Repeated),
            ("client_id=a&client_id=", BadParameters::Repeated),
            ("a=%4", BadParameters::Malformed),
            ("a=%zz", BadParameters::Malformed),
            ("a=%ff", BadParameters::Malformed),
            (long.as_str(), BadParameters::ValueTooLong),
            (many.as_str(), BadParameters::TooMany),
            ("x".repeat(TEXT_MAX + 1).as_str(), BadParameters::TooLong),
        ] {
            assert_eq!(Parameters::parse(text).err(), Some(why), "{:.40}", text);
        }
        let twice = Parameters::parse("resource=a&resource=b").unwrap();
        assert_eq!(twice.all("resource").collect::<Vec<_>>(), ["a", "b"]);
        let query = Parameters::parse("client_id=a").unwrap();
        assert_eq!(query.clone().and(&query).err(), Some(BadParameters::Repeated));
    }
}
