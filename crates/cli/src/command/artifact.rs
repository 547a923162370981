//! `qapi artifact`: signatures over files, as Sigstore bundles beside them.

mod sign;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::print::Printer;
use crate::session::Session;

/// What `qapi artifact` takes.
#[derive(Args)]
pub struct ArtifactInputs {
    #[command(subcommand)]
    command: ArtifactCommand,
}

#[derive(Subcommand)]
enum ArtifactCommand {
    /// Sign a file; without a key at hand it warns and ends with 0
    Sign(sign::SignInputs),
    /// Verify a file: 0 signed, 2 not, 3 the vault does not answer, 4 unusable input
    Verify(verify::VerifyInputs),
}

/// Does what was typed.
pub async fn run(inputs: ArtifactInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.command {
        ArtifactCommand::Sign(inputs) => sign::sign(inputs, session, printer).await,
        ArtifactCommand::Verify(inputs) => {
            verify::verify(inputs, session, printer).await.map_err(Failure::of_verification)
        }
    }
}

/// Where the bundle of a key lies beside a file: today's tools look for the classical one.
fn bundle_beside(file: &Path, is_post_quantum: bool) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(if is_post_quantum { ".pq.sigstore.json" } else { ".sigstore.json" });
    name.into()
}
