//! `crypto` and `domain` compute: they open nothing, ask no clock and hold no thread.

use super::Finding;
use crate::source::Source;

const PURE: &[&str] = &["crypto", "domain"];

/// Modules and calls of the standard library that reach outside.
const OUTSIDE: &[&str] = &["fs", "net", "env", "process", "thread"];
const CLOCKS: &[&str] = &["SystemTime", "Instant"];

pub fn check(source: &Source) -> Vec<Finding> {
    let pure = source.crate_name().is_some_and(|name| PURE.contains(&name));
    if !pure || source.is_test() || source.path.ends_with("/build.rs") {
        return Vec::new();
    }
    let code = source.production();
    let modules = OUTSIDE
        .iter()
        .flat_map(|module| names_of(code, module).into_iter().map(move |at| (at, format!("std::{module}"))));
    let clocks = CLOCKS.iter().flat_map(|clock| word_offsets(code, clock).map(move |at| (at, (*clock).to_owned())));
    let mut found: Vec<(usize, String)> = modules.chain(clocks).collect();
    found.sort();
    found
        .into_iter()
        .map(|(at, what)| {
            Finding::new(format!("{}:{}", source.path, source.line_of(at)), format!("a pure crate may not name {what}"))
        })
        .collect()
}

/// Where `std::module` is named, directly or inside the braces of a `use std::{..}`.
fn names_of(code: &str, module: &str) -> Vec<usize> {
    word_offsets(code, module)
        .filter(|&at| {
            let before = code[..at].trim_end();
            let Some(path) = before.strip_suffix("::") else {
                return before.rfind("use std::{").is_some_and(|open| !before[open..].contains([';', '}']));
            };
            path.trim_end().ends_with("std")
        })
        .collect()
}

fn word_offsets<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    crate::source::words(code).filter(move |(_, found)| *found == word).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_accepted_and_refused_code() {
        let rows = [
            ("crates/crypto/src/key.rs", "use std::fs::File;", false),
            ("crates/crypto/src/key.rs", "use std::{fmt, net::IpAddr};", false),
            ("crates/crypto/src/key.rs", "let x = std::env::var(name);", false),
            ("crates/domain/src/time.rs", "let now = Instant::now();", false),
            ("crates/domain/src/time.rs", "// std::fs is not used here", true),
            ("crates/domain/src/time.rs", "let fs = 1; use std::fmt;", true),
            ("crates/domain/src/time.rs", "#[cfg(test)]\nmod tests { use std::fs; }", true),
            ("crates/domain/src/policy.rs", "use core::net::IpAddr;", true),
            ("crates/crypto/tests/vectors.rs", "use std::fs;", true),
            ("crates/store/src/lib.rs", "use std::fs;", true),
        ];
        for (path, text, accepted) in rows {
            let findings = check(&Source::new(path, text));
            assert_eq!(findings.is_empty(), accepted, "{path}: {text}: {findings:?}");
        }
    }
}
