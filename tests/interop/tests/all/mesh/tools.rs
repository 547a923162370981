//! The foreign programs, as `scripts/peers.sh` fetches them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::binaries::root;
use crate::program::succeed;

/// The folder with the foreign programs, fetched when they are not there yet.
pub fn tools() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| PathBuf::from(succeed(&mut Command::new(root().join("scripts/peers.sh"))).trim()))
}

/// A foreign program by its name.
pub fn tool(name: &str) -> Command {
    Command::new(tools().join("bin").join(name))
}

/// A file of the peers.
pub fn script(name: &str) -> PathBuf {
    root().join("tests/interop/peers/mesh").join(name)
}
