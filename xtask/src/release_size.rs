//! The size of what a user downloads.

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The stripped command line must stay small enough to be fetched in every pipeline run.
const QAPI_LIMIT_MIB: f64 = 15.0;

pub fn run() -> Result<()> {
    workspace::run("cargo", &["build", "--release", "--locked", "-p", "server", "-p", "cli"])?;
    let qapi = mebibytes("qapi")?;
    let qapid = mebibytes("qapid")?;
    println!("qapi   {qapi:6.1} MiB (at most {QAPI_LIMIT_MIB:.0})");
    println!("qapid  {qapid:6.1} MiB");
    if qapi > QAPI_LIMIT_MIB {
        bail!("qapi is larger than {QAPI_LIMIT_MIB} MiB");
    }
    Ok(())
}

fn mebibytes(name: &str) -> Result<f64> {
    let path = workspace::target_dir().join("release").join(name);
    let size = std::fs::metadata(&path).with_context(|| format!("no {}", path.display()))?.len();
    Ok(size as f64 / f64::from(1 << 20))
}
