//! The published document against the server, by a stranger who reads it: valid and invalid requests of every operation.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::oidc::provider::{Provider, basic};
use crate::oidc::visitor::{CALLBACK, Visitor};
use crate::program::{both, python, run, say};
use crate::server::Server;
use crate::surface::Things;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

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

/// What clients call. Who asks there proves it by OAuth's own means, without which nobody gets past the door.
const CLIENTS: &str = "^(/t/.slug.)?/(oauth2|connect|[.]well-known)";
/// What is shown there is a token, and not a client's secret.
const USERINFO: &str = "/userinfo$";
const CLIENTS_CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                              response_schema_conformance,unsupported_method";

#[test]
fn every_operation_answers_as_its_document_says() {
    let server = Server::start_dev();
    let client = server.client();
    // Something to be found by those who go by the ids that they are shown.
    Things::new(&client, &client, "document", "DOCUMENTMARKER234567");
    let limits = ["--checks", CHECKS, "--max-examples", "5", "--max-time", "90", "--exclude-path-regex", NOT_ASKED];
    // The run's own key, so that nothing it does to keys it finds ends the run.
    let made = client.post("/api/v1/api-keys", &json!({"name": "document", "scopes": ["admin"]})).expect(201);
    asked(&server, "document", &format!("X-Api-Key: {}", made.text_of("key")), &limits);
}

#[test]
fn nothing_that_browsers_ask_breaks_the_server() {
    let limits = ["--checks", PAGES_CHECKS, "--max-examples", "20", "--max-time", "30", "--include-path-regex", PAGES];
    asked(&Server::start_dev(), "document of pages", "Accept: text/html", &limits);
}

#[test]
fn what_clients_ask_of_the_provider_is_answered_as_its_document_says() {
    let provider = Provider::start();
    let grants = ["authorization_code", "refresh_token", "client_credentials", EXCHANGE, DEVICE];
    let settings = json!({ "redirectUris": [CALLBACK], "consent": "skip", "grantTypes": grants });
    let app = provider.app("WebApp", &settings);
    let limits = ["--checks", CLIENTS_CHECKS, "--max-examples", "10", "--include-path-regex", CLIENTS];
    let others = format!("{PAGES}|{USERINFO}");
    let asking = [&limits[..], &["--exclude-path-regex", &others]].concat();
    let told = asked(&provider.server, "document of clients", &format!("Authorization: {}", basic(&app)), &asking);
    assert!(!told.contains("Authentication failed"), "{told}");

    provider.end_user(&app, "ada@people.example");
    let code = Visitor::new(&provider).code(&app, "ada@people.example");
    let token = provider.redeem(&app, &code).expect(200).text_of("access_token");
    let limits = ["--checks", CLIENTS_CHECKS, "--max-examples", "20", "--include-path-regex", USERINFO];
    asked(&provider.server, "document of userinfo", &format!("Authorization: Bearer {token}"), &limits);
}

/// Has the stranger ask within these limits, with this header. Answers with what it told.
#[track_caller]
fn asked(server: &Server, what: &str, header: &str, limits: &[&str]) -> String {
    let python = python("requirements-document.txt");
    let client = server.client();
    let folder = tempfile::tempdir().unwrap();
    // The default tenant has a slug as every other.
    std::fs::write(folder.path().join("schemathesis.toml"), "[parameters]\n\"path.slug\" = \"default\"\n").unwrap();
    let began = Instant::now();
    let output = run(Command::new(python.with_file_name("schemathesis"))
        .arg("run")
        .arg(format!("{}/openapi.json", client.base_url()))
        .args(["--url", &client.base_url(), "--header", header])
        // Without it a server that has no quantum source answers 503, as it says.
        .args(["--header", "X-Allow-Csprng: true", "--phases", "examples,coverage,fuzzing"])
        .args(["--generation-deterministic", "--no-shrink", "--continue-on-failure", "--no-color"])
        .args(["--request-timeout", "30"])
        .args(limits)
        .current_dir(folder.path()));
    let told = both(&output);
    let count = told.lines().find(|line| line.contains(" generated, ")).unwrap_or_default().trim();
    let number = |name: &str| told.lines().find_map(|line| line.trim().strip_prefix(name)?.split('/').next());
    let (selected, tested) = (number("Selected: "), number("Tested: "));
    say(&format!("{what}: {} operations, {count} in {} s", tested.unwrap_or("no"), began.elapsed().as_secs()));
    assert!(output.status.success(), "{told}");
    assert!(tested.is_some() && selected == tested, "time was over before every operation was asked: {told}");
    client.get("/health").expect(200);
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
    told
}
