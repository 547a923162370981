//! Servers killed in the middle of work: whatever was acknowledged is there afterwards, and the trail is whole.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::client::{Answer, Client};
use crate::installation::{Engine, Installation};
use crate::postgres::Postgres;
use crate::program::say;
use crate::server::{Server, eventually, list};
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
    say(&format!(
        "killed {} times: {} secrets, {} keys, {} messages acknowledged, none lost",
        rounds(),
        all.secrets.len(),
        all.keys.len(),
        all.payloads.len()
    ));
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

/// One write of one kind; `None` once the server is gone. What it refuses, because its database lags on a busy machine, is
/// not acknowledged.
fn one_write(client: &Client, acknowledged: &Mutex<Acknowledged>, round: u64, worker: u64, step: u64) -> Option<()> {
    let name = format!("r{round}-w{worker}-s{step}");
    let call = |method: &str, path: &str, body: serde_json::Value| -> Option<Option<serde_json::Value>> {
        let answer = client.request(method, path).json(&body).try_send().ok()?;
        match answer.status {
            200 | 201 => Some(Some(answer.json())),
            503 => Some(None),
            other => panic!("{method} {path}: {other} {}", answer.text()),
        }
    };
    let id = |made: &serde_json::Value| made["id"].as_str().unwrap().to_owned();
    match (worker + step) % 4 {
        0 => {
            let made = call("POST", "/api/v1/secrets", json!({"name": name, "value": name}))?;
            let Some(made) = made else { return Some(()) };
            acknowledged.lock().unwrap().secrets.insert(id(&made), (1, name));
        }
        1 => {
            let body = json!({"name": name, "keyType": "encryption", "algorithm": "AES-256-GCM"});
            let Some(made) = call("POST", "/api/v1/keys", body)? else { return Some(()) };
            acknowledged.lock().unwrap().keys.insert(id(&made), 1);
            let rotated = call("POST", &format!("/api/v1/keys/{}/rotate", id(&made)), json!({}))?;
            let Some(rotated) = rotated else { return Some(()) };
            acknowledged.lock().unwrap().keys.insert(id(&made), rotated["newVersion"].as_u64().unwrap());
        }
        2 => {
            let sealed = call("POST", "/api/v1/encrypt", json!({"plaintext": name}))?;
            let Some(sealed) = sealed else { return Some(()) };
            let payload = sealed["encryptedPayload"].as_str().unwrap().to_owned();
            acknowledged.lock().unwrap().payloads.push((payload, name));
        }
        _ => {
            let made = call("POST", "/api/v1/secrets", json!({"name": name, "value": "first"}))?;
            let Some(made) = made else { return Some(()) };
            acknowledged.lock().unwrap().secrets.insert(id(&made), (1, "first".to_owned()));
            let changed = call("PUT", &format!("/api/v1/secrets/{}/value", id(&made)), json!({"value": name}))?;
            let Some(changed) = changed else { return Some(()) };
            acknowledged.lock().unwrap().secrets.insert(id(&made), (changed["version"].as_u64().unwrap(), name));
        }
    }
    Some(())
}

/// What is there, once the server answers: on a busy machine its view of the database may be too old for a moment.
fn read(client: &Client, path: &str) -> Answer {
    let answered = || Some(client.get(path)).filter(|answer| answer.status != 503);
    eventually(Duration::from_secs(10), answered).expect(200)
}

fn verify(client: &Client, acknowledged: &Acknowledged, round: u64) {
    for (id, (version, value)) in &acknowledged.secrets {
        let read = read(client, &format!("/api/v1/secrets/{id}?version={version}"));
        assert_eq!(&read.text_of("value"), value, "round {round}");
    }
    for (id, version) in &acknowledged.keys {
        let read = read(client, &format!("/api/v1/keys/{id}")).json();
        assert!(read["version"].as_u64().unwrap() >= *version, "round {round}: {read} was at {version}");
    }
    let sealed: Vec<_> = acknowledged.payloads.iter().map(|(sealed, _)| json!({"encryptedPayload": sealed})).collect();
    for (chunk, texts) in sealed.chunks(1_000).zip(acknowledged.payloads.chunks(1_000)) {
        let decrypt = || Some(client.post("/api/v1/decrypt/batch", &json!({"items": chunk})));
        let answered = || decrypt().filter(|answer| answer.status != 503);
        let opened = eventually(Duration::from_secs(10), answered).expect(200).json();
        for (item, (_, text)) in list(&opened, "results").iter().zip(texts) {
            assert_eq!(&item["plaintext"], text, "round {round}");
        }
    }
    let export = trail::export(client);
    let events = export.lines().filter(|line| line.contains("Encrypt")).count();
    assert!(events >= acknowledged.payloads.len(), "round {round}: {events} events of {}", acknowledged.payloads.len());
    // Once for all: a fast machine acknowledges thousands, and its trail has megabytes.
    let named = trail::resources(&export);
    let known = acknowledged.secrets.keys().chain(acknowledged.keys.keys());
    let lost: Vec<_> = known.filter(|id| !named.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "round {round}: no event of {lost:?}");
    trail::assert_verifies(&export);
}
