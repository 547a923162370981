//! The recipes of docs/guides/agent.md for programs that read the agent's files: each is started with the configuration that
//! stands there, asked without a pause while the agent exchanges key and certificate, and has to serve the new one without
//! failing a request.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crypto::x509::{Certificate, pem};
use sdk::identity::{ServiceIdentity, Wanted};
use tls::whom::Whom;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

use super::tools::{tool, tools};
use crate::binaries::{binary, root};
use crate::running::Running;
use crate::server::{Server, eventually};

mod postgres;

const PATIENCE: Duration = Duration::from_secs(30);
const EXCHANGES: usize = 3;

/// A platform, an agent that writes files in memory, and a client that knows whom it expects.
struct Scene {
    server: Server,
    agent: Running,
    memory: tempfile::TempDir,
    folder: tempfile::TempDir,
    client: ServiceIdentity,
    runtime: Runtime,
    address: SocketAddr,
}

impl Scene {
    /// `reload` is what the agent runs after a change, written with the folder that the program has.
    fn new(reload: impl Fn(&Path) -> Vec<String>) -> Self {
        let server = Server::start_dev();
        let key = server.key(&["certificates:write"], &[]).key().to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let access = sdk::Config::new(server.base_url()).with_key(&key);
        let wanted = Wanted::new("gateway").unwrap().in_namespace("users").unwrap();
        let client = runtime.block_on(ServiceIdentity::start(wanted, access)).unwrap();
        let (memory, folder) = (tempfile::tempdir_in("/dev/shm").unwrap(), tempfile::tempdir().unwrap());
        // Workers of programs that were started by root run as somebody else.
        for folder in [memory.path(), folder.path()] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::write(folder.path().join("key"), key).unwrap();
        // The program that is told of changes does not run yet: it needs the files to start.
        let agent = agent(&server, "edge", folder.path(), memory.path(), &reload(folder.path()));
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { server, agent, memory, folder, client, runtime, address }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// The block of the guide that comes first after some words, for this scene's files.
    fn recipe(&self, after: &str, language: &str) -> String {
        let guide = std::fs::read_to_string(root().join("docs/guides/agent.md")).unwrap();
        let (_, rest) = guide.split_once(after).unwrap_or_else(|| panic!("the guide says nothing of {after}"));
        let (_, rest) = rest.split_once(&format!("```{language}\n")).expect("a block");
        let (block, _) = rest.split_once("```").expect("the block ends");
        block.replace("/run/qapi", &self.memory.path().display().to_string())
    }

    /// The number of the certificate that is in the files.
    fn current(&self) -> Vec<u8> {
        let text = std::fs::read_to_string(self.memory.path().join("identity.pem")).unwrap();
        let blocks = pem::blocks(&text).unwrap();
        let leaf = blocks.iter().find(|block| block.label == pem::CERTIFICATE).expect("a certificate");
        Certificate::parse(&leaf.der).unwrap().serial_number().as_bytes().to_vec()
    }

    /// One request over a connection of its own: the number of the certificate that was shown.
    fn ask(&self) -> Result<Vec<u8>, String> {
        self.runtime.block_on(ask(&self.client, self.address))
    }

    /// Exchanges the certificate while the program is asked, and wants every request to be answered.
    fn exchanges_cost_nothing(&self, program: &Running) {
        self.exchanges_fail_none(program, || self.ask());
    }

    /// The same for a program that is asked in a way of its own.
    fn exchanges_fail_none(&self, program: &Running, ask: impl Fn() -> Result<Vec<u8>, String> + Sync) {
        assert_eq!(ask().as_ref(), Ok(&self.current()), "{}", program.text());
        let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
        let failures = std::thread::scope(|scope| {
            let traffic = scope.spawn(|| {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    failures.extend(ask().err());
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                failures
            });
            let _ended = Ended(&stop);
            for _ in 0..EXCHANGES {
                self.exchange(&asked, &ask);
            }
            stop.store(true, Ordering::Relaxed);
            traffic.join().unwrap()
        });
        assert!(failures.is_empty(), "{failures:?}\n{}\n{}", program.text(), self.agent.text());
    }

    fn exchange(&self, asked: &AtomicUsize, ask: &impl Fn() -> Result<Vec<u8>, String>) {
        let before = self.current();
        self.agent.signal("USR1");
        let new = eventually(PATIENCE, || Some(self.current()).filter(|current| *current != before));
        eventually(PATIENCE, || (ask().as_ref() == Ok(&new)).then_some(()));
        let already = asked.load(Ordering::Relaxed);
        eventually(PATIENCE, || (asked.load(Ordering::Relaxed) > already + 20).then_some(()));
        assert_eq!(ask().as_ref(), Ok(&new), "the old certificate came back");
    }
}

/// Ends the traffic of a test that fails too.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An agent that writes a service's files to a folder in memory; its key and its configuration lie in the other one.
fn agent(server: &Server, service: &str, folder: &Path, memory: &Path, reload: &[String]) -> Running {
    let config = folder.join(format!("{service}.toml"));
    let text = format!(
        "[platform]\nurl = \"{}\"\nkey_file = \"{}\"\n[identity]\nservice_name = \"{service}\"\nnamespace = \"users\"\n\
         [status]\nlisten = \"127.0.0.1:0\"\n[files]\ndirectory = \"{}\"\nreload = {reload:?}\n",
        server.base_url(),
        folder.join("key").display(),
        memory.display(),
    );
    std::fs::write(&config, text).unwrap();
    let agent = Running::start(Command::new(binary("qapi-agent")).arg("--config").arg(config));
    agent.announced("ready ");
    agent
}

async fn ask(client: &ServiceIdentity, address: SocketAddr) -> Result<Vec<u8>, String> {
    let whom = Whom::service("spiffe://qapi.internal/ns/users/sa/edge".parse().unwrap());
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let mut secured = client.connect(stream, &whom).await.map_err(|error| sdk::report(&error))?;
    let request = b"GET / HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n";
    secured.stream.write_all(request).await.map_err(|error| error.to_string())?;
    let mut answer = [0; 12];
    secured.stream.read_exact(&mut answer).await.map_err(|error| error.to_string())?;
    if answer.ends_with(b" 200") { Ok(secured.peer.serial) } else { Err(String::from_utf8_lossy(&answer).into_owned()) }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn program(name: &str) -> String {
    tools().join("bin").join(name).display().to_string()
}

#[test]
fn nginx_takes_a_new_certificate_without_failing_a_request() {
    let scene = Scene::new(|folder| {
        let (folder, config) = (folder.display().to_string(), folder.join("nginx.conf").display().to_string());
        words(&[&program("nginx"), "-e", "stderr", "-p", &folder, "-c", &config, "-s", "reload"])
    });
    let server = scene.recipe("**nginx**", "nginx").replace("listen 8443", &format!("listen {}", scene.address));
    let server = server.trim_end().strip_suffix('}').expect("the block of a server").to_owned();
    let folder = scene.folder.path().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
        .concat();
    let text = format!(
        "daemon off;\npid {folder}/nginx.pid;\nerror_log stderr info;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         {server}    location / {{ return 200 \"hello\"; }}\n}}\n}}\n"
    );
    let config = scene.write("nginx.conf", &text);
    let mut command = tool("nginx");
    command.args(["-e", "stderr", "-p"]).arg(scene.folder.path()).arg("-c").arg(config);
    let mut nginx = Running::start(&mut command).accepting(scene.address);
    scene.exchanges_cost_nothing(&nginx);
    nginx.stop();
}

#[test]
fn haproxy_takes_a_new_certificate_without_failing_a_request() {
    let scene = Scene::new(|folder| words(&[&folder.join("reload").display().to_string()]));
    let bind = scene.recipe("**HAProxy**", "").replace(":8443", &scene.address.to_string());
    let text = format!(
        "global\n    log stderr format raw local0\ndefaults\n    mode http\n    log global\n    timeout client 10s\n\
         timeout server 10s\n    timeout connect 10s\nfrontend mtls\n    {}\n\
         http-request return status 200 content-type text/plain string hello\n",
        bind.trim()
    );
    let config = scene.write("haproxy.cfg", &text);
    // It starts itself anew by its own name, so that has to be the one that finds its libraries.
    let own = scene.path("haproxy");
    let wrapper = std::fs::read_to_string(program("haproxy")).unwrap();
    executable(&own, &wrapper.replace("--library-path", &format!("--argv0 {} --library-path", own.display())));
    let mut command = Command::new(&own);
    command.args(["-W", "-f"]).arg(config).arg("-p").arg(scene.path("pid"));
    let haproxy = Running::start(&mut command);
    // What `systemctl reload haproxy` does.
    let reload = format!("#!/bin/sh\nkill -USR2 {}\n", haproxy.id());
    executable(&scene.path("reload"), &reload);
    let mut haproxy = haproxy.accepting(scene.address);
    scene.exchanges_cost_nothing(&haproxy);
    haproxy.stop();
}

#[test]
fn envoy_takes_a_new_certificate_without_failing_a_request_and_without_being_told() {
    let scene = Scene::new(|_| Vec::new());
    let mut socket = scene.recipe("**Envoy**", "yaml");
    for name in ["identity", "bundle"] {
        let secret = scene.recipe(&format!("`/etc/envoy/{name}.yaml`"), "yaml");
        let path = scene.write(&format!("{name}.yaml"), &secret).display().to_string();
        socket = socket.replace(&format!("/etc/envoy/{name}.yaml"), &path);
    }
    let indented: String = socket.lines().map(|line| format!("          {line}\n")).collect();
    let text = format!(
        "node: {{ id: edge, cluster: edge }}\nstatic_resources:\n  listeners:\n    - name: mtls\n      \
         address: {{ socket_address: {{ address: {}, port_value: {} }} }}\n      filter_chains:\n        - filters:\n{HTTP}{indented}",
        scene.address.ip(),
        scene.address.port()
    );
    let config = scene.write("envoy.yaml", &text);
    let mut command = tool("envoy");
    command.arg("-c").arg(config).args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
    let envoy = Running::start(&mut command).accepting(scene.address);
    eventually(PATIENCE, || scene.ask().ok());
    scene.exchanges_cost_nothing(&envoy);
}

/// A filter that answers everything.
const HTTP: &str = r#"            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: mtls
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }]
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
"#;

fn executable(path: &Path, text: &str) {
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o755)).unwrap();
}
