//! The published document against the server, by a stranger who reads it: valid and invalid requests of every operation.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::{both, python, run, say};
use crate::server::Server;
use crate::surface::Things;

/// What is not asked: what would end the run (the caller's own key or tenant, the seal), what is long on purpose (a
/// backup, waiting for a bundle), and what answers browsers with pages, which is asked by itself.
const NOT_ASKED: &str =
    "^/operator/(seal|backup)|/bundle|^/api/v1/api-keys/.id|^/api/v1/tenants/.id|/(oauth2|connect)/(authorize|logout)$";
/// No answer beyond what is documented: no 5xx, no other status, no other content type, no other shape; no operation open
/// to who has no credential, and no method that the path does not have.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,ignored_auth,unsupported_method";

/// Browsers come here and are answered with pages, redirects and refusals of both kinds, all of which are documented as one: what is
/// left to check is that nothing breaks.
const PAGES: &str = "/(oauth2|connect)/(authorize|logout)$";
const PAGES_CHECKS: &str = "not_a_server_error,unsupported_method";

#[test]
fn every_operation_answers_as_its_document_says() {
    let server = Server::start_dev();
    let client = server.client();
    // Something to be found by those who go by the ids that they are shown.
    Things::new(&client, &client, "document", "DOCUMENTMARKER234567");
    let limits = ["--checks", CHECKS, "--max-examples", "5", "--max-time", "90", "--exclude-path-regex", NOT_ASKED];
    asked(&server, "document", &limits);
}

#[test]
fn nothing_that_browsers_ask_breaks_the_server() {
    let limits = ["--checks", PAGES_CHECKS, "--max-examples", "20", "--max-time", "30", "--include-path-regex", PAGES];
    asked(&Server::start_dev(), "document of pages", &limits);
}

/// Has the stranger ask within these limits.
#[track_caller]
fn asked(server: &Server, what: &str, limits: &[&str]) {
    let python = python("requirements-document.txt");
    let client = server.client();
    // The run's own key, so that nothing it does to keys it finds ends the run.
    let made = client.post("/api/v1/api-keys", &json!({"name": "document", "scopes": ["admin"]})).expect(201);
    let began = Instant::now();
    let output = run(Command::new(python.with_file_name("schemathesis"))
        .arg("run")
        .arg(format!("{}/openapi.json", client.base_url()))
        .args(["--url", &client.base_url(), "--header", &format!("X-Api-Key: {}", made.text_of("key"))])
        // Without it a server that has no quantum source answers 503, as it says.
        .args(["--header", "X-Allow-Csprng: true", "--phases", "examples,coverage,fuzzing"])
        .args(["--generation-deterministic", "--no-shrink", "--continue-on-failure", "--no-color"])
        .args(["--request-timeout", "30"])
        .args(limits)
        .current_dir(tempfile::tempdir().unwrap().path()));
    let told = both(&output);
    let count = told.lines().find(|line| line.contains(" generated, ")).unwrap_or_default().trim();
    say(&format!("{what}: {count} in {} s", began.elapsed().as_secs()));
    assert!(output.status.success(), "{told}");
    assert!(told.contains("Tested:"), "{told}");
    client.get("/health").expect(200);
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
}
