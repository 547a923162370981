//! What the server does not reach for others, and what tenants do not reach of each other.

use crypto::algorithm::Algorithm;
use crypto::random::Seeded;
use serde_json::{Value, json};

use super::provider::{App, Provider, client_key, now_s, refused, trail_line};
use super::receiver::Receiver;
use super::visitor::{CALLBACK, Visitor};
use crate::client::Answer;
use crate::installation::{Engine, Installation, PORTAL};
use crate::surface::OPERATIONS;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ADA: &str = "ada@people.example";

/// A client that proves who it is by a key it publishes.
struct Publishing {
    app: App,
    key: crypto::jose::SigningKey,
}

impl Publishing {
    fn new(provider: &Provider, address: &str, seed: &[u8]) -> Self {
        let key = client_key(Algorithm::MlDsa65, seed);
        let app = provider.service(&json!({ "clientAuth": "private_key_jwt", "jwksUri": address }));
        Self { app, key }
    }

    fn set(&self) -> String {
        json!({ "keys": [self.key.public().to_jwk()] }).to_string()
    }

    fn ask(&self, provider: &Provider, issuer: &str, jti: &str) -> Answer {
        self.ask_by(&self.key, provider, issuer, jti)
    }

    fn ask_by(&self, key: &crypto::jose::SigningKey, provider: &Provider, issuer: &str, jti: &str) -> Answer {
        let id = &self.app.client_id;
        let claims = json!({ "iss": id, "sub": id, "aud": issuer, "iat": now_s(), "exp": now_s() + 60, "jti": jti });
        let assertion = key.sign("JWT", claims.to_string().as_bytes(), &Seeded::new(b"hedge")).unwrap();
        provider.form(
            "/oauth2/token",
            &[
                ("grant_type", "client_credentials"),
                ("client_assertion_type", ASSERTION),
                ("client_assertion", &assertion),
            ],
        )
    }
}

#[test]
fn keys_of_an_application_are_fetched_remembered_and_replaced() {
    let provider = Provider::start();
    let receiver = Receiver::start("");
    let client = Publishing::new(&provider, &format!("{}/jwks.json", receiver.url), b"first");
    receiver.answer(200, &client.set());
    let issuer = provider.server.base_url().to_owned();
    client.ask(&provider, &issuer, "one").expect(200);
    client.ask(&provider, &issuer, "two").expect(200);
    assert_eq!(receiver.received().len(), 1, "keys are remembered");
    refused(&client.ask(&provider, &issuer, "two"), 401, "invalid_client");
    // Whoever invents keys makes nobody fetch again and again.
    for n in 0..20 {
        let stranger = client_key(Algorithm::MlDsa65, format!("stranger {n}").as_bytes());
        refused(&client.ask_by(&stranger, &provider, &issuer, &format!("strange {n}")), 401, "invalid_client");
    }
    assert!(receiver.received().len() <= 2, "{} fetches", receiver.received().len());
    // Its place is away: the keys that are known go on.
    receiver.answer(503, "");
    client.ask(&provider, &issuer, "three").expect(200);
    assert!(receiver.received()[0].line.starts_with("GET /jwks.json "), "{:?}", receiver.received());

    // A place that answers with something else, or leads elsewhere, has no keys.
    for (n, (status, body)) in
        [(200, "no keys".to_owned()), (302, client.set()), (200, json!({"keys": []}).to_string()), (500, client.set())]
            .into_iter()
            .enumerate()
    {
        let other = Receiver::start("");
        let broken = Publishing::new(&provider, &other.url, b"first");
        other.answer(status, &body);
        refused(&broken.ask(&provider, &issuer, &format!("broken {n}")), 401, "invalid_client");
        assert_eq!(other.received().len(), 1, "{status} {body}");
    }
}

/// The clock moves, so that what is remembered grows old: a new key is found, and an old one forgotten.
#[test]
fn keys_of_an_application_are_fetched_anew_when_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let clock = crate::moved_clock::MovedClock::new(folder.path());
    let server = crate::server::Server::start_dev_by(clock.qapid(), &folder.path().join("data"), &[]);
    let provider = Provider { server };
    let receiver = Receiver::start("");
    let client = Publishing::new(&provider, &receiver.url, b"first");
    receiver.answer(200, &client.set());
    let issuer = provider.server.base_url().to_owned();
    client.ask(&provider, &issuer, "one").expect(200);
    let next = client_key(Algorithm::EcdsaP256, b"second");
    receiver.answer(200, &json!({ "keys": [next.public().to_jwk()] }).to_string());
    clock.set_ahead_s(31);
    client.ask_by(&next, &provider, &issuer, "two").expect(200);
    refused(&client.ask(&provider, &issuer, "three"), 401, "invalid_client");
    assert_eq!(receiver.received().len(), 2);
}

