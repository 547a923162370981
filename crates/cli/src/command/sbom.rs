//! `qapi sbom`: bills of materials, made by syft and checked against the schemas of CycloneDX before anybody signs them.

mod generate;

use std::path::PathBuf;

use artifact::cyclonedx::{self, Bom, NotABom};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::Printer;

/// What `qapi sbom` takes.
#[derive(Args)]
pub struct SbomInputs {
    #[command(subcommand)]
    command: SbomCommand,
}

#[derive(Subcommand)]
enum SbomCommand {
    /// Make a bill of materials with syft; when that fails it warns and ends with 0
    Generate(generate::GenerateInputs),
    /// Check a bill of materials against the schema of its version: 0 valid, 1 not, 2 unusable
    Validate(ValidateInputs),
}

#[derive(Args)]
struct ValidateInputs {
    /// The file, or `-` for standard input
    file: PathBuf,
}

/// Does what was typed.
pub async fn run(inputs: SbomInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.command {
        SbomCommand::Generate(inputs) => generate::generate(inputs, printer).await,
        SbomCommand::Validate(inputs) => validate(&inputs, printer),
    }
}

fn validate(inputs: &ValidateInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    let bytes = input::bytes(Some(&inputs.file))?;
    let name = inputs.file.display();
    match cyclonedx::validate(&bytes) {
        Ok(bom) => {
            let said = json!({ "valid": true, "specVersion": bom.version.as_str(), "components": bom.components() });
            printer.body(&said, |_| format!("valid: {name}, {}", described(&bom)))
        }
        Err(NotABom::Invalid { version, faults }) => {
            let said = json!({ "valid": false, "specVersion": version.as_str(),
                "faults": faults.iter().map(|fault| json!({ "at": fault.at, "why": fault.why })).collect::<Vec<_>>() });
            printer.body(&said, |_| {
                let lines = faults.iter().map(|fault| format!("{}: {}\n", fault.at, fault.why));
                lines.chain([format!("invalid: {name}, CycloneDX {}", version.as_str())]).collect()
            })?;
            Ok(Exit::Failed)
        }
        Err(error) => {
            Err(Failure::unusable(format!("{name}: {}", sdk::report(&error)), "CycloneDX 1.6 or 1.7 in JSON"))
        }
    }
}

fn described(bom: &Bom) -> String {
    format!("CycloneDX {} with {} components", bom.version.as_str(), bom.components())
}
