//! Connections that are open when the belief in their peer ends: they end with it, on every side and in every adapter.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sdk::identity::{Secured, ServiceIdentity, Side, Wanted};
use sdk::mesh::MeshReqwest;
use serde_json::json;
use tls::mesh::ClientStream;
use tls::whom::Whom;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

use crate::binaries::binary;
use crate::client::Client;
use crate::running::Running;
use crate::server::{Server, eventually, list};

/// How long a revocation may take to close what is open: the bundle is pushed, and nobody polls for it.
const SECONDS: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(20);

fn id(name: &str) -> String {
    format!("spiffe://qapi.internal/ns/users/sa/{name}")
}

struct Scene {
    server: Server,
    folder: tempfile::TempDir,
    key: String,
    runtime: Runtime,
}

impl Scene {
    fn new() -> Self {
        let server = Server::start_dev();
        let key = server.key(&["certificates:write"], &[]).key().to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { server, folder: tempfile::tempdir().unwrap(), key, runtime }
    }

    fn identity(&self, name: &str) -> ServiceIdentity {
        let wanted = Wanted::new(name).unwrap().in_namespace("users").unwrap();
        let access = sdk::Config::new(self.server.base_url()).with_key(&self.key);
        self.runtime.block_on(ServiceIdentity::start(wanted, access)).unwrap()
    }

    /// The users API of the examples, which calls notifications at an address.
    fn users_api(&self, notifications: SocketAddr) -> (Running, SocketAddr) {
        let mut command = Command::new(binary("users-api"));
        let variables = [
            ("QUANTUMAPI_BASE_URL", self.server.base_url()),
            ("QUANTUMAPI_KEY", &self.key),
            ("SERVICE_NAME", "users-api"),
            ("SERVICE_NAMESPACE", "users"),
            ("LISTEN", "127.0.0.1:0"),
            ("HEALTH_LISTEN", "127.0.0.1:0"),
            ("ALLOW", &[id("gateway"), id("billing")].join(",")),
            ("UPSTREAM", &format!("https://{notifications}")),
            ("EXPECT", &id("notifications")),
        ];
        let process = Running::start(command.envs(variables));
        let ready = process.announced("ready ");
        let address = ready.split_once(' ').expect("an address").0.parse().expect("an address");
        (process, address)
    }

    fn agent(&self, name: &str, port: &str) -> (Running, String, Client) {
        let key = self.folder.path().join("key");
        std::fs::write(&key, &self.key).unwrap();
        let config: PathBuf = self.folder.path().join(format!("{name}.toml"));
        let text = format!(
            "[platform]\nurl = \"{}\"\nkey_file = \"{}\"\n[identity]\nservice_name = \"{name}\"\nnamespace = \"users\"\n\
             [status]\nlisten = \"127.0.0.1:0\"\n{port}",
            self.server.base_url(),
            key.display()
        );
        std::fs::write(&config, text).unwrap();
        let process = Running::start(Command::new(binary("qapi-agent")).arg("--config").arg(config));
        let status = Client::new(&format!("http://{}", process.announced("ready ")), None);
        let port = if port.starts_with("[[inbound]]") { "inbound app " } else { "outbound app " };
        let address = process.announced(port);
        (process, address, status)
    }

    /// Takes the services' API key back.
    fn take_key(&self) {
        let admin = self.server.client();
        let keys = admin.get("/api/v1/api-keys").expect(200).json();
        let is_it = |key: &serde_json::Value| key["prefix"].as_str().is_some_and(|start| self.key.starts_with(start));
        let own = list(&keys, "apiKeys").iter().find(|key| is_it(key)).expect("the key is listed");
        admin.post(&format!("/api/v1/api-keys/{}/revoke", own["id"].as_str().unwrap()), &json!({})).expect(200);
    }

    fn revoke(&self, name: &str) {
        let admin = self.server.client();
        let found = admin.get(&format!("/api/v1/certificates?search={name}&status=active")).expect(200).json();
        for certificate in list(&found, "certificates") {
            let path = format!("/api/v1/certificates/{}/revoke", certificate["id"].as_str().unwrap());
            admin.post(&path, &json!({"reason": "keyCompromise"})).expect(200);
        }
    }
}

