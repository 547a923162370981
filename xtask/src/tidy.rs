//! The rules of the house that neither rustc nor clippy knows.
//!
//! Every rule is a pure function from what it looks at to findings, with a table of accepted and refused rows beside
//! it. This module reads the tree, asks each rule, and prints what they found. A finding fails the run: there are no
//! warnings and no list of exceptions.

mod arrows;
mod names;
mod purity;
mod routes;
mod secrets;
mod shape;
mod words;

use anyhow::{Context, Result, bail};

use crate::source::Source;
use crate::workspace;

/// One breach of one rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// A file, `file:line`, or a crate.
    pub place: String,
    pub what: String,
}

impl Finding {
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

pub fn run() -> Result<()> {
    let files = workspace::files()?;
    let texts = read(&files)?;
    let sources: Vec<Source> =
        texts.iter().filter(|(path, _)| path.ends_with(".rs")).map(|(path, text)| Source::new(path, text)).collect();
    let metadata = workspace::output("cargo", &["metadata", "--format-version", "1", "--no-deps", "--locked"])?;
    let packages = arrows::packages(&serde_json::from_str(&metadata).context("read cargo metadata")?);

    let mut findings = arrows::check(&packages);
    findings.extend(names::check(&files));
    findings.extend(texts.iter().flat_map(|(path, text)| words::check_text(path, text)));
    for source in &sources {
        findings.extend(shape::check(source));
        findings.extend(purity::check(source));
        findings.extend(words::check_code(source));
    }
    findings.extend(secrets::check(&sources));
    let (routes, wrong) = routes::check(&sources);
    findings.extend(wrong);

    report(&findings, packages.len(), sources.len(), routes)
}

/// Every file that is text, with its path.
fn read(files: &[String]) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for path in files {
        let bytes = std::fs::read(workspace::root().join(path)).with_context(|| format!("read {path}"))?;
        if let Ok(text) = String::from_utf8(bytes) {
            texts.push((path.clone(), text));
        }
    }
    Ok(texts)
}

fn report(findings: &[Finding], crates: usize, files: usize, routes: usize) -> Result<()> {
    for Finding { place, what } in findings {
        println!("{place}: {what}");
    }
    if !findings.is_empty() {
        bail!("{} breaches of the house rules", findings.len());
    }
    println!("tidy: {crates} crates, {files} Rust files and {routes} routes keep the house rules");
    Ok(())
}