#[test]
fn ssrf_reaches_nothing_inside() {
    let installation = Installation::unattended(&Engine::Sqlite);
    let provider = Provider { server: installation.serve() };
    let issuer = PORTAL;
    let receiver = Receiver::start("");
    let port = receiver.url.rsplit_once(':').unwrap().1.to_owned();
    // Numbers, names, other spellings of them, plain HTTP: whatever is neither public nor allowed is not called.
    for (n, address) in [
        receiver.url.clone(),
        format!("https://127.0.0.1:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://localhost:{port}/"),
        format!("http://localhost:{port}/"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let client = Publishing::new(&provider, &address, b"first");
        receiver.answer(200, &client.set());
        refused(&client.ask(&provider, issuer, &format!("inside {n}")), 401, "invalid_client");
        trail_line(&provider, &["TokenIssued", "fetching the application's keys"]);
    }
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());
    // What is not even an address of a place is not taken.
    for address in
        ["file:///etc/passwd", "ftp://x.example/", "gopher://x.example/", "https://user@x.example/", "//x.example/"]
    {
        for setting in ["jwksUri", "backchannelLogoutUri"] {
            let mut body = json!({ "name": "x", "applicationType": "WebApp" });
            body[setting] = json!(address);
            assert_eq!(provider.admin().post("/api/v1/applications", &body).status, 400, "{setting} {address}");
        }
    }

    // Nor is anybody told of a logout there.
    let app = provider
        .app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "skip", "backchannelLogoutUri": receiver.url }));
    let user = provider.end_user(&app, ADA);
    let place = format!("/api/v1/applications/{}/end-users/{}", app.id, user["id"].as_str().unwrap());
    provider.admin().delete(&format!("{place}/sessions")).expect(204);
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());
}

#[test]
fn a_redirect_of_a_logout_receiver_is_not_followed() {
    let provider = Provider::start();
    let receiver = Receiver::start("");
    receiver.answer(302, "");
    let app = provider.app(
        "WebApp",
        &json!({ "redirectUris": [CALLBACK], "consent": "skip", "backchannelLogoutUri": format!("{}/out", receiver.url) }),
    );
    let user = provider.end_user(&app, ADA);
    Visitor::new(&provider).code(&app, ADA);
    let place = format!("/api/v1/applications/{}/end-users/{}", app.id, user["id"].as_str().unwrap());
    provider.admin().delete(&format!("{place}/sessions")).expect(204);
    // It counts as not told, and is told again; the place that it led to is asked nothing.
    let received = receiver.wait_for(2);
    assert!(received.iter().all(|one| one.line.starts_with("POST /out ")), "{received:?}");
}

#[test]
fn management_calls_with_ids_of_another_tenant() {
    let provider = Provider::start();
    let acme = provider.server.tenant("acme");
    let app = provider.web();
    let user = provider.end_user(&app, ADA);
    let admin = provider.admin();
    let made = |path: &str, body: Value| admin.post(path, &body).expect(201).text_of("id");
    let role = made("/api/v1/roles", json!({"name": "reader"}));
    let own = made("/api/v1/users/invite", json!({"email": "bob@people.example", "role": "member"}));
    let server = made("/api/v1/resource-servers", json!({"identifier": "https://api.example", "name": "API"}));
    let trust = made(
        "/api/v1/trusts",
        json!({"name": "t", "kind": "github", "rules": [{"claim": "repository_id", "anyOf": ["1"]}], "scopes": ["secrets:read"]}),
    );
    let of = |path: &str| match path {
        _ if path.starts_with("/api/v1/applications/{app}") => user["id"].as_str().unwrap().to_owned(),
        _ if path.starts_with("/api/v1/applications") => app.id.clone(),
        _ if path.starts_with("/api/v1/roles") => role.clone(),
        _ if path.starts_with("/api/v1/users") => own.clone(),
        _ if path.starts_with("/api/v1/resource-servers") => server.clone(),
        _ => trust.clone(),
    };
    let places =
        ["/api/v1/applications", "/api/v1/roles", "/api/v1/users", "/api/v1/resource-servers", "/api/v1/trusts"];
    let mut tried = 0;
    for operation in OPERATIONS {
        let is_of_one = operation.path.contains("{id}") || operation.path.contains("{app}");
        if !is_of_one || !places.iter().any(|place| operation.path.starts_with(place)) {
            continue;
        }
        let path = operation.path.replace("{id}", &of(operation.path)).replace("{app}", &app.id);
        let path = path.replace("{roleId}", &role).replace("{sessionId}", &own);
        let path = path.replace("{grantId}", &own).replace("{keyId}", &own);
        let body = match (operation.method, operation.path) {
            ("GET" | "DELETE", _) => None,
            (_, path) if path.ends_with("/end-users") => Some(json!({"email": "x@x.example", "displayName": "X"})),
            (_, path) if path.ends_with("/roles") => Some(json!({ "roleId": role })),
            (_, path) if path.ends_with("/keys") => Some(json!({"name": "k"})),
            (_, path) if path.ends_with("/test") => Some(json!({"token": "x"})),
            _ => Some(json!({})),
        };
        let request = acme.request(operation.method, &path);
        let answer = match body {
            Some(body) => request.json(&body).send(),
            None => request.send(),
        };
        assert_eq!(answer.status, 404, "{} {}: {}", operation.method, operation.path, answer.text());
        tried += 1;
    }
    assert!(tried >= 40, "{tried} operations");
    // Everything is as it was.
    assert_eq!(admin.get(&format!("/api/v1/applications/{}", app.id)).expect(200).text_of("clientId"), app.client_id);
}
