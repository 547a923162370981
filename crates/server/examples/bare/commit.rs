//! The database engine by itself: the rows of a new secret, committed in groups, with nothing before or after.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crypto::random::Random as _;
use store::{Options, Store, Tx, sql};

use crate::OperatingSystem;

const LASTS: Duration = Duration::from_secs(3);
/// As many as the load generator has connections.
const WRITERS: usize = 64;
/// About what a sealed value, its metadata and an event take.
const VALUE_BYTES: usize = 1_200;
const META_BYTES: usize = 200;
const EVENT_BYTES: usize = 500;

/// Transactions a second, each durable before it counts.
pub async fn rate(dir: &Path) -> anyhow::Result<f64> {
    if dir.exists() {
        std::fs::remove_dir_all(dir)?;
    }
    let store = Store::open_sqlite(dir, Options::default()).await?;
    store::migrate::migrate(&store, domain::time::Timestamp::from_millis(0)).await?;
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let writers: Vec<_> = (0..WRITERS).map(|_| tokio::spawn(write_until(store.clone(), began, done.clone()))).collect();
    for writer in writers {
        writer.await??;
    }
    let rate = done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    store.close().await;
    Ok(rate)
}

async fn write_until(store: Store, began: Instant, done: Arc<AtomicU64>) -> store::Result<()> {
    while began.elapsed() < LASTS {
        let mut id = [0; 16];
        OperatingSystem.fill(&mut id);
        store.write("bare secret", move |tx| Box::pin(insert(tx, id))).await?;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn insert(tx: &mut Tx<'_>, id: [u8; 16]) -> store::Result<()> {
    let tenant = [1_u8; 16];
    let name = format!("bench/write/{}", id.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let secret = sql(
        "INSERT INTO secret (tenant, id, name, labels, is_active, is_favorite, version, ver, created_at, updated_at, meta, has_totp)
         VALUES ($1, $2, $3, '', 1, 0, 1, 1, 0, 0, $4, 0)",
    );
    let version =
        sql("INSERT INTO secret_version (tenant, secret, version, value, created_at) VALUES ($1, $2, 1, $3, 0)");
    let event = sql("INSERT INTO audit_outbox (tenant, id, at, body) VALUES ($1, $2, 0, $3)");
    tx.exec(secret.bind(tenant).bind(id).bind(name).bind(vec![7_u8; META_BYTES])).await?;
    tx.exec(version.bind(tenant).bind(id).bind(vec![7_u8; VALUE_BYTES])).await?;
    tx.exec(event.bind(tenant).bind(id).bind(vec![7_u8; EVENT_BYTES])).await?;
    Ok(())
}
