//! What only end users of applications have: first passwords, roles, letters.

use api::people::{AssignRole, CreateEndUser};
use clap::Args;
use uuid::Uuid;

use super::read::end_user_described;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup::identity::{application_id, end_user_id, role_id};
use crate::print::{Printer, record};

/// An application.
#[derive(Args)]
pub struct OfApp {
    /// The application
    #[arg(long, value_name = "ID|NAME")]
    app: String,
}

/// An end user.
#[derive(Args)]
pub struct EndUser {
    /// Id or e-mail address
    #[arg(value_name = "ID|EMAIL")]
    reference: String,
    /// The application
    #[arg(long, value_name = "ID|NAME")]
    app: String,
}

/// What `qapi users create` takes. A password is never an argument.
#[derive(Args)]
pub struct CreateInputs {
    /// Their address
    email: String,
    /// The application
    #[arg(long, value_name = "ID|NAME")]
    app: String,
    /// What they are called; their address unless told
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Read a first password from standard input; without one they set it themselves
    #[arg(long)]
    password_stdin: bool,
    /// Their address is known to be theirs
    #[arg(long)]
    verified: bool,
    /// A role beside those that new end users are given; may be repeated
    #[arg(long = "role", value_name = "ID|NAME")]
    roles: Vec<String>,
}

/// What `qapi users assign` and `unassign` take.
#[derive(Args)]
pub struct RoleInputs {
    #[command(flatten)]
    whom: EndUser,
    /// Id or name of the role
    #[arg(value_name = "ROLE")]
    role: String,
}

/// What `qapi users reset-password` takes.
#[derive(Args)]
pub struct ResetInputs {
    #[command(flatten)]
    whom: EndUser,
    /// Send nothing, and show a password that must be changed at the next sign-in
    #[arg(long)]
    temporary: bool,
}

impl EndUser {
    /// The application and the person.
    async fn find(&self, client: &sdk::Client) -> Result<(Uuid, Uuid), Failure> {
        let app = application_id(client, &self.app).await?;
        Ok((app, end_user_id(client, app, &self.reference).await?))
    }
}

/// Counts them.
pub async fn stats(inputs: &OfApp, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let app = application_id(client, &inputs.app).await?;
    printer.body(&client.end_user_stats(app).await?, |stats| {
        record(&[
            ("all", stats.total_users.to_string()),
            ("confirmed", stats.verified_users.to_string()),
            ("blocked", stats.blocked_users.to_string()),
            ("active", stats.active_users.to_string()),
        ])
    })
}

/// Makes one.
pub async fn create(inputs: CreateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let app = application_id(client, &inputs.app).await?;
    let mut role_ids = Vec::new();
    for role in &inputs.roles {
        role_ids.push(role_id(client, Some(app), role).await?);
    }
    let password = if inputs.password_stdin { Some(input::value(Some("-".to_owned()), "")?) } else { None };
    let request = CreateEndUser {
        display_name: inputs.name.unwrap_or_else(|| inputs.email.clone()),
        email: inputs.email,
        first_name: None,
        last_name: None,
        phone_number: None,
        password,
        email_verified: inputs.verified,
        metadata: None,
        role_ids: Some(role_ids).filter(|ids| !ids.is_empty()),
    };
    printer.body(&client.create_end_user(app, &request).await?, end_user_described)
}

/// Forgets wrong passwords.
pub async fn unlock(inputs: &EndUser, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let (app, id) = inputs.find(client).await?;
    printer.body(&client.unlock_end_user(app, id).await?, end_user_described)
}

/// Gives a role.
pub async fn assign(inputs: &RoleInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let (app, id) = inputs.whom.find(client).await?;
    let role_id = role_id(client, Some(app), &inputs.role).await?;
    let given = client.assign_role(app, id, &AssignRole { role_id }).await?;
    printer.body(&given, |given| format!("{} is {}", inputs.whom.reference, given.role_name))
}

/// Takes a role.
pub async fn unassign(inputs: &RoleInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let (app, id) = inputs.whom.find(client).await?;
    client.remove_role(app, id, role_id(client, Some(app), &inputs.role).await?).await?;
    printer.done(id, "unassigned")
}

/// Sends a letter that confirms an address.
pub async fn verify(inputs: &EndUser, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let (app, id) = inputs.find(client).await?;
    client.send_verification(app, id).await?;
    printer.done(id, "sent")
}

/// Sends a letter that sets a new password, or shows one for once.
pub async fn reset(inputs: &ResetInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let (app, id) = inputs.whom.find(client).await?;
    if inputs.temporary {
        let made = client.temporary_password(app, id).await?;
        return printer.body(&made, |made| {
            record(&[
                ("email", made.email.clone()),
                ("temporary password", made.temporary_password.expose().to_owned()),
            ])
        });
    }
    client.send_password_reset(app, id).await?;
    printer.done(id, "sent")
}
