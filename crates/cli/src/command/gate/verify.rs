//! `qapi gate verify`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use artifact::gate::report::{About, Outcome, Report};
use artifact::gate::source::{Source, options};
use artifact::gate::text::Explain;
use artifact::gate::ticket::Ticket;
use artifact::gate::{Checked, Gate, Unfound, junit, listing, sarif, text};
use artifact::policy::{Effect, Environment, Policy};
use artifact::registry::{Client, Options};
use artifact::versions::{Entry, Versions};
use clap::Args;
use tokio::time::{Instant, timeout_at};

use super::{ticket, verdicts};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::key_source::KeySource;
use crate::print::{Printer, warn};
use crate::registry_access::AccessInputs;
use crate::session::{Session, variable};

#[derive(Args)]
pub struct VerifyInputs {
    /// The versions file: names and tags, references, or mappings with image, tag and digest
    #[arg(long, value_name = "FILE")]
    versions: PathBuf,
    /// The policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Where the images are to run, as the policy calls it
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// What stands before names without a registry; otherwise what the policy says of the environment
    #[arg(long, value_name = "REGISTRY/PATH")]
    prefix: Option<String>,
    /// Write the digests that were verified into the versions file, if all of it passes
    #[arg(long)]
    lock: bool,
    /// A report: json, junit, sarif, or images (what may run, a digest and a name per line), and where to; may be given
    /// several times
    #[arg(long = "report", value_name = "FORM=FILE")]
    reports: Vec<ReportWanted>,
    /// Tell of every signature that was looked at
    #[arg(long)]
    explain: bool,
    /// Sign a verdict of each image that passes with this key and store it beside the image: a file, env://NAME, qapi://ID
    #[arg(long, value_name = "KEY")]
    sign_verdict: Option<KeySource>,
    /// A ticket, as its id or signed; otherwise QAPI_GATE_TICKET
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
    /// The status for what is not verified
    #[arg(long, value_name = "N", default_value_t = 2)]
    exit_code: u8,
    /// Images of one registry that are looked at together
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=128))]
    at_once: u8,
    /// Seconds for all of it; what nobody has answered by then is unreachable
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    time_limit: u32,
    #[command(flatten)]
    access: AccessInputs,
}

/// One report: its form, and where to.
#[derive(Clone, Debug)]
struct ReportWanted {
    form: Form,
    path: PathBuf,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Images,
    Json,
    Junit,
    Sarif,
}

impl FromStr for ReportWanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (form, path) = text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or("write json=FILE")?;
        let form = match form {
            "images" => Form::Images,
            "json" => Form::Json,
            "junit" => Form::Junit,
            "sarif" => Form::Sarif,
            other => return Err(format!("{other} is no form; images, json, junit and sarif are")),
        };
        Ok(Self { form, path: path.into() })
    }
}

/// What a variable of older pipelines asks for, which a ticket has to allow.
const DISABLED: &str = "COSIGN_VERIFY_DISABLED";
const TICKET: &str = "QAPI_GATE_TICKET";

/// Verifies the images of a file.
pub async fn verify(inputs: VerifyInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let now = clock::now().millis().div_euclid(1000);
    let policy = Policy::load(&inputs.policy).map_err(|error| unusable(&inputs.policy, &error))?;
    let environment = inputs.environment.as_deref().map(|name| policy.environment(name)).transpose();
    let environment = environment.map_err(|error| Failure::unusable(error.to_string(), "another --environment"))?;
    let prefix = inputs.prefix.as_deref().or(environment.and_then(Environment::image_prefix));
    let bytes = std::fs::read(&inputs.versions).map_err(|error| Failure::file("reading", &inputs.versions, &error))?;
    let versions = Versions::parse(&bytes, prefix).map_err(|error| unusable(&inputs.versions, &error))?;
    let ticket = ticket_of(&inputs, &policy, session, now).await?;

    let verdict_keys = match &inputs.sign_verdict {
        Some(key) => Some(verdicts::keys(key, policy.keys(), session).await?),
        None => None,
    };

    let client = client(&inputs, &policy, &versions)?;
    let evidence = inputs.access.evidence()?;
    let source = Source { client: &client, policy: &policy, environment, evidence: evidence.as_ref(), now };
    let checked = check(&source, versions.entries(), &inputs).await;
    if let Some(keys) = &verdict_keys {
        verdicts::sign(keys, &source, &checked).await?;
    }
    let name = inputs.versions.to_string_lossy();
    let about = About { versions: &name, policy: &policy, environment, now, ticket: ticket.as_ref() };
    let report = Report::new(&about, checked);
    tell_of_ticket(&report);
    for wanted in &inputs.reports {
        write_report(wanted, &report)?;
    }
    let explain = if inputs.explain { Explain::Yes } else { Explain::No };
    printer.body(&report, |report| text::report(report, explain))?;
    match report.outcome {
        Outcome::Passed => {}
        Outcome::Refused => return Ok(Exit::Of(inputs.exit_code)),
        Outcome::Unreachable => return Ok(Exit::Of(3)),
    }
    if inputs.lock {
        lock(&inputs.versions, &versions, prefix, &report)?;
    }
    Ok(Exit::Done)
}

