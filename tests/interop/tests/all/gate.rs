//! The deploy gate over a registry, with a server for its tickets: the guide as it is written, and what attackers would try.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binaries::{binary, root};
use crate::guides::runnable;
use crate::program::{both, run, succeed};
use crate::registries::place::{Kind, Place, tool};
use crate::server::{Server, eventually};

struct Bed {
    folder: TempDir,
    place: Place,
    server: Server,
}

impl Bed {
    fn start(kind: Kind) -> Self {
        let bed = Self { folder: tempfile::tempdir().unwrap(), place: Place::start(kind), server: Server::start_dev() };
        for (name, tag) in [("users-api", "1.4"), ("gateway", "2.0"), ("report", "1.0")] {
            bed.push(name, tag, name);
        }
        bed
    }

    fn push(&self, name: &str, tag: &str, content: &str) {
        std::fs::write(self.path().join("content.txt"), content).unwrap();
        succeed(Command::new("tar").current_dir(self.path()).args(["cf", "content.tar", "content.txt"]));
        let name = format!("{}/team/{name}:{tag}", self.place.host);
        succeed(tool("crane").current_dir(self.path()).args(["append", "-f", "content.tar", "-t", &name]));
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn shell(&self, text: &str) -> Command {
        let bin = binary("qapi").parent().unwrap().to_owned();
        let mut shell = Command::new("bash");
        shell
            .args(["-euo", "pipefail", "-c", text])
            .current_dir(self.path())
            .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
            .env("REGISTRY", &self.place.host)
            .env("COSIGN_PASSWORD", "")
            .env("QAPI_CONFIG", self.path().join("no-profile.toml"))
            .env("QUANTUMAPI_BASE_URL", self.server.base_url())
            .env("QUANTUMAPI_KEY", self.server.admin_key());
        shell
    }

    /// Runs the guide up to and with the block that writes the policy.
    fn prepare(&self) {
        let guide = std::fs::read_to_string(root().join("docs/guides/deploy-gate.md")).unwrap();
        succeed(&mut self.shell(&runnable(&guide)[..2].join("\n")));
    }

    /// What the gate says of a versions file in production: its status and its report.
    fn gate(&self, versions: &str) -> (i32, Value) {
        std::fs::write(self.path().join("v.yaml"), versions.replace("REGISTRY", &self.place.host)).unwrap();
        let words = "qapi gate verify --versions v.yaml --policy policy.yaml --environment production -o json";
        let output = run(&mut self.shell(words));
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| json!(both(&output)));
        (output.status.code().unwrap(), report)
    }

    fn refusal(&self, versions: &str) -> (i32, String) {
        let (status, report) = self.gate(versions);
        let code = report["images"][0]["refusals"][0]["code"].as_str();
        (status, code.map_or_else(|| report.to_string(), str::to_owned))
    }
}

#[test]
fn the_guide_to_the_deploy_gate_runs_as_it_is_written() {
    let guide = std::fs::read_to_string(root().join("docs/guides/deploy-gate.md")).unwrap();
    let blocks = runnable(&guide);
    assert!(blocks.len() >= 9, "the guide has lost its blocks");
    let bed = Bed::start(Kind::Cue);
    let output = run(&mut bed.shell(&blocks.join("\n")));
    assert!(output.status.success(), "{}", both(&output));
    // Issuing and taking back stand in the trail, with the reason.
    let trail = eventually(std::time::Duration::from_secs(30), || {
        let trail = bed.server.client().get("/api/v1/audit-logs?pageSize=100").expect(200).text();
        (trail.contains("GateTicketIssued") && trail.contains("GateTicketRevoked")).then_some(trail)
    });
    assert!(trail.contains("hotfix for the login"), "{trail}");
}

#[test]
fn what_an_attacker_puts_into_a_registry_does_not_pass() {
    let bed = Bed::start(Kind::Distribution2);
    bed.prepare();
    assert_eq!(bed.gate("users-api: '1.4'\n").0, 0);

    // Another image under the tag, and the signed digest under the name of another image.
    let digest = succeed(tool("crane").args(["digest", &format!("{}/team/users-api:1.4", bed.place.host)]));
    bed.push("users-api", "1.4", "malicious");
    assert_eq!(bed.refusal("users-api: '1.4'\n"), (2, "not-signed".to_owned()));
    let pinned = format!("users-api: '1.4@{}'\n", digest.trim());
    assert_eq!(bed.gate(&pinned).0, 0, "what was signed still passes by its digest");
    let team = format!("{}/team", bed.place.host);
    let tag = digest.trim().replace(':', "-");
    for (from, to) in [
        (format!("{team}/users-api@{}", digest.trim()), format!("{team}/report:9")),
        (format!("{team}/users-api:{tag}.sig"), format!("{team}/report:{tag}.sig")),
        (format!("{team}/users-api:{tag}"), format!("{team}/report:{tag}")),
    ] {
        succeed(tool("crane").args(["copy", &from, &to]));
    }
    assert_eq!(bed.refusal("report: '9'\n"), (2, "not-believed".to_owned()));

    // A registry that is not in the policy, and one that is not there at all.
    assert_eq!(bed.refusal("evil: 'localhost:1/team/x:1'\n"), (2, "registry-not-allowed".to_owned()));
    assert_eq!(bed.refusal("none: 'REGISTRY/team/none:1'\n"), (2, "not-found".to_owned()));
    let policy = std::fs::read_to_string(bed.path().join("policy.yaml")).unwrap();
    let down = policy.replace(
        "registries:\n",
        "registries:\n  - {name: down.example, endpoint: '127.0.0.1:1', dangerPlainHttp: true}\n",
    );
    let down = down.replace("match: [", "match: [down.example/**, ");
    std::fs::write(bed.path().join("policy.yaml"), &down).unwrap();
    assert_eq!(bed.refusal("down: down.example/x:1\n"), (3, "unreachable".to_owned()));

    // A policy or a versions file that is not understood lets nothing pass.
    assert_eq!(bed.gate("users-api: [[1]]\n").0, 4);
    std::fs::write(bed.path().join("policy.yaml"), down + "surprise: 1\n").unwrap();
    let (status, told) = bed.gate(&pinned);
    assert_eq!(status, 4);
    assert!(told.as_str().unwrap().contains("surprise"), "{told}");
}

#[test]
fn an_attestation_by_the_signing_key_is_no_signature() {
    let bed = Bed::start(Kind::GoContainerRegistry);
    bed.prepare();
    let attest = "qapi keys create-signing notes --purpose attestation --local && echo '{}' > note.json && \
        qapi image attest $REGISTRY/team/report:1.0 --key notes.keys.json --type https://example.com/note --predicate note.json";
    succeed(&mut bed.shell(attest));
    let policy = std::fs::read_to_string(bed.path().join("policy.yaml")).unwrap();
    let trusted = policy.replace(
        "registries:\n",
        "  - {name: notes, purpose: signature, publicKeyFile: notes.ML-DSA-65.pub}\nregistries:\n",
    );
    std::fs::write(bed.path().join("policy.yaml"), trusted).unwrap();
    assert_eq!(bed.refusal("report: '1.0'\n"), (2, "not-believed".to_owned()));
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
