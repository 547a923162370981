//! Tickets for the deploy gate: issued, shown, taken back. Each stands in the trail by the transaction that made it.
//!
//! A ticket is signed with the platform's audit key, which signs nothing that a caller chooses. With a key of the tenant, whoever
//! may sign anything could have written tickets. The payload begins differently from an audit trailer and names its tenant.

use api::error::ErrorCode;
use api::gate_tickets::{GateTicket, GateTicketList, IssueGateTicket, IssuedGateTicket};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use domain::authz::{Action, Authorized, ReadGateTickets, WriteGateTickets};
use domain::gate_ticket::{BadTerms, PAYLOAD_TYPE, Payload, Terms, status};
use domain::ids::GateTicketId;
use serde_json::json;
use store::Stmt;
use store::gate_tickets::{StoredGateTicket, insert_gate_ticket, revoke_gate_ticket};

use super::Core;
use super::tenants::bytes;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// The tickets of tenants.
pub struct GateTickets {
    core: Core,
}

fn entry(action: &'static str) -> Entry {
    Entry::new(action, "gate", "GateTicket")
}

impl GateTickets {
    /// Over the store.
    pub fn new(core: Core) -> Self {
        Self { core }
    }

    /// Issues a ticket.
    pub async fn issue(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteGateTickets>,
        request: IssueGateTicket,
    ) -> Outcome<IssuedGateTicket> {
        let mut entry = entry("GateTicketIssued");
        let result = self.issue_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn issue_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteGateTickets>,
        request: IssueGateTicket,
        entry: &mut Entry,
    ) -> Outcome<IssuedGateTicket> {
        let IssueGateTicket { reason, environment, digests, lifetime_seconds } = request;
        let terms = Terms::new(&reason, environment.as_deref(), digests, lifetime_seconds)?;
        within(ctx, terms.environment.as_ref().map(domain::environment::Environment::as_str))?;
        let row = StoredGateTicket {
            id: GateTicketId::from_random(bytes(&*self.core.entropy)),
            reason: terms.reason,
            environment: terms.environment.map(|environment| environment.to_string()),
            digests: terms.digests,
            issued_by: ctx.principal.called(),
            issued_at: ctx.now(),
            expires_at: ctx.now().plus_millis(i64::from(terms.lifetime_s) * 1000),
            revoked: None,
        };
        entry.resource(row.id, &row.reason).note(scope_of(&row));
        let token = self.token(ctx, &row)?;
        self.commit(ctx, "issue gate ticket", insert_gate_ticket(auth, &row)?, entry).await?;
        Ok(IssuedGateTicket { ticket: show(ctx, &row), token })
    }

    /// One ticket.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ReadGateTickets>, id: GateTicketId) -> Outcome<GateTicket> {
        let mut entry = entry("GateTicketRead");
        let result = self.load(auth, id, &mut entry).await.map(|row| show(ctx, &row));
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// The newest of them.
    pub async fn list(&self, ctx: &Ctx, auth: &Authorized<ReadGateTickets>) -> Outcome<GateTicketList> {
        let rows = self.core.store.gate_tickets(auth).await.map_err(Problem::from);
        let result = rows.map(|rows| GateTicketList {
            total_count: rows.len() as u64,
            items: rows.iter().map(|row| show(ctx, row)).collect(),
        });
        self.core.trail.conclude(ctx, entry("GateTicketListed"), result).await
    }

