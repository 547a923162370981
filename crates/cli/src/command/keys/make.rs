//! Making keys, and data keys under them.

use std::path::PathBuf;

use api::keys::{CreateKey, GenerateDataKey, ImportKey, KeyType, UnwrapDataKey};
use api::secret::SecretText;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use crypto::algorithm::{Algorithm, Purpose};

use super::read::{Format, TypeWord};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup;
use crate::print::{Printer, record};

/// What every new key has.
#[derive(Args)]
struct Fresh {
    /// What it is for; follows from the algorithm unless given
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    key_type: Option<TypeWord>,
    /// ML-KEM-768, ML-DSA-65, AES-256-GCM, HMAC-SHA256, X-Wing, ECDSA-P256, Ed25519, ...
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// What it is for, in words
    #[arg(long)]
    description: Option<String>,
    /// After this it makes nothing new: 30d, 12h, or RFC 3339
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// A label; may be given several times
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Make it the default of its type
    #[arg(long)]
    default: bool,
    /// Let `keys export` show its private half
    #[arg(long)]
    exportable: bool,
}

impl Fresh {
    /// The type and the algorithm; either alone says the other.
    fn kind(&self) -> Result<(KeyType, String), Failure> {
        let of_algorithm = |name: &str| {
            name.parse::<Algorithm>().ok().map(|algorithm| match algorithm.purpose() {
                Purpose::Encryption => KeyType::Encryption,
                Purpose::Signing => KeyType::Signing,
                Purpose::Hmac => KeyType::Hmac,
            })
        };
        let key_type = self.key_type.map(TypeWord::wire);
        match (key_type, self.algorithm.clone()) {
            (Some(key_type), Some(algorithm)) => Ok((key_type, algorithm)),
            (None, Some(algorithm)) => {
                let key_type = of_algorithm(&algorithm);
                let unknown = || Failure::unusable(format!("no algorithm {algorithm}"), "ML-KEM-768 or ML-DSA-65");
                Ok((key_type.ok_or_else(unknown)?, algorithm.clone()))
            }
            (Some(KeyType::Encryption), None) => Ok((KeyType::Encryption, "ML-KEM-768".to_owned())),
            (Some(KeyType::Signing), None) => Ok((KeyType::Signing, "ML-DSA-65".to_owned())),
            (Some(KeyType::Hmac), None) => Ok((KeyType::Hmac, "HMAC-SHA256".to_owned())),
            (None, None) => Err(Failure::unusable("what kind of key?", "--algorithm ML-KEM-768, or --type signing")),
        }
    }
}

#[derive(Args)]
pub struct GenerateInputs {
    /// The name
    name: String,
    #[command(flatten)]
    fresh: Fresh,
}

/// Makes a key.
pub async fn generate(inputs: GenerateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let (key_type, algorithm) = inputs.fresh.kind()?;
    let expires_at = inputs.fresh.expires.as_deref().map(|text| input::instant(text, clock::now())).transpose()?;
    let body = CreateKey {
        name: inputs.name,
        key_type,
        algorithm,
        purpose: None,
        description: inputs.fresh.description,
        expires_at,
        set_as_default: inputs.fresh.default,
        exportable: inputs.fresh.exportable,
        labels: (!inputs.fresh.labels.is_empty()).then_some(inputs.fresh.labels),
    };
    let key = client.create_key(&body).await?;
    printer.body(&key, |key| format!("created {} {} ({})", key.algorithm, key.name, key.id))
}

#[derive(Args)]
pub struct ImportInputs {
    /// The name
    name: String,
    /// The file with the key, or `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    fresh: Fresh,
    /// How it is written; found out from its content unless given
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The file holds a public key
    #[arg(long)]
    public_only: bool,
}

/// Brings a key from elsewhere.
pub async fn import(inputs: ImportInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let (key_type, algorithm) = inputs.fresh.kind()?;
    let expires_at = inputs.fresh.expires.as_deref().map(|text| input::instant(text, clock::now())).transpose()?;
    let bytes = input::bytes(Some(&inputs.file))?;
    let format = inputs.format.or_else(|| format_of(&bytes));
    let body = ImportKey {
        name: inputs.name,
        key_type,
        algorithm,
        key_material: SecretText::new(STANDARD.encode(&*bytes)),
        format: format.map(Format::wire),
        public_key_only: inputs.public_only,
        purpose: None,
        description: inputs.fresh.description,
        expires_at,
        set_as_default: inputs.fresh.default,
        exportable: inputs.fresh.exportable,
        labels: (!inputs.fresh.labels.is_empty()).then_some(inputs.fresh.labels),
    };
    let key = client.import_key(&body).await?;
    printer.body(&key, |key| format!("imported {} {} ({})", key.algorithm, key.name, key.id))
}

