//! `qapi apps`.

use api::applications::{
    Application, ApplicationList, CreateApplication, CreateApplicationKey, ListApplications, RotateClientSecret,
    UpdateApplication,
};
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use crate::failure::{Exit, Failure};
use crate::print::{Printer, record, table};
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
    Show(Reference),
    /// Change what is given
    Update(UpdateInputs),
    /// Delete an application with its end users
    Delete(Reference),
    /// Give it a new secret and show it once
    RotateSecret(RotateInputs),
    /// End every token, grant and session of it
    RevokeTokens(Reference),
    /// List its API keys
    Keys(Reference),
    /// Make an API key that may do what it may, and show its text once
    CreateKey(CreateKeyInputs),
}

#[derive(Args)]
struct CreateInputs {
    /// The name
    name: String,
    /// SPA, WebApp, NativeApp, MachineToMachine or Agent
    #[arg(long = "type", default_value = "SPA")]
    kind: String,
    /// Development, Staging or Production
    #[arg(long)]
    environment: Option<String>,
    /// Where a browser may be sent with a code; may be repeated
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// A scope it may ask for; may be repeated
    #[arg(long = "allow-scope", value_name = "SCOPE")]
    scopes: Vec<String>,
}

#[derive(Args)]
struct UpdateInputs {
    /// Id or client id
    #[arg(value_name = "ID")]
    reference: Uuid,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Development, Staging or Production
    #[arg(long)]
    environment: Option<String>,
    /// Where a browser may be sent, in place of all before; may be repeated
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
}

#[derive(Args)]
struct RotateInputs {
    /// Id or client id
    #[arg(value_name = "ID")]
    reference: Uuid,
    /// How long the old secret goes on working
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u32>,
}

#[derive(Args)]
struct CreateKeyInputs {
    /// Id or client id
    #[arg(value_name = "ID")]
    reference: Uuid,
    /// The key's name
    name: String,
}

#[derive(Args)]
struct Reference {
    /// Id or client id
    #[arg(value_name = "ID")]
    reference: Uuid,
}

/// Does what was typed.
pub async fn run(inputs: AppsInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        AppsCommand::Create(inputs) => create(inputs, client, printer).await,
        AppsCommand::List => list(client, printer).await,
        AppsCommand::Show(inputs) => printer.body(&client.application(inputs.reference).await?, described),
        AppsCommand::Update(inputs) => update(inputs, client, printer).await,
        AppsCommand::Delete(inputs) => {
            client.delete_application(inputs.reference).await?;
            printer.body(&json!({"id": inputs.reference, "deleted": true}), |_| "deleted".to_owned())
        }
        AppsCommand::RotateSecret(inputs) => rotate(inputs, client, printer).await,
        AppsCommand::RevokeTokens(inputs) => {
            client.revoke_application_tokens(inputs.reference).await?;
            printer.body(&json!({"id": inputs.reference, "revoked": true}), |_| "revoked".to_owned())
        }
        AppsCommand::Keys(inputs) => keys(inputs.reference, client, printer).await,
        AppsCommand::CreateKey(inputs) => create_key(inputs, client, printer).await,
    }
}

async fn create(inputs: CreateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = CreateApplication {
        name: inputs.name,
        application_type: Some(inputs.kind),
        environment: inputs.environment,
        redirect_uris: some(inputs.redirect_uris),
        allowed_scopes: some(inputs.scopes),
        ..CreateApplication::default()
    };
    let made = client.create_application(&request).await?;
    printer.body(&made, |made| {
        let secret = made.client_secret.as_ref().map(|secret| secret.expose().to_owned());
        record(&[
            ("id", made.id.to_string()),
            ("name", made.display_name.clone()),
            ("type", made.application_type.clone()),
            ("client id", made.client_id.clone()),
            ("client secret", secret.unwrap_or_else(|| "none: it uses PKCE".to_owned())),
        ])
    })
}

async fn update(inputs: UpdateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = UpdateApplication {
        display_name: inputs.name,
        environment: inputs.environment,
        redirect_uris: some(inputs.redirect_uris),
        ..UpdateApplication::default()
    };
    printer.body(&client.update_application(inputs.reference, &request).await?, described)
}

async fn list(client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let applications = match client.applications(&ListApplications::default()).await? {
        ApplicationList::All(all) => all,
        ApplicationList::Page(page) => page.applications,
    };
    if printer.is_json() {
        return printer.body(&json!({ "applications": applications, "total": applications.len() }), |_| String::new());
    }
    let row = |of: &Application| {
        vec![of.id.to_string(), of.display_name.clone(), of.application_type.clone(), of.environment.clone()]
    };
    let rows: Vec<Vec<String>> = applications.iter().map(row).collect();
    printer.bare(table(&["ID", "NAME", "TYPE", "ENVIRONMENT"], &rows).as_bytes())
}

async fn rotate(inputs: RotateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = RotateClientSecret { grace_seconds: inputs.grace };
    let made = client.rotate_client_secret(inputs.reference, &request).await?;
    printer.body(&made, |made| {
        record(&[("client id", made.client_id.clone()), ("client secret", made.client_secret.expose().to_owned())])
    })
}

async fn keys(id: Uuid, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let keys = client.application_keys(id).await?;
    if printer.is_json() {
        return printer.body(&json!({ "keys": keys, "total": keys.len() }), |_| String::new());
    }
    let rows: Vec<Vec<String>> =
        keys.iter().map(|key| vec![key.id.to_string(), key.name.clone(), key.prefix.clone()]).collect();
    printer.bare(table(&["ID", "NAME", "PREFIX"], &rows).as_bytes())
}

async fn create_key(inputs: CreateKeyInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = CreateApplicationKey { name: inputs.name, expires_at: None };
    let made = client.create_application_key(inputs.reference, &request).await?;
    printer.body(&made, |made| {
        let text = made.key.as_ref().map(|key| key.expose().to_owned());
        record(&[("id", made.id.to_string()), ("name", made.name.clone()), ("key", text.unwrap_or_default())])
    })
}

/// What was not typed stays as it is.
fn some(texts: Vec<String>) -> Option<Vec<String>> {
    Some(texts).filter(|texts| !texts.is_empty())
}

fn described(of: &Application) -> String {
    record(&[
        ("id", of.id.to_string()),
        ("name", of.display_name.clone()),
        ("type", of.application_type.clone()),
        ("environment", of.environment.clone()),
        ("client id", of.client_id.clone()),
        ("redirects", of.redirect_uris.join(" ")),
        ("scopes", of.allowed_scopes.join(" ")),
        ("created", of.created_at.to_string()),
    ])
}
