//! Types that hold secrets cannot be printed, copied or compared by accident.
//!
//! The rule follows the fields: a type in `crypto`, `domain` or `api` that holds a secret type is one itself, and may
//! derive none of the traits below. A type is also secret when its name says so in the list of roots.

use std::collections::BTreeSet;

use super::Finding;
use crate::source::{Source, closing_brace, words};

/// Where the rule holds.
const CRATES: &[&str] = &["crypto", "domain", "api"];

/// The types secrets are made of.
const ROOTS: &[&str] = &["SecretBytes", "SecretArray", "SecretText", "Key32", "Zeroizing", "PrivateKey", "EpochKey"];

/// What a secret type may not derive: each prints it, copies it, or compares it in variable time.
const FORBIDDEN: &[&str] = &["Debug", "Clone", "Copy", "PartialEq", "Eq", "PartialOrd", "Ord", "Hash", "Display"];

/// A struct or enum, the traits it derives and the words of its body.
struct Definition<'a> {
    path: &'a str,
    line: usize,
    name: &'a str,
    is_public: bool,
    derives: Vec<&'a str>,
    body: BTreeSet<&'a str>,
}

impl Definition<'_> {
    /// Whether `name`, written in this file, means `other`: the file's own type, or a public one of another file.
    fn means(&self, name: &str, other: &Definition, own: bool) -> bool {
        other.name == name && if own { other.path == self.path } else { other.is_public }
    }
}

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let guarded = |name| CRATES.contains(&name);
    let guarded = sources.iter().filter(|source| source.crate_name().is_some_and(guarded) && !source.is_test());
    let definitions: Vec<Definition> = guarded.flat_map(definitions).collect();
    let secret = secret_places(&definitions);
    let secret = definitions.iter().enumerate().filter(|(place, _)| secret.contains(place));
    let derived = secret.flat_map(|(_, definition)| definition.derives.iter().map(move |name| (definition, name)));
    let forbidden = derived.filter(|(_, name)| FORBIDDEN.contains(name));
    forbidden
        .map(|(definition, name)| {
            let place = format!("{}:{}", definition.path, definition.line);
            Finding::new(place, format!("{} holds a secret and may not derive {name}", definition.name))
        })
        .collect()
}

/// The roots, and every type that holds one of them, however deep.
fn secret_places(definitions: &[Definition]) -> BTreeSet<usize> {
    let is_root = |definition: &Definition| ROOTS.contains(&definition.name);
    let mut secret: BTreeSet<usize> = (0..definitions.len()).filter(|&place| is_root(&definitions[place])).collect();
    loop {
        let grown = (0..definitions.len()).filter(|&place| holds_secret(&definitions[place], definitions, &secret));
        let next: BTreeSet<usize> = secret.iter().copied().chain(grown).collect();
        if next.len() == secret.len() {
            return next;
        }
        secret = next;
    }
}

fn holds_secret(holder: &Definition, definitions: &[Definition], secret: &BTreeSet<usize>) -> bool {
    holder.body.iter().any(|name| {
        let own = definitions.iter().any(|other| holder.means(name, other, true));
        let known = definitions.iter().any(|other| holder.means(name, other, own));
        if known {
            secret.iter().any(|&place| holder.means(name, &definitions[place], own))
        } else {
            ROOTS.contains(name)
        }
    })
}

fn definitions(source: &Source) -> Vec<Definition<'_>> {
    let code = source.production();
    let keywords = words(code).filter(|(_, word)| ["struct", "enum"].contains(word));
    keywords.filter_map(|(at, keyword)| definition(source, code, at, keyword)).collect()
}

fn definition<'a>(source: &'a Source, code: &'a str, at: usize, keyword: &str) -> Option<Definition<'a>> {
    let after = at + keyword.len();
    let (_, name) = words(&code[after..]).next()?;
    let end = end_of_definition(code, after)?;
    let attributes = &code[start_of_attributes(code, at)..at];
    Some(Definition {
        path: &source.path,
        line: source.line_of(at),
        name,
        is_public: code[..at].trim_end().ends_with("pub"),
        derives: derived(attributes),
        body: held(&code[after..end], keyword).filter(|word| *word != name).collect(),
    })
}

