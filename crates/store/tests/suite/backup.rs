use domain::ids::{EventId, LaneId, TenantId};
use domain::time::Timestamp;
use store::dump::{self, Bad, Check, Record, TABLES};
use store::idempotency::{Claim, Ended, Kept};
use store::lane::AuditLane;
use store::outbox::{Mover, OutboxRow};
use store::{Error, Store, Value, migrate, sql};

use super::bed::{Bed, store_suite};

store_suite! {
    a_dump_restores_into_either_engine,
    a_damaged_dump_is_named,
    a_restore_that_was_cut_off_is_not_served,
    an_answer_is_kept_once_and_forgotten_in_time,
    what_has_an_idempotency_key_happens_once,
}

async fn fill(bed: &Bed) {
    let lane = AuditLane::start(&bed.store, Box::new(|| LaneId::from_bytes([1; 16])));
    for n in 0..5u8 {
        lane.append(tenant(), domain::audit::Draft { event: vec![n].into(), personal: vec![].into() }.encode(), None)
            .await
            .unwrap();
    }
    for n in 0..3u8 {
        let row = OutboxRow {
            tenant: tenant(),
            id: EventId::from_bytes([n; 16]),
            at: Timestamp::from_millis(n.into()),
            body: domain::audit::Draft { event: vec![n].into(), personal: vec![].into() }.encode(),
        };
        bed.store
            .write("fill", move |tx| {
                tx.exec_last(row.insert());
                let id = [n; 16];
                Box::pin(async move {
                    tx.exec(
                        sql("INSERT INTO secret_version (tenant, secret, version, value, created_at) VALUES ($1, $2, 1, $3, 4)")
                            .bind(id)
                            .bind(id)
                            .bind(vec![n; 1000]),
                    )
                    .await
                })
            })
            .await
            .unwrap();
        if n == 1 {
            let mut mover = Mover::new(&bed.store, [1; 16], Box::new(|| LaneId::from_bytes([2; 16])));
            assert_eq!(mover.run_once().await.unwrap(), 2);
        }
    }
}

fn tenant() -> TenantId {
    TenantId::from_bytes([7; 16])
}

async fn dumped(store: &Store) -> Vec<Record> {
    let mut records = Vec::new();
    dump::dump(store, &mut |record| {
        records.push(record);
        Ok(())
    })
    .await
    .unwrap();
    records
}

/// The order of lanes differs: SQLite keeps them in two files.
fn rows(records: &[Record]) -> std::collections::BTreeSet<Vec<u8>> {
    records.iter().filter(|record| matches!(record, Record::Row(_))).map(Record::encode).collect()
}

async fn restore(store: &Store, records: &[Record]) -> store::Result<dump::Summary> {
    let mut records = records.iter().cloned();
    dump::load(store, &mut || Ok(records.next())).await
}

async fn a_dump_restores_into_either_engine(bed: Bed) {
    fill(&bed).await;
    let records = dumped(&bed.store).await;
    for other in [Bed::sqlite().await, Bed::postgres().await] {
        let summary = restore(&other.store, &records).await.unwrap();
        assert_eq!((summary["secret_version"], summary["audit_outbox"]), (3, 1));
        migrate::check(&other.store).await.unwrap();
        assert_eq!(rows(&dumped(&other.store).await), rows(&records));
        assert!(matches!(restore(&other.store, &records).await.unwrap_err().reason::<Bad>(), Some(Bad::NotEmpty)));
    }
}

