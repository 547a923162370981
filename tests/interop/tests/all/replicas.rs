//! Several servers on one PostgreSQL.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::installation::{Engine, Installation};
use crate::postgres::{Postgres, Proxy, url};
use crate::server::{Server, eventually, list, new_key};

/// How long a revocation may take to be known everywhere: the promised second, and one for a machine that is busy with other tests.
const EVERYWHERE: Duration = Duration::from_secs(2);

/// A cluster, an installation on it, and two servers.
struct Pair {
    first: Server,
    second: Server,
    installation: Installation,
    postgres: Postgres,
}

impl Pair {
    fn start() -> Self {
        let postgres = Postgres::start();
        let engine = Engine::Postgres(postgres.url("qapi"));
        let installation = Installation::unattended(&engine);
        let (first, second) = (installation.serve(), installation.serve());
        Self { first, second, installation, postgres }
    }
}

#[test]
fn what_one_server_revokes_no_server_accepts_a_second_later() {
    let pair = Pair::start();
    let (first, second) = (pair.first.client(), pair.second.client());
    for n in 0..5 {
        let made =
            first.post("/api/v1/api-keys", &json!({"name": format!("k{n}"), "scopes": ["secrets:read"]})).expect(201);
        let there = second.with_key(&made.text_of("key"));
        eventually(EVERYWHERE, || (there.get("/api/v1/secrets").status == 200).then_some(()));
        first.delete(&format!("/api/v1/api-keys/{}", made.text_of("id")));
        let revoked = Instant::now();
        while there.get("/api/v1/secrets").status != 401 {
            assert!(revoked.elapsed() < EVERYWHERE, "still accepted after {:?}", revoked.elapsed());
        }
    }
    let body = json!({"name": "shared", "keyType": "encryption", "algorithm": "ML-KEM-768"});
    let key = first.post("/api/v1/keys", &body).expect(201).text_of("id");
    let encrypt = |client: &Client| client.post("/api/v1/encrypt", &json!({"plaintext": "x", "keyId": key}));
    eventually(EVERYWHERE, || (encrypt(&second).status == 200).then_some(()));
    first.request("POST", &format!("/api/v1/keys/{key}/revoke")).send().expect(200);
    let revoked = Instant::now();
    while encrypt(&second).status != 403 {
        assert!(revoked.elapsed() < EVERYWHERE, "a revoked key still encrypts after {:?}", revoked.elapsed());
    }
}

#[test]
fn fifty_parallel_rotations_give_fifty_versions() {
    let pair = Pair::start();
    let clients = [pair.first.client(), pair.second.client()];
    let body = json!({"name": "rotated", "keyType": "encryption", "algorithm": "ML-KEM-768"});
    let key = clients[0].post("/api/v1/keys", &body).expect(201).text_of("id");
    let path = format!("/api/v1/keys/{key}/rotate");
    let versions: BTreeSet<u64> = std::thread::scope(|scope| {
        let rotations: Vec<_> = (0..50)
            .map(|n| {
                let (client, path) = (&clients[n % 2], &path);
                scope.spawn(move || client.post(path, &json!({})).expect(200).json()["newVersion"].as_u64().unwrap())
            })
            .collect();
        rotations.into_iter().map(|rotation| rotation.join().unwrap()).collect()
    });
    assert_eq!(versions, (2..=51).collect());
    for client in &clients {
        let listed = eventually(EVERYWHERE, || {
            let listed = client.get(&format!("/api/v1/keys/{key}/versions")).expect(200).json();
            (list(&listed, "versions").len() == 51).then_some(listed)
        });
        let ids: BTreeSet<_> = list(&listed, "versions").iter().map(|version| version["id"].to_string()).collect();
        assert_eq!(ids.len(), 51);
    }
}

#[test]
fn parallel_writes_of_one_secret_all_become_versions() {
    let pair = Pair::start();
    let clients = [pair.first.client(), pair.second.client()];
    let secret = clients[0].post("/api/v1/secrets", &json!({"name": "raced", "value": "v1"})).expect(201).text_of("id");
    let path = format!("/api/v1/secrets/{secret}/value");
    let written: BTreeSet<(u64, String)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..16)
            .map(|n| {
                let (client, path, value) = (&clients[n % 2], &path, format!("by {n}"));
                scope.spawn(move || {
                    let changed = client.put(path, &json!({"value": value})).expect(200).json();
                    (changed["version"].as_u64().unwrap(), value)
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(written.iter().map(|(version, _)| *version).collect::<Vec<_>>(), (2..=17).collect::<Vec<_>>());
    for (version, value) in &written {
        let read = clients[0].get(&format!("/api/v1/secrets/{secret}?version={version}")).expect(200);
        assert_eq!(&read.text_of("value"), value);
    }
}

#[test]
fn without_its_database_a_server_fails_closed_and_comes_back() {
    let postgres = Postgres::start();
    let installation = Installation::unattended(&Engine::Postgres(postgres.url("qapi")));
    let proxy = Proxy::start(postgres.port());
    let config = installation.also_at("through-proxy.toml", &Engine::Postgres(url(proxy.port(), "qapi")));
    let server = Server::serve(&config, &installation.admin_key);
    let admin = server.client();
    let key = new_key(&admin, &["secrets:read", "encrypt"], &[]);
    admin.post("/api/v1/secrets", &json!({"name": "n", "value": "v"})).expect(201);
    key.post("/api/v1/encrypt", &json!({"plaintext": "x"})).expect(200);

    proxy.cut();
    std::thread::sleep(Duration::from_millis(1_100));
    let asked = Instant::now();
    let answers: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let read = scope.spawn(|| key.get("/api/v1/secrets/by-name/n"));
        let encrypt = scope.spawn(|| key.post("/api/v1/encrypt", &json!({"plaintext": "x"})));
        std::thread::sleep(Duration::from_millis(900));
        proxy.mend();
        [read, encrypt].map(|call| call.join().unwrap()).map(|answer| (answer.status, answer.json())).to_vec()
    });
    for (status, body) in answers {
        assert_eq!((status, &body["error"]), (503, &json!("unavailable")), "{body}");
    }
    assert!(asked.elapsed() < Duration::from_secs(10), "refusing took {:?}", asked.elapsed());
    eventually(Duration::from_secs(10), || (key.get("/api/v1/secrets/by-name/n").status == 200).then_some(()));
    eventually(Duration::from_secs(10), || {
        (key.post("/api/v1/encrypt", &json!({"plaintext": "x"})).status == 200).then_some(())
    });
    admin.get("/health/ready").expect(200);
}

/// Whoever holds the leases of the background work, when it is lost the other one takes them over: events of the one that
/// is left still come to the list.
#[test]
fn background_work_moves_when_its_server_is_killed() {
    let mut pair = Pair::start();
    let seen = |client: &Client, name: &str| {
        let id = client.post("/api/v1/secrets", &json!({"name": name, "value": "v"})).expect(201).text_of("id");
        eventually(Duration::from_secs(40), || {
            let listed = client.get(&format!("/api/v1/audit-logs?resourceId={id}")).expect(200).json();
            listed["totalCount"].as_u64().filter(|count| *count > 0)
        });
    };
    seen(&pair.first.client(), "both");
    pair.first.kill();
    seen(&pair.second.client(), "second alone");
    pair.first = pair.installation.serve();
    seen(&pair.first.client(), "both again");
    pair.second.kill();
    seen(&pair.first.client(), "first alone");
    assert!(pair.postgres.port() > 0);
}
