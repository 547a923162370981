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
    place: String,
    name: &'a str,
    derives: Vec<&'a str>,
    body: BTreeSet<&'a str>,
}

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let guarded = sources
        .iter()
        .filter(|source| source.crate_name().is_some_and(|name| CRATES.contains(&name)) && !source.is_test());
    let definitions: Vec<Definition> = guarded.flat_map(definitions).collect();
    let secret = secret_names(&definitions);
    definitions
        .iter()
        .filter(|definition| secret.contains(definition.name))
        .flat_map(|definition| {
            let derived = definition.derives.iter().filter(|name| FORBIDDEN.contains(name));
            derived.map(|name| {
                Finding::new(&definition.place, format!("{} holds a secret and may not derive {name}", definition.name))
            })
        })
        .collect()
}

/// The roots, and every type that holds one of them, however deep.
fn secret_names<'a>(definitions: &[Definition<'a>]) -> BTreeSet<&'a str> {
    let mut secret: BTreeSet<&str> = ROOTS.iter().copied().collect();
    loop {
        let grown = definitions
            .iter()
            .filter(|definition| !definition.body.is_disjoint(&secret))
            .map(|definition| definition.name);
        let next: BTreeSet<&str> = secret.iter().copied().chain(grown).collect();
        if next.len() == secret.len() {
            return next;
        }
        secret = next;
    }
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
        place: format!("{}:{}", source.path, source.line_of(at)),
        name,
        derives: derived(attributes),
        body: words(&code[after..end]).map(|(_, word)| word).filter(|word| *word != name).collect(),
    })
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
            ("#[derive(Debug)]\nstruct Note; // holds no SecretBytes", 0),
        ];
        for (text, expected) in rows {
            let findings = check(&[Source::new("crates/domain/src/a.rs", text)]);
            assert_eq!(findings.len(), expected, "{text}: {findings:?}");
        }
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
