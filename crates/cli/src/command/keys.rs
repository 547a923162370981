//! `qapi keys`.

mod check;
mod make;
mod read;
mod signing;
mod state;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::print::Printer;
use crate::session::Session;

/// What `qapi keys` takes.
#[derive(Args)]
pub struct KeysInputs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make a key
    #[command(visible_alias = "create")]
    Generate(make::GenerateInputs),
    /// Make the keys that sign software, or their successors: post-quantum and classical, in the vault or in files
    CreateSigning(signing::CreateSigningInputs),
    /// Bring a key from elsewhere
    Import(make::ImportInputs),
    /// Print a key's description, or its public half
    Get(read::GetInputs),
    /// List keys
    #[command(visible_alias = "ls")]
    List(read::ListInputs),
    /// List a key's versions
    Versions(read::Reference),
    /// Print a key's private half
    Export(read::ExportInputs),
    /// Check keys for state, expiry and age: 1 when something is wrong
    Check(check::CheckInputs),
    /// Give a key a new version
    Rotate(state::RotateInputs),
    /// Change a key's name or description
    Update(state::UpdateInputs),
    /// Make a key the default of its type
    SetDefault(read::Reference),
    /// Set the oldest version that may still open and verify
    MinVersion(state::MinVersionInputs),
    /// Use a disabled, deprecated or scheduled key again
    Enable(read::Reference),
    /// Refuse a key for now
    Disable(read::Reference),
    /// Let a key open and verify only
    Deprecate(read::Reference),
    /// Refuse a key, or one of its versions, for ever
    Revoke(state::RevokeInputs),
    /// Destroy a key after a grace period
    #[command(visible_alias = "rm")]
    Delete(state::DeleteInputs),
    /// Make a data key: base64, bare and wrapped
    DataKey(make::DataKeyInputs),
    /// Open a wrapped data key
    Unwrap(make::UnwrapInputs),
}

/// Does what was typed.
pub async fn run(inputs: KeysInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    if let KeysCommand::CreateSigning(inputs) = inputs.command {
        return signing::create(inputs, session, printer).await;
    }
    let client = &session.client()?;
    match inputs.command {
        KeysCommand::CreateSigning(inputs) => signing::create(inputs, session, printer).await,
        KeysCommand::Generate(inputs) => make::generate(inputs, client, printer).await,
        KeysCommand::Import(inputs) => make::import(inputs, client, printer).await,
        KeysCommand::Get(inputs) => read::get(inputs, client, printer).await,
        KeysCommand::List(inputs) => read::list(inputs, client, printer).await,
        KeysCommand::Versions(inputs) => read::versions(inputs, client, printer).await,
        KeysCommand::Export(inputs) => read::export(inputs, client, printer).await,
        KeysCommand::Check(inputs) => check::check(inputs, client, printer).await,
        KeysCommand::Rotate(inputs) => state::rotate(inputs, client, printer).await,
        KeysCommand::Update(inputs) => state::update(inputs, client, printer).await,
        KeysCommand::SetDefault(inputs) => state::set_default(inputs, client, printer).await,
        KeysCommand::MinVersion(inputs) => state::min_version(inputs, client, printer).await,
        KeysCommand::Enable(inputs) => state::set_status(inputs, "active", client, printer).await,
        KeysCommand::Disable(inputs) => state::set_status(inputs, "disabled", client, printer).await,
        KeysCommand::Deprecate(inputs) => state::set_status(inputs, "deprecated", client, printer).await,
        KeysCommand::Revoke(inputs) => state::revoke(inputs, client, printer).await,
        KeysCommand::Delete(inputs) => state::delete(inputs, client, printer).await,
        KeysCommand::DataKey(inputs) => make::data_key(inputs, client, printer).await,
        KeysCommand::Unwrap(inputs) => make::unwrap(inputs, client, printer).await,
    }
}
