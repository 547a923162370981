//! Services that know each other: over the SDK, and beside the agent. Real processes, a real authority, plain programs behind.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::binaries::binary;
use crate::client::Client;
use crate::program::succeed;
use crate::running::Running;
use crate::server::{Server, eventually, list};

const PATIENCE: Duration = Duration::from_secs(20);
const DOMAIN: &str = "qapi.internal";

/// A program of one of the two kinds, with what it announced.
struct Service {
    process: Running,
    address: String,
    status: Client,
}

/// A platform and a folder for configurations.
struct Scene {
    server: Server,
    folder: tempfile::TempDir,
    key: String,
}

fn id(name: &str) -> String {
    format!("spiffe://{DOMAIN}/ns/users/sa/{name}")
}

impl Scene {
    fn new() -> Self {
        let server = Server::start_dev();
        let key = server.key(&["certificates:write"], &[]).key().to_owned();
        Self { server, folder: tempfile::tempdir().unwrap(), key }
    }

    /// One of the example services.
    fn example(&self, program: &str, variables: &[(&str, &str)]) -> Service {
        let mut command = Command::new(binary(program));
        command
            .env("QUANTUMAPI_BASE_URL", self.server.base_url())
            .env("QUANTUMAPI_KEY", &self.key)
            .env("SERVICE_NAME", program)
            .env("SERVICE_NAMESPACE", "users")
            .env("LISTEN", "127.0.0.1:0")
            .env("HEALTH_LISTEN", "127.0.0.1:0")
            .envs(variables.iter().copied());
        let process = Running::start(&mut command);
        let ready = process.announced("ready ");
        let (address, health) = ready.split_once(" health ").expect("both addresses");
        let status = Client::new(&format!("http://{health}"), None);
        status.get("/health/ready").expect(200);
        Service { address: address.to_owned(), status, process }
    }

    /// An agent as a service of this name, with the ports of `sections`.
    fn agent(&self, name: &str, sections: &str) -> Service {
        let config = self.agent_config(name, sections);
        let port = if sections.contains("[[outbound]]") { "outbound app " } else { "inbound app " };
        start_agent(&config, port)
    }

    fn agent_config(&self, name: &str, sections: &str) -> PathBuf {
        let key = self.folder.path().join("key");
        std::fs::write(&key, &self.key).unwrap();
        let config = self.folder.path().join(format!("{name}.toml"));
        let text = format!(
            "[platform]\nurl = \"{}\"\nkey_file = \"{}\"\n[identity]\nservice_name = \"{name}\"\nnamespace = \"users\"\n\
             [status]\nlisten = \"127.0.0.1:0\"\n{sections}",
            self.server.base_url(),
            key.display()
        );
        std::fs::write(&config, text).unwrap();
        config
    }
}

fn start_agent(config: &Path, port: &str) -> Service {
    let process = Running::start(Command::new(binary("qapi-agent")).arg("--config").arg(config));
    let status = process.announced("ready ");
    let address = if port.is_empty() { String::new() } else { process.announced(port) };
    Service { address, status: Client::new(&format!("http://{status}"), None), process }
}

fn inbound(forward: SocketAddr, allow: &[&str]) -> String {
    let allow: Vec<_> = allow.iter().map(|name| id(name)).collect();
    format!("[[inbound]]\nname = \"app\"\nlisten = \"127.0.0.1:0\"\nforward = \"{forward}\"\nallow = {allow:?}\n")
}

fn outbound(to: &str, expect: &str) -> String {
    let expect = id(expect);
    format!("[[outbound]]\nname = \"app\"\nlisten = \"127.0.0.1:0\"\nconnect = \"{to}\"\nexpect = [\"{expect}\"]\n")
}

/// A plain HTTP program on loopback, which accepts every message.
struct Plain {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Plain {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let ears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), ears) = (stream, Arc::clone(&ears)) else { return };
                std::thread::spawn(move || {
                    let request = whole_request(&mut stream);
                    ears.lock().unwrap().push(request);
                    let answer = "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
                    // A client that went away wants no answer.
                    let _ = stream.write_all(answer.as_bytes());
                });
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().concat()
    }
}

/// Head and body, as far as they come.
fn whole_request(stream: &mut TcpStream) -> String {
    let (mut text, mut bytes) = (String::new(), [0; 8_192]);
    while let Ok(read @ 1..) = stream.read(&mut bytes) {
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break;
        }
    }
    text
}

fn ada() -> Value {
    json!({"name": "ada", "email": "ada@example.com"})
}

fn http(address: &str) -> Client {
    Client::new(&format!("http://{address}"), None)
}

