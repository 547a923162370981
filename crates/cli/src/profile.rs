//! Profiles: addresses, API keys and sign-ins in one file that only its owner can read.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::secret::SecretText;
use api::time::WireTime;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// One server and one credential for it.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignIn>,
}

impl Profile {
    /// The address that its credential was got at.
    pub fn server(&self) -> Option<&str> {
        let issuer = self.sign_in.as_ref().map(|kept| kept.issuer.as_str());
        self.base_url.as_deref().or(issuer)
    }

    /// Whether its credential is for the server at this address. A key that was kept without an address is for any.
    pub fn is_for(&self, base_url: &str) -> Result<bool, Failure> {
        let Some(own) = self.server() else { return Ok(true) };
        Ok(sdk::Config::new(own).origin()? == sdk::Config::new(base_url).origin()?)
    }
}

/// Somebody who signed in: what new tokens are got with, and the one that is used now.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The issuer, as it named itself.
    pub issuer: String,
    /// The tenant, when it is not the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    pub client_id: String,
    /// Works once: each use brings the next one.
    pub refresh_token: SecretText,
    pub access_token: SecretText,
    pub access_ends: WireTime,
}

/// All profiles by name.
pub type Profiles = BTreeMap<String, Profile>;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[serde(default)]
    profiles: Profiles,
}

/// The file the profiles are in.
#[derive(Clone)]
pub struct ProfileFile(PathBuf);

/// The file, for whoever reads it to change it: other runs wait.
pub struct LockedFile {
    file: ProfileFile,
    _lock: fs::File,
}

/// How long another run may hold the file: one that renews a token waits for the server meanwhile.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);
const LOCK_PAUSE: Duration = Duration::from_millis(50);

impl ProfileFile {
    /// Where it is or would be: `QAPI_CONFIG`, or `qapi/config.toml` below the user's configuration.
    pub fn locate() -> Result<Self, Failure> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let below_home = || set("HOME").map(|home| home.join(".config"));
        let path = set("QAPI_CONFIG")
            .or_else(|| set("XDG_CONFIG_HOME").or_else(below_home).map(|folder| folder.join("qapi/config.toml")));
        path.map(Self).ok_or_else(|| Failure::unusable("no place for profiles", "setting HOME or QAPI_CONFIG"))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All profiles; none when there is no file.
    pub fn read(&self) -> Result<Profiles, Failure> {
        let failed = |error: &std::io::Error| Failure::file("reading", &self.0, error);
        let metadata = match fs::metadata(&self.0) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Profiles::new()),
            Err(error) => return Err(failed(&error)),
        };
        let path = self.0.display();
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(Failure::unusable(format!("others can read {path}"), format!("`chmod 600 {path}`")));
        }
        let text = Zeroizing::new(fs::read_to_string(&self.0).map_err(|error| failed(&error))?);
        // The parser's message quotes the line, which may hold a key.
        let contents: Contents = toml::from_str(&text).map_err(|_| {
            Failure::unusable(format!("{path} is not a file of profiles"), "`qapi login` after removing it")
        })?;
        Ok(contents.profiles)
    }

    /// Keeps other runs out while the file is read and written.
    pub async fn lock(&self) -> Result<LockedFile, Failure> {
        let path = self.0.with_extension("toml.lock");
        let failed = |error: &std::io::Error| Failure::file("locking", &path, error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        }
        let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = lock.map_err(|error| failed(&error))?;
        let mut waited = Duration::ZERO;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(fs::TryLockError::Error(error)) => return Err(failed(&error)),
                Err(fs::TryLockError::WouldBlock) if waited >= LOCK_PATIENCE => {
                    let what = format!("another run of qapi holds {}", path.display());
                    return Err(Failure::failed(what, "again when it has ended"));
                }
                Err(fs::TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
            }
            waited += LOCK_PAUSE;
        }
        // Whoever locks it is about to get what cannot be got twice: whether that can be kept is known before.
        let _ = fs::remove_file(self.fresh()?.0);
        Ok(LockedFile { file: self.clone(), _lock: lock })
    }

    /// An empty file beside it, that takes its place when it is written.
    fn fresh(&self) -> Result<(PathBuf, fs::File), Failure> {
        let path = self.0.with_extension("toml.new");
        // A file left behind by a crash would keep its own permissions.
        let _ = fs::remove_file(&path);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.map(|file| (path, file)).map_err(|error| Failure::file("writing", &self.0, &error))
    }

    /// Replaces the file, in one step and readable by its owner alone.
    fn write(&self, profiles: Profiles) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::file("writing", &self.0, &error);
        let text = toml::to_string(&Contents { profiles })
            .map_err(|error| Failure::failed(format!("writing profiles: {error}"), "another profile name"))?;
        let text = Zeroizing::new(text);
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let (fresh, mut file) = self.fresh()?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&fresh, &self.0).map_err(failed)
    }
}

impl LockedFile {
    /// All profiles; none when there is no file.
    pub fn read(&self) -> Result<Profiles, Failure> {
        self.file.read()
    }

    /// Replaces the file.
    pub fn write(&self, profiles: Profiles) -> Result<(), Failure> {
        self.file.write(profiles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(url: &str) -> Profile {
        Profile {
            base_url: Some(url.to_owned()),
            api_key: Some(SecretText::copy_from("qapi_x")),
            ca_file: Some("/etc/ca.pem".into()),
            ca_fingerprint: None,
            sign_in: Some(SignIn {
                issuer: url.to_owned(),
                tenant: None,
                client_id: "qapi-cli".to_owned(),
                refresh_token: SecretText::copy_from("qrt_x"),
                access_token: SecretText::copy_from("a.b.c"),
                access_ends: "2026-11-24T02:00:00Z".parse().unwrap(),
            }),
        }
    }

    #[test]
    fn a_credential_is_for_the_server_it_was_got_at() {
        let mut kept = profile("https://a.example");
        assert!(kept.is_for("https://A.example:443/").unwrap());
        assert!(!kept.is_for("https://b.example").unwrap());
        assert!(!kept.is_for("http://a.example").unwrap());
        kept.base_url = None;
        assert!(!kept.is_for("https://b.example").unwrap(), "the issuer is forgotten");
        kept.sign_in = None;
        assert!(kept.is_for("https://b.example").unwrap());
    }

    #[tokio::test]
    async fn one_run_at_a_time_changes_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = ProfileFile(folder.path().join("config.toml"));
        let held = file.lock().await.unwrap();
        let other = tokio::time::timeout(Duration::from_millis(200), file.lock()).await;
        assert!(other.is_err(), "two hold the file");
        drop(held);
        file.lock().await.unwrap();
    }

    #[test]
    fn profiles_are_kept_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = ProfileFile(folder.path().join("deep/config.toml"));
        assert!(file.read().unwrap().is_empty());
        file.write([("default".to_owned(), profile("https://a.example"))].into()).unwrap();
        file.write([("other".to_owned(), profile("https://b.example"))].into()).unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let read = file.read().unwrap();
        assert_eq!(read["other"].base_url.as_deref(), Some("https://b.example"));
        assert_eq!(read["other"].api_key.as_ref().unwrap().expose(), "qapi_x");
        assert_eq!(read["other"].sign_in.as_ref().unwrap().refresh_token.expose(), "qrt_x");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(file.read().err().unwrap().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_broken_file_is_refused_without_quoting_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = ProfileFile(folder.path().join("config.toml"));
        file.write(Profiles::new()).unwrap();
        fs::write(file.path(), "[profiles.a]\napi_key = qapi_hunter2\n").unwrap();
        assert!(!file.read().err().unwrap().to_string().contains("hunter2"));
    }
}
