//! The folder the files are in: made for its owner alone, locked by one process, and on a disk of this machine.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Held by whoever has the data directory open. The kernel lets go of it when the process dies, however it dies.
pub(crate) struct Lock {
    _file: fs::File,
}

impl Lock {
    pub fn take(dir: &Path) -> Result<Self> {
        let path = dir.join("qapid.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::unavailable)?;
        // A store closed a moment ago may still be ending its threads.
        for _ in 0..20 {
            if file.try_lock().is_ok() {
                return Ok(Self { _file: file });
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        Err(Error::unavailable(format!("{} is in use by another server", dir.display())))
    }
}

/// The data directory, readable by its owner alone.
pub(crate) fn create_dir(dir: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(Error::unavailable)?;
    refuse_network(dir)
}

/// SQLite gives the `-wal` and `-shm` beside it the mode of the main file.
pub(super) fn create_file(path: &Path) -> Result<()> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(Error::unavailable)?;
    Ok(())
}

/// File systems that other machines write to: their locks and the shared memory of a write-ahead log cannot be relied upon.
const NETWORK: [&str; 10] =
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs"];

/// Refuses a folder on a network disk.
fn refuse_network(dir: &Path) -> Result<()> {
    let dir = dir.canonicalize().map_err(Error::unavailable)?;
    // Without the table of mounts nothing is known, and nothing is refused: the log's own check remains.
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else {
        return Ok(());
    };
    match file_system(&mounts, &dir) {
        Some(kind) if NETWORK.contains(&kind) => Err(Error::unavailable(format!(
            "{} is on a network disk ({kind}); SQLite needs a local one",
            dir.display()
        ))),
        _ => Ok(()),
    }
}

/// The file system that `dir` is on: the last mount of the longest mount point above it. Fields as in proc_pid_mountinfo(5).
fn file_system<'m>(mounts: &'m str, dir: &Path) -> Option<&'m str> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let (before, after) = line.split_once(" - ")?;
        let point = PathBuf::from(before.split(' ').nth(4)?.replace("\\040", " "));
        let depth = point.components().count();
        if dir.starts_with(&point) && best.is_none_or(|(deepest, _)| deepest <= depth) {
            best = Some((depth, after.split(' ').next()?));
        }
    }
    best.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_above_a_folder_decides() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      40 22 0:50 / /mnt/team\\040share rw - nfs4 server:/share rw\n\
                      41 40 0:51 / /mnt/team\\040share/local rw - ext4 /dev/vdb rw\n";
        for (dir, kind) in [
            ("/var/lib/qapi", "ext4"),
            ("/mnt/team share/qapi", "nfs4"),
            ("/mnt/team share/local/qapi", "ext4"),
            ("/mnt/team", "ext4"),
        ] {
            assert_eq!(file_system(mounts, Path::new(dir)), Some(kind), "{dir}");
        }
    }
}
