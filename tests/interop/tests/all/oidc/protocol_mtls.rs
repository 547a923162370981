//! Clients that prove who they are by a certificate of the tenant's own authority, and tokens that are bound to it (RFC 8705). OpenSSL is the client.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::provider::{App, Provider, base64url, form, refused};
use crate::binaries::binary;
use crate::client::Answer;
use crate::mesh::tools::tool;
use crate::moved_clock::MovedClock;
use crate::program::{both, succeed};
use crate::server::{Server, eventually};

const PATIENCE: Duration = Duration::from_secs(20);
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

struct Scene {
    provider: Provider,
    folder: tempfile::TempDir,
    address: String,
}

struct Service {
    certificate: PathBuf,
    key: PathBuf,
}

impl Scene {
    fn new() -> Self {
        Self::by(Command::new(binary("qapid")), tempfile::tempdir().unwrap())
    }

    /// With a server that is started by this command.
    fn by(command: Command, folder: tempfile::TempDir) -> Self {
        let listen = ["--mtls-listen", "127.0.0.1:0"];
        let server = Server::start_dev_by(command, &folder.path().join("data"), &listen);
        let announced = server.stdout.wait_for("mtls https://", PATIENCE).expect("the listener is announced");
        let anchor = server.client().anonymous().get("/api/v1/ca/certificate").expect(200).text();
        std::fs::write(folder.path().join("anchor.pem"), anchor).unwrap();
        Self { address: announced.trim().to_owned(), provider: Provider { server }, folder }
    }

    fn service(&self, name: &str) -> Service {
        self.service_for(name, "24h")
    }

    /// A service whose certificate lives so long.
    fn service_for(&self, name: &str, ttl: &str) -> Service {
        let wish = json!({ "commonName": name, "ttl": ttl });
        let issued = self.provider.admin().post("/api/v1/certificates", &wish).expect(201);
        let keep = |what: &str, member: &str| {
            let path = self.folder.path().join(format!("{name}.{what}"));
            std::fs::write(&path, issued.text_of(member)).unwrap();
            path
        };
        let service = Service { certificate: keep("pem", "certificate"), key: keep("key", "privateKey") };
        // A name that is new has made the authority certify itself anew; the listener follows.
        eventually(PATIENCE, || self.ask(&service, "GET /health", "", "").ok());
        service
    }

    fn ask(&self, who: &Service, head: &str, headers: &str, body: &str) -> Result<Answer, String> {
        let mut command = tool("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost", "-tls1_3"]);
        command.args(["-groups", "X25519MLKEM768", "-connect", &self.address, "-CAfile"]);
        command.arg(self.folder.path().join("anchor.pem")).arg("-cert").arg(&who.certificate).arg("-key").arg(&who.key);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("openssl runs");
        let request = format!(
            "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let _gone = child.stdin.take().expect("a pipe").write_all(request.as_bytes());
        let output = child.wait_with_output().expect("openssl ends");
        let start = output.stdout.windows(5).position(|window| window == b"HTTP/").ok_or_else(|| both(&output))?;
        Answer::parse(&output.stdout[start..], head.to_owned()).ok_or_else(|| both(&output))
    }

    #[track_caller]
    fn form(&self, who: &Service, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(who, &format!("POST {path}"), "", &form(fields)).unwrap_or_else(|said| panic!("{path}: {said}"))
    }

    #[track_caller]
    fn userinfo(&self, who: &Service, token: &str) -> Answer {
        let header = format!("Authorization: Bearer {token}\r\n");
        self.ask(who, "GET /oauth2/userinfo", &header, "").unwrap_or_else(|said| panic!("userinfo: {said}"))
    }
}

