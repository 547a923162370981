//! Reading keys: descriptions, public halves, and on explicit request private ones.

use std::path::PathBuf;

use api::keys::{ExportKey, Key, KeyFormat, KeyType, ListKeys, ReadPublicKey};
use clap::{Args, ValueEnum};
use crypto::algorithm::Algorithm;
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup;
use crate::print::{Printer, or_empty, record, table};

/// A key by id or name.
#[derive(Args)]
pub struct Reference {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    pub reference: String,
}

/// The form of key material.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// PEM text
    Pem,
    /// Base64 of the DER
    Der,
    /// Base64 of the bytes
    Raw,
    /// JSON Web Key
    Jwk,
    /// Base64 of the PKCS#8 DER
    Pkcs8,
}

impl Format {
    /// The same on the wire.
    pub fn wire(self) -> KeyFormat {
        match self {
            Self::Pem => KeyFormat::Pem,
            Self::Der => KeyFormat::Der,
            Self::Raw => KeyFormat::Raw,
            Self::Jwk => KeyFormat::Jwk,
            Self::Pkcs8 => KeyFormat::Pkcs8,
        }
    }
}

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TypeWord {
    /// Encrypt and decrypt
    Encryption,
    /// Sign and verify
    Signing,
    /// Compute message authentication codes
    Hmac,
}

impl TypeWord {
    /// The same on the wire.
    pub fn wire(self) -> KeyType {
        match self {
            Self::Encryption => KeyType::Encryption,
            Self::Signing => KeyType::Signing,
            Self::Hmac => KeyType::Hmac,
        }
    }
}

#[derive(Args)]
pub struct GetInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Print the public half alone
    #[arg(long)]
    public_only: bool,
    /// Form of the public half
    #[arg(long, value_enum, default_value = "pem", requires = "public_only")]
    format: Format,
    /// An older version of the public half
    #[arg(long, requires = "public_only")]
    version: Option<u32>,
}

/// Prints a key's description, or its public half and nothing else.
pub async fn get(inputs: GetInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    if !inputs.public_only {
        let key = lookup::key(client, &inputs.reference).await?;
        return printer.body(&key, described);
    }
    let id = lookup::key_id(client, &inputs.reference).await?;
    let query = ReadPublicKey { format: Some(inputs.format.wire()), include: None, version: inputs.version };
    let public = client.public_key(id, &query).await?;
    printer.body(&public, |public| public.public_key.clone())
}

/// A key for people.
pub fn described(key: &Key) -> String {
    record(&[
        ("id", key.id.to_string()),
        ("name", key.name.clone()),
        ("type", key.key_type.to_string()),
        ("algorithm", key.algorithm.clone()),
        ("post-quantum", key.is_post_quantum.to_string()),
        ("state", key.state.clone().unwrap_or_else(|| key.status.to_string())),
        ("default", key.is_default.to_string()),
        ("version", key.version.to_string()),
        ("min version", key.min_decryption_version.to_string()),
        ("description", or_empty(&key.description)),
        ("labels", key.labels.as_deref().unwrap_or_default().join(", ")),
        ("created", key.created_at.to_string()),
        ("rotated", or_empty(&key.last_rotated_at)),
        ("expires", or_empty(&key.expires_at)),
        ("deleted at", or_empty(&key.scheduled_deletion_date)),
    ])
}

#[derive(Args)]
pub struct ListInputs {
    /// Only of this type
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    key_type: Option<TypeWord>,
    /// Only with this status: active, disabled, scheduled_deletion, deleted
    #[arg(long)]
    status: Option<String>,
    /// One row a version
    #[arg(long)]
    versions: bool,
}

/// Lists keys.
pub async fn list(inputs: ListInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let query = ListKeys {
        key_type: inputs.key_type.map(TypeWord::wire),
        status: inputs.status,
        all_versions: inputs.versions.then_some(true),
        ..ListKeys::default()
    };
    let keys = lookup::all_keys(client, query).await?;
    printer_list(&keys, printer)
}

fn printer_list(keys: &[Key], printer: &mut Printer) -> Result<Exit, Failure> {
    if printer.is_json() {
        return printer.body(&json!({ "keys": keys, "total": keys.len() }), |_| String::new());
    }
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            vec![
                key.id.to_string(),
                key.name.clone(),
                key.algorithm.clone(),
                key.version.to_string(),
                key.state.clone().unwrap_or_else(|| key.status.to_string()),
                if key.is_default { "default" } else { "" }.to_owned(),
            ]
        })
        .collect();
    printer.bare(table(&["ID", "NAME", "ALGORITHM", "VERSION", "STATE", ""], &rows).as_bytes())
}

/// Lists a key's versions.
pub async fn versions(inputs: Reference, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::key_id(client, &inputs.reference).await?;
    let list = client.key_versions(id).await?;
    printer.body(&list, |list| {
        let rows: Vec<Vec<String>> = list
            .versions
            .iter()
            .map(|version| {
                let opens = version.version >= list.min_decryption_version;
                vec![
                    version.version.to_string(),
                    version.state.clone(),
                    version.created_at.to_string(),
                    if opens { "" } else { "below the minimum" }.to_owned(),
                ]
            })
            .collect();
        table(&["VERSION", "STATE", "CREATED", ""], &rows)
    })
}

#[derive(Args)]
pub struct ExportInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Form of the private half; PEM, or base64 for symmetric keys, unless given
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// An older version
    #[arg(long)]
    version: Option<u32>,
    /// Write to a file, readable by its owner alone
    #[arg(long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

/// Prints a key's private half.
pub async fn export(inputs: ExportInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let key = lookup::key(client, &inputs.reference).await?;
    input::confirmed(&format!("Let the private half of {} leave the vault?", key.name), inputs.yes)?;
    // There is no PEM for a key that is only bytes.
    let symmetric = key.algorithm.parse().is_ok_and(|algorithm: Algorithm| !algorithm.is_asymmetric());
    let usual = if symmetric { KeyFormat::Raw } else { KeyFormat::Pem };
    let body = ExportKey { format: Some(inputs.format.map_or(usual, Format::wire)), version: inputs.version };
    let exported = client.export_key(key.id, &body).await?;
    match inputs.out {
        Some(path) => input::write_private(&path, exported.key_material.expose().as_bytes()),
        None if printer.is_json() => printer.body(&exported, |_| String::new()),
        None => printer.line(exported.key_material.expose()),
    }
}
