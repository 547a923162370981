//! Servers killed in the middle of work: whatever was acknowledged is there afterwards, and the trail is whole.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::installation::{Engine, Installation};
use crate::postgres::Postgres;
use crate::server::{Server, list};
use crate::trail;

/// What a server has acknowledged, over all rounds.
#[derive(Default)]
struct Acknowledged {
    /// Secrets by id: their newest acknowledged version and its value.
    secrets: BTreeMap<String, (u64, String)>,
    /// Keys by id: their newest acknowledged version.
    keys: BTreeMap<String, u64>,
    /// Payloads and their plaintexts, each of which is an event of the trail as well.
    payloads: Vec<(String, String)>,
}

#[test]
fn nothing_acknowledged_is_lost_when_a_server_on_sqlite_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    survive(|| Server::start_dev_in(&data));
}

#[test]
fn nothing_acknowledged_is_lost_when_a_server_on_postgresql_is_killed() {
    let postgres = Postgres::start();
    let installation = Installation::unattended(&Engine::Postgres(postgres.url("qapi")));
    survive(|| installation.serve());
}

fn rounds() -> u64 {
    std::env::var("QAPI_KILL_ROUNDS").map_or(5, |text| text.parse().expect("QAPI_KILL_ROUNDS is a number"))
}

fn survive(start: impl Fn() -> Server) {
    let mut all = Acknowledged::default();
    let mut server = start();
    for round in 0..rounds() {
        let acknowledged = Mutex::new(Acknowledged::default());
        work_until_killed(&mut server, &acknowledged, round);
        server = start();
        let acknowledged = acknowledged.into_inner().unwrap();
        verify(&server.client(), &acknowledged, round);
        all.secrets.extend(acknowledged.secrets);
        all.keys.extend(acknowledged.keys);
        all.payloads.extend(acknowledged.payloads);
    }
    // What an early round wrote has to outlive the later ones too.
    verify(&server.client(), &all, rounds());
    println!(
        "killed {} times: {} secrets, {} keys, {} messages acknowledged, none lost",
        rounds(),
        all.secrets.len(),
        all.keys.len(),
        all.payloads.len()
    );
}

/// Four writers at once; the kill comes at another moment of the work in every round.
fn work_until_killed(server: &mut Server, acknowledged: &Mutex<Acknowledged>, round: u64) {
    let client = server.client();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (client, over) = (&client, &over);
        for worker in 0..4_u64 {
            scope.spawn(move || {
                let mut step = 0;
                while !over.load(Ordering::SeqCst) && one_write(client, acknowledged, round, worker, step).is_some() {
                    step += 1;
                }
            });
        }
        std::thread::sleep(Duration::from_millis(100 + scattered(round) % 500));
        server.kill();
        over.store(true, Ordering::SeqCst);
    });
}

/// A number that looks like chance and is the same in every run.
fn scattered(round: u64) -> u64 {
    (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

/// One write of one kind; `None` once the server is gone.
fn one_write(client: &Client, acknowledged: &Mutex<Acknowledged>, round: u64, worker: u64, step: u64) -> Option<()> {
    let name = format!("r{round}-w{worker}-s{step}");
    let post = |path: &str, body: serde_json::Value| client.request("POST", path).json(&body).try_send().ok();
    match (worker + step) % 4 {
        0 => {
            let made = post("/api/v1/secrets", json!({"name": name, "value": name}))?.expect(201);
            acknowledged.lock().unwrap().secrets.insert(made.text_of("id"), (1, name));
        }
        1 => {
            let body = json!({"name": name, "keyType": "encryption", "algorithm": "AES-256-GCM"});
            let made = post("/api/v1/keys", body)?.expect(201).text_of("id");
            acknowledged.lock().unwrap().keys.insert(made.clone(), 1);
            let rotated = post(&format!("/api/v1/keys/{made}/rotate"), json!({}))?.expect(200).json();
            acknowledged.lock().unwrap().keys.insert(made, rotated["newVersion"].as_u64()?);
        }
        2 => {
            let sealed = post("/api/v1/encrypt", json!({"plaintext": name}))?.expect(200).text_of("encryptedPayload");
            acknowledged.lock().unwrap().payloads.push((sealed, name));
        }
        _ => {
            let made = post("/api/v1/secrets", json!({"name": name, "value": "first"}))?.expect(201).text_of("id");
            acknowledged.lock().unwrap().secrets.insert(made.clone(), (1, "first".to_owned()));
            let path = format!("/api/v1/secrets/{made}/value");
            let changed = client.request("PUT", &path).json(&json!({"value": name})).try_send().ok()?.expect(200);
            acknowledged.lock().unwrap().secrets.insert(made, (changed.json()["version"].as_u64()?, name));
        }
    }
    Some(())
}

fn verify(client: &Client, acknowledged: &Acknowledged, round: u64) {
    for (id, (version, value)) in &acknowledged.secrets {
        let read = client.get(&format!("/api/v1/secrets/{id}?version={version}")).expect(200);
        assert_eq!(&read.text_of("value"), value, "round {round}");
    }
    for (id, version) in &acknowledged.keys {
        let read = client.get(&format!("/api/v1/keys/{id}")).expect(200).json();
        assert!(read["version"].as_u64().unwrap() >= *version, "round {round}: {read} was at {version}");
    }
    let sealed: Vec<_> = acknowledged.payloads.iter().map(|(sealed, _)| json!({"encryptedPayload": sealed})).collect();
    for (chunk, texts) in sealed.chunks(1_000).zip(acknowledged.payloads.chunks(1_000)) {
        let opened = client.post("/api/v1/decrypt/batch", &json!({"items": chunk})).expect(200).json();
        for (item, (_, text)) in list(&opened, "results").iter().zip(texts) {
            assert_eq!(&item["plaintext"], text, "round {round}");
        }
    }
    let export = trail::export(client);
    let events = export.lines().filter(|line| line.contains("Encrypt")).count();
    assert!(events >= acknowledged.payloads.len(), "round {round}: {events} events of {}", acknowledged.payloads.len());
    let lost: Vec<_> = acknowledged
        .secrets
        .keys()
        .chain(acknowledged.keys.keys())
        .filter(|id| !export.contains(id.as_str()))
        .collect();
    assert!(lost.is_empty(), "round {round}: no event of {lost:?}");
    trail::assert_verifies(&export);
}
