//! The listener for services: OpenSSL and our SDK renew certificates there, and get nothing else.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::tools::tool;
use crate::binaries::binary;
use crate::client::{Answer, Client};
use crate::installation::{Engine, Installation};
use crate::postgres::Postgres;
use crate::program::{both, succeed};
use crate::running::Running;
use crate::server::{Lines, Server, eventually, list};

const PATIENCE: Duration = Duration::from_secs(20);
/// Within so many seconds a revoked certificate is refused, on a machine that is busy with other tests.
const SECONDS: Duration = Duration::from_secs(20);
/// How long a revocation may take on every replica: the promised second, and one for a machine that is busy with other tests.
const EVERYWHERE: Duration = Duration::from_secs(2);
const RENEW: &str = "/api/v1/certificates/renew";
const STRONG: &[&str] = &["-tls1_3", "-groups", "X25519MLKEM768"];

struct Scene {
    server: Server,
    folder: tempfile::TempDir,
    address: String,
}

/// A service by its files.
struct Service {
    id: String,
    certificate: PathBuf,
    key: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::of(Server::start_dev_with(&folder.path().join("data"), &["--mtls-listen", "127.0.0.1:0"]), folder)
    }

    fn of(server: Server, folder: tempfile::TempDir) -> Self {
        let announced = server.stdout.wait_for("mtls https://", PATIENCE).expect("the listener is announced");
        let anchor = server.client().anonymous().get("/api/v1/ca/certificate").expect(200).text();
        std::fs::write(folder.path().join("anchor.pem"), anchor).unwrap();
        Self { address: announced.trim().to_owned(), server, folder }
    }

    /// A new key of OpenSSL's, and the request for it.
    fn request(&self, file: &str, name: &str) -> (PathBuf, String) {
        let key = self.folder.path().join(format!("{file}.key"));
        let request = self.folder.path().join(format!("{file}.csr"));
        let mut command = tool("openssl");
        command.args(["req", "-new", "-newkey", "ML-DSA-65", "-nodes", "-config", "/dev/null"]);
        command.args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName=DNS:{name}")]);
        succeed(command.arg("-keyout").arg(&key).arg("-out").arg(&request));
        (key, std::fs::read_to_string(&request).unwrap())
    }

    /// A service whose first certificate came by an API key.
    fn service(&self, client: &Client, name: &str) -> Service {
        let (key, csr) = self.request(name, name);
        let issued = client.post("/api/v1/certificates", &json!({ "csr": csr })).expect(201).json();
        self.keep(name, key, &issued)
    }

    fn keep(&self, file: &str, key: PathBuf, issued: &Value) -> Service {
        let certificate = self.folder.path().join(format!("{file}.pem"));
        std::fs::write(&certificate, issued["certificate"].as_str().unwrap()).unwrap();
        Service { id: issued["id"].as_str().unwrap().to_owned(), certificate, key }
    }

    /// One request of OpenSSL's; what it said when no answer came.
    fn ask(&self, who: Option<&Service>, tls: &[&str], head: &str, body: &str) -> Result<Answer, String> {
        let mut command = tool("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost"]).args(tls);
        command.args(["-connect", &self.address, "-CAfile"]).arg(self.folder.path().join("anchor.pem"));
        if let Some(who) = who {
            command.arg("-cert").arg(&who.certificate).arg("-key").arg(&who.key);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("openssl runs");
        let request = format!(
            "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Api-Key: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.server.admin_key(),
            body.len()
        );
        // A client that was refused may be gone before it is told what to ask.
        let _gone = child.stdin.take().expect("a pipe").write_all(request.as_bytes());
        let output = child.wait_with_output().expect("openssl ends");
        let start = output.stdout.windows(5).position(|window| window == b"HTTP/").ok_or_else(|| both(&output))?;
        Answer::parse(&output.stdout[start..], head.to_owned()).ok_or_else(|| both(&output))
    }

    #[track_caller]
    fn asked(&self, who: &Service, head: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(Some(who), STRONG, head, &body).unwrap_or_else(|said| panic!("{head} has no answer: {said}"))
    }

    #[track_caller]
    fn renew(&self, who: &Service, file: &str, name: &str) -> Service {
        let (key, csr) = self.request(file, name);
        let renewed = self.asked(who, &format!("POST {RENEW}"), &json!({ "csr": csr })).expect(201).json();
        self.keep(file, key, &renewed)
    }
}

