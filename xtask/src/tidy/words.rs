//! Words that may not stand in the tree: silenced lints, skipped tests, loose ends, places of one machine.

use super::Finding;
use crate::source::{Source, words};

/// What may not stand in Rust code, comments and literals aside.
const CODE: &[(&str, &str)] = &[
    ("#[allow(", "write #[expect(lint, reason = \"...\")], which tells when it is no longer needed"),
    ("#![allow(", "write #![expect(lint, reason = \"...\")], which tells when it is no longer needed"),
    ("#[ignore", "a test runs or does not exist; a missing tool fails the run"),
    ("todo!(", "an unfinished step returns an error"),
    ("unimplemented!(", "an unfinished step returns an error"),
];

/// What may not stand in any file: these exist on one machine only, or send a build to a private registry. Each is
/// spelled in two halves, so that this file passes its own check.
const TEXT: &[(&str, &str, &str)] = &[
    ("/ro", "ot/", "a path of one machine"),
    ("/ho", "me/", "a path of one machine"),
    ("/wo", "rk/", "a path of one machine"),
    ("index", "-url", "packages come from the registries the user's own clients are set up for"),
    ("replace", "-with", "packages come from the registries the user's own clients are set up for"),
    ("[source", ".crates-io]", "packages come from the registries the user's own clients are set up for"),
];

/// Words for work that was put off.
const LOOSE_ENDS: &[(&str, &str)] = &[("TO", "DO"), ("FIX", "ME")];

/// The only place a locked crate may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub fn check_code(source: &Source) -> Vec<Finding> {
    CODE.iter()
        .flat_map(|(word, advice)| source.code.match_indices(word).map(move |(at, _)| (at, word, advice)))
        .map(|(at, word, advice)| {
            Finding::new(format!("{}:{}", source.path, source.line_of(at)), format!("{word}: {advice}"))
        })
        .collect()
}

pub fn check_text(path: &str, text: &str) -> Vec<Finding> {
    if path.ends_with("Cargo.lock") {
        return check_lock(path, text);
    }
    if path == "LICENSE" || path.starts_with("tests/vectors/") {
        return Vec::new();
    }
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(index, line)| check_line(line).map(move |what| Finding::new(format!("{path}:{}", index + 1), what)))
        .collect()
}

fn check_line(line: &str) -> impl Iterator<Item = String> {
    let placed = TEXT.iter().filter(|(head, tail, _)| names_place(line, &format!("{head}{tail}")));
    let placed = placed.map(|(head, tail, advice)| format!("{head}{tail}: {advice}"));
    let loose = words(line).find(|(_, word)| is_loose_end(word) && !is_tracked(line));
    placed.chain(loose.map(|(_, word)| format!("{word} without the issue that tracks it")))
}

/// Whether a line names the place itself, and not a longer path that merely contains it.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !place.starts_with('/') || !before.is_some_and(|c| c.is_alphanumeric() || "._-}$".contains(c))
    })
}

fn is_loose_end(word: &str) -> bool {
    LOOSE_ENDS.iter().any(|(head, tail)| word.strip_prefix(head) == Some(tail))
}

fn is_tracked(line: &str) -> bool {
    line.contains("https://") || line.split('#').skip(1).any(|after| after.starts_with(|c: char| c.is_ascii_digit()))
}

fn check_lock(path: &str, text: &str) -> Vec<Finding> {
    let sources = text.lines().filter_map(|line| line.strip_prefix("source = \"")?.strip_suffix('"'));
    sources
        .filter(|source| *source != REGISTRY)
        .map(|source| Finding::new(path, format!("locked to {source}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_accepted_and_refused_code() {
        let rows = [
            ("#[expect(dead_code, reason = \"shown\")]", true),
            ("#[allow(dead_code)]", false),
            ("#![allow(unsafe_code)]", false),
            ("#[ignore]\nfn a() {}", false),
            ("fn a() { todo!() }", false),
            ("fn a() { unimplemented!(\"later\") }", false),
            ("// todo!() is refused", true),
            ("let text = \"#[allow(dead_code)]\";", true),
        ];
        for (text, accepted) in rows {
            assert_eq!(check_code(&Source::new("crates/a/src/b.rs", text)).is_empty(), accepted, "{text}");
        }
    }

    #[test]
    fn table_of_accepted_and_refused_text() {
        let rows = [
            ("README.md", "see /ho\u{6d}e/ada/qapi".to_owned(), false),
            ("README.md", "GET /api/ho\u{6d}e/x".to_owned(), true),
            ("README.md", "cd /wo\u{72}k/main".to_owned(), false),
            ("README.md", "$HO\u{4d}E/network/x".to_owned(), true),
            ("scripts/a", format!("pip install --index{}=x", "-url"), false),
            ("a.rs", format!("// {} later", "TO".to_owned() + "DO"), false),
            ("a.rs", format!("// {}(#12) later", "TO".to_owned() + "DO"), true),
            ("a.rs", "// todos are fine".to_owned(), true),
            ("Cargo.lock", format!("source = \"{REGISTRY}\""), true),
            ("Cargo.lock", "source = \"git+https://example.org/x\"".to_owned(), false),
        ];
        for (path, text, accepted) in rows {
            let findings = check_text(path, &text);
            assert_eq!(findings.is_empty(), accepted, "{path}: {text}: {findings:?}");
        }
    }
}
