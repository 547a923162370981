//! `qapi certs`: certificates. `verify` and `inspect` need neither server nor credential.

mod files;
mod inspect;
mod verify;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::print::Printer;

/// What `qapi certs` takes.
#[derive(Args)]
pub struct CertsInputs {
    #[command(subcommand)]
    command: CertsCommand,
}

#[derive(Subcommand)]
enum CertsCommand {
    /// Judge a certificate without the server: 0 accepted, 1 refused, 2 unusable input
    Verify(verify::VerifyInputs),
    /// Show what certificates say, and what is wrong with them
    Inspect(inspect::InspectInputs),
}

/// Does what was typed.
pub fn run(inputs: CertsInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.command {
        CertsCommand::Verify(inputs) => verify::verify(&inputs, printer),
        CertsCommand::Inspect(inputs) => inspect::inspect(&inputs, printer),
    }
}
