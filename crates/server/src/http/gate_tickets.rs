//! Routes of tickets for the deploy gate.

use std::sync::Arc;

use api::gate_tickets as wire;
use api::routes::gate_tickets as routes;
use axum::Router;
use axum::extract::State;
use domain::authz::{ReadGateTickets, WriteGateTickets};
use domain::ids::GateTicketId;

use super::extract::{Allowed, Body, Path};
use super::mount::Mount as _;
use super::reply::{Answer, Reply};
use crate::app::gate_tickets::GateTickets;
use crate::platform::Platform;

type Service = State<Arc<GateTickets>>;
type Reader = Allowed<ReadGateTickets>;
type Writer = Allowed<WriteGateTickets>;

/// The routes.
pub fn router() -> Router<Platform> {
    Router::new()
        .mount(&routes::GATE_TICKET_ISSUE, issue)
        .mount(&routes::GATE_TICKET_LIST, list)
        .mount(&routes::GATE_TICKET_GET, get)
        .mount(&routes::GATE_TICKET_REVOKE, revoke)
}

async fn issue(State(tickets): Service, who: Writer, Body(request): Body<wire::IssueGateTicket>) -> Answer {
    let issued = tickets.issue(&who.ctx, &who.auth, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/gate/tickets/{}", issued.ticket.id), &issued)
}

async fn list(State(tickets): Service, who: Reader) -> Answer {
    Reply::ok(&who.ctx.origin, &tickets.list(&who.ctx, &who.auth).await?)
}

async fn get(State(tickets): Service, who: Reader, Path(id): Path<GateTicketId>) -> Answer {
    Reply::ok(&who.ctx.origin, &tickets.get(&who.ctx, &who.auth, id).await?)
}

async fn revoke(State(tickets): Service, who: Writer, Path(id): Path<GateTicketId>) -> Answer {
    Reply::ok(&who.ctx.origin, &tickets.revoke(&who.ctx, &who.auth, id).await?)
}
