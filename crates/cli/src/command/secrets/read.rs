//! Reading secrets: masked for people, bare for scripts.

use api::secret::SecretText;
use api::secrets::{ListSecrets, ReadHistory, ReadSecret, Secret, SecretWithValue};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::env_file::{shell_quoted, variable_name};
use crate::failure::{Exit, Failure};
use crate::lookup;
use crate::print::{MASK, Printer, Style, or_empty, record, table};

/// A secret by id or name.
#[derive(Args)]
pub struct Reference {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    pub reference: String,
}

#[derive(Args)]
pub struct GetInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Show the value
    #[arg(long)]
    show: bool,
    /// Form of the value
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// An older version
    #[arg(long)]
    version: Option<u32>,
}

/// The form of a value.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// As it is
    Raw,
    /// As text that ends in one line end
    Pem,
    /// An object with id, name, value and version
    Json,
    /// A line for a shell: NAME='value'
    Env,
}

/// Reads one secret.
pub async fn get(
    inputs: GetInputs,
    style: Style,
    client: &sdk::Client,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let query = ReadSecret { version: inputs.version, include: None };
    let mut secret = match inputs.reference.parse() {
        Ok(id) => client.secret(id, &query).await?,
        Err(_) => client.secret_by_name(&inputs.reference, &query).await?,
    };
    if style == Style::Careful && !inputs.show {
        mask(&mut secret);
    }
    let format = inputs.format.or((style == Style::Bare && !printer.is_json()).then_some(Format::Raw));
    match format {
        Some(format) => formatted(&secret, format, printer),
        None => printer.body(&secret, described),
    }
}

/// Puts the mask in place of what must not be shown.
pub fn mask(secret: &mut SecretWithValue) {
    secret.value = SecretText::copy_from(MASK);
    secret.totp_secret = secret.totp_secret.as_ref().map(|_| SecretText::copy_from(MASK));
}

fn formatted(secret: &SecretWithValue, format: Format, printer: &mut Printer) -> Result<Exit, Failure> {
    let value = secret.value.expose();
    match format {
        Format::Raw => printer.bare(value.as_bytes()),
        Format::Pem => printer.line(value),
        Format::Env => {
            let line = SecretText::new(format!("{}={}", variable_name(&secret.name), shell_quoted(value).expose()));
            printer.line(line.expose())
        }
        Format::Json => {
            printer.json(&json!({"id": secret.id, "name": secret.name, "value": value, "version": secret.version}))?;
            Ok(Exit::Done)
        }
    }
}

fn described(secret: &SecretWithValue) -> String {
    record(&[
        ("id", secret.id.to_string()),
        ("name", secret.name.clone()),
        ("value", secret.value.expose().to_owned()),
        ("version", secret.version.to_string()),
        ("type", or_empty(&secret.content_type)),
        ("description", or_empty(&secret.description)),
        ("labels", secret.labels.as_deref().unwrap_or_default().join(", ")),
        ("user", secret.username.as_ref().map(|name| name.expose().to_owned()).unwrap_or_default()),
        ("active", secret.is_active.to_string()),
        ("created", secret.created_at.to_string()),
        ("updated", or_empty(&secret.updated_at)),
        ("expires", or_empty(&secret.expires_at)),
    ])
}

#[derive(Args)]
pub struct ListInputs {
    /// Only with this in name, description, type or labels
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only with this label
    #[arg(long)]
    label: Option<String>,
    /// Only of this content type
    #[arg(long = "type", value_name = "TYPE")]
    content_type: Option<String>,
    /// Deactivated ones too
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub struct SearchInputs {
    /// The text to search for
    text: String,
}

/// Lists secrets, without values.
pub async fn list(inputs: ListInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let query = ListSecrets {
        search: inputs.search,
        label: inputs.label,
        content_type: inputs.content_type,
        include_inactive: inputs.all.then_some(true),
        ..ListSecrets::default()
    };
    print_list(&lookup::all_secrets(client, query).await?, printer)
}

/// Lists secrets that have a text.
pub async fn search(inputs: SearchInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let query = ListSecrets { search: Some(inputs.text), ..ListSecrets::default() };
    print_list(&lookup::all_secrets(client, query).await?, printer)
}

fn print_list(secrets: &[Secret], printer: &mut Printer) -> Result<Exit, Failure> {
    if printer.is_json() {
        return printer.body(&json!({ "secrets": secrets, "total": secrets.len() }), |_| String::new());
    }
    let rows: Vec<Vec<String>> = secrets
        .iter()
        .map(|secret| {
            vec![
                secret.id.to_string(),
                secret.name.clone(),
                secret.version.to_string(),
                or_empty(&secret.content_type),
                or_empty(&secret.updated_at),
            ]
        })
        .collect();
    printer.bare(table(&["ID", "NAME", "VERSION", "TYPE", "UPDATED"], &rows).as_bytes())
}

#[derive(Args)]
pub struct HistoryInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Show the values, which is audited
    #[arg(long)]
    show: bool,
    /// Versions at most, up to 20
    #[arg(long, value_name = "N")]
    max: Option<u32>,
}

/// Lists a secret's versions, newest first.
pub async fn history(inputs: HistoryInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::secret_id(client, &inputs.reference).await?;
    let query = ReadHistory { max_versions: inputs.max, values: Some(inputs.show) };
    let history = client.secret_history(id, &query).await?;
    printer.body(&history, |history| {
        let rows: Vec<Vec<String>> = history
            .versions
            .iter()
            .map(|version| {
                let value = version.value.as_ref().map(|value| value.expose().to_owned());
                vec![
                    version.version.to_string(),
                    version.created_at.to_string(),
                    or_empty(&version.changed_by),
                    value.unwrap_or_else(|| MASK.to_owned()),
                ]
            })
            .collect();
        table(&["VERSION", "CREATED", "BY", "VALUE"], &rows)
    })
}

/// Judges a secret.
pub async fn insights(inputs: Reference, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::secret_id(client, &inputs.reference).await?;
    let insights = client.secret_insights(id).await?;
    printer.body(&insights, |insights| {
        let head = record(&[
            ("name", insights.secret_name.clone()),
            ("strength", insights.strength.clone()),
            ("risk", insights.risk_level.clone()),
        ]);
        let advice: String = insights.recommendations.iter().map(|text| format!("- {text}\n")).collect();
        head + &advice
    })
}
