//! Making, changing and removing secrets.

use std::path::PathBuf;

use api::secret::SecretText;
use api::secrets::{CreateSecret, RollbackSecret, UpdateSecret, UpdateSecretValue};
use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::read::{Reference, mask};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup;
use crate::print::{Printer, or_empty};

/// What stands around a value.
#[derive(Args)]
struct Around {
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// Content type: password, api-key, certificate, login, config, ...
    #[arg(long = "type", value_name = "TYPE")]
    content_type: Option<String>,
    /// A label; may be given several times
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// The user name that belongs to the value
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Notes, sealed like the value
    #[arg(long)]
    notes: Option<String>,
    /// After this it is not shown any more: 30d, 12h, or RFC 3339
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
}

#[derive(Args)]
pub struct CreateInputs {
    /// The name; slashes make a path
    name: String,
    /// The value, or `-` for standard input; asked for when left out
    #[arg(allow_hyphen_values = true, conflicts_with = "file")]
    value: Option<String>,
    /// Read the value from a file, as it is
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    around: Around,
    /// Show the value in the output
    #[arg(long)]
    show: bool,
}

/// Makes a secret.
pub async fn create(inputs: CreateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let around = inputs.around;
    let expires_at = around.expires.map(|text| input::instant(&text, clock::now())).transpose()?;
    let body = CreateSecret {
        name: inputs.name,
        value: match &inputs.file {
            Some(path) => input::text(Some(path))?,
            None => input::value(inputs.value, "Value")?,
        },
        description: around.description,
        content_type: around.content_type,
        expires_at,
        labels: (!around.labels.is_empty()).then_some(around.labels),
        username: around.username.map(SecretText::new),
        notes: around.notes.map(SecretText::new),
        urls: None,
        custom_fields: None,
        totp_secret: None,
        metadata: None,
    };
    let mut secret = client.create_secret(&body).await?;
    if !inputs.show {
        mask(&mut secret);
    }
    printer.body(&secret, |secret| format!("created {} ({})", secret.name, secret.id))
}

#[derive(Args)]
pub struct UpdateInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// The new value, or `-` for standard input
    #[arg(allow_hyphen_values = true, conflicts_with = "file")]
    value: Option<String>,
    /// Read the new value from a file, as it is
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    around: Around,
}

/// Gives a secret a new value, new surroundings, or both.
pub async fn update(inputs: UpdateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::secret_id(client, &inputs.reference).await?;
    let value = match (&inputs.file, inputs.value) {
        (Some(path), _) => Some(input::text(Some(path))?),
        (None, Some(typed)) => Some(input::value(Some(typed), "Value")?),
        (None, None) => None,
    };
    let metadata = changes(inputs.name, inputs.around)?;
    if value.is_none() && metadata.is_none() {
        return Err(Failure::unusable("nothing to change", "a value, or an option such as --description"));
    }
    let mut updated = None;
    if let Some(body) = metadata {
        updated = Some(client.update_secret(id, &body).await?);
    }
    if let Some(value) = value {
        let body = UpdateSecretValue { value, restored_from_version: None };
        updated = Some(client.update_secret_value(id, &body).await?);
    }
    printer.body(&updated, |secret| {
        let secret =
            secret.as_ref().map(|secret| format!("{} ({}), version {}", secret.name, secret.id, secret.version));
        format!("updated {}", or_empty(&secret))
    })
}

/// The metadata to change, if any.
fn changes(name: Option<String>, around: Around) -> Result<Option<UpdateSecret>, Failure> {
    let expires_at = around.expires.map(|text| input::instant(&text, clock::now())).transpose()?;
    let body = UpdateSecret {
        name,
        description: around.description,
        content_type: around.content_type,
        expires_at,
        labels: (!around.labels.is_empty()).then_some(around.labels),
        username: around.username.map(SecretText::new),
        notes: around.notes.map(SecretText::new),
        ..UpdateSecret::default()
    };
    let some = body.name.is_some()
        || body.description.is_some()
        || body.content_type.is_some()
        || body.expires_at.is_some()
        || body.labels.is_some()
        || body.username.is_some()
        || body.notes.is_some();
    Ok(some.then_some(body))
}

#[derive(Args)]
pub struct RollbackInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// The version whose value becomes the newest
    version: u32,
    /// Show the value in the output
    #[arg(long)]
    show: bool,
}

/// Makes a past version's value the newest.
pub async fn rollback(inputs: RollbackInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::secret_id(client, &inputs.reference).await?;
    let mut secret = client.rollback_secret(id, &RollbackSecret { version: inputs.version }).await?;
    if !inputs.show {
        mask(&mut secret);
    }
    let from = inputs.version;
    printer
        .body(&secret, |secret| format!("rolled {} back to version {from}, as version {}", secret.name, secret.version))
}

#[derive(Args)]
pub struct DeleteInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Removes a secret for ever.
pub async fn delete(inputs: DeleteInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::secret_id(client, &inputs.reference).await?;
    input::confirmed(&format!("Delete {} for ever?", inputs.reference), inputs.yes)?;
    client.delete_secret(id).await?;
    done("deleted", &inputs.reference, id, printer)
}

/// Makes a deactivated secret readable again.
pub async fn activate(inputs: Reference, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::secret_id(client, &inputs.reference).await?;
    client.activate_secret(id).await?;
    done("activated", &inputs.reference, id, printer)
}

/// Makes a secret unreadable.
pub async fn deactivate(inputs: Reference, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::secret_id(client, &inputs.reference).await?;
    client.deactivate_secret(id).await?;
    done("deactivated", &inputs.reference, id, printer)
}

fn done(what: &str, reference: &str, id: Uuid, printer: &mut Printer) -> Result<Exit, Failure> {
    printer.body(&json!({ "id": id, "status": what }), |_| format!("{what} {reference}"))
}
