//! The interop matrix: every stack in both roles with everything that can be wrong.

use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cell::{CASES, Case, Cell, ROLES, Role, STACKS, Stack};
use super::pair::Ground;
use super::tools::tools;
use crate::binaries::root;
use crate::program::say;

/// Cells that cannot be played, and why.
fn left_out(cell: Cell) -> Option<&'static str> {
    match (cell.stack, cell.role, cell.case) {
        (Stack::Agent, Role::Client, Case::NoCertificate) => {
            Some("an agent without a certificate is not ready and calls nobody")
        }
        (Stack::Agent, _, Case::NotYetValid | Case::ForbiddenUsage) => {
            Some("the agent believes its platform alone, which does not issue such certificates")
        }
        _ => None,
    }
}

#[test]
fn every_stack_is_met_and_everything_wrong_is_refused() {
    let ground = Ground::new();
    let cells = Cell::all();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; cells.len()]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let number = cells.iter().position(|other| other.name() == cell.name()).expect("a cell");
                    let outcome = left_out(cell).is_none().then(|| played(&ground, cell, number));
                    outcomes.lock().expect("no cell panics")[number] = outcome;
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("no cell panics");
    let table = table(&cells, &outcomes);
    say(&table);
    let failed: Vec<String> = cells
        .iter()
        .zip(&outcomes)
        .filter_map(|(cell, outcome)| Some(format!("{}: {}", cell.name(), outcome.as_ref()?.as_ref().err()?)))
        .collect();
    assert!(failed.is_empty(), "{} cells failed\n{}", failed.len(), failed.join("\n"));
    assert!(outcomes.iter().flatten().count() >= 150, "too few cells");
    published(&table);
}

/// A program that does not start is an outcome of its cell, not of the others.
fn played(ground: &Ground, cell: Cell, number: usize) -> Result<(), String> {
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| ground.play(cell, number)));
    outcome.unwrap_or_else(|why| Err(why.downcast_ref::<String>().cloned().unwrap_or_default()))
}

/// The page says what came out. `QAPI_WRITE_DOCS` writes it anew.
fn published(table: &str) {
    let path = root().join("docs/interop.md");
    let page = std::fs::read_to_string(&path).expect("docs/interop.md");
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the table");
    let (_, after) = rest.split_once(END).expect("the place has an end");
    let versions = std::fs::read_to_string(tools().join("versions")).expect("the versions are recorded");
    let versions: String = versions.lines().map(|line| format!("- {line}\n")).collect();
    let current = format!("{before}{BEGIN}\n{versions}\n{table}{END}{after}");
    if std::env::var_os("QAPI_WRITE_DOCS").is_some() {
        std::fs::write(&path, current).expect("the page can be written");
    } else {
        // Debian's versions move on by themselves; the outcomes must not.
        assert!(page.contains(table), "docs/interop.md has another table: run with QAPI_WRITE_DOCS=1");
    }
}

const BEGIN: &str = "<!-- made by the test from here -->";
const END: &str = "<!-- to here -->";

fn table(cells: &[Cell], outcomes: &[Option<Result<(), String>>]) -> String {
    let mut text = String::from("| stack | role |");
    for (_, case) in CASES {
        let _ = write!(text, " {case} |");
    }
    text.push('\n');
    text.push_str(&"|---".repeat(CASES.len() + 2));
    text.push_str("|\n");
    let mut marks = outcomes.iter().map(|outcome| match outcome {
        Some(Ok(())) => "yes",
        Some(Err(_)) => "**no**",
        None => "left out",
    });
    for (_, stack) in STACKS {
        for (_, role) in ROLES {
            let row: Vec<&str> = marks.by_ref().take(CASES.len()).collect();
            let _ = writeln!(text, "| {stack} | {role} | {} |", row.join(" | "));
        }
    }
    let passed = outcomes.iter().flatten().filter(|outcome| outcome.is_ok()).count();
    let _ = writeln!(text, "\ninterop: {passed} of {} cells", cells.len());
    let mut reasons: Vec<&str> = cells.iter().filter_map(|cell| left_out(*cell)).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let count = cells.iter().filter(|cell| left_out(**cell) == Some(reason)).count();
        let _ = writeln!(text, "\nleft out: {count} cells, {reason}");
    }
    text
}
