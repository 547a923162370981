//! The rows of the agent: a real `qapi-agent` with the identity it fetched from a real platform, which has to refuse what is
//! wrong at the other end. What is shown to it was issued by the same platform, as far as that issues such things.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cell::{CASES, Case, Role};
use super::peers::{Peer, Setup};
use crate::binaries::binary;
use crate::client::Client;
use crate::program::{both, run};
use crate::running::Running;
use crate::server::{Server, eventually, list};

const PEER: &str = "spiffe://qapi.internal/ns/users-api/sa/peer";

/// How long the deny list may take to reach the agent, and a refusal its counters.
const PATIENCE: Duration = Duration::from_secs(30);

/// The platform, the agent with the ports it opens, and the certificates that others show to it.
pub struct Agent {
    _server: Server,
    agent: Running,
    folder: PathBuf,
    place: Place,
}

/// The ports around the agent, all at one address.
#[derive(Clone, Copy)]
struct Place(std::net::IpAddr);

impl Place {
    fn port(self, port: usize) -> SocketAddr {
        SocketAddr::new(self.0, u16::try_from(port).expect("few ports"))
    }

    fn status(self) -> SocketAddr {
        self.port(9_000)
    }

    fn inbound(self) -> SocketAddr {
        self.port(9_001)
    }

    fn application(self) -> SocketAddr {
        self.port(9_002)
    }

    /// Where the application calls, and where the server of a case is.
    fn outbound(self, case: usize) -> (SocketAddr, SocketAddr) {
        (self.port(9_100 + case), self.port(9_200 + case))
    }
}

impl Agent {
    /// `stranger` is a leaf of another authority.
    pub fn start(folder: &Path, address: std::net::IpAddr, stranger: &Path) -> Self {
        let folder = folder.join("agent");
        std::fs::create_dir(&folder).expect("the folder can be written");
        let server = Server::start_dev();
        let client = server.client();
        certificates(&client, &folder, stranger);
        let place = Place(address);
        let config = folder.join("agent.toml");
        std::fs::write(&config, configuration(&server, &folder, place)).expect("the folder can be written");
        application(place.application());
        let agent = Running::start(Command::new(binary("qapi-agent")).env_clear().arg("--config").arg(&config));
        assert!(agent.line("ready ", PATIENCE).is_some(), "the agent is not ready: {}", agent.text());
        // The authority learns names, and its certificate permits those it knew: the agent's only now.
        let bundle = client.anonymous().get("/api/v1/ca/bundle").expect(200).json();
        let anchors: String = list(&bundle, "anchors").iter().filter_map(Value::as_str).collect();
        std::fs::write(folder.join("ca.pem"), anchors).expect("the folder can be written");
        let agent = Self { agent, _server: server, folder, place };
        let denied = eventually(PATIENCE, || agent.metric("qapi_trust_bundle_denied").filter(|count| *count > 0));
        assert!(denied > 0, "the deny list arrives");
        agent
    }

    /// Plays a case; what was wrong about the outcome comes back.
    pub fn play(
        &self,
        role: Role,
        case: Case,
        folder: &Path,
        ours: impl Fn(&Setup, &str) -> Command,
    ) -> Result<(), String> {
        let number = CASES.iter().position(|(other, _)| *other == case).expect("a case");
        let (entrance, called) = self.place.outbound(number);
        let address = if role == Role::Server { self.place.inbound() } else { called };
        let setup = Setup {
            folder: folder.to_owned(),
            address,
            entrance,
            leaf: (case != Case::NoCertificate).then(|| self.folder.join(case.leaf())),
            ca: self.folder.join("ca.pem"),
            name: "users-api",
            version: case.version(),
            group: case.group(),
        };
        let before = self.refusals(role, case);
        let (answered, wrote) = match role {
            Role::Server => self.is_called(case, &setup, &ours),
            Role::Client => self.calls(case, &setup, &ours),
        };
        let counted = || (self.refusals(role, case) > before).then_some(());
        let refused = case != Case::Ok && waited(counted);
        if answered == (case == Case::Ok) && refused != (case == Case::Ok) {
            return Ok(());
        }
        Err(format!(
            "answered: {answered}, refused for {:?}: {refused}\n{wrote}{}",
            case.reasons(role),
            self.agent.text()
        ))
    }

    fn is_called(&self, case: Case, setup: &Setup, ours: &impl Fn(&Setup, &str) -> Command) -> (bool, String) {
        if foreign(case) {
            return Peer::OpenSsl.ask(setup);
        }
        let output = run(&mut ours(setup, "client"));
        (output.status.success(), both(&output))
    }

