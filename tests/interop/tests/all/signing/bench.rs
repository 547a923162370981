//! A platform, a registry, and a folder in which commands run.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::binary;
use crate::program::{both, run, succeed};
use crate::registries::place::{Kind, Place, tool};
use crate::server::Server;

pub struct Bench {
    pub place: Place,
    pub server: Server,
    folder: TempDir,
}

impl Bench {
    pub fn start() -> Self {
        Self::start_with(Kind::Distribution3)
    }

    pub fn start_with(kind: Kind) -> Self {
        Self { place: Place::start(kind), server: Server::start_dev(), folder: tempfile::tempdir().unwrap() }
    }

    /// With a registry that wants this name and password, as NAME:PASSWORD.
    pub fn start_signed_on(user: &str) -> Self {
        let place = Place::start_with(Kind::Cue, Some(user));
        Self { place, server: Server::start_dev(), folder: tempfile::tempdir().unwrap() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command in the folder, with the platform's address and credential and our programs in its path.
    pub fn in_folder(&self, mut command: Command) -> Command {
        let bin = binary("qapi").parent().unwrap().to_owned();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        command
            .current_dir(self.folder())
            .env("HOME", self.folder())
            .env("PATH", path)
            .env("COSIGN_PASSWORD", "passphrase")
            .env("QUANTUMAPI_BASE_URL", self.server.base_url())
            .env("QUANTUMAPI_KEY", self.server.admin_key())
            .env_remove("COSIGN_PRIVATE_KEY")
            .env_remove("COSIGN_REPOSITORY");
        command
    }

    /// A shell that ends at the first command that fails.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = self.in_folder(Command::new("bash"));
        command.args(["-euo", "pipefail", "-c", script]);
        command
    }

    pub fn qapi(&self, words: &[&str]) -> Command {
        let mut command = self.in_folder(Command::new(binary("qapi")));
        command.args(words);
        command
    }

    /// Runs `qapi`, which has to end with this status, and gives what it wrote.
    #[track_caller]
    pub fn ends(&self, status: i32, words: &[&str]) -> String {
        ended(status, &run(&mut self.qapi(words)))
    }

    /// Runs `qapi` for its JSON.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        let text = succeed(self.qapi(words).args(["-o", "json"]));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// A cosign, which is told that the registry speaks HTTP and that there is no log.
    pub fn cosign(&self, program: &str, verb: &str, words: &[&str]) -> Output {
        let mut command = self.in_folder(tool(program));
        command.arg(verb).arg("--allow-http-registry").args(words);
        run(&mut command)
    }

    /// A cosign that has no registry to do with.
    pub fn cosign_alone(&self, program: &str, words: &[&str]) -> Output {
        let mut command = self.in_folder(tool(program));
        command.args(words);
        run(&mut command)
    }

    /// Whether a cosign verifies an image with a public key.
    pub fn cosign_verifies(&self, program: &str, key: &str, image: &str) -> Result<(), String> {
        let output = self.cosign(program, "verify", &["--key", key, "--insecure-ignore-tlog=true", image]);
        if output.status.success() { Ok(()) } else { Err(both(&output)) }
    }

    #[track_caller]
    pub fn crane(&self, words: &[&str]) -> String {
        succeed(self.in_folder(tool("crane")).args(words).arg("--insecure")).trim().to_owned()
    }

    /// Stores an image with this content, and gives its name by tag.
    #[track_caller]
    pub fn image(&self, path: &str, tag: &str, content: &str) -> String {
        let (file, archive) = (format!("{tag}.txt"), format!("{tag}.tar"));
        std::fs::write(self.folder().join(&file), content).unwrap();
        succeed(Command::new("tar").current_dir(self.folder()).args(["cf", &archive, &file]));
        let name = format!("{}/{path}:{tag}", self.place.host);
        self.crane(&["append", "-f", &archive, "-t", &name]);
        name
    }

    /// Stores an index of two images.
    #[track_caller]
    pub fn index(&self, path: &str) -> String {
        let (first, second) = (self.image(path, "first", "1"), self.image(path, "second", "2"));
        let name = format!("{}/{path}:all", self.place.host);
        self.crane(&["index", "append", "-m", &first, "-m", &second, "-t", &name]);
        name
    }

    /// The keys of a purpose in the vault: `NAME.keys.json`, `NAME.ML-DSA-65.pub`, `NAME.ECDSA-P256.pub`.
    #[track_caller]
    pub fn keys(&self, name: &str, purpose: &str) -> String {
        self.ends(0, &["keys", "create-signing", name, "--purpose", purpose]);
        format!("{name}.keys.json")
    }

    /// The bundles beside an image by what they hold: digest of the manifest, length of the signature, predicate type.
    pub fn bundles(&self, image: &str) -> Vec<(String, u64, String)> {
        let seen = self.json(&["image", "inspect", image]);
        let bundles = seen["unverified"].as_array().unwrap().iter().filter(|one| one["kind"] == "bundle");
        bundles
            .map(|one| {
                let at = one["at"].as_str().unwrap().trim_start_matches("bundle ").to_owned();
                let kind = one["predicateType"].as_str().unwrap_or_default().to_owned();
                (at, one["signatureBytes"].as_u64().unwrap(), kind)
            })
            .collect()
    }
}

#[track_caller]
pub fn ended(status: i32, output: &Output) -> String {
    assert_eq!(output.status.code(), Some(status), "{}", both(output));
    both(output)
}

/// An image's name by its digest.
pub fn pinned(image: &str, digest: &str) -> String {
    let repository = image.rsplit_once(':').unwrap().0;
    format!("{repository}@{digest}")
}
