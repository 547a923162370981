//! `qapi certs issue` and `renew`: certificates from the platform's authority.

use std::path::{Path, PathBuf};

use api::certificates::{IssueCertificate, IssuedCertificate, RenewCertificate, Ttl, Words};
use clap::Args;
use uuid::Uuid;

use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::{Printer, record};

/// What `qapi certs issue` takes.
#[derive(Args)]
pub struct IssueInputs {
    /// Names: DNS names, addresses, spiffe:// identities, mailboxes; with `DNS:` and the like before them or without
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The subject, such as `CN=users-api,O=users-api,C=EU`; the first DNS name unless given
    #[arg(long, value_name = "DN")]
    subject: Option<String>,
    /// service-mtls-24h, server, client or mesh-compat
    #[arg(long = "cert-profile", value_name = "PROFILE")]
    certificate_profile: Option<String>,
    /// Algorithm of the key that the platform makes: ML-DSA-65 unless given
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<String>,
    /// How long it lives: 24h, 90m
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// A PKCS#10 request, so that the private key stays where it is; `-` for standard input
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// Another authority than the tenant's own, by its id
    #[arg(long, value_name = "ID")]
    ca: Option<Uuid>,
    /// Be refused what cannot be had, instead of getting the rest
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    files: Files,
}

/// What `qapi certs renew` takes.
#[derive(Args)]
pub struct RenewInputs {
    /// The certificate
    id: Uuid,
    /// A PKCS#10 request for the new key; `-` for standard input
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// How long it lives: 24h, 90m
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    #[command(flatten)]
    files: Files,
}

/// Where the parts of an answer go.
#[derive(Args)]
struct Files {
    /// Write the certificate there
    #[arg(long, value_name = "FILE")]
    cert_file: Option<PathBuf>,
    /// Write the private key there, readable by its owner alone
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Write the anchor there
    #[arg(long, value_name = "FILE")]
    anchor_file: Option<PathBuf>,
    /// Write the authority's certificate under the root there
    #[arg(long, value_name = "FILE")]
    chain_file: Option<PathBuf>,
}

/// Issues a certificate.
pub async fn issue(inputs: IssueInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let csr = csr(inputs.csr.as_deref())?;
    if inputs.names.is_empty() && inputs.subject.is_none() && csr.is_none() {
        return Err(Failure::unusable("a certificate for whom?", "a name, or --csr FILE"));
    }
    let first_dns = inputs.names.iter().find(|name| !name.contains([':', '@'])).cloned();
    let request = IssueCertificate {
        common_name: first_dns.filter(|_| inputs.subject.is_none() && csr.is_none()),
        subject: inputs.subject,
        subject_alternative_names: Some(Words(inputs.names)).filter(|names| !names.0.is_empty()),
        algorithm: inputs.algorithm,
        ttl: inputs.ttl.map(Ttl),
        profile: inputs.certificate_profile,
        ca_id: inputs.ca,
        strict: Some(inputs.strict).filter(|strict| *strict),
        csr,
        ..IssueCertificate::default()
    };
    show(&client.issue_certificate(&request).await?, &inputs.files, printer)
}

/// Issues a certificate of the same names under a new key.
pub async fn renew(inputs: RenewInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request =
        RenewCertificate { csr: csr(inputs.csr.as_deref())?, ttl: inputs.ttl.map(Ttl), ..RenewCertificate::default() };
    show(&client.renew_certificate(inputs.id, &request).await?, &inputs.files, printer)
}

fn csr(path: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let bytes = input::bytes(Some(path))?;
    // A request in DER is a SEQUENCE; the platform takes PEM, and base64 of anything else.
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) if bytes.first() != Some(&0x30) => text.to_owned(),
        _ => crypto::x509::pem::encode(crypto::x509::pem::REQUEST, &bytes),
    };
    Ok(Some(text))
}

/// Files first: a key that could not be written is shown by nobody again, so it goes to standard output unless it went
/// into a file.
fn show(issued: &IssuedCertificate, files: &Files, printer: &mut Printer) -> Result<Exit, Failure> {
    if let (Some(path), Some(key)) = (&files.key_file, &issued.private_key) {
        input::write_private(path, key.expose().as_bytes())?;
    }
    for (path, text) in [
        (&files.cert_file, &issued.certificate),
        (&files.anchor_file, &issued.ca_certificate),
        (&files.chain_file, &issued.chain),
    ] {
        if let Some(path) = path {
            std::fs::write(path, text).map_err(|error| Failure::file("writing", path, &error))?;
        }
    }
    if printer.is_json() {
        return printer.body(issued, |_| String::new());
    }
    if files.cert_file.is_none() {
        printer.stream(issued.certificate.as_bytes())?;
    }
    if files.key_file.is_none()
        && let Some(key) = &issued.private_key
    {
        printer.stream(key.expose().as_bytes())?;
    }
    printer.stream(described(issued).as_bytes())?;
    Ok(Exit::Done)
}

fn described(issued: &IssuedCertificate) -> String {
    let safety = if issued.quantum_safe { "" } else { "NOT quantum-safe" };
    record(&[
        ("id", issued.id.to_string()),
        ("serial", issued.serial_number.clone()),
        ("names", issued.subject_alternative_names.join(" ")),
        ("profile", issued.profile.clone()),
        ("algorithm", issued.algorithm.clone()),
        ("safety", safety.to_owned()),
        ("expires", issued.not_after.to_string()),
        ("warning", issued.warnings.join(" ")),
    ])
}