#[test]
fn a_service_renews_by_its_certificate_and_is_named_in_the_trail() {
    let scene = Scene::new();
    let admin = scene.server.client();
    let first = scene.service(&admin, "users-api");
    let second = scene.renew(&first, "users-api-2", "users-api");
    let third = scene.renew(&second, "users-api-3", "users-api");
    let names = |service: &Service| {
        let shown = admin.get(&format!("/api/v1/certificates/{}", service.id)).expect(200).json();
        shown["subjectAlternativeNames"].clone()
    };
    assert_eq!(names(&first), names(&third));
    eventually(PATIENCE, || {
        let log = admin.get("/api/v1/audit-logs").expect(200).json();
        let by_itself = json!("spiffe://qapi.internal/ns/default/sa/users-api");
        let renewed = list(&log, "items").iter().filter(|event| event["action"] == "CertificateRenewed");
        let actors: Vec<_> = renewed.map(|event| event["actor"].clone()).collect();
        (actors == [by_itself.clone(), by_itself]).then_some(())
    });
    let metrics = scene.server.metrics();
    let counted = r#"qapi_tls_handshakes_total{certificate="ML-DSA-65",group="X25519MLKEM768"}"#;
    assert!(metrics.contains(counted), "{metrics}");
}

/// The first certificate of a name makes its authority certify itself anew. Whoever has it may be at the door at once, and find
/// it open: twenty times in a row, because it took a moment to follow once.
#[test]
fn a_service_whose_name_is_new_is_let_in_at_once() {
    let scene = Scene::new();
    let admin = scene.server.client();
    for place in 0..20 {
        let (name, file) = (format!("new-{place}"), format!("new-{place}-2"));
        let own = scene.service(&admin, &name);
        scene.renew(&own, &file, &name);
    }
    let refused = scene.server.metrics();
    assert!(!refused.contains("qapi_tls_refused_handshakes_total{"), "{refused}");
}

#[test]
fn a_certificate_is_good_for_its_own_renewal_and_for_what_anybody_may_read() {
    let scene = Scene::new();
    let admin = scene.server.client();
    let (own, other) = (scene.service(&admin, "users-api"), scene.service(&admin, "orders-api"));
    let (_, foreign) = scene.request("foreign", "orders-api");
    let renew = format!("POST {RENEW}");
    scene.asked(&own, &renew, &json!({ "csr": foreign })).refused(403, "name_not_allowed");
    assert_eq!(scene.asked(&own, &renew, &json!({})).status, 400, "no key is made for a service");
    // Each of these comes with an administrator's API key, which is not looked at here.
    for head in [
        format!("POST /api/v1/certificates/{}/renew", other.id),
        format!("POST /api/v1/certificates/{}/renew", own.id),
        format!("POST /api/v1/certificates/{}/revoke", other.id),
        "POST /api/v1/certificates".to_owned(),
        "GET /api/v1/certificates".to_owned(),
        "GET /api/v1/secrets".to_owned(),
        "POST /api/v1/encrypt".to_owned(),
        "POST /operator/seal".to_owned(),
        "GET /nowhere".to_owned(),
    ] {
        scene.asked(&own, &head, &Value::Null).refused(403, "forbidden");
    }
    for path in ["/health", "/health/live", "/api/v1/ca/bundle", "/api/v1/ca/certificate"] {
        scene.asked(&own, &format!("GET {path}"), &Value::Null).expect(200);
    }
    admin.post(RENEW, &json!({ "csr": foreign })).refused(401, "unauthorized");
}