#[test]
fn the_reference_system_serves_a_user_over_three_services() {
    let scene = Scene::new();
    let notifications = scene.example("notifications", &[("ALLOW", &id("users-api"))]);
    let upstream = format!("https://{}", notifications.address);
    let allow = format!("{},{}", id("gateway"), id("notifications"));
    let users =
        scene.example("users-api", &[("ALLOW", &allow), ("UPSTREAM", &upstream), ("EXPECT", &id("notifications"))]);
    let upstream = format!("https://{}", users.address);
    let gateway = scene.example("gateway", &[("UPSTREAM", &upstream), ("EXPECT", &id("users-api"))]);
    let outside = http(&gateway.address);
    outside.post("/users", &ada()).expect(201);
    assert_eq!(outside.get("/users/ada").expect(200).text_of("email"), "ada@example.com");
    assert!(notifications.process.text().contains(&id("users-api")), "{}", notifications.process.text());

    // The gateway knows its way to the notifications too, and is not welcome there.
    let upstream = format!("https://{}", notifications.address);
    let stray = scene.example("gateway", &[("UPSTREAM", &upstream), ("EXPECT", &id("notifications"))]);
    http(&stray.address).get("/users").expect(502);
    assert!(notifications.process.text().contains("unwelcome"), "{}", notifications.process.text());
}

#[test]
fn a_service_with_the_sdk_and_one_beside_the_agent_talk_both_ways() {
    let scene = Scene::new();
    let app = Plain::start();
    let beside = scene.agent("notifications", &inbound(app.address, &["users-api"]));
    let upstream = format!("https://{}", beside.address);
    let allow = format!("{},{}", id("gateway"), id("notifications"));
    let users =
        scene.example("users-api", &[("ALLOW", &allow), ("UPSTREAM", &upstream), ("EXPECT", &id("notifications"))]);
    let to_users = scene.agent("gateway", &outbound(&users.address, "users-api"));
    http(&to_users.address).post("/users", &ada()).expect(201);
    assert!(app.heard().contains("ada@example.com"), "{}", app.heard());
    assert_eq!(http(&to_users.address).get("/users/ada").expect(200).text_of("email"), "ada@example.com");

    // Who answers as somebody else, or does not want us, is a 503 that says why.
    let mistaken = scene.agent("stranger", &outbound(&users.address, "billing"));
    let refused = http(&mistaken.address).get("/users").expect(503).text();
    assert!(refused.contains(&id("users-api")), "{refused}");
    let stranger = scene.agent("stranger", &outbound(&users.address, "users-api"));
    let refused = http(&stranger.address).get("/users").expect(503).text();
    assert!(refused.contains("refused with the alert"), "{refused}");
    let nowhere = scene.agent("stranger", &outbound("127.0.0.1:1", "users-api"));
    http(&nowhere.address).get("/users").expect(503);

    let metrics = stranger.status.get("/metrics").expect(200).text();
    let failures = "qapi_agent_failures_total{direction=\"outbound\",port=\"app\",reason=\"refused_by_peer\"} 1";
    assert!(metrics.contains(failures), "{metrics}");
    assert!(metrics.contains("qapi_identity_ready 1"), "{metrics}");
    beside.status.get("/health/ready").expect(200);
}

#[test]
fn a_killed_agent_starts_again_and_leaves_no_key_behind() {
    let scene = Scene::new();
    let app = Plain::start();
    let beside = scene.agent("notifications", &inbound(app.address, &["gateway"]));
    let config = scene.agent_config("gateway", &outbound(&beside.address, "notifications"));
    let mut caller = start_agent(&config, "outbound app ");
    http(&caller.address).get("/").expect(202);
    for _ in 0..3 {
        caller.process.kill();
        caller = start_agent(&config, "outbound app ");
        http(&caller.address).get("/").expect(202);
    }
    let files = std::fs::read_dir(scene.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"PRIVATE KEY"), "{}", file.display());
    }
    assert!(caller.process.stop().success(), "a stop that was asked for is no failure");
}

#[test]
fn a_revoked_certificate_is_refused_within_seconds_and_replaced() {
    let scene = Scene::new();
    let app = Plain::start();
    let beside = scene.agent("notifications", &inbound(app.address, &["gateway"]));
    let caller = scene.agent("gateway", &outbound(&beside.address, "notifications"));
    http(&caller.address).get("/").expect(202);
    let admin = scene.server.client();
    let certificates = admin.get("/api/v1/certificates?search=gateway").expect(200).json();
    let certificate = list(&certificates, "certificates")[0]["id"].as_str().unwrap().to_owned();
    admin.post(&format!("/api/v1/certificates/{certificate}/revoke"), &json!({"reason": "keyCompromise"})).expect(200);
    // The peer has the deny list, and the agent whose certificate it was has another one.
    eventually(PATIENCE, || beside.metric("qapi_trust_bundle_denied").filter(|denied| *denied == 1.0));
    eventually(PATIENCE, || caller.metric("qapi_identity_renewals_total").filter(|renewals| *renewals >= 1.0));
    http(&caller.address).get("/").expect(202);
}

