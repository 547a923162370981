//! The processes under measurement: started on the server's core, stopped when they go out of scope.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::SERVER_CORE;
use crate::workspace;

/// The kernel tells times to processes in this unit, whatever its own clock does (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A server that said `ready http://ADDRESS`, or `ready ADDRESS`.
pub struct Running {
    child: Child,
    /// What it said before.
    announced: Vec<String>,
    /// Held open: a server that prints into a closed pipe would end.
    _output: BufReader<ChildStdout>,
    pub address: String,
    pub ready_after: Duration,
}

impl Running {
    /// The bare peers.
    pub fn bare() -> Result<Self> {
        Self::start("examples/bare", &["serve", "127.0.0.1:0"])
    }

    /// The product on a data directory.
    pub fn qapid(data: &Path) -> Result<Self> {
        let data = data.display().to_string();
        Self::start("qapid", &["dev", "--data-dir", &data, "--listen", "127.0.0.1:0"])
    }

    /// The product as an operator runs it, with this configuration.
    pub fn qapid_with(config: &Path) -> Result<Self> {
        Self::start("qapid", &["serve", "--config", &config.display().to_string()])
    }

    /// An agent with this configuration.
    pub fn agent(config: &Path) -> Result<Self> {
        Self::start("qapi-agent", &["--config", &config.display().to_string()])
    }

    /// A webhook with this configuration.
    pub fn admission(config: &Path) -> Result<Self> {
        Self::start("qapi-admission", &["serve", "--config", &config.display().to_string()])
    }

    /// The rest of the line that starts so, among those that it said before it was ready.
    pub fn announced(&self, start: &str) -> Result<&str> {
        let mut rests = self.announced.iter().filter_map(|line| line.strip_prefix(start));
        rests.next().with_context(|| format!("never said {start:?}"))
    }

    fn start(binary: &str, args: &[&str]) -> Result<Self> {
        let began = Instant::now();
        let mut child = Command::new("taskset")
            .args(["-c", SERVER_CORE])
            .arg(release(binary))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {binary}"))?;
        let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
        let (mut line, mut announced) = (String::new(), Vec::new());
        while output.read_line(&mut line)? > 0 {
            if let Some(address) = line.trim_end().strip_prefix("ready ") {
                let address = address.trim_start_matches("http://").trim_end_matches('/').to_owned();
                return Ok(Self { child, announced, _output: output, address, ready_after: began.elapsed() });
            }
            announced.push(line.trim_end().to_owned());
            line.clear();
        }
        bail!("{binary} ended before it was ready: {}", child.wait()?)
    }

    /// Processor time spent so far by all its threads, in itself and in the kernel on its behalf (proc_pid_stat(5)).
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in the second field may hold blanks; what follows its parenthesis starts with the third.
        let (_, fields) = stat.rsplit_once(") ").context("no name in stat")?;
        let mut fields = fields.split(' ').skip(11);
        let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok()).context("no times in stat");
        Ok(TICK * u32::try_from(ticks()? + ticks()?)?)
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

/// Runs one of the bare primitives on the server's core and reads the rate it prints.
pub fn primitive(args: &[&str]) -> Result<f64> {
    let binary = release("examples/bare").display().to_string();
    let mut pinned = vec!["-c", SERVER_CORE, &binary];
    pinned.extend(args);
    let printed = workspace::output("taskset", &pinned)?;
    printed.trim().parse().with_context(|| format!("bare {} printed {printed:?}", args.join(" ")))
}

/// A certificate request in PEM.
pub fn certificate_request(name: &str) -> Result<String> {
    workspace::output(&release("examples/bare").display().to_string(), &["csr", name])
}

pub fn release(binary: &str) -> PathBuf {
    workspace::target_dir().join("release").join(binary)
}

/// The address and key that `qapid dev` leaves for its user.
pub fn credentials(data: &Path) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(data.join("dev.env")).context("read dev.env")?;
    let pairs = text.lines().filter_map(|line| line.trim_start_matches("export ").split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect())
}

/// An empty folder below the target folder, so that the measured disk is the one the project is on.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let path = workspace::target_dir().join("bench").join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path)?;
    }
    std::fs::create_dir_all(&path)?;
    Ok(path)
}
