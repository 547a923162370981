//! `qapi secrets`, `qapi secret` and `qapi vault`.

mod change;
mod import;
mod read;
mod share;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::print::{Printer, Style};
use crate::session::Session;

/// What `qapi secrets` and `qapi vault` take.
#[derive(Args)]
pub struct SecretsInputs {
    #[command(subcommand)]
    command: SecretsCommand,
}

#[derive(Subcommand)]
enum SecretsCommand {
    /// Read a secret by id or name
    Get(read::GetInputs),
    /// List secrets
    #[command(visible_alias = "ls")]
    List(read::ListInputs),
    /// List secrets that have a text in their name, description, type or labels
    Search(read::SearchInputs),
    /// List a secret's versions
    History(read::HistoryInputs),
    /// Judge a secret's strength and age
    Insights(read::Reference),
    /// Make a secret
    Create(change::CreateInputs),
    /// Give a secret a new value, or change what stands around it
    Update(change::UpdateInputs),
    /// Make a past version's value the newest
    Rollback(change::RollbackInputs),
    /// Remove a secret for ever
    #[command(visible_alias = "rm")]
    Delete(change::DeleteInputs),
    /// Make a deactivated secret readable again
    Activate(read::Reference),
    /// Make a secret unreadable
    Deactivate(read::Reference),
    /// Import a `.env` or JSON file
    Import(import::ImportInputs),
    /// Make a link that shows a secret to whoever holds it
    Share(share::ShareInputs),
    /// List a secret's links
    Shares(read::Reference),
    /// Revoke a link
    Unshare(share::UnshareInputs),
    /// Open a link
    Open(share::OpenInputs),
}

/// Does what was typed; `style` is how freely `get` shows values.
pub async fn run(
    inputs: SecretsInputs,
    style: Style,
    session: &Session,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    // Whoever opens a link needs no key.
    if let SecretsCommand::Open(inputs) = inputs.command {
        return share::open(inputs, &session.anonymous_client()?, printer).await;
    }
    let client = &session.client()?;
    match inputs.command {
        SecretsCommand::Get(inputs) => read::get(inputs, style, client, printer).await,
        SecretsCommand::List(inputs) => read::list(inputs, client, printer).await,
        SecretsCommand::Search(inputs) => read::search(inputs, client, printer).await,
        SecretsCommand::History(inputs) => read::history(inputs, client, printer).await,
        SecretsCommand::Insights(inputs) => read::insights(inputs, client, printer).await,
        SecretsCommand::Create(inputs) => change::create(inputs, client, printer).await,
        SecretsCommand::Update(inputs) => change::update(inputs, client, printer).await,
        SecretsCommand::Rollback(inputs) => change::rollback(inputs, client, printer).await,
        SecretsCommand::Delete(inputs) => change::delete(inputs, client, printer).await,
        SecretsCommand::Activate(inputs) => change::activate(inputs, client, printer).await,
        SecretsCommand::Deactivate(inputs) => change::deactivate(inputs, client, printer).await,
        SecretsCommand::Import(inputs) => import::import(inputs, client, printer).await,
        SecretsCommand::Share(inputs) => share::share(inputs, client, printer).await,
        SecretsCommand::Shares(inputs) => share::shares(inputs, client, printer).await,
        SecretsCommand::Unshare(inputs) => share::unshare(inputs, client, printer).await,
        SecretsCommand::Open(_) => Ok(Exit::Done),
    }
}
