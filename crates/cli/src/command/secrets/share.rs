//! Share links.

use api::secret::SecretText;
use api::shares::{CreateShareLink, OpenShareLink};
use clap::Args;
use uuid::Uuid;

use super::read::Reference;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::lookup;
use crate::print::{Printer, or_empty, record, table};

#[derive(Args)]
pub struct ShareInputs {
    /// Id or name
    #[arg(value_name = "ID|NAME")]
    reference: String,
    /// Hours that the link lives: 1 to 720
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// How often it may be opened; unlimited unless given
    #[arg(long, value_name = "N")]
    max: Option<u32>,
    /// Ask for a password that the recipient has to enter
    #[arg(long)]
    password: bool,
}

/// Makes a link, whose token is shown this once.
pub async fn share(inputs: ShareInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let secret_id = lookup::secret_id(client, &inputs.reference).await?;
    let body = CreateShareLink {
        secret_id,
        expires_in_hours: Some(inputs.hours),
        max_access_count: inputs.max,
        password: inputs.password.then(|| input::value(None, "Password of the link")).transpose()?,
    };
    let link = client.create_share_link(&body).await?;
    printer.body(&link, |link| {
        record(&[
            ("id", link.id.to_string()),
            ("url", link.url.as_ref().map(|url| url.expose().to_owned()).unwrap_or_default()),
            ("token", link.token.expose().to_owned()),
            ("expires", link.expires_at.to_string()),
        ])
    })
}

/// Lists a secret's links.
pub async fn shares(inputs: Reference, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let id = lookup::secret_id(client, &inputs.reference).await?;
    let list = client.share_links(id).await?;
    printer.body(&list, |list| {
        let rows: Vec<Vec<String>> = list
            .links
            .iter()
            .map(|link| {
                let opened = match link.max_access_count {
                    Some(max) => format!("{} of {max}", link.access_count),
                    None => link.access_count.to_string(),
                };
                vec![
                    link.id.to_string(),
                    link.status.clone(),
                    opened,
                    link.expires_at.to_string(),
                    or_empty(&link.created_by),
                ]
            })
            .collect();
        table(&["ID", "STATUS", "OPENED", "EXPIRES", "BY"], &rows)
    })
}

#[derive(Args)]
pub struct UnshareInputs {
    /// The link's id
    link: Uuid,
}

/// Revokes a link.
pub async fn unshare(inputs: UnshareInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let revoked = client.revoke_share_link(inputs.link).await?;
    printer.body(&revoked, |_| format!("revoked {}", inputs.link))
}

#[derive(Args)]
pub struct OpenInputs {
    /// The link's token or address, or `-` for standard input
    #[arg(allow_hyphen_values = true)]
    token: String,
    /// Ask for the link's password
    #[arg(long)]
    password: bool,
}

/// Opens a link and prints the bare value.
pub async fn open(inputs: OpenInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let link = input::value(Some(inputs.token), "Token")?;
    let token =
        link.expose().trim().rsplit('/').next().map(SecretText::copy_from).unwrap_or(SecretText::new(String::new()));
    let password = inputs.password.then(|| input::value(None, "Password of the link")).transpose()?;
    let opened = client.open_share_link(token.expose(), &OpenShareLink { password }).await?;
    if printer.is_json() {
        return printer.body(&opened, |_| String::new());
    }
    printer.bare(opened.value.expose().as_bytes())
}