    fn calls(&self, case: Case, setup: &Setup, ours: &impl Fn(&Setup, &str) -> Command) -> (bool, String) {
        let server = if foreign(case) {
            Peer::OpenSsl.serve(setup)
        } else {
            Running::start(&mut ours(setup, "server")).listening()
        };
        let answer = asked(setup.entrance, "/");
        (answer.starts_with("HTTP/1.1 200"), format!("{answer}{}", server.text()))
    }

    fn refusals(&self, role: Role, case: Case) -> u64 {
        let side = if role == Role::Server { "server" } else { "client" };
        let line = |reason: &str| format!("qapi_handshakes_refused_total{{reason=\"{reason}\",side=\"{side}\"}}");
        case.reasons(role).iter().filter_map(|reason| self.metric(&line(reason))).sum()
    }

    fn metric(&self, name: &str) -> Option<u64> {
        let text = asked(self.place.status(), "/metrics");
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

/// What ours cannot be made to do.
fn foreign(case: Case) -> bool {
    matches!(case, Case::Tls12 | Case::ClassicalGroup | Case::NoCertificate)
}

fn waited(mut look: impl FnMut() -> Option<()>) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if look().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// One request, and the whole answer.
fn asked(address: SocketAddr, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else { return String::new() };
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    // A proxy that has nobody behind it may close without an answer.
    let _closed = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

/// What stands behind the agent.
fn application(address: SocketAddr) {
    let listener = TcpListener::bind(address).expect("the address is ours");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 4096];
            // A connection without a request is somebody who looks whether the port is open.
            if stream.read(&mut request).is_ok_and(|length| length > 0) {
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
                let _gone = stream.write_all(answer.as_bytes());
            }
        }
    });
}

fn configuration(server: &Server, folder: &Path, place: Place) -> String {
    let key = folder.join("api.key");
    std::fs::write(&key, server.admin_key()).expect("the folder can be written");
    let mut text = format!(
        "[platform]\nurl = \"{}\"\nkey_file = \"{}\"\n[identity]\nservice_name = \"users-api\"\nnamespace = \"users-api\"\n\
         [status]\nlisten = \"{}\"\n[[inbound]]\nname = \"https\"\nlisten = \"{}\"\nforward = \"{}\"\nallow = [\"{PEER}\"]\n",
        server.base_url(),
        key.display(),
        place.status(),
        place.inbound(),
        place.application(),
    );
    for number in 0..CASES.len() {
        let (listen, connect) = place.outbound(number);
        text.push_str(&format!(
            "[[outbound]]\nname = \"case-{number}\"\nlisten = \"{listen}\"\nconnect = \"{connect}\"\nexpect = [\"{PEER}\"]\n"
        ));
    }
    text
}

/// The leaves that others show to the agent, from the agent's own platform.
fn certificates(client: &Client, folder: &Path, stranger: &Path) {
    for ending in ["pem", "key", "all"] {
        let of = |leaf: &Path| leaf.with_extension(ending);
        std::fs::copy(of(stranger), of(&folder.join("wrong-ca"))).expect("the folder can be written");
    }
    issue(client, folder, "ok", "peer", json!({}));
    issue(client, folder, "wrong-id", "somebody-else", json!({}));
    issue(client, folder, "ml-dsa-44", "peer", json!({"algorithm": "ML-DSA-44"}));
    let denied = issue(client, folder, "denied", "peer", json!({}));
    let id = denied["id"].as_str().expect("an id");
    client.post(&format!("/api/v1/certificates/{id}/revoke"), &json!({"reason": "keyCompromise"})).expect(200);
    issue(client, folder, "expired", "peer", json!({"ttl": "1s"}));
    let issued = Instant::now();
    eventually(PATIENCE, || (issued.elapsed() > Duration::from_secs(2)).then_some(()));
}

fn issue(client: &Client, folder: &Path, leaf: &str, service: &str, more: Value) -> Value {
    let mut body = json!({
        "subject": format!("CN={service}"),
        "subjectAlternativeNames": [
            format!("DNS:{service}.users-api.svc.cluster.local"),
            format!("DNS:{service}"),
        ],
    });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let issued = client.post("/api/v1/certificates", &body).expect(201).json();
    let text = |member: &str| issued[member].as_str().expect("a PEM text").to_owned();
    let (certificate, key) = (text("certificate"), text("privateKey"));
    std::fs::write(folder.join(format!("{leaf}.all")), format!("{certificate}{key}"))
        .expect("the folder can be written");
    std::fs::write(folder.join(format!("{leaf}.pem")), certificate).expect("the folder can be written");
    std::fs::write(folder.join(format!("{leaf}.key")), key).expect("the folder can be written");
    issued
}
