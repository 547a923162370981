//! The official SDKs, every method of the sections this server speaks.

use std::process::Command;

use crate::binaries::{peer, root};
use crate::program::{both, python, run, say};
use crate::server::Server;

#[test]
fn every_method_of_the_official_rust_sdk_works() {
    let server = Server::start_dev();
    let count = driven(&server, &mut Command::new(peer("official-sdk-rust")));
    assert!(count.contains("sdk rust: 71 of 71"), "{count}");
}

#[test]
fn every_method_of_the_official_python_sdk_works() {
    let server = Server::start_dev();
    let mut command = Command::new(python("requirements-sdk.txt"));
    command.arg("-B").arg(root().join("tests/interop/peers/official_sdk.py"));
    let count = driven(&server, &mut command);
    assert!(count.contains("sdk python: 60 of 60"), "{count}");
}

fn driven(server: &Server, command: &mut Command) -> String {
    let output = run(command.env("QUANTUMAPI_BASE_URL", server.base_url()).env("QUANTUMAPI_KEY", server.admin_key()));
    let text = both(&output);
    for line in text.lines().filter(|line| line.starts_with("sdk ")) {
        say(line);
    }
    assert!(output.status.success(), "{text}");
    text
}