/// A connection of the SDK's, open at a service.
struct Open<'a> {
    runtime: &'a Runtime,
    secured: Secured<ClientStream<tokio::net::TcpStream>>,
}

impl<'a> Open<'a> {
    fn to(address: SocketAddr, identity: &ServiceIdentity, runtime: &'a Runtime) -> Self {
        let whom = Whom::service(id("users-api").parse().unwrap());
        let secured = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            identity.connect(stream, &whom).await.unwrap()
        });
        Self { runtime, secured }
    }

    /// One request; whether it was answered.
    fn ask(&mut self) -> bool {
        let stream = &mut self.secured.stream;
        self.runtime.block_on(async {
            let asked = stream.write_all(b"GET /users HTTP/1.1\r\nhost: users-api\r\n\r\n").await;
            let mut bytes = [0; 1_024];
            asked.is_ok()
                && matches!(stream.read(&mut bytes).await, Ok(read) if bytes[..read].starts_with(b"HTTP/1.1 200"))
        })
    }

    /// Waits until the other side closes it.
    fn closes_within(&mut self, patience: Duration) -> bool {
        let stream = &mut self.secured.stream;
        self.runtime.block_on(async {
            let said = tokio::time::timeout(patience, stream.read(&mut [0])).await;
            matches!(said, Ok(Ok(0) | Err(_)))
        })
    }
}

#[test]
fn a_server_of_the_sdk_closes_what_a_denied_client_has_open_and_nothing_else() {
    let scene = Scene::new();
    let (_users, address) = scene.users_api("127.0.0.1:1".parse().unwrap());
    let (gateway, billing) = (scene.identity("gateway"), scene.identity("billing"));
    let mut denied = Open::to(address, &gateway, &scene.runtime);
    let mut other = Open::to(address, &billing, &scene.runtime);
    assert!(denied.ask() && other.ask());
    scene.revoke("gateway");
    assert!(denied.closes_within(SECONDS), "the denied client's connection is open");
    assert!(other.ask(), "somebody else's connection was closed");
    // The identity has a new certificate by now, and is let in again.
    eventually(PATIENCE, || Some(()).filter(|()| gateway.status().renewals.done > 0));
    assert!(Open::to(address, &gateway, &scene.runtime).ask());
}

#[test]
fn a_client_of_the_sdk_does_not_wait_for_the_answer_of_a_denied_server() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_users, address) = scene.users_api(listener.local_addr().unwrap());
    let gateway = scene.identity("gateway");
    let (heard, hears) = mpsc::channel();
    silent_notifications(&scene, listener, heard);
    let mut asked = Open::to(address, &gateway, &scene.runtime);
    let body = r#"{"name":"ada","email":"ada@example.com"}"#;
    let length = body.len();
    let request = format!(
        "POST /users HTTP/1.1\r\nhost: users-api\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    scene.runtime.block_on(asked.secured.stream.write_all(request.as_bytes())).unwrap();
    hears.recv_timeout(PATIENCE).expect("the notifications are called");
    scene.revoke("notifications");
    let answer = scene.runtime.block_on(async {
        let mut bytes = [0; 1_024];
        let read = tokio::time::timeout(SECONDS, asked.secured.stream.read(&mut bytes)).await;
        String::from_utf8_lossy(&bytes[..read.expect("the users API still waits").unwrap()]).into_owned()
    });
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
}

