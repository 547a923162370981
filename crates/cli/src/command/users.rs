//! `qapi users`: the tenant's own people, and with `--app` the end users of an application.

mod change;
mod end_users;
mod factors;
mod read;

use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::lookup::identity::{Person, person};
use crate::print::Printer;
use crate::session::Session;

/// What `qapi users` takes.
#[derive(Args)]
pub struct UsersInputs {
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(Subcommand)]
enum UsersCommand {
    /// List the tenant's own people, or an application's end users
    #[command(visible_alias = "ls")]
    List(read::ListInputs),
    /// Read about somebody
    #[command(visible_alias = "get")]
    Show(Whom),
    /// What somebody did: sign-ins, failures, resets
    Logins(read::LoginsInputs),
    /// Count an application's end users
    Stats(end_users::OfApp),
    /// Invite somebody to the tenant by a letter
    Invite(change::InviteInputs),
    /// Make an end user of an application
    Create(end_users::CreateInputs),
    /// Change what is given
    Update(change::UpdateInputs),
    /// Shut somebody out; their tokens and sessions end within a second
    Block(change::BlockInputs),
    /// Let somebody in again
    Unblock(Whom),
    /// Remove somebody; an end user is shut out and their address is free again
    Delete(change::DeleteInputs),
    /// Forget the wrong passwords that slow an end user down
    Unlock(end_users::EndUser),
    /// Give an end user a role
    Assign(end_users::RoleInputs),
    /// Take a role from an end user
    Unassign(end_users::RoleInputs),
    /// Send an end user a letter by which they confirm their address
    Verify(end_users::EndUser),
    /// Send an end user a letter by which they set a new password
    ResetPassword(end_users::ResetInputs),
    /// List somebody's second factors
    Factors(Whom),
    /// Remove the second factors of somebody who lost them; they are signed out everywhere and told by a letter
    RemoveFactors(factors::RemoveInputs),
    /// Whether second factors are asked for where an application says nothing
    Policy(factors::PolicyInputs),
}

/// Somebody.
#[derive(Args)]
pub struct Whom {
    /// Id or e-mail address
    #[arg(value_name = "ID|EMAIL")]
    reference: String,
    /// Application whose end user it is; one of the tenant's own people unless told
    #[arg(long, value_name = "ID|NAME")]
    app: Option<String>,
}

impl Whom {
    /// Who is meant.
    pub async fn find(&self, client: &sdk::Client) -> Result<Person, Failure> {
        person(client, self.app.as_deref(), &self.reference).await
    }
}

/// Does what was typed.
pub async fn run(inputs: UsersInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        UsersCommand::List(inputs) => read::list(inputs, client, printer).await,
        UsersCommand::Show(whom) => read::show(&whom, client, printer).await,
        UsersCommand::Logins(inputs) => read::logins(&inputs, client, printer).await,
        UsersCommand::Stats(inputs) => end_users::stats(&inputs, client, printer).await,
        UsersCommand::Invite(inputs) => change::invite(inputs, client, printer).await,
        UsersCommand::Create(inputs) => end_users::create(inputs, client, printer).await,
        UsersCommand::Update(inputs) => change::update(inputs, client, printer).await,
        UsersCommand::Block(inputs) => change::block(inputs, client, printer).await,
        UsersCommand::Unblock(whom) => change::unblock(&whom, client, printer).await,
        UsersCommand::Delete(inputs) => change::delete(&inputs, client, printer).await,
        UsersCommand::Unlock(inputs) => end_users::unlock(&inputs, client, printer).await,
        UsersCommand::Assign(inputs) => end_users::assign(&inputs, client, printer).await,
        UsersCommand::Unassign(inputs) => end_users::unassign(&inputs, client, printer).await,
        UsersCommand::Verify(inputs) => end_users::verify(&inputs, client, printer).await,
        UsersCommand::ResetPassword(inputs) => end_users::reset(&inputs, client, printer).await,
        UsersCommand::Factors(whom) => factors::list(&whom, client, printer).await,
        UsersCommand::RemoveFactors(inputs) => factors::remove(&inputs, client, printer).await,
        UsersCommand::Policy(inputs) => factors::policy(inputs, client, printer).await,
    }
}
