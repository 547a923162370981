//! `qapi apis`: the APIs that tokens are for.

use api::applications::{CreateResourceServer, ResourceServer, UpdateResourceServer};
use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::failure::{Exit, Failure};
use crate::input::{self, given};
use crate::print::{Printer, record};
use crate::session::Session;

/// What `qapi apis` takes.
#[derive(Args)]
pub struct ApisInputs {
    #[command(subcommand)]
    command: ApisCommand,
}

#[derive(Subcommand)]
enum ApisCommand {
    /// Register an API that applications get tokens for
    Create(CreateInputs),
    /// List APIs
    #[command(visible_alias = "ls")]
    List,
    /// Read an API
    #[command(visible_alias = "get")]
    Show(Reference),
    /// Change what is given
    Update(UpdateInputs),
    /// Remove an API: nobody can ask for tokens for it any more
    Delete(DeleteInputs),
}

#[derive(Args)]
struct CreateInputs {
    /// The audience of its tokens: an absolute URI
    identifier: String,
    /// The name; the identifier unless told
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    settings: SettingsInputs,
}

#[derive(Args)]
struct SettingsInputs {
    /// The form of its tokens: jwt, or opaque where proxies have small buffers
    #[arg(long, value_name = "jwt|opaque")]
    token_format: Option<String>,
    /// How long they live: 60 to 600
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u32>,
    /// A scope it knows; may be repeated; an empty text clears
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
}

#[derive(Args)]
struct Reference {
    /// Id, identifier or name
    #[arg(value_name = "ID|URI|NAME")]
    reference: String,
}

#[derive(Args)]
struct DeleteInputs {
    #[command(flatten)]
    of: Reference,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Args)]
struct UpdateInputs {
    #[command(flatten)]
    of: Reference,
    /// A new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    settings: SettingsInputs,
}

/// Does what was typed.
pub async fn run(inputs: ApisInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        ApisCommand::Create(inputs) => create(inputs, client, printer).await,
        ApisCommand::List => list(client, printer).await,
        ApisCommand::Show(inputs) => {
            let id = inputs.id(client).await?;
            printer.body(&client.resource_server(id).await?, described)
        }
        ApisCommand::Update(inputs) => update(inputs, client, printer).await,
        ApisCommand::Delete(inputs) => {
            let id = inputs.of.id(client).await?;
            input::confirmed(&format!("Remove the API {}?", inputs.of.reference), inputs.yes)?;
            client.delete_resource_server(id).await?;
            printer.done(id, "deleted")
        }
    }
}

impl Reference {
    async fn id(&self, client: &sdk::Client) -> Result<Uuid, Failure> {
        if let Ok(id) = self.reference.parse() {
            return Ok(id);
        }
        let all = client.resource_servers().await?.items;
        let is_it = |of: &&ResourceServer| of.identifier == self.reference || of.name == self.reference;
        let found: Vec<Uuid> = all.iter().filter(is_it).map(|of| of.id).collect();
        match found.as_slice() {
            [id] => Ok(*id),
            [] => Err(Failure::failed(format!("no API is called {}", self.reference), "`qapi apis list`")),
            _ => Err(Failure::unusable(format!("several APIs are called {}", self.reference), "its identifier")),
        }
    }
}

async fn create(inputs: CreateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = CreateResourceServer {
        name: inputs.name.unwrap_or_else(|| inputs.identifier.clone()),
        identifier: inputs.identifier,
        token_format: inputs.settings.token_format,
        token_lifetime_seconds: inputs.settings.lifetime,
        scopes: inputs.settings.scopes,
    };
    printer.body(&client.create_resource_server(&request).await?, described)
}

async fn update(inputs: UpdateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = UpdateResourceServer {
        name: inputs.name,
        token_format: inputs.settings.token_format,
        token_lifetime_seconds: inputs.settings.lifetime,
        scopes: given(inputs.settings.scopes),
    };
    let id = inputs.of.id(client).await?;
    printer.body(&client.update_resource_server(id, &request).await?, described)
}

async fn list(client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let found = client.resource_servers().await?.items;
    printer.list("apis", &found, &["ID", "IDENTIFIER", "NAME", "TOKENS", "SCOPES"], |of| {
        vec![of.id.to_string(), of.identifier.clone(), of.name.clone(), of.token_format.clone(), of.scopes.join(" ")]
    })
}

fn described(of: &ResourceServer) -> String {
    record(&[
        ("id", of.id.to_string()),
        ("identifier", of.identifier.clone()),
        ("name", of.name.clone()),
        ("tokens", of.token_format.clone()),
        ("lifetime", format!("{} s", of.token_lifetime_seconds)),
        ("scopes", of.scopes.join(" ")),
        ("created", of.created_at.to_string()),
    ])
}
