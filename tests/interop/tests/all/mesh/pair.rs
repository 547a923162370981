//! One cell played: two processes that meet once, and what each made of the other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::agent::Agent;
use super::cell::{Case, Cell, Role, STACKS, Stack};
use super::peers::{Peer, Setup};
use super::tools::{script, tool};
use crate::binaries::binary;
use crate::program::{both, run, succeed};
use crate::running::Running;

/// The certificates of one run and the addresses it may use: its own part of 127.0.0.0/8, one address for each row, so
/// that nothing else listens there.
pub struct Ground {
    folder: tempfile::TempDir,
    network: [u8; 3],
    /// Started with its first cell. Its cells are played one after another: what it counts tells why it refused.
    agent: Mutex<Option<Agent>>,
}

/// How long our end may take to say what it made of the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the agent's row is among the stacks.
const AGENT_ROW: usize = STACKS.len() - 1;

const PEER: &str = "spiffe://qapi.internal/ns/users-api/sa/peer";
const OURS: &str = "spiffe://qapi.internal/ns/users-api/sa/users-api";

impl Ground {
    pub fn new() -> Self {
        let [.., high, low] = std::process::id().to_be_bytes();
        let ground = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            network: [127, 64 + high % 128, low],
            agent: Mutex::new(None),
        };
        let addresses = (0..STACKS.len()).map(|row| ground.address(row).to_string());
        succeed(tool("python").arg("-B").arg(script("certificates.py")).arg(ground.folder.path()).args(addresses));
        ground
    }

    fn address(&self, row: usize) -> IpAddr {
        let [a, b, c] = self.network;
        IpAddr::V4(Ipv4Addr::new(a, b, c, u8::try_from(row + 1).expect("few rows")))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Plays a cell; `number` is its own. What was wrong about the outcome comes back.
    pub fn play(&self, cell: Cell, number: usize) -> Result<(), String> {
        let row = STACKS.iter().position(|(stack, _)| *stack == cell.stack).expect("a row");
        let port = |offset: usize| u16::try_from(10_000 + 2 * number + offset).expect("few cells");
        let place = |offset| SocketAddr::new(self.address(row), port(offset));
        let folder = self.file(&format!("cell-{number}"));
        std::fs::create_dir(&folder).expect("the folder can be written");
        if cell.stack == Stack::Agent {
            return self.play_agent(cell, &folder);
        }
        let leaf =
            (cell.case != Case::NoCertificate || self.wrong_end_serves(cell)).then(|| self.file(cell.case.leaf()));
        let setup = Setup {
            folder,
            address: place(0),
            entrance: place(1),
            leaf,
            ca: self.file("ca.pem"),
            name: "users-api",
            version: cell.case.version(),
            group: cell.case.group(),
        };
        let wrong_end = self.wrong_end(cell);
        if cell.case == Case::NoCertificate && self.wrong_end_serves(cell) {
            return self.without_certificate(wrong_end, &setup);
        }
        if self.wrong_end_serves(cell) {
            self.our_client_meets(wrong_end, &setup, cell.case)
        } else {
            self.our_server_meets(wrong_end, &setup, cell.case)
        }
    }

    fn play_agent(&self, cell: Cell, folder: &Path) -> Result<(), String> {
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        let start = || Agent::start(self.folder.path(), self.address(AGENT_ROW), &self.file("wrong-ca"));
        agent.get_or_insert_with(start).play(cell.role, cell.case, folder, |setup, role| {
            self.ours_command(role, setup.leaf.as_deref(), setup, OURS)
        })
    }

    /// Who shows what is wrong.
    fn wrong_end(&self, cell: Cell) -> End {
        match cell.stack {
            Stack::Foreign(peer) => End::Foreign(peer),
            // Ours cannot be made to speak TLS 1.2, to leave out the hybrid groups or to show no certificate.
            Stack::Sdk | Stack::Agent => match cell.case {
                Case::Tls12 | Case::ClassicalGroup | Case::NoCertificate => End::Foreign(Peer::OpenSsl),
                _ => End::Ours,
            },
        }
    }

    /// Whether the end that shows what is wrong is the server: that is the row's stack when it is foreign, and the other
    /// one when it is ours.
    fn wrong_end_serves(&self, cell: Cell) -> bool {
        match cell.stack {
            Stack::Foreign(_) => cell.role == Role::Server,
            Stack::Sdk | Stack::Agent => cell.role == Role::Client,
        }
    }

    fn our_client_meets(&self, wrong_end: End, setup: &Setup, case: Case) -> Result<(), String> {
        let server = match wrong_end {
            End::Foreign(peer) => peer.serve(setup),
            End::Ours => self.ours("server", setup.leaf.as_deref(), setup, OURS).listening(),
        };
        let mut client = self.ours_command("client", Some(&self.file("ours")), setup, PEER);
        let output = run(&mut client);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = text.lines().find_map(|line| line.strip_prefix("handshake: ")).unwrap_or_default();
        let answered = text.lines().any(|line| line.starts_with("HTTP/") && line.contains(" 200"));
        let details = || format!("{}{}", both(&output), server.text());
        judged(case, Role::Client, said, answered, details)
    }

    fn our_server_meets(&self, wrong_end: End, setup: &Setup, case: Case) -> Result<(), String> {
        let server = self.ours("server", Some(&self.file("ours")), setup, PEER).listening();
        let (answered, wrote) = match wrong_end {
            End::Foreign(peer) => peer.ask(setup),
            End::Ours => {
                let output = run(&mut self.ours_command("client", setup.leaf.as_deref(), setup, OURS));
                (output.status.success(), both(&output))
            }
        };
        let said = server.line("handshake: ", PATIENCE).unwrap_or_default();
        judged(case, Role::Server, &said, answered, || format!("{wrote}{}", server.text()))
    }

    /// A server that asks for certificates, and our command line, which has none to show to it.
    fn without_certificate(&self, server: End, setup: &Setup) -> Result<(), String> {
        let server = match server {
            End::Foreign(peer) => peer.serve(setup),
            End::Ours => self.ours("server", setup.leaf.as_deref(), setup, PEER).listening(),
        };
        let mut client = Command::new(binary("qapi"));
        client.env_clear().env("QUANTUMAPI_MAX_RETRIES", "0").env("HOME", &setup.folder);
        client.args(["health", "--base-url", &format!("https://{}", setup.address), "--ca-file"]).arg(&setup.ca);
        let output = run(&mut client);
        let text = both(&output);
        // nginx finishes the handshake and refuses the request instead: 400, "no required SSL certificate was sent".
        let is_told = text.to_lowercase().contains("certificaterequired") || text.contains("(status 400)");
        let refused = !output.status.success() && is_told;
        if refused { Ok(()) } else { Err(format!("not refused for want of a certificate\n{text}{}", server.text())) }
    }

    fn ours(&self, role: &str, leaf: Option<&Path>, setup: &Setup, peer: &str) -> Running {
        Running::start(&mut self.ours_command(role, leaf, setup, peer))
    }

    fn ours_command(&self, role: &str, leaf: Option<&Path>, setup: &Setup, peer: &str) -> Command {
        let leaf = leaf.expect("ours shows a certificate").display();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesh-peer"));
        command.args([role, "--address", &setup.address.to_string(), "--peer", peer, "--name", "peer"]);
        command.args(["--cert", &format!("{leaf}.pem"), "--key", &format!("{leaf}.key"), "--ca"]).arg(&setup.ca);
        command.arg("--denied").arg(self.file("denied.txt"));
        command
    }
}

/// Who is at the other end.
#[derive(Clone, Copy)]
enum End {
    Foreign(Peer),
    Ours,
}

/// Whether our end said what it had to, and nothing was answered that had to be refused.
fn judged(case: Case, ours: Role, said: &str, answered: bool, details: impl Fn() -> String) -> Result<(), String> {
    let reason = said.strip_prefix("refused ").and_then(|rest| rest.split(' ').next());
    let as_expected = match case {
        Case::Ok => answered && said.starts_with("met ") && said.ends_with("ML-DSA-65 X25519MLKEM768"),
        _ => !answered && reason.is_some_and(|reason| case.reasons(ours).contains(&reason)),
    };
    if as_expected { Ok(()) } else { Err(format!("answered: {answered}, ours: {said:?}\n{}", details())) }
}
