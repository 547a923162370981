//! Processes killed at random moments with acknowledged writes in flight: nothing acknowledged may be lost.
//!
//! `QAPI_KILL_ROUNDS` says how many rounds each engine gets (5 when unset; CI gives 50). This proves the death of processes, on
//! PostgreSQL of the database's too, not the loss of power.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::audit::chain::{GENESIS, link_hash};
use domain::audit::{Draft, Event, Outcome};
use domain::authz::{ReadAudit, on_behalf_of_the_platform};
use domain::ids::{EventId, LaneId, TenantId};
use domain::time::Timestamp;
use store::index::Expander;
use store::lane::AuditLane;
use store::outbox::{Mover, OutboxRow};
use store::testing::Postgres;
use store::{Options, Store, sql};

const TENANT: [u8; 16] = [5; 16];
/// Where the writer finds its database: a folder or an address. Set by the tests for the copy of themselves that they kill.
const PLACE: &str = "QAPI_KILL_PLACE";
/// How long a round may wait for what goes on by itself.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_killed_server_loses_nothing_it_acknowledged_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display().to_string();
    let mut acknowledged = Acknowledged::default();
    for round in 1..=rounds() {
        let writer = Writer::start(&place);
        writer.let_run();
        writer.kill(&mut acknowledged);
        in_runtime(check(&place, &acknowledged));
        eprintln!("round {round}: {acknowledged}");
    }
}

#[test]
fn a_killed_server_or_database_loses_nothing_it_acknowledged_on_postgres() {
    let mut server = Postgres::start().unwrap();
    let place = server.create_database().unwrap();
    let mut acknowledged = Acknowledged::default();
    for round in 1..=rounds() {
        let writer = Writer::start(&place);
        writer.let_run();
        if round % 2 == 0 {
            // The database dies under a living server, which goes on as soon as it is back.
            server.crash().unwrap();
            writer.let_run();
        }
        writer.kill(&mut acknowledged);
        wait_until_nobody_writes(&server, &place);
        in_runtime(check(&place, &acknowledged));
        eprintln!("round {round}: {acknowledged}");
    }
}

/// The database's own processes outlive the client they served by what it had still sent them, and a commit in the middle of a
/// check would look like a mutation without its event.
fn wait_until_nobody_writes(server: &Postgres, place: &str) {
    let (_, database) = place.rsplit_once('/').unwrap();
    let others =
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let start = Instant::now();
    while server.psql(database, others).unwrap().trim() != "0" {
        assert!(start.elapsed() < PATIENCE, "the dead process is still connected");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The process that is killed: a copy of this test program that runs nothing but this.
#[test]
fn the_writer_that_is_killed() {
    if let Ok(place) = std::env::var(PLACE) {
        in_runtime(write_until_killed(&place));
    }
}

fn rounds() -> u32 {
    std::env::var("QAPI_KILL_ROUNDS").map_or(5, |text| text.parse().unwrap())
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap().block_on(work)
}

async fn open(place: &str) -> Store {
    let store = if Path::new(place).is_dir() {
        Store::open_sqlite(Path::new(place), Options::default()).await
    } else {
        Store::open_postgres(place, Options::default()).await
    };
    store.unwrap()
}

#[derive(Default)]
struct Acknowledged {
    mutations: BTreeSet<u64>,
    events: BTreeSet<u64>,
}

impl std::fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} mutations and {} events acknowledged", self.mutations.len(), self.events.len())
    }
}

struct Writer {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    first: String,
}

impl Writer {
    fn start(place: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_writer_that_is_killed", "--nocapture", "--quiet"])
            .env(PLACE, place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        // The test runner speaks first; the writer's lines begin with m or e and a number.
        let mut first = String::new();
        while number(&first).is_none() {
            first.clear();
            assert!(lines.read_line(&mut first).unwrap() > 0, "the writer ended by itself");
        }
        Self { child, lines, first }
    }

    fn let_run(&self) {
        std::thread::sleep(Duration::from_micros(20_000 + RandomState::new().hash_one(0) % 600_000));
    }

    fn kill(mut self, acknowledged: &mut Acknowledged) {
        self.child.kill().unwrap();
        let mut line = std::mem::take(&mut self.first);
        loop {
            // What was cut in the middle was not heard, so it does not count.
            if line.ends_with('\n') {
                match number(&line) {
                    Some(('m', n)) => acknowledged.mutations.insert(n),
                    Some(('e', n)) => acknowledged.events.insert(n),
                    _ => false,
                };
            }
            line.clear();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                break;
            }
        }
        self.child.wait().unwrap();
    }
}

fn number(line: &str) -> Option<(char, u64)> {
    let (kind, n) = line.trim_end().split_once(' ')?;
    Some((kind.chars().next().filter(|_| kind.len() == 1)?, n.parse().ok()?))
}

