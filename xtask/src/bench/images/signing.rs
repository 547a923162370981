//! Signing an image with both keys in the vault: how often the vault is asked, and how long it takes. And verifying it, against cosign.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::super::process::{Running, credentials};
use super::super::{verdict, wanted};
use super::way::Way;
use super::{Bed, COSIGNS, Kind, milliseconds, timed};

pub const NAME: &str = "signing";

const ROUND_TRIPS_AT_MOST: usize = 2;
const SHARE_AT_MOST: f64 = 0.5;
const IMAGES: usize = 11;

pub fn run(rows: &[&str]) -> Result<()> {
    if !wanted(rows, NAME) {
        return Ok(());
    }
    let bed = Bed::start(NAME, Kind::Cue)?;
    let vault = Vault::start(&bed)?;
    timed(vault.asked_by(&mut bed.qapi(&["keys", "create-signing", "release"])))?;
    timed(&mut bed.measured(&bed.tools.join("cosign3"), &["generate-key-pair"]))?;
    let (images, theirs) = (bed.push("team", IMAGES)?, bed.push("theirs", IMAGES)?);
    sign(&bed, &vault, &images, &theirs)?;
    verify(&bed, &images)
}

/// The platform, and the way there.
struct Vault {
    _server: Running,
    way: Way,
    key: String,
}

impl Vault {
    fn start(bed: &Bed) -> Result<Self> {
        let data = bed.folder.join("platform");
        let server = Running::qapid(&data)?;
        let key = credentials(&data)?.remove("QUANTUMAPI_KEY").context("no key in dev.env")?;
        Ok(Self { way: Way::to(&server.address)?, _server: server, key })
    }

    fn asked_by<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("QUANTUMAPI_BASE_URL", format!("http://{}", self.way.address)).env("QUANTUMAPI_KEY", &self.key)
    }
}

/// Ours with both keys of the vault; cosign's with its one key, which lies in a file.
fn sign(bed: &Bed, vault: &Vault, images: &[String], theirs: &[String]) -> Result<()> {
    let (mut ours, mut cosign, mut most) = (Vec::new(), Vec::new(), 0);
    for (image, other) in images.iter().zip(theirs) {
        vault.way.requests();
        ours.push(timed(vault.asked_by(&mut bed.qapi(&["image", "sign", image, "--key", "release.keys.json"])))?);
        most = most.max(vault.way.requests());
        let words = ["--key", "cosign.key", "--yes", "--tlog-upload=false", "--use-signing-config=false", other];
        cosign.push(timed(&mut bed.cosign("cosign3", "sign", &words))?);
    }
    println!("| row | round trips to the vault | product ms | peer | peer ms | bar | |");
    println!("|---|---|---|---|---|---|---|");
    println!(
        "| {NAME} an image, hybrid | {most} | {:.1} | cosign3, one key in a file | {:.1} | at most {ROUND_TRIPS_AT_MOST} round trips | {} |",
        milliseconds(&ours),
        milliseconds(&cosign),
        verdict((1..=ROUND_TRIPS_AT_MOST).contains(&most)),
    );
    Ok(())
}

fn verify(bed: &Bed, images: &[String]) -> Result<()> {
    let (mut ours, mut cosigns) = (Vec::new(), COSIGNS.map(|_| Vec::<Duration>::new()));
    for image in images {
        ours.push(timed(&mut bed.qapi(&["image", "verify", image, "--key", "release.keys.json"]))?);
        for (cosign, took) in COSIGNS.iter().zip(&mut cosigns) {
            took.push(bed.cosign_verifies(cosign, image)?);
        }
    }
    let ours = milliseconds(&ours);
    println!("| row | product ms | peer | peer ms | share | bar | |");
    println!("|---|---|---|---|---|---|---|");
    for (cosign, took) in COSIGNS.iter().zip(cosigns) {
        let theirs = milliseconds(&took);
        let share = ours / theirs;
        println!(
            "| {NAME}: qapi image verify, hybrid | {ours:.1} | {cosign} verify, classical alone | {theirs:.1} | {share:.2} | at most {SHARE_AT_MOST} | {} |",
            verdict(share <= SHARE_AT_MOST),
        );
    }
    Ok(())
}