#[test]
fn reqwest_follows_the_identity_and_believes_nobody_else() {
    let scene = Scene::new();
    let (_users, address) = scene.users_api("127.0.0.1:1".parse().unwrap());
    let (gateway, url) = (scene.identity("gateway"), format!("https://{address}/users"));
    let clients = |expected: &str| MeshReqwest::to(gateway.clone(), Whom::service(id(expected).parse().unwrap()));
    let ask = |clients: &MeshReqwest, url: &str| {
        let (client, url) = (clients.client().unwrap(), url.to_owned());
        scene.runtime.block_on(async move { client.get(url).send().await.map(|answer| answer.status().as_u16()) })
    };
    let users = clients("users-api");
    assert_eq!(ask(&users, &url).unwrap(), 200);
    for _ in 0..3 {
        scene.runtime.block_on(gateway.renew()).unwrap();
        assert_eq!(ask(&users, &url).unwrap(), 200);
    }
    // Nobody calls without TLS, and whoever else answers is refused, counted and named.
    assert!(ask(&users, &url.replace("https", "http")).is_err());
    let refused = ask(&clients("notifications"), &url).unwrap_err();
    assert!(sdk::report(&refused).contains(&id("users-api")), "{}", sdk::report(&refused));
    let counted = gateway.refusals();
    assert!(counted.contains(&(Side::Client, "unwelcome", 1)), "{counted:?}");
    // By the host of the address: it is an address, and the certificate has names.
    assert!(ask(&MeshReqwest::by_host(gateway.clone()), &url).is_err());
    // Without its API key it cannot replace a certificate that is denied.
    scene.take_key();
    scene.revoke("gateway");
    eventually(SECONDS, || ask(&users, &url).err());
}

/// Notifications that hear every request and answer none.
fn silent_notifications(scene: &Scene, listener: TcpListener, heard: mpsc::Sender<()>) {
    let identity = scene.identity("notifications");
    listener.set_nonblocking(true).unwrap();
    scene.runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut open = Vec::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut secured) = identity.accept(stream, &Whom::AnyService).await else { continue };
            if secured.stream.read(&mut [0; 1_024]).await.is_ok_and(|read| read > 0) {
                heard.send(()).unwrap();
            }
            open.push(secured);
        }
    });
}

#[test]
fn agents_close_what_a_denied_peer_has_open_and_count_it() {
    for denied in ["gateway", "notifications"] {
        let scene = Scene::new();
        let app = TcpListener::bind("127.0.0.1:0").unwrap();
        let allow = id("gateway");
        let inbound = format!(
            "[[inbound]]\nname = \"app\"\nlisten = \"127.0.0.1:0\"\nforward = \"{}\"\nallow = [\"{allow}\"]\n",
            app.local_addr().unwrap()
        );
        let (_beside, address, beside) = scene.agent("notifications", &inbound);
        let expect = id("notifications");
        let outbound = format!(
            "[[outbound]]\nname = \"app\"\nlisten = \"127.0.0.1:0\"\nconnect = \"{address}\"\nexpect = [\"{expect}\"]\n"
        );
        let (_caller, address, caller) = scene.agent("gateway", &outbound);
        std::thread::spawn(move || echo(&app));
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(SECONDS)).unwrap();
        assert_eq!(said(&mut stream), b"ping");
        scene.revoke(denied);
        let began = Instant::now();
        let closed = matches!(stream.read(&mut [0]), Ok(0));
        assert!(closed && began.elapsed() < SECONDS, "the connection of {denied} is open");
        // Whoever is beside the one that is denied has closed it.
        let (status, direction) = if denied == "gateway" { (&beside, "inbound") } else { (&caller, "outbound") };
        let counted =
            format!("qapi_agent_failures_total{{direction=\"{direction}\",port=\"app\",reason=\"disbelieved\"}} 1");
        eventually(PATIENCE, || Some(()).filter(|()| status.get("/metrics").expect(200).text().contains(&counted)));
        // With its next certificate it is welcome again.
        eventually(PATIENCE, || {
            let mut stream = TcpStream::connect(&address).ok()?;
            stream.set_read_timeout(Some(SECONDS)).ok()?;
            (said(&mut stream) == b"ping").then_some(())
        });
    }
}

fn echo(listener: &TcpListener) {
    for stream in listener.incoming().map_while(Result::ok) {
        std::thread::spawn(move || {
            let (mut from, mut to) = (&stream, &stream);
            std::io::copy(&mut from, &mut to)
        });
    }
}

/// What comes back of a word.
fn said(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = [0; 4];
    if stream.write_all(b"ping").and_then(|()| stream.read_exact(&mut bytes)).is_err() {
        return Vec::new();
    }
    bytes.to_vec()
}
