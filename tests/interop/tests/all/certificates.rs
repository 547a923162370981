//! `qapi certs` as a program: every case of x509-limbo with ML-DSA-65 keys, and the exit statuses.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::binaries::{binary, root};
use crate::program::{both, run, say};

#[test]
fn the_program_judges_limbo_as_its_library_does() {
    let cases = limbo();
    for (tier, strict, least) in [("standard", None, 78), ("strict", Some("--strict"), 83)] {
        let folder = tempfile::tempdir().unwrap();
        let mut right = 0;
        for (place, case) in cases.iter().enumerate() {
            let mut command = judge(case, &folder.path().join(place.to_string()));
            let output = run(command.args(strict));
            let status = output.status.code();
            assert!(matches!(status, Some(0 | 1)), "{}: {}", case["id"], both(&output));
            assert_eq!(both(&output).lines().count(), 1, "{}", both(&output));
            right += usize::from((status == Some(0)) == (case["expected_result"] == "SUCCESS"));
        }
        say(&format!("limbo-mldsa65 {tier}: {right} of {} as expected", cases.len()));
        assert_eq!((right, cases.len()), (least, 86), "{tier}");
    }
}

#[test]
fn what_cannot_be_worked_with_is_told_from_what_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let vectors = root().join("tests/vectors/lamps-mldsa");
    let good = vectors.join("ML-DSA-65.crt").into_os_string().into_string().unwrap();
    let text = std::fs::read_to_string(&good).unwrap();
    let (empty, garbage) = (file("empty", ""), file("garbage", "\0\0"));
    let cut = file("cut", &text.replace("-----END", "----END"));
    let key = vectors.join("ML-DSA-65.pub").into_os_string().into_string().unwrap();
    let at = ["--time", "2030-01-01T00:00:00Z"];
    let rows: &[(&[&str], i32)] = &[
        (&["--anchor", &good, &good, at[0], at[1]], 0),
        (&["--anchor", &good, &good, "--time", "1990-01-01T00:00:00Z"], 1),
        (&["--anchor", &good, &good, at[0], at[1], "--name", "dns:a_b"], 1),
        (&["--anchor", &good, &good, at[0], at[1], "--floor", "ml-dsa-87"], 1),
        (&["--anchor", &good, &empty], 2),
        (&["--anchor", &good, &garbage], 2),
        (&["--anchor", &good, &cut], 2),
        (&["--anchor", &key, &good], 2),
        (&["--anchor", &good, "/nowhere"], 2),
        (&["--anchor", &good, &good, "--time", "soon"], 2),
        (&["--anchor", &good, &good, "--name", "spiffe:x"], 2),
        (&["--anchor", "-", "-"], 2),
        (&[&good], 2),
    ];
    for (arguments, expected) in rows {
        let output = run(Command::new(binary("qapi")).args(["certs", "verify"]).args(*arguments));
        assert_eq!(output.status.code(), Some(*expected), "{arguments:?}: {}", both(&output));
    }
}

#[test]
fn an_inspection_shows_what_is_said_and_what_is_wrong() {
    let certificate = root().join("tests/vectors/lamps-mldsa/ML-DSA-65.crt");
    let inspect =
        |path: &Path, more: &[&str]| run(Command::new(binary("qapi")).args(["certs", "inspect"]).args(more).arg(path));
    let text = both(&inspect(&certificate, &[]));
    for line in
        ["signed with:   ML-DSA-65", "quantum-safe:  yes", "key usage:     digitalSignature, keyCertSign, cRLSign"]
    {
        assert!(text.contains(line), "{text}");
    }
    let output = inspect(&certificate, &["--output", "json"]);
    assert!(output.status.success());
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["certificates"][0]["quantumSafe"], true);
    assert_eq!(shown["certificates"][0]["lints"], serde_json::json!([]));
    assert_eq!(shown["certificates"][0]["sha256"].as_str().map(str::len), Some(64));
    let folder = tempfile::tempdir().unwrap();
    let wrong = limbo().into_iter().find(|case| case["id"] == "rfc5280::serial::zero").unwrap();
    let output = inspect(&write(folder.path(), "wrong", &wrong["peer_certificate"]), &[]);
    assert!(both(&output).contains("[RFC 5280 4.1.2.2]") && output.status.success(), "{}", both(&output));
    let twice = limbo().into_iter().find(|case| case["id"] == "rfc5280::duplicate-extensions").unwrap();
    let output = inspect(&write(folder.path(), "twice", &twice["peer_certificate"]), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(both(&output).starts_with("malformed: an extension occurs twice (RFC 5280 4.2)"), "{}", both(&output));
}

fn limbo() -> Vec<Value> {
    let file = std::fs::File::open(root().join("tests/vectors/limbo-mldsa65/limbo-mldsa65.json.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(file["testcases"].take()).unwrap()
}

/// The command that a case stands for. A time is given where the case has one; all others hold today.
fn judge(case: &Value, folder: &Path) -> Command {
    std::fs::create_dir(folder).unwrap();
    let mut command = Command::new(binary("qapi"));
    command.args(["certs", "verify"]);
    let mut files = |list: &Value, option: &str| {
        for (place, text) in list.as_array().into_iter().flatten().enumerate() {
            command.arg(option).arg(write(folder, &format!("{option}{place}"), text));
        }
    };
    files(&case["trusted_certs"], "--anchor");
    files(&case["untrusted_intermediates"], "--intermediate");
    files(&case["crls"], "--crl");
    if let Some(value) = case["expected_peer_name"]["value"].as_str() {
        let kind = case["expected_peer_name"]["kind"].as_str().unwrap().to_lowercase();
        command.args(["--name", &format!("{kind}:{value}")]);
    }
    command.args(["--purpose", &case["validation_kind"].as_str().unwrap().to_lowercase()]);
    if let Some(time) = case["validation_time"].as_str() {
        command.args(["--time", time]);
    }
    if let Some(depth) = case["max_chain_depth"].as_u64() {
        command.args(["--max-depth", &depth.to_string()]);
    }
    command.arg(write(folder, "leaf", &case["peer_certificate"]));
    command
}

fn write(folder: &Path, name: &str, text: &Value) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text.as_str().unwrap()).unwrap();
    path
}
