//! The gate before a deploy of many images, over a registry that is some milliseconds away, against cosign that is run for each of
//! them, as pipelines do.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;

use super::super::{verdict, wanted};
use super::{Bed, COSIGNS, Kind, milliseconds, timed};

pub const NAME: &str = "gate";

const IMAGES: usize = 100;
const LATENCY: Duration = Duration::from_millis(5);
const SHARE_AT_MOST: f64 = 0.1;
/// In each the gate looks at all images, and each cosign at its share of them: together the rounds are all.
const ROUNDS: usize = 4;

pub fn run(rows: &[&str]) -> Result<()> {
    if !wanted(rows, NAME) {
        return Ok(());
    }
    let bed = Bed::start(NAME, Kind::Cue)?;
    bed.make_local_keys()?;
    bed.write_policy()?;
    let images = bed.push_signed("team", IMAGES)?;
    let mut versions = String::new();
    for (number, image) in images.iter().enumerate() {
        writeln!(versions, "image-{number}: '{image}'")?;
    }
    std::fs::write(bed.folder.join("versions.yaml"), versions)?;
    bed.way.delay(LATENCY);
    let mut gate = Vec::new();
    let mut cosigns = COSIGNS.map(|_| Duration::ZERO);
    bed.way.requests();
    let mut requests = 0;
    for share in images.chunks(images.len().div_ceil(ROUNDS)) {
        let words =
            ["gate", "verify", "--versions", "versions.yaml", "--policy", "policy.yaml", "--environment", "production"];
        bed.way.requests();
        gate.push(timed(&mut bed.qapi(&words))?);
        requests = bed.way.requests();
        for (cosign, all) in COSIGNS.iter().zip(&mut cosigns) {
            for image in share {
                *all += bed.cosign_verifies(cosign, image)?;
            }
        }
    }
    print(&gate, cosigns, requests);
    Ok(())
}

fn print(gate: &[Duration], cosigns: [Duration; COSIGNS.len()], requests: usize) {
    let ours = milliseconds(gate);
    println!("| row | product ms | requests | peer | peer ms | share | bar | |");
    println!("|---|---|---|---|---|---|---|---|");
    for (cosign, all) in COSIGNS.iter().zip(cosigns) {
        let theirs = all.as_secs_f64() * 1e3;
        let share = ours / theirs;
        println!(
            "| {NAME} of {IMAGES} images, registry {} ms away | {ours:.0} | {requests} | {cosign}, once an image | {theirs:.0} | {share:.3} | at most {SHARE_AT_MOST} | {} |",
            LATENCY.as_millis(),
            verdict(share <= SHARE_AT_MOST),
        );
    }
}
