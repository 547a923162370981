//! What must never be seen: one text is put into every secret field of every operation, and then looked for everywhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::installation::{Engine, Installation};
use crate::postgres::Postgres;
use crate::program::say;
use crate::server::Server;
use crate::surface::{OPERATIONS, RAW_MARKER, Things, assert_complete};

/// Capital letters and digits of base32, so that it passes as a TOTP seed too.
const MARKER: &str = "QAPICANARY7ZJ4X2K5";

/// Calls everything in ways that succeed and in ways that fail, and gives what refusals said.
fn drive(server: &Server) -> Vec<(String, String)> {
    let platform = server.client();
    let document = assert_complete(&platform);
    let stranger = server.tenant("canary-stranger");
    let wrong_key = platform.with_key(&format!("qapi_{MARKER}{}", "a".repeat(43 - MARKER.len())));
    let things = Things::new(&platform, &platform, "canary", MARKER);
    let mut refusals = Vec::new();
    for operation in OPERATIONS.iter().filter(|operation| operation.path != "/operator/seal") {
        let what = format!("{} {}", operation.method, operation.path);
        let mut note = |who: &str, answer: crate::client::Answer| {
            let status = answer.status;
            assert!(
                operation.documents(&document, status),
                "{what} by {who} is not to answer {status}: {}",
                answer.text()
            );
            if answer.status >= 400 {
                refusals.push((format!("{what} by {who}"), answer.text()));
            }
        };
        note("a stranger", things.request(&stranger, operation).send());
        note("nobody", things.request(&platform.anonymous(), operation).send());
        note("an unknown key", things.request(&wrong_key, operation).send());
        let repeated = things.request(&platform, operation).header("Idempotency-Key", &what);
        note("its owner", repeated.send());
        let query = format!("{}?search={MARKER}&page={MARKER}", things.path(operation));
        note("its owner with an odd query", platform.request(operation.method, &query).send());
        for (kind, body) in odd(&things.body(operation)) {
            let request = platform.request(operation.method, &things.path(operation)).bytes(body);
            note(kind, request.send());
        }
    }
    refusals
}

/// The same body in shapes that no operation takes, each with the secret in it.
fn odd(body: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let Some(members) = body.as_object() else {
        return vec![("its owner with a body", format!("[\"{MARKER}\"]").into_bytes())];
    };
    let wrapped: serde_json::Map<_, _> = members.iter().map(|(name, value)| (name.clone(), json!([[value]]))).collect();
    let mut cut = body.to_string();
    cut.pop();
    let named: serde_json::Map<_, _> =
        members.iter().map(|(name, _)| (format!("{name}{MARKER}"), json!(MARKER))).collect();
    vec![
        ("its owner with wrong types", Value::from(wrapped).to_string().into_bytes()),
        ("its owner with a cut body", cut.into_bytes()),
        ("its owner with unknown members", Value::from(named).to_string().into_bytes()),
        ("its owner with text", format!("\"{MARKER}\"").into_bytes()),
    ]
}

#[test]
fn no_secret_is_ever_logged_measured_or_repeated_in_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_dev_with(&folder.path().join("data"), &["--log", "trace"]);
    let refusals = drive(&server);
    say(&format!("secrecy: {} refusals of {} operations", refusals.len(), OPERATIONS.len()));
    assert_unseen(&mut server, &refusals);
}

/// The database driver logs too, and writes files of its own.
#[test]
fn no_secret_is_ever_logged_or_stored_with_postgresql() {
    let postgres = Postgres::start();
    let installation = Installation::unattended(&Engine::Postgres(postgres.url("qapi")));
    let config = std::fs::read_to_string(installation.config()).unwrap();
    std::fs::write(installation.config(), config.replace("\"info\"", "\"trace\"")).unwrap();
    let mut server = installation.serve();
    let refusals = drive(&server);
    let stored = files(postgres.folder());
    assert!(stored.iter().any(|path| path.to_string_lossy().contains("pg_wal")), "no WAL among {stored:?}");
    search(&stored);
    assert_unseen(&mut server, &refusals);
}

