//! `qapi audit`: list and export the trail, and verify an export without the server.

use std::io::Write;
use std::path::{Path, PathBuf};

use api::audit::{AuditLogEntry, ListAuditLogs};
use api::limits::PAGE_SIZE_MAX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use crypto::key::PublicKey;
use domain::audit::verify::{Report, Trust, verify};
use serde_json::json;
use uuid::Uuid;

use crate::clock;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup;
use crate::print::{Printer, or_empty, table};
use crate::session::Session;

/// What `qapi audit` takes.
#[derive(Args)]
pub struct AuditInputs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// List events, newest first
    #[command(visible_alias = "ls")]
    List(ListInputs),
    /// Export the whole trail with its signed trailer
    Export(ExportInputs),
    /// Print the public key that signs exports, to be kept elsewhere and given to `verify --key`
    Key,
    /// Verify an export without the server: 0 whole, 1 tampered with, 2 unusable
    Verify(VerifyInputs),
}

#[derive(Args)]
struct ListInputs {
    /// Only these actions, comma-separated: Encrypt, SecretRead, ...
    #[arg(long)]
    action: Option<String>,
    /// Only of this category: keys, secrets, ...
    #[arg(long)]
    category: Option<String>,
    /// Only where the actor holds this
    #[arg(long)]
    actor: Option<String>,
    /// Only of this key, by id or name
    #[arg(long, value_name = "ID|NAME")]
    key: Option<String>,
    /// Only of this resource
    #[arg(long, value_name = "ID")]
    resource: Option<Uuid>,
    /// success, failure or denied
    #[arg(long)]
    outcome: Option<String>,
    /// From this instant on: RFC 3339, or so long ago as 12h
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// Up to this instant
    #[arg(long, value_name = "WHEN")]
    to: Option<String>,
    /// Events at most
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
struct ExportInputs {
    /// Write to a file; standard output unless given
    #[arg(long = "out", value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
struct VerifyInputs {
    /// The export, or `-` for standard input
    file: PathBuf,
    /// An earlier export of the same trail: shows when an older state was restored since
    #[arg(long, value_name = "FILE")]
    trailer: Option<PathBuf>,
    /// The audit key that is trusted: PEM, or base64 of its SubjectPublicKeyInfo
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Does what was typed.
pub async fn run(inputs: AuditInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.command {
        AuditCommand::List(inputs) => list(inputs, &session.client()?, printer).await,
        AuditCommand::Export(inputs) => export(inputs, &session.client()?, printer).await,
        AuditCommand::Key => {
            let key = session.anonymous_client()?.audit_key().await?;
            printer.body(&key, |key| key.public_key.clone())
        }
        AuditCommand::Verify(inputs) => verify_file(&inputs, printer),
    }
}

async fn list(inputs: ListInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let instant = |text: Option<String>| text.map(|text| input::past_instant(&text, clock::now())).transpose();
    let key_id = match &inputs.key {
        Some(reference) => Some(lookup::key_id(client, reference).await?),
        None => None,
    };
    let query = ListAuditLogs {
        category: inputs.category,
        action: inputs.action,
        key_id,
        resource_id: inputs.resource,
        actor: inputs.actor,
        outcome: inputs.outcome,
        from: instant(inputs.from)?,
        to: instant(inputs.to)?,
        page: None,
        page_size: None,
    };
    let entries = newest(client, query, inputs.limit).await?;
    if printer.is_json() {
        return printer.body(&json!({ "items": entries, "count": entries.len() }), |_| String::new());
    }
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    printer.bare(table(&["TIME", "ACTION", "OUTCOME", "ACTOR", "RESOURCE", "ERROR"], &rows).as_bytes())
}

async fn newest(client: &sdk::Client, query: ListAuditLogs, limit: usize) -> Result<Vec<AuditLogEntry>, Failure> {
    let mut entries = Vec::new();
    let page_size = u32::try_from(limit).unwrap_or(PAGE_SIZE_MAX).clamp(1, PAGE_SIZE_MAX);
    for page in 1.. {
        let query = ListAuditLogs { page: Some(page), page_size: Some(page_size), ..query.clone() };
        let list = client.audit_logs(&query).await?;
        let is_last = u64::from(page) * u64::from(page_size) >= list.total_count || list.items.is_empty();
        entries.extend(list.items);
        if is_last || entries.len() >= limit {
            break;
        }
    }
    entries.truncate(limit);
    Ok(entries)
}

fn row(entry: &AuditLogEntry) -> Vec<String> {
    let resource = entry.resource_name.clone().unwrap_or_else(|| entry.resource_id.to_string());
    vec![
        entry.timestamp.to_string(),
        entry.action.clone(),
        entry.outcome.clone(),
        entry.actor.clone(),
        format!("{} {resource}", entry.resource_type),
        or_empty(&entry.error),
    ]
}

async fn export(inputs: ExportInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let mut download = client.export_audit_logs().await?;
    let Some(path) = inputs.out else {
        while let Some(chunk) = download.next_chunk().await? {
            printer.stream(&chunk)?;
        }
        return Ok(Exit::Done);
    };
    let mut file = input::create_private(&path)?;
    while let Some(chunk) = download.next_chunk().await? {
        file.write_all(&chunk).map_err(|error| Failure::file("writing", &path, &error))?;
    }
    file.sync_all().map_err(|error| Failure::file("writing", &path, &error))?;
    printer.body(&json!({ "file": path }), |_| format!("exported to {}", path.display()))
}

fn verify_file(inputs: &VerifyInputs, printer: &mut Printer) -> Result<Exit, Failure> {
    let text = input::text(Some(&inputs.file))?;
    let trust = Trust {
        key: inputs.key.as_deref().map(read_key).transpose()?,
        earlier: inputs.trailer.as_deref().map(last_line).transpose()?,
    };
    let report = verify(text.expose().lines(), &trust);
    if report.events == 0 && report.signer.is_none() {
        return Err(Failure::unusable(format!("{} is no audit export", inputs.file.display()), "`qapi audit export`"));
    }
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let body = json!({
        "valid": findings.is_empty(), "events": report.events, "lanes": report.lanes,
        "findings": findings, "signer": report.signer, "trusted": report.trusted,
    });
    printer.body(&body, |_| described(&report, &findings))?;
    Ok(if findings.is_empty() { Exit::Done } else { Exit::Failed })
}

fn described(report: &Report, findings: &[String]) -> String {
    let counts = format!("{} events in {} lanes", report.events, report.lanes);
    if !findings.is_empty() {
        let lines: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
        return format!("{lines}invalid: {counts}\n");
    }
    let trust = match (&report.signer, report.trusted) {
        (_, true) => "signed by the trusted key".to_owned(),
        (Some(signer), false) => format!("signed by {signer}, which nobody vouched for: compare it, or give --key"),
        (None, false) => "unsigned".to_owned(),
    };
    format!("valid: {counts}, {trust}\n")
}

fn read_key(path: &Path) -> Result<PublicKey, Failure> {
    let text = input::text(Some(path))?;
    let text = text.expose().trim();
    let key = if text.starts_with("-----BEGIN") {
        PublicKey::from_pem(text).ok()
    } else {
        STANDARD.decode(text).ok().and_then(|der| PublicKey::from_spki_der(&der).ok())
    };
    key.ok_or_else(|| Failure::unusable(format!("{} holds no public key", path.display()), "a PEM file"))
}

/// The last line of an earlier export: its trailer.
fn last_line(path: &Path) -> Result<String, Failure> {
    let text = input::text(Some(path))?;
    let last = text.expose().lines().rev().find(|line| !line.trim().is_empty());
    last.map(ToOwned::to_owned)
        .ok_or_else(|| Failure::unusable(format!("{} is empty", path.display()), "an earlier export"))
}
