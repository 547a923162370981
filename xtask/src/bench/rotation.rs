//! A thousand services that change their certificates while they call each other: how long it takes, and that no request
//! fails. `examples/src/bin/rotation.rs` is the fleet; it fails if one of them did.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::process::{Running, credentials, release, scratch};
use super::wanted;

const IDENTITIES: &str = "1000";

pub fn run(rows: &[&str]) -> Result<()> {
    if !wanted(rows, "rotation") {
        return Ok(());
    }
    let data = scratch("rotation")?;
    let platform = Running::qapid(&data)?;
    let key = credentials(&data)?.remove("QUANTUMAPI_KEY").context("no key in dev.env")?;
    let status = Command::new(release("rotation"))
        .arg(IDENTITIES)
        .env("QUANTUMAPI_BASE_URL", format!("http://{}", platform.address))
        .env("QUANTUMAPI_KEY", key)
        .status()?;
    ensure!(status.success(), "rotation ended with {status}");
    Ok(())
}