async fn a_damaged_dump_is_named(bed: Bed) {
    fill(&bed).await;
    let whole = dumped(&bed.store).await;
    let verdict = |records: &[Record]| {
        let mut check = Check::default();
        records.iter().try_for_each(|record| check.take(record))?;
        check.finish()
    };
    let (rows, events) = verdict(&whole).unwrap();
    assert_eq!((rows as usize, events), (whole.iter().filter(|r| matches!(r, Record::Row(_))).count(), 7));
    for n in 0..whole.len() {
        let mut without = whole.clone();
        without.remove(n);
        assert!(verdict(&without).is_err(), "without record {n}");
        let mut doubled = whole.clone();
        doubled.insert(n, whole[n].clone());
        // A table may be announced twice; nothing is lost by it, but the digest knows.
        assert!(verdict(&doubled).is_err(), "record {n} twice");
        if let Record::Row(values) = &whole[n] {
            for place in 0..values.len() {
                let mut changed = values.clone();
                changed[place] = Value::Int(77);
                let mut records = whole.clone();
                records[n] = Record::Row(changed);
                assert!(verdict(&records).is_err(), "record {n}, column {place}");
            }
        }
    }
}

async fn a_restore_that_was_cut_off_is_not_served(bed: Bed) {
    fill(&bed).await;
    let records = dumped(&bed.store).await;
    let other = Bed::sqlite().await;
    let cut = restore(&other.store, &records[..records.len() - 1]).await.unwrap_err();
    assert!(matches!(cut.reason::<Bad>(), Some(Bad::End(_))));
    let refused: Error = migrate::check(&other.store).await.unwrap_err();
    assert!(matches!(refused.reason::<Bad>(), Some(Bad::Unfinished)));
}

/// Two servers with one key: whichever transaction comes to its end first, the other one changes nothing.
async fn what_has_an_idempotency_key_happens_once(bed: Bed) {
    let at = Timestamp::from_millis;
    let store = &bed.store;
    let claim = |key: &str, token: u8| {
        let principal = [1; 16];
        Claim { tenant: tenant(), principal, key: key.into(), request: [3; 32], token: [token; 16] }
    };
    let mutate = |claim: Claim, mark: u8| async move {
        let row = OutboxRow { tenant: tenant(), id: EventId::from_bytes([mark; 16]), at: at(0), body: vec![mark] };
        let event = row.insert_once(&claim, at(1_000));
        let happened = sql("INSERT INTO meta (k, v) VALUES ($1, $2)").bind(format!("happened {mark}")).bind(vec![mark]);
        store
            .write("mutate", move |tx| {
                let (event, happened) = (event.clone(), happened.clone());
                Box::pin(async move {
                    tx.exec(happened).await?;
                    tx.exec_last(event);
                    Ok(())
                })
            })
            .await
    };
    let happened = |mark: u8| async move {
        let select = sql("SELECT 1 FROM meta WHERE k = $1").bind(format!("happened {mark}"));
        !store.read(select).await.unwrap().is_empty()
    };

    // The first is slow: its claim is taken over, and then it comes to its end.
    let (slow, fast) = (claim("a", 1), claim("a", 2));
    assert_eq!(store.claim_idempotency(&slow, at(0), at(10)).await.unwrap(), None);
    assert_eq!(store.claim_idempotency(&fast, at(10), at(20)).await.unwrap(), None);
    assert!(mutate(slow.clone(), 1).await.is_err());
    assert!(!happened(1).await);
    assert!(!store.release_idempotency(&slow, Ended::Unknown).await.unwrap(), "the key is another's");
    mutate(fast.clone(), 2).await.unwrap();
    assert!(happened(2).await);
    // A second transaction of the same request is no second request.
    mutate(fast.clone(), 3).await.unwrap();

    // It was done and not answered: nobody takes it over, neither after its time nor after a failure.
    let late = claim("a", 4);
    let kept = store.claim_idempotency(&late, at(500), at(510)).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.claimed_at), (1, at(10)));
    assert!(mutate(late, 4).await.is_err());
    assert!(store.release_idempotency(&fast, Ended::Unknown).await.unwrap());
    assert!(store.claim_idempotency(&claim("a", 5), at(510), at(520)).await.unwrap().is_some());
    store.keep_answer(&fast, 201, Some(vec![1]), at(1_000)).await.unwrap();
    // What was refused for a reason may be sent again.
    let refused = claim("b", 6);
    assert_eq!(store.claim_idempotency(&refused, at(0), at(10)).await.unwrap(), None);
    mutate(refused.clone(), 6).await.unwrap();
    assert!(store.release_idempotency(&refused, Ended::Refused).await.unwrap());
    assert_eq!(store.claim_idempotency(&claim("b", 7), at(1), at(10)).await.unwrap(), None);
}