/// The form that a file's first bytes give away.
fn format_of(bytes: &[u8]) -> Option<Format> {
    let start = bytes.trim_ascii_start();
    if start.starts_with(b"-----BEGIN") {
        Some(Format::Pem)
    } else if start.starts_with(b"{") {
        Some(Format::Jwk)
    } else {
        None
    }
}

#[derive(Args)]
pub struct DataKeyInputs {
    /// Id or name of the key to wrap it to
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Length in bytes: 16, 24 or 32
    #[arg(long, default_value_t = 32)]
    bytes: u32,
    /// Text that unwrapping has to repeat
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
    /// Do not show the bare key
    #[arg(long)]
    wrapped_only: bool,
}

/// Makes a data key.
pub async fn data_key(inputs: DataKeyInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::key_id(client, &inputs.reference).await?;
    let context = inputs.context.map(|text| STANDARD.encode(text));
    let body = GenerateDataKey { algorithm: None, key_bytes: Some(inputs.bytes), context };
    let made = if inputs.wrapped_only {
        client.generate_wrapped_data_key(id, &body).await?
    } else {
        client.generate_data_key(id, &body).await?
    };
    printer.body(&made, |made| {
        record(&[
            ("key", made.plaintext_key.as_ref().map(|key| key.expose().to_owned()).unwrap_or_default()),
            ("wrapped", made.encrypted_key.clone()),
        ])
    })
}

#[derive(Args)]
pub struct UnwrapInputs {
    /// Id or name of the key it is wrapped to
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// The wrapped key, or `-` for standard input
    wrapped: String,
    /// The text given when it was made
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
}

/// Opens a wrapped data key and prints it in base64.
pub async fn unwrap(inputs: UnwrapInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::key_id(client, &inputs.reference).await?;
    let wrapped_key = input::value(Some(inputs.wrapped), "Wrapped key")?.expose().trim().to_owned();
    let body = UnwrapDataKey { wrapped_key, context: inputs.context.map(|text| STANDARD.encode(text)) };
    let unwrapped = client.unwrap_data_key(id, &body).await?;
    if printer.is_json() {
        return printer.body(&unwrapped, |_| String::new());
    }
    printer.line(unwrapped.key_material.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(key_type: Option<TypeWord>, algorithm: Option<&str>) -> Fresh {
        let algorithm = algorithm.map(ToOwned::to_owned);
        Fresh {
            key_type,
            algorithm,
            description: None,
            expires: None,
            labels: Vec::new(),
            default: false,
            exportable: false,
        }
    }

    #[test]
    fn type_and_algorithm_follow_from_each_other() {
        for (key_type, algorithm, expected) in [
            (None, Some("ML-DSA-65"), Some((KeyType::Signing, "ML-DSA-65"))),
            (None, Some("AES-256-GCM"), Some((KeyType::Encryption, "AES-256-GCM"))),
            (Some(TypeWord::Encryption), None, Some((KeyType::Encryption, "ML-KEM-768"))),
            (Some(TypeWord::Signing), Some("ML-KEM-768"), Some((KeyType::Signing, "ML-KEM-768"))),
            (None, Some("ROT13"), None),
            (None, None, None),
        ] {
            let found = fresh(key_type, algorithm).kind().ok();
            assert_eq!(found, expected.map(|(key_type, algorithm)| (key_type, algorithm.to_owned())));
        }
    }

    #[test]
    fn a_files_form_is_found_out() {
        assert!(format_of(b"\n-----BEGIN PRIVATE KEY-----") == Some(Format::Pem));
        assert!(format_of(b" {\"kty\":\"AKP\"}") == Some(Format::Jwk));
        assert!(format_of(&[0x30, 0x82]).is_none());
    }
}
