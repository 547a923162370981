//! Tickets for the deploy gate.

use domain::authz::{Authorized, ReadGateTickets, WriteGateTickets, on_behalf_of_the_platform};
use domain::ids::{GateTicketId, TenantId};
use domain::time::Timestamp;
use store::gate_tickets::{StoredGateTicket, insert_gate_ticket, revoke_gate_ticket};
use store::{Stmt, Store};

use super::bed::{Bed, store_suite};

store_suite! {
    a_ticket_is_read_as_it_was_written_and_by_its_tenant_alone,
    a_ticket_is_taken_back_once,
    tickets_that_ended_long_ago_are_forgotten,
}

fn writer() -> Authorized<WriteGateTickets> {
    on_behalf_of_the_platform(TenantId::from_bytes([1; 16]))
}

fn reader(tenant: u8) -> Authorized<ReadGateTickets> {
    on_behalf_of_the_platform(TenantId::from_bytes([tenant; 16]))
}

fn ticket(id: u8) -> StoredGateTicket {
    StoredGateTicket {
        id: GateTicketId::from_bytes([id; 16]),
        reason: "hotfix".to_owned(),
        environment: (id == 1).then(|| "production".to_owned()),
        digests: if id == 1 { Vec::new() } else { vec!["sha256:00".to_owned()] },
        issued_by: "apikey:ci".to_owned(),
        issued_at: Timestamp::from_millis(id.into()),
        expires_at: Timestamp::from_millis(1_000),
        revoked: None,
    }
}

async fn touched(store: &Store, statement: Stmt) -> u64 {
    let written = store.write("test", move |tx| {
        let statement = statement.clone();
        Box::pin(async move { tx.exec(statement).await })
    });
    written.await.unwrap()
}

async fn a_ticket_is_read_as_it_was_written_and_by_its_tenant_alone(bed: Bed) {
    for id in [1, 2] {
        assert_eq!(touched(&bed.store, insert_gate_ticket(&writer(), &ticket(id)).unwrap()).await, 1);
    }
    let read = bed.store.gate_ticket(&reader(1), ticket(2).id).await.unwrap().unwrap();
    assert_eq!((read.reason.as_str(), read.environment, read.digests), ("hotfix", None, vec!["sha256:00".to_owned()]));
    assert_eq!((read.expires_at, read.revoked), (Timestamp::from_millis(1_000), None));
    let listed = bed.store.gate_tickets(&reader(1)).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), [ticket(2).id, ticket(1).id]);
    assert!(bed.store.gate_ticket(&reader(2), ticket(1).id).await.unwrap().is_none());
    assert!(bed.store.gate_tickets(&reader(2)).await.unwrap().is_empty());
}

async fn a_ticket_is_taken_back_once(bed: Bed) {
    assert_eq!(touched(&bed.store, insert_gate_ticket(&writer(), &ticket(1)).unwrap()).await, 1);
    let (first, second) = (Timestamp::from_millis(5), Timestamp::from_millis(6));
    assert_eq!(touched(&bed.store, revoke_gate_ticket(&writer(), ticket(1).id, first, "ada")).await, 1);
    assert_eq!(touched(&bed.store, revoke_gate_ticket(&writer(), ticket(1).id, second, "bob")).await, 0);
    let read = bed.store.gate_ticket(&reader(1), ticket(1).id).await.unwrap().unwrap();
    assert_eq!(read.revoked, Some((first, "ada".to_owned())));
}

async fn tickets_that_ended_long_ago_are_forgotten(bed: Bed) {
    let mut later = ticket(2);
    later.expires_at = Timestamp::from_millis(2_000);
    for row in [ticket(1), later] {
        assert_eq!(touched(&bed.store, insert_gate_ticket(&writer(), &row).unwrap()).await, 1);
    }
    assert_eq!(bed.store.forget_gate_tickets(Timestamp::from_millis(1_000)).await.unwrap(), 0, "it ends then");
    assert_eq!(bed.store.forget_gate_tickets(Timestamp::from_millis(1_001)).await.unwrap(), 1);
    let listed = bed.store.gate_tickets(&reader(1)).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), [ticket(2).id]);
}
