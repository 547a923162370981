//! The size of files and functions, and the comment a module opens with.

use super::Finding;
use crate::source::Source;

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const LINES_WITHOUT_INTRODUCTION: usize = 100;
const INLINE_TEST_LINES: usize = 150;

pub fn check(source: &Source) -> Vec<Finding> {
    let production = source.production_lines();
    let total = source.text.lines().count();
    let mut findings = Vec::new();
    if production > FILE_LINES {
        findings.push(Finding::new(&source.path, format!("{production} lines, at most {FILE_LINES}")));
    }
    if total - production > INLINE_TEST_LINES {
        findings.push(Finding::new(
            &source.path,
            format!("{} lines of tests: move them to their own tests.rs", total - production),
        ));
    }
    if needs_introduction(source) && !source.is_introduced() {
        findings.push(Finding::new(&source.path, "opens without a `//!` that says what it is and what it does not do"));
    }
    findings.extend(source.functions().into_iter().filter(|function| function.lines > FUNCTION_LINES).map(
        |function| {
            let place = format!("{}:{}", source.path, function.line);
            Finding::new(place, format!("fn {} has {} lines, at most {FUNCTION_LINES}", function.name, function.lines))
        },
    ));
    findings
}

fn needs_introduction(source: &Source) -> bool {
    let is_root = source.path.ends_with("src/lib.rs") || source.path.ends_with("src/main.rs");
    is_root || (!source.is_test() && source.production_lines() > LINES_WITHOUT_INTRODUCTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_accepted_and_refused_shapes() {
        let long_function = format!("//! A.\nfn f() {{\n{}}}\n", "    g();\n".repeat(69));
        let fitting_function = format!("//! A.\nfn f() {{\n{}}}\n", "    g();\n".repeat(68));
        let rows = [
            ("crates/a/src/lib.rs", "//! A.\n".to_owned(), true),
            ("crates/a/src/lib.rs", "fn a() {}\n".to_owned(), false),
            ("crates/a/src/b.rs", "fn a() {}\n".to_owned(), true),
            ("crates/a/src/b.rs", "const A: u8 = 1;\n".repeat(101), false),
            ("crates/a/src/b/tests.rs", "const A: u8 = 1;\n".repeat(101), true),
            ("crates/a/src/b.rs", format!("//! B.\n{}", "const A: u8 = 1;\n".repeat(599)), true),
            ("crates/a/src/b.rs", format!("//! B.\n{}", "const A: u8 = 1;\n".repeat(600)), false),
            ("crates/a/src/b.rs", format!("//! B.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(160)), false),
            ("crates/a/src/b.rs", fitting_function, true),
            ("crates/a/src/b.rs", long_function, false),
        ];
        for (path, text, accepted) in rows {
            let findings = check(&Source::new(path, &text));
            assert_eq!(findings.is_empty(), accepted, "{path}: {findings:?}");
        }
    }
}
