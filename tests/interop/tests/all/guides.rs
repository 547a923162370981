//! The guides do what they say: every block marked `sh run` is executed, in order, in one shell.

use std::process::Command;

use crate::binaries::{binary, root};
use crate::program::{both, run};
use crate::server::Server;

#[test]
fn the_quick_start_runs_as_it_is_written() {
    runs("quickstart.md", 5);
}

#[test]
fn the_guide_to_verifying_tokens_runs_and_shows_what_is_tested() {
    runs("verify-tokens.md", 1);
    let example = std::fs::read_to_string(root().join("examples/src/bin/orders-api.rs")).unwrap();
    let samples = blocks(&guide("verify-tokens.md"), "```rust\n");
    assert!(samples.len() >= 5, "the guide has lost its samples");
    for sample in samples {
        assert!(example.contains(&sample), "not in the example:\n{sample}");
    }
}

#[test]
fn the_guide_of_trusts_runs_as_it_is_written() {
    runs("trusts.md", 2);
}

#[test]
fn the_page_about_applications_and_people_runs_as_it_is_written() {
    runs("../identity.md", 2);
}

fn guide(name: &str) -> String {
    std::fs::read_to_string(root().join("docs/guides").join(name)).unwrap()
}

/// Executes every block of a guide that is marked so.
fn runs(name: &str, at_least: usize) {
    let blocks = runnable(&guide(name));
    assert!(blocks.len() >= at_least, "{name} has lost its blocks");
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_dev();
    let bin = binary("qapi").parent().unwrap().to_owned();
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &blocks.join("\n")])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("QAPI_CONFIG", folder.path().join("no-profile.toml"))
        .env("QUANTUMAPI_BASE_URL", server.base_url())
        .env("QUANTUMAPI_KEY", server.admin_key());
    let output = run(&mut shell);
    assert!(output.status.success(), "{}", both(&output));
}

/// The blocks of a guide that are executed.
pub fn runnable(guide: &str) -> Vec<String> {
    blocks(guide, "```sh run\n")
}

fn blocks(guide: &str, mark: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = guide;
    while let Some((_, after)) = rest.split_once(mark) {
        let (block, after) = after.split_once("```").expect("the block ends");
        blocks.push(block.to_owned());
        rest = after;
    }
    blocks
}
