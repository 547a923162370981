//! `cargo xtask bench`: the release server on core 0, driven from core 1, beside bare peers in the same run.
//!
//! Absolute numbers move with the machine and its neighbours; a ratio to something measured seconds before on the same
//! core does not move much. So every row names a peer: a bare axum echo of the same body, a bare endpoint that does
//! the same cryptography without authentication and audit, the primitive itself, or the database engine itself.
//! Rounds of peer and product alternate, and the middle of three counts. Audit is on and durable throughout.
//! What services have of it is measured beside: the agent against no agent, a fleet that changes its certificates, and
//! handshakes against OpenSSL's. So is what is done with images: admission by itself, the gate and signing against cosign.
//! docs/performance.md explains the method and keeps the last results.

mod agent;
mod client;
mod footprint;
mod handshakes;
mod images;
mod installation;
mod load;
mod logins;
mod postgres;
mod process;
mod refusals;
mod rotation;
mod rows;
mod sessions;

use anyhow::Result;

use crate::workspace;

/// Where the measured process runs, and where this program does.
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

/// The soft limit for both: every service of the rotation listens, and waits for the platform's next bundle.
const OPEN_FILES: &str = "--nofile=8192:";

/// Builds everything in release and runs the measurement pinned to its own core.
pub fn run(rows: &[&str]) -> Result<()> {
    if cfg!(debug_assertions) {
        return build_and_pin(rows);
    }
    rows::run(rows)?;
    footprint::run(rows)?;
    agent::run(rows)?;
    rotation::run(rows)?;
    logins::run(rows)?;
    refusals::run(rows)?;
    sessions::run(rows)?;
    images::admission::run(rows)?;
    images::signing::run(rows)?;
    images::gate::run(rows)
}

fn build_and_pin(rows: &[&str]) -> Result<()> {
    if wanted(rows, handshakes::NAME) {
        handshakes::run()?;
    }
    if !rows.is_empty() && rows.iter().all(|row| handshakes::NAME.contains(row)) {
        return Ok(());
    }
    images::prepare(rows)?;
    let packages = ["server", "cli", "agent", "admission", "examples", "xtask"].map(|package| ["-p", package]);
    // Each is optimized as a whole, which takes its time: only what is run.
    let programs = ["qapid", "qapi", "qapi-agent", "qapi-admission", "rotation", "xtask"].map(|name| ["--bin", name]);
    let build = ["build", "--release", "--locked", "--example", "bare"];
    workspace::run("cargo", &[build.as_slice(), packages.as_flattened(), programs.as_flattened()].concat())?;
    let xtask = workspace::target_dir().join("release/xtask").display().to_string();
    let mut args = vec!["-c", LOAD_CORE, "prlimit", OPEN_FILES, &xtask, "bench"];
    args.extend(rows);
    workspace::run("taskset", &args)
}

/// Whether a row was asked for: all are when none is named.
fn wanted(rows: &[&str], name: &str) -> bool {
    rows.is_empty() || rows.iter().any(|row| name.contains(row))
}

/// The middle of three or more values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Says whether a value keeps its bar.
fn verdict(kept: bool) -> &'static str {
    if kept { "ok" } else { "MISSED" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_value() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![]), 0.0);
    }

    #[test]
    fn rows_are_chosen_by_part_of_their_name() {
        assert!(wanted(&[], "encrypt fast") && wanted(&["fast"], "encrypt fast"));
        assert!(!wanted(&["sign"], "encrypt fast"));
    }
}
