//! `qapi tenants`.

use api::limits::PAGE_SIZE_MAX;
use api::tenants::{CreateTenant, ListTenants, Tenant};
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use crate::failure::{Exit, Failure};
use crate::print::{Printer, record, table};
use crate::session::Session;

/// What `qapi tenants` takes.
#[derive(Args)]
pub struct TenantsInputs {
    #[command(subcommand)]
    command: TenantsCommand,
}

#[derive(Subcommand)]
enum TenantsCommand {
    /// Make a tenant and show its administrator's API key once
    Create(CreateInputs),
    /// List tenants
    #[command(visible_alias = "ls")]
    List,
    /// Read a tenant
    Get(Reference),
    /// Refuse all credentials of a tenant
    Suspend(Reference),
    /// Accept them again
    Activate(Reference),
}

#[derive(Args)]
struct CreateInputs {
    /// The name
    name: String,
    /// For addresses: lower-case letters, digits and hyphens
    #[arg(long)]
    slug: Option<String>,
}

#[derive(Args)]
struct Reference {
    /// Id or slug
    #[arg(value_name = "ID|SLUG")]
    reference: String,
}

/// Does what was typed.
pub async fn run(inputs: TenantsInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        TenantsCommand::Create(inputs) => create(inputs, client, printer).await,
        TenantsCommand::List => list(client, printer).await,
        TenantsCommand::Get(inputs) => {
            let tenant = client.tenant(id_of(client, &inputs.reference).await?).await?;
            printer.body(&tenant, described)
        }
        TenantsCommand::Suspend(inputs) => {
            let tenant = client.suspend_tenant(id_of(client, &inputs.reference).await?).await?;
            printer.body(&tenant, |tenant| format!("{} is {}", tenant.name, tenant.status))
        }
        TenantsCommand::Activate(inputs) => {
            let tenant = client.activate_tenant(id_of(client, &inputs.reference).await?).await?;
            printer.body(&tenant, |tenant| format!("{} is {}", tenant.name, tenant.status))
        }
    }
}

async fn create(inputs: CreateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let made = client.create_tenant(&CreateTenant { name: inputs.name, slug: inputs.slug }).await?;
    printer.body(&made, |made| {
        record(&[
            ("id", made.id.to_string()),
            ("name", made.name.clone()),
            ("slug", made.slug.clone()),
            ("key", made.admin_key.key.expose().to_owned()),
        ])
    })
}

async fn list(client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let tenants = all(client).await?;
    if printer.is_json() {
        return printer.body(&json!({ "tenants": tenants, "total": tenants.len() }), |_| String::new());
    }
    let row =
        |tenant: &Tenant| vec![tenant.id.to_string(), tenant.slug.clone(), tenant.name.clone(), tenant.status.clone()];
    let rows: Vec<Vec<String>> = tenants.iter().map(row).collect();
    printer.bare(table(&["ID", "SLUG", "NAME", "STATUS"], &rows).as_bytes())
}

async fn all(client: &sdk::Client) -> Result<Vec<Tenant>, Failure> {
    let mut all = Vec::new();
    for page in 1.. {
        let list = client.tenants(&ListTenants { page: Some(page), page_size: Some(PAGE_SIZE_MAX) }).await?;
        let is_empty = list.tenants.is_empty();
        all.extend(list.tenants);
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
    let found = all(client).await?.into_iter().find(|tenant| tenant.slug == reference);
    let missing = || Failure::failed(format!("no tenant has the slug {reference}"), "`qapi tenants list`");
    found.map(|tenant| tenant.id).ok_or_else(missing)
}

fn described(tenant: &Tenant) -> String {
    record(&[
        ("id", tenant.id.to_string()),
        ("slug", tenant.slug.clone()),
        ("name", tenant.name.clone()),
        ("status", tenant.status.clone()),
        ("created", tenant.created_at.to_string()),
    ])
}
