//! Profiles: addresses and API keys in one file that only its owner can read.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use api::secret::SecretText;
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
pub struct ProfileFile(PathBuf);

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

    /// Replaces the file, in one step and readable by its owner alone.
    pub fn write(&self, profiles: Profiles) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::file("writing", &self.0, &error);
        let text = toml::to_string(&Contents { profiles })
            .map_err(|error| Failure::failed(format!("writing profiles: {error}"), "another profile name"))?;
        let text = Zeroizing::new(text);
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let fresh = self.0.with_extension("toml.new");
        // A file left behind by a crash would keep its own permissions.
        let _ = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&fresh, &self.0).map_err(failed)
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
        }
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