    /// Takes a ticket back.
    pub async fn revoke(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteGateTickets>,
        id: GateTicketId,
    ) -> Outcome<GateTicket> {
        let mut entry = entry("GateTicketRevoked");
        let result = self.revoke_now(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn revoke_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteGateTickets>,
        id: GateTicketId,
        entry: &mut Entry,
    ) -> Outcome<GateTicket> {
        let mut row = self.load(auth, id, entry).await?;
        within(ctx, row.environment.as_deref())?;
        if row.revoked.is_some() {
            return Ok(show(ctx, &row));
        }
        let by = ctx.principal.called();
        entry.note(scope_of(&row));
        self.commit(ctx, "revoke gate ticket", revoke_gate_ticket(auth, id, ctx.now(), &by), entry).await?;
        row.revoked = Some((ctx.now(), by));
        Ok(show(ctx, &row))
    }

    async fn load<A: Action>(
        &self,
        auth: &Authorized<A>,
        id: GateTicketId,
        entry: &mut Entry,
    ) -> Outcome<StoredGateTicket> {
        let row = self.core.store.gate_ticket(auth, id).await?.ok_or_else(|| Problem::not_found("ticket"))?;
        entry.resource(row.id, &row.reason);
        Ok(row)
    }

    async fn commit(&self, ctx: &Ctx, name: &'static str, statement: Stmt, entry: &mut Entry) -> Outcome<()> {
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change(name, ctx.tenant(), vec![statement], event).await?;
        entry.committed();
        Ok(())
    }

    /// The ticket in a DSSE envelope (DSSE 1.0.2), in base64url, so that it fits into a variable.
    fn token(&self, ctx: &Ctx, row: &StoredGateTicket) -> Outcome<String> {
        let unwritable = |error: serde_json::Error| Problem::internal("writing a ticket", error);
        let payload = Payload {
            id: row.id,
            tenant: ctx.tenant(),
            reason: row.reason.clone(),
            issued_by: row.issued_by.clone(),
            environment: row.environment.clone(),
            digests: row.digests.clone(),
            issued_at: row.issued_at.millis().div_euclid(1000),
            expires_at: row.expires_at.millis().div_euclid(1000),
        };
        let payload = serde_json::to_vec(&payload).map_err(unwritable)?;
        let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
        let signed = [head.as_bytes(), &payload].concat();
        let signature = ctx.keyring.root.audit.sign(&signed, &*self.core.entropy)?;
        let envelope = json!({
            "payload": STANDARD.encode(&payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": STANDARD.encode(&signature)}],
        });
        Ok(URL_SAFE_NO_PAD.encode(envelope.to_string()))
    }
}

/// Who is bound to an environment issues and takes back tickets for that one alone.
fn within(ctx: &Ctx, environment: Option<&str>) -> Outcome<()> {
    let Some(bound) = ctx.principal.limits.environment() else { return Ok(()) };
    let is_own = environment
        .is_some_and(|name| name.parse().is_ok_and(|named: domain::environment::Environment| named == *bound));
    match is_own {
        true => Ok(()),
        false => Err(Problem::new(
            ErrorCode::Forbidden,
            format!("The credential is bound to {bound}; name it as environment."),
        )),
    }
}

fn scope_of(row: &StoredGateTicket) -> String {
    let environment = row.environment.as_deref().unwrap_or("any environment");
    let images = match row.digests.as_slice() {
        [] => "any image".to_owned(),
        digests => digests.join(" "),
    };
    format!("{images} in {environment} until {}", row.expires_at.to_rfc3339())
}

fn show(ctx: &Ctx, row: &StoredGateTicket) -> GateTicket {
    let (revoked_at, revoked_by) = row.revoked.clone().unzip();
    GateTicket {
        id: row.id.uuid(),
        tenant_id: ctx.tenant().uuid(),
        status: status(row.expires_at, revoked_at, ctx.now()).as_str().to_owned(),
        reason: row.reason.clone(),
        environment: row.environment.clone(),
        digests: row.digests.clone(),
        issued_by: row.issued_by.clone(),
        issued_at: row.issued_at.into(),
        expires_at: row.expires_at.into(),
        revoked_at: revoked_at.map(Into::into),
        revoked_by,
    }
}

impl From<BadTerms> for Problem {
    fn from(bad: BadTerms) -> Self {
        Self::invalid(format!("{bad}."))
    }
}
