//! Who we are at a registry: what the caller says, the files of podman and docker, and their helper programs.
//!
//! The order is that of the tools themselves: what was given explicitly, then podman's files, then docker's. In a file a helper
//! for this registry goes before the credentials that stand there, and those before the helper for all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use zeroize::Zeroizing;

use super::error::Error;
use crate::json;
use crate::reference::Repository;

/// What proves who we are.
pub enum Credential {
    /// A name and a password, or an access token in place of it.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A token that is exchanged for tokens of the registry (OAuth 2.0 refresh token).
    Identity(Zeroizing<String>),
    /// A token that the registry itself takes.
    Bearer(Zeroizing<String>),
}

/// Where credentials come from.
#[derive(Default)]
pub struct Keychain {
    given: Vec<(String, Credential)>,
    files: Vec<PathBuf>,
}

/// Files longer than this are not read.
const LONGEST_FILE_BYTES: u64 = 1 << 20;
const LONGEST_ANSWER_BYTES: usize = 64 << 10;
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);
/// Under which name docker's files hold the default registry.
const DOCKER_HUB: [&str; 3] = ["index.docker.io", "docker.io", "registry-1.docker.io"];

impl Keychain {
    /// No credentials.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The files of podman and docker, where the variables say that they lie:
    /// `Keychain::from_variables(|name| std::env::var_os(name))`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
        let docker = folder("DOCKER_CONFIG").or_else(|| Some(folder("HOME")?.join(".docker")));
        let podman = match folder("REGISTRY_AUTH_FILE") {
            Some(file) => vec![Some(file)],
            None => vec![
                folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
                config.map(|folder| folder.join("containers/auth.json")),
            ],
        };
        let docker = docker.map(|folder| folder.join("config.json"));
        Self { given: Vec::new(), files: podman.into_iter().chain([docker]).flatten().collect() }
    }

    /// These credentials for one registry (`registry.example:5000`), before anything that a file says.
    #[must_use]
    pub fn with(mut self, registry: &str, credential: Credential) -> Self {
        self.given.push((normal(registry), credential));
        self
    }

    /// The credentials for a repository; none means that we come without a name.
    pub(super) async fn find(&self, repository: &Repository) -> Result<Option<Credential>, Error> {
        let registry = normal(repository.registry());
        if let Some((_, credential)) = self.given.iter().find(|(given, _)| *given == registry) {
            return Ok(Some(credential.duplicate()));
        }
        let wrong = |why: String| Error::Credentials { registry: registry.clone(), why };
        for file in &self.files {
            let found = match read_file(file).map_err(&wrong)? {
                Some(file) => find_in(&file, &registry, repository.path()).map_err(&wrong)?,
                None => continue,
            };
            let found = match found {
                Found::Nothing => None,
                Found::Credential(credential) => Some(credential),
                Found::Helper(name) => ask_helper(&name, &registry).await.map_err(&wrong)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

impl Credential {
    fn duplicate(&self) -> Self {
        match self {
            Self::Password { user, password } => Self::Password { user: user.clone(), password: password.clone() },
            Self::Identity(token) => Self::Identity(token.clone()),
            Self::Bearer(token) => Self::Bearer(token.clone()),
        }
    }
}

enum Found {
    Nothing,
    Credential(Credential),
    Helper(String),
}

/// `https://index.docker.io/v1/` and `docker.io` are one registry, in the spelling of names of images.
fn normal(registry: &str) -> String {
    let bare = registry.trim_start_matches("https://").trim_start_matches("http://");
    let bare = bare.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2");
    if DOCKER_HUB.contains(&bare) { "docker.io".to_owned() } else { bare.to_ascii_lowercase() }
}

fn read_file(path: &Path) -> Result<Option<Value>, String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > LONGEST_FILE_BYTES => {
            return Err(format!("{shown} is longer than {LONGEST_FILE_BYTES} bytes"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{shown}: {error}")),
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?);
    let value = json::value(&bytes, LONGEST_FILE_BYTES as usize);
    // The parser's words could repeat a password.
    value.map(Some).map_err(|_| format!("{shown} is not usable JSON"))
}

/// What a file says of a registry. Podman's files may name a repository, and the longest such name counts.
fn find_in(file: &Value, registry: &str, path: &str) -> Result<Found, String> {
    let helpers = file.get("credHelpers").and_then(Value::as_object);
    let helper = helpers.and_then(|helpers| helpers.iter().find(|(name, _)| normal(name) == registry));
    if let Some(name) = helper.and_then(|(_, name)| name.as_str()) {
        return Ok(Found::Helper(name.to_owned()));
    }
    let entries = file.get("auths").and_then(Value::as_object);
    let whole = format!("{registry}/{path}");
    let rank = |name: &str| {
        let name = normal(name);
        let is_prefix = whole.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        (is_prefix && name.len() >= registry.len()).then_some(name.len())
    };
    let entry = entries.into_iter().flatten().filter_map(|(name, entry)| Some((rank(name)?, entry)));
    if let Some((_, entry)) = entry.max_by_key(|(rank, _)| *rank)
        && let Some(credential) = written(entry)?
    {
        return Ok(Found::Credential(credential));
    }
    Ok(match file.get("credsStore").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        Some(name) => Found::Helper(name.to_owned()),
        None => Found::Nothing,
    })
}

/// An entry of `auths`; an empty one only says that a helper knows more.
fn written(entry: &Value) -> Result<Option<Credential>, String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Credential::Identity(Zeroizing::new(token.to_owned()))));
    }
    if let Some(token) = text("registrytoken") {
        return Ok(Some(Credential::Bearer(Zeroizing::new(token.to_owned()))));
    }
    if let (Some(user), Some(password)) = (text("username"), text("password")) {
        return Ok(Some(Credential::Password { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) }));
    }
    let Some(auth) = text("auth") else { return Ok(None) };
    let wrong = || "an entry's `auth` is not base64 of NAME:PASSWORD".to_owned();
    let pair = Zeroizing::new(crate::base64::decode(auth).ok_or_else(wrong)?);
    let pair = std::str::from_utf8(&pair).map_err(|_| wrong())?;
    let (user, password) = pair.split_once(':').ok_or_else(wrong)?;
    // Docker pads with zero bytes in some of its files.
    let password = Zeroizing::new(password.trim_end_matches('\0').to_owned());
    Ok(Some(Credential::Password { user: user.to_owned(), password }))
}

