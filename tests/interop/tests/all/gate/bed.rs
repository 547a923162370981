//! A registry with images, a server for tickets, and a folder in which the gate runs as the guide says.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binaries::{binary, root};
use crate::guides::runnable;
use crate::program::{both, run, succeed};
use crate::registries::place::{Kind, Place, tool};
use crate::server::Server;

pub struct Bed {
    pub folder: TempDir,
    pub place: Place,
    pub server: Server,
}

impl Bed {
    pub fn start(kind: Kind) -> Self {
        let bed = Self { folder: tempfile::tempdir().unwrap(), place: Place::start(kind), server: Server::start_dev() };
        for (name, tag) in [("users-api", "1.4"), ("gateway", "2.0"), ("report", "1.0")] {
            bed.push(name, tag, name);
        }
        bed
    }

    pub fn push(&self, name: &str, tag: &str, content: &str) {
        std::fs::write(self.path().join("content.txt"), content).unwrap();
        succeed(Command::new("tar").current_dir(self.path()).args(["cf", "content.tar", "content.txt"]));
        let name = format!("{}/team/{name}:{tag}", self.place.host);
        succeed(tool("crane").current_dir(self.path()).args(["append", "-f", "content.tar", "-t", &name]));
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn shell(&self, text: &str) -> Command {
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
    pub fn prepare(&self) {
        let guide = std::fs::read_to_string(root().join("docs/guides/deploy-gate.md")).unwrap();
        succeed(&mut self.shell(&runnable(&guide)[..2].join("\n")));
    }

    /// What the gate says of a versions file in production: its status and its report.
    pub fn gate(&self, versions: &str) -> (i32, Value) {
        std::fs::write(self.path().join("v.yaml"), versions.replace("REGISTRY", &self.place.host)).unwrap();
        let words = "qapi gate verify --versions v.yaml --policy policy.yaml --environment production -o json";
        let output = run(&mut self.shell(words));
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| json!(both(&output)));
        (output.status.code().unwrap(), report)
    }

    pub fn refusal(&self, versions: &str) -> (i32, String) {
        let (status, report) = self.gate(versions);
        let code = report["images"][0]["refusals"][0]["code"].as_str();
        (status, code.map_or_else(|| report.to_string(), str::to_owned))
    }
}
