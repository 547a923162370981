//! `deploy/pipelines/install.sh` against releases on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::binaries::{binary, root};
use crate::program::{both, run, succeed};
use crate::running::Running;

const SERVE: &str = "import functools, http.server, sys
h = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1]))
print('listening', h.server_address[1], flush=True)
h.serve_forever()";

/// Releases on loopback, with one of our own programs.
pub struct Releases {
    pub address: String,
    /// The checksum of its archive.
    pub sum: String,
    /// Where SHA256SUMS lies.
    release: PathBuf,
    folder: TempDir,
    _running: Running,
}

pub const PROGRAMS: [&str; 2] = ["qapi", "sigstore-kms-qapi"];

/// Publishes version 1.2.0.
pub fn publish() -> Releases {
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("releases/v1.2.0");
    fs::create_dir_all(&release).unwrap();
    let archive = format!("qapi-1.2.0-linux-{}.tar.gz", std::env::consts::ARCH);
    let bin = binary("qapi").parent().unwrap().to_owned();
    succeed(
        Command::new("tar")
            .arg("-C")
            .arg(&bin)
            .args(["-I", "gzip -1", "-cf"])
            .arg(release.join(&archive))
            .args(PROGRAMS),
    );
    let sums = succeed(Command::new("sha256sum").arg(&archive).current_dir(&release));
    fs::write(release.join("SHA256SUMS"), &sums).unwrap();
    let running = Running::start(Command::new("python3").args(["-c", SERVE]).arg(folder.path().join("releases")));
    let address = format!("http://127.0.0.1:{}", running.announced("listening "));
    let sum = sums.split(' ').next().unwrap().to_owned();
    Releases { address, sum, release, folder, _running: running }
}

#[test]
fn a_release_is_installed_only_with_its_checksum() {
    let releases = publish();
    let Releases { address, sum, release, folder, .. } = &releases;
    let sums = fs::read_to_string(release.join("SHA256SUMS")).unwrap();
    let target = folder.path().join("bin");

    let said = install(address, &["-v", "1.2.0", "-b", target.to_str().unwrap()]);
    assert!(said.status.success(), "{}", both(&said));
    assert!(said.stdout.starts_with(b"qapi "), "{}", both(&said));
    assert!(PROGRAMS.iter().all(|program| target.join(program).is_file()));
    let pinned = folder.path().join("pinned");
    assert!(install(address, &["-v", "1.2.0", "-b", pinned.to_str().unwrap(), "-s", sum]).status.success());

    let nothing = folder.path().join("nothing");
    let refused = |words: &[&str], why: &str| {
        let said = install(address, &[words, &["-b", nothing.to_str().unwrap()]].concat());
        assert!(!said.status.success() && both(&said).contains(why), "{words:?}: {}", both(&said));
        assert!(!Path::new(&nothing).exists(), "{words:?}");
    };
    refused(&["-v", "1.2.0", "-s", &"0".repeat(64)], "another checksum");
    refused(&["-v", "1.3.0"], "cannot be fetched");
    refused(&["-v", "../x"], "not a version");
    fs::write(release.join("SHA256SUMS"), sums.replace(sum, &"0".repeat(64))).unwrap();
    refused(&["-v", "1.2.0"], "another checksum");
    fs::write(release.join("SHA256SUMS"), "").unwrap();
    refused(&["-v", "1.2.0"], "does not name");
    let far = install("http://releases.example", &["-v", "1.2.0", "-b", nothing.to_str().unwrap()]);
    assert!(both(&far).contains("is not https"), "{}", both(&far));
}

fn install(releases: &str, words: &[&str]) -> Output {
    run(Command::new("sh").arg(root().join("deploy/pipelines/install.sh")).args(words).env("QAPI_RELEASES", releases))
}
