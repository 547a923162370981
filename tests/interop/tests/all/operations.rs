//! What operators do: make, seal, unseal, start again, stop.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::binaries::{binary, root};
use crate::client::Client;
use crate::installation::{Engine, Installation};
use crate::postgres::Postgres;
use crate::program::{both, run, succeed};
use crate::server::{Server, eventually};
use crate::surface::OPERATIONS;

const PASSPHRASE: &str = "correct horse battery staple";

/// What a sealed server does and what it does not.
fn assert_sealed(client: &Client) {
    client.get("/health/live").expect(200);
    client.get("/health").refused(503, "sealed");
    client.get("/health/ready").refused(503, "sealed");
    client.get("/version").expect(200);
    let status = client.anonymous().get("/operator/status").expect(200).json();
    assert_eq!((&status["sealed"], &status["initialized"]), (&json!(true), &json!(true)));
    client.get("/api/v1/secrets").refused(503, "sealed");
    client.post("/api/v1/encrypt", &json!({"plaintext": "x"})).refused(503, "sealed");
    client.anonymous().post("/api/v1/share/token", &json!({})).refused(503, "sealed");
    let works = ["/health/live", "/version", "/operator/status", "/operator/unseal"];
    for operation in OPERATIONS.iter().filter(|operation| !works.contains(&operation.path)) {
        client.request(operation.method, operation.path).send().refused(503, "sealed");
    }
    assert_eq!(client.get("/").status, 503);
}

fn unseal(client: &Client, body: &Value) -> crate::client::Answer {
    client.anonymous().post("/operator/unseal", body)
}

#[test]
fn a_passphrase_opens_what_it_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passphrase");
    std::fs::write(&file, format!("{PASSPHRASE}\n")).unwrap();
    let arguments = ["--seal", "passphrase", "--passphrase-file", file.to_str().unwrap()];
    let installation = Installation::sealed(&Engine::Sqlite, &arguments);
    assert!(!installation.printed.contains(PASSPHRASE));
    let again = installation.init(&arguments);
    assert!(!again.status.success(), "a second init: {}", both(&again));

    let mut server = installation.serve();
    let client = server.client();
    assert_sealed(&client);
    let refused = unseal(&client, &json!({"passphrase": "correct horse battery stapler"}));
    assert!((400..500).contains(&refused.status), "{}", refused.text());
    refused.error_object();
    assert_sealed(&client);
    assert_eq!(unseal(&client, &json!({"passphrase": PASSPHRASE})).expect(200).json()["sealed"], false);
    client.get("/health/ready").expect(200);
    client.post("/api/v1/secrets", &json!({"name": "kept", "value": "v"})).expect(201);
    client.post("/operator/seal", &json!({})).expect(200);
    assert_sealed(&client);
    unseal(&client, &json!({"passphrase": PASSPHRASE})).expect(200);
    assert_eq!(client.get("/api/v1/secrets/by-name/kept").expect(200).text_of("value"), "v");
    assert!(server.stop().success());
    assert!(!server.written().contains(PASSPHRASE));
}

/// An installation whose seal needs three of five shares, and the shares.
fn shared_among_five() -> (Installation, Vec<String>) {
    let installation =
        Installation::sealed(&Engine::Sqlite, &["--seal", "shamir", "--shares", "5", "--threshold", "3"]);
    let lines = installation.printed.lines().filter(|line| line.starts_with("share "));
    let shares: Vec<_> = lines.map(|line| line.split_once(": ").unwrap().1.to_owned()).collect();
    assert_eq!(shares.len(), 5);
    (installation, shares)
}

