//! `qapi certs`: certificates. `verify` and `inspect` need neither server nor credential; the others ask the platform's
//! authority.

mod files;
mod inspect;
mod issue;
mod records;
mod verify;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::print::Printer;
use crate::session::Session;

/// What `qapi certs` takes.
#[derive(Args)]
pub struct CertsInputs {
    #[command(subcommand)]
    command: CertsCommand,
}

#[derive(Subcommand)]
enum CertsCommand {
    /// Issue a certificate; its key is made by the platform and shown once, or stays with a request
    Issue(issue::IssueInputs),
    /// List certificates
    #[command(visible_alias = "ls")]
    List(records::ListInputs),
    /// Show a certificate
    #[command(visible_alias = "get")]
    Show(records::Reference),
    /// Issue a certificate of the same names under a new key
    Renew(issue::RenewInputs),
    /// Revoke a certificate, everywhere within a second
    Revoke(records::RevokeInputs),
    /// Print the anchor; list and rotate the authorities
    Ca(records::CaInputs),
    /// Show and change which names certificates may hold
    Names(records::NamesInputs),
    /// Print what peers trust
    Bundle(records::BundleInputs),
    /// Judge a certificate without the server: 0 accepted, 1 refused, 2 unusable input
    Verify(verify::VerifyInputs),
    /// Show what certificates say, and what is wrong with them
    Inspect(inspect::InspectInputs),
}

/// Does what was typed.
pub async fn run(inputs: CertsInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.command {
        CertsCommand::Verify(inputs) => verify::verify(&inputs, printer),
        CertsCommand::Inspect(inputs) => inspect::inspect(&inputs, printer),
        CertsCommand::Issue(inputs) => issue::issue(inputs, &session.client()?, printer).await,
        CertsCommand::List(inputs) => records::list(inputs, &session.client()?, printer).await,
        CertsCommand::Show(inputs) => records::show(inputs, &session.client()?, printer).await,
        CertsCommand::Renew(inputs) => issue::renew(inputs, &session.client()?, printer).await,
        CertsCommand::Revoke(inputs) => records::revoke(inputs, &session.client()?, printer).await,
        CertsCommand::Ca(inputs) => records::ca(inputs, &session.client()?, printer).await,
        CertsCommand::Names(inputs) => records::names(inputs, &session.client()?, printer).await,
        CertsCommand::Bundle(inputs) => records::bundle(inputs, &session.client()?, printer).await,
    }
}
