//! Finds every statement in the source of this crate and has both engines prepare it: most slips of dialect show there, also in
//! statements that no other test reaches.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::bed::{Bed, store_suite};

store_suite! {
    every_statement_prepares,
}

async fn every_statement_prepares(bed: Bed) {
    let statements = statements();
    assert!(statements.len() > 60, "only {} statements were found", statements.len());
    let mut refused = Vec::new();
    for text in statements {
        // The two spellings of the database's time: the one statement that is not written once.
        if text.contains("unixepoch") || text.contains("clock_timestamp") {
            continue;
        }
        if let Err(error) = bed.store.prepares(text.clone().leak()).await {
            refused
                .push(format!("{text}\n  {error}: {:?}", std::error::Error::source(&error).map(ToString::to_string)));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

fn statements() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if ["sqlite", "postgres"].iter().any(|engine| path.file_stem().is_some_and(|stem| stem == *engine)) {
                // What an engine says to its own database.
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                Source::new(&std::fs::read_to_string(&path).unwrap()).collect(&mut found);
            }
        }
    }
    found
}

/// A file's macros that make text, and the rest of it.
struct Source {
    macros: HashMap<String, String>,
    code: String,
}

impl Source {
    fn new(text: &str) -> Self {
        let text: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
        let mut macros = HashMap::new();
        let mut code = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("macro_rules! ") {
            code.push_str(before);
            let (name, body) = after.split_once(" {").unwrap();
            let end = body.find("\n}\n").unwrap();
            let arm = body[..end].split_once("=> {").map_or("", |(_, arm)| arm);
            macros.insert(name.to_owned(), arm.to_owned());
            rest = &body[end + 3..];
        }
        code.push_str(rest);
        Self { macros, code }
    }

    fn collect(&self, found: &mut BTreeSet<String>) {
        let mut at = 0;
        while at < self.code.len() {
            let rest = &self.code[at..];
            let starts = rest.starts_with('"') || rest.starts_with("concat!(") || self.called(rest).is_some();
            // A quote in a character literal is no text.
            if !starts || self.code[..at].ends_with('\'') {
                at += rest.chars().next().unwrap().len_utf8();
                continue;
            }
            let mut left = rest;
            let text = self.text(&mut left, "").filter(|text| is_statement(text));
            found.extend(text);
            at += (rest.len() - left.len()).max(1);
        }
    }

    fn called(&self, rest: &str) -> Option<&str> {
        self.macros.keys().find(|name| rest.starts_with(&format!("{name}!("))).map(String::as_str)
    }

    /// The text of one expression at the front of `rest`: a literal, the argument, or a call that joins such.
    fn text(&self, rest: &mut &str, argument: &str) -> Option<String> {
        *rest = rest.trim_start();
        if rest.starts_with('"') {
            return literal(rest);
        }
        if let Some(after) = rest.strip_prefix('$') {
            *rest = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
            return Some(argument.to_owned());
        }
        if let Some(after) = rest.strip_prefix("concat!(") {
            *rest = after;
            return self.joined(rest, argument);
        }
        let name = self.called(rest)?.to_owned();
        *rest = &rest[name.len() + 2..];
        let argument = self.joined(rest, argument)?;
        self.text(&mut self.macros[&name].as_str(), &argument)
    }

    fn joined(&self, rest: &mut &str, argument: &str) -> Option<String> {
        let mut all = String::new();
        loop {
            *rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(after) = rest.strip_prefix(')') {
                *rest = after;
                return Some(all);
            }
            all.push_str(&self.text(rest, argument)?);
        }
    }
}

fn is_statement(text: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "].iter().any(|verb| text.trim_start().starts_with(verb))
}

fn literal(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                *rest = &rest[at + 1..];
                return Some(text);
            }
            '\\' => match letters.next()?.1 {
                '\n' => while letters.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                'n' => text.push('\n'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}
