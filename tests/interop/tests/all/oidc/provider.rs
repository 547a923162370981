//! A running provider, and requests to it as OAuth spells them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::algorithm::Algorithm;
use crypto::jose::{KeySet, SigningKey, Typ};
use crypto::key::PrivateKey;
use crypto::random::Seeded;
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::server::Server;
use crate::surface::encoded;

/// The grant of RFC 8693.
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// How it calls an access token.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

pub struct Provider {
    pub server: Server,
}

/// An application, as it knows itself.
#[derive(Clone)]
pub struct App {
    pub id: String,
    pub client_id: String,
    pub secret: Option<String>,
}

impl Provider {
    pub fn start() -> Self {
        Self { server: Server::start_dev() }
    }

    pub fn admin(&self) -> Client {
        self.server.client()
    }

    /// Registers an application.
    #[track_caller]
    pub fn app(&self, kind: &str, settings: &Value) -> App {
        self.app_of(&self.admin(), kind, settings)
    }

    #[track_caller]
    pub fn app_of(&self, admin: &Client, kind: &str, settings: &Value) -> App {
        let mut body = json!({ "name": format!("{kind} application"), "applicationType": kind });
        for (name, value) in settings.as_object().expect("settings") {
            body[name] = value.clone();
        }
        let made = admin.post("/api/v1/applications", &body).expect(201);
        let secret = made.json()["clientSecret"].as_str().map(str::to_owned);
        App { id: made.text_of("id"), client_id: made.text_of("clientId"), secret }
    }

    /// A service that may have tokens for itself.
    #[track_caller]
    pub fn service(&self, settings: &Value) -> App {
        self.app("MachineToMachine", settings)
    }

    /// A form, without any proof of who sends it.
    #[track_caller]
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.form_with(path, fields, None)
    }

    #[track_caller]
    pub fn form_with(&self, path: &str, fields: &[(&str, &str)], authorization: Option<&str>) -> Answer {
        let request = self.admin().anonymous().request("POST", path);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").bytes(form(fields));
        match authorization {
            Some(value) => request.header("Authorization", value).send(),
            None => request.send(),
        }
    }

    /// A form of an application that proves who it is by its secret.
    #[track_caller]
    pub fn by(&self, app: &App, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.form_with(path, fields, Some(&basic(app)))
    }

    #[track_caller]
    pub fn token(&self, app: &App, fields: &[(&str, &str)]) -> Answer {
        self.by(app, "/oauth2/token", fields)
    }

    /// Asks for another token for an access token (RFC 8693).
    pub fn exchange(&self, by: &App, token: &str, more: &[(&str, &str)]) -> Answer {
        let subject = [("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
        self.token(by, &[&[("grant_type", TOKEN_EXCHANGE)], subject.as_slice(), more].concat())
    }

    /// A token of a service for itself.
    #[track_caller]
    pub fn own_token(&self, app: &App) -> String {
        self.token(app, &[("grant_type", "client_credentials")]).expect(200).text_of("access_token")
    }

    #[track_caller]
    pub fn introspect(&self, app: &App, token: &str) -> Value {
        self.by(app, "/oauth2/introspect", &[("token", token)]).expect(200).json()
    }

    #[track_caller]
    pub fn is_active(&self, app: &App, token: &str) -> bool {
        self.introspect(app, token)["active"] == true
    }

    #[track_caller]
    pub fn jwks(&self) -> Value {
        self.admin().anonymous().get("/oauth2/jwks").expect(200).json()
    }

    /// What a token says, verified with the published keys by this product's own verifier.
    #[track_caller]
    pub fn verified(&self, token: &str, typ: &str) -> Value {
        let keys = KeySet::read(&self.jwks().to_string()).expect("a set of keys");
        let verified = keys.verify(token, Typ::Exactly(typ)).unwrap_or_else(|error| panic!("{error}: {token}"));
        serde_json::from_slice(&verified.payload).expect("claims")
    }
}

/// The events of the trail that a query finds, once one of them says everything that is expected.
#[track_caller]
pub fn events(provider: &Provider, query: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
    crate::server::eventually(std::time::Duration::from_secs(10), || {
        let found = provider.admin().get(&format!("/api/v1/audit-logs?{query}&pageSize=100")).expect(200).json();
        is_expected(&found["items"]).then(|| found["items"].clone())
    })
}

/// A line of the trail with all of these words in it, once it is there.
#[track_caller]
pub fn trail_line(provider: &Provider, words: &[&str]) {
    crate::server::eventually(std::time::Duration::from_secs(20), || {
        let trail = provider.admin().get("/api/v1/audit-logs/export").expect(200).text();
        trail.lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
    });
}

pub fn form(fields: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        write!(body, "{}{name}={}", if body.is_empty() { "" } else { "&" }, encoded(value))
            .expect("writing to a string");
    }
    body
}

pub fn basic(app: &App) -> String {
    let secret = app.secret.as_deref().expect("this application has a secret");
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(&app.client_id), encoded(secret))))
}

/// The parts of a token, not verified.
pub fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).expect("a compact token");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// A token of this header and these claims with this signature.
pub fn compact(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()), encode(signature))
}

/// A key of a client's own.
pub fn client_key(algorithm: Algorithm, seed: &[u8]) -> SigningKey {
    SigningKey::new(PrivateKey::generate(algorithm, &Seeded::new(seed)).expect("a key")).expect("a key that signs")
}

/// A token that the client's own key of this seed really signed, whatever its header says.
pub fn signed_by(seed: &[u8], header: &Value, claims: &Value) -> String {
    let key = PrivateKey::generate(Algorithm::MlDsa65, &Seeded::new(seed)).expect("a key");
    let unsigned = compact(header, claims, b"");
    let signature = key.sign(unsigned.trim_end_matches('.').as_bytes(), &Seeded::new(b"hedge"));
    compact(header, claims, &signature.expect("a signature"))
}

/// Wants OAuth's error object with this status and code.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(code)), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.text());
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]
pub fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
}

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