async fn check(source: &Source<'_>, entries: &[Entry], inputs: &VerifyInputs) -> Vec<Checked> {
    let at_once = usize::from(inputs.at_once);
    let gate = Gate { policy: source.policy, environment: source.environment, now: source.now, at_once };
    let limit = inputs.time_limit;
    let end = Instant::now() + Duration::from_secs(limit.into());
    let late = |_| Unfound::Unreachable(format!("it was not answered within the {limit} s of --time-limit"));
    gate.check(
        entries,
        |reference| async move { timeout_at(end, source.resolve(&reference)).await.map_err(late)? },
        |repository, digest| async move { timeout_at(end, source.evidence(&repository, &digest)).await.map_err(late)? },
    )
    .await
}

async fn ticket_of(
    inputs: &VerifyInputs,
    policy: &Policy,
    session: &Session,
    now: i64,
) -> Result<Option<Ticket>, Failure> {
    let is_disabled = variable(DISABLED).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    let Some(text) = inputs.ticket.clone().or_else(|| variable(TICKET)) else {
        if is_disabled {
            warn(&format!("{DISABLED} is set and there is no ticket: images are verified all the same"));
        }
        return Ok(None);
    };
    let ticket = ticket::believed(&text, policy, session, now).await?;
    if is_disabled {
        warn(&format!("{DISABLED} IS SET, AND TICKET {} ALLOWS IT: {}", ticket.id, ticket.reason));
    }
    Ok(Some(ticket))
}

/// What passed by a ticket is told on standard error as well, whatever form the report has.
fn tell_of_ticket(report: &Report) {
    let Some(ticket) = &report.ticket else { return };
    let is_bypassed = |code: &artifact::policy::Finding| code.code == artifact::policy::Code::Bypassed;
    for image in report.images.iter().filter(|image| image.warnings.iter().any(is_bypassed)) {
        warn(&format!("NOT VERIFIED, passed by ticket {} of {}: {}", ticket.id, ticket.issued_by, image.reference));
    }
}

fn client(inputs: &VerifyInputs, policy: &Policy, versions: &Versions) -> Result<Client, Failure> {
    // The password is for the registries of the file, and where the policy says that they answer.
    let repositories = versions.entries().iter().map(|entry| entry.reference.repository());
    let registries = repositories.flat_map(|repository| {
        let endpoint = policy.endpoint(repository).map(|endpoint| endpoint.host.as_str());
        [Some(repository.registry()), endpoint].into_iter().flatten()
    });
    inputs.access.client(options(policy, Options::default()), registries)
}

fn write_report(wanted: &ReportWanted, report: &Report) -> Result<(), Failure> {
    let text = match wanted.form {
        Form::Images => Ok(listing::report(report)),
        Form::Junit => Ok(junit::report(report)),
        Form::Json => serde_json::to_string_pretty(report),
        Form::Sarif => serde_json::to_string_pretty(&sarif::report(report, env!("CARGO_PKG_VERSION"))),
    };
    let text = text.map_err(|error| Failure::failed(format!("writing a report: {error}"), "another form"))?;
    std::fs::write(&wanted.path, text).map_err(|error| Failure::file("writing", &wanted.path, &error))
}

/// Writes the digests into the file, or leaves it as it was: the new text replaces it in one step.
fn lock(path: &Path, versions: &Versions, prefix: Option<&str>, report: &Report) -> Result<(), Failure> {
    let digest_of = |entry: &Entry| {
        let found = report.images.iter().find(|image| (image.line, image.column) == (entry.line, entry.column));
        found
            .filter(|image| matches!(image.effect, Effect::Allow | Effect::Warn))
            .and_then(|image| image.digest.clone())
    };
    let text = versions.locked(prefix, digest_of);
    let text = text.map_err(|error| Failure::unusable(format!("{}: {error}", path.display()), "without --lock"))?;
    let written = || {
        let fresh = path.with_extension("qapi-lock");
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&fresh)?;
        let replaced = file
            .set_permissions(std::fs::metadata(path)?.permissions())
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&fresh, path));
        if replaced.is_err() {
            let _ = std::fs::remove_file(&fresh);
        }
        replaced
    };
    written().map_err(|error: std::io::Error| Failure::file("writing", path, &error))
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> Failure {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::unusable(format!("{}: {error}{cause}", path.display()), "another file; docs/guides/policy.md has the form")
}
