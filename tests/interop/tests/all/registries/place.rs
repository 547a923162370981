//! A registry on this machine, with images in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use artifact::digest::Digest;
use artifact::image::Image;
use artifact::manifest::{Descriptor, Index, Manifest, Platform};
use artifact::reference::Repository;
use artifact::registry::{Client, Keychain, Options, Target};
use tempfile::TempDir;

use crate::binaries::root;
use crate::program::succeed;
use crate::running::Running;
use crate::server::eventually;

const PATIENCE: Duration = Duration::from_secs(60);

/// Whose registry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Distribution 3: no referrers.
    Distribution3,
    /// Debian's docker-registry, distribution 2: no referrers.
    Distribution2,
    /// go-containerregistry's: lists referrers, and does not say so when it stores a manifest.
    GoContainerRegistry,
    /// That of CUE: lists referrers, and says so.
    Cue,
}

pub const KINDS: [Kind; 4] = [Kind::Distribution3, Kind::Distribution2, Kind::GoContainerRegistry, Kind::Cue];

/// A registry that runs until it is dropped.
pub struct Place {
    pub kind: Kind,
    pub host: String,
    running: Running,
    _folder: TempDir,
}

const START: Duration = Duration::from_secs(60);
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The folder with the foreign registries and signing tools, made when they are not there yet.
fn tools() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| PathBuf::from(succeed(&mut Command::new(root().join("scripts/registries.sh"))).trim()))
}

/// A foreign program by its name.
pub fn tool(name: &str) -> Command {
    Command::new(tools().join("bin").join(name))
}

impl Place {
    pub fn start(kind: Kind) -> Self {
        Self::start_with(kind, None)
    }

    /// One that asks who we are, where the kind can; `user` is NAME:PASSWORD.
    pub fn start_with(kind: Kind, user: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = match kind {
            Kind::Distribution3 => distribution("registry", folder.path()),
            Kind::Distribution2 => distribution("registry2", folder.path()),
            Kind::GoContainerRegistry => peer("ggcr"),
            Kind::Cue => peer("cue"),
        };
        command.args(user.map(|user| format!("-user={user}")));
        // Distribution 3 sends traces unless it is told not to.
        let running = Running::start(command.env("OTEL_TRACES_EXPORTER", "none").current_dir(folder.path()));
        let host = listening(&running);
        Self { kind, host, running, _folder: folder }
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        self.running.kill();
    }

    /// What it was asked so far, by the log of go-containerregistry's registry.
    fn requests(&self) -> Vec<String> {
        let is_request =
            |line: &&str| ["GET /", "HEAD /", "PUT /", "POST /"].iter().any(|start| line.starts_with(start));
        self.running.text().lines().filter(is_request).map(str::to_owned).collect()
    }

    /// The requests since that one was made last. The log is read beside the test, and is whole once a later request stands in it.
    pub async fn asked_since(&self, client: &Client, first: &str) -> Vec<String> {
        let later = format!("{}/asked/later:1", self.host).parse().unwrap();
        assert!(client.find_manifest(&later).await.unwrap().is_none());
        let mut asked = eventually(PATIENCE, || {
            let requests = self.requests();
            let end = requests.iter().position(|line| line.contains("/asked/later/"))?;
            Some(requests[..end].to_vec())
        });
        let start = asked.iter().rposition(|line| line == first).expect("it was asked");
        asked.split_off(start)
    }

    pub fn repository(&self, path: &str) -> Repository {
        format!("{}/{path}", self.host).parse().unwrap()
    }

    /// Stores an image for one platform alone.
    pub async fn plain_image(&self, client: &Client, path: &str) -> Image {
        let repository = self.repository(path);
        let manifest = platform(client, &repository, path, "amd64").await;
        client.put_manifest(&repository, Target::Tag("1"), &manifest).await.unwrap();
        Image::new(repository, manifest.digest().clone())
    }

    /// Stores an image of its own kind for each platform, and an index of them under a tag.
    pub async fn image(&self, client: &Client, path: &str, tag: &str) -> Image {
        let repository = self.repository(path);
        let mut listed = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let manifest = platform(client, &repository, path, architecture).await;
            let platform = Platform { architecture: architecture.into(), os: "linux".into(), ..Platform::default() };
            listed.push(Descriptor { platform: Some(platform), ..manifest.descriptor().clone() });
        }
        let index = Index::new(listed).to_manifest().unwrap();
        client.put_manifest(&repository, Target::Tag(tag), &index).await.unwrap();
        Image::new(repository, index.digest().clone())
    }
}

/// A client without a name. Each is alone: it shares nothing with others, as another process would not.
pub fn client() -> Client {
    Client::new(Options::default().with_timeout(Duration::from_secs(60)), Keychain::anonymous()).unwrap()
}

async fn platform(client: &Client, repository: &Repository, name: &str, architecture: &str) -> Manifest {
    let layer = format!("{name} for {architecture}").into_bytes();
    let config = format!(
        r#"{{"architecture":"{architecture}","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        Digest::of(&layer)
    );
    client.put_blob(repository, &layer).await.unwrap();
    client.put_blob(repository, config.as_bytes()).await.unwrap();
    let parts = (Descriptor::of(CONFIG, config.as_bytes()), vec![Descriptor::of(LAYER, &layer)]);
    let manifest = artifact::manifest::Image::new(parts.0, parts.1).to_manifest().unwrap();
    client.put_manifest(repository, Target::Digest, &manifest).await.unwrap();
    manifest
}

fn distribution(program: &str, folder: &Path) -> Command {
    let config = format!(
        "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n",
        folder.join("data").display()
    );
    let file = folder.join("config.yml");
    std::fs::write(&file, config).unwrap();
    let mut command = tool(program);
    command.arg("serve").arg(file);
    command
}

fn peer(kind: &str) -> Command {
    let mut command = tool("registry-peer");
    command.args(["-kind", kind]);
    command
}

/// Where it says that it listens.
fn listening(running: &Running) -> String {
    let pattern = regex_lite::Regex::new(r"listening on (127\.0\.0\.1:[0-9]+)").unwrap();
    let deadline = Instant::now() + START;
    loop {
        let text = running.text();
        if let Some(found) = pattern.captures(&text) {
            return found[1].to_owned();
        }
        assert!(Instant::now() < deadline, "the registry does not listen: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
