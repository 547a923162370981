//! A PostgreSQL of one's own for tests: a real server from the distribution's package, with fsync on, gone when the test is.
//!
//! A missing package is a failure, never a skip.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::db::Engine;
use crate::error::Result;
use crate::store::Store;

impl Store {
    /// Whether the database can make sense of a statement: its syntax, tables, columns and the types of all of them.
    pub async fn prepares(&self, text: &'static str) -> Result<()> {
        let mut refused = None;
        // Which of SQLite's files a table is in, the statement does not say.
        for db in [&self.main, &self.lane, &self.index] {
            let outcome = match &*db.engine {
                Engine::Lite(file) => file.prepares(text).await,
                Engine::Pg(database) => database.prepares(text).await,
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

/// A running server. Dropping it, or the death of this process, stops it and removes its files.
pub struct Postgres {
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
    keeper: Child,
    pipes: Option<Pipes>,
    pid: u32,
}

/// To and from the shell that waits for this process: its standard input closes when we die, however we die.
struct Pipes {
    alive: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Postgres {
    /// The server that all tests of one binary share, each with a database of its own.
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| match Postgres::start() {
            Ok(server) => server,
            Err(error) => panic!("these tests need PostgreSQL (Debian package postgresql): {error}"),
        })
    }

    pub fn start() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let bin = installed()?;
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("qapi-pg-{}-{n}", std::process::id()));
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir(&dir)?;
        if is_root() {
            run(Command::new("chown").arg("postgres:").arg(&dir))?;
        }
        let data = dir.join("data");
        run(as_postgres(&bin.join("initdb"))
            .args(["--username=qapi", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync", "--pgdata"])
            .arg(&data))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (keeper, pipes, pid) = launch(&bin, &dir, port)?;
        let server = Self { bin, dir, port, keeper, pipes: Some(pipes), pid };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// A new empty database; returns its address.
    pub fn create_database(&self) -> io::Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        run(self.tool("createdb").args(["--template=template0", &name]))?;
        Ok(self.url(&name))
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://qapi@127.0.0.1:{}/{database}", self.port)
    }

    /// The same over the Unix socket.
    pub fn socket_url(&self, database: &str) -> String {
        format!("host={} port={} user=qapi dbname={database}", self.dir.display(), self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL through `psql`: how a test plays the operator.
    pub fn psql(&self, database: &str, text: &str) -> io::Result<String> {
        run(self.tool("psql").args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", text, database]))
    }

    /// Sends a signal to the whole server: `STOP` and `CONT` cut it off and bring it back.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        self.send(name, &self.processes())
    }

    /// Kills every process of the server at once, as a crash of the machine's memory would, and starts it again on what the disk
    /// holds.
    pub fn crash(&mut self) -> io::Result<()> {
        // Stopped first, it cannot make new children between the listing and the kill.
        self.send("STOP", &[self.pid])?;
        let all = self.processes();
        // Some may have gone in the meantime.
        let _ = self.send("KILL", &all);
        let start = Instant::now();
        while all.iter().any(|pid| is_alive(*pid)) {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::other("the server does not die"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let pipes = self.pipes.as_mut().ok_or_else(|| io::Error::other("the server has been stopped"))?;
        pipes.alive.write_all(b"again\n")?;
        self.pid = read_pid(&mut pipes.said)?;
        self.wait_until_ready()
    }

    /// The server's first process and its children.
    fn processes(&self) -> Vec<u32> {
        let children =
            run(Command::new("ps").args(["-o", "pid=", "--ppid", &self.pid.to_string()])).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).chain([self.pid]).collect()
    }

    fn send(&self, signal: &str, pids: &[u32]) -> io::Result<()> {
        run(Command::new("kill").arg(format!("-{signal}")).args(pids.iter().map(u32::to_string))).map(|_| ())
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", "qapi");
        command
    }

    fn wait_until_ready(&self) -> io::Result<()> {
        let start = Instant::now();
        loop {
            match run(self.tool("pg_isready").arg("--quiet")) {
                Ok(_) => return Ok(()),
                Err(error) if start.elapsed() > Duration::from_secs(30) => {
                    let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                    return Err(io::Error::other(format!("{error}; server log: {log}")));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A stopped server would not hear the request to end.
        let _ = self.signal("CONT");
        self.pipes = None;
        let _ = self.keeper.wait();
    }
}

/// `$1` the folder, the rest is the server's command line. A line on standard input starts the server again once it is dead; the
/// end of standard input, or a signal to the whole group, ends everything.
const KEEPER: &str = r#"trap : TERM INT HUP
dir=$1; shift
start() { "$@" >>"$dir/log" 2>&1 & pid=$!; echo $pid; }
start "$@"
while read -r _; do wait $pid; start "$@"; done
kill -QUIT $pid
wait $pid
rm -rf "$dir""#;

fn launch(bin: &Path, dir: &Path, port: u16) -> io::Result<(Child, Pipes, u32)> {
    let server = as_postgres(&bin.join("postgres"));
    let mut keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(dir)
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(dir.join("data"))
        .arg("-k")
        .arg(dir)
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", "max_connections=200"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let missing = || io::Error::other("the keeper has no pipes");
    let alive = keeper.stdin.take().ok_or_else(missing)?;
    let mut said = BufReader::new(keeper.stdout.take().ok_or_else(missing)?);
    let pid = read_pid(&mut said)?;
    Ok((keeper, Pipes { alive, said }, pid))
}

fn read_pid(said: &mut BufReader<ChildStdout>) -> io::Result<u32> {
    let mut line = String::new();
    said.read_line(&mut line)?;
    line.trim().parse().map_err(io::Error::other)
}

/// The newest version that Debian's packages have put on this machine.
fn installed() -> io::Result<PathBuf> {
    let root = Path::new("/usr/lib/postgresql");
    let versions = fs::read_dir(root).map_err(|error| io::Error::other(format!("{}: {error}", root.display())))?;
    versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/postgres").exists().then(|| (version, path.join("bin")))
        })
        .max()
        .map(|(_, bin)| bin)
        .ok_or_else(|| io::Error::other("no server in /usr/lib/postgresql"))
}

/// A zombie has let go of everything already.
fn is_alive(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

fn run(command: &mut Command) -> io::Result<String> {
    let output = command.current_dir("/").output()?;
    if !output.status.success() {
        let program = command.get_program().to_os_string();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("{}: {said}", Path::new::<OsStr>(&program).display())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
