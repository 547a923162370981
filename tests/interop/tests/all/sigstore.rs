//! What Sigstore itself verifies and tests with, as `scripts/sigstore.sh` fetches it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::binaries::root;
use crate::program::succeed;

/// The folder, made when it is not there yet.
fn fetched() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| PathBuf::from(succeed(&mut Command::new(root().join("scripts/sigstore.sh"))).trim()))
}

/// A program by its name.
pub fn tool(name: &str) -> Command {
    Command::new(fetched().join("bin").join(name))
}

/// A program of ours that drives one of theirs.
pub fn source(name: &str) -> PathBuf {
    root().join("tests/interop/peers/sigstore").join(name)
}