async fn write_until_killed(place: &str) {
    let store = open(place).await;
    store::migrate::migrate(&store, Timestamp::from_millis(1)).await.unwrap();
    let ids = Arc::new(Ids { salt: RandomState::new().hash_one(1) << 24, next: AtomicU64::new(1) });
    let new_lane = || {
        let ids = Arc::clone(&ids);
        Box::new(move || LaneId::from_bytes(ids.bytes(ids.take())))
    };
    let lane = AuditLane::start(&store, new_lane());
    let mut mover = Mover::new(&store, ids.bytes(ids.take()), new_lane());
    let mut expander = Expander::new(&store, ids.bytes(ids.take()));
    tokio::spawn(async move {
        loop {
            // Failures are the point of this test: the next round tries again.
            let _ = mover.run_once().await;
            let _ = expander.run_once().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    for _ in 0..16 {
        let (store, lane) = (store.clone(), lane.clone());
        let (for_mutations, for_events) = (Arc::clone(&ids), Arc::clone(&ids));
        tokio::spawn(async move {
            loop {
                let n = for_mutations.take();
                if mutate(&store, n).await.is_ok() {
                    say('m', n);
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let n = for_events.take();
                if lane.append(TenantId::from_bytes(TENANT), event(n), None).await.is_ok() {
                    say('e', n);
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    panic!("nobody killed the writer");
}

/// Numbers that no other run of the writer gives out.
struct Ids {
    salt: u64,
    next: AtomicU64,
}

impl Ids {
    fn take(&self) -> u64 {
        self.salt + self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn bytes(&self, n: u64) -> [u8; 16] {
        id(n)
    }
}

fn id(n: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    id
}

fn say(kind: char, n: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{kind} {n}").unwrap();
    out.flush().unwrap();
}

async fn mutate(store: &Store, n: u64) -> store::Result<()> {
    let row = OutboxRow {
        tenant: TenantId::from_bytes(TENANT),
        id: EventId::from_bytes(id(n)),
        at: Timestamp::from_millis(1),
        body: event(n),
    };
    store
        .write("mutation", move |tx| {
            tx.exec_last(row.insert());
            tx.bump_epoch(TENANT);
            Box::pin(async move {
                tx.exec(
                    sql("INSERT INTO secret_version (tenant, secret, version, value, created_at) VALUES ($1, $2, 1, $3, 1)")
                        .bind(TENANT)
                        .bind(id(n))
                        .bind(vec![7; 1_400]),
                )
                .await
                .map(|_| ())
            })
        })
        .await
}

fn event(n: u64) -> Vec<u8> {
    let event = Event {
        id: EventId::from_bytes(id(n)),
        at: Timestamp::from_millis(1),
        tenant: TenantId::from_bytes(TENANT),
        action: "Encrypt".into(),
        category: "keys".into(),
        outcome: Outcome::Success,
        actor: "apikey:ci".into(),
        actor_type: "apiKey".into(),
        actor_id: None,
        resource_type: "CryptoKey".into(),
        resource_id: "k".into(),
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
    Draft { event: serde_json::to_vec(&event).unwrap().into(), personal: vec![9; 64].into() }.encode()
}

async fn check(place: &str, acknowledged: &Acknowledged) {
    let start = Instant::now();
    let store = open(place).await;
    store.check_integrity().await.unwrap();
    let mut mover = Mover::new(&store, [1; 16], Box::new(|| LaneId::from_bytes(id(RandomState::new().hash_one(2)))));
    // The dead process may still hold the lease.
    while store::outbox::backlog(&store).await.unwrap().0 > 0 {
        assert!(start.elapsed() < PATIENCE, "what the dead process left is not moved");
        if mover.run_once().await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let events = verified_events(&store).await;
    let mutations = stored_mutations(&store).await;
    assert!(acknowledged.events.is_subset(&events), "an acknowledged event is lost");
    assert!(acknowledged.mutations.is_subset(&mutations), "an acknowledged mutation is lost");
    assert!(mutations.is_subset(&events), "a mutation lacks its event");
    store.close().await;
}

/// Every event of the tenant, after each link of each chain has been recomputed; none may stand twice.
async fn verified_events(store: &Store) -> BTreeSet<u64> {
    let tenant = TenantId::from_bytes(TENANT);
    let mut export = store.audit_export(&on_behalf_of_the_platform::<ReadAudit>(tenant)).await.unwrap();
    let mut ends = BTreeMap::new();
    let mut events = BTreeSet::new();
    while let Some(page) = export.next().await.unwrap() {
        for exported in page {
            let (count, before) = ends.get(&exported.lane).copied().unwrap_or((0, GENESIS));
            let record = exported.record;
            let hash = link_hash(exported.lane, tenant, count + 1, &before, &record.draft.event);
            assert_eq!((record.seq, record.hash), (count + 1, hash), "the chain is broken");
            ends.insert(exported.lane, (record.seq, hash));
            let id = record.draft.parsed().unwrap().id;
            assert!(events.insert(u64::from_be_bytes(id.as_bytes()[8..].try_into().unwrap())), "an event stands twice");
        }
    }
    events
}

async fn stored_mutations(store: &Store) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    let mut after = vec![];
    loop {
        let page =
            sql("SELECT secret FROM secret_version WHERE tenant = $1 AND secret > $2 ORDER BY secret LIMIT 5000");
        let rows = store.scan(page.bind(TENANT).bind(&after)).await.unwrap();
        let Some(last) = rows.last() else { return all };
        after = last.blob(0).unwrap().to_vec();
        all.extend(rows.iter().map(|row| u64::from_be_bytes(row.array::<16>(0).unwrap()[8..].try_into().unwrap())));
    }
}
