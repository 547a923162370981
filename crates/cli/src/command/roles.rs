//! `qapi roles`: what tokens say of people, by name.

use api::people::{CreateRole, ListRoles, Role, UpdateRole};
use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup::identity::{optional_application, role_id};
use crate::print::{Printer, or_empty, record};
use crate::session::Session;

/// What `qapi roles` takes.
#[derive(Args)]
pub struct RolesInputs {
    #[command(subcommand)]
    command: RolesCommand,
}

#[derive(Subcommand)]
enum RolesCommand {
    /// Make a role
    Create(CreateInputs),
    /// List roles
    #[command(visible_alias = "ls")]
    List(ListInputs),
    /// Read a role
    #[command(visible_alias = "get")]
    Show(Reference),
    /// Change what is given
    Update(UpdateInputs),
    /// Delete a role that nobody has
    Delete(DeleteInputs),
}

#[derive(Args)]
struct CreateInputs {
    /// The name, as it stands in tokens
    name: String,
    /// Application whose end users can have it; those of every one unless told
    #[arg(long, value_name = "ID|NAME")]
    app: Option<String>,
    #[command(flatten)]
    settings: SettingsInputs,
}

#[derive(Args)]
struct SettingsInputs {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A permission, for applications that read them; may be repeated
    #[arg(long = "permission", value_name = "TEXT")]
    permissions: Vec<String>,
    /// Whether new end users are given it
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    default: Option<bool>,
}

#[derive(Args)]
struct ListInputs {
    /// Only roles that this application's end users can have
    #[arg(long, value_name = "ID|NAME")]
    app: Option<String>,
}

#[derive(Args)]
struct Reference {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Application, where several have a role of this name
    #[arg(long, value_name = "ID|NAME")]
    app: Option<String>,
}

#[derive(Args)]
struct DeleteInputs {
    #[command(flatten)]
    role: Reference,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

#[derive(Args)]
struct UpdateInputs {
    #[command(flatten)]
    role: Reference,
    /// A new name; tokens that hold the old one are refused
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    settings: SettingsInputs,
}

/// Does what was typed.
pub async fn run(inputs: RolesInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        RolesCommand::Create(inputs) => create(inputs, client, printer).await,
        RolesCommand::List(inputs) => list(&inputs, client, printer).await,
        RolesCommand::Show(inputs) => printer.body(&client.role(inputs.id(client).await?).await?, described),
        RolesCommand::Update(inputs) => update(inputs, client, printer).await,
        RolesCommand::Delete(inputs) => {
            let id = inputs.role.id(client).await?;
            input::confirmed(&format!("Delete the role {}?", inputs.role.reference), inputs.yes)?;
            client.delete_role(id).await?;
            printer.done(id, "deleted")
        }
    }
}

impl Reference {
    async fn id(&self, client: &sdk::Client) -> Result<uuid::Uuid, Failure> {
        let app = optional_application(client, self.app.as_deref()).await?;
        role_id(client, app, &self.reference).await
    }
}

async fn create(inputs: CreateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = CreateRole {
        name: inputs.name,
        application_id: optional_application(client, inputs.app.as_deref()).await?,
        permissions: texts(&inputs.settings.permissions)?,
        description: inputs.settings.description,
        is_default: inputs.settings.default.unwrap_or(false),
    };
    printer.body(&client.create_role(&request).await?, described)
}

async fn update(inputs: UpdateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let request = UpdateRole {
        name: inputs.name,
        permissions: texts(&inputs.settings.permissions)?,
        description: inputs.settings.description,
        is_default: inputs.settings.default,
    };
    let id = inputs.role.id(client).await?;
    printer.body(&client.update_role(id, &request).await?, described)
}

async fn list(inputs: &ListInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let application_id = optional_application(client, inputs.app.as_deref()).await?;
    let roles = client.roles(&ListRoles { application_id }).await?;
    printer.list("roles", &roles, &["ID", "NAME", "APPLICATION", "DEFAULT", "PEOPLE"], |role| {
        vec![
            role.id.to_string(),
            role.name.clone(),
            role.application_name.clone().unwrap_or_else(|| "every".to_owned()),
            if role.is_default { "yes" } else { "no" }.to_owned(),
            role.end_user_count.to_string(),
        ]
    })
}

/// The text of a JSON array, which is how the contract spells permissions.
fn texts(texts: &[String]) -> Result<Option<String>, Failure> {
    if texts.is_empty() {
        return Ok(None);
    }
    let texts: Vec<&String> = texts.iter().filter(|text| !text.is_empty()).collect();
    let text = serde_json::to_string(&texts);
    text.map(Some).map_err(|error| Failure::unusable(format!("writing permissions: {error}"), "other permissions"))
}

fn described(role: &Role) -> String {
    record(&[
        ("id", role.id.to_string()),
        ("name", role.name.clone()),
        ("description", or_empty(&role.description)),
        ("application", role.application_name.clone().unwrap_or_else(|| "every".to_owned())),
        ("permissions", or_empty(&role.permissions)),
        ("default", role.is_default.to_string()),
        ("people", role.end_user_count.to_string()),
        ("created", role.created_at.to_string()),
    ])
}