/// Runs `docker-credential-NAME get`, which reads the registry's name and writes JSON.
async fn ask_helper(name: &str, registry: &str) -> Result<Option<Credential>, String> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(format!("{name:?} is not the name of a helper"));
    }
    let program = format!("docker-credential-{name}");
    let asked = if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry };
    let output = tokio::time::timeout(HELPER_TIMEOUT, run(&program, asked)).await;
    let output = output.map_err(|_| format!("{program} gave no answer within {} s", HELPER_TIMEOUT.as_secs()))?;
    let output = output.map_err(|error| format!("running {program}: {error}"))?;
    let answer = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return match std::str::from_utf8(&answer).unwrap_or_default().trim() {
            "credentials not found in native keychain" => Ok(None),
            _ => Err(format!("{program} ended with {}", output.status)),
        };
    }
    let answer = json::value(&answer, LONGEST_ANSWER_BYTES).map_err(|_| format!("{program} did not write JSON"))?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let secret = Zeroizing::new(text("Secret").to_owned());
    Ok(match text("Username") {
        "" if secret.is_empty() => None,
        "<token>" => Some(Credential::Identity(secret)),
        user => Some(Credential::Password { user: user.to_owned(), password: secret }),
    })
}

async fn run(program: &str, asked: &str) -> std::io::Result<std::process::Output> {
    let mut child = tokio::process::Command::new(program)
        .arg("get")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(asked.as_bytes()).await?;
    }
    child.wait_with_output().await
}

#[cfg(test)]
mod tests;
