//! The official SDKs, every method of the sections this server speaks.

use std::process::Command;
use std::time::Duration;

use crate::binaries::{peer, root};
use crate::https::classical_anchor;
use crate::program::{both, python, run, say};
use crate::server::Server;

#[test]
fn every_method_of_the_official_rust_sdk_works() {
    let server = Server::start_dev();
    let count = driven(&server, &mut Command::new(peer("official-sdk-rust")));
    assert!(count.contains("sdk rust: 102 of 102"), "{count}");
}

#[test]
fn every_method_of_the_official_python_sdk_works() {
    let server = Server::start_dev();
    let mut command = Command::new(python("requirements-sdk.txt"));
    command.arg("-B").arg(root().join("tests/interop/peers/official_sdk.py"));
    let count = driven(&server, &mut command);
    assert!(count.contains("sdk python: 84 of 84"), "{count}");
}

/// The SDK's TLS knows no ML-DSA: it is shown the classical chain. That it takes an authority of ours at all is due to a
/// feature of its HTTP client, which `tests/peers` switches on.
#[test]
fn the_official_rust_sdk_works_over_https() {
    let count = driven_over_https(&mut Command::new(peer("official-sdk-rust")));
    assert!(count.contains("sdk rust: 102 of 102"), "{count}");
}

/// The SDK's runtime knows no ML-DSA: it is shown the classical chain, and told of its authority as Python programs are.
#[test]
fn the_official_python_sdk_works_over_https() {
    let mut command = Command::new(python("requirements-sdk.txt"));
    command.arg("-B").arg(root().join("tests/interop/peers/official_sdk.py"));
    let count = driven_over_https(&mut command);
    assert!(count.contains("sdk python: 84 of 84"), "{count}");
}

/// Drives an SDK against a server that certifies itself, whose classical anchor `SSL_CERT_FILE` names.
fn driven_over_https(command: &mut Command) -> String {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_dev_with(&folder.path().join("data"), &["--tls-listen", "127.0.0.1:0"]);
    let https = server.stdout.wait_for("https ", Duration::from_secs(30)).expect("the HTTPS listener is announced");
    let anchor = classical_anchor(&server, folder.path());
    let count = driven_at(&https, &server, command.env("SSL_CERT_FILE", anchor));
    assert!(server.metrics().contains(r#"qapi_tls_handshakes_total{certificate="ECDSA-P256""#));
    count
}

fn driven(server: &Server, command: &mut Command) -> String {
    driven_at(server.base_url(), server, command)
}

fn driven_at(address: &str, server: &Server, command: &mut Command) -> String {
    let output = run(command.env("QUANTUMAPI_BASE_URL", address).env("QUANTUMAPI_KEY", server.admin_key()));
    let text = both(&output);
    for line in text.lines().filter(|line| line.starts_with("sdk ")) {
        say(line);
    }
    assert!(output.status.success(), "{text}");
    text
}
