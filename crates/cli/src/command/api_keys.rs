//! `qapi apikeys`.

use api::api_keys::{ApiKey, CreateApiKey, CreatedApiKey, ListApiKeys, RotateApiKey};
use api::limits::PAGE_SIZE_MAX;
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use crate::clock;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::{Printer, or_empty, record, table};
use crate::session::Session;

/// What `qapi apikeys` takes.
#[derive(Args)]
pub struct ApiKeysInputs {
    #[command(subcommand)]
    command: ApiKeysCommand,
}

#[derive(Subcommand)]
enum ApiKeysCommand {
    /// Make an API key and show it once
    Create(CreateInputs),
    /// List API keys
    #[command(visible_alias = "ls")]
    List(ListInputs),
    /// Read an API key's description
    Get(Reference),
    /// Give an API key a new text and show it once
    Rotate(RotateInputs),
    /// Revoke an API key
    #[command(visible_alias = "delete")]
    Revoke(Reference),
}

#[derive(Args)]
struct Reference {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
}

#[derive(Args)]
struct CreateInputs {
    /// The name, as the audit trail shows it
    name: String,
    /// What it may do: secrets:read, decrypt, ...; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    scopes: Vec<String>,
    /// A resource it is confined to: secrets:users-api/*, keys:orders; may be given several times
    #[arg(long = "resource", value_name = "KIND:PATTERN")]
    resources: Vec<String>,
    /// A network it may be used from; may be given several times
    #[arg(long = "cidr", value_name = "NETWORK")]
    cidrs: Vec<String>,
    /// When it dies: 30d, 12h, or RFC 3339
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    /// Bind it to an environment: it reaches only what is labelled environment:NAME
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Requests a minute
    #[arg(long, value_name = "N")]
    rate_limit: Option<u32>,
}

#[derive(Args)]
struct ListInputs {
    /// Revoked and expired ones too
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
struct RotateInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Seconds that the old text goes on working
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u32>,
}

/// Does what was typed.
pub async fn run(inputs: ApiKeysInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        ApiKeysCommand::Create(inputs) => create(inputs, client, printer).await,
        ApiKeysCommand::List(inputs) => list(&inputs, client, printer).await,
        ApiKeysCommand::Get(inputs) => {
            let id = id_of(client, &inputs.reference).await?;
            printer.body(&client.api_key(id).await?, described)
        }
        ApiKeysCommand::Rotate(inputs) => {
            let id = id_of(client, &inputs.reference).await?;
            let made = client.rotate_api_key(id, &RotateApiKey { grace_seconds: inputs.grace }).await?;
            printer.body(&made, shown_once)
        }
        ApiKeysCommand::Revoke(inputs) => {
            let id = id_of(client, &inputs.reference).await?;
            printer.body(&client.revoke_api_key(id).await?, |key| format!("revoked {} ({})", key.name, key.id))
        }
    }
}

async fn create(inputs: CreateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let body = CreateApiKey {
        name: inputs.name,
        scopes: inputs.scopes,
        resources: inputs.resources,
        expires_at: inputs.expires.map(|text| input::instant(&text, clock::now())).transpose()?,
        allowed_cidrs: inputs.cidrs,
        environment: inputs.environment,
        rate_limit_per_minute: inputs.rate_limit,
    };
    printer.body(&client.create_api_key(&body).await?, shown_once)
}

async fn list(inputs: &ListInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let keys = all(client, inputs.all).await?;
    if printer.is_json() {
        return printer.body(&json!({ "apiKeys": keys, "total": keys.len() }), |_| String::new());
    }
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            vec![
                key.id.to_string(),
                key.name.clone(),
                key.prefix.clone(),
                if key.is_active { "active" } else { "inactive" }.to_owned(),
                key.scopes.join(" "),
                or_empty(&key.last_used_at),
            ]
        })
        .collect();
    printer.bare(table(&["ID", "NAME", "PREFIX", "STATE", "SCOPES", "LAST USED"], &rows).as_bytes())
}

async fn all(client: &sdk::Client, include_inactive: bool) -> Result<Vec<ApiKey>, Failure> {
    let mut all = Vec::new();
    for page in 1.. {
        let include_inactive = include_inactive.then_some(true);
        let query = ListApiKeys { page: Some(page), page_size: Some(PAGE_SIZE_MAX), include_inactive };
        let list = client.api_keys(&query).await?;
        let is_empty = list.api_keys.is_empty();
        all.extend(list.api_keys);
        if !list.has_more || is_empty {
            break;
        }
    }
    Ok(all)
}

async fn id_of(client: &sdk::Client, reference: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = reference.parse() {
        return Ok(id);
    }
    let found = all(client, false).await?;
    let ids: Vec<Uuid> = found.iter().filter(|key| key.name == reference).map(|key| key.id).collect();
    match ids.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failure::failed(format!("no API key is called {reference}"), "`qapi apikeys list`")),
        _ => Err(Failure::unusable(format!("several API keys are called {reference}"), "an id of `qapi apikeys list`")),
    }
}

fn shown_once(made: &CreatedApiKey) -> String {
    record(&[
        ("id", made.id.to_string()),
        ("name", made.name.clone()),
        ("key", made.key.expose().to_owned()),
        ("scopes", made.scopes.join(" ")),
        ("resources", made.resources.join(" ")),
        ("expires", or_empty(&made.expires_at)),
        ("old key until", or_empty(&made.previous_valid_until)),
    ])
}

fn described(key: &ApiKey) -> String {
    record(&[
        ("id", key.id.to_string()),
        ("name", key.name.clone()),
        ("prefix", key.prefix.clone()),
        ("active", key.is_active.to_string()),
        ("scopes", key.scopes.join(" ")),
        ("resources", key.resources.join(" ")),
        ("networks", key.allowed_cidrs.join(" ")),
        ("environment", or_empty(&key.environment)),
        ("created", key.created_at.to_string()),
        ("last used", or_empty(&key.last_used_at)),
        ("expires", or_empty(&key.expires_at)),
        ("revoked", or_empty(&key.revoked_at)),
    ])
}
