//! Tickets that let images pass the deploy gate.

use domain::authz::{Action, Authorized, WriteGateTickets};
use domain::ids::GateTicketId;
use domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::row::Row;
use crate::stmt::{Stmt, sql};
use crate::store::Store;

/// One ticket. It never changes but once: when somebody takes it back.
#[derive(Clone, Debug)]
pub struct StoredGateTicket {
    pub id: GateTicketId,
    /// Why it was issued.
    pub reason: String,
    /// The environment it is for.
    pub environment: Option<String>,
    /// The images it is for.
    pub digests: Vec<String>,
    /// Who issued it, as the audit trail calls them.
    pub issued_by: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// When it was taken back, and by whom.
    pub revoked: Option<(Timestamp, String)>,
}

/// Tickets that a listing shows.
const MOST: i64 = 1_000;

macro_rules! select_gate_tickets {
    ($rest:literal) => {
        concat!(
            "SELECT id, reason, environment, digests, issued_by, issued_at, expires_at, revoked_at, revoked_by ",
            "FROM gate_ticket WHERE tenant = $1 ",
            $rest
        )
    };
}

impl Store {
    /// One ticket.
    pub async fn gate_ticket<A: Action>(
        &self,
        auth: &Authorized<A>,
        id: GateTicketId,
    ) -> Result<Option<StoredGateTicket>> {
        let text = select_gate_tickets!("AND id = $2 LIMIT 1");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(id.as_bytes());
        self.read_one(statement).await?.as_ref().map(ticket).transpose()
    }

    /// The tenant's tickets, the newest first.
    pub async fn gate_tickets<A: Action>(&self, auth: &Authorized<A>) -> Result<Vec<StoredGateTicket>> {
        let text = select_gate_tickets!("ORDER BY issued_at DESC, id LIMIT $2");
        let statement = sql(text).bind(auth.tenant().as_bytes()).bind(MOST);
        self.scan(statement).await?.iter().map(ticket).collect()
    }

    /// Forgets tickets of all tenants that ended before `before`; returns how many. What was done with them stands in the audit
    /// trail, which keeps it.
    pub async fn forget_gate_tickets(&self, before: Timestamp) -> Result<u64> {
        self.write("forget gate tickets", move |tx| {
            let statement = sql("DELETE FROM gate_ticket WHERE expires_at < $1").bind(before.millis());
            Box::pin(async move { tx.exec(statement).await })
        })
        .await
    }
}

/// Adds a ticket.
pub fn insert_gate_ticket(auth: &Authorized<WriteGateTickets>, row: &StoredGateTicket) -> Result<Stmt> {
    Ok(sql("INSERT INTO gate_ticket (tenant, id, reason, environment, digests, issued_by, issued_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
    .bind(auth.tenant().as_bytes())
    .bind(row.id.as_bytes())
    .bind(&row.reason)
    .bind(row.environment.clone())
    .bind(serde_json::to_string(&row.digests).map_err(Error::other)?)
    .bind(&row.issued_by)
    .bind(row.issued_at.millis())
    .bind(row.expires_at.millis()))
}

/// Takes a ticket back. One that was taken back stays as it is, and nothing is touched.
pub fn revoke_gate_ticket(auth: &Authorized<WriteGateTickets>, id: GateTicketId, at: Timestamp, by: &str) -> Stmt {
    sql("UPDATE gate_ticket SET revoked_at = $3, revoked_by = $4 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL")
        .bind(auth.tenant().as_bytes())
        .bind(id.as_bytes())
        .bind(at.millis())
        .bind(by)
}

fn ticket(row: &Row) -> Result<StoredGateTicket> {
    let revoked_at = row.opt_int(7)?.map(Timestamp::from_millis);
    let revoked_by = row.opt_text(8)?.map(str::to_owned);
    Ok(StoredGateTicket {
        id: GateTicketId::from_bytes(row.array(0)?),
        reason: row.text(1)?.to_owned(),
        environment: row.opt_text(2)?.map(str::to_owned),
        digests: serde_json::from_str(row.text(3)?).map_err(|_| Error::corrupt("the digests of a ticket"))?,
        issued_by: row.text(4)?.to_owned(),
        issued_at: Timestamp::from_millis(row.int(5)?),
        expires_at: Timestamp::from_millis(row.int(6)?),
        revoked: revoked_at.map(|at| (at, revoked_by.unwrap_or_default())),
    })
}
