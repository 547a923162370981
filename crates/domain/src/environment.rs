//! Environments: what a credential can be bound to, so that one for staging reaches nothing of production.
//!
//! A secret or a key says by its labels which environments it belongs to (`environment:production`). A credential that is
//! bound to an environment reaches only what belongs to it; what says nothing belongs to none. Case does not matter.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The name of an environment.
#[derive(Clone, Debug)]
pub struct Environment(String);

/// Empty, too long, or with a control character.
#[derive(Debug, thiserror::Error)]
#[error("an environment has 1 to {MAX_CHARS} characters and no control characters")]
pub struct BadEnvironment;

/// What a label begins with that names an environment.
pub const LABEL_PREFIX: &str = "environment:";
/// So long that the label for it can be written.
pub const MAX_CHARS: usize = 88;

impl Environment {
    /// One that was accepted before, as it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label of what belongs to it.
    pub fn label(&self) -> String {
        format!("{LABEL_PREFIX}{}", self.0)
    }

    /// Whether something with these labels belongs to it. The labels are a JSON array of texts; what is not, says nothing.
    pub fn owns(&self, labels: &str) -> bool {
        let labels: Vec<String> = serde_json::from_str(labels).unwrap_or_default();
        labels.iter().filter_map(|label| named_by(label)).any(|name| name == folded(&self.0))
    }
}

/// The environment that a label names, in the form that is compared.
fn named_by(label: &str) -> Option<String> {
    let (prefix, name) = label.split_at_checked(LABEL_PREFIX.len())?;
    prefix.eq_ignore_ascii_case(LABEL_PREFIX).then(|| folded(name))
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The labels as somebody may leave them who is bound to an environment: the environments stay what they were. None when
/// the new labels name one that was not there.
pub fn relabelled(before: &[String], after: &[String]) -> Option<Vec<String>> {
    let were: BTreeSet<String> = before.iter().filter_map(|label| named_by(label)).collect();
    let are: BTreeSet<String> = after.iter().filter_map(|label| named_by(label)).collect();
    let lost = before.iter().filter(|label| named_by(label).is_some_and(|name| !are.contains(&name)));
    are.is_subset(&were).then(|| after.iter().chain(lost).cloned().collect())
}

impl PartialEq for Environment {
    fn eq(&self, other: &Self) -> bool {
        folded(&self.0) == folded(&other.0)
    }
}

impl Eq for Environment {}

impl FromStr for Environment {
    type Err = BadEnvironment;

    fn from_str(text: &str) -> Result<Self, BadEnvironment> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_CHARS || text.chars().any(char::is_control) {
            return Err(BadEnvironment);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_belongs_to_the_environments_that_its_labels_name() {
        let staging: Environment = "Staging".parse().unwrap();
        for (labels, owned) in [
            (r#"["environment:staging"]"#, true),
            (r#"["x","Environment: STAGING "]"#, true),
            (r#"["environment:production","environment:staging"]"#, true),
            (r#"["environment:staging-2"]"#, false),
            (r#"["environment:"]"#, false),
            (r#"["staging"]"#, false),
            (r#"["größe:staging"]"#, false),
            ("[]", false),
            ("not JSON", false),
            (r#"[7]"#, false),
        ] {
            assert_eq!(staging.owns(labels), owned, "{labels}");
        }
    }

    #[test]
    fn nothing_is_moved_into_an_environment_or_out_of_it() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        for (before, after, left) in [
            (&["environment:a"][..], &["x"][..], Some(&["x", "environment:a"][..])),
            (&["environment:a"], &["environment:A", "x"], Some(&["environment:A", "x"])),
            (&["environment:a", "environment:b"], &["environment:a"], Some(&["environment:a", "environment:b"])),
            (&["environment:a"], &["environment:a", "environment:b"], None),
            (&["environment:a"], &["environment:b"], None),
        ] {
            assert_eq!(relabelled(&texts(before), &texts(after)), left.map(texts), "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_name_has_something_in_it() {
        for text in ["", "  ", "a\nb", &"a".repeat(MAX_CHARS + 1)] {
            assert!(text.parse::<Environment>().is_err(), "{text:?}");
        }
        assert_eq!(" Production ".parse::<Environment>().unwrap().label(), "environment:Production");
    }
}
