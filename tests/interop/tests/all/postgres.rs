//! A PostgreSQL of one's own, from the system's package, and a proxy in front of it that can be cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::program::succeed;

/// A cluster in a temporary folder, stopped and removed with this value.
pub struct Postgres {
    folder: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
}

impl Postgres {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("qapi-pg-").tempdir_in("/tmp").expect("a temporary folder");
        let postgres = Self { bin: newest_bin(), port: free_port(), folder };
        if is_root() {
            succeed(Command::new("chown").arg("postgres").arg(postgres.folder.path()));
        }
        let cluster = postgres.cluster();
        succeed(
            postgres
                .program("initdb")
                .args(["-A", "trust", "-U", "qapi", "-E", "UTF8", "--no-locale", "-N", "-D"])
                .arg(&cluster),
        );
        postgres.start_again();
        postgres.create("qapi");
        postgres
    }

    /// Starts what [`Postgres::stop`] stopped.
    pub fn start_again(&self) {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c max_connections=200",
            self.port,
            self.folder.path().display()
        );
        let log = self.folder.path().join("log");
        let mut start = self.program("pg_ctl");
        succeed(
            start.arg("-D").arg(self.cluster()).arg("-o").arg(options).arg("-l").arg(log).args(["-w", "-s", "start"]),
        );
    }

    /// Stops it, open connections or not, as for maintenance.
    pub fn stop(&self) {
        succeed(self.program("pg_ctl").arg("-D").arg(self.cluster()).args(["-m", "fast", "-w", "-s", "stop"]));
    }

    /// A fresh database in the cluster.
    pub fn create(&self, name: &str) {
        let port = self.port.to_string();
        succeed(self.program("createdb").args(["-h", "127.0.0.1", "-U", "qapi", "-p", &port, name]));
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self, name: &str) -> String {
        url(self.port, name)
    }

    /// Where everything it writes lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn cluster(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    /// The package's programs refuse to run as root.
    fn program(&self, name: &str) -> Command {
        let path = self.bin.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir("/tmp");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.arg("-D").arg(self.cluster()).args(["-m", "immediate", "-s", "stop"]);
        if let Err(error) = stop.output() {
            println!("PostgreSQL was not stopped: {error}");
        }
    }
}

pub fn url(port: u16, name: &str) -> String {
    format!("postgres://qapi@127.0.0.1:{port}/{name}")
}

fn newest_bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let mut versions: Vec<u32> = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable();
    let newest = versions.last().expect("a version of PostgreSQL").to_string();
    Path::new("/usr/lib/postgresql").join(newest).join("bin")
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Stands between a server and its database; while it is cut, bytes go nowhere and no end is told.
pub struct Proxy {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Proxy {
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let cut = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&cut);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { continue };
                let (cut, cut_too) = (Arc::clone(&shared), Arc::clone(&shared));
                std::thread::spawn(move || pump(client, server, &cut));
                std::thread::spawn(move || pump(server_too, client_too, &cut_too));
            }
        });
        Self { port, cut }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        while cut.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Either end may be gone already.
    let _gone = from.shutdown(Shutdown::Both);
    let _gone = to.shutdown(Shutdown::Both);
}
