use domain::time::Timestamp;
use store::migrate::{self, MIGRATIONS, Refused};
use store::{Error, sql};

use super::bed::{Bed, store_suite};

store_suite! {
    migrating_again_changes_nothing,
    a_newer_database_is_refused,
    a_changed_migration_is_refused,
}

async fn migrating_again_changes_nothing(bed: Bed) {
    assert_eq!(migrate::migrate(&bed.store, Timestamp::from_millis(1)).await.unwrap(), [""; 0]);
    migrate::check(&bed.store).await.unwrap();
}

async fn a_newer_database_is_refused(bed: Bed) {
    let newer = MIGRATIONS.last().unwrap().version + 1;
    bed.store
        .write("newer", move |tx| {
            Box::pin(async move {
                tx.exec(
                    sql("INSERT INTO schema_migration (version, name, sha256, applied_at) VALUES ($1, $2, $3, $4)")
                        .bind(newer)
                        .bind("tomorrow")
                        .bind([0; 32])
                        .bind(0i64),
                )
                .await
            })
        })
        .await
        .unwrap();
    for refused in [
        migrate::check(&bed.store).await.unwrap_err(),
        migrate::migrate(&bed.store, Timestamp::from_millis(1)).await.unwrap_err(),
    ] {
        assert!(matches!(refused.reason::<Refused>(), Some(Refused::Newer { found, .. }) if *found == newer));
    }
}

async fn a_changed_migration_is_refused(bed: Bed) {
    bed.store
        .write("changed", |tx| {
            Box::pin(async move {
                tx.exec(sql("UPDATE schema_migration SET sha256 = $1 WHERE version = 1").bind([0; 32])).await
            })
        })
        .await
        .unwrap();
    let refused = migrate::check(&bed.store).await.unwrap_err();
    assert!(matches!(refused.reason::<Refused>(), Some(Refused::Changed { version: 1, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_migrate_at_once_apply_each_step_once() {
    let url = store::testing::Postgres::shared().create_database().unwrap();
    let mut replicas = Vec::new();
    for _ in 0..4 {
        let url = url.clone();
        replicas.push(tokio::spawn(async move {
            let store = store::Store::open_postgres(&url, store::Options::default()).await?;
            assert!(migrate::check(&store).await.is_err() || migrate::check(&store).await.is_ok());
            migrate::migrate(&store, Timestamp::from_millis(1)).await
        }));
    }
    let mut applied = Vec::new();
    for replica in replicas {
        applied.extend(replica.await.unwrap().unwrap());
    }
    assert_eq!(applied.len(), MIGRATIONS.len());
}

#[tokio::test]
async fn an_empty_database_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = store::Store::open_sqlite(dir.path(), store::Options::default()).await.unwrap();
    let refused: Error = migrate::check(&store).await.unwrap_err();
    assert!(matches!(refused.reason::<Refused>(), Some(Refused::Behind { missing: 8 })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_the_first_release_still_answers_with_its_old_events() {
    let dir = tempfile::tempdir().unwrap();
    let store = store::Store::open_sqlite(dir.path(), store::Options::default()).await.unwrap();
    answers_with_old_events(&store).await;
    let url = store::testing::Postgres::shared().create_database().unwrap();
    let store = store::Store::open_postgres(&url, store::Options::default()).await.unwrap();
    answers_with_old_events(&store).await;
}

async fn answers_with_old_events(store: &store::Store) {
    let now = Timestamp::from_millis(1);
    migrate::migrate_with(store, &MIGRATIONS[..3], now).await.unwrap();
    super::audit::append_three(store).await;
    let applied = migrate::migrate_with(store, &MIGRATIONS[..4], now).await.unwrap();
    assert_eq!(applied, ["audit groups"]);
    assert_eq!(super::audit::expanded_and_found(store).await, 3);
}
