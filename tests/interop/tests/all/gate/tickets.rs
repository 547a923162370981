//! Tickets as the gate takes them, and who issues which.

use std::process::Output;

use base64::Engine as _;
use serde_json::{Value, json};

use super::bed::Bed;
use crate::moved_clock::MovedClock;
use crate::program::{both, run, succeed};
use crate::registries::place::usual;
use crate::server::Server;

/// Production with an image that nobody signed, before a gate that reaches the server or does not.
struct Emergency {
    bed: Bed,
}

const OFFLINE: &str = "unset QUANTUMAPI_BASE_URL QUANTUMAPI_KEY; ";
const GATE: &str = "qapi gate verify --versions report.yaml --policy policy.yaml --environment production";

impl Emergency {
    fn new() -> Self {
        let bed = Bed::start(usual());
        bed.prepare();
        std::fs::write(bed.path().join("report.yaml"), "report: '1.0'\n").unwrap();
        Self { bed }
    }

    fn issue(&self, words: &str) -> String {
        let issue = format!("qapi gate ticket issue --reason 'hotfix' --environment production {words} --token-only");
        succeed(&mut self.bed.shell(&issue)).trim().to_owned()
    }

    /// Puts the platform's key and the tenant into the policy, so that tickets are believed by their signatures.
    fn believe(&self, tenant: &str) {
        let path = self.bed.path().join("policy.yaml");
        succeed(&mut self.bed.shell("qapi audit key > platform.pub && grep -q 'BEGIN PUBLIC KEY' platform.pub"));
        let policy = std::fs::read_to_string(&path).unwrap();
        let key = "  - {name: platform, purpose: ticket, publicKeyFile: platform.pub}\nregistries:\n";
        let policy = policy.replacen("registries:\n", key, 1);
        std::fs::write(&path, format!("{policy}tickets: {{tenant: {tenant}}}\n")).unwrap();
    }

    fn gate(&self, ticket: &str, before: &str) -> Output {
        run(self.bed.shell(&format!("{before}{GATE}")).env("QAPI_GATE_TICKET", ticket))
    }
}

