//! A foreign program that runs beside a test, ended with it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::server::Lines;

/// How long a program may take to listen; debug builds on a busy machine take some of it.
const START: Duration = Duration::from_secs(60);

pub struct Running {
    child: Child,
    out: Lines,
    err: Lines,
}

impl Running {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
        let out = Lines::collect(child.stdout.take().expect("a pipe"));
        let err = Lines::collect(child.stderr.take().expect("a pipe"));
        Self { child, out, err }
    }

    /// Waits until it says that it listens.
    #[track_caller]
    pub fn listening(self) -> Self {
        assert!(self.out.wait_for("listening", START).is_some(), "does not listen: {}", self.text());
        self
    }

    /// What it wrote so far.
    pub fn text(&self) -> String {
        format!("{}{}", self.out.text(), self.err.text())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
