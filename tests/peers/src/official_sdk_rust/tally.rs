use std::collections::BTreeSet;
use std::future::Future;

use anyhow::Result;

/// Which methods were tried, and how many of them did what they say.
#[derive(Default)]
pub struct Tally {
    tried: BTreeSet<&'static str>,
    passed: usize,
}

impl Tally {
    /// Runs one method's assertions and prints a line if they do not hold.
    pub async fn check(&mut self, method: &'static str, assertions: impl Future<Output = Result<()>>) {
        if !self.tried.insert(method) {
            println!("FAIL {method}: counted twice");
            return;
        }
        match assertions.await {
            Ok(()) => self.passed += 1,
            Err(error) => println!("FAIL {method}: {}", format!("{error:#}").replace('\n', " ")),
        }
    }

    pub fn tried(&self) -> usize {
        self.tried.len()
    }

    pub fn passed(&self) -> usize {
        self.passed
    }
}

/// Like `assert_eq!`, but an error instead of a panic, so that the next method still runs.
#[macro_export]
macro_rules! ensure_eq {
    ($left:expr, $right:expr) => {
        match (&$left, &$right) {
            (left, right) => {
                anyhow::ensure!(left == right, "{} is {left:?}, not {right:?} (line {})", stringify!($left), line!())
            }
        }
    };
}

/// An answer that must be this error of the SDK and no other.
#[macro_export]
macro_rules! ensure_error {
    ($answer:expr, $pattern:pat) => {
        match $answer {
            Err($pattern) => {}
            Err(other) => anyhow::bail!("{} failed with {other:?} (line {})", stringify!($answer), line!()),
            Ok(answer) => anyhow::bail!("{} gave {answer:?} (line {})", stringify!($answer), line!()),
        }
    };
}