#[test]
fn mtls_wrong_san_unknown_ca_header_spoofed() {
    let scene = Scene::new();
    let (users, orders) = (scene.service("users-api"), scene.service("orders-api"));
    let app = scene.provider.service(&json!({ "clientAuth": "tls_client_auth", "tlsSan": "users-api" }));
    let id = ("client_id", app.client_id.as_str());
    let issued = scene.form(&users, "/oauth2/token", &[GRANT, id]).expect(200);
    let claims = scene.provider.verified(&issued.text_of("access_token"), "at+jwt");
    assert_eq!(claims["cnf"]["x5t#S256"], thumbprint(&users).as_str());
    refused(&scene.form(&orders, "/oauth2/token", &[GRANT, id]), 401, "invalid_client");
    refused(&scene.form(&users, "/oauth2/token", &[GRANT, id, ("client_secret", "qcs_x")]), 401, "invalid_client");
    // What a header says about certificates nobody believes.
    refused(&scene.provider.form("/oauth2/token", &[GRANT, id]), 401, "invalid_client");
    let pem = std::fs::read_to_string(&users.certificate).unwrap().replace('\n', "%0A");
    for name in ["X-Client-Cert", "X-SSL-Cert", "Client-Cert", "X-Forwarded-Client-Cert"] {
        let request = scene.provider.admin().anonymous().request("POST", "/oauth2/token").header(name, &pem);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").bytes(form(&[GRANT, id]));
        refused(&request.send(), 401, "invalid_client");
    }
    // Another authority's certificate does not get as far as a request.
    let (key, certificate) = (scene.folder.path().join("own.key"), scene.folder.path().join("own.pem"));
    let mut command = tool("openssl");
    command.args(["req", "-x509", "-newkey", "ML-DSA-65", "-nodes", "-config", "/dev/null", "-subj", "/CN=users-api"]);
    succeed(
        command.args(["-addext", "subjectAltName=DNS:users-api", "-keyout"]).arg(&key).arg("-out").arg(&certificate),
    );
    assert!(scene.ask(&Service { certificate, key }, "POST /oauth2/token", "", &form(&[GRANT, id])).is_err());
    let metadata = scene.provider.admin().anonymous().get("/.well-known/openid-configuration").expect(200).json();
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    assert!(metadata["token_endpoint_auth_methods_supported"].to_string().contains("tls_client_auth"));
}

/// The clock moves past the end of one of two certificates, which were both believed before.
#[test]
fn mtls_expired() {
    let folder = tempfile::tempdir().unwrap();
    let clock = MovedClock::new(folder.path());
    let scene = Scene::by(clock.qapid(), folder);
    let (brief, lasting) = (scene.service_for("users-api", "10m"), scene.service("orders-api"));
    let app = |name: &str| scene.provider.service(&json!({ "clientAuth": "tls_client_auth", "tlsSan": name }));
    let (users, orders) = (app("users-api"), app("orders-api"));
    let ask = |who: &Service, app: &App| {
        scene.ask(who, "POST /oauth2/token", "", &form(&[GRANT, ("client_id", &app.client_id)]))
    };
    let token = ask(&brief, &users).unwrap().expect(200).text_of("access_token");
    ask(&lasting, &orders).unwrap().expect(200);
    clock.set_ahead_s(11 * 60);
    // It ends in the handshake: no request is read, so there is none to be answered with `invalid_client`.
    let said = ask(&brief, &users).map(|answer| answer.text()).unwrap_err();
    assert!(said.contains("certificate expired"), "{said}");
    refused(&scene.provider.form("/oauth2/token", &[GRANT, ("client_id", &users.client_id)]), 401, "invalid_client");
    let shown = scene.form(&lasting, "/oauth2/introspect", &[("client_id", &orders.client_id), ("token", &token)]);
    assert_eq!(shown.expect(200).json(), json!({ "active": false }));
    // The other one, which is as old but lives longer, is still good for a token.
    ask(&lasting, &orders).unwrap().expect(200);
}

#[test]
fn mtls_bound_token_at_rs_with_other_certificate() {
    let scene = Scene::new();
    let (users, orders) = (scene.service("users-api"), scene.service("orders-api"));
    let app: App = scene.provider.service(&json!({ "clientAuth": "tls_client_auth", "tlsSan": "users-api" }));
    let id = ("client_id", app.client_id.as_str());
    let token = scene.form(&users, "/oauth2/token", &[GRANT, id]).expect(200).text_of("access_token");
    let shown = scene.form(&users, "/oauth2/introspect", &[id, ("token", &token)]).expect(200).json();
    assert_eq!(shown["cnf"]["x5t#S256"], thumbprint(&users).as_str());
    // It says nothing about a person, but it is believed; with another certificate, or none, it is not.
    refused(&scene.userinfo(&users, &token), 403, "insufficient_scope");
    refused(&scene.userinfo(&orders, &token), 401, "invalid_token");
    let plain = scene.provider.admin().anonymous().request("GET", "/oauth2/userinfo");
    refused(&plain.header("Authorization", &format!("Bearer {token}")).send(), 401, "invalid_token");
}

/// What OpenSSL says that the SHA-256 of a certificate is.
fn thumbprint(service: &Service) -> String {
    let mut command = tool("openssl");
    let command = command.args(["x509", "-outform", "DER", "-in"]).arg(&service.certificate);
    let der = command.output().expect("openssl runs").stdout;
    base64url(&crypto::hash::sha256(&[&der]))
}
