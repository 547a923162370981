//! Full ML-DSA mTLS handshakes with one request, ours and OpenSSL's: `crates/tls/benches/handshakes.rs` in a table.
//!
//! Its clients and servers share all cores, so it is not pinned as the other rows are.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{median, verdict};
use crate::workspace;

pub const NAME: &str = "handshakes";
const AT_LEAST: f64 = 5.0;

/// Handshakes a second of both in one round.
#[derive(Debug, PartialEq)]
struct Round {
    ours: f64,
    theirs: f64,
}

pub fn run() -> Result<()> {
    // The folder of foreign programs that the tests use as well.
    let peers = workspace::output("scripts/peers.sh", &[])?;
    let done = Command::new("cargo")
        .args(["bench", "--quiet", "--locked", "-p", "tls", "--bench", "handshakes"])
        .current_dir(workspace::root())
        .env("OPENSSL", format!("{}/bin/openssl", peers.trim()))
        .output()?;
    ensure!(done.status.success(), "handshakes: {}", String::from_utf8_lossy(&done.stderr));
    let printed = String::from_utf8(done.stdout)?;
    let rounds: Vec<Round> =
        printed.lines().filter(|line| line.starts_with("round ")).map(round).collect::<Result<_>>()?;
    ensure!(!rounds.is_empty(), "handshakes printed {printed:?}");
    let middle = |of: fn(&Round) -> f64| median(rounds.iter().map(of).collect());
    let ratio = middle(|round| round.ours / round.theirs);
    println!("| row | product/s | peer | peer/s | ratio | bar | |");
    println!("|---|---|---|---|---|---|---|");
    println!(
        "| {NAME} | {:.0} | OpenSSL | {:.0} | {ratio:.1} | ratio at least {AT_LEAST} | {} |",
        middle(|round| round.ours),
        middle(|round| round.theirs),
        verdict(ratio >= AT_LEAST),
    );
    Ok(())
}

/// `round 1: ours 608/s, OpenSSL 151/s, ratio 4.0`.
fn round(line: &str) -> Result<Round> {
    let rate = |name: &str| {
        let (_, rest) = line.split_once(name)?;
        rest.split_once("/s")?.0.trim().parse().ok()
    };
    let both = rate(" ours ").zip(rate(" OpenSSL "));
    let (ours, theirs) = both.with_context(|| format!("no two rates in {line:?}"))?;
    Ok(Round { ours, theirs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rates_of_a_round_are_read_or_the_round_is_refused() {
        let read = round("round 1: ours 608/s, OpenSSL 151/s, ratio 4.0").ok();
        assert_eq!(read, Some(Round { ours: 608.0, theirs: 151.0 }));
        for line in ["round 1: ours 608/s", "round 1: ours x/s, OpenSSL 151/s, ratio 4.0", ""] {
            assert!(round(line).is_err(), "{line}");
        }
    }
}
