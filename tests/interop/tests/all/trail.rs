//! The audit trail: what is listed, what an export proves, and what each kind of tampering is called.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use crate::binaries::binary;
use crate::client::Client;
use crate::program::{both, run};
use crate::server::{Server, eventually, list};

/// How long an event may take to come to the list.
pub const LISTED: Duration = Duration::from_secs(10);

pub fn export(client: &Client) -> String {
    // After a crash the events of mutations move on when the lease of the lost server has run out.
    let answer = eventually(2 * LISTED, || {
        let answer = client.get("/api/v1/audit-logs/export");
        (answer.status != 503).then_some(answer)
    });
    answer.expect(200).text()
}

/// What the events of an export are about.
pub fn resources(export: &str) -> HashSet<String> {
    let lines = export.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["event"]["resourceId"].as_str().map(str::to_owned)).collect()
}

fn audit_verify(export: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("export.ndjson");
    std::fs::write(&file, export).expect("the folder can be written");
    let mut command = Command::new(binary("qapi"));
    run(command.args(["audit", "verify"]).arg(&file).args(arguments).env_clear().env("HOME", folder.path()))
}

#[track_caller]
pub fn assert_verifies(export: &str) {
    let output = audit_verify(export, &[]);
    assert!(output.status.success(), "{}", both(&output));
}

/// Wants the verifier to refuse the export and to say so in these words.
#[track_caller]
fn assert_found(export: &str, arguments: &[&str], words: &str) {
    let output = audit_verify(export, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    assert!(both(&output).contains(words), "no {words:?} in:\n{}", both(&output));
}

/// Some events of every kind.
fn work(client: &Client, tag: &str) -> String {
    let body = json!({"name": format!("audited {tag}"), "keyType": "encryption", "algorithm": "ML-KEM-768"});
    let key = client.post("/api/v1/keys", &body).expect(201).text_of("id");
    for n in 0..6 {
        let body = json!({"plaintext": n.to_string(), "keyId": key});
        let sealed = client.post("/api/v1/encrypt", &body).expect(200).text_of("encryptedPayload");
        client.post("/api/v1/decrypt", &json!({"encryptedPayload": sealed})).expect(200);
    }
    let secret = json!({"name": format!("audited/{tag}"), "value": "v"});
    let secret = client.post("/api/v1/secrets", &secret).expect(201).text_of("id");
    client.get(&format!("/api/v1/secrets/{secret}")).expect(200);
    key
}

#[test]
fn every_use_is_listed_with_who_what_and_whence() {
    let server = Server::start_dev();
    let client = server.client();
    let key = work(&client, "list");
    let wrong = json!({"encryptedPayload": "bm90aGluZw=="});
    client.post("/api/v1/decrypt", &wrong).refused(400, "decryption_failed");
    let listed = |query: &str, count: usize| {
        eventually(LISTED, || {
            let body = client.get(&format!("/api/v1/audit-logs?{query}")).expect(200).json();
            (list(&body, "items").len() >= count).then_some(body)
        })
    };
    let body = listed(&format!("keyId={key}&action=Encrypt,Decrypt&pageSize=50"), 12);
    assert_eq!(body["totalCount"], 12);
    for item in list(&body, "items") {
        assert_eq!((&item["category"], &item["outcome"]), (&json!("keys"), &json!("success")));
        assert_eq!((&item["actorType"], &item["channel"]), (&json!("apiKey"), &json!("eaas")));
        assert_eq!((&item["ipAddress"], &item["keyVersion"]), (&json!("127.0.0.1"), &json!(1)));
        assert!(item["actor"].as_str().unwrap().starts_with("apikey:"), "{item}");
    }
    let created = listed(&format!("keyId={key}&action=KeyCreated"), 1);
    assert_eq!(list(&created, "items")[0]["resourceName"], "audited list");
    let failed = listed("outcome=failure&action=Decrypt", 1);
    assert_eq!(list(&failed, "items")[0]["error"], "decryption_failed");
    let times: Vec<_> = list(&body, "items").iter().map(|item| item["timestamp"].as_str().unwrap()).collect();
    // Fractions end where their zeros begin: without the letter behind them they sort as the times do.
    assert!(times.is_sorted_by_key(|time| std::cmp::Reverse(time.trim_end_matches('Z'))), "newest first: {times:?}");
    let lines: Vec<Value> = export(&client).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 14 && lines.last().unwrap()["trailer"].is_object());
}

#[test]
fn a_refusal_is_audited_too() {
    let server = Server::start_dev();
    let client = server.client();
    let key = work(&client, "denied");
    let reader = server.key(&["secrets:read"], &[]);
    reader.post("/api/v1/encrypt", &json!({"plaintext": "x", "keyId": key})).refused(403, "insufficient_scope");
    eventually(LISTED, || {
        let body = client.get("/api/v1/audit-logs?outcome=denied").expect(200).json();
        list(&body, "items").iter().any(|item| item["error"] == "insufficient_scope").then_some(())
    });
}