#[test]
fn who_has_no_certificate_or_no_hybrid_group_is_not_let_in() {
    let scene = Scene::new();
    let own = scene.service(&scene.server.client(), "users-api");
    let foreign = self_signed(&scene);
    let bundle = "GET /api/v1/ca/bundle";
    assert!(scene.ask(Some(&own), STRONG, bundle, "").is_ok());
    for (who, tls, reason) in [
        (None, STRONG, "no_certificate"),
        (Some(&foreign), STRONG, "unknown_trust_domain"),
        (Some(&own), &["-tls1_3", "-groups", "X25519"][..], "group"),
        (Some(&own), &["-tls1_2"][..], "version"),
    ] {
        let refused = scene.ask(who, tls, bundle, "");
        assert!(refused.is_err(), "{tls:?} is let in");
        let counted = format!("qapi_tls_refused_handshakes_total{{reason=\"{reason}\"}}");
        let metrics = scene.server.metrics();
        assert!(metrics.contains(&counted), "{tls:?}: no {reason} in {metrics}");
    }
}

fn self_signed(scene: &Scene) -> Service {
    let file = |name: &str| scene.folder.path().join(name);
    let mut command = tool("openssl");
    command.args(["req", "-x509", "-newkey", "ML-DSA-65", "-nodes", "-config", "/dev/null", "-subj", "/CN=users-api"]);
    command.args(["-addext", "subjectAltName=URI:spiffe://elsewhere/ns/default/sa/users-api"]);
    succeed(command.arg("-keyout").arg(file("foreign.key")).arg("-out").arg(file("foreign.pem")));
    Service { id: String::new(), certificate: file("foreign.pem"), key: file("foreign.key") }
}

