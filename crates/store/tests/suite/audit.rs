use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::audit::chain::{GENESIS, link_hash};
use domain::audit::{Draft, Event, Outcome};
use domain::authz::{ReadAudit, on_behalf_of_the_platform};
use domain::ids::{EventId, LaneId, TenantId};
use domain::time::Timestamp;
use store::audit_index::{Exported, Filter, Start};
use store::index::Expander;
use store::lane::{AuditLane, NewLane};
use store::outbox::{self, Mover, OutboxRow};
use store::{Store, sql};

use super::bed::{Bed, store_suite};

store_suite! {
    events_in_flight_together_share_batches_and_chain,
    mutations_move_from_the_outbox_into_a_lane,
    two_movers_lose_and_double_nothing,
    the_index_finds_what_was_appended,
    the_index_can_be_rebuilt,
    a_batch_that_was_changed_keeps_nothing_else_out_of_the_index,
    pages_of_events_that_overlap_in_time_are_the_same_as_one_sorted_list,
}

const TENANT: [u8; 16] = [1; 16];

/// Lanes and events numbered by a counter: ids have to be distinct, not random.
fn number() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut id = [0; 16];
    id[8..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    id
}

fn lanes() -> NewLane {
    Box::new(|| LaneId::from_bytes(number()))
}

fn event(tenant: [u8; 16], at: i64, action: &str, actor: &str, resource: &str) -> (EventId, Vec<u8>) {
    let id = EventId::from_bytes(number());
    let event = Event {
        id,
        at: Timestamp::from_millis(at),
        tenant: TenantId::from_bytes(tenant),
        action: action.into(),
        category: "keys".into(),
        outcome: Outcome::Success,
        actor: actor.into(),
        actor_type: "apiKey".into(),
        actor_id: Some("me".into()),
        resource_type: "CryptoKey".into(),
        resource_id: resource.into(),
        resource_name: None,
        error: None,
        algorithm: None,
        version: None,
        channel: None,
        valid: None,
        batch_size: None,
        failed_items: None,
        note: None,
        request_id: None,
        commitment: "".into(),
    };
    (id, Draft { event: serde_json::to_vec(&event).unwrap().into(), personal: b"sealed".to_vec().into() }.encode())
}

async fn append(lane: &AuditLane, tenant: [u8; 16], at: i64, action: &str, actor: &str, resource: &str) {
    let (_, body) = event(tenant, at, action, actor, resource);
    lane.append(TenantId::from_bytes(tenant), body, None).await.unwrap();
}

async fn mutate(store: &Store, at: i64) {
    let (id, body) = event(TENANT, at, "KeyCreated", "apikey:ci", "k");
    let row = OutboxRow { tenant: TenantId::from_bytes(TENANT), id, at: Timestamp::from_millis(at), body };
    store
        .write("mutation", move |tx| {
            tx.exec_last(row.insert());
            Box::pin(async { Ok(()) })
        })
        .await
        .unwrap();
}

/// Everything of one tenant, each link recomputed.
async fn export(store: &Store, tenant: [u8; 16]) -> Vec<Exported> {
    let tenant = TenantId::from_bytes(tenant);
    let mut export = store.audit_export(&on_behalf_of_the_platform::<ReadAudit>(tenant)).await.unwrap();
    let mut all = Vec::new();
    while let Some(page) = export.next().await.unwrap() {
        all.extend(page);
    }
    let mut ends = HashMap::new();
    for event in &all {
        let (count, before) = ends.get(&event.lane).copied().unwrap_or((0, GENESIS));
        assert_eq!((event.record.seq, event.prev), (count + 1, before));
        let hash = link_hash(event.lane, tenant, event.record.seq, &before, &event.record.draft.event);
        assert_eq!(hash, event.record.hash);
        ends.insert(event.lane, (event.record.seq, hash));
    }
    let heads: HashMap<_, _> =
        export.into_heads().into_iter().map(|(lane, head)| (lane, (head.count, head.hash))).collect();
    assert_eq!(heads, ends);
    all
}

