//! `qapi sbom generate`. A bill of materials tells what is in an image and decides nothing: when it cannot be made, the command
//! warns, and whoever needs one sees at the gate that it is missing.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use artifact::cyclonedx::{self, Version};
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::described;
use crate::failure::{Exit, Failure};
use crate::print::{Printer, warn};
use crate::session::variable;

/// The version of syft whose output is known. Others are run with a warning.
const PINNED: &str = "1.18.1";
const SYFT_VARIABLE: &str = "QAPI_SYFT";

#[derive(Args)]
pub struct GenerateInputs {
    /// What to look into, as syft takes it: an image, registry:IMAGE, dir:FOLDER, oci-dir:FOLDER
    source: String,
    /// Where the bill of materials goes
    #[arg(long, value_name = "FILE", default_value = "sbom.cdx.json")]
    out: PathBuf,
    /// The version of CycloneDX
    #[arg(long, value_enum, default_value = "1.6", value_name = "VERSION")]
    spec_version: SpecVersion,
    /// The program; otherwise QAPI_SYFT, or syft in the PATH
    #[arg(long, value_name = "FILE")]
    syft: Option<PathBuf>,
    /// Seconds that it may take
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    time_limit: u64,
    /// Fail when there is no valid bill of materials
    #[arg(long)]
    require: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SpecVersion {
    #[value(name = "1.6")]
    V1_6,
    #[value(name = "1.7")]
    V1_7,
}

impl SpecVersion {
    fn version(self) -> Version {
        match self {
            Self::V1_6 => Version::V1_6,
            Self::V1_7 => Version::V1_7,
        }
    }
}

/// Makes a bill of materials.
pub async fn generate(inputs: GenerateInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    match made(&inputs).await {
        Ok((bytes, text)) => {
            std::fs::write(&inputs.out, bytes).map_err(|error| Failure::file("writing", &inputs.out, &error))?;
            let said = json!({ "source": inputs.source, "generated": true, "file": inputs.out });
            printer.body(&said, |_| format!("generated {}: {text}", inputs.out.display()))
        }
        Err(failure) if inputs.require => Err(failure),
        Err(failure) => {
            let why = failure.what();
            warn(&format!("no bill of materials of {}: {why}", inputs.source));
            let said = json!({ "source": inputs.source, "generated": false, "why": why });
            if printer.is_json() { printer.body(&said, |_| String::new()) } else { Ok(Exit::Done) }
        }
    }
}

async fn made(inputs: &GenerateInputs) -> Result<(Vec<u8>, String), Failure> {
    let typed = inputs.syft.clone().or_else(|| variable(SYFT_VARIABLE).map(PathBuf::from));
    let syft = typed.unwrap_or_else(|| "syft".into());
    let limit = Duration::from_secs(inputs.time_limit);
    let version = output(Command::new(&syft).arg("version"), limit).await?;
    let version = String::from_utf8_lossy(&version).into_owned();
    if !version.lines().any(|line| line.trim_start_matches("Version:").trim() == PINNED) {
        warn(&format!("{} is not syft {PINNED}, whose output is known", syft.display()));
    }
    let wanted = inputs.spec_version.version();
    let form = format!("cyclonedx-json@{}", wanted.as_str());
    let bytes = output(Command::new(&syft).args(["scan", "--quiet", "-o", &form, "--", &inputs.source]), limit).await?;
    let bom = cyclonedx::validate(&bytes).map_err(|error| {
        Failure::failed(format!("what syft made is not usable: {}", sdk::report(&error)), "`qapi sbom validate`")
    })?;
    if bom.version != wanted {
        let what = format!("syft wrote CycloneDX {}, not {}", bom.version.as_str(), wanted.as_str());
        return Err(Failure::failed(what, "another --spec-version"));
    }
    let text = described(&bom);
    Ok((bytes, text))
}

/// What a program writes, if it ends well, in time and within bounds.
async fn output(command: &mut Command, limit: Duration) -> Result<Vec<u8>, Failure> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let failed = |what: String| Failure::failed(format!("{name}: {what}"), format!("syft {PINNED}, or --syft"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
    let mut child = child.map_err(|error| failed(error.to_string()))?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let longest = cyclonedx::LONGEST_BYTES as u64 + 1;
    let run = async {
        let read_out = async {
            match out {
                Some(out) => out.take(longest).read_to_end(&mut stdout).await,
                None => Ok(0),
            }
        };
        let read_err = async {
            match err {
                Some(err) => err.take(LONGEST_COMPLAINT).read_to_end(&mut stderr).await,
                None => Ok(0),
            }
        };
        let (out, err) = tokio::join!(read_out, read_err);
        out.and(err)?;
        child.wait().await
    };
    let ended = tokio::time::timeout(limit, run).await;
    let ended = ended.map_err(|_| failed(format!("not done after {} s", limit.as_secs())))?;
    let status = ended.map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        let complaint = String::from_utf8_lossy(&stderr).trim().chars().take(300).collect::<String>();
        return Err(failed(format!("{status} {complaint}").trim_end().to_owned()));
    }
    Ok(stdout)
}

const LONGEST_COMPLAINT: u64 = 64 << 10;
