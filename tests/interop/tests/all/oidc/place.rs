//! A server with applications, and the file that tells foreign clients about them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::binaries::peer;
use crate::fetched::{all_hold, client};
use crate::program::succeed;
use crate::server::Server;

/// Where no application listens: only the address matters.
const CALLBACK: &str = "http://127.0.0.1:9/callback";
const BYE: &str = "http://127.0.0.1:9/bye";
const SCOPE: &str = "openid profile email offline_access";

/// What foreign clients are told about.
pub struct Place {
    pub server: Server,
    folder: tempfile::TempDir,
    pub told: Value,
}

impl Place {
    /// A development server without applications.
    pub fn new() -> Self {
        Self::of(Server::start_dev())
    }

    /// A server without applications.
    pub fn of(server: Server) -> Self {
        let issuer = server.base_url().to_owned();
        Self::known_as(server, &issuer)
    }

    /// A server that its clients come to by another way than this test.
    pub fn known_as(server: Server, issuer: &str) -> Self {
        let told = json!({ "issuer": issuer, "jwksUri": format!("{issuer}/oauth2/jwks"), "applications": {} });
        Self { server, folder: tempfile::tempdir().unwrap(), told }
    }

    /// An application that the clients know by this name.
    #[track_caller]
    fn with(mut self, name: &str, mut settings: Value) -> Self {
        settings["name"] = json!(name);
        let made = self.server.client().post("/api/v1/applications", &settings).expect(201).json();
        let scope = settings["allowedScopes"][0].as_str().unwrap_or(SCOPE);
        self.told["applications"][name] = json!({
            "id": made["clientId"],
            "key": made["id"],
            "secret": made["clientSecret"],
            "type": settings["applicationType"],
            "redirectUri": settings["redirectUris"][0],
            "scope": scope,
            "alg": settings["idTokenAlg"],
        });
        self
    }

    /// A server-side application of ML-DSA.
    pub fn with_web(self) -> Self {
        self.with("web", json!({"applicationType": "WebApp", "redirectUris": [CALLBACK]}))
    }

    /// The same for clients that know no ML-DSA: the key set then has an EC key beside the others.
    pub fn with_classical(self) -> Self {
        let settings = json!({"applicationType": "WebApp", "redirectUris": [CALLBACK], "idTokenAlg": "ES256"});
        self.with("classical", settings)
    }

    /// An installed application, without a secret.
    pub fn with_native(self, name: &str) -> Self {
        self.with(name, json!({"applicationType": "NativeApp", "redirectUris": ["http://127.0.0.1/callback"]}))
    }

    /// A service with a secret.
    pub fn with_service(self) -> Self {
        self.with("service", json!({"applicationType": "MachineToMachine", "allowedScopes": ["orders:read"]}))
    }

    /// A service that shows a key of its own.
    pub fn with_machine(self) -> Self {
        let keys: Value = serde_json::from_str(&succeed(&mut client("key.mjs"))).expect("keys");
        let mut place = self.with(
            "machine",
            json!({
                "applicationType": "MachineToMachine", "allowedScopes": ["orders:read"],
                "clientAuth": "private_key_jwt", "jwks": {"keys": [keys["publicJwk"]]},
            }),
        );
        place.told["applications"]["machine"]["privateJwk"] = keys["privateJwk"].clone();
        place
    }

    /// A server-side application that asks nobody for consent, and has a place to go back to after signing out.
    pub fn with_own_web(self) -> Self {
        self.with(
            "web",
            json!({"applicationType": "WebApp", "redirectUris": [CALLBACK], "postLogoutRedirectUris": [BYE], "consent": "skip"}),
        )
        .telling("bye", json!(BYE))
    }

    /// A single-page application at this port of this machine.
    pub fn with_spa(self, port: u16) -> Self {
        let origin = format!("http://127.0.0.1:{port}");
        self.with(
            "spa",
            json!({
                "applicationType": "SPA", "redirectUris": [format!("{origin}/cb")], "consent": "skip",
                "postLogoutRedirectUris": [format!("{origin}/bye")], "corsOrigins": [origin],
            }),
        )
    }

    /// An end user of an application, whom the clients know by this name.
    #[track_caller]
    pub fn with_person(self, name: &str, application: &str) -> Self {
        let place = format!("/api/v1/applications/{}/end-users", self.application(application, "key"));
        let email = format!("{}@people.example", name.to_lowercase());
        let password = "correct horse battery staple";
        let body = json!({"email": email, "displayName": "Ada L.", "password": password, "emailVerified": true});
        self.server.client().post(&place, &body).expect(201);
        self.telling(name, json!({"email": email, "password": password}))
    }

    fn telling(mut self, name: &str, what: Value) -> Self {
        self.told[name] = what;
        self
    }

    pub fn application(&self, name: &str, member: &str) -> &str {
        self.told["applications"][name][member].as_str().unwrap_or_else(|| panic!("{name} has no {member}"))
    }

    /// The file that the clients read.
    pub fn file(&self) -> PathBuf {
        let path = self.folder.path().join("place.json");
        std::fs::write(&path, self.told.to_string()).expect("the folder can be written");
        path
    }

    /// Runs a client to its end, and wants so many checks to hold, and none not to.
    #[track_caller]
    pub fn drive(&self, name: &str, checks: usize) {
        self.holds(client(name).arg(self.file()), checks);
    }

    /// Runs one part of the Rust client.
    #[track_caller]
    pub fn drive_rust(&self, part: &str, checks: usize) {
        self.holds(Command::new(peer("oidc-rust")).arg(part).arg(self.file()), checks);
    }

    /// The same one, which believes the authority of this file.
    #[track_caller]
    pub fn drive_rust_over_https(&self, part: &str, authority: &Path, checks: usize) {
        let mut command = Command::new(peer("oidc-rust"));
        self.holds(command.arg(part).arg(self.file()).env("SSL_CERT_FILE", authority), checks);
    }

    #[track_caller]
    fn holds(&self, command: &mut Command, checks: usize) {
        let count = all_hold(command);
        assert!(count.ends_with(&format!(": {checks} of {checks}")), "{count}");
    }

    /// The access token of a service, by openid-client.
    #[track_caller]
    pub fn token(&self, application: &str) -> String {
        let answer = succeed(client("tokens.mjs").arg(self.file()).arg(application));
        let answer: Value = serde_json::from_str(&answer).expect("an answer");
        answer["access_token"].as_str().expect("a token").to_owned()
    }
}
