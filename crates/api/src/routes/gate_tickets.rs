//! Routes of tickets for the deploy gate.

use super::{Route, routes, schema};
use crate::error::ErrorCode::{Conflict, Forbidden, NotFound};
use crate::gate_tickets::{GateTicket, GateTicketList, IssueGateTicket, IssuedGateTicket};

routes! {
    /// A new ticket.
    GATE_TICKET_ISSUE = Route::post("issueGateTicket", "/api/v1/gate/tickets", "gate")
        .scope("gate:write")
        .does("Issue a ticket that lets images pass the deploy gate unverified, for at most a day.")
        .takes(schema::<IssueGateTicket>())
        .creates(schema::<IssuedGateTicket>())
        .fails(&[Forbidden]);
    /// All tickets.
    GATE_TICKET_LIST = Route::get("listGateTickets", "/api/v1/gate/tickets", "gate")
        .scope("gate:read")
        .does("List tickets, the newest first.")
        .answers(schema::<GateTicketList>());
    /// One ticket.
    GATE_TICKET_GET = Route::get("getGateTicket", "/api/v1/gate/tickets/{id}", "gate")
        .scope("gate:read")
        .does("Read a ticket: whether it lets pass, and what.")
        .answers(schema::<GateTicket>())
        .fails(&[NotFound]);
    /// Take a ticket back.
    GATE_TICKET_REVOKE = Route::post("revokeGateTicket", "/api/v1/gate/tickets/{id}/revoke", "gate")
        .scope("gate:write")
        .does("Take a ticket back. Gates that ask the server refuse it from then on.")
        .answers(schema::<GateTicket>())
        .fails(&[NotFound, Conflict, Forbidden]);
}
