use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use store::{Error, Value, sql};

use super::bed::{Bed, store_suite};

store_suite! {
    values_come_back_as_they_went_in,
    parameters_are_bound_by_their_number,
    arguments_that_do_not_fit_are_refused,
    a_text_with_a_nul_is_refused_by_both_in_the_same_words,
    a_taken_key_is_unique_and_rolls_back,
    an_error_spoils_the_transaction,
    a_reason_for_rolling_back_reaches_the_caller,
    a_caller_who_goes_away_leaves_a_whole_transaction,
    a_panic_in_a_transaction_hurts_nobody_else,
    parallel_increments_lose_nothing,
    statements_put_last_run_last,
    reads_and_listings_answer_under_load,
    a_second_store_on_the_same_data,
}

const INSERT: &str = "INSERT INTO meta (k, v) VALUES ($1, $2)";

async fn put(bed: &Bed, key: &'static str, value: &'static [u8]) -> store::Result<u64> {
    bed.store.write("put", move |tx| Box::pin(async move { tx.exec(sql(INSERT).bind(key).bind(value)).await })).await
}

async fn count(bed: &Bed) -> i64 {
    bed.store.read(sql("SELECT COUNT(*) FROM meta")).await.unwrap()[0].int(0).unwrap()
}

async fn values_come_back_as_they_went_in(bed: Bed) {
    let long = "é".repeat(70_000);
    let insert = "INSERT INTO secret_version (tenant, secret, version, value, meta, created_at, restored_from)
                  VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let args: [Value; 7] = [
        [1u8; 16].into(),
        [2u8; 16].into(),
        1i64.into(),
        Value::Blob(vec![]),
        long.as_bytes().into(),
        i64::MIN.into(),
        Value::Null,
    ];
    let copy = args.clone();
    bed.store
        .write("values", move |tx| {
            let statement = copy.iter().cloned().fold(sql(insert), store::Stmt::bind);
            Box::pin(async move { tx.exec(statement).await })
        })
        .await
        .unwrap();
    let select = sql(
        "SELECT tenant, secret, version, value, meta, created_at, restored_from FROM secret_version WHERE tenant = $1",
    );
    let rows = bed.store.read(select.bind([1u8; 16])).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows.into_iter().next().unwrap().into_values(), args);
}

async fn parameters_are_bound_by_their_number(bed: Bed) {
    bed.store
        .write("swapped", |tx| {
            Box::pin(async move {
                tx.exec(sql("INSERT INTO meta (v, k) VALUES ($2, $1)").bind("key").bind(b"value")).await?;
                tx.exec(
                    sql("UPDATE meta SET v = $3 WHERE k = $1 AND v = $2 AND k = $1")
                        .bind("key")
                        .bind(b"value")
                        .bind(b"new"),
                )
                .await
            })
        })
        .await
        .unwrap();
    let row = bed.store.read_one(sql("SELECT v FROM meta WHERE k = $1").bind("key")).await.unwrap().unwrap();
    assert_eq!(row.blob(0).unwrap(), b"new");
}

async fn arguments_that_do_not_fit_are_refused(bed: Bed) {
    let select = "SELECT k FROM meta WHERE k = $1";
    for statement in [
        sql(select),
        sql(select).bind("a").bind("b"),
        sql("SELECT ver FROM tenant WHERE k = $1").bind("no such column"),
    ] {
        assert!(matches!(bed.store.read(statement).await, Err(Error::Other(_))));
    }
    let wrong = bed.store.write("wrong type", |tx| {
        Box::pin(async move { tx.exec(sql("INSERT INTO meta (k, v) VALUES ($1, $2)").bind("a").bind("text")).await })
    });
    assert!(matches!(wrong.await, Err(Error::Other(_))));
    assert_eq!(count(&bed).await, 0);
}

async fn a_taken_key_is_unique_and_rolls_back(bed: Bed) {
    put(&bed, "taken", b"1").await.unwrap();
    let second = bed.store.write("second", |tx| {
        Box::pin(async move {
            tx.exec(sql(INSERT).bind("other").bind(b"2")).await?;
            tx.exec(sql(INSERT).bind("taken").bind(b"2")).await
        })
    });
    assert!(matches!(second.await, Err(Error::Unique)));
    assert_eq!(count(&bed).await, 1);
}

