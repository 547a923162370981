//! The programs under test, built once for all tests with the profile of the tests themselves.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the repository lies.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in tests/interop")
}

/// The path of one of our programs. `QAPI_BIN_DIR` names a folder that holds them already.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| match std::env::var_os("QAPI_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => built(),
    });
    let path = folder.join(name);
    assert!(path.is_file(), "{} does not exist", path.display());
    path
}

fn built() -> PathBuf {
    let profile = profile_folder();
    build(root(), &profile, &["-p", "server", "-p", "cli", "-p", "agent", "-p", "admission", "-p", "examples"])
}

/// A program of the peers' own workspace, built beside ours so that one cache serves both.
pub fn peer(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let target = profile_folder().parent().expect("a profile lies in a target folder").join("peers");
        build(&root().join("tests/peers"), &target.join("debug"), &["--locked"])
    });
    folder.join(name)
}

/// `target/debug` or its like: this test lies in its `deps`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.ancestors().nth(2).expect("tests lie in target/PROFILE/deps").to_owned()
}

fn build(workspace: &Path, profile: &Path, arguments: &[&str]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = profile.parent().expect("a profile lies in a target folder");
    let mut command = Command::new(cargo);
    command.current_dir(workspace).args(["build", "--quiet"]).args(arguments).arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "building in {} failed", workspace.display());
    profile.to_owned()
}
