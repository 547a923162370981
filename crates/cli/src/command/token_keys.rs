//! `qapi token-keys`: the keys that sign the tenant's tokens.

use api::oauth::{RotateTokenKey, TokenKey};
use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::{Printer, or_empty, record};
use crate::session::Session;

/// What `qapi token-keys` takes.
#[derive(Args)]
pub struct TokenKeysInputs {
    #[command(subcommand)]
    command: TokenKeysCommand,
}

#[derive(Subcommand)]
enum TokenKeysCommand {
    /// List keys, the oldest first
    #[command(visible_alias = "ls")]
    List,
    /// Give a key its successor, which is published before it signs
    Rotate(RotateInputs),
    /// Believe nothing more that a key signed
    Revoke(RevokeInputs),
}

#[derive(Args)]
struct RotateInputs {
    /// ML-DSA-65 unless told
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<String>,
    /// How long it is published before it signs: at least 300, 600 unless told
    #[arg(long, value_name = "SECONDS")]
    lead: Option<u32>,
}

#[derive(Args)]
struct RevokeInputs {
    /// Id, or name in tokens
    #[arg(value_name = "ID|KID")]
    reference: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Does what was typed.
pub async fn run(inputs: TokenKeysInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        TokenKeysCommand::List => list(client, printer).await,
        TokenKeysCommand::Rotate(inputs) => {
            let request = RotateTokenKey { algorithm: inputs.algorithm, lead_seconds: inputs.lead };
            printer.body(&client.rotate_token_key(&request).await?, described)
        }
        TokenKeysCommand::Revoke(inputs) => {
            let id = inputs.id(client).await?;
            input::confirmed(&format!("Believe nothing more that {} signed?", inputs.reference), inputs.yes)?;
            printer.body(&client.revoke_token_key(id).await?, described)
        }
    }
}

impl RevokeInputs {
    async fn id(&self, client: &sdk::Client) -> Result<Uuid, Failure> {
        if let Ok(id) = self.reference.parse() {
            return Ok(id);
        }
        let keys = client.token_keys().await?.keys;
        let found = keys.iter().find(|key| key.kid == self.reference).map(|key| key.id);
        found.ok_or_else(|| {
            Failure::failed(format!("no token key is called {}", self.reference), "`qapi token-keys list`")
        })
    }
}

async fn list(client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let keys = client.token_keys().await?.keys;
    printer.list("keys", &keys, &["ID", "KID", "ALGORITHM", "STATE", "SIGNS FROM", "UNTIL"], |key| {
        vec![
            key.id.to_string(),
            key.kid.clone(),
            key.algorithm.clone(),
            key.state.clone(),
            key.active_from.to_string(),
            or_empty(&key.retired_at),
        ]
    })
}

fn described(key: &TokenKey) -> String {
    record(&[
        ("id", key.id.to_string()),
        ("kid", key.kid.clone()),
        ("algorithm", key.algorithm.clone()),
        ("state", key.state.clone()),
        ("published", if key.is_published { "yes" } else { "no" }.to_owned()),
        ("signs from", key.active_from.to_string()),
        ("until", or_empty(&key.retired_at)),
        ("created", key.created_at.to_string()),
    ])
}
