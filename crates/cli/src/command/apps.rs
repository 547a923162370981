//! `qapi apps`: applications, which are OAuth clients, with their secrets and API keys.

mod keys;
mod settings;

use api::applications::{Application, CreateApplication, CreatedApplication, RotateClientSecret, UpdateApplication};
use clap::{Args, Subcommand};
use uuid::Uuid;

use self::settings::SettingsInputs;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup::identity::{application, application_id, applications};
use crate::print::{Printer, or_empty, record};
use crate::session::Session;

/// What `qapi apps` takes.
#[derive(Args)]
pub struct AppsInputs {
    #[command(subcommand)]
    command: AppsCommand,
}

#[derive(Subcommand)]
enum AppsCommand {
    /// Register an application and show its secret once
    Create(CreateInputs),
    /// List applications
    #[command(visible_alias = "ls")]
    List,
    /// Read an application
    #[command(visible_alias = "get")]
    Show(Reference),
    /// Change what is given
    Update(UpdateInputs),
    /// Delete an application with its end users
    Delete(DeleteInputs),
    /// Give it a new secret and show it once
    RotateSecret(RotateInputs),
    /// End every token, grant and session of it
    RevokeTokens(RevokeInputs),
    /// List the ended sessions of which it could not be told
    UndeliveredLogouts(Reference),
    /// List its API keys
    Keys(Reference),
    /// Make an API key that may do what it may, and show its text once
    CreateKey(keys::CreateKeyInputs),
    /// Revoke an API key of it
    DeleteKey(keys::DeleteKeyInputs),
}

/// An application.
#[derive(Args)]
struct Reference {
    /// Id, client id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
}

#[derive(Args)]
struct CreateInputs {
    /// The name
    name: String,
    /// SPA, WebApp, NativeApp, MachineToMachine or Agent
    #[arg(long = "type", default_value = "SPA", value_name = "TYPE")]
    kind: String,
    #[command(flatten)]
    settings: SettingsInputs,
}

#[derive(Args)]
struct UpdateInputs {
    /// Id, client id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// A new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    settings: SettingsInputs,
}

#[derive(Args)]
struct DeleteInputs {
    /// Id, client id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Args)]
struct RevokeInputs {
    /// Id, client id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Args)]
struct RotateInputs {
    /// Id, client id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// How long the old secret goes on working
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u32>,
}

/// Does what was typed.
pub async fn run(inputs: AppsInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        AppsCommand::Create(inputs) => create(inputs, client, printer).await,
        AppsCommand::List => list(client, printer).await,
        AppsCommand::Show(inputs) => printer.body(&application(client, &inputs.reference).await?, described),
        AppsCommand::Update(inputs) => update(inputs, client, printer).await,
        AppsCommand::Delete(inputs) => delete(&inputs, client, printer).await,
        AppsCommand::RotateSecret(inputs) => rotate(&inputs, client, printer).await,
        AppsCommand::RevokeTokens(inputs) => {
            let id = application_id(client, &inputs.reference).await?;
            input::confirmed(&format!("End every token and session of {}?", inputs.reference), inputs.yes)?;
            client.revoke_application_tokens(id).await?;
            printer.done(id, "revoked")
        }
        AppsCommand::UndeliveredLogouts(inputs) => undelivered(&inputs, client, printer).await,
        AppsCommand::Keys(inputs) => {
            let id = application_id(client, &inputs.reference).await?;
            keys::list(id, client, printer).await
        }
        AppsCommand::CreateKey(inputs) => keys::create(inputs, client, printer).await,
        AppsCommand::DeleteKey(inputs) => keys::delete(&inputs, client, printer).await,
    }
}

async fn create(inputs: CreateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = CreateApplication {
        name: inputs.name,
        application_type: Some(inputs.kind),
        ..inputs.settings.read(client).await?
    };
    printer.body(&client.create_application(&request).await?, shown_once)
}

async fn update(inputs: UpdateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let settings = inputs.settings.read(client).await?;
    let request = UpdateApplication { display_name: inputs.name, ..settings.into() };
    let id = application_id(client, &inputs.reference).await?;
    printer.body(&client.update_application(id, &request).await?, described)
}

async fn delete(inputs: &DeleteInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let found = application(client, &inputs.reference).await?;
    input::confirmed(&format!("Delete {} and erase its end users?", found.display_name), inputs.yes)?;
    client.delete_application(found.id).await?;
    printer.done(found.id, "deleted")
}

async fn list(client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let found = applications(client).await?;
    printer.list("applications", &found, &["ID", "NAME", "TYPE", "ENVIRONMENT", "CLIENT ID"], |of| {
        vec![
            of.id.to_string(),
            of.display_name.clone(),
            of.application_type.clone(),
            of.environment.clone(),
            of.client_id.clone(),
        ]
    })
}

async fn undelivered(inputs: &Reference, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = application_id(client, &inputs.reference).await?;
    let logouts = client.undelivered_logouts(id).await?;
    printer.list("logouts", &logouts, &["SESSION", "END USER", "TRIES", "ENDED"], |logout| {
        let whose = logout.end_user_id.to_string();
        vec![logout.sid.clone(), whose, logout.tries.to_string(), logout.created_at.to_string()]
    })
}

async fn rotate(inputs: &RotateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id: Uuid = application_id(client, &inputs.reference).await?;
    let made = client.rotate_client_secret(id, &RotateClientSecret { grace_seconds: inputs.grace }).await?;
    printer.body(&made, |made| {
        record(&[
            ("client id", made.client_id.clone()),
            ("client secret", made.client_secret.expose().to_owned()),
            ("old secret until", or_empty(&made.previous_valid_until)),
        ])
    })
}

fn shown_once(made: &CreatedApplication) -> String {
    let secret = made.client_secret.as_ref().map(|secret| secret.expose().to_owned());
    record(&[
        ("id", made.id.to_string()),
        ("name", made.display_name.clone()),
        ("type", made.application_type.clone()),
        ("client id", made.client_id.clone()),
        ("client secret", secret.unwrap_or_else(|| format!("none: it proves itself by {}", made.client_auth))),
    ])
}

fn described(of: &Application) -> String {
    let trusts: Vec<String> = of.trust_ids.iter().map(Uuid::to_string).collect();
    record(&[
        ("id", of.id.to_string()),
        ("name", of.display_name.clone()),
        ("description", or_empty(&of.description)),
        ("type", of.application_type.clone()),
        ("environment", of.environment.clone()),
        ("client id", of.client_id.clone()),
        ("client authentication", of.client_auth.clone()),
        ("grants", of.grant_types.join(" ")),
        ("redirects", of.redirect_uris.join(" ")),
        ("after sign-out", of.post_logout_redirect_uris.join(" ")),
        ("scopes", of.allowed_scopes.join(" ")),
        ("may call", of.resources.join(" ")),
        ("serves", of.serves.join(" ")),
        ("may do here", of.platform_scopes.join(" ")),
        ("confined to", of.platform_resources.join(" ")),
        ("trusts", trusts.join(" ")),
        ("ID tokens", of.id_token_alg.clone()),
        ("access tokens", of.access_token_format.clone()),
        ("second factor", or_empty(&of.mfa_policy)),
        ("consent", of.consent.clone()),
        ("created", of.created_at.to_string()),
    ])
}
