//! Exchanging a file: whoever opens it gets the old content or the new one, whole.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;

/// Puts a secret in a file that its owner alone may read.
pub fn secretly(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    exchange(path, content, 0o600)
}

/// Puts what everybody may know in a file.
pub fn openly(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    exchange(path, content, 0o644)
}

fn exchange(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let name = path.file_name().context("a file without a name")?;
    let beside = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
    // What a killed agent left is in the way of `create_new`, which makes sure that nobody else's file or link is written to.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", beside.display()));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)
        .with_context(|| format!("making {}", beside.display()))?;
    fill(&mut file, content, mode).with_context(|| format!("writing {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("renaming to {}", path.display()))
}

fn fill(file: &mut File, content: &[u8], mode: u32) -> std::io::Result<()> {
    // The process's umask may have taken bits off.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_exchanged_and_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, open) = (folder.path().join("identity.pem"), folder.path().join("bundle.pem"));
        std::fs::write(folder.path().join(".identity.pem.new"), "left by a killed agent").unwrap();
        for content in ["first", "second, longer", "third"] {
            secretly(&secret, content.as_bytes()).unwrap();
            openly(&open, content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&secret).unwrap(), content);
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&secret), mode(&open)), (0o600, 0o644));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_reader_never_sees_half_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.pem");
        let contents = ["a".repeat(8_192), "b".repeat(10_000)];
        secretly(&path, contents[0].as_bytes()).unwrap();
        let (reading, known) = (path.clone(), contents.clone());
        let reader = std::thread::spawn(move || {
            for _ in 0..500 {
                assert!(known.contains(&std::fs::read_to_string(&reading).unwrap()));
            }
        });
        for round in 0..200 {
            secretly(&path, contents[round % 2].as_bytes()).unwrap();
        }
        reader.join().unwrap();
    }
}
