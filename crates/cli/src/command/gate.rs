//! `qapi gate`: whether the images of an environment may be deployed, and tickets for emergencies.
//!
//! Statuses: 0 verified, 2 not verified, 3 a registry or the server does not answer, 4 the usage, the policy or the versions file.

mod ticket;
mod verdicts;
mod verify;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::print::Printer;
use crate::session::Session;

/// What `qapi gate` takes.
#[derive(Args)]
pub struct GateInputs {
    #[command(subcommand)]
    command: GateCommand,
}

#[derive(Subcommand)]
enum GateCommand {
    /// Verify every image of a versions file under a policy: 0 verified, 2 not, 3 unreachable, 4 usage or policy
    Verify(Box<verify::VerifyInputs>),
    /// Tickets that let unverified images pass in an emergency
    Ticket(ticket::TicketInputs),
}

/// Does what was typed.
pub async fn run(inputs: GateInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.command {
        GateCommand::Verify(inputs) => {
            verify::verify(*inputs, session, printer).await.map_err(Failure::of_verification)
        }
        GateCommand::Ticket(inputs) => ticket::run(inputs, session, printer).await,
    }
}
