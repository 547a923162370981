//! Patterns for repositories and names: `*` for what lies between two separators, `**` for any number of parts.

use serde::Deserialize;

use crate::reference::Repository;

/// A pattern over repositories, as `registry.example/team/**`. It names the registry, and its parts are separated by `/`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RepositoryPattern(Vec<String>);

/// A pattern over names without parts, as `staging-*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NamePattern(String);

/// The text is no pattern that can match anything.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no pattern: {why}")]
pub struct NotAPattern {
    text: String,
    why: &'static str,
}

const LONGEST: usize = 512;

impl RepositoryPattern {
    /// Whether the repository is one of those that are meant.
    pub fn matches(&self, repository: &Repository) -> bool {
        let name = repository.to_string();
        let parts: Vec<&str> = name.split('/').collect();
        matches_parts(&self.0, &parts)
    }
}

impl NamePattern {
    /// Whether the name is one of those that are meant.
    pub fn matches(&self, name: &str) -> bool {
        matches_part(self.0.as_bytes(), name.as_bytes())
    }
}

impl TryFrom<String> for RepositoryPattern {
    type Error = NotAPattern;

    fn try_from(text: String) -> Result<Self, NotAPattern> {
        let wrong = |why| NotAPattern { text: text.chars().take(100).collect(), why };
        let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        if text.len() > LONGEST {
            return Err(wrong("it is longer than 512 bytes"));
        }
        if parts.len() < 2 {
            return Err(wrong("it names a registry and a repository, as registry.example/team/**"));
        }
        if parts.first().is_some_and(|registry| registry.contains("**")) {
            return Err(wrong("** stands for parts of a repository, and not for registries"));
        }
        if parts.iter().any(|part| part.is_empty() || (part.contains("**") && part != "**")) {
            return Err(wrong("** stands alone between two /, and no part is empty"));
        }
        if parts.iter().skip(1).any(|part| part.contains([':', '[', ']'])) {
            return Err(wrong("tags and digests do not belong into it"));
        }
        let is_spelled = |byte: u8| {
            byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'*' | b'.' | b'_' | b'-' | b':' | b'/')
        };
        if !text.bytes().all(|byte| is_spelled(byte) || matches!(byte, b'[' | b']')) {
            return Err(wrong("it has a character that no repository has"));
        }
        Ok(Self(parts))
    }
}

impl TryFrom<String> for NamePattern {
    type Error = NotAPattern;

    fn try_from(text: String) -> Result<Self, NotAPattern> {
        let is_spelled = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(is_spelled) {
            return Err(NotAPattern {
                text: text.chars().take(100).collect(),
                why: "it is letters, digits, dots, dashes and *, and not empty",
            });
        }
        Ok(Self(text))
    }
}

/// Matches greedily and steps back to the last `**` only, so that no pattern takes longer than both lengths multiplied.
fn matches_parts(pattern: &[String], parts: &[&str]) -> bool {
    let (mut at, mut part, mut retry) = (0, 0, None);
    while part < parts.len() {
        match pattern.get(at) {
            Some(any) if any == "**" => {
                retry = Some((at, part));
                at += 1;
            }
            Some(one) if matches_part(one.as_bytes(), parts[part].as_bytes()) => {
                at += 1;
                part += 1;
            }
            _ => {
                let Some((any, taken)) = retry else { return false };
                retry = Some((any, taken + 1));
                at = any + 1;
                part = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|rest| rest == "**")
}

fn matches_part(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut byte, mut retry) = (0, 0, None);
    while byte < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, byte));
                at += 1;
            }
            Some(one) if *one == text[byte] => {
                at += 1;
                byte += 1;
            }
            _ => {
                let Some((any, taken)) = retry else { return false };
                retry = Some((any, taken + 1));
                at = any + 1;
                byte = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_in_its_part() {
        for (pattern, repository, matches) in [
            ("registry.example/team/api", "registry.example/team/api", true),
            ("registry.example/team/api", "registry.example/team/api2", false),
            ("registry.example/team/*", "registry.example/team/api", true),
            ("registry.example/team/*", "registry.example/team/api/v2", false),
            ("registry.example/team/*", "registry.example/team", false),
            ("registry.example/team/**", "registry.example/team/api/v2", true),
            ("registry.example/**/api", "registry.example/a/b/api", true),
            ("registry.example/**/api", "registry.example/api", true),
            ("registry.example/**/api", "registry.example/a/b/web", false),
            ("registry.example/**", "registry.example.evil.example/team/api", false),
            ("*.example/**", "registry.example/a", true),
            ("localhost:5000/a-*-b/**", "localhost:5000/a-x-y-b/c", true),
            ("docker.io/library/*", "docker.io/library/alpine", true),
        ] {
            let repository: Repository = repository.parse().unwrap();
            let pattern = RepositoryPattern::try_from(pattern.to_owned()).unwrap();
            assert_eq!(pattern.matches(&repository), matches, "{pattern:?} {repository}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in
            ["", "api", "**/api", "**", "registry.example/", "registry.example/a**", "r.example/A", "r.example/a@b"]
        {
            assert!(RepositoryPattern::try_from(text.to_owned()).is_err(), "{text}");
        }
        for text in ["", "a/b", "ä"] {
            assert!(NamePattern::try_from(text.to_owned()).is_err(), "{text}");
        }
        let staging = NamePattern::try_from("staging-*".to_owned()).unwrap();
        assert!(staging.matches("staging-2") && !staging.matches("production"));
    }
}
