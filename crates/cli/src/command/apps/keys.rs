//! The API keys of an application.

use api::applications::{ApplicationKey, CreateApplicationKey};
use clap::Args;
use uuid::Uuid;

use crate::clock;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup::identity::application_id;
use crate::print::{Printer, or_empty, record};

/// What `qapi apps create-key` takes.
#[derive(Args)]
pub struct CreateKeyInputs {
    /// Id, client id or name of the application
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// The key's name
    name: String,
    /// When it dies: 30d, 12h, or RFC 3339
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
}

/// What `qapi apps delete-key` takes.
#[derive(Args)]
pub struct DeleteKeyInputs {
    /// Id, client id or name of the application
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Id or name of the key
    #[arg(value_name = "KEY")]
    key: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Lists them.
pub async fn list(app: Uuid, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let keys = client.application_keys(app).await?;
    printer.list("keys", &keys, &["ID", "NAME", "PREFIX", "STATE", "LAST USED"], |key| {
        let state = if key.is_active { "active" } else { "inactive" };
        vec![key.id.to_string(), key.name.clone(), key.prefix.clone(), state.to_owned(), or_empty(&key.last_used_at)]
    })
}

/// Makes one.
pub async fn create(inputs: CreateKeyInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let expires_at = inputs.expires.map(|text| input::instant(&text, clock::now())).transpose()?;
    let app = application_id(client, &inputs.reference).await?;
    let made = client.create_application_key(app, &CreateApplicationKey { name: inputs.name, expires_at }).await?;
    printer.body(&made, |made| {
        let text = made.key.as_ref().map(|key| key.expose().to_owned());
        record(&[
            ("id", made.id.to_string()),
            ("name", made.name.clone()),
            ("key", text.unwrap_or_default()),
            ("expires", or_empty(&made.expires_at)),
        ])
    })
}

/// Revokes one.
pub async fn delete(inputs: &DeleteKeyInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let app = application_id(client, &inputs.reference).await?;
    let id = key_id(app, client, &inputs.key).await?;
    input::confirmed(&format!("Revoke the API key {}?", inputs.key), inputs.yes)?;
    client.delete_application_key(app, id).await?;
    printer.done(id, "deleted")
}

async fn key_id(app: Uuid, client: &sdk::Client, reference: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = reference.parse() {
        return Ok(id);
    }
    let keys = client.application_keys(app).await?;
    let named: Vec<&ApplicationKey> = keys.iter().filter(|key| key.is_active && key.name == reference).collect();
    match named.as_slice() {
        [key] => Ok(key.id),
        [] => Err(Failure::failed(format!("no API key of it is called {reference}"), "`qapi apps keys`")),
        _ => Err(Failure::unusable(format!("several API keys are called {reference}"), "an id of `qapi apps keys`")),
    }
}
