//! A foreign program that runs beside a test, ended with it.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::program::succeed;
use crate::server::Lines;

/// How long a program may take to listen; debug builds on a busy machine take some of it.
const START: Duration = Duration::from_secs(60);

pub struct Running {
    child: Child,
    out: Lines,
    err: Lines,
}

impl Running {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
        let out = Lines::collect(child.stdout.take().expect("a pipe"));
        let err = Lines::collect(child.stderr.take().expect("a pipe"));
        Self { child, out, err }
    }

    /// Waits until it says that it listens.
    #[track_caller]
    pub fn listening(self) -> Self {
        assert!(self.out.wait_for("listening", START).is_some(), "does not listen: {}", self.text());
        self
    }

    /// Waits until somebody accepts connections there.
    #[track_caller]
    pub fn accepting(mut self, address: SocketAddr) -> Self {
        let deadline = Instant::now() + START;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nobody accepts at {address}: {}", self.text());
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("ended with {status}: {}", self.text());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self
    }

    /// The rest of the first line of its output that starts so.
    pub fn line(&self, start: &str, patience: Duration) -> Option<String> {
        self.out.wait_for(start, patience)
    }

    /// The rest of the line that starts so, once it says it.
    #[track_caller]
    pub fn announced(&self, start: &str) -> String {
        let line = self.out.wait_for(start, START);
        line.unwrap_or_else(|| panic!("never says {start:?}: {}", self.text()))
    }

    /// Ends it at once, as a lost machine would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be waited for");
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().expect("the process can be waited for")
    }

    /// Its number among the processes.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by its name.
    pub fn signal(&self, name: &str) {
        succeed(Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()));
    }

    /// What it wrote so far.
    pub fn text(&self) -> String {
        format!("{}{}", self.out.text(), self.err.text())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
