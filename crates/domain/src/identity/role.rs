//! Roles: names that go into tokens, with what an application reads into them.

use serde_json::Value;

/// What is wrong with a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRole {
    /// The name.
    #[error("name must have 1 to 100 visible characters")]
    Name,
    /// The description.
    #[error("description must have at most 500 characters")]
    Description,
    /// The permissions.
    #[error("permissions must be the text of a JSON array of texts of at most 16384 bytes")]
    Permissions,
}

const NAME_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 500;
const PERMISSIONS_MAX: usize = 16_384;

/// The name, as it goes into tokens.
pub fn check_name(text: &str) -> Result<&str, BadRole> {
    let name = text.trim();
    let is_name = (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if is_name { Ok(name) } else { Err(BadRole::Name) }
}

/// The description, for people.
pub fn check_description(text: &str) -> Result<(), BadRole> {
    let is_text = text.chars().count() <= DESCRIPTION_MAX
        && !text.chars().any(|character| character.is_control() && character != '\n');
    if is_text { Ok(()) } else { Err(BadRole::Description) }
}

/// The permissions, which are JSON text on the wire (contract 4.10): an array of texts.
pub fn check_permissions(text: &str) -> Result<(), BadRole> {
    if text.len() > PERMISSIONS_MAX {
        return Err(BadRole::Permissions);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(entries)) if entries.iter().all(Value::is_string) => Ok(()),
        _ => Err(BadRole::Permissions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_bounded_and_their_permissions_are_an_array_of_texts() {
        assert_eq!(check_name(" editor "), Ok("editor"));
        assert_eq!(check_name(" "), Err(BadRole::Name));
        assert_eq!(check_name(&"a".repeat(101)), Err(BadRole::Name));
        assert_eq!(check_description(&"a".repeat(501)), Err(BadRole::Description));
        for (text, verdict) in [
            ("[]", Ok(())),
            (r#"["posts:read","posts:write"]"#, Ok(())),
            (r#"{"posts":true}"#, Err(BadRole::Permissions)),
            ("[1]", Err(BadRole::Permissions)),
            ("posts:read", Err(BadRole::Permissions)),
        ] {
            assert_eq!(check_permissions(text), verdict, "{text}");
        }
    }
}
