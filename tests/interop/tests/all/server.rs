//! A running `qapid`, stopped when the test is over however it ends.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binaries::binary;
use crate::client::Client;
use crate::program::succeed;

/// How long a server may take to be ready; debug builds on a busy machine take some of it.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);

/// What a process wrote, line by line, and a way to wait for more of it.
#[derive(Clone, Default)]
pub struct Lines(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    text: String,
    closed: bool,
}

impl Lines {
    pub fn collect(from: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let shared = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n') {
                let Ok(line) = line else { break };
                let mut written = shared.lock();
                written.text.push_str(&String::from_utf8_lossy(&line));
                written.text.push('\n');
                shared.0.1.notify_all();
            }
            shared.lock().closed = true;
            shared.0.1.notify_all();
        });
        lines
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Written> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn text(&self) -> String {
        self.lock().text.clone()
    }

    /// The rest of the first line that starts so, once it is there.
    pub fn wait_for(&self, start: &str, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        let mut written = self.lock();
        loop {
            if let Some(rest) = written.text.lines().find_map(|line| line.strip_prefix(start)) {
                return Some(rest.to_owned());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || written.closed {
                return None;
            }
            written = self.0.1.wait_timeout(written, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether a line with this in it comes in time.
    pub fn wait_for_line_with(&self, part: &str, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut written = self.lock();
        while !written.text.contains(part) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || written.closed {
                return false;
            }
            written = self.0.1.wait_timeout(written, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Everything, once the process has closed its end.
    pub fn all(&self) -> String {
        let mut written = self.lock();
        while !written.closed {
            written = self.0.1.wait(written).unwrap_or_else(PoisonError::into_inner);
        }
        written.text.clone()
    }
}

/// A process of `qapid` and what it writes.
pub struct Server {
    child: Child,
    pub stdout: Lines,
    pub stderr: Lines,
    base_url: String,
    admin_key: String,
    /// Removed with the server, if its data is nobody else's.
    folder: Option<tempfile::TempDir>,
}

impl Server {
    /// A development server in a folder of its own.
    pub fn start_dev() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Self::start_dev_in(&folder.path().join("data"));
        server.folder = Some(folder);
        server
    }

    /// A development server on data that stays.
    pub fn start_dev_in(data: &Path) -> Self {
        Self::start_dev_with(data, &[])
    }

    pub fn start_dev_with(data: &Path, arguments: &[&str]) -> Self {
        Self::start_dev_by(Command::new(binary("qapid")), data, arguments)
    }

    /// The same by a command that was prepared.
    pub fn start_dev_by(mut command: Command, data: &Path, arguments: &[&str]) -> Self {
        let elsewhere = if arguments.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] };
        command.arg("dev").arg("--data-dir").arg(data).args(elsewhere).args(arguments);
        let mut server = Self::start(&mut command);
        let env = std::fs::read_to_string(data.join("dev.env")).expect("dev.env");
        let value =
            |name: &str| env.lines().find_map(|line| line.strip_prefix(name)).expect("dev.env is whole").to_owned();
        server.admin_key = value("QUANTUMAPI_KEY=");
        assert_eq!(value("QUANTUMAPI_BASE_URL="), server.base_url);
        server
    }

    /// A server of a configuration file.
    pub fn serve(config: &Path, admin_key: &str) -> Self {
        let mut command = Command::new(binary("qapid"));
        command.arg("serve").arg("--config").arg(config);
        let mut server = Self::start(&mut command);
        server.admin_key = admin_key.to_owned();
        server
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command
            .env_remove("QUANTUMAPI_KEY")
            .env_remove("QUANTUMAPI_BASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = Lines::collect(child.stdout.take().expect("a pipe"));
        let stderr = Lines::collect(child.stderr.take().expect("a pipe"));
        let ready = stdout.wait_for("ready ", START);
        let mut server =
            Self { child, stdout, stderr, base_url: String::new(), admin_key: String::new(), folder: None };
        match ready {
            Some(base_url) => server.base_url = base_url.trim().to_owned(),
            None => panic!("{command:?} is not ready:\n{}{}", server.stdout.text(), server.stderr.text()),
        }
        server
    }

    /// The same one, as whoever comes by a proxy knows it.
    pub fn behind(mut self, base_url: &str) -> Self {
        base_url.clone_into(&mut self.base_url);
        self
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub fn admin_key(&self) -> &str {
        &self.admin_key
    }

    /// The administrator's client.
    pub fn client(&self) -> Client {
        Client::new(&self.base_url, Some(&self.admin_key))
    }

    /// A client with a fresh API key of these scopes, reaching everything or only these resources.
    #[track_caller]
    pub fn key(&self, scopes: &[&str], resources: &[&str]) -> Client {
        new_key(&self.client(), scopes, resources)
    }

    /// The administrator of a fresh tenant.
    #[track_caller]
    pub fn tenant(&self, slug: &str) -> Client {
        let made =
            self.client().post("/api/v1/tenants", &json!({"name": format!("Tenant {slug}"), "slug": slug})).expect(201);
        let key = made.json()["adminKey"]["key"].as_str().map(str::to_owned);
        self.client().with_key(&key.expect("the administrator's key is shown once"))
    }

    /// What the metrics listener shows.
    pub fn metrics(&self) -> String {
        let address = self.stdout.wait_for("metrics ", START).expect("the metrics listener is announced");
        let base = address.trim().trim_end_matches("/metrics");
        Client::new(base, None).get("/metrics").expect(200).text()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        succeed(Command::new("kill").arg(signal).arg(self.pid().to_string()));
    }

    /// Ends it at once, as a lost machine would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be waited for");
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("-TERM");
        let deadline = Instant::now() + STOP;
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "still running {STOP:?} after SIGTERM:\n{}", self.stderr.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything it wrote, after it has ended.
    pub fn written(&self) -> String {
        format!("{}{}", self.stdout.all(), self.stderr.all())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop. Its folder goes after it.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
        if std::thread::panicking() {
            let log = self.stderr.text();
            let tail: Vec<_> = log.lines().rev().take(15).collect();
            println!("the server's last lines:");
            tail.iter().rev().for_each(|line| println!("  {line}"));
        }
    }
}

/// All that a member of a tenant may do: whoever makes one has this beside `users:write`.
pub const READS: [&str; 12] = [
    "secrets:read",
    "keys:read",
    "qrng:read",
    "audit:read",
    "apikeys:read",
    "certificates:read",
    "applications:read",
    "endusers:read",
    "roles:read",
    "users:read",
    "trusts:read",
    "gate:read",
];

/// A fresh API key, as its own client.
#[track_caller]
pub fn new_key(admin: &Client, scopes: &[&str], resources: &[&str]) -> Client {
    let mut body = json!({"name": format!("key of {} scopes", scopes.len()), "scopes": scopes});
    if !resources.is_empty() {
        body["resources"] = json!(resources);
    }
    admin.with_key(&admin.post("/api/v1/api-keys", &body).expect(201).text_of("key"))
}

/// Looks again and again until there is something to see.
#[track_caller]
pub fn eventually<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "nothing to see after {patience:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The members of an answer that is a list.
pub fn list<'a>(body: &'a Value, member: &str) -> &'a [Value] {
    body[member].as_array().map_or(&[], Vec::as_slice)
}
