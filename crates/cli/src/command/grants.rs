//! `qapi grants`: what applications were allowed on somebody's behalf.

use api::people::Grant;
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::users::Whom;
use crate::failure::{Exit, Failure};
use crate::lookup::identity::Person;
use crate::print::{Printer, or_empty};
use crate::session::Session;

/// What `qapi grants` takes.
#[derive(Args)]
pub struct GrantsInputs {
    #[command(subcommand)]
    command: GrantsCommand,
}

#[derive(Subcommand)]
enum GrantsCommand {
    /// List what applications were allowed on somebody's behalf and nobody ended
    #[command(visible_alias = "ls")]
    List(Whom),
    /// End one of them with every token of its family within a second
    #[command(visible_alias = "revoke")]
    End(EndInputs),
}

#[derive(Args)]
struct EndInputs {
    #[command(flatten)]
    whom: Whom,
    /// The grant
    #[arg(value_name = "GRANT")]
    grant: Uuid,
}

/// Does what was typed.
pub async fn run(inputs: GrantsInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        GrantsCommand::List(whom) => list(&whom, client, printer).await,
        GrantsCommand::End(inputs) => end(&inputs, client, printer).await,
    }
}

async fn list(whom: &Whom, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let grants = match whom.find(client).await? {
        Person::Own(id) => client.user_grants(id).await?,
        Person::EndUser { app, id } => client.end_user_grants(app, id).await?,
    };
    printer.list("grants", &grants, &["ID", "APPLICATION", "BY", "SCOPES", "OFFLINE", "BEGAN", "ENDS"], row)
}

fn row(grant: &Grant) -> Vec<String> {
    vec![
        grant.id.to_string(),
        or_empty(&grant.application_name),
        grant.kind.clone(),
        grant.scopes.join(" "),
        if grant.is_offline { "yes" } else { "no" }.to_owned(),
        grant.created_at.to_string(),
        grant.expires_at.to_string(),
    ]
}

async fn end(inputs: &EndInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let person = inputs.whom.find(client).await?;
    match person {
        Person::Own(id) => client.withdraw_user_grant(id, inputs.grant).await?,
        Person::EndUser { app, id } => client.withdraw_end_user_grant(app, id, inputs.grant).await?,
    }
    let id = person.id();
    let done = json!({ "id": id, "grant": inputs.grant, "ended": true });
    printer.body(&done, |_| format!("ended grant {} of {id}", inputs.grant))
}
