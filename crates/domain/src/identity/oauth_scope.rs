//! Scopes of OAuth: words that an application asks for, which mean what the API that they are for says.

use serde::{Deserialize, Serialize};

/// Bytes of a scope parameter.
const TEXT_MAX: usize = 4 << 10;
/// Words in it.
const WORDS_MAX: usize = 100;

/// A person signs in, and the application is told who it is.
pub const OPENID: &str = "openid";
/// Tokens may outlive the session they began in.
pub const OFFLINE_ACCESS: &str = "offline_access";
/// The names of a person.
pub const PROFILE: &str = "profile";
/// The address of a person.
pub const EMAIL: &str = "email";
/// The telephone number of a person.
pub const PHONE: &str = "phone";
/// What this server itself knows about people; everything else belongs to APIs.
pub const ABOUT_PEOPLE: [&str; 5] = [OPENID, PROFILE, EMAIL, PHONE, OFFLINE_ACCESS];

/// The text is no list of scopes that could be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scope has at most 100 words of visible ASCII, 4096 bytes together")]
pub struct BadScope;

/// Scopes, each once, in the order in which they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OauthScope(Vec<String>);

impl OauthScope {
    /// Reads the parameter. The caps come first, so that no text is looked at twice.
    pub fn parse(text: &str) -> Result<Self, BadScope> {
        if text.len() > TEXT_MAX {
            return Err(BadScope);
        }
        let mut words: Vec<String> = Vec::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if !word.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(BadScope);
            }
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
            if words.len() > WORDS_MAX {
                return Err(BadScope);
            }
        }
        Ok(Self(words))
    }

    /// Exactly these.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut scope = Self::default();
        words.into_iter().for_each(|word| scope.insert(word));
        scope
    }

    fn insert(&mut self, word: &str) {
        if !self.has(word) {
            self.0.push(word.to_owned());
        }
    }

    /// Whether a word is among them.
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|known| known == word)
    }

    /// The words.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of `wanted` are among them.
    pub fn covers(&self, wanted: &Self) -> bool {
        wanted.words().all(|word| self.has(word))
    }

    /// Those that `allowed` admits.
    #[must_use]
    pub fn among(&self, allowed: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|word| allowed(word)).cloned().collect())
    }
}

impl std::fmt::Display for OauthScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_once_and_in_order() {
        let scope = OauthScope::parse("openid  email openid api:read").unwrap();
        assert_eq!(scope.to_string(), "openid email api:read");
        assert!(scope.covers(&OauthScope::of(["email"])) && !scope.covers(&OauthScope::of(["phone"])));
        assert!(OauthScope::parse("").unwrap().is_empty());
    }

    #[test]
    fn a_long_or_strange_text_is_no_scope() {
        let words = (0..=WORDS_MAX).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        for text in ["a\"b", "a\\b", "ä", "a\tb", &"a ".repeat(TEXT_MAX), &words] {
            assert_eq!(OauthScope::parse(text), Err(BadScope), "{text:.20}");
        }
    }
}
