//! Who there is, and what they did.

use api::people::{EndUser, ListEndUsers, ListLogins, Login, User};
use clap::Args;

use super::Whom;
use crate::failure::{Exit, Failure};
use crate::lookup::identity::{Person, application_id, end_users, role_id, users};
use crate::print::{Printer, or_empty, record};

/// What `qapi users list` takes.
#[derive(Args)]
pub struct ListInputs {
    /// Application whose end users are meant; the tenant's own people unless told
    #[arg(long, value_name = "ID|NAME")]
    app: Option<String>,
    /// Part of an end user's address or name
    #[arg(long, value_name = "TEXT", requires = "app")]
    search: Option<String>,
    /// Only end users who are shut out, or with `false` only those who are not
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", requires = "app")]
    blocked: Option<bool>,
    /// Only end users whose address is confirmed, or with `false` only others
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", requires = "app")]
    verified: Option<bool>,
    /// Only end users who have this role
    #[arg(long, value_name = "ID|NAME", requires = "app")]
    role: Option<String>,
}

/// What `qapi users logins` takes.
#[derive(Args)]
pub struct LoginsInputs {
    #[command(flatten)]
    whom: Whom,
    /// How many, 100 at most
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
}

/// Lists people.
pub async fn list(inputs: ListInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let Some(app) = &inputs.app else {
        let found = users(client).await?;
        return printer.list("users", &found, &["ID", "EMAIL", "NAME", "ROLE", "STATE", "LAST LOGIN"], own_row);
    };
    let app = application_id(client, app).await?;
    let role_id = match &inputs.role {
        Some(role) => Some(role_id(client, Some(app), role).await?),
        None => None,
    };
    let query = ListEndUsers {
        search: inputs.search,
        blocked: inputs.blocked,
        email_verified: inputs.verified,
        role_id,
        ..ListEndUsers::default()
    };
    let found = end_users(client, app, query).await?;
    printer.list("users", &found, &["ID", "EMAIL", "NAME", "STATE", "LAST LOGIN"], end_user_row)
}

fn own_row(user: &User) -> Vec<String> {
    vec![
        user.id.to_string(),
        user.email.clone(),
        or_empty(&user.display_name),
        user.role.clone(),
        user.state.clone(),
        or_empty(&user.last_login_at),
    ]
}

fn end_user_row(user: &EndUser) -> Vec<String> {
    vec![
        user.id.to_string(),
        user.email.clone(),
        user.display_name.clone(),
        if user.is_blocked { "blocked" } else { "active" }.to_owned(),
        or_empty(&user.last_login_at),
    ]
}

/// Shows somebody.
pub async fn show(whom: &Whom, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    match whom.find(client).await? {
        Person::Own(id) => printer.body(&client.user(id).await?, described),
        Person::EndUser { app, id } => printer.body(&client.end_user(app, id).await?, end_user_described),
    }
}

/// Shows somebody's history.
pub async fn logins(inputs: &LoginsInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let query = ListLogins { limit: inputs.limit };
    let found: Vec<Login> = match inputs.whom.find(client).await? {
        Person::Own(id) => client.user_logins(id, &query).await?,
        Person::EndUser { app, id } => client.end_user_logins(app, id, &query).await?,
    };
    printer.list("logins", &found, &["WHEN", "WHAT", "WENT WELL", "FROM", "WITH"], |login| {
        let went = if login.success { "yes".to_owned() } else { or_empty(&login.failure_reason) };
        vec![
            login.timestamp.to_string(),
            login.event_type.clone(),
            went,
            or_empty(&login.ip_address),
            or_empty(&login.user_agent),
        ]
    })
}

/// One of the tenant's own people.
pub fn described(user: &User) -> String {
    record(&[
        ("id", user.id.to_string()),
        ("email", user.email.clone()),
        ("name", or_empty(&user.display_name)),
        ("role", user.role.clone()),
        ("state", user.state.clone()),
        ("second factor", if user.mfa_enabled { "yes" } else { "no" }.to_owned()),
        ("invited", user.created_at.to_string()),
        ("last login", or_empty(&user.last_login_at)),
    ])
}

/// An end user.
pub fn end_user_described(user: &EndUser) -> String {
    let roles = user.roles.iter().flatten().map(|role| role.role_name.as_str());
    record(&[
        ("id", user.id.to_string()),
        ("email", user.email.clone()),
        ("confirmed", if user.email_verified { "yes" } else { "no" }.to_owned()),
        ("name", user.display_name.clone()),
        ("state", if user.is_blocked { "blocked" } else { "active" }.to_owned()),
        ("why", or_empty(&user.blocked_reason)),
        ("roles", roles.collect::<Vec<_>>().join(" ")),
        ("second factor", if user.mfa_enabled { "yes" } else { "no" }.to_owned()),
        ("created", user.created_at.to_string()),
        ("last login", or_empty(&user.last_login_at)),
        ("logins", user.login_count.to_string()),
    ])
}
