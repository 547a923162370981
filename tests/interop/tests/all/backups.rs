//! Backups: made while the server runs, verified without a restoration, restored into either engine.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::binaries::binary;
use crate::client::Client;
use crate::installation::{Engine, Installation};
use crate::postgres::Postgres;
use crate::program::{both, run, succeed};
use crate::server::Server;
use crate::trail::{assert_verifies, export};

const PLAINTEXT: &str = "BACKUPMARKER753";

/// A key pair for backups: the private half's file; the public one lies beside it.
fn backup_key(folder: &Path) -> PathBuf {
    let key = folder.join("backup.pem");
    succeed(Command::new(binary("qapid")).arg("backup-key").arg("--out").arg(&key));
    key
}

fn public(key: &Path) -> PathBuf {
    key.with_extension("pem.pub")
}

fn verify(key: &Path, backup: &Path) -> Output {
    run(Command::new(binary("qapid")).arg("verify-backup").arg("--key").arg(key).arg(backup))
}

fn restore(config: &Path, key: &Path, backup: &Path) -> Output {
    run(Command::new(binary("qapid")).arg("restore").arg("--config").arg(config).arg("--key").arg(key).arg(backup))
}

#[track_caller]
fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", both(output));
}

/// A backup through the running server, as a file.
fn back_up(client: &Client, key: &Path, out: &Path) {
    let recipient = std::fs::read_to_string(public(key)).unwrap();
    let answer = client.post("/operator/backup", &json!({"recipient": recipient})).expect(200);
    assert!(!answer.text().contains(PLAINTEXT));
    std::fs::write(out, &answer.body).unwrap();
}

/// Secrets, keys and a ciphertext; returns the ciphertext.
fn work(client: &Client) -> String {
    for n in 0..40 {
        let secret =
            json!({"name": format!("kept/{n}"), "value": format!("{PLAINTEXT} {n}"), "notes": "x".repeat(3_000)});
        client.post("/api/v1/secrets", &secret).expect(201);
    }
    client.post("/api/v1/encrypt", &json!({"plaintext": PLAINTEXT})).expect(200).text_of("encryptedPayload")
}

#[track_caller]
fn assert_all_there(client: &Client, payload: &str) {
    let read = client.get("/api/v1/secrets/by-name/kept/7").expect(200);
    assert_eq!(read.text_of("value"), format!("{PLAINTEXT} 7"));
    assert_eq!(client.get("/api/v1/secrets?pageSize=1").expect(200).json()["total"], 40);
    let opened = client.post("/api/v1/decrypt", &json!({"encryptedPayload": payload})).expect(200);
    assert_eq!(opened.text_of("plaintext"), PLAINTEXT);
    assert_verifies(&export(client));
}

#[test]
fn a_backup_goes_from_one_engine_to_the_other_and_back() {
    let postgres = Postgres::start();
    let installation = Installation::unattended(&Engine::Sqlite);
    let folder = installation.folder();
    let key = backup_key(folder);
    let mut server = installation.serve();
    let payload = work(&server.client());
    let first = folder.join("first.backup");
    back_up(&server.client(), &key, &first);
    succeeded(&verify(&key, &first));
    // What came after the backup is not in it.
    server.client().post("/api/v1/secrets", &json!({"name": "later", "value": "v"})).expect(201);
    assert!(server.stop().success());

    let there = installation.also_at("postgres.toml", &Engine::Postgres(postgres.url("qapi")));
    succeeded(&restore(&there, &key, &first));
    let refused = restore(&there, &key, &first);
    assert!(!refused.status.success(), "restored over something: {}", both(&refused));
    let mut server = Server::serve(&there, &installation.admin_key);
    assert_all_there(&server.client(), &payload);

    let second = folder.join("second.backup");
    let mut backup = Command::new(binary("qapid"));
    backup.arg("backup").arg("--config").arg(&there).arg("--recipient").arg(public(&key)).arg("--out").arg(&second);
    succeed(&mut backup);
    succeeded(&verify(&key, &second));
    assert!(server.stop().success());
    std::fs::rename(folder.join("data"), folder.join("before")).unwrap();
    succeeded(&restore(&installation.config(), &key, &second));
    assert_all_there(&installation.serve().client(), &payload);
}

#[test]
fn a_damaged_backup_is_refused_before_anything_is_written() {
    let installation = Installation::unattended(&Engine::Sqlite);
    let folder = installation.folder();
    let (key, whole) = (backup_key(folder), folder.join("whole.backup"));
    let server = installation.serve();
    work(&server.client());
    back_up(&server.client(), &key, &whole);
    drop(server);
    std::fs::rename(folder.join("data"), folder.join("before")).unwrap();

    let bytes = std::fs::read(&whole).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("kept/7"), "a backup shows not even names");
    let damaged = folder.join("damaged.backup");
    let attempt = |bytes: &[u8], words: &str| {
        std::fs::write(&damaged, bytes).unwrap();
        for output in [verify(&key, &damaged), restore(&installation.config(), &key, &damaged)] {
            assert_eq!(output.status.code(), Some(1), "{}", both(&output));
            assert!(both(&output).contains(words), "no {words:?} in {}", both(&output));
        }
    };
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    attempt(&flipped, "does not open");
    attempt(&bytes[..bytes.len() - 100], "cut short");
    attempt(&[&bytes[..], b"more"].concat(), "behind its end");
    attempt(b"nothing of the kind", "not a backup");
    std::fs::create_dir(folder.join("other")).unwrap();
    let other = backup_key(&folder.join("other"));
    assert!(both(&verify(&other, &whole)).contains("another key"));
    // Nothing was half restored: the whole one still goes in.
    succeeded(&restore(&installation.config(), &key, &whole));
}
