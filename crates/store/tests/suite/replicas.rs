use std::time::Duration;

use domain::ids::TenantId;
use domain::time::Timestamp;
use store::epoch::Freshness;
use store::lease::Lost;
use store::{Store, sql};

use super::bed::{Bed, store_suite};

store_suite! {
    a_lease_has_one_holder_and_moves_when_it_runs_out,
    work_under_a_lost_lease_rolls_back,
    a_replica_sees_its_own_change_at_once,
    epochs_have_no_holes,
}

const ONE: [u8; 16] = [1; 16];
const TWO: [u8; 16] = [2; 16];

async fn a_lease_has_one_holder_and_moves_when_it_runs_out(bed: Bed) {
    let store = &bed.store;
    assert!(store.lease("work", ONE, 300).await.unwrap().is_some());
    assert!(store.lease("work", TWO, 60_000).await.unwrap().is_none());
    assert!(store.lease("work", ONE, 300).await.unwrap().is_some(), "renewed");
    assert!(store.lease("other work", TWO, 300).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(350)).await;
    let second = store.lease("work", TWO, 60_000).await.unwrap().unwrap();
    assert!(store.lease("work", ONE, 300).await.unwrap().is_none());
    store.release(second).await.unwrap();
    assert!(store.lease("work", ONE, 300).await.unwrap().is_some());
}

async fn work_under_a_lost_lease_rolls_back(bed: Bed) {
    let first = bed.store.lease("work", ONE, 0).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let second = bed.store.lease("work", TWO, 60_000).await.unwrap().unwrap();
    for (lease, key) in [(first, "first"), (second, "second")] {
        let outcome = bed
            .store
            .write("work", move |tx| {
                let lease = lease.clone();
                Box::pin(async move {
                    tx.exec(sql("INSERT INTO meta (k, v) VALUES ($1, $2)").bind(key).bind(b"")).await?;
                    tx.hold(&lease).await
                })
            })
            .await;
        assert_eq!(outcome.is_err_and(|error| error.reason::<Lost>().is_some()), key == "first");
    }
    let rows = bed.store.read(sql("SELECT k FROM meta LIMIT 10")).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].text(0).unwrap(), "second");
}

async fn bump(store: &Store, tenant: [u8; 16]) {
    store
        .write("bump", move |tx| {
            tx.bump_epoch(tenant);
            Box::pin(async { Ok(()) })
        })
        .await
        .unwrap();
}

async fn a_replica_sees_its_own_change_at_once(bed: Bed) {
    let tenant = TenantId::from_bytes(ONE);
    let before = bed.store.epochs().mark(tenant);
    bump(&bed.store, TWO).await;
    assert_eq!(bed.store.epochs().mark(tenant), before, "another tenant's change");
    bump(&bed.store, ONE).await;
    assert_ne!(bed.store.epochs().mark(tenant), before);
}

async fn epochs_have_no_holes(bed: Bed) {
    let mut writers = Vec::new();
    for n in 0..16u8 {
        let store = bed.store.clone();
        writers.push(tokio::spawn(async move {
            for _ in 0..10 {
                bump(&store, [n % 3; 16]).await;
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let rows = bed.store.read(sql("SELECT CAST(SUM(epoch) AS BIGINT) FROM tenant_epoch")).await.unwrap();
    assert_eq!(rows[0].int(0).unwrap(), 160);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_sees_a_change_within_a_quarter_of_a_second() {
    let bed = Bed::postgres().await;
    let other = bed.open_again().await.unwrap();
    assert_eq!(other.epochs().freshness(), Freshness::Blind, "nothing has been polled yet");
    let follower = tokio::spawn(other.epochs().clone().follow(other.clone()));
    let tenant = TenantId::from_bytes(ONE);
    for _ in 0..10 {
        let before = other.epochs().mark(tenant);
        bump(&bed.store, ONE).await;
        let start = std::time::Instant::now();
        while other.epochs().mark(tenant) == before {
            assert!(start.elapsed() < Duration::from_secs(2), "the change was not seen");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(other.epochs().freshness(), Freshness::Fresh);
    }
    follower.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_out_of_reach_blinds_the_caches_and_comes_back() {
    let server = store::testing::Postgres::start().unwrap();
    let url = server.create_database().unwrap();
    let store = Store::open_postgres(&url, store::Options::default()).await.unwrap();
    store::migrate::migrate(&store, Timestamp::from_millis(1)).await.unwrap();
    let follower = tokio::spawn(store.epochs().clone().follow(store.clone()));
    wait_for(&store, Freshness::Fresh, 2_000).await;
    server.signal("STOP").unwrap();
    let cut = std::time::Instant::now();
    wait_for(&store, Freshness::Blind, 1_500).await;
    let read = store.read(sql("SELECT k FROM meta LIMIT 1")).await;
    assert!(matches!(read, Err(store::Error::Unavailable(_))), "{read:?}");
    tokio::time::sleep(Duration::from_millis(2_000).saturating_sub(cut.elapsed())).await;
    server.signal("CONT").unwrap();
    wait_for(&store, Freshness::Fresh, 5_000).await;
    bump(&store, ONE).await;
    follower.abort();
}

async fn wait_for(store: &Store, wanted: Freshness, within_ms: u64) {
    let start = std::time::Instant::now();
    while store.epochs().freshness() != wanted {
        assert!(start.elapsed() < Duration::from_millis(within_ms), "still {:?}", store.epochs().freshness());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