async fn events_in_flight_together_share_batches_and_chain(bed: Bed) {
    let lane = AuditLane::start(&bed.store, lanes());
    let mut callers = Vec::new();
    for n in 0..64i64 {
        let lane = lane.clone();
        callers.push(tokio::spawn(async move {
            for _ in 0..20 {
                append(&lane, [(n % 2) as u8; 16], n, "Encrypt", "apikey:ci", "k").await;
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    let status = lane.status();
    assert_eq!((status.events, status.failed, status.queued), (1_280, 0, 0));
    assert!(status.batches < 640, "{status:?}");
    assert_eq!(export(&bed.store, [0; 16]).await.len(), 640);
    assert_eq!(export(&bed.store, [1; 16]).await.len(), 640);
    assert_eq!(export(&bed.store, [2; 16]).await.len(), 0);
}

async fn mutations_move_from_the_outbox_into_a_lane(bed: Bed) {
    for at in 0..10 {
        mutate(&bed.store, at).await;
    }
    assert_eq!(outbox::backlog(&bed.store).await.unwrap(), (10, Some(Timestamp::from_millis(0))));
    let mut mover = Mover::new(&bed.store, [1; 16], lanes());
    assert_eq!(mover.run_once().await.unwrap(), 10);
    assert_eq!(mover.run_once().await.unwrap(), 0);
    mutate(&bed.store, 10).await;
    assert_eq!(mover.run_once().await.unwrap(), 1);
    assert_eq!(outbox::backlog(&bed.store).await.unwrap(), (0, None));
    let all = export(&bed.store, TENANT).await;
    let times: Vec<i64> = all.iter().map(|event| event.record.draft.parsed().unwrap().at.millis()).collect();
    assert_eq!(times, (0..=10).collect::<Vec<_>>());
}

async fn two_movers_lose_and_double_nothing(bed: Bed) {
    let writers = (0..8).map(|_| {
        let store = bed.store.clone();
        tokio::spawn(async move {
            for at in 0..25 {
                mutate(&store, at).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let movers: Vec<_> = (1..=2u8)
        .map(|n| {
            let mut mover = Mover::new(&bed.store, [n; 16], lanes());
            let store = bed.store.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    // The lease is given up at once, so that the two get into each other's way.
                    let _ = mover.run_once().await;
                    let _ = store
                        .write("expire", |tx| Box::pin(async move { tx.exec(sql("UPDATE lease SET until = 0")).await }))
                        .await;
                }
            })
        })
        .collect();
    for task in writers.into_iter().chain(movers) {
        task.await.unwrap();
    }
    let mut last = Mover::new(&bed.store, [3; 16], lanes());
    while last.run_once().await.unwrap() > 0 {}
    let all = export(&bed.store, TENANT).await;
    let ids: std::collections::HashSet<EventId> =
        all.iter().map(|event| event.record.draft.parsed().unwrap().id).collect();
    assert_eq!((all.len(), ids.len()), (200, 200));
}

async fn the_index_finds_what_was_appended(bed: Bed) {
    let lane = AuditLane::start(&bed.store, lanes());
    for (at, action, actor, resource) in [
        (10, "Encrypt", "apikey:CI_main", "k1"),
        (20, "Decrypt", "apikey:ci-main", "k1"),
        (30, "Encrypt", "ann@example.org", "k2"),
    ] {
        append(&lane, TENANT, at, action, actor, resource).await;
    }
    append(&lane, [9; 16], 15, "Encrypt", "apikey:ci", "k1").await;
    mutate(&bed.store, 40).await;
    Mover::new(&bed.store, [1; 16], lanes()).run_once().await.unwrap();
    let mut expander = Expander::new(&bed.store, [1; 16]);
    assert_eq!(expander.run_once().await.unwrap(), 5);
    assert_eq!(expander.run_once().await.unwrap(), 0);

    let text = |text: &str| Some(text.to_owned());
    let at = |millis| Some(Timestamp::from_millis(millis));
    let check = async |filter: Filter, expected: &[i64]| {
        let who = on_behalf_of_the_platform::<ReadAudit>(TenantId::from_bytes(TENANT));
        let found = bed.store.audit_events(&who, &filter, Start::Offset(0), 50).await.unwrap();
        let times: Vec<i64> = found.iter().map(|found| found.at.millis()).collect();
        assert_eq!(times, expected, "{filter:?}");
        assert_eq!(bed.store.audit_count(&who, &filter).await.unwrap(), expected.len() as u64);
    };
    check(Filter::default(), &[40, 30, 20, 10]).await;
    check(Filter { actions: vec!["encrypt".into(), "Sign".into()], ..Filter::default() }, &[30, 10]).await;
    check(Filter { actor: text("ci_"), ..Filter::default() }, &[10]).await;
    check(Filter { actor: text("CI"), ..Filter::default() }, &[40, 20, 10]).await;
    check(Filter { resource_id: text("k1"), from: at(20), ..Filter::default() }, &[20]).await;
    check(Filter { to: at(29), category: text("keys"), outcome: text("success"), ..Filter::default() }, &[20, 10])
        .await;
    check(Filter { category: text("other"), ..Filter::default() }, &[]).await;

    let who = on_behalf_of_the_platform::<ReadAudit>(TenantId::from_bytes(TENANT));
    let first = bed.store.audit_events(&who, &Filter::default(), Start::Offset(1), 1).await.unwrap().remove(0);
    let rest = bed.store.audit_events(&who, &Filter::default(), Start::After(first.at, first.id), 50).await.unwrap();
    assert_eq!(rest.iter().map(|found| found.at.millis()).collect::<Vec<_>>(), [20, 10]);
}

async fn the_index_can_be_rebuilt(bed: Bed) {
    let lane = AuditLane::start(&bed.store, lanes());
    for at in 0..30 {
        append(&lane, TENANT, at, "Sign", "apikey:ci", "k").await;
    }
    let mut expander = Expander::new(&bed.store, [1; 16]);
    let mut expanded = 0;
    while expanded < 30 {
        expanded += expander.run_once().await.unwrap();
    }
    expander.rebuild().await.unwrap();
    let mut again = Expander::new(&bed.store, [1; 16]);
    let mut expanded = 0;
    while expanded < 30 {
        expanded += again.run_once().await.unwrap();
    }
    // One that holds an old cursor notices and catches up instead of repeating.
    for _ in 0..10 {
        expander.run_once().await.unwrap();
    }
    let who = on_behalf_of_the_platform::<ReadAudit>(TenantId::from_bytes(TENANT));
    assert_eq!(bed.store.audit_count(&who, &Filter::default()).await.unwrap(), 30);
}

async fn a_batch_that_was_changed_keeps_nothing_else_out_of_the_index(bed: Bed) {
    let mut mover = Mover::new(&bed.store, [1; 16], lanes());
    for at in [10, 20, 30] {
        mutate(&bed.store, at).await;
        assert_eq!(mover.run_once().await.unwrap(), 1);
    }
    let changed = bed
        .store
        .write("change a batch", |tx| {
            let change = sql("UPDATE audit_batch SET hash = $1 WHERE seq = 2").bind([7; 32]);
            Box::pin(async move { tx.exec(change).await })
        })
        .await;
    assert_eq!(changed.unwrap(), 1);
    let mut expander = Expander::new(&bed.store, [1; 16]);
    while expander.run_once().await.unwrap() > 0 {}
    let who = on_behalf_of_the_platform::<ReadAudit>(TenantId::from_bytes(TENANT));
    let found = bed.store.audit_events(&who, &Filter::default(), Start::Offset(0), 50).await.unwrap();
    assert_eq!(found.iter().map(|found| found.at.millis()).collect::<Vec<_>>(), [30, 10]);
}

/// Lanes that ran side by side, requests that took seconds, and many events of one millisecond: whatever a page is asked for, it is
/// the part of the one sorted list.
async fn pages_of_events_that_overlap_in_time_are_the_same_as_one_sorted_list(bed: Bed) {
    let lanes = [AuditLane::start(&bed.store, lanes()), AuditLane::start(&bed.store, lanes())];
    let mut all = Vec::new();
    for n in 0..240i64 {
        // Three of four are recorded as they happen; the fourth happened up to seven seconds before.
        let at = 10_000 + n * 37 - if n % 4 == 0 { (n * 911) % 7_000 } else { n % 3 };
        let (id, body) =
            event(TENANT, at, ["Encrypt", "Sign"][(n % 2) as usize], "apikey:ci", ["k1", "k2"][(n % 5 / 4) as usize]);
        all.push((at, id, n));
        let lane = lanes[(n % 3 / 2) as usize].clone();
        let appended = tokio::spawn(async move { lane.append(TenantId::from_bytes(TENANT), body, None).await });
        // Some batches hold one event and some hold many.
        if n % 7 == 0 {
            appended.await.unwrap().unwrap();
        }
    }
    let mut expander = Expander::new(&bed.store, [1; 16]);
    let mut expanded = 0;
    while expanded < all.len() {
        expanded += expander.run_once().await.unwrap();
    }
    all.sort_by_key(|(at, id, _)| std::cmp::Reverse((*at, *id)));

    let who = on_behalf_of_the_platform::<ReadAudit>(TenantId::from_bytes(TENANT));
    let at = |millis| Some(Timestamp::from_millis(millis));
    let k2 = Filter { resource_id: Some("k2".into()), ..Filter::default() };
    for (filter, is_wanted) in [
        (Filter::default(), (|_| true) as fn(&(i64, EventId, i64)) -> bool),
        (Filter { actions: vec!["Sign".into()], ..Filter::default() }, |(_, _, n)| n % 2 == 1),
        (k2.clone(), |(_, _, n)| n % 5 == 4),
        (Filter { from: at(12_345), to: at(15_000), ..Filter::default() }, |(at, _, _)| (12_345..=15_000).contains(at)),
        (Filter { from: at(13_000), to: at(13_000), ..Filter::default() }, |(at, _, _)| *at == 13_000),
        (Filter { from: at(14_000), ..k2.clone() }, |(at, _, n)| n % 5 == 4 && *at >= 14_000),
        (Filter { to: at(14_000), ..k2 }, |(at, _, n)| n % 5 == 4 && *at <= 14_000),
        (Filter { from: at(15_000), to: at(14_000), ..Filter::default() }, |_| false),
    ] {
        let wanted: Vec<EventId> = all.iter().filter(|event| is_wanted(event)).map(|(_, id, _)| *id).collect();
        assert_eq!(bed.store.audit_count(&who, &filter).await.unwrap(), wanted.len() as u64, "{filter:?}");
        for (skip, limit) in [(0, 1), (0, 1_000), (1, 7), (50, 50), (113, 20), (200, 100), (500, 10)] {
            let page = bed.store.audit_events(&who, &filter, Start::Offset(skip as u32), limit).await.unwrap();
            let page: Vec<EventId> = page.iter().map(|found| found.id).collect();
            let part: Vec<EventId> = wanted.iter().skip(skip).take(limit as usize).copied().collect();
            assert_eq!(page, part, "{filter:?} from {skip}, {limit}");
        }
        let (mut walked, mut start) = (Vec::new(), Start::Offset(0));
        loop {
            let page = bed.store.audit_events(&who, &filter, start, 23).await.unwrap();
            let Some(last) = page.last() else { break };
            start = Start::After(last.at, last.id);
            walked.extend(page.iter().map(|found| found.id));
        }
        assert_eq!(walked, wanted, "{filter:?}");
    }
}

pub async fn append_three(store: &Store) {
    let lane = AuditLane::start(store, lanes());
    for at in 0..3 {
        append(&lane, TENANT, at, "Sign", "apikey:ci", "k").await;
    }
}

pub async fn expanded_and_found(store: &Store) -> usize {
    let mut expander = Expander::new(store, [1; 16]);
    while expander.run_once().await.unwrap() > 0 {}
    let who = on_behalf_of_the_platform::<ReadAudit>(TenantId::from_bytes(TENANT));
    store.audit_events(&who, &Filter::default(), Start::Offset(0), 50).await.unwrap().len()
}
