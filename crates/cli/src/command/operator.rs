//! `qapi operator`: what an operator does from afar. What needs the data directory is `qapid`'s.

use std::io::Write;
use std::path::PathBuf;

use api::operator::{CreateBackup, OperatorStatus, Unseal};
use api::secret::SecretText;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::{Printer, record};
use crate::session::Session;

/// What `qapi operator` takes.
#[derive(Args)]
pub struct OperatorInputs {
    #[command(subcommand)]
    command: OperatorCommand,
}

#[derive(Subcommand)]
enum OperatorCommand {
    /// Whether the platform is initialized and unsealed
    Status,
    /// Give the passphrase or one share; asked for, or read from standard input
    Unseal(UnsealInputs),
    /// Forget the root key
    Seal(SealInputs),
    /// A backup of the whole platform, encrypted to a recipient
    Backup(BackupInputs),
}

#[derive(Args)]
struct UnsealInputs {
    /// Read the passphrase or share from a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Forget the shares given so far, and begin again with this one
    #[arg(long)]
    reset: bool,
}

#[derive(Args)]
struct SealInputs {
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

#[derive(Args)]
struct BackupInputs {
    /// The recipient's ML-KEM public key: PEM, or base64 of its SubjectPublicKeyInfo
    #[arg(long, value_name = "FILE")]
    recipient: PathBuf,
    /// The file to write
    #[arg(long = "out", value_name = "FILE")]
    out: PathBuf,
}

/// Does what was typed.
pub async fn run(inputs: OperatorInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.command {
        OperatorCommand::Status => {
            let status = session.anonymous_client()?.operator_status().await?;
            printer.body(&status, described)
        }
        OperatorCommand::Unseal(inputs) => unseal(inputs, &session.anonymous_client()?, printer).await,
        OperatorCommand::Seal(inputs) => {
            let client = session.client()?;
            input::confirmed("Seal the platform? Everything but unsealing stops.", inputs.yes)?;
            printer.body(&client.seal().await?, described)
        }
        OperatorCommand::Backup(inputs) => backup(inputs, &session.client()?, printer).await,
    }
}

async fn unseal(inputs: UnsealInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let before = client.operator_status().await?;
    if !before.sealed {
        return printer.body(&before, described);
    }
    let by_passphrase = before.seal == "passphrase";
    let given = match &inputs.file {
        Some(path) => SecretText::copy_from(input::text(Some(path))?.expose().trim_end_matches(['\r', '\n'])),
        None => input::value(None, if by_passphrase { "Passphrase" } else { "Share" })?,
    };
    let body = if by_passphrase {
        Unseal { passphrase: Some(given), share: None, reset: inputs.reset }
    } else {
        Unseal { passphrase: None, share: Some(given), reset: inputs.reset }
    };
    printer.body(&client.unseal(&body).await?, described)
}

async fn backup(inputs: BackupInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let recipient = input::bytes(Some(&inputs.recipient))?;
    let recipient = match std::str::from_utf8(&recipient) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => STANDARD.encode(&*recipient),
    };
    let mut download = client.backup(&CreateBackup { recipient }).await?;
    // A backup that is cut off must not look like one.
    let part = inputs.out.with_added_extension("part");
    let failed = |error: std::io::Error| Failure::file("writing", &part, &error);
    let mut file = input::create_private(&part)?;
    let mut bytes = 0_u64;
    while let Some(chunk) = download.next_chunk().await? {
        file.write_all(&chunk).map_err(failed)?;
        bytes += chunk.len() as u64;
    }
    file.sync_all().and_then(|()| std::fs::rename(&part, &inputs.out)).map_err(failed)?;
    let out = inputs.out.display().to_string();
    printer.body(&json!({ "file": out, "bytes": bytes }), |_| format!("wrote {bytes} bytes to {out}"))
}

fn described(status: &OperatorStatus) -> String {
    let needed = format!("{} of {} shares", status.progress, status.threshold);
    record(&[
        ("initialized", status.initialized.to_string()),
        ("sealed", status.sealed.to_string()),
        ("seal", status.seal.clone()),
        ("given", if status.sealed && status.threshold > 1 { needed } else { String::new() }),
        ("version", status.version.clone()),
    ])
}
