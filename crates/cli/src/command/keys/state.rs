//! Changing where a key stands.

use api::keys::{DeleteKey, RotateKey, SetDefaultKey, SetMinDecryptionVersion, UpdateKey};
use clap::Args;
use serde_json::json;

use super::read::Reference;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup;
use crate::print::Printer;

#[derive(Args)]
pub struct RotateInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Make the key the default of its type
    #[arg(long)]
    default: bool,
}

/// Gives a key a new version.
pub async fn rotate(inputs: RotateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::key_id(client, &inputs.reference).await?;
    let body = RotateKey { name: None, set_as_default: inputs.default.then_some(true) };
    let key = client.rotate_key(id, &body).await?;
    printer.body(&key, |key| {
        let warnings: String = key.warnings.iter().map(|warning| format!("\nwarning: {warning}")).collect();
        format!("rotated {} to version {}{warnings}", key.name, key.version)
    })
}

#[derive(Args)]
pub struct UpdateInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// A new description
    #[arg(long)]
    description: Option<String>,
    /// New labels, in place of all the old ones; repeat for several
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
}

/// Changes a key's name, description or labels.
pub async fn update(inputs: UpdateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    if inputs.name.is_none() && inputs.description.is_none() && inputs.labels.is_empty() {
        return Err(Failure::unusable("nothing to change", "--name, --description or --label"));
    }
    let id = lookup::key_id(client, &inputs.reference).await?;
    let labels = (!inputs.labels.is_empty()).then_some(inputs.labels);
    let body = UpdateKey { name: inputs.name, description: inputs.description, labels, status: None };
    let key = client.update_key(id, &body).await?;
    printer.body(&key, |key| format!("updated {} ({})", key.name, key.id))
}

/// Makes a key the default of its type.
pub async fn set_default(inputs: Reference, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let key = lookup::key(client, &inputs.reference).await?;
    client.set_default_key(key.id, &SetDefaultKey { key_type: key.key_type }).await?;
    let done = json!({ "id": key.id, "keyType": key.key_type, "isDefault": true });
    printer.body(&done, |_| format!("{} is the default for {}", key.name, key.key_type))
}

#[derive(Args)]
pub struct MinVersionInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// The oldest version that may still open and verify
    version: u32,
}

/// Sets the oldest version in use.
pub async fn min_version(
    inputs: MinVersionInputs,
    client: &sdk::Client,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let id = lookup::key_id(client, &inputs.reference).await?;
    let body = SetMinDecryptionVersion { min_decryption_version: inputs.version };
    let policy = client.set_min_decryption_version(id, &body).await?;
    printer.body(&policy, |policy| {
        format!(
            "{} opens and verifies with versions {} to {}",
            policy.key_name, policy.min_decryption_version, policy.latest_version
        )
    })
}

/// Sets a key's status.
pub async fn set_status(
    inputs: Reference,
    status: &str,
    client: &sdk::Client,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let id = lookup::key_id(client, &inputs.reference).await?;
    let body = UpdateKey { status: Some(status.to_owned()), ..UpdateKey::default() };
    let key = client.update_key(id, &body).await?;
    printer.body(&key, |key| format!("{} is {}", key.name, key.state.as_deref().unwrap_or(key.status.as_str())))
}

#[derive(Args)]
pub struct RevokeInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Only this version
    #[arg(long)]
    version: Option<u32>,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Refuses a key, or one version of it, for ever.
pub async fn revoke(inputs: RevokeInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::key_id(client, &inputs.reference).await?;
    input::confirmed(&format!("Revoke {} for ever?", inputs.reference), inputs.yes)?;
    match inputs.version {
        Some(version) => {
            let revoked = client.revoke_key_version(id, version).await?;
            printer.body(&revoked, |revoked| format!("revoked version {} of {}", revoked.version, inputs.reference))
        }
        None => {
            let key = client.revoke_key(id).await?;
            printer.body(&key, |key| format!("revoked {}", key.name))
        }
    }
}

#[derive(Args)]
pub struct DeleteInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Days of grace, in which `keys enable` brings it back; 30 unless given, 0 destroys at once
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Destroys a key after a grace period.
pub async fn delete(inputs: DeleteInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::key_id(client, &inputs.reference).await?;
    let days = inputs.days.unwrap_or(api::limits::DELETION_DAYS_DEFAULT);
    input::confirmed(&format!("Destroy {} in {days} days?", inputs.reference), inputs.yes)?;
    client.delete_key(id, &DeleteKey { schedule_days: Some(days) }).await?;
    let done = json!({ "id": id, "scheduleDays": days });
    printer.body(&done, |_| format!("{} will be destroyed in {days} days", inputs.reference))
}
