//! The published API document: generated from the types that are spelled on the wire, checked in, compared in CI.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::workspace;

const PATH: &str = "openapi/qapi-v1.json";

/// Writes the document.
pub fn write() -> Result<()> {
    let path = file();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, generated()?).with_context(|| format!("write {PATH}"))?;
    println!("wrote {PATH}");
    Ok(())
}

/// Fails when the checked-in document is not the one the code would write.
pub fn check() -> Result<()> {
    let written = std::fs::read_to_string(file()).with_context(|| format!("read {PATH}"))?;
    let generated = generated()?;
    if let Some((line, was, is)) = first_difference(&written, &generated) {
        bail!(
            "{PATH} differs from the code at line {line}\n  checked in: {was}\n  generated:  {is}\nrun `cargo xtask openapi` and commit it"
        );
    }
    println!("openapi: {PATH} is what the code generates");
    Ok(())
}

fn file() -> PathBuf {
    workspace::root().join(PATH)
}

fn generated() -> Result<String> {
    Ok(api::openapi::document_text()?)
}

fn first_difference<'a>(written: &'a str, generated: &'a str) -> Option<(usize, &'a str, &'a str)> {
    if written == generated {
        return None;
    }
    let lines = written.lines().count().max(generated.lines().count());
    let line = |text: &'a str, index: usize| text.lines().nth(index).unwrap_or("(end)");
    let mut differing = (0..lines).filter(|&index| line(written, index) != line(generated, index));
    Some(
        differing
            .next()
            .map_or((lines, "(end)", "(end)"), |index| (index + 1, line(written, index), line(generated, index))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_difference_names_line_and_both_sides() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some((2, "b", "c")));
        assert_eq!(first_difference("a\n", "a\nc\n"), Some((2, "(end)", "c")));
        assert!(first_difference("a\n", "a").is_some());
    }
}