/// Nobody who reaches the listener can keep those who hold shares from opening the platform.
#[test]
fn wrong_shares_and_resets_of_strangers_spoil_no_unsealing() {
    let ((installation, shares), (_other, strange)) = (shared_among_five(), shared_among_five());
    let server = installation.serve();
    let client = server.client();
    let give = |body: Value| unseal(&client, &body);
    assert_eq!(give(json!({"share": shares[4]})).expect(200).json()["progress"], 1);
    let spoil = |given: u64| {
        for share in &strange {
            give(json!({"share": share})).refused(400, "unseal_failed");
            give(json!({"share": share, "reset": true})).refused(400, "unseal_failed");
        }
        give(json!({"share": strange[..3].join(" ")})).refused(400, "unseal_failed");
        give(json!({"reset": true})).refused(400, "invalid_request");
        give(json!({"share": "qapi-share-1-AAAA"})).refused(400, "unseal_failed");
        assert_eq!(client.get("/operator/status").expect(200).json()["progress"], given);
    };
    spoil(1);
    // One right share beside a wrong one is not taken either: what was typed is given again.
    give(json!({"share": format!("{} {}", shares[0], strange[0])})).refused(400, "unseal_failed");
    assert_eq!(give(json!({"share": shares[0]})).expect(200).json()["progress"], 2);
    spoil(2);
    // Whoever holds a share may begin again.
    assert_eq!(give(json!({"share": shares[2], "reset": true})).expect(200).json()["progress"], 1);
    give(json!({"share": shares[0]})).expect(200);
    assert_eq!(give(json!({"share": shares[1]})).expect(200).json()["sealed"], false);
}

/// The seal of a version that did not know its shares learns them when it is opened the next time.
#[test]
fn a_seal_without_commitments_opens_and_has_them_afterwards() {
    let ((installation, shares), (_other, strange)) = (shared_among_five(), shared_among_five());
    let database = installation.folder().join("data/qapi.db");
    let python = |script: &str| succeed(Command::new("python3").arg("-c").arg(script).arg(&database));
    let forget = "import sqlite3,sys,json\n\
        db=sqlite3.connect(sys.argv[1]); v=json.loads(db.execute(\"select v from meta where k='seal'\").fetchone()[0])\n\
        assert len(v.pop('commitments'))==5\n\
        db.execute(\"update meta set v=? where k='seal'\",(json.dumps(v).encode(),)); db.commit()";
    python(forget);
    let mut server = installation.serve();
    let client = server.client();
    let give = |share: &str| unseal(&client, &json!({"share": share}));
    // A stranger's shares make a set of their own, which opens nothing and is in nobody's way.
    give(&strange[0]).expect(200);
    for share in &shares[..2] {
        give(share).expect(200);
        give(&strange[1]).expect(200);
    }
    give(&strange[2]).refused(400, "unseal_failed");
    assert_eq!(give(&shares[4]).expect(200).json()["sealed"], false);
    assert!(server.stop().success());
    let count = "import sqlite3,sys,json\n\
        print(len(json.loads(sqlite3.connect(sys.argv[1]).execute(\"select v from meta where k='seal'\").fetchone()[0])['commitments']))";
    assert_eq!(python(count).trim(), "5");
    let server = installation.serve();
    let client = server.client();
    unseal(&client, &json!({"share": strange[0]})).refused(400, "unseal_failed");
    unseal(&client, &json!({"share": shares[1..4].join(" ")})).expect(200);
    client.get("/health/ready").expect(200);
}

#[test]
fn a_threshold_of_shares_opens_and_one_less_does_not() {
    let (installation, shares) = shared_among_five();
    let server = installation.serve();
    let client = server.client();
    assert_sealed(&client);
    let give = |share: &str| unseal(&client, &json!({"share": share}));
    assert_eq!(give(&shares[4]).expect(200).json()["progress"], 1);
    assert_eq!(give(&shares[4]).status / 100, 2, "the same share again is no second one");
    assert_eq!(give(&shares[1]).expect(200).json()["progress"], 2);
    assert_sealed(&client);
    let mut misread = shares[2].clone();
    let last = if misread.ends_with('a') { 'b' } else { 'a' };
    misread.pop();
    misread.push(last);
    assert!((400..500).contains(&give(&misread).status), "a share with a wrong letter");
    assert_eq!(give(&shares[2]).expect(200).json()["sealed"], false);
    client.get("/api/v1/secrets").expect(200);
}

