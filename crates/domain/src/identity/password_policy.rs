//! Which passwords are taken (NIST SP 800-63B-4, 3.1.1): long ones that nobody guesses first. No rules of composition, no expiry.

use unicode_normalization::UnicodeNormalization as _;

/// The least number of characters without a second factor, and with one.
const LEAST_ALONE: usize = 15;
const LEAST_WITH_SECOND_FACTOR: usize = 8;
/// More is not read: hashing it costs, and nobody types it.
const MOST_CHARS: usize = 128;
const MOST_BYTES: usize = 1_024;

/// Who chose a password, and what else has to be shown beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Whoever has it, and it stands alone.
    Alone,
    /// Whoever has it, beside a second factor.
    BesideSecondFactor,
    /// An administrator, or a program that brings people along from where other rules held.
    ForThem,
}

impl Chosen {
    fn least_chars(self) -> usize {
        match self {
            Self::Alone => LEAST_ALONE,
            Self::BesideSecondFactor | Self::ForThem => LEAST_WITH_SECOND_FACTOR,
        }
    }

    /// How hard it has to be to guess, in the marks of `zxcvbn`: three takes more than 10^8 guesses, one more than 10^3.
    pub fn least_score(self) -> u8 {
        match self {
            Self::Alone | Self::BesideSecondFactor => 3,
            Self::ForThem => 1,
        }
    }
}

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// Too short.
    #[error("must have at least {0} characters")]
    Short(usize),
    /// Too long.
    #[error("must have at most 128 characters")]
    Long,
    /// Not text.
    #[error("must not have control characters")]
    Control,
    /// It leaked somewhere.
    #[error("is in a list of passwords that leaked: choose one that you use nowhere else")]
    Leaked,
    /// Among those that are guessed first.
    #[error("is among those that are guessed first: choose a longer one, or several words")]
    Guessable,
}

/// A password as it is hashed: in one form of Unicode (NFC), whatever the keyboard made. Of those too long to be one there is none.
pub fn normal(text: &str) -> Option<String> {
    if text.len() > MOST_BYTES {
        return None;
    }
    let normal: String = text.nfc().collect();
    (normal.chars().count() <= MOST_CHARS).then_some(normal)
}

/// Whether a new password, in normal form, is taken. `is_guessable` knows what is guessed first.
pub fn check(normal: &str, chosen: Chosen, is_guessable: impl FnOnce(&str) -> bool) -> Result<(), BadPassword> {
    let least = chosen.least_chars();
    let count = normal.chars().count();
    if count < least {
        return Err(BadPassword::Short(least));
    }
    if count > MOST_CHARS {
        return Err(BadPassword::Long);
    }
    if normal.chars().any(char::is_control) {
        return Err(BadPassword::Control);
    }
    if is_guessable(normal) { Err(BadPassword::Guessable) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_in_characters_and_composition_does_not() {
        let never = |_: &str| false;
        for (text, chosen, expected) in [
            ("correct horse b", Chosen::Alone, Ok(())),
            ("correct horse", Chosen::Alone, Err(BadPassword::Short(15))),
            ("correct horse", Chosen::BesideSecondFactor, Ok(())),
            ("ääääääää", Chosen::BesideSecondFactor, Ok(())),
            ("äääääää", Chosen::BesideSecondFactor, Err(BadPassword::Short(8))),
            ("ääääääää", Chosen::ForThem, Ok(())),
            ("correct\thorse battery", Chosen::ForThem, Err(BadPassword::Control)),
        ] {
            assert_eq!(check(text, chosen, never), expected, "{text}");
        }
        assert_eq!(check("correct horse battery", Chosen::Alone, |_| true), Err(BadPassword::Guessable));
        assert_eq!(check(&"a".repeat(129), Chosen::Alone, never), Err(BadPassword::Long));
    }

    #[test]
    fn the_same_letters_are_the_same_password_on_every_keyboard() {
        assert_eq!(normal("e\u{301}"), Some("\u{e9}".to_owned()));
        assert_eq!(normal(&"a".repeat(129)), None);
        assert_eq!(normal(&"\u{e9}".repeat(600)), None);
    }
}
