//! `qapi gate ticket`, and what a gate believes of a ticket.

use api::gate_tickets::{GateTicket, IssueGateTicket, IssuedGateTicket};
use artifact::gate::ticket::{NotATicket, Ticket};
use artifact::policy::Policy;
use clap::{Args, Subcommand};
use domain::time::Timestamp;
use uuid::Uuid;

use crate::clock;
use crate::failure::{Exit, Failure};
use crate::input;
use crate::print::{Printer, or_empty, record, table, warn};
use crate::session::Session;

/// What `qapi gate ticket` takes.
#[derive(Args)]
pub struct TicketInputs {
    #[command(subcommand)]
    command: TicketCommand,
}

#[derive(Subcommand)]
enum TicketCommand {
    /// Issue a ticket, for an hour unless told and for a day at most
    Issue(IssueInputs),
    /// List tickets, the newest first
    #[command(visible_alias = "ls")]
    List,
    /// Read a ticket
    Get(Id),
    /// Take a ticket back
    Revoke(Id),
}

#[derive(Args)]
struct Id {
    /// The ticket's id
    id: Uuid,
}

#[derive(Args)]
struct IssueInputs {
    /// Why; it stands in the audit trail and in every report
    #[arg(long)]
    reason: String,
    /// The environment in which images pass
    #[arg(long, value_name = "NAME", required_unless_present = "digests")]
    environment: Option<String>,
    /// An image that passes, sha256:...; may be given several times. All images of the environment unless given
    #[arg(long = "digest", value_name = "DIGEST")]
    digests: Vec<String>,
    /// When it ends: 2h, 30m, or RFC 3339
    #[arg(long, value_name = "WHEN", default_value = "1h")]
    expires: String,
    /// Print nothing but the signed ticket, for QAPI_GATE_TICKET
    #[arg(long)]
    token_only: bool,
}

/// Does what was typed.
pub async fn run(inputs: TicketInputs, session: &Session, printer: &mut Printer) -> Result<Exit, Failure> {
    let client = session.client()?;
    match inputs.command {
        TicketCommand::Issue(inputs) => issue(inputs, &client, printer).await,
        TicketCommand::List => {
            let list = client.gate_tickets().await?;
            printer.body(&list, |list| listed(&list.items))
        }
        TicketCommand::Get(Id { id }) => printer.body(&client.gate_ticket(id).await?, described),
        TicketCommand::Revoke(Id { id }) => printer.body(&client.revoke_gate_ticket(id).await?, described),
    }
}

async fn issue(inputs: IssueInputs, client: &sdk::Client, printer: &mut Printer) -> Result<Exit, Failure> {
    let now = clock::now();
    let expires: Timestamp = input::instant(&inputs.expires, now)?.timestamp();
    // Rounded up, so that a ticket that was asked for until an instant reaches it.
    let seconds = expires.millis().saturating_sub(now.millis()).saturating_add(999) / 1000;
    let body = IssueGateTicket {
        reason: inputs.reason,
        environment: inputs.environment,
        digests: inputs.digests,
        lifetime_seconds: Some(u32::try_from(seconds).unwrap_or(if seconds < 0 { 0 } else { u32::MAX })),
    };
    let issued = client.issue_gate_ticket(&body).await?;
    match inputs.token_only {
        true => printer.line(&issued.token),
        false => printer.body(&issued, |issued| {
            let IssuedGateTicket { ticket, token } = issued;
            format!("{}token:      {token}\n", described(ticket))
        }),
    }
}

fn described(ticket: &GateTicket) -> String {
    let (revoked_at, revoked_by) = (or_empty(&ticket.revoked_at), or_empty(&ticket.revoked_by));
    record(&[
        ("id", ticket.id.to_string()),
        ("status", ticket.status.clone()),
        ("reason", ticket.reason.clone()),
        ("environment", or_empty(&ticket.environment)),
        ("digests", ticket.digests.join(" ")),
        ("issued by", ticket.issued_by.clone()),
        ("issued", ticket.issued_at.to_string()),
        ("expires", ticket.expires_at.to_string()),
        ("revoked", revoked_at),
        ("revoked by", revoked_by),
    ])
}

fn listed(tickets: &[GateTicket]) -> String {
    let row = |ticket: &GateTicket| {
        let scope = ticket.environment.clone().unwrap_or_else(|| format!("{} digests", ticket.digests.len()));
        vec![
            ticket.id.to_string(),
            ticket.status.clone(),
            scope,
            ticket.expires_at.to_string(),
            ticket.issued_by.clone(),
            ticket.reason.clone(),
        ]
    };
    let rows: Vec<_> = tickets.iter().map(row).collect();
    table(&["ID", "STATUS", "FOR", "EXPIRES", "ISSUED BY", "REASON"], &rows)
}

/// The ticket behind an id or a signed text. Where the server can be asked, its word counts, because it knows what was taken back.
pub async fn believed(text: &str, policy: &Policy, session: &Session, now: i64) -> Result<Ticket, Failure> {
    let text = text.trim();
    if let Ok(id) = text.parse::<Uuid>() {
        return of_server(session.client()?.gate_ticket(id).await?);
    }
    let signed = Ticket::read(text, policy, now);
    let id = Ticket::danger_unverified_id(text).and_then(|id| id.parse::<Uuid>().ok());
    let has_server = session.base_url()?.is_some() && session.credential()?.is_some();
    if let Some(id) = id.filter(|_| has_server) {
        match session.client()?.gate_ticket(id).await {
            Ok(ticket) => return of_server(ticket),
            Err(sdk::Error::Unreachable { .. } | sdk::Error::TimedOut { .. }) if signed.is_ok() => {
                warn("the server does not answer: the ticket is believed by its signature alone");
            }
            Err(error) => return Err(error.into()),
        }
    }
    signed.map_err(|error| {
        let advice = match &error {
            NotATicket::NotAccepted => "an API key, so that the server can be asked, or `tickets` in the policy",
            _ => "another ticket: `qapi gate ticket issue`",
        };
        Failure::unusable(format!("the ticket: {error}"), advice)
    })
}

fn of_server(ticket: GateTicket) -> Result<Ticket, Failure> {
    if ticket.status != "active" {
        let what = format!("the ticket {} is {}", ticket.id, ticket.status);
        return Err(Failure::unusable(what, "another ticket: `qapi gate ticket issue`"));
    }
    let digests = ticket.digests.iter().map(|digest| digest.parse()).collect::<Result<_, _>>();
    Ok(Ticket {
        id: ticket.id.to_string(),
        reason: ticket.reason,
        issued_by: ticket.issued_by,
        environment: ticket.environment,
        digests: digests.map_err(|error| Failure::failed(format!("the ticket: {error}"), "another ticket"))?,
        expires: ticket.expires_at.timestamp().millis().div_euclid(1000),
    })
}
