//! `qapi trusts`: whose jobs and workloads are believed, and as what. A job then needs no stored key.

mod create;
mod terms;

use api::secret::SecretText;
use api::trusts::{TestTrust, Trust, TrustVerdict, UpdateTrust};
use clap::{Args, Subcommand};

use self::terms::{Terms, one_of};
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup::identity::trust_id;
use crate::print::{Printer, or_empty, record, table};
use crate::session::Session;

/// What `qapi trusts` takes.
#[derive(Args)]
pub struct TrustsInputs {
    #[command(subcommand)]
    command: TrustsCommand,
}

#[derive(Subcommand)]
enum TrustsCommand {
    /// Trust the jobs or workloads of another system
    #[command(subcommand)]
    Create(create::CreateCommand),
    /// List trusts
    #[command(visible_alias = "ls")]
    List,
    /// Read a trust
    #[command(visible_alias = "get")]
    Show(Reference),
    /// Change what is given
    Update(UpdateInputs),
    /// Believe nobody by it for now; what it gave ends within a second
    Disable(Reference),
    /// Believe it again
    Enable(Reference),
    /// Say whether a token would be believed, and why: 0 yes, 1 no
    Test(TestInputs),
    /// Remove a trust; what it gave ends within a second
    Delete(DeleteInputs),
}

#[derive(Args)]
struct Reference {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
}

#[derive(Args)]
struct UpdateInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// A new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What a match may do, in place of all before; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<String>,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Args)]
struct TestInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// File that holds the token; standard input unless told
    file: Option<std::path::PathBuf>,
}

#[derive(Args)]
struct DeleteInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Does what was typed.
pub async fn run(inputs: TrustsInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = &session.client()?;
    match inputs.command {
        TrustsCommand::Create(inputs) => create::create(inputs, client, printer).await,
        TrustsCommand::List => list(client, printer).await,
        TrustsCommand::Show(inputs) => {
            let id = trust_id(client, &inputs.reference).await?;
            printer.body(&client.trust(id).await?, described)
        }
        TrustsCommand::Update(inputs) => update(inputs, client, printer).await,
        TrustsCommand::Disable(inputs) => switch(&inputs, false, client, printer).await,
        TrustsCommand::Enable(inputs) => switch(&inputs, true, client, printer).await,
        TrustsCommand::Test(inputs) => test(&inputs, client, printer).await,
        TrustsCommand::Delete(inputs) => {
            let id = trust_id(client, &inputs.reference).await?;
            input::confirmed(&format!("Delete the trust {}?", inputs.reference), inputs.yes)?;
            client.delete_trust(id).await?;
            printer.done(id, "deleted")
        }
    }
}

async fn list(client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let found = client.trusts().await?.items;
    printer.list("trusts", &found, &["ID", "NAME", "KIND", "STATE", "ISSUER", "SCOPES"], |trust| {
        vec![
            trust.id.to_string(),
            trust.name.clone(),
            trust.kind.clone(),
            if trust.is_active { "active" } else { "disabled" }.to_owned(),
            trust.issuer.clone(),
            trust.scopes.join(" "),
        ]
    })
}

async fn update(inputs: UpdateInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let terms = inputs.terms.read()?;
    let request = UpdateTrust {
        name: inputs.name,
        audience: terms.audience,
        jwks: terms.jwks,
        jwks_uri: terms.jwks_uri,
        rules: one_of(terms.rules),
        scopes: one_of(inputs.scopes),
        resources: terms.resources,
        lifetime_seconds: terms.lifetime_seconds,
        single_use: terms.single_use,
        is_active: None,
    };
    let id = trust_id(client, &inputs.reference).await?;
    printer.body(&client.update_trust(id, &request).await?, described)
}

async fn switch(
    inputs: &Reference,
    is_active: bool,
    client: &sdk::Client,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let id = trust_id(client, &inputs.reference).await?;
    let request = UpdateTrust { is_active: Some(is_active), ..UpdateTrust::default() };
    printer.body(&client.update_trust(id, &request).await?, |trust| {
        format!("{} is {}", trust.name, if trust.is_active { "active" } else { "disabled" })
    })
}

async fn test(inputs: &TestInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let token = input::text(inputs.file.as_deref())?;
    let token = SecretText::copy_from(token.expose().trim());
    let id = trust_id(client, &inputs.reference).await?;
    let verdict = client.test_trust(id, &TestTrust { token }).await?;
    printer.body(&verdict, judged)?;
    Ok(if verdict.is_accepted { Exit::Done } else { Exit::Failed })
}

fn judged(verdict: &TrustVerdict) -> String {
    let rows: Vec<Vec<String>> = verdict
        .checks
        .iter()
        .map(|check| {
            vec![check.check.clone(), if check.is_met { "met" } else { "not met" }.to_owned(), or_empty(&check.detail)]
        })
        .collect();
    let word = if verdict.is_accepted { "believed" } else { "not believed" };
    format!("{}{word}", table(&["CHECK", "RESULT", "FOUND"], &rows))
}

fn described(trust: &Trust) -> String {
    let rules = trust.rules.iter().map(|rule| format!("{}={}", rule.claim, rule.any_of.join("|")));
    let keys = match (&trust.jwks, &trust.jwks_uri) {
        (Some(_), _) => "pinned".to_owned(),
        (None, Some(uri)) => uri.clone(),
        (None, None) => "where the issuer's metadata says".to_owned(),
    };
    record(&[
        ("id", trust.id.to_string()),
        ("name", trust.name.clone()),
        ("kind", trust.kind.clone()),
        ("state", if trust.is_active { "active" } else { "disabled" }.to_owned()),
        ("issuer", trust.issuer.clone()),
        ("keys", keys),
        ("audience", trust.audience.clone()),
        ("rules", rules.collect::<Vec<_>>().join(" ")),
        ("scopes", trust.scopes.join(" ")),
        ("resources", trust.resources.join(" ")),
        ("lifetime", format!("{} s", trust.lifetime_seconds)),
        ("each token once", if trust.single_use { "yes" } else { "no" }.to_owned()),
        ("created", trust.created_at.to_string()),
    ])
}
