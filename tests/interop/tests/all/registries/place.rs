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
use serde_json::json;
use tempfile::TempDir;

use crate::binaries::root;
use crate::program::succeed;
use crate::running::Running;

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
    /// zot: lists referrers, says so, and keeps what it has on the disk.
    Zot,
}

/// Registries that the scripts make.
const MADE: [Kind; 4] = [Kind::Distribution3, Kind::Distribution2, Kind::GoContainerRegistry, Kind::Cue];
/// The variable that names zot's program: where these tests get their programs from, there is none.
pub const ZOT: &str = "QAPI_ZOT";

/// All registries that are there.
pub fn kinds() -> Vec<Kind> {
    MADE.into_iter().chain(zot().map(|_| Kind::Zot)).collect()
}

/// The one of a test that wants some registry which lists referrers.
pub fn usual() -> Kind {
    zot().map_or(Kind::Cue, |_| Kind::Zot)
}

/// Those of them that list referrers.
pub fn listing() -> Vec<Kind> {
    kinds().into_iter().filter(|kind| !matches!(kind, Kind::Distribution2 | Kind::Distribution3)).collect()
}

fn zot() -> Option<PathBuf> {
    std::env::var_os(ZOT).map(PathBuf::from)
}

/// A registry that runs until it is dropped.
pub struct Place {
    pub kind: Kind,
    pub host: String,
    running: Running,
    _folder: TempDir,
}

const START: Duration = Duration::from_secs(60);
/// Whom zot knows when it asks who we are.
pub const ZOT_USER: &str = "ada:secret";
const ZOT_HTPASSWD: &str = "ada:$2b$05$6KtYjN5Vz7BkQADQ2.DUC.tAeTFvF1P93oggfd7MOx00G9mOQ0wAK\n";
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
            Kind::Zot => zot_with(folder.path(), user),
        };
        if matches!(kind, Kind::GoContainerRegistry | Kind::Cue) {
            command.args(user.map(|user| format!("-user={user}")));
        }
        // Distribution 3 sends traces unless it is told not to.
        let running = Running::start(command.env("OTEL_TRACES_EXPORTER", "none").current_dir(folder.path()));
        let host = listening(&running);
        Self { kind, host, running, _folder: folder }
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        self.running.kill();
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

/// zot takes Docker's media types, which some of the tools write, when it is told to.
fn zot_with(folder: &Path, user: Option<&str>) -> Command {
    let mut http = json!({ "address": "127.0.0.1", "port": "0", "compat": ["docker2s2"] });
    if let Some(user) = user {
        assert_eq!(user, ZOT_USER, "its file of passwords knows nobody else");
        std::fs::write(folder.join("htpasswd"), ZOT_HTPASSWD).unwrap();
        http["auth"] = json!({ "htpasswd": { "path": folder.join("htpasswd") } });
    }
    let storage = json!({ "rootDirectory": folder.join("data"), "gc": false });
    let config = json!({ "storage": storage, "http": http, "log": { "level": "info" } });
    let file = folder.join("config.json");
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(zot().expect("QAPI_ZOT names zot's program"));
    command.arg("serve").arg(file);
    command
}

fn peer(kind: &str) -> Command {
    let mut command = tool("registry-peer");
    command.args(["-kind", kind]);
    command
}

/// Where it says that it listens; zot says it in JSON.
fn listening(running: &Running) -> String {
    let pattern =
        regex_lite::Regex::new(r#"listening on (127\.0\.0\.1:[0-9]+)|kernel chosen port","port":([0-9]+)"#).unwrap();
    let deadline = Instant::now() + START;
    loop {
        let text = running.text();
        if let Some(found) = pattern.captures(&text) {
            let port = found.get(2).map(|port| format!("127.0.0.1:{}", port.as_str()));
            return port.unwrap_or_else(|| found[1].to_owned());
        }
        assert!(Instant::now() < deadline, "the registry does not listen: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
