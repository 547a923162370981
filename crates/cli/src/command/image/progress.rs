//! Progress on standard error, for people at a terminal alone.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use artifact::image::Step;

/// What of a copy is done.
pub struct Progress {
    shown: bool,
    all: AtomicU64,
    done: AtomicU64,
}

const MIB: u64 = 1 << 20;

impl Progress {
    /// Nothing is done yet.
    pub fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), all: AtomicU64::new(0), done: AtomicU64::new(0) }
    }

    /// One more step of a copy.
    pub fn step(&self, step: &Step) {
        match step {
            Step::Content(length) => self.all.fetch_add(*length, Ordering::Relaxed),
            Step::ContentDone(length) => self.done.fetch_add(*length, Ordering::Relaxed),
            Step::Manifest(_) => 0,
            Step::Checking => {
                self.show("reading the copy again");
                return;
            }
        };
        let (done, all) = (self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed));
        self.show(&format!("copied {} of {} MiB", done / MIB, all.div_ceil(MIB)));
    }

    /// The line is taken away again.
    pub fn end(&self) {
        self.write("");
    }

    fn show(&self, text: &str) {
        self.write(text);
    }

    fn write(&self, text: &str) {
        if self.shown {
            // Who cannot see how far it is sees the result.
            let _ = write!(std::io::stderr(), "\r\u{1b}[K{text}");
        }
    }
}

/// How far a list is.
pub struct Counter {
    shown: bool,
    of: usize,
    at: Cell<usize>,
}

impl Counter {
    /// A list of so many.
    pub fn new(of: usize) -> Self {
        Self { shown: of > 1 && std::io::stderr().is_terminal(), of, at: Cell::new(0) }
    }

    /// The next one begins; after the last one the line is taken away.
    pub fn next(&self, name: &str) {
        self.at.set(self.at.get() + 1);
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K{} of {}: {name}", self.at.get(), self.of);
        }
    }

    /// The line is taken away.
    pub fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}
