//! The TLS stacks of the matrix: how each is started as a server, and how each makes one request as a client.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::tools::{script, tool};
use crate::program::{both, run};
use crate::running::Running;

/// A foreign TLS stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    OpenSsl,
    Node,
    Nginx,
    HaProxy,
    Envoy,
    PyOpenSsl,
    Go,
}

/// How one side of a connection is set up.
pub struct Setup {
    /// Where it may write.
    pub folder: PathBuf,
    /// Where the server listens.
    pub address: SocketAddr,
    /// Where a proxy takes the request that it passes on.
    pub entrance: SocketAddr,
    /// The certificate it shows, without its ending; a client may have none.
    pub leaf: Option<PathBuf>,
    pub ca: PathBuf,
    /// The name it wants a server to have.
    pub name: &'static str,
    pub version: &'static str,
    pub group: &'static str,
}

impl Setup {
    fn file(&self, ending: &str) -> String {
        let leaf = self.leaf.as_deref().expect("a certificate").display();
        format!("{leaf}.{ending}")
    }
}

impl Peer {
    /// A server that asks for certificates, accepting connections.
    pub fn serve(self, setup: &Setup) -> Running {
        let mut command = match self {
            Self::OpenSsl => openssl_server(setup),
            Self::Node | Self::PyOpenSsl | Self::Go => self.scripted("server", setup),
            Self::Nginx | Self::HaProxy | Self::Envoy => self.configured("server", setup, ""),
        };
        Running::start(command.current_dir(&setup.folder)).accepting(setup.address)
    }

    /// One request; whether it was answered, and what was written about it.
    pub fn ask(self, setup: &Setup) -> (bool, String) {
        match self {
            Self::OpenSsl => openssl_ask(setup),
            Self::Node | Self::PyOpenSsl | Self::Go => {
                let output = run(&mut self.scripted("client", setup));
                (output.status.success() && is_answer(&output.stdout), both(&output))
            }
            Self::Nginx | Self::HaProxy | Self::Envoy => self.ask_through(setup),
        }
    }

    /// Lets a proxy pass a plain request on.
    fn ask_through(self, setup: &Setup) -> (bool, String) {
        let identity = match (self, &setup.leaf) {
            (_, None) => String::new(),
            (Self::Nginx, _) => {
                format!("proxy_ssl_certificate {}; proxy_ssl_certificate_key {};", setup.file("pem"), setup.file("key"))
            }
            (Self::HaProxy, _) => format!("crt {}", setup.file("all")),
            _ => envoy_identity(setup).to_string(),
        };
        let mut command = self.configured("client", setup, &identity);
        let proxy = Running::start(command.current_dir(&setup.folder)).accepting(setup.entrance);
        let mut stream = TcpStream::connect(setup.entrance).expect("the proxy accepts");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n").expect("the proxy reads");
        let mut answer = Vec::new();
        let _until_closed = stream.read_to_end(&mut answer);
        (is_answer(&answer), format!("{}{}", String::from_utf8_lossy(&answer), proxy.text()))
    }

    fn scripted(self, role: &str, setup: &Setup) -> Command {
        let mut command = match self {
            Self::Node => tool("node"),
            Self::PyOpenSsl => tool("python"),
            _ => tool("go-peer"),
        };
        match self {
            Self::Node => command.arg(script("peer.js")),
            Self::PyOpenSsl => command.arg("-B").arg(script("peer.py")),
            _ => &mut command,
        };
        command.args([role, "-address", &setup.address.to_string(), "-name", setup.name]).arg("-ca").arg(&setup.ca);
        command.args(["-version", setup.version, "-group", setup.group]);
        if setup.leaf.is_some() {
            command.args(["-cert", &setup.file("pem"), "-key", &setup.file("key")]);
        }
        command
    }