async fn an_answer_is_kept_once_and_forgotten_in_time(bed: Bed) {
    let at = Timestamp::from_millis;
    let principal = [1; 16];
    let claim = Claim { tenant: tenant(), principal, key: "k".into(), request: [3; 32], token: [4; 16] };
    let store = &bed.store;
    assert_eq!(store.claim_idempotency(&claim, at(0), at(10)).await.unwrap(), None);
    let open = store.claim_idempotency(&claim, at(1), at(11)).await.unwrap().unwrap();
    let token = Some(vec![4; 16]);
    assert_eq!(open, Kept { request: [3; 32], status: 0, answer: token, claimed_at: at(0) });
    store.keep_answer(&claim, 201, Some(vec![1]), at(20)).await.unwrap();
    assert!(store.keep_answer(&claim, 201, None, at(20)).await.is_err());
    assert!(!store.release_idempotency(&claim, Ended::Refused).await.unwrap());
    let kept = store.claim_idempotency(&claim, at(19), at(29)).await.unwrap().unwrap();
    assert_eq!(kept, Kept { request: [3; 32], status: 201, answer: Some(vec![1]), claimed_at: at(0) });
    let other = Claim { principal: [2; 16], ..claim.clone() };
    assert_eq!(store.claim_idempotency(&other, at(19), at(21)).await.unwrap(), None);
    assert!(store.release_idempotency(&other, Ended::Unknown).await.unwrap());
    assert_eq!(store.claim_idempotency(&other, at(19), at(21)).await.unwrap(), None);
    assert_eq!(store.claim_idempotency(&claim, at(20), at(30)).await.unwrap(), None);
    assert_eq!(store.expire_idempotency(at(20)).await.unwrap(), 0);
    assert_eq!(store.expire_idempotency(at(30)).await.unwrap(), 2);
}

/// A column that is added to a migration and forgotten here would be missing from every backup.
#[test]
fn a_backup_holds_every_column_of_every_table() {
    let mut expected = std::collections::BTreeMap::new();
    let rebuilt = ["audit index", "audit groups"];
    for step in migrate::MIGRATIONS.iter().filter(|step| !rebuilt.contains(&step.name)) {
        for table in step.sql.split("CREATE TABLE ").skip(1) {
            let (name, body) = table.split_once(" (\n").unwrap();
            let body = body.split_once("\n);").unwrap().0;
            let columns: Vec<&str> = body.lines().map(|line| line.trim().split(' ').next().unwrap()).collect();
            expected.insert(
                name,
                columns.into_iter().filter(|word| word.chars().all(|c| !c.is_uppercase())).collect::<Vec<_>>(),
            );
        }
    }
    for step in migrate::MIGRATIONS {
        for change in step.sql.split("ALTER TABLE ").skip(1) {
            let words: Vec<&str> = change.split_whitespace().take(4).collect();
            match words[..] {
                [table, "ADD", "COLUMN", column] => expected.get_mut(table).unwrap().push(column),
                [table, "DROP", "COLUMN", gone] => {
                    expected.get_mut(table).unwrap().retain(|column| *column != gone.trim_end_matches(';'));
                }
                _ => panic!("a change of another kind: {words:?}"),
            }
        }
    }
    expected.remove("lease");
    let known: std::collections::BTreeMap<_, _> =
        TABLES.iter().map(|table| (table.name, table.columns.to_vec())).collect();
    assert_eq!(known, expected);
}