#[test]
fn a_development_server_keeps_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start_dev_in(&data);
    let client = server.client();
    client.post("/api/v1/secrets", &json!({"name": "kept", "value": "v"})).expect(201);
    let sealed =
        client.post("/api/v1/encrypt", &json!({"plaintext": "kept too"})).expect(200).text_of("encryptedPayload");
    let key = server.admin_key().to_owned();
    for private in ["dev.env", "unseal.key"] {
        let mode = std::fs::metadata(data.join(private)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }
    let log = server.stderr.text();
    assert!(log.contains("DEVELOPMENT"), "no loud warning:\n{log}");
    assert!(server.stop().success());

    let server = Server::start_dev_in(&data);
    assert_eq!(server.admin_key(), key);
    let client = server.client();
    assert_eq!(client.get("/api/v1/secrets/by-name/kept").expect(200).text_of("value"), "v");
    let opened = client.post("/api/v1/decrypt", &json!({"encryptedPayload": sealed})).expect(200);
    assert_eq!(opened.text_of("plaintext"), "kept too");
    let second = run(Command::new(binary("qapid")).args(["dev", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data));
    assert!(!second.status.success(), "two servers on one data folder");
}

#[test]
fn development_is_for_loopback_only() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        run(Command::new(binary("qapid")).args(["dev", "--listen", "0.0.0.0:0", "--data-dir"]).arg(folder.path()));
    assert!(!output.status.success());
    assert!(both(&output).contains("loopback"), "{}", both(&output));
}

#[test]
fn requests_in_flight_are_answered_before_the_server_stops() {
    let mut server = Server::start_dev();
    let client = server.client();
    let items: Vec<_> = (0..1_000).map(|n| json!({"plaintext": n.to_string()})).collect();
    let body = json!({"items": items, "mode": "sealed"});
    let before = server.metrics();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| client.request("POST", "/api/v1/encrypt/batch").json(&body).try_send()))
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(server.stop().success());
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    for answer in answers {
        assert_eq!(answer.expect("an answer, not a closed connection").status, 200);
    }
    assert!(before.contains("# TYPE"), "{before:.200}");
}

/// Each client sends one letter of its body and then nothing, until there is no connection left for others.
#[test]
fn clients_that_hold_every_connection_do_not_keep_the_server_from_stopping() {
    let installation = Installation::unattended(&Engine::Sqlite);
    let text = std::fs::read_to_string(installation.config()).unwrap();
    std::fs::write(installation.config(), format!("{text}connections = 2\n")).unwrap();
    let mut server = installation.serve();
    let head = format!(
        "POST /api/v1/encrypt HTTP/1.1\r\nHost: x\r\nX-Api-Key: {}\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        server.admin_key()
    );
    let held: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(server.client().address()).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            let mut asked = [0; 12];
            stream.read_exact(&mut asked).unwrap();
            assert_eq!(&asked, b"HTTP/1.1 100", "the body is waited for");
            stream.write_all(b"{").unwrap();
            stream
        })
        .collect();
    assert!(server.stop().success());
    drop(held);
}

