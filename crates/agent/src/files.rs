//! Files mode: key, chain, anchors and secrets for programs that speak TLS themselves.
//!
//! The only way in which a private key leaves this process, and only when it was chosen. The directory lies in memory, unless
//! `danger_directory_on_disk` says otherwise. A file is written beside its place and renamed into it, and key and chain are
//! one file: whoever opens it gets a pair that fits. After changes the reload program is run, without a shell.

mod exchange;
mod reload;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::fs::statfs;
use sdk::identity::ServiceIdentity;
use sdk::secrets::SecretCache;
use tokio::sync::watch;

use crate::config::{Files, Medium};

/// Whether the files say what is current.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    /// They do.
    Current,
    /// Something could not be written, or the reload program failed.
    Behind,
}

/// Refuses a directory on a disk: what is deleted there is not gone.
pub fn check_medium(files: &Files) -> anyhow::Result<()> {
    let directory = &files.directory;
    std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    if files.medium == Medium::DangerAny || is_in_memory(directory)? {
        return Ok(());
    }
    bail!(
        "{} is not on tmpfs, and private keys do not go to a disk: mount one there, or set danger_directory_on_disk",
        directory.display()
    )
}

fn is_in_memory(directory: &Path) -> anyhow::Result<bool> {
    let found = statfs(directory).with_context(|| format!("asking for the file system of {}", directory.display()))?;
    Ok([TMPFS_MAGIC, RAMFS_MAGIC].contains(&found.f_type))
}

/// Writes everything for the first time. The program beside the agent may wait for the files to start with, so nobody being
/// there to be told of them is no failure yet.
pub async fn begin(files: &Files, identity: &ServiceIdentity, secrets: &SecretCache) -> anyhow::Result<()> {
    exchange_all(files, identity, secrets)?;
    if let Err(error) = reload::run(&files.reload).await {
        tracing::warn!(error = format!("{error:#}"), "nobody was told of the first files");
    }
    Ok(())
}

/// Writes everything, and tells of it.
async fn write(files: &Files, identity: &ServiceIdentity, secrets: &SecretCache) -> anyhow::Result<()> {
    exchange_all(files, identity, secrets)?;
    reload::run(&files.reload).await
}

fn exchange_all(files: &Files, identity: &ServiceIdentity, secrets: &SecretCache) -> anyhow::Result<()> {
    let exported = identity.exported().context("the key of this identity does not leave the process")?;
    exchange::secretly(&files.identity, exported.key_and_chain.as_bytes())?;
    exchange::openly(&files.bundle, exported.bundle.as_bytes())?;
    for (name, path) in &files.secrets {
        let value = secrets.value(name).with_context(|| format!("the secret {name} is not there"))?;
        exchange::secretly(path, value.expose().as_bytes())?;
    }
    Ok(())
}

/// Writes again whenever something changes, and says whether that worked. A failure is tried again.
pub async fn keep(files: Files, identity: ServiceIdentity, secrets: SecretCache, written: watch::Sender<Written>) {
    let (mut status, mut fetched) = (identity.subscribe(), secrets.subscribe());
    let mut last = revision(&status.borrow());
    loop {
        let changed = tokio::select! {
            changed = status.changed() => changed,
            changed = fetched.changed() => changed.inspect(|()| last = None),
            () = tokio::time::sleep(AGAIN), if *written.borrow() == Written::Behind => Ok(()),
        };
        if changed.is_err() {
            return;
        }
        let current = revision(&status.borrow_and_update());
        if current == last && *written.borrow() == Written::Current {
            continue;
        }
        let outcome = write(&files, &identity, &secrets).await;
        if let Err(error) = &outcome {
            tracing::error!(error = format!("{error:#}"), "files not written");
        }
        last = current;
        written.send_replace(if outcome.is_ok() { Written::Current } else { Written::Behind });
    }
}

/// What of a status is in the files.
fn revision(status: &sdk::identity::Status) -> Option<(String, i64)> {
    Some((status.serial_number.clone(), status.bundle_sequence))
}

const AGAIN: Duration = Duration::from_secs(5);
/// `statfs(2)`.
const TMPFS_MAGIC: i64 = 0x0102_1994;
const RAMFS_MAGIC: i64 = 0x8584_58f6;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn files(directory: &Path, medium: Medium) -> Files {
        Files {
            directory: directory.to_owned(),
            medium,
            identity: directory.join("identity.pem"),
            bundle: directory.join("bundle.pem"),
            secrets: BTreeMap::new(),
            secret_max_age: Duration::from_secs(60),
            reload: Vec::new(),
        }
    }

    #[test]
    fn a_directory_on_a_disk_is_refused_unless_somebody_said_so() {
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let refused = check_medium(&files(folder.path(), Medium::Memory)).unwrap_err();
        assert!(refused.to_string().contains("is not on tmpfs"), "{refused}");
        check_medium(&files(folder.path(), Medium::DangerAny)).unwrap();
    }

    #[test]
    fn a_directory_in_memory_is_taken() {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        check_medium(&files(&folder.path().join("made"), Medium::Memory)).unwrap();
    }
}
