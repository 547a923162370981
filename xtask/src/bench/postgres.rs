//! A PostgreSQL from the system's package, on loopback and on the load generator's core, as this program is. Nothing of its settings is
//! changed: what it confirms is on the disk that the project is on.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const NAME: &str = "qapi";

/// A running cluster; it ends with this value.
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// A new cluster with one empty database, below a folder.
    pub fn start(below: &Path) -> Result<Self> {
        let folder = below.join("postgres");
        std::fs::create_dir(&folder)?;
        if is_root()? {
            done(Command::new("chown").arg("postgres:").arg(&folder))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let new = Self { programs: newest()?, folder, port };
        new.done("initdb", &["-A", "trust", "-U", NAME, "-E", "UTF8", "--no-locale", "-D", &new.cluster()])?;
        let options = format!("-p {port} -k {} -c listen_addresses=127.0.0.1", new.folder.display());
        let log = new.folder.join("log").display().to_string();
        new.done("pg_ctl", &["-D", &new.cluster(), "-o", &options, "-l", &log, "-w", "-s", "start"])?;
        new.done("createdb", &["-h", "127.0.0.1", "-p", &port.to_string(), "-U", NAME, NAME])?;
        Ok(new)
    }

    /// Where the product finds it.
    pub fn url(&self) -> String {
        format!("postgres://{NAME}@127.0.0.1:{}/{NAME}", self.port)
    }

    /// Runs SQL.
    pub fn run(&self, text: &str) -> Result<()> {
        self.done("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-c", text, &self.url()])
    }

    fn cluster(&self) -> String {
        self.folder.join("cluster").display().to_string()
    }

    /// Runs one of its programs, which refuse to be run by root.
    fn done(&self, name: &str, args: &[&str]) -> Result<()> {
        let program = self.programs.join(name);
        let mut command = Command::new(&program);
        if is_root()? {
            command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
        }
        done(command.args(args).current_dir(&self.folder))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Err(error) = self.done("pg_ctl", &["-D", &self.cluster(), "-m", "fast", "-w", "-s", "stop"]) {
            eprintln!("PostgreSQL was not stopped: {error:#}");
        }
    }
}

/// Output would be a pipe that `pg_ctl` hands to the server, and whoever reads it to its end waits for that.
fn done(command: &mut Command) -> Result<()> {
    let status = command.stdout(std::process::Stdio::null()).status();
    let status = status.with_context(|| format!("run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn newest() -> Result<PathBuf> {
    let installed = Path::new("/usr/lib/postgresql");
    let versions = std::fs::read_dir(installed).context("PostgreSQL is not installed (Debian package postgresql)")?;
    let versions = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.max().context("no version of PostgreSQL below /usr/lib/postgresql")?;
    Ok(installed.join(newest.to_string()).join("bin"))
}

fn is_root() -> Result<bool> {
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}
