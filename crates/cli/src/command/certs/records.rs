//! `qapi certs list`, `show`, `revoke`, `ca`, `names` and `bundle`: what the platform's authority has and says.

use api::certificates::{
    Authority, Certificate, ListCertificates, NamePolicy, ReadBundle, RevokeCertificate, RotateAuthority,
    UpdateNamePolicy,
};
use api::limits::PAGE_SIZE_MAX;
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use crate::failure::{Exit, Failure};
use crate::print::{Printer, or_empty, record, table};

/// What `qapi certs list` takes.
#[derive(Args)]
pub struct ListInputs {
    /// Only active, expired or revoked ones
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only with this in the subject or a name
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

/// What names one certificate.
#[derive(Args)]
pub struct Reference {
    /// The certificate
    id: Uuid,
}

/// What `qapi certs revoke` takes.
#[derive(Args)]
pub struct RevokeInputs {
    /// The certificate
    id: Uuid,
    /// keyCompromise, superseded, cessationOfOperation, ...
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
}

/// What `qapi certs ca` takes.
#[derive(Args)]
pub struct CaInputs {
    #[command(subcommand)]
    command: Option<CaCommand>,
}

#[derive(Subcommand)]
enum CaCommand {
    /// Print the anchor in PEM
    Certificate,
    /// List the authorities
    #[command(visible_alias = "ls")]
    List,
    /// Give an authority a successor; both are anchors until the old one's certificates have ended
    Rotate(RotateInputs),
}

#[derive(Args)]
struct RotateInputs {
    /// The authority
    id: Uuid,
    /// Seconds that the successor is published before it issues
    #[arg(long, value_name = "SECONDS")]
    lead_seconds: Option<u32>,
    /// Seconds that the old key stays an anchor after that
    #[arg(long, value_name = "SECONDS")]
    overlap_seconds: Option<u32>,
}

/// What `qapi certs names` takes.
#[derive(Args)]
pub struct NamesInputs {
    /// A name to allow; may be given several times
    #[arg(long = "allow", value_name = "NAME")]
    allow: Vec<String>,
    /// A name to allow no longer; may be given several times
    #[arg(long = "forbid", value_name = "NAME")]
    forbid: Vec<String>,
    /// Whether an unconfined key's new names are added: on or off
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    learning: Option<String>,
}

/// What `qapi certs bundle` takes.
#[derive(Args)]
pub struct BundleInputs {
    /// Wait until the sequence is beyond this
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<i64>,
    /// Or for so many seconds, at most 25
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=25))]
    wait: u32,
}

/// Lists certificates, newest first.
pub async fn list(inputs: ListInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let mut all: Vec<Certificate> = Vec::new();
    for page in 1.. {
        let query = ListCertificates {
            page: Some(page),
            page_size: Some(PAGE_SIZE_MAX),
            status: inputs.status.clone(),
            search: inputs.search.clone(),
            ca_id: None,
        };
        let list = client.certificates(&query).await?;
        let is_empty = list.certificates.is_empty();
        all.extend(list.certificates);
        if !list.has_more || is_empty {
            break;
        }
    }
    if printer.is_json() {
        return printer.body(&json!({ "certificates": all, "total": all.len() }), |_| String::new());
    }
    let row = |certificate: &Certificate| {
        let name = certificate.subject_alternative_names.first().cloned().unwrap_or_default();
        vec![
            certificate.id.to_string(),
            name,
            certificate.algorithm.clone(),
            certificate.status.clone(),
            certificate.not_after.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    printer.bare(table(&["ID", "NAME", "ALGORITHM", "STATUS", "EXPIRES"], &rows).as_bytes())
}

/// Shows one certificate.
pub async fn show(inputs: Reference, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    printer.body(&client.certificate(inputs.id).await?, described)
}

/// Revokes one certificate.
pub async fn revoke(inputs: RevokeInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let revoked = client.revoke_certificate(inputs.id, &RevokeCertificate { reason: inputs.reason }).await?;
    printer.body(&revoked, |revoked| format!("{} is {}", revoked.id, revoked.status))
}

/// The authorities: the anchor unless told otherwise.
pub async fn ca(inputs: CaInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    match inputs.command {
        None | Some(CaCommand::Certificate) => {
            let anchor = client.ca_certificate().await?;
            printer.body(&anchor, |anchor| anchor.certificate.clone())
        }
        Some(CaCommand::List) => {
            let list = client.authorities().await?;
            printer.body(&list, |list| {
                let rows: Vec<Vec<String>> = list.cas.iter().map(authority).collect();
                table(&["ID", "NAME", "KIND", "GENERATION", "ALGORITHM", "STATUS", "EXPIRES"], &rows)
            })
        }
        Some(CaCommand::Rotate(inputs)) => {
            let request =
                RotateAuthority { lead_seconds: inputs.lead_seconds, overlap_seconds: inputs.overlap_seconds };
            let made = client.rotate_authority(inputs.id, &request).await?;
            printer.body(&made, |made| {
                format!("{} generation {} issues from {}", made.name, made.generation, made.active_from)
            })
        }
    }
}

fn authority(authority: &Authority) -> Vec<String> {
    vec![
        authority.id.to_string(),
        authority.name.clone(),
        authority.kind.clone(),
        authority.generation.to_string(),
        authority.algorithm.clone(),
        authority.status.clone(),
        authority.not_after.to_string(),
    ]
}

/// Reads the policy of names, and changes it when told to.
pub async fn names(inputs: NamesInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let before = client.name_policy().await?;
    let changes_names = !inputs.allow.is_empty() || !inputs.forbid.is_empty();
    if !changes_names && inputs.learning.is_none() {
        return printer.body(&before, policy);
    }
    let mut allowed = before.allowed_names;
    allowed.extend(inputs.allow.into_iter().filter(|name| !allowed.contains(name)).collect::<Vec<_>>());
    allowed.retain(|name| !inputs.forbid.contains(name));
    let request = UpdateNamePolicy {
        trust_domain: None,
        allowed_names: changes_names.then_some(allowed),
        learning: inputs.learning.map(|word| word == "on"),
    };
    printer.body(&client.update_name_policy(&request).await?, policy)
}

fn policy(policy: &NamePolicy) -> String {
    record(&[
        ("trust domain", policy.trust_domain.clone()),
        ("allowed", policy.allowed_names.join(" ")),
        ("learning", if policy.learning { "on" } else { "off" }.to_owned()),
    ])
}

/// The trust bundle: anchors in PEM, or everything as JSON.
pub async fn bundle(inputs: BundleInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let query = ReadBundle { after: inputs.after, wait_seconds: Some(inputs.wait) };
    let bundle = client.trust_bundle(&query).await?;
    printer.body(&bundle, |bundle| bundle.anchors.concat())
}

fn described(certificate: &Certificate) -> String {
    let fields = record(&[
        ("id", certificate.id.to_string()),
        ("serial", certificate.serial_number.clone()),
        ("subject", certificate.subject.clone()),
        ("names", certificate.subject_alternative_names.join(" ")),
        ("profile", certificate.profile.clone()),
        ("algorithm", certificate.algorithm.clone()),
        ("status", certificate.status.clone()),
        ("begins", certificate.not_before.to_string()),
        ("expires", certificate.not_after.to_string()),
        ("requested by", certificate.requested_by.clone()),
        ("revoked", or_empty(&certificate.revoked_at)),
        ("reason", or_empty(&certificate.revocation_reason)),
    ]);
    fields + &certificate.certificate
}
