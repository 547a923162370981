//! What the rows about images share: a registry of others, images in it, and commands that sign and verify them.
//!
//! The registry and the way to it run on this program's core, what is measured runs on the other. Everything stands under the name of
//! the way, so that all take it: requests are counted on it, and answers can be made late.

pub mod admission;
pub mod gate;
pub mod signing;
mod way;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use self::way::Way;
use super::process::{release, scratch};
use super::{SERVER_CORE, wanted};
use crate::workspace;

/// The cosigns that ours is measured against.
const COSIGNS: [&str; 2] = ["cosign3", "cosign2"];
const START: Duration = Duration::from_secs(30);

/// Fetches and builds the foreign programs before anything is pinned to one core: from nothing that takes minutes.
pub fn prepare(rows: &[&str]) -> Result<()> {
    let names = [admission::NAME, gate::NAME, signing::NAME];
    if names.iter().any(|name| wanted(rows, name)) { tools().map(drop) } else { Ok(()) }
}

/// The folder with the foreign registries and signing tools.
fn tools() -> Result<PathBuf> {
    Ok(PathBuf::from(workspace::output("scripts/registries.sh", &[])?.trim()).join("bin"))
}

/// Whose registry it is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// That of CUE, in memory: lists what refers to an image.
    Cue,
    /// Distribution 3, on the disk: has no such list.
    Distribution,
}

/// A registry with images in it, and a folder in which commands run.
struct Bed {
    folder: PathBuf,
    tools: PathBuf,
    way: Way,
    registry: Child,
}

impl Bed {
    fn start(name: &str, kind: Kind) -> Result<Self> {
        let folder = scratch(name)?;
        let tools = tools()?;
        let (registry, address) = start(kind, &folder, &tools)?;
        Ok(Self { way: Way::to(&address)?, folder, tools, registry })
    }

    /// Our command, on the measured core.
    fn qapi(&self, words: &[&str]) -> Command {
        self.measured(&release("qapi"), words)
    }

    /// A cosign, on the measured core, which is told that the registry speaks HTTP.
    fn cosign(&self, program: &str, verb: &str, words: &[&str]) -> Command {
        self.measured(&self.tools.join(program), &[&[verb, "--allow-http-registry"], words].concat())
    }

    /// How long a cosign takes to verify an image with our classical key, without logs.
    fn cosign_verifies(&self, program: &str, image: &str) -> Result<Duration> {
        let words = ["--key", "release.ECDSA-P256.pub", "--insecure-ignore-tlog=true", image];
        timed(&mut self.cosign(program, "verify", &words))
    }

    fn measured(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER_CORE]).arg(program).args(words);
        command
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("COSIGN_PASSWORD", "passphrase")
            .env_remove("COSIGN_PRIVATE_KEY")
            .env_remove("COSIGN_REPOSITORY");
        command
    }

    /// Stores that many images, each with content of its own, and gives their names.
    fn push(&self, path: &str, count: usize) -> Result<Vec<String>> {
        let (text, layer) = (self.folder.join("content.txt"), self.folder.join("content.tar"));
        let push = |number: usize| {
            std::fs::write(&text, format!("{path} {number}"))?;
            let folder = self.folder.display().to_string();
            workspace::output("tar", &["-C", &folder, "-cf", &layer.display().to_string(), "content.txt"])?;
            let name = format!("{}/{path}/image-{number}:1", self.way.address);
            let crane = self.tools.join("crane").display().to_string();
            workspace::output(&crane, &["append", "--insecure", "-f", &layer.display().to_string(), "-t", &name])?;
            Ok(name)
        };
        (0..count).map(push).collect()
    }

    /// Makes the keys `release` in files: a ring, and public keys by their algorithms.
    fn make_local_keys(&self) -> Result<()> {
        timed(&mut self.qapi(&["keys", "create-signing", "release", "--local"])).map(drop)
    }

    /// Stores images that are signed with both keys.
    fn push_signed(&self, path: &str, count: usize) -> Result<Vec<String>> {
        let images = self.push(path, count)?;
        let names: Vec<&str> = images.iter().map(String::as_str).collect();
        timed(&mut self.qapi(&[&["image", "sign", "--key", "release.keys.json"], names.as_slice()].concat()))?;
        Ok(images)
    }

    /// The policy under which they pass.
    fn write_policy(&self) -> Result<()> {
        let host = &self.way.address;
        let text = format!(
            "version: 1\nkeys:\n  - {{name: classical, purpose: signature, publicKeyFile: release.ECDSA-P256.pub}}\n  \
             - {{name: quantum-safe, purpose: signature, publicKeyFile: release.ML-DSA-65.pub}}\n\
             registries:\n  - {{name: '{host}', dangerPlainHttp: true}}\nimages:\n  - {{name: ours, match: ['{host}/**']}}\n\
             environments:\n  - {{name: production}}\n"
        );
        Ok(std::fs::write(self.folder.join("policy.yaml"), text)?)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        drop(self.registry.kill());
        drop(self.registry.wait());
    }
}

/// Starts a registry and waits until it says where it listens.
fn start(kind: Kind, folder: &Path, tools: &Path) -> Result<(Child, String)> {
    let log = folder.join("registry.log");
    let mut command = match kind {
        Kind::Cue => {
            let mut command = Command::new(tools.join("registry-peer"));
            command.args(["-kind", "cue"]);
            command
        }
        Kind::Distribution => {
            let config = folder.join("registry.yml");
            let data = folder.join("registry");
            let text = format!(
                "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {data:?}}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n"
            );
            std::fs::write(&config, text)?;
            let mut command = Command::new(tools.join("registry"));
            command.arg("serve").arg(&config);
            command
        }
    };
    let file = File::create(&log)?;
    command.env("OTEL_TRACES_EXPORTER", "none").stdout(file.try_clone()?).stderr(file).stdin(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("start a registry of the kind {kind:?}"))?;
    match listening(&log) {
        Ok(address) => Ok((child, address)),
        Err(error) => {
            drop(child.kill());
            drop(child.wait());
            Err(error)
        }
    }
}

fn listening(log: &Path) -> Result<String> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if let Some(address) = listens_at(&std::fs::read_to_string(log)?) {
            return Ok(address);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("the registry does not listen: see {}", log.display())
}

fn listens_at(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on 127.0.0.1:")?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    // A port at the very end may still be on its way.
    let is_whole = rest.len() > port.len() && !port.is_empty();
    is_whole.then(|| format!("127.0.0.1:{port}"))
}

/// How long a command takes, which has to succeed.
fn timed(command: &mut Command) -> Result<Duration> {
    let began = Instant::now();
    let done = command.output().with_context(|| format!("run {command:?}"))?;
    let took = began.elapsed();
    ensure!(done.status.success(), "{command:?} ended with {}: {}", done.status, String::from_utf8_lossy(&done.stderr));
    Ok(took)
}

fn milliseconds(took: &[Duration]) -> f64 {
    super::median(took.iter().map(|took| took.as_secs_f64() * 1e3).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_when_it_is_there_as_a_whole() {
        let rows = [
            ("listening on 127.0.0.1:4711\n", Some("127.0.0.1:4711")),
            (r#"msg="listening on 127.0.0.1:4711" go.version=go1"#, Some("127.0.0.1:4711")),
            ("listening on 127.0.0.1:47", None),
            ("listening on 127.0.0.1:\n", None),
            ("starting\n", None),
        ];
        for (log, expected) in rows {
            assert_eq!(listens_at(log).as_deref(), expected, "{log}");
        }
    }
}
