//! `qapi sessions`: the browsers that people are signed in with.

use api::people::Session as Browser;
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::users::Whom;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup::identity::Person;
use crate::print::{Printer, or_empty};
use crate::session::Session;

/// What `qapi sessions` takes.
#[derive(Args)]
pub struct SessionsInputs {
    #[command(subcommand)]
    command: SessionsCommand,
}

#[derive(Subcommand)]
enum SessionsCommand {
    /// List somebody's sessions
    #[command(visible_alias = "ls")]
    List(ListInputs),
    /// End somebody's sessions, with every grant and token of them
    End(EndInputs),
}

#[derive(Args)]
struct ListInputs {
    #[command(flatten)]
    whom: Whom,
    /// Those that ended too
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
struct EndInputs {
    #[command(flatten)]
    whom: Whom,
    /// The one session to end; all of them unless told
    #[arg(long, value_name = "ID")]
    session: Option<Uuid>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Does what was typed.
pub async fn run(inputs: SessionsInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        SessionsCommand::List(inputs) => list(&inputs, client, printer).await,
        SessionsCommand::End(inputs) => end(&inputs, client, printer).await,
    }
}

async fn list(inputs: &ListInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let mut sessions = match inputs.whom.find(client).await? {
        Person::Own(id) => client.user_sessions(id).await?,
        Person::EndUser { app, id } => client.end_user_sessions(app, id).await?,
    };
    sessions.retain(|session| inputs.all || session.state == "live");
    printer.list(
        "sessions",
        &sessions,
        &["ID", "STATE", "BY", "FROM", "BEGAN", "LAST SEEN", "ENDS", "WHY IT ENDED"],
        row,
    )
}

fn row(session: &Browser) -> Vec<String> {
    vec![
        session.id.to_string(),
        session.state.clone(),
        session.amr.join(" "),
        or_empty(&session.ip_address),
        session.created_at.to_string(),
        session.last_seen_at.to_string(),
        session.ended_at.unwrap_or(session.expires_at).to_string(),
        or_empty(&session.reason),
    ]
}

async fn end(inputs: &EndInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let person = inputs.whom.find(client).await?;
    let which = inputs.session.map_or_else(|| "every session".to_owned(), |session| format!("session {session}"));
    input::confirmed(&format!("End {which} of {}?", person.id()), inputs.yes)?;
    match (person, inputs.session) {
        (Person::Own(id), None) => client.sign_out_user(id).await?,
        (Person::Own(id), Some(session)) => client.sign_out_user_session(id, session).await?,
        (Person::EndUser { app, id }, None) => client.sign_out_end_user(app, id).await?,
        (Person::EndUser { app, id }, Some(session)) => client.sign_out_end_user_session(app, id, session).await?,
    }
    let id = person.id();
    let done = json!({ "id": id, "session": inputs.session, "ended": true });
    printer.body(&done, |_| format!("ended {which} of {id}"))
}