#[test]
fn a_seal_whose_key_cannot_be_kept_makes_no_platform() {
    let installation = Installation::unattended(&Engine::Sqlite);
    let text = std::fs::read_to_string(installation.config()).unwrap();
    let elsewhere = text.replace("/data\"", "/other\"");
    let init = |name: &str, text: &str| {
        let path = installation.folder().join(name);
        std::fs::write(&path, text).unwrap();
        run(Command::new(binary("qapid")).args(["init", "--seal", "file", "--config"]).arg(path))
    };
    // The unseal file exists already: it belongs to another platform.
    let output = init("taken.toml", &elsewhere);
    assert!(!output.status.success() && both(&output).contains("unseal.key"), "{}", both(&output));
    let unnamed = elsewhere.replace("[seal]\nunseal_file", "[seal]\n# unseal_file");
    let output = init("unnamed.toml", &unnamed);
    assert!(!output.status.success() && both(&output).contains("seal.unseal_file"), "{}", both(&output));
    // Neither left anything behind.
    let output = init("free.toml", &elsewhere.replace("unseal.key", "other.key"));
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn the_status_page_says_what_runs_and_nothing_else() {
    let server = Server::start_dev();
    let page = server.client().anonymous().get("/").expect(200);
    assert!(page.header("content-type").unwrap_or_default().starts_with("text/html"));
    let text = page.text();
    assert!(text.contains(&server.client().get("/version").expect(200).text_of("version")), "{text}");
    assert!(!text.contains("qapi_"), "{text}");
}

#[test]
fn a_configuration_with_a_mistake_is_refused_with_the_place() {
    let installation = Installation::unattended(&Engine::Sqlite);
    let text = std::fs::read_to_string(installation.config()).unwrap();
    for (from, to, complaint) in [
        ("[store]", "colour = 1\n[store]", "colour"),
        ("127.0.0.1:0\"\nmetrics", "0.0.0.0:0\"\nmetrics", "danger"),
        ("metrics_listen = \"127.0.0.1", "metrics_listen = \"0.0.0.0", "danger_plaintext_metrics"),
        ("https://vault.example.com", "vault", "portal_origin"),
    ] {
        let path = installation.folder().join("wrong.toml");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let output = run(Command::new(binary("qapid")).arg("serve").arg("--config").arg(&path));
        assert!(!output.status.success() && both(&output).contains(complaint), "{}", both(&output));
    }
}

/// What probes of an orchestrator see: the process is not to be killed, and gets no traffic.
#[test]
fn health_says_that_the_database_is_down_and_when_it_is_back() {
    let postgres = Postgres::start();
    let installation = Installation::unattended(&Engine::Postgres(postgres.url("qapi")));
    let server = installation.serve();
    let client = server.client();
    client.post("/api/v1/secrets", &json!({"name": "kept", "value": "v"})).expect(201);
    client.get("/health/ready").expect(200);
    for _ in 0..2 {
        postgres.stop();
        let down = eventually(Duration::from_secs(5), || Some(client.get("/health")).filter(|seen| seen.status != 200));
        assert!(down.header("retry-after").is_some());
        down.refused(503, "unavailable");
        client.get("/health/ready").refused(503, "unavailable");
        client.get("/health/live").expect(200);
        client.get("/version").expect(200);
        client.get("/api/v1/secrets/by-name/kept").refused(503, "unavailable");
        client.anonymous().get("/operator/status").expect(200);
        postgres.start_again();
        eventually(Duration::from_secs(20), || (client.get("/health/ready").status == 200).then_some(()));
        eventually(Duration::from_secs(20), || {
            (client.get("/api/v1/secrets/by-name/kept").status == 200).then_some(())
        });
    }
    // Without a database there is nothing to start with, and the last line says so.
    postgres.stop();
    let output = run(Command::new(binary("qapid")).arg("serve").arg("--config").arg(installation.config()));
    assert!(!output.status.success() && both(&output).contains("opening the database"), "{}", both(&output));
}

/// The database's folder on a file system of its own, which is full at some time.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        succeed(Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(disk.0.path()));
        disk
    }

    fn grow(&self) {
        succeed(Command::new("mount").args(["-o", "remount,size=64m"]).arg(self.0.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_shows_in_health_and_loses_nothing_that_was_answered() {
    let disk = SmallDisk::new();
    let data = disk.0.path().join("data");
    let mut server = Server::start_dev_in(&data);
    let client = server.client();
    let value = "v".repeat(60_000);
    let mut kept = Vec::new();
    let refused = (0..200).find_map(|n| {
        let answer = client.post("/api/v1/secrets", &json!({"name": format!("n{n}"), "value": value}));
        if answer.status == 201 {
            kept.push(answer.text_of("id"));
            return None;
        }
        Some(answer)
    });
    refused.expect("6 MiB hold no 200 secrets of 60 kB").refused(503, "unavailable");
    assert!(kept.len() > 5, "{}", kept.len());
    let health = client.get("/health/ready").refused(503, "unavailable");
    assert!(health["message"].as_str().unwrap().contains("disk"), "{health}");
    client.get("/health/live").expect(200);
    // Reading is a use that has to be written down, too.
    client.get(&format!("/api/v1/secrets/{}", kept[0])).refused(503, "unavailable");
    server.kill();
    disk.grow();
    let server = Server::start_dev_in(&data);
    let client = server.client();
    client.get("/health/ready").expect(200);
    for id in &kept {
        assert_eq!(client.get(&format!("/api/v1/secrets/{id}")).expect(200).text_of("value"), value);
    }
    client.post("/api/v1/secrets", &json!({"name": "after", "value": "v"})).expect(201);
}

#[test]
fn the_systemd_unit_is_one_and_leaves_little_open() {
    let unit = std::fs::read_to_string(root().join("deploy/systemd/qapid.service")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qapid.service");
    let here = binary("qapid");
    std::fs::write(&path, unit.replace("/usr/local/bin/qapid", here.to_str().unwrap())).unwrap();
    let output = run(Command::new("systemd-analyze").arg("verify").arg(&path));
    assert!(output.status.success() && both(&output).is_empty(), "{}", both(&output));
    // On a scale from 0 to 10; a unit that says nothing has 9.6.
    let mut security = Command::new("systemd-analyze");
    succeed(security.args(["security", "--offline=true", "--no-pager", "--threshold=20"]).arg(&path));
}