#[test]
fn each_tampering_with_an_export_is_named() {
    let server = Server::start_dev();
    let client = server.client();
    work(&client, "tampering");
    let whole = export(&client);
    assert_verifies(&whole);
    let lines: Vec<&str> = whole.lines().collect();
    let (trailer, events) = lines.split_last().unwrap();
    // Two events that follow each other in one lane, with more of that lane behind them.
    let lane = |line: &str| serde_json::from_str::<Value>(line).unwrap()["lane"].to_string();
    let at = (1..events.len() - 2).find(|&at| (at..at + 2).all(|n| lane(events[n]) == lane(events[n + 1]))).unwrap();
    let last_of_lane = events.iter().rposition(|line| lane(line) == lane(events[at])).unwrap();
    let file = |events: &[&str], trailer: &str| format!("{}\n{trailer}\n", events.join("\n"));

    let flipped = events[at].replacen("\"event\":{\"", "\"event\":{ \"", 1);
    assert_ne!(flipped, events[at]);
    let mut changed = events.to_vec();
    changed[at] = &flipped;
    assert_found(&file(&changed, trailer), &[], "altered");
    let mut changed = events.to_vec();
    changed.remove(at);
    assert_found(&file(&changed, trailer), &[], "dropped");
    let mut changed = events.to_vec();
    changed.swap(at, at + 1);
    assert_found(&file(&changed, trailer), &[], "reordered");
    let mut changed = events.to_vec();
    changed.insert(at, events[at]);
    assert_found(&file(&changed, trailer), &[], "duplicated");
    let mut changed = events.to_vec();
    changed.remove(last_of_lane);
    assert_found(&file(&changed, trailer), &[], "tail cut");
    assert_found(&events.join("\n"), &[], "no trailer");
    let forged = trailer.replacen("\"count\":", "\"count\": ", 1);
    assert_found(&file(events, &forged), &[], "signature");
}

#[test]
fn every_single_bit_of_an_event_counts() {
    let server = Server::start_dev();
    let client = server.client();
    work(&client, "bits");
    let whole = export(&client);
    let at = whole.lines().position(|line| line.contains("Encrypt")).unwrap();
    let line = whole.lines().nth(at).unwrap();
    let event = line.find("\"event\":").unwrap() + "\"event\":".len();
    let end = event + line[event..].find("},\"personal\"").or_else(|| line[event..].find('}')).unwrap();
    // A verifier run a bit would take long; every seventeenth byte still meets every member of the event.
    for byte in (event..end).step_by(17) {
        let mut bytes = line.as_bytes().to_vec();
        bytes[byte] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let file: Vec<_> =
            whole.lines().enumerate().map(|(n, old)| if n == at { changed.as_str() } else { old }).collect();
        let output = audit_verify(&file.join("\n"), &[]);
        assert_eq!(output.status.code(), Some(1), "byte {byte}: {}", both(&output));
    }
}

#[test]
fn a_restored_older_database_is_named_by_an_earlier_trailer() {
    let folder = tempfile::tempdir().unwrap();
    let (data, old) = (folder.path().join("data"), folder.path().join("old"));
    let mut server = Server::start_dev_in(&data);
    work(&server.client(), "before");
    assert!(server.stop().success());
    copy(&data, &old);
    let mut server = Server::start_dev_in(&data);
    work(&server.client(), "after");
    let later = export(&server.client());
    assert_verifies(&later);
    assert!(server.stop().success());

    let server = Server::start_dev_in(&old);
    work(&server.client(), "after the restoration");
    let restored = export(&server.client());
    assert_verifies(&restored);
    let earlier = folder.path().join("earlier.ndjson");
    std::fs::write(&earlier, &later).unwrap();
    assert_found(&restored, &["--trailer", earlier.to_str().unwrap()], "older state");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        // Letters that were sent lie in a folder of their own.
        if path.is_dir() {
            continue;
        }
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// Somebody who can write to the database changes what was written: the running server counts it. What it linked itself a moment ago it
/// signs as it was, and does not read again; events of changes come to their lane by way of the database.
#[test]
fn a_changed_batch_of_the_running_trail_shows_in_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_dev_in(&data);
    let client = server.client();
    let breaks = || {
        let metrics = server.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix("qapi_audit_breaks_total "));
        line.expect("the metric is there").trim().parse::<u64>().unwrap()
    };
    client.post("/api/v1/encrypt", &json!({"plaintext": "x"})).expect(200);
    assert_eq!(breaks(), 0);
    let change = "import sqlite3,sys\n\
        db=sqlite3.connect(sys.argv[1],timeout=10)\n\
        lane,seq,data=db.execute('select lane,seq,data from audit_batch order by last_at desc limit 1').fetchone()\n\
        db.execute('update audit_batch set data=? where lane=? and seq=?',(data[:-1]+bytes([data[-1]^1]),lane,seq)); db.commit()";
    // The chains are followed every ten seconds; what was followed before is not looked at again.
    let mut names = 0..;
    let seen = eventually(Duration::from_secs(60), || {
        let name = format!("changed/{}", names.next()?);
        client.post("/api/v1/secrets", &json!({"name": name, "value": "x"})).expect(201);
        // Until it stands in the lane of changes, which is in the main file.
        std::thread::sleep(Duration::from_millis(300));
        crate::program::succeed(Command::new("python3").arg("-c").arg(change).arg(data.join("qapi.db")));
        Some(breaks()).filter(|breaks| *breaks > 0)
    });
    assert!(seen >= 1);
    assert!(server.stderr.wait_for_line_with("the trail was changed", LISTED));
    client.get("/health/ready").expect(200);
}