    fn configured(self, role: &str, setup: &Setup, identity: &str) -> Command {
        let (name, ending) = match self {
            Self::Nginx => ("nginx", "conf"),
            Self::HaProxy => ("haproxy", "cfg"),
            _ => ("envoy", "json"),
        };
        let template = std::fs::read_to_string(script(&format!("{name}_{role}.{ending}"))).expect("a template");
        let path = setup.folder.join(format!("{name}.{ending}"));
        std::fs::write(&path, filled(&template, setup, identity)).expect("the folder can be written");
        let mut command = tool(name);
        match self {
            Self::Nginx => command.args(["-e", "stderr", "-p"]).arg(&setup.folder).arg("-c").arg(path),
            Self::HaProxy => command.args(["-db", "-f"]).arg(path),
            _ => command.arg("-c").arg(path).args([
                "--disable-hot-restart",
                "--concurrency",
                "1",
                "--log-level",
                "warning",
            ]),
        };
        command
    }
}

fn filled(template: &str, setup: &Setup, identity: &str) -> String {
    let leaf = |ending: &str| setup.leaf.as_ref().map(|_| setup.file(ending)).unwrap_or_default();
    let words = [
        ("folder", setup.folder.display().to_string()),
        ("address", setup.address.to_string()),
        ("host", setup.address.ip().to_string()),
        ("port", setup.address.port().to_string()),
        ("listen", setup.entrance.to_string()),
        ("listen_host", setup.entrance.ip().to_string()),
        ("listen_port", setup.entrance.port().to_string()),
        ("cert", leaf("pem")),
        ("key", leaf("key")),
        ("all", leaf("all")),
        ("ca", setup.ca.display().to_string()),
        ("name", setup.name.to_owned()),
        ("version", setup.version.to_owned()),
        ("envoy_version", format!("TLSv{}", setup.version.replace('.', "_"))),
        ("group", setup.group.to_owned()),
        ("identity", identity.to_owned()),
    ];
    words.iter().fold(template.to_owned(), |text, (word, value)| text.replace(&format!("{{{word}}}"), value))
}

fn envoy_identity(setup: &Setup) -> serde_json::Value {
    serde_json::json!({
        "certificate_chain": { "filename": setup.file("pem") },
        "private_key": { "filename": setup.file("key") },
    })
}

fn openssl_server(setup: &Setup) -> Command {
    let mut command = tool("openssl");
    command.args(["s_server", "-www", "-Verify", "3", "-verify_return_error", "-groups", setup.group]);
    command.args(["-accept", &setup.address.to_string(), openssl_version(setup)]).arg("-CAfile").arg(&setup.ca);
    command.args(["-cert", &setup.file("pem"), "-key", &setup.file("key")]);
    command
}

fn openssl_ask(setup: &Setup) -> (bool, String) {
    let mut command = tool("openssl");
    command.args(["s_client", "-quiet", "-verify_return_error", "-groups", setup.group, openssl_version(setup)]);
    command.args(["-connect", &setup.address.to_string(), "-servername", setup.name, "-verify_hostname", setup.name]);
    command.arg("-CAfile").arg(&setup.ca);
    if setup.leaf.is_some() {
        command.args(["-cert", &setup.file("pem"), "-key", &setup.file("key")]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl runs");
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", setup.name);
    // A client that was refused may be gone before it is told what to ask.
    let _gone = child.stdin.take().expect("a pipe").write_all(request.as_bytes());
    let output = child.wait_with_output().expect("openssl ends");
    (is_answer(&output.stdout), both(&output))
}

fn openssl_version(setup: &Setup) -> &'static str {
    if setup.version == "1.2" { "-tls1_2" } else { "-tls1_3" }
}

/// An HTTP response of success.
fn is_answer(bytes: &[u8]) -> bool {
    let first = bytes.split(|&byte| byte == b'\n').find(|line| line.starts_with(b"HTTP/")).unwrap_or_default();
    String::from_utf8_lossy(first).split_whitespace().nth(1) == Some("200")
}
