//! Foreign clients that speak HTTP, and the programs of `tests/interop/peers/oidc` that drive them, as `scripts/clients.sh`
//! fetches them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::binaries::root;
use crate::program::{both, run, say, succeed};

/// The folder with the libraries, fetched when they are not there yet.
pub fn fetched() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| PathBuf::from(succeed(&mut Command::new(root().join("scripts/clients.sh"))).trim()))
}

/// A program, by its name and ending.
pub fn client(name: &str) -> Command {
    let runtime = if name.ends_with(".py") { "python" } else { "node" };
    let mut command = Command::new(fetched().join("bin").join(runtime));
    command.arg(source(name));
    command
}

/// Where its text lies.
pub fn source(name: &str) -> PathBuf {
    root().join("tests/interop/peers/oidc").join(name)
}

/// Runs a program to its end and wants all its checks to hold. What it counted is said, and given.
#[track_caller]
pub fn all_hold(command: &mut Command) -> String {
    let output = run(command);
    let text = both(&output);
    assert!(output.status.success(), "{text}");
    let count = text.lines().rfind(|line| line.contains(" of ")).expect("a count");
    say(&format!("oidc client {count}"));
    count.to_owned()
}
