//! Names that people give: normalised once, refused when they could be mistaken for something else.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// Why a name was refused, in words for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing, or only white space.
    #[error("must not be empty")]
    Empty,
    /// More characters than the limit.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// A control character, NUL included.
    #[error("must not hold control characters")]
    Control,
    /// White space at an end, or a path segment that is empty, `.` or `..`.
    #[error("must not start or end with white space, nor hold an empty, `.` or `..` segment")]
    Ambiguous,
}

/// The name of a secret: 1 to 255 characters; slashes make a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretName(String);

/// The name of a key: 1 to 100 characters; unique in its tenant regardless of case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName(String);

const SECRET_NAME_MAX: usize = 255;
const KEY_NAME_MAX: usize = 100;

impl SecretName {
    /// Normalises (NFC) and checks.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        checked(text, SECRET_NAME_MAX).map(Self)
    }

    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyName {
    /// Normalises (NFC) and checks.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        checked(text, KEY_NAME_MAX).map(Self)
    }

    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is compared for uniqueness: the same name in another case is the same name.
    pub fn folded(&self) -> String {
        self.0.nfkc().collect::<String>().to_lowercase()
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn checked(text: &str, max: usize) -> Result<String, BadName> {
    let name: String = text.nfc().collect();
    if name.trim().is_empty() {
        return Err(BadName::Empty);
    }
    if name.chars().count() > max {
        return Err(BadName::TooLong(max));
    }
    if name.chars().any(char::is_control) {
        return Err(BadName::Control);
    }
    let ambiguous = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
    if name.trim() != name || name.split('/').any(ambiguous) {
        return Err(BadName::Ambiguous);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_mistaken_are_refused() {
        for (text, verdict) in [
            ("users-api/db connection", Ok(())),
            ("Größe", Ok(())),
            ("", Err(BadName::Empty)),
            ("  ", Err(BadName::Empty)),
            (" a", Err(BadName::Ambiguous)),
            ("a//b", Err(BadName::Ambiguous)),
            ("a/../b", Err(BadName::Ambiguous)),
            ("/a", Err(BadName::Ambiguous)),
            ("a\0b", Err(BadName::Control)),
            ("a\nb", Err(BadName::Control)),
        ] {
            assert_eq!(SecretName::parse(text).map(|_| ()), verdict, "{text:?}");
        }
        assert_eq!(KeyName::parse(&"x".repeat(101)), Err(BadName::TooLong(100)));
    }

    #[test]
    fn composed_and_decomposed_spellings_are_one_name() {
        assert_eq!(SecretName::parse("u\u{308}ber").unwrap(), SecretName::parse("über").unwrap());
        assert_eq!(KeyName::parse("ÜBER").unwrap().folded(), KeyName::parse("über").unwrap().folded());
    }
}