/// Stops the server and looks for secrets in everything it said.
fn assert_unseen(server: &mut Server, refusals: &[(String, String)]) {
    let metrics = server.metrics();
    assert!(metrics.contains("# TYPE"), "{metrics:.200}");
    server.stop();
    let log = server.written();
    assert!(log.len() > 1_000, "nothing was logged at all");
    assert!(!log.contains(" panic"), "something panicked");
    assert!(!log.contains(server.admin_key()), "the administrator's key is in the log");
    let mut seen = Vec::new();
    for (how, bytes) in spellings() {
        let refusals = refusals.iter().filter(|(_, text)| found(text.as_bytes(), &bytes));
        seen.extend(refusals.map(|(what, _)| format!("{what}: {how}")));
        seen.extend(found(metrics.as_bytes(), &bytes).then(|| format!("/metrics: {how}")));
        let lines = log.lines().filter(|line| found(line.as_bytes(), &bytes)).take(5);
        seen.extend(lines.map(|line| format!("log: {how}: {line:.200}")));
    }
    assert!(seen.is_empty(), "{} places:\n{}", seen.len(), seen.join("\n"));
}

#[test]
fn a_stolen_database_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start_dev_in(&data);
    drive(&server);
    let export = server.client().get("/api/v1/audit-logs/export").expect(200);
    assert_nothing_in("the audit export", &export.body);
    let running = files(&data);
    assert!(running.iter().any(|path| path.to_string_lossy().ends_with("-wal")), "no WAL among {running:?}");
    search(&running);
    server.stop();
    search(&files(&data));
}

fn search(files: &[PathBuf]) {
    // Letters of a development server lie there as they would be sent: to be read.
    for path in files.iter().filter(|path| path.extension().is_none_or(|kind| kind != "eml")) {
        // A WAL may go away between the listing and the reading.
        let Ok(bytes) = std::fs::read(path) else { continue };
        assert_nothing_in(&path.display().to_string(), &bytes);
    }
}

#[track_caller]
fn assert_nothing_in(place: &str, bytes: &[u8]) {
    let seen: BTreeSet<_> =
        spellings().into_iter().filter(|(_, secret)| found(bytes, secret)).map(|(how, _)| how).collect();
    assert!(seen.is_empty(), "{place} shows a secret: {seen:?}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the data folder can be listed");
    entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect()
}

/// The secrets as they are, and as anything that only encodes would leave them.
fn spellings() -> Vec<(String, Vec<u8>)> {
    [MARKER, RAW_MARKER]
        .iter()
        .flat_map(|secret| {
            let plain = secret.as_bytes();
            let mut spellings = vec![
                (format!("{secret} plain"), plain.to_vec()),
                (format!("{secret} in lower case"), secret.to_lowercase().into_bytes()),
                (format!("{secret} in hex"), hex::encode(plain).into_bytes()),
                (format!("{secret} in upper-case hex"), hex::encode_upper(plain).into_bytes()),
                (format!("{secret} in UTF-16"), plain.iter().flat_map(|byte| [*byte, 0]).collect()),
                (
                    format!("{secret} as a list of numbers"),
                    format!("{plain:?}").trim_matches(['[', ']']).as_bytes().to_vec(),
                ),
            ];
            spellings.extend((0..3).map(|shift| (format!("{secret} in base64"), base64_at(plain, shift))));
            spellings
        })
        .collect()
}

/// The characters that depend on the secret alone when its base64 begins that many bytes earlier.
fn base64_at(secret: &[u8], shift: usize) -> Vec<u8> {
    let text = BASE64.encode([&vec![0; shift], secret].concat());
    let start = [0, 2, 3][shift];
    let end = text.trim_end_matches('=').len() - 1;
    text.as_bytes()[start..end].to_vec()
}

fn found(place: &[u8], secret: &[u8]) -> bool {
    memchr::memmem::find(place, secret).is_some()
}

/// The search must be able to find: a secret written in any of the ways is seen.
#[test]
fn the_search_finds_what_is_there() {
    for shift in 0..7 {
        let text = BASE64.encode(format!("{}{MARKER}{}", "x".repeat(shift), "y".repeat(shift)));
        assert!(spellings().iter().any(|(_, secret)| found(text.as_bytes(), secret)), "{shift}");
    }
    let utf16: Vec<u8> = format!("value={MARKER};").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(spellings().iter().any(|(_, secret)| found(&utf16, secret)));
}