#[test]
fn a_denied_certificate_is_refused_from_then_on() {
    let scene = Scene::new();
    let admin = scene.server.client();
    let own = scene.service(&admin, "users-api");
    scene.asked(&own, "GET /health", &Value::Null).expect(200);
    admin.post(&format!("/api/v1/certificates/{}/revoke", own.id), &json!({})).expect(200);
    assert!(scene.ask(Some(&own), STRONG, "GET /health", "").is_err(), "a denied certificate is let in");
    let metrics = scene.server.metrics();
    assert!(metrics.contains(r#"qapi_tls_refused_handshakes_total{reason="denied"}"#), "{metrics}");
}

#[test]
fn what_a_denied_service_has_open_is_closed_and_nobody_elses() {
    let scene = Scene::new();
    let admin = scene.server.client();
    let services = [scene.service(&admin, "users-api"), scene.service(&admin, "orders-api")];
    let [mut denied, mut other] = services.each_ref().map(|service| Held::open(&scene, service));
    assert!(denied.ask() && other.ask());
    admin.post(&format!("/api/v1/certificates/{}/revoke", services[0].id), &json!({})).expect(200);
    eventually(SECONDS, || denied.openssl.try_wait().expect("openssl can be waited for"));
    assert!(other.ask(), "another service's connection was closed");
}

/// A connection of OpenSSL's that stays open.
struct Held {
    openssl: Child,
    said: Lines,
    answers: usize,
}

impl Held {
    fn open(scene: &Scene, who: &Service) -> Self {
        let mut command = tool("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-connect", &scene.address, "-CAfile"]);
        command
            .arg(scene.folder.path().join("anchor.pem"))
            .arg("-cert")
            .arg(&who.certificate)
            .arg("-key")
            .arg(&who.key);
        command.args(STRONG).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut openssl = command.spawn().expect("openssl runs");
        let said = Lines::collect(openssl.stdout.take().expect("a pipe"));
        Self { openssl, said, answers: 0 }
    }

    /// One request more; whether it was answered.
    fn ask(&mut self) -> bool {
        let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let sent = self.openssl.stdin.as_mut().expect("a pipe").write_all(request);
        self.answers += 1;
        let deadline = Instant::now() + PATIENCE;
        while sent.is_ok() && Instant::now() < deadline {
            if self.said.text().matches("HTTP/1.1 200").count() == self.answers {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.openssl.kill();
        let _ = self.openssl.wait();
    }
}

#[test]
fn a_tenants_services_come_in_until_it_is_suspended() {
    let scene = Scene::new();
    let (platform, tenant) = (scene.server.client(), scene.server.tenant("shop"));
    // Its trust domain is not its own: who signed decides whose service it is.
    tenant.patch("/api/v1/ca/policy", &json!({ "trustDomain": "qapi.internal" })).expect(200);
    scene.service(&platform, "orders-api");
    let own = scene.service(&tenant, "users-api");
    let renewed = scene.renew(&own, "users-api-2", "users-api");
    tenant.get(&format!("/api/v1/certificates/{}", renewed.id)).expect(200);
    platform.get(&format!("/api/v1/certificates/{}", renewed.id)).refused(404, "not_found");
    let tenants = platform.get("/api/v1/tenants").expect(200).json();
    let shop = list(&tenants, "tenants").iter().find(|tenant| tenant["slug"] == "shop").expect("the tenant");
    platform.post(&format!("/api/v1/tenants/{}/suspend", shop["id"].as_str().unwrap()), &json!({})).expect(200);
    eventually(SECONDS, || scene.ask(Some(&renewed), STRONG, "GET /health", "").err());
}

/// Two servers on one database, each with a door of its own.
struct Replicas {
    scenes: [Scene; 2],
    _installation: Installation,
    _postgres: Postgres,
}

impl Replicas {
    fn start() -> Self {
        let postgres = Postgres::start();
        let installation = Installation::unattended(&Engine::Postgres(postgres.url("qapi")));
        let mut config = std::fs::read_to_string(installation.config()).unwrap();
        config.push_str("[tls]\nlisten = \"127.0.0.1:0\"\nmtls_listen = \"127.0.0.1:0\"\nnames = [\"localhost\"]\n");
        std::fs::write(installation.config(), config).unwrap();
        let scenes = [(), ()].map(|()| Scene::of(installation.serve(), tempfile::tempdir().unwrap()));
        Self { scenes, _installation: installation, _postgres: postgres }
    }
}

#[test]
fn replicas_let_each_others_services_in_and_close_a_denied_ones_connections_within_a_second() {
    let replicas = Replicas::start();
    let [first, second] = &replicas.scenes;
    let admin = first.server.client();
    for round in 0..3 {
        let name = format!("users-{round}");
        let own = first.service(&admin, &name);
        let own = second.renew(&own, &format!("{name}-2"), &name);
        let own = first.renew(&own, &format!("{name}-3"), &name);
        let mut held = [first, second].map(|scene| Held::open(scene, &own));
        assert!(held.iter_mut().all(Held::ask));
        second.server.client().post(&format!("/api/v1/certificates/{}/revoke", own.id), &json!({})).expect(200);
        let revoked = Instant::now();
        for (held, place) in held.iter_mut().zip(["first", "second"]) {
            while held.openssl.try_wait().unwrap().is_none() {
                assert!(revoked.elapsed() < EVERYWHERE, "the {place} replica keeps a denied service's connection");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        for scene in [first, second] {
            assert!(scene.ask(Some(&own), STRONG, "GET /health", "").is_err(), "a denied service is let in");
        }
    }
}

#[test]
fn the_agent_renews_by_its_certificate_when_its_key_is_gone() {
    let scene = Scene::new();
    let admin = scene.server.client();
    let made = admin.post("/api/v1/api-keys", &json!({"name": "first", "scopes": ["certificates:write"]})).expect(201);
    std::fs::write(scene.folder.path().join("key"), made.text_of("key")).unwrap();
    let config = scene.folder.path().join("agent.toml");
    let text = format!(
        "[platform]\nurl = \"{}\"\nmtls_url = \"https://localhost:{}\"\nkey_file = \"{}\"\n\
         [identity]\nservice_name = \"orders-api\"\n[status]\nlisten = \"127.0.0.1:0\"\n\
         [[inbound]]\nname = \"app\"\nlisten = \"127.0.0.1:0\"\nforward = \"127.0.0.1:1\"\nallow = [\"spiffe://qapi.internal/ns/edge/sa/gateway\"]\n",
        scene.server.base_url(),
        scene.address.rsplit_once(':').unwrap().1,
        scene.folder.path().join("key").display()
    );
    std::fs::write(&config, text).unwrap();
    let mut agent = Running::start(Command::new(binary("qapi-agent")).arg("--config").arg(config));
    let status = Client::new(&format!("http://{}", agent.announced("ready ")), None);
    admin.post(&format!("/api/v1/api-keys/{}/revoke", made.text_of("id")), &json!({})).expect(200);
    for renewals in ["qapi_identity_renewals_total 1", "qapi_identity_renewals_total 2"] {
        agent.signal("USR1");
        eventually(PATIENCE, || Some(()).filter(|()| status.get("/metrics").expect(200).text().contains(renewals)));
    }
    status.get("/health/ready").expect(200);
    let by_itself = json!("spiffe://qapi.internal/ns/default/sa/orders-api");
    eventually(PATIENCE, || {
        let log = admin.get("/api/v1/audit-logs").expect(200).json();
        let renewed = list(&log, "items").iter().filter(|event| event["action"] == "CertificateRenewed");
        let actors: Vec<_> = renewed.map(|event| event["actor"].clone()).collect();
        (actors == [by_itself.clone(), by_itself.clone()]).then_some(())
    });
    // Denied, it has neither certificate nor key to ask with: not ready, and it says so instead of ending.
    let listed = admin.get("/api/v1/certificates?search=orders-api&status=active").expect(200).json();
    for certificate in list(&listed, "certificates") {
        admin
            .post(&format!("/api/v1/certificates/{}/revoke", certificate["id"].as_str().unwrap()), &json!({}))
            .expect(200);
    }
    eventually(PATIENCE, || Some(()).filter(|()| status.get("/health/ready").status == 503));
    assert!(agent.stop().success());
}

#[test]
fn an_identity_of_the_sdk_renews_without_its_api_key() {
    let scene = Scene::new();
    for (client, slug) in [(scene.server.client(), None), (scene.server.tenant("shop"), Some("shop"))] {
        let body = json!({"name": "first", "scopes": ["certificates:write"]});
        let made = client.post("/api/v1/api-keys", &body).expect(201);
        let access = sdk::Config::new(scene.server.base_url())
            .with_key(&made.text_of("key"))
            .with_mtls_url(format!("https://localhost:{}", scene.address.rsplit_once(':').unwrap().1));
        let mut wanted = sdk::identity::Wanted::new("orders-api").unwrap();
        if let Some(slug) = slug {
            wanted = wanted.of_tenant(slug);
        }
        let revoked = || client.post(&format!("/api/v1/api-keys/{}/revoke", made.text_of("id")), &json!({}));
        renews(access, wanted, &client, &|| drop(revoked()));
    }
}

#[test]
fn an_identity_that_cannot_renew_by_its_certificate_asks_with_its_key() {
    let server = Server::start_dev();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let access = sdk::Config::new(server.base_url())
        .with_key(server.admin_key())
        .with_mtls_url(format!("https://localhost:{}", nobody.port()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let wanted = sdk::identity::Wanted::new("orders-api").unwrap();
    runtime.block_on(async {
        let identity = sdk::identity::ServiceIdentity::start(wanted, access).await.unwrap();
        let first = identity.status().serial_number;
        identity.renew().await.unwrap();
        assert_ne!(first, identity.status().serial_number);
    });
}

/// The API key is taken away after the first certificate; then the certificate is.
fn renews(access: sdk::Config, wanted: sdk::identity::Wanted, admin: &Client, take_key: &dyn Fn()) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let identity = runtime.block_on(sdk::identity::ServiceIdentity::start(wanted, access)).unwrap();
    take_key();
    let first = identity.status().serial_number;
    runtime.block_on(identity.renew()).unwrap();
    let second = identity.status().serial_number;
    assert_ne!(first, second);
    runtime.block_on(identity.renew()).unwrap();
    let third = identity.status().serial_number;
    assert_ne!(second, third);
    let listed = admin.get("/api/v1/certificates").expect(200).json();
    let current = list(&listed, "certificates").iter().find(|one| one["serialNumber"] == third.as_str());
    let id = current.expect("the newest certificate is listed")["id"].as_str().unwrap();
    admin.post(&format!("/api/v1/certificates/{id}/revoke"), &json!({})).expect(200);
    eventually(SECONDS, || runtime.block_on(identity.renew()).err());
}
