//! Where the workspace is, what it contains, and how its commands are run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The folder that holds the root `Cargo.toml`.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a command at the root and returns what it printed.
pub fn output(program: &str, args: &[&str]) -> Result<String> {
    let done =
        Command::new(program).args(args).current_dir(root()).output().with_context(|| format!("run {program}"))?;
    if !done.status.success() {
        bail!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&done.stderr).trim());
    }
    String::from_utf8(done.stdout).with_context(|| format!("{program} printed something that is not text"))
}

/// Runs a command at the root with its output shown, and fails if it fails.
pub fn run(program: &str, args: &[&str]) -> Result<()> {
    let status =
        Command::new(program).args(args).current_dir(root()).status().with_context(|| format!("run {program}"))?;
    if !status.success() {
        bail!("{program} {} ended with {status}", args.join(" "));
    }
    Ok(())
}

/// Every file that is tracked or about to be, relative to the root.
pub fn files() -> Result<Vec<String>> {
    let listed = output("git", &["ls-files", "-co", "--exclude-standard"])?;
    let root = root();
    Ok(listed.lines().filter(|name| root.join(name).is_file()).map(str::to_owned).collect())
}