#[test]
fn a_rotated_authority_costs_no_request() {
    let scene = Scene::new();
    let app = Plain::start();
    let beside = scene.agent("notifications", &inbound(app.address, &["gateway"]));
    let caller = scene.agent("gateway", &outbound(&beside.address, "notifications"));
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let traffic = std::thread::spawn({
        let (stop, served, client) = (Arc::clone(&stop), Arc::clone(&served), http(&caller.address));
        move || {
            while !stop.load(Ordering::Relaxed) {
                client.get("/").expect(202);
                served.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let admin = scene.server.client();
    let authorities = admin.get("/api/v1/cas").expect(200).json();
    let issuing = list(&authorities, "cas").iter().find(|authority| authority["kind"] == "issuing").unwrap();
    let rotate = format!("/api/v1/cas/{}/rotate", issuing["id"].as_str().unwrap());
    let before = beside.metric("qapi_trust_bundle_sequence").unwrap();
    admin.post(&rotate, &json!({"leadSeconds": 2})).expect(200);
    eventually(PATIENCE, || beside.metric("qapi_trust_bundle_sequence").filter(|sequence| *sequence > before));
    // A service that comes after the change has a certificate of the successor, and is understood by those before it.
    eventually(PATIENCE, || {
        let authorities = admin.get("/api/v1/cas").expect(200).json();
        let successor = |authority: &Value| authority["generation"] == 2 && authority["status"] == "active";
        list(&authorities, "cas").iter().any(successor).then_some(())
    });
    let late = scene.agent("gateway", &outbound(&beside.address, "notifications"));
    http(&late.address).get("/").expect(202);
    let already = served.load(Ordering::Relaxed);
    eventually(PATIENCE, || (served.load(Ordering::Relaxed) > already + 20).then_some(()));
    stop.store(true, Ordering::Relaxed);
    traffic.join().expect("no request failed");
}

#[test]
fn a_fleet_changes_all_its_certificates_while_it_is_asked_and_no_request_fails() {
    let scene = Scene::new();
    let mut fleet = Command::new(binary("rotation"));
    fleet.arg("20").env("QUANTUMAPI_BASE_URL", scene.server.base_url()).env("QUANTUMAPI_KEY", &scene.key);
    let told = succeed(&mut fleet);
    assert!(told.starts_with("rotation: 20 identities, 20 renewed in "), "{told}");
    assert!(told.ends_with(" requests, 0 failed\n"), "{told}");
}

#[test]
fn files_are_whole_private_and_followed_by_the_reload_program() {
    let scene = Scene::new();
    let keeper = scene.server.key(&["certificates:write", "secrets:read", "secrets:write"], &[]);
    let secret = json!({"name": "users/db", "value": "postgres://one"});
    let made = keeper.post("/api/v1/secrets", &secret).expect(201).text_of("id");
    let scene = Scene { key: keeper.key().to_owned(), ..scene };
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (directory, told) = (memory.path().display(), scene.folder.path().join("told"));
    let sections = format!(
        "[files]\ndirectory = \"{directory}\"\nsecret_max_age_s = 10\nreload = [\"/usr/bin/touch\", \"{}\"]\n\
         [files.secrets]\n\"users/db\" = \"db\"\n",
        told.display()
    );
    let agent = start_agent(&scene.agent_config("edge", &sections), "");
    agent.status.get("/health/ready").expect(200);
    let read = |name: &str| std::fs::read_to_string(memory.path().join(name)).unwrap();
    let identity = read("identity.pem");
    assert_eq!(identity.matches("BEGIN PRIVATE KEY").count(), 1);
    assert!(identity.matches("BEGIN CERTIFICATE").count() >= 1 && read("bundle.pem").contains("BEGIN CERTIFICATE"));
    assert_eq!(read("db"), "postgres://one");
    assert!(told.exists());
    keeper.put(&format!("/api/v1/secrets/{made}/value"), &json!({"value": "postgres://two"})).expect(200);
    eventually(PATIENCE, || (read("db") == "postgres://two").then_some(()));
    let on_disk = sections.replace(&directory.to_string(), &scene.folder.path().join("run").display().to_string());
    let refused =
        Command::new(binary("qapi-agent")).arg("--config").arg(scene.agent_config("edge", &on_disk)).output().unwrap();
    // The temporary folder of a machine may lie in memory itself.
    if !refused.status.success() {
        assert!(String::from_utf8_lossy(&refused.stderr).contains("is not on tmpfs"), "{refused:?}");
    }
}

impl Service {
    /// The value of a metric without labels.
    fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.status.get("/metrics").expect(200).text();
        metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}
