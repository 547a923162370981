//! E-mail addresses: kept as they were written, and compared folded.

use unicode_normalization::UnicodeNormalization as _;

/// An address (RFC 5321, 4.5.3.1; RFC 6531 for other letters than ASCII's).
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    text: String,
    folded: String,
}

/// The text is no e-mail address. What was sent is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address")]
pub struct BadEmail;

const ADDRESS_MAX: usize = 254;
const LOCAL_MAX: usize = 64;

impl Email {
    /// Normalises (NFC) and checks. Quoted local parts and address literals are not taken: nobody has one.
    pub fn parse(text: &str) -> Result<Self, BadEmail> {
        let text: String = text.trim().nfc().collect();
        let (local, domain) = text.rsplit_once('@').ok_or(BadEmail)?;
        let is_local = (1..=LOCAL_MAX).contains(&local.len())
            && local.chars().all(is_atom)
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..");
        if text.len() > ADDRESS_MAX || !is_local || !is_domain(domain) {
            return Err(BadEmail);
        }
        let folded = text.to_lowercase().nfc().collect();
        Ok(Self { text, folded })
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is compared and hashed: nobody's provider tells addresses apart by case.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

fn is_atom(character: char) -> bool {
    let is_special = "\"(),:;<>@[\\] ".contains(character);
    !is_special && !character.is_control() && !character.is_whitespace()
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|character| character.is_alphanumeric() || character == '-')
    };
    domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_and_everything_that_only_looks_like_one_is_not() {
        for (text, taken) in [
            ("ada@example.com", true),
            (" ada@example.com ", true),
            ("ada+tag@mail.example.com", true),
            ("jürgen@bücher.example", true),
            ("admin@localhost", true),
            ("ada", false),
            ("@example.com", false),
            ("ada@", false),
            ("ada@example..com", false),
            (".ada@example.com", false),
            ("a..b@example.com", false),
            ("a b@example.com", false),
            ("ada@example.com\r\nBcc: eve@example.com", false),
            ("ada@[192.0.2.1]", false),
            ("\"ada\"@example.com", false),
            ("ada@exam ple.com", false),
            ("ada,eve@example.com", false),
            ("<ada@example.com>", false),
        ] {
            assert_eq!(Email::parse(text).is_ok(), taken, "{text:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
        assert!(Email::parse(&format!("a@{}", "example.".repeat(32))).is_err());
    }

    #[test]
    fn case_and_composition_do_not_make_another_person() {
        let folded = |text: &str| Email::parse(text).map(|email| email.folded().to_owned()).unwrap_or_default();
        assert_eq!(folded("Ada@Example.COM"), folded("ada@example.com"));
        assert_eq!(folded("Ju\u{308}rgen@example.com"), folded("JÜRGEN@example.com"));
        assert_eq!(
            Email::parse("Ada@Example.com").map(|email| email.as_str().to_owned()),
            Ok("Ada@Example.com".into())
        );
    }
}