async fn an_error_spoils_the_transaction(bed: Bed) {
    put(&bed, "taken", b"1").await.unwrap();
    let swallowed = bed.store.write("swallowed", |tx| {
        Box::pin(async move {
            tx.exec(sql(INSERT).bind("other").bind(b"2")).await?;
            let _ = tx.exec(sql(INSERT).bind("taken").bind(b"2")).await;
            Ok(())
        })
    });
    assert!(matches!(swallowed.await, Err(Error::Unique)));
    assert_eq!(count(&bed).await, 1);
    put(&bed, "after", b"3").await.unwrap();
}

#[derive(Debug, thiserror::Error)]
#[error("version {0} is current")]
struct Outdated(u32);

async fn a_reason_for_rolling_back_reaches_the_caller(bed: Bed) {
    let refused = bed.store.write("refused", |tx| {
        Box::pin(async move {
            tx.exec(sql(INSERT).bind("x").bind(b"1")).await?;
            Err::<(), _>(Error::other(Outdated(7)))
        })
    });
    assert_eq!(refused.await.unwrap_err().reason::<Outdated>().unwrap().0, 7);
    assert_eq!(count(&bed).await, 0);
}

async fn a_caller_who_goes_away_leaves_a_whole_transaction(bed: Bed) {
    let mut callers = Vec::new();
    for n in 0..200i64 {
        let store = bed.store.clone();
        callers.push(tokio::spawn(async move {
            let write = store.write("dropped", move |tx| {
                Box::pin(async move {
                    for part in ["a", "b"] {
                        tx.exec(sql(INSERT).bind(format!("{n:03}{part}")).bind(b"")).await?;
                    }
                    Ok(())
                })
            });
            // Some give up before they are queued, some while they are written, some never.
            let _ = tokio::time::timeout(Duration::from_micros((n as u64 * 37) % 4000), write).await;
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    // Behind everything that was queued.
    put(&bed, "zzz", b"").await.unwrap();
    for _ in 0..100 {
        let rows =
            bed.store.scan(sql("SELECT k FROM meta WHERE k < $1 ORDER BY k LIMIT 1000").bind("z")).await.unwrap();
        let keys: Vec<&str> = rows.iter().map(|row| row.text(0).unwrap()).collect();
        assert!(keys.chunks(2).all(|pair| pair.len() == 2 && pair[0][..3] == pair[1][..3]), "{keys:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(count(&bed).await > 1);
}

async fn a_panic_in_a_transaction_hurts_nobody_else(bed: Bed) {
    let panicked = bed.store.write("panic", |tx| {
        Box::pin(async move {
            tx.exec(sql(INSERT).bind("x").bind(b"1")).await?;
            if count_is_odd() {
                panic!("on purpose");
            }
            Ok(())
        })
    });
    assert!(matches!(panicked.await, Err(Error::Other(_))));
    assert_eq!(count(&bed).await, 0);
    put(&bed, "x", b"2").await.unwrap();
}

fn count_is_odd() -> bool {
    true
}

async fn parallel_increments_lose_nothing(bed: Bed) {
    bed.store
        .write("start", |tx| {
            Box::pin(async move {
                tx.exec(sql("INSERT INTO tenant_epoch (tenant, epoch) VALUES ($1, 0)").bind([7; 16])).await
            })
        })
        .await
        .unwrap();
    let tries = Arc::new(AtomicU32::new(0));
    let mut callers = Vec::new();
    for _ in 0..32 {
        let (store, tries) = (bed.store.clone(), Arc::clone(&tries));
        callers.push(tokio::spawn(async move {
            for _ in 0..10 {
                let tries = Arc::clone(&tries);
                // A collision that outlives its retries is counted as failed.
                let _ = store
                    .write_serializable("increment", move |tx| {
                        tries.fetch_add(1, Ordering::Relaxed);
                        Box::pin(async move {
                            let row =
                                tx.row(sql("SELECT epoch FROM tenant_epoch WHERE tenant = $1").bind([7; 16])).await?;
                            let epoch = row.unwrap().int(0)?;
                            tx.exec(
                                sql("UPDATE tenant_epoch SET epoch = $2 WHERE tenant = $1")
                                    .bind([7; 16])
                                    .bind(epoch + 1),
                            )
                            .await
                        })
                    })
                    .await;
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    let row = bed.store.read_one(sql("SELECT epoch FROM tenant_epoch WHERE tenant = $1").bind([7; 16])).await.unwrap();
    assert_eq!(row.unwrap().int(0).unwrap(), 320 - i64::try_from(bed.store.counts()["increment"].failed).unwrap());
    assert!(tries.load(Ordering::Relaxed) >= 320);
}

async fn statements_put_last_run_last(bed: Bed) {
    bed.store
        .write("last", |tx| {
            Box::pin(async move {
                tx.exec_last(sql("UPDATE meta SET v = $2 WHERE k = $1").bind("k").bind(b"last"));
                tx.bump_epoch([2; 16]);
                tx.bump_epoch([1; 16]);
                tx.bump_epoch([2; 16]);
                let counts =
                    tx.exec_all(vec![sql(INSERT).bind("k").bind(b"first"), sql(INSERT).bind("j").bind(b"")]).await?;
                assert_eq!(counts, [1, 1]);
                Ok(())
            })
        })
        .await
        .unwrap();
    let row = bed.store.read_one(sql("SELECT v FROM meta WHERE k = $1").bind("k")).await.unwrap().unwrap();
    assert_eq!(row.blob(0).unwrap(), b"last");
    let rows = bed.store.read(sql("SELECT tenant, epoch FROM tenant_epoch ORDER BY tenant")).await.unwrap();
    let epochs: Vec<i64> = rows.iter().map(|row| row.int(1).unwrap()).collect();
    assert_eq!(epochs, [1, 1]);

    let refused = bed.store.write("last fails", |tx| {
        Box::pin(async move {
            tx.exec(sql("DELETE FROM meta WHERE k = $1").bind("j")).await?;
            tx.exec_last(sql(INSERT).bind("k").bind(b"again"));
            Ok(())
        })
    });
    assert!(matches!(refused.await, Err(Error::Unique)));
    assert_eq!(count(&bed).await, 2);
}

async fn reads_and_listings_answer_under_load(bed: Bed) {
    put(&bed, "k", b"v").await.unwrap();
    let mut callers = Vec::new();
    for n in 0..64 {
        let store = bed.store.clone();
        callers.push(tokio::spawn(async move {
            for _ in 0..20 {
                let select = sql("SELECT v FROM meta WHERE k = $1").bind("k");
                let rows = if n % 8 == 0 { store.scan(select).await } else { store.read(select).await };
                assert_eq!(rows.unwrap()[0].blob(0).unwrap(), b"v");
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
}

async fn a_second_store_on_the_same_data(bed: Bed) {
    put(&bed, "k", b"v").await.unwrap();
    let second = bed.open_again().await;
    if bed.is_postgres() {
        let rows = second.unwrap().read(sql("SELECT v FROM meta")).await.unwrap();
        assert_eq!(rows.len(), 1);
    } else {
        assert!(matches!(second, Err(Error::Unavailable(_))), "a second server must refuse to start");
        bed.store.close().await;
        assert!(matches!(put(&bed, "l", b"").await, Err(Error::Unavailable(_))));
        bed.open_again().await.unwrap();
    }
}

#[tokio::test]
async fn awaiting_anything_else_inside_a_transaction_is_refused() {
    let bed = Bed::sqlite().await;
    let waited = bed.store.write("waits", |tx| {
        Box::pin(async move {
            tx.exec(sql(INSERT).bind("x").bind(b"1")).await?;
            tokio::task::yield_now().await;
            Ok(())
        })
    });
    assert!(matches!(waited.await, Err(Error::Other(_))));
    assert_eq!(count(&bed).await, 0);
}

#[tokio::test]
async fn what_waits_for_postgresql_does_not_swell_every_request() {
    let bed = Bed::sqlite().await;
    // Both are part of the future of nearly every handler.
    let (read, scan) = (bed.store.read(sql("SELECT 1")), bed.store.scan(sql("SELECT 1")));
    let sizes = (size_of_val(&read), size_of_val(&scan));
    assert!(sizes.0 <= 1_536 && sizes.1 <= 1_536, "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_queue_up_share_a_commit_and_one_that_fails_takes_nobody_with_it() {
    let bed = Bed::sqlite().await;
    let writes = (0..500i64).map(|n| {
        let store = bed.store.clone();
        tokio::spawn(async move {
            let key = if n % 10 == 9 { "000".to_owned() } else { format!("{n:03}") };
            store
                .write("grouped", move |tx| {
                    let key = key.clone();
                    Box::pin(async move { tx.exec(sql(INSERT).bind(key).bind(b"")).await })
                })
                .await
        })
    });
    let mut failed = 0;
    for write in writes.collect::<Vec<_>>() {
        match write.await.unwrap() {
            Ok(1) => {}
            Err(Error::Unique) => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    // Of key 000 there is one winner among one writer of its own and fifty others.
    assert_eq!(failed, 50);
    assert_eq!(count(&bed).await, 450);
}

#[tokio::test]
async fn a_database_elsewhere_needs_encryption() {
    for url in
        ["postgres://qapi@192.0.2.1/x", "postgres://qapi@localhost,db.example/x", "host=db.example hostaddr=127.0.0.1"]
    {
        let refused = store::Store::open_postgres(url, store::Options::default()).await.err().unwrap();
        assert!(matches!(refused, Error::Other(_)), "{url}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_sorts_otherwise_or_forgets_is_refused() {
    let server = store::testing::Postgres::shared();
    let url = server.create_database().unwrap();
    let name = url.rsplit('/').next().unwrap();
    server.psql("postgres", &format!("ALTER DATABASE {name} SET synchronous_commit = off")).unwrap();
    let refused = store::Store::open_postgres(&url, store::Options::default()).await.err().unwrap();
    assert!(std::error::Error::source(&refused).unwrap().to_string().contains("synchronous_commit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_writes_until_the_store_is_opened_again() {
    let bed = Bed::sqlite().await;
    put(&bed, "before", b"1").await.unwrap();
    // The file may not grow any more: to SQLite the same as a full disk.
    let pages = sql("PRAGMA max_page_count(1)");
    bed.store
        .write("shrink", move |tx| {
            let pages = pages.clone();
            Box::pin(async move { tx.rows(pages).await.map(|_| ()) })
        })
        .await
        .unwrap();
    let full = bed
        .store
        .write("full", |tx| Box::pin(async move { tx.exec(sql(INSERT).bind("big").bind(vec![1; 1 << 20])).await }));
    assert!(matches!(full.await, Err(Error::Unavailable(_))));
    assert!(bed.store.is_read_only());
    assert!(matches!(put(&bed, "after", b"1").await, Err(Error::ReadOnly)));
    assert_eq!(count(&bed).await, 1, "reads go on");
    bed.store.close().await;
    let reopened = bed.open_again().await.unwrap();
    assert!(!reopened.is_read_only());
    reopened.check_integrity().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_bounded_and_a_long_reader_stops_nobody() {
    let bed = Bed::sqlite().await;
    let log = bed.dir().unwrap().join("qapi.db-wal");
    let size = || std::fs::metadata(&log).unwrap().len() >> 20;
    write_megabytes(&bed.store, 0..150).await;
    assert!(size() < 100, "{} MiB of log", size());

    // A backup whose first row is not taken for as long as others write keeps its snapshot open.
    let (begun, begin) = tokio::sync::oneshot::channel();
    let (written, wait) = std::sync::mpsc::channel();
    let store = bed.store.clone();
    let writer = tokio::spawn(async move {
        begin.await.unwrap();
        let start = std::time::Instant::now();
        write_megabytes(&store, 150..250).await;
        written.send(start.elapsed()).unwrap();
    });
    let (mut begun, mut seen, mut took, wait) = (Some(begun), 0, Duration::ZERO, std::sync::Mutex::new(wait));
    let mut sink = |record| {
        if matches!(record, store::dump::Record::Row(_)) {
            seen += 1;
            if let Some(begun) = begun.take() {
                begun.send(()).unwrap();
                took =
                    tokio::task::block_in_place(|| wait.lock().unwrap().recv_timeout(Duration::from_secs(60))).unwrap();
            }
        }
        Ok(())
    };
    store::dump::dump(&bed.store, &mut sink).await.unwrap();
    writer.await.unwrap();
    assert_eq!(seen, 150, "the backup is one moment");
    assert!(took < Duration::from_secs(30), "writing beside a backup took {took:?}");
    write_megabytes(&bed.store, 250..320).await;
    assert!(size() < 100, "{} MiB of log after the reader has gone", size());
}

async fn write_megabytes(store: &store::Store, numbers: std::ops::Range<i64>) {
    for n in numbers {
        let write = store.write("megabyte", move |tx| {
            Box::pin(async move { tx.exec(sql(INSERT).bind(n.to_string()).bind(vec![7; 1 << 20])).await })
        });
        write.await.unwrap();
    }
}

async fn a_text_with_a_nul_is_refused_by_both_in_the_same_words(bed: Bed) {
    let read = bed.store.read(sql("SELECT v FROM meta WHERE k = $1").bind("a\0b")).await;
    assert!(matches!(read, Err(Error::Nul)), "{read:?}");
    let written = put(&bed, "a\0b", b"1").await;
    assert!(matches!(written, Err(Error::Nul)), "{written:?}");
    assert_eq!(put(&bed, "after", b"1").await.unwrap(), 1);
}