fn payload(token: &str) -> Value {
    let (url, standard) = (base64::engine::general_purpose::URL_SAFE_NO_PAD, base64::engine::general_purpose::STANDARD);
    let envelope: Value = serde_json::from_slice(&url.decode(token).unwrap()).unwrap();
    serde_json::from_slice(&standard.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap()
}

#[track_caller]
fn ends(status: i32, output: &Output) -> String {
    assert_eq!(output.status.code(), Some(status), "{}", both(output));
    both(output)
}

#[test]
fn a_ticket_that_the_platform_signed_passes_loudly_and_not_when_it_was_taken_back() {
    let emergency = Emergency::new();
    let token = emergency.issue("--expires 30m");
    let payload = payload(&token);
    // Without the platform's key in the policy only the server can tell; without it nobody can.
    let said = ends(4, &emergency.gate(&token, OFFLINE));
    assert!(said.contains("the policy believes no signed tickets"), "{said}");
    emergency.believe(payload["tenant"].as_str().unwrap());
    let said = ends(0, &emergency.gate(&token, OFFLINE));
    assert!(said.contains("NOT VERIFIED, passed by ticket") && said.contains("not-signed"), "{said}");
    // The variable of older pipelines counts together with a ticket, and says so; alone it is a warning.
    let disabled = format!("{OFFLINE}export COSIGN_VERIFY_DISABLED=true; ");
    let said = ends(0, &emergency.gate(&token, &disabled));
    assert!(said.contains("COSIGN_VERIFY_DISABLED IS SET, AND TICKET"), "{said}");
    let said = ends(2, &emergency.gate("", &disabled));
    assert!(said.contains("images are verified all the same"), "{said}");
    // A ticket that somebody changed, one of somebody else, and one for elsewhere.
    let changed = token.replacen(&token[40..44], "AAAA", 1);
    ends(4, &emergency.gate(&changed, OFFLINE));
    let other = Emergency::new();
    ends(4, &emergency.gate(&other.issue("--expires 30m"), OFFLINE));
    let digests = emergency.issue(&format!("--digest sha256:{}", "0".repeat(64)));
    ends(2, &emergency.gate(&digests, OFFLINE));
    // Taken back: the server says so wherever it can be asked.
    let id = payload["id"].as_str().unwrap();
    succeed(&mut emergency.bed.shell(&format!("qapi gate ticket revoke {id}")));
    for ticket in [token.as_str(), id] {
        let said = ends(4, &emergency.gate(ticket, ""));
        assert!(said.contains("is revoked"), "{said}");
    }
}

#[test]
fn a_ticket_that_ended_passes_nothing() {
    let emergency = Emergency::new();
    let token = emergency.issue("--expires 30m");
    let payload = payload(&token);
    emergency.believe(payload["tenant"].as_str().unwrap());
    let clock = MovedClock::new(emergency.bed.path());
    let at = |seconds: i64, ticket: &str, before: &str| {
        clock.set_ahead_s(seconds);
        let mut shell = emergency.bed.shell(&format!("{before}{GATE}"));
        clock.is_of(&mut shell);
        run(shell.env("QAPI_GATE_TICKET", ticket))
    };
    ends(0, &at(60, &token, OFFLINE));
    let said = ends(4, &at(1_860, &token, OFFLINE));
    assert!(said.contains("it is not valid now"), "{said}");
    // A server whose clock is behind calls it active; the gate's own clock counts as well.
    let id = payload["id"].as_str().unwrap();
    ends(0, &at(60, id, ""));
    ends(2, &at(1_860, id, ""));
    ends(4, &at(-3_600, &token, OFFLINE));
}

#[test]
fn a_command_about_tickets_that_means_nothing_ends_as_commands_do() {
    let emergency = Emergency::new();
    let ends = |status: i32, words: &str| ends(status, &run(&mut emergency.bed.shell(&format!("qapi gate {words}"))));
    ends(2, "ticket issue");
    ends(2, "ticket issue --reason x");
    ends(2, "ticket nonsense");
    ends(2, "ticket issue --reason x --environment y --expires 25h");
    ends(1, "ticket get 6fa459ea-ee8a-4ca4-894e-db77e160355e");
    ends(4, "verify");
    ends(4, "verify --nonsense");
}

#[test]
fn a_credential_that_is_bound_to_an_environment_issues_tickets_for_that_one_alone() {
    let server = Server::start_dev();
    let admin = server.client();
    let body = json!({"name": "staging", "scopes": ["gate:write", "gate:read"], "environment": "staging"});
    let key = admin.post("/api/v1/api-keys", &body).expect(201).text_of("key");
    let bound = admin.with_key(&key);
    let ticket = |environment: &str| json!({"reason": "hotfix", "environment": environment});
    bound.post("/api/v1/gate/tickets", &ticket("production")).refused(403, "forbidden");
    bound
        .post("/api/v1/gate/tickets", &json!({"reason": "x", "digests": [format!("sha256:{}", "0".repeat(64))]}))
        .refused(403, "forbidden");
    bound.post("/api/v1/gate/tickets", &ticket("staging")).expect(201);
    let of_production = admin.post("/api/v1/gate/tickets", &ticket("production")).expect(201).text_of("id");
    bound.post(&format!("/api/v1/gate/tickets/{of_production}/revoke"), &json!({})).refused(403, "forbidden");
    for wrong in [
        json!({"reason": "", "environment": "a"}),
        json!({"reason": "x"}),
        json!({"reason": "x", "environment": "a", "lifetimeSeconds": 86_401}),
        json!({"reason": "x", "digests": ["sha256:00"]}),
    ] {
        admin.post("/api/v1/gate/tickets", &wrong).refused(400, "invalid_request");
    }
}