/// The words of a body that can be types. The variants of an enum are names of their own, whatever they are called.
fn held<'a>(body: &'a str, keyword: &str) -> impl Iterator<Item = &'a str> {
    let types_from_depth = if keyword == "enum" { 2 } else { 0 };
    words(body).filter(move |(at, _)| depth(&body[..*at]) >= types_from_depth).map(|(_, word)| word)
}

fn depth(before: &str) -> usize {
    let opened = before.matches(['{', '(']).count();
    opened - before.matches(['}', ')']).count().min(opened)
}

/// The end of a body in braces, or of a unit or tuple struct.
fn end_of_definition(code: &str, from: usize) -> Option<usize> {
    let stop = from + code[from..].find(['{', ';'])?;
    if code[stop..].starts_with('{') { closing_brace(code, stop) } else { Some(stop) }
}

/// Where the attributes before the keyword begin: after the end of the item before it.
fn start_of_attributes(code: &str, at: usize) -> usize {
    let before = &code[..at];
    before.rfind(['}', ';']).map_or(0, |end| end + 1)
}

fn derived(attributes: &str) -> Vec<&str> {
    attributes
        .split("derive(")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .flat_map(|list| list.split(','))
        .filter_map(|path| path.rsplit("::").next())
        .map(str::trim)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_accepted_and_refused_types() {
        let rows = [
            ("#[derive(ZeroizeOnDrop)]\npub struct SecretBytes(Vec<u8>);", 0),
            ("#[derive(Clone, Debug)]\npub struct SecretBytes(Vec<u8>);", 2),
            ("#[derive(Debug)]\npub struct Public { raw: Vec<u8> }", 0),
            ("#[derive(Debug)]\nstruct Holder { key: SecretBytes }", 1),
            ("struct Holder { key: Key32 }\n#[derive(Clone)]\nenum Outer { One(Holder), Two }", 1),
            ("#[derive(core::cmp::PartialEq)]\nstruct Pair(SecretArray<32>, u8);", 1),
            ("struct Pair(SecretArray<32>);\n#[derive(Debug, Clone, Copy)]\nstruct Id(u8);", 0),
            ("struct DataKey(SecretArray<32>);\n#[derive(Debug)]\nenum Purpose { Message, DataKey }", 0),
            ("struct DataKey(SecretArray<32>);\n#[derive(Debug)]\nenum Purpose { Message, Key { key: DataKey } }", 1),
            ("#[derive(Debug)]\nstruct Note; // holds no SecretBytes", 0),
        ];
        for (text, expected) in rows {
            let findings = check(&[Source::new("crates/domain/src/a.rs", text)]);
            assert_eq!(findings.len(), expected, "{text}: {findings:?}");
        }
    }

    #[test]
    fn a_private_name_means_the_type_of_its_own_file() {
        let sources = [
            Source::new("crates/crypto/src/a.rs", "pub struct Key(Inner);\nstruct Inner { seed: SecretArray<32> }"),
            Source::new(
                "crates/crypto/src/b.rs",
                "#[derive(Debug)]\npub struct Public(Inner);\nstruct Inner { raw: u8 }",
            ),
            Source::new("crates/crypto/src/c.rs", "#[derive(Debug)]\npub struct Other(Inner);"),
        ];
        assert_eq!(check(&sources), []);
    }

    #[test]
    fn a_secret_of_one_crate_counts_in_the_next() {
        let sources = [
            Source::new("crates/crypto/src/a.rs", "pub struct Inner { seed: SecretArray<32> }"),
            Source::new("crates/api/src/b.rs", "#[derive(Debug)]\npub struct Body { inner: Inner }"),
        ];
        assert_eq!(check(&sources).len(), 1);
    }

    #[test]
    fn other_crates_and_tests_are_left_alone() {
        let text = "#[derive(Debug)]\nstruct Holder { key: SecretBytes }";
        for path in ["crates/server/src/a.rs", "crates/crypto/tests/a.rs"] {
            assert_eq!(check(&[Source::new(path, text)]).len(), 0, "{path}");
        }
    }
}
