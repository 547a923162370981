//! Progress bars on standard error, for people at a terminal alone.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use artifact::image::Step;

/// What of a copy is done.
pub struct Progress {
    line: Line,
    all: AtomicU64,
    done: AtomicU64,
}

const MIB: u64 = 1 << 20;
/// Places of a bar.
const WIDTH: u64 = 24;

impl Progress {
    /// Nothing is done yet.
    pub fn new() -> Self {
        Self { line: Line::new(true), all: AtomicU64::new(0), done: AtomicU64::new(0) }
    }

    /// One more step of a copy.
    pub fn step(&self, step: &Step) {
        match step {
            Step::Content(length) => self.all.fetch_add(*length, Ordering::Relaxed),
            Step::ContentDone(length) => self.done.fetch_add(*length, Ordering::Relaxed),
            Step::Manifest(_) => 0,
            Step::Checking => return self.line.write("reading the copy again"),
        };
        let (done, all) = (self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed));
        self.line.write(&format!("{} copied {} of {} MiB", bar(done, all), done / MIB, all.div_ceil(MIB)));
    }

    /// The bar is taken away again.
    pub fn end(&self) {
        self.line.write("");
    }
}

/// How far a list is.
pub struct Counter {
    line: Line,
    of: usize,
    at: Cell<usize>,
}

impl Counter {
    /// A list of so many.
    pub fn new(of: usize) -> Self {
        Self { line: Line::new(of > 1), of, at: Cell::new(0) }
    }

    /// The next one begins.
    pub fn next(&self, name: &str) {
        let done = self.at.get();
        self.at.set(done + 1);
        self.line.write(&format!("{} {} of {}: {name}", bar(done as u64, self.of as u64), done + 1, self.of));
    }

    /// The bar is taken away again.
    pub fn end(&self) {
        self.line.write("");
    }
}

/// One line that is written over.
struct Line {
    is_shown: bool,
}

impl Line {
    fn new(is_worth_it: bool) -> Self {
        Self { is_shown: is_worth_it && std::io::stderr().is_terminal() }
    }

    fn write(&self, text: &str) {
        if self.is_shown {
            // Who cannot see how far it is sees the result.
            let _ = write!(std::io::stderr(), "\r\u{1b}[K{text}");
        }
    }
}

/// So much of all, drawn.
fn bar(done: u64, all: u64) -> String {
    let filled = done.saturating_mul(WIDTH).checked_div(all).unwrap_or_default().min(WIDTH);
    (0..WIDTH).map(|place| if place < filled { '#' } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_empty_at_first_full_at_the_end_and_of_one_length() {
        for (done, all, filled) in [(0, 0, 0), (0, 7, 0), (1, 2, 12), (7, 7, 24), (9, 7, 24), (5 << 40, 10 << 40, 12)] {
            let drawn = bar(done, all);
            assert_eq!((drawn.len(), drawn.matches('#').count()), (24, filled), "{done} of {all}");
        }
    }
}
