//! Every operation of the published document, with what it takes to call it. The tables that must miss nothing (who may
//! call, what is never shown) go over this list, and the list itself is compared with `/openapi.json`.

mod identity;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Client, Request};
use crate::oidc::surface::PROTOCOL;
use crate::server::list;
use identity::Identity;

/// Who may call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Anybody,
    Authenticated,
    /// A service, by the certificate of its handshake with another listener.
    Certificate,
    Scope(&'static str),
}

/// What the call is about, which decides what outsiders get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// A resource named in the path.
    Path,
    /// A resource named in the body.
    Body,
    /// A resource named inside a ciphertext.
    Ciphertext,
    /// Many ciphertexts, each with its own result.
    Ciphertexts,
    /// Whatever the caller can see.
    Listing,
    /// Something new, by name.
    Creation,
    /// Nothing that belongs to anybody.
    Nothing,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    pub about: About,
}

const fn row(method: &'static str, path: &'static str, access: Access, about: About) -> Operation {
    Operation { method, path, access, about }
}

use About::{Body, Ciphertext, Ciphertexts, Creation, Listing, Nothing, Path};
use Access::{Anybody, Authenticated, Certificate, Scope};

const SECRETS_READ: Access = Scope("secrets:read");
const SECRETS_WRITE: Access = Scope("secrets:write");
const KEYS_READ: Access = Scope("keys:read");
const KEYS_WRITE: Access = Scope("keys:write");
const APIKEYS_READ: Access = Scope("apikeys:read");
const APIKEYS_WRITE: Access = Scope("apikeys:write");
const AUDIT_READ: Access = Scope("audit:read");
const PLATFORM: Access = Scope("platform:admin");
const ENCRYPT: Access = Scope("encrypt");
const DECRYPT: Access = Scope("decrypt");
const SIGN: Access = Scope("sign");
const VERIFY: Access = Scope("verify");
const CERTIFICATES_READ: Access = Scope("certificates:read");
const CERTIFICATES_WRITE: Access = Scope("certificates:write");
const APPLICATIONS_READ: Access = Scope("applications:read");
const APPLICATIONS_WRITE: Access = Scope("applications:write");
const ENDUSERS_READ: Access = Scope("endusers:read");
const ENDUSERS_WRITE: Access = Scope("endusers:write");
const ROLES_READ: Access = Scope("roles:read");
const ROLES_WRITE: Access = Scope("roles:write");
const USERS_READ: Access = Scope("users:read");
const USERS_WRITE: Access = Scope("users:write");
const ADMIN: Access = Scope("admin");
const TRUSTS_READ: Access = Scope("trusts:read");
const TRUSTS_WRITE: Access = Scope("trusts:write");
const GATE_READ: Access = Scope("gate:read");
const GATE_WRITE: Access = Scope("gate:write");

/// All of them; what destroys stands after what needs it.
pub const OPERATIONS: &[Operation] = &[
    row("GET", "/health", Anybody, Nothing),
    row("GET", "/health/live", Anybody, Nothing),
    row("GET", "/health/ready", Anybody, Nothing),
    row("GET", "/version", Anybody, Nothing),
    row("GET", "/openapi.json", Anybody, Nothing),
    row("GET", "/operator/status", Anybody, Nothing),
    row("GET", "/api/v1/rate-limit", Authenticated, Nothing),
    row("POST", "/api/v1/encrypt", ENCRYPT, Body),
    row("POST", "/api/v1/encrypt/batch", ENCRYPT, Body),
    row("POST", "/v1/encrypt", ENCRYPT, Body),
    row("POST", "/v1/encryption/encrypt", ENCRYPT, Body),
    row("POST", "/api/v1/decrypt", DECRYPT, Ciphertext),
    row("POST", "/v1/decrypt", DECRYPT, Ciphertext),
    row("POST", "/api/v1/decrypt/batch", DECRYPT, Ciphertexts),
    row("POST", "/api/v1/sign", SIGN, Body),
    row("POST", "/api/v1/sign/batch", SIGN, Body),
    row("POST", "/api/v1/verify", VERIFY, Body),
    row("POST", "/api/v1/secrets", SECRETS_WRITE, Creation),
    row("POST", "/api/v1/secrets/import", SECRETS_WRITE, Creation),
    row("GET", "/api/v1/secrets", SECRETS_READ, Listing),
    row("GET", "/api/v1/secrets/by-name/{name}", SECRETS_READ, Path),
    row("GET", "/api/v1/secrets/{id}", SECRETS_READ, Path),
    row("GET", "/api/v1/secrets/{id}/history", SECRETS_READ, Path),
    row("GET", "/api/v1/secrets/{id}/versions", SECRETS_READ, Path),
    row("GET", "/api/v1/secrets/{id}/insights", SECRETS_READ, Path),
    row("PATCH", "/api/v1/secrets/{id}", SECRETS_WRITE, Path),
    row("PUT", "/api/v1/secrets/{id}/value", SECRETS_WRITE, Path),
    row("POST", "/api/v1/secrets/{id}/rollback", SECRETS_WRITE, Path),
    row("POST", "/api/v1/secrets/{id}/share", SECRETS_WRITE, Path),
    row("POST", "/api/v1/vault/share", SECRETS_WRITE, Body),
    row("GET", "/api/v1/vault/share/by-secret/{secretId}", SECRETS_READ, Path),
    row("POST", "/api/v1/share/{token}", Anybody, Nothing),
    row("POST", "/api/v1/keys", KEYS_WRITE, Creation),
    row("POST", "/api/v1/keys/import", KEYS_WRITE, Creation),
    row("GET", "/api/v1/keys", KEYS_READ, Listing),
    row("GET", "/api/v1/keys/jwks", KEYS_READ, Listing),
    row("GET", "/api/v1/keys/{id}", KEYS_READ, Path),
    row("GET", "/api/v1/keys/{id}/versions", KEYS_READ, Path),
    row("GET", "/api/v1/keys/{id}/public-key", KEYS_READ, Path),
    row("GET", "/api/v1/keys/{id}/public", KEYS_READ, Path),
    row("GET", "/api/v1/keys/{id}/jwk", KEYS_READ, Path),
    row("PATCH", "/api/v1/keys/{id}", KEYS_WRITE, Path),
    row("POST", "/api/v1/keys/{id}/rotate", KEYS_WRITE, Path),
    row("PUT", "/api/v1/keys/{id}/min-decryption-version", KEYS_WRITE, Path),
    row("POST", "/api/v1/keys/{id}/set-default", KEYS_WRITE, Path),
    row("POST", "/api/v1/keys/{id}/export", KEYS_WRITE, Path),
    row("POST", "/api/v1/keys/{id}/generate-data-key", ENCRYPT, Path),
    row("POST", "/api/v1/keys/{id}/generate-data-key-without-plaintext", ENCRYPT, Path),
    row("POST", "/api/v1/keys/{id}/unwrap", DECRYPT, Path),
    row("POST", "/api/v1/transit/encrypt/{name}", ENCRYPT, Path),
    row("POST", "/api/v1/transit/decrypt/{name}", DECRYPT, Path),
    row("POST", "/api/v1/transit/rewrap/{name}", DECRYPT, Path),
    row("POST", "/api/v1/transit/sign/{name}", SIGN, Path),
    row("POST", "/api/v1/transit/verify/{name}", VERIFY, Path),
    row("POST", "/api/v1/transit/hmac/{name}", SIGN, Path),
    row("POST", "/api/v1/transit/hash", Authenticated, Nothing),
    row("POST", "/api/v1/transit/random", Authenticated, Nothing),
    row("POST", "/api/v1/transit/batch/encrypt/{name}", ENCRYPT, Path),
    row("POST", "/api/v1/transit/batch/decrypt/{name}", DECRYPT, Path),
    row("POST", "/api/v1/transit/batch/rewrap/{name}", DECRYPT, Path),
    row("POST", "/api/v1/transit/datakey/{name}", ENCRYPT, Path),
    row("POST", "/api/v1/transit/datakey/{name}/without-plaintext", ENCRYPT, Path),
    row("POST", "/api/v1/transit/keys/{name}/config", KEYS_WRITE, Path),
    row("POST", "/api/v1/qrng/entropy", Scope("qrng:read"), Nothing),
    row("GET", "/api/v1/audit-logs", AUDIT_READ, Listing),
    row("GET", "/api/v1/audit", AUDIT_READ, Listing),
    row("GET", "/api/v1/audit-logs/export", AUDIT_READ, Listing),
    row("GET", "/api/v1/audit-logs/key", Anybody, Nothing),
    row("POST", "/api/v1/certificates", CERTIFICATES_WRITE, Creation),
    row("POST", "/v1/pki/issue", CERTIFICATES_WRITE, Creation),
    row("GET", "/api/v1/certificates", CERTIFICATES_READ, Listing),
    row("GET", "/api/v1/certificates/{id}", CERTIFICATES_READ, Path),
    row("POST", "/api/v1/certificates/{id}/renew", CERTIFICATES_WRITE, Path),
    row("POST", "/api/v1/certificates/renew", Certificate, Nothing),
    row("GET", "/api/v1/cas", CERTIFICATES_READ, Listing),
    row("POST", "/api/v1/cas", ADMIN, Nothing),
    row("GET", "/api/v1/cas/{id}", CERTIFICATES_READ, Path),
    row("GET", "/api/v1/ca/policy", CERTIFICATES_READ, Nothing),
    row("PATCH", "/api/v1/ca/policy", ADMIN, Nothing),
    row("GET", "/api/v1/ca/certificate", Anybody, Nothing),
    row("GET", "/v1/pki/ca/pem", Anybody, Nothing),
    row("GET", "/api/v1/ca/bundle", Anybody, Nothing),
    row("GET", "/api/v1/ca/bundle/spiffe", Anybody, Nothing),
    row("GET", "/api/v1/cas/{id}/certificate", Anybody, Nothing),
    row("GET", "/api/v1/cas/{id}/crl", Anybody, Nothing),
    row("GET", "/t/{slug}/api/v1/ca/certificate", Anybody, Nothing),
    row("GET", "/t/{slug}/api/v1/ca/bundle", Anybody, Nothing),
    row("GET", "/t/{slug}/api/v1/ca/bundle/spiffe", Anybody, Nothing),
    row("GET", "/t/{slug}/api/v1/cas/{id}/certificate", Anybody, Nothing),
    row("GET", "/t/{slug}/api/v1/cas/{id}/crl", Anybody, Nothing),
    row("POST", "/api/v1/applications", APPLICATIONS_WRITE, Nothing),
    row("GET", "/api/v1/applications", APPLICATIONS_READ, Listing),
    row("GET", "/api/v1/applications/{id}", APPLICATIONS_READ, Path),
    row("PUT", "/api/v1/applications/{id}", APPLICATIONS_WRITE, Path),
    row("POST", "/api/v1/applications/{id}/keys", APPLICATIONS_WRITE, Path),
    row("GET", "/api/v1/applications/{id}/keys", APPLICATIONS_READ, Path),
    row("GET", "/api/v1/applications/{id}/undelivered-logouts", APPLICATIONS_READ, Path),
    row("POST", "/api/v1/applications/{app}/end-users", ENDUSERS_WRITE, Path),
    row("GET", "/api/v1/applications/{app}/end-users", ENDUSERS_READ, Path),
    row("GET", "/api/v1/applications/{app}/end-users/stats", ENDUSERS_READ, Path),
    row("GET", "/api/v1/applications/{app}/end-users/{id}", ENDUSERS_READ, Path),
    row("PATCH", "/api/v1/applications/{app}/end-users/{id}", ENDUSERS_WRITE, Path),
    row("PUT", "/api/v1/applications/{app}/end-users/{id}", ENDUSERS_WRITE, Path),
    row("GET", "/api/v1/applications/{app}/end-users/{id}/roles", ENDUSERS_READ, Path),
    row("POST", "/api/v1/applications/{app}/end-users/{id}/roles", ENDUSERS_WRITE, Path),
    row("GET", "/api/v1/applications/{app}/end-users/{id}/logins", ENDUSERS_READ, Path),
    row("GET", "/api/v1/applications/{app}/end-users/{id}/sessions", ENDUSERS_READ, Path),
    row("GET", "/api/v1/applications/{app}/end-users/{id}/grants", ENDUSERS_READ, Path),
    row("GET", "/api/v1/applications/{app}/end-users/{id}/factors", ENDUSERS_READ, Path),
    row("POST", "/api/v1/applications/{app}/end-users/{id}/send-verification", ENDUSERS_WRITE, Path),
    row("POST", "/api/v1/applications/{app}/end-users/{id}/send-password-reset", ENDUSERS_WRITE, Path),
    row("POST", "/api/v1/applications/{app}/end-users/{id}/generate-temporary-password", ENDUSERS_WRITE, Path),
    row("POST", "/api/v1/applications/{app}/end-users/{id}/unlock", ENDUSERS_WRITE, Path),
    row("POST", "/api/v1/applications/{app}/end-users/{id}/block", ENDUSERS_WRITE, Path),
    row("POST", "/api/v1/applications/{app}/end-users/{id}/unblock", ENDUSERS_WRITE, Path),
    row("POST", "/api/v1/roles", ROLES_WRITE, Nothing),
    row("GET", "/api/v1/roles", ROLES_READ, Listing),
    row("GET", "/api/v1/roles/{id}", ROLES_READ, Path),
    row("PATCH", "/api/v1/roles/{id}", ROLES_WRITE, Path),
    row("POST", "/api/v1/users/invite", USERS_WRITE, Nothing),
    row("GET", "/api/v1/users", USERS_READ, Listing),
    row("GET", "/api/v1/users/{id}", USERS_READ, Path),
    row("PATCH", "/api/v1/users/{id}", USERS_WRITE, Path),
    row("GET", "/api/v1/users/{id}/logins", USERS_READ, Path),
    row("GET", "/api/v1/users/{id}/sessions", USERS_READ, Path),
    row("GET", "/api/v1/users/{id}/grants", USERS_READ, Path),
    row("GET", "/api/v1/users/{id}/factors", USERS_READ, Path),
    row("GET", "/api/v1/sign-in-policy", USERS_READ, Nothing),
    row("PATCH", "/api/v1/sign-in-policy", ADMIN, Nothing),
    row("POST", "/api/v1/resource-servers", APPLICATIONS_WRITE, Nothing),
    row("GET", "/api/v1/resource-servers", APPLICATIONS_READ, Listing),
    row("GET", "/api/v1/resource-servers/{id}", APPLICATIONS_READ, Path),
    row("PATCH", "/api/v1/resource-servers/{id}", APPLICATIONS_WRITE, Path),
    row("POST", "/api/v1/api-keys", APIKEYS_WRITE, Nothing),
    row("GET", "/api/v1/api-keys", APIKEYS_READ, Listing),
    row("GET", "/api/v1/api-keys/{id}", APIKEYS_READ, Path),
    row("PATCH", "/api/v1/api-keys/{id}", APIKEYS_WRITE, Path),
    row("POST", "/api/v1/api-keys/{id}/rotate", APIKEYS_WRITE, Path),
    row("POST", "/api/v1/trusts", TRUSTS_WRITE, Nothing),
    row("GET", "/api/v1/trusts", TRUSTS_READ, Listing),
    row("GET", "/api/v1/trusts/{id}", TRUSTS_READ, Path),
    row("PATCH", "/api/v1/trusts/{id}", TRUSTS_WRITE, Path),
    row("POST", "/api/v1/trusts/{id}/test", TRUSTS_WRITE, Path),
    row("POST", "/api/v1/gate/tickets", GATE_WRITE, Nothing),
    row("GET", "/api/v1/gate/tickets", GATE_READ, Listing),
    row("GET", "/api/v1/gate/tickets/{id}", GATE_READ, Path),
    row("POST", "/api/v1/gate/tickets/{id}/revoke", GATE_WRITE, Path),
    row("POST", "/api/v1/tenants", PLATFORM, Nothing),
    row("GET", "/api/v1/tenants", PLATFORM, Listing),
    row("GET", "/api/v1/tenants/{id}", PLATFORM, Path),
    row("PATCH", "/api/v1/tenants/{id}", PLATFORM, Path),
    row("POST", "/operator/backup", PLATFORM, Nothing),
    row("DELETE", "/api/v1/vault/share/{linkId}", SECRETS_WRITE, Path),
    row("POST", "/api/v1/secrets/{id}/deactivate", SECRETS_WRITE, Path),
    row("POST", "/api/v1/secrets/{id}/activate", SECRETS_WRITE, Path),
    row("POST", "/api/v1/secrets/{id}/restore", SECRETS_WRITE, Path),
    row("DELETE", "/api/v1/secrets/{id}", SECRETS_WRITE, Path),
    row("POST", "/api/v1/keys/{id}/versions/{version}/revoke", KEYS_WRITE, Path),
    row("POST", "/api/v1/keys/{id}/revoke", KEYS_WRITE, Path),
    row("DELETE", "/api/v1/keys/{id}", KEYS_WRITE, Path),
    row("POST", "/api/v1/certificates/{id}/revoke", CERTIFICATES_WRITE, Path),
    row("POST", "/api/v1/cas/{id}/rotate", ADMIN, Path),
    row("DELETE", "/api/v1/applications/{app}/end-users/{id}/roles/{roleId}", ENDUSERS_WRITE, Path),
    row("DELETE", "/api/v1/applications/{app}/end-users/{id}/sessions", ENDUSERS_WRITE, Path),
    row("DELETE", "/api/v1/applications/{app}/end-users/{id}/sessions/{sessionId}", ENDUSERS_WRITE, Path),
    row("DELETE", "/api/v1/applications/{app}/end-users/{id}/grants/{grantId}", ENDUSERS_WRITE, Path),
    row("DELETE", "/api/v1/applications/{app}/end-users/{id}/factors", ENDUSERS_WRITE, Path),
    row("DELETE", "/api/v1/applications/{app}/end-users/{id}/permanent", ENDUSERS_WRITE, Path),
    row("DELETE", "/api/v1/applications/{app}/end-users/{id}", ENDUSERS_WRITE, Path),
    row("DELETE", "/api/v1/roles/{id}", ROLES_WRITE, Path),
    row("DELETE", "/api/v1/users/{id}/sessions", USERS_WRITE, Path),
    row("DELETE", "/api/v1/users/{id}/sessions/{sessionId}", USERS_WRITE, Path),
    row("DELETE", "/api/v1/users/{id}/grants/{grantId}", USERS_WRITE, Path),
    row("DELETE", "/api/v1/users/{id}/factors", USERS_WRITE, Path),
    row("DELETE", "/api/v1/users/{id}", USERS_WRITE, Path),
    row("POST", "/api/v1/applications/{id}/rotate-secret", APPLICATIONS_WRITE, Path),
    row("POST", "/api/v1/applications/{id}/revoke-tokens", APPLICATIONS_WRITE, Path),
    row("DELETE", "/api/v1/applications/{id}/keys/{keyId}", APPLICATIONS_WRITE, Path),
    row("DELETE", "/api/v1/applications/{id}", APPLICATIONS_WRITE, Path),
    row("DELETE", "/api/v1/resource-servers/{id}", APPLICATIONS_WRITE, Path),
    row("POST", "/api/v1/api-keys/{id}/revoke", APIKEYS_WRITE, Path),
    row("DELETE", "/api/v1/api-keys/{id}", APIKEYS_WRITE, Path),
    row("DELETE", "/api/v1/trusts/{id}", TRUSTS_WRITE, Path),
    row("POST", "/api/v1/tenants/{id}/suspend", PLATFORM, Path),
    row("POST", "/api/v1/tenants/{id}/activate", PLATFORM, Path),
    row("POST", "/operator/unseal", Anybody, Nothing),
    row("POST", "/operator/seal", PLATFORM, Nothing),
];

impl Operation {
    /// Whether the published document says that the operation may answer so.
    pub fn documents(&self, document: &Value, status: u16) -> bool {
        let responses = &document["paths"][self.path][self.method.to_lowercase()]["responses"];
        !responses[status.to_string()].is_null()
    }
}

/// Compares the list with what the server publishes: a route that stands in one only is an error. Gives the document.
#[track_caller]
pub fn assert_complete(client: &Client) -> Value {
    let document = client.anonymous().get("/openapi.json").expect(200).json();
    let paths = document["paths"].as_object().expect("paths");
    let published: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path item").keys();
            methods
                .filter(|key| *key != "parameters")
                .map(|method| (method.to_uppercase(), path.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    let known = OPERATIONS.iter().map(|operation| (operation.method, operation.path)).chain(PROTOCOL.iter().copied());
    let known = known.map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    let unknown: Vec<_> = published.difference(&known).collect();
    assert!(unknown.is_empty(), "published, but not in the tables of this test: {unknown:?}");
    let missing: Vec<_> = known.difference(&published).collect();
    assert!(missing.is_empty(), "in the tables of this test, but not published: {missing:?}");
    document
}

/// Things of one tenant to call the operations on, with one text in every field that is secret.
pub struct Things {
    secret: String,
    secret_name: String,
    kem: String,
    kem_name: String,
    signer: String,
    signer_name: String,
    mac: String,
    mac_name: String,
    link: String,
    token: String,
    certificate: String,
    authority: String,
    published_authority: String,
    api_key: String,
    trust: String,
    gate_ticket: String,
    tenant: String,
    payload: String,
    transit: String,
    wrapped: String,
    signature: String,
    transit_signature: String,
    identity: Identity,
    marker: String,
    tag: String,
}

impl Things {
    /// Makes them; `marker` must be made of capital letters and the digits 2 to 7, so that it is also a TOTP seed.
    pub fn new(admin: &Client, platform: &Client, tag: &str, marker: &str) -> Self {
        let key = |name: &str, key_type: &str, algorithm: &str| {
            let body = json!({"name": name, "keyType": key_type, "algorithm": algorithm});
            admin.post("/api/v1/keys", &body).expect(201).text_of("id")
        };
        let (kem_name, signer_name, mac_name) = (format!("kem {tag}"), format!("signer {tag}"), format!("mac {tag}"));
        let (kem, signer) = (key(&kem_name, "encryption", "ML-KEM-768"), key(&signer_name, "signing", "Ed25519"));
        let mac = key(&mac_name, "hmac", "HMAC-SHA256");
        let secret_name = format!("things/{tag}");
        let secret = admin.post("/api/v1/secrets", &full_secret(&secret_name, marker)).expect(201).text_of("id");
        let body = json!({"secretId": secret, "password": marker});
        let link = admin.post("/api/v1/vault/share", &body).expect(201).json();
        let body = json!({"name": format!("things {tag}"), "scopes": ["secrets:read"]});
        let api_key = admin.post("/api/v1/api-keys", &body).expect(201).text_of("id");
        let body = json!({"name": format!("Things {tag}"), "slug": format!("things-{tag}")});
        let tenant = platform.post("/api/v1/tenants", &body).expect(201).text_of("id");
        let body = json!({"plaintext": marker, "keyId": kem, "additionalData": marker});
        let payload = admin.post("/api/v1/encrypt", &body).expect(200).text_of("encryptedPayload");
        let issued = issued(admin, tag);
        let name = encoded(&kem_name);
        let body = json!({"plaintext": marker, "encoding": "utf8"});
        let transit = admin.post(&format!("/api/v1/transit/encrypt/{name}"), &body).expect(200).text_of("ciphertext");
        let made = admin.post(&format!("/api/v1/keys/{kem}/generate-data-key"), &json!({})).expect(200);
        let body = json!({"data": BASE64_MARKER, "keyId": signer});
        let signature = admin.post("/api/v1/sign", &body).expect(200).text_of("signature");
        let transit_signature = signed_by_name(admin, &signer_name);
        Self {
            secret,
            secret_name,
            kem,
            kem_name,
            signer,
            signer_name,
            mac,
            mac_name,
            link: link["id"].as_str().expect("an id").to_owned(),
            token: link["token"].as_str().expect("a token").to_owned(),
            certificate: issued.text_of("id"),
            authority: issued.text_of("caId"),
            published_authority: platform.get("/api/v1/ca/certificate?format=json").expect(200).text_of("caId"),
            api_key,
            gate_ticket: admin.post("/api/v1/gate/tickets", &gate_ticket(tag)).expect(201).text_of("id"),
            trust: admin.post("/api/v1/trusts", &trust(&format!("things {tag}"))).expect(201).text_of("id"),
            tenant,
            payload,
            transit,
            wrapped: made.text_of("encryptedKey"),
            signature,
            transit_signature,
            identity: Identity::new(admin, tag, marker),
            marker: marker.to_owned(),
            tag: tag.to_owned(),
        }
    }

    /// The names and ids that nobody outside may see in a list.
    pub fn marks(&self) -> Vec<&str> {
        let mut marks: Vec<&str> =
            vec![&self.secret, &self.secret_name, &self.kem, &self.kem_name, &self.api_key, &self.certificate];
        marks.extend(self.identity.marks());
        marks
    }

    /// The id of something whose making is an event of its own tenant's trail, and that no path or body names.
    pub fn own_event(&self) -> &str {
        &self.mac
    }

    /// The operation's path, filled in.
    pub fn path(&self, operation: &Operation) -> String {
        if let Some(path) = self.identity.path(operation) {
            return path;
        }
        let id = match operation.path {
            path if path.starts_with("/api/v1/secrets") => &self.secret,
            path if path.starts_with("/api/v1/api-keys") => &self.api_key,
            path if path.starts_with("/api/v1/trusts") => &self.trust,
            path if path.starts_with("/api/v1/gate/tickets") => &self.gate_ticket,
            path if path.starts_with("/api/v1/tenants") => &self.tenant,
            path if path.starts_with("/api/v1/certificates") => &self.certificate,
            // What anybody may read stands at the root for the default tenant alone.
            path if path.ends_with("/certificate") || path.ends_with("/crl") => &self.published_authority,
            path if path.starts_with("/api/v1/cas") => &self.authority,
            path if path.ends_with("/jwk") => &self.signer,
            _ => &self.kem,
        };
        let name = match operation.path {
            path if path.starts_with("/api/v1/secrets") => &self.secret_name,
            path if path.contains("/sign/") || path.contains("/verify/") => &self.signer_name,
            path if path.contains("/hmac/") => &self.mac_name,
            _ => &self.kem_name,
        };
        let path =
            operation.path.replace("{id}", id).replace("{name}", &encoded(name)).replace("{secretId}", &self.secret);
        let path = path.replace("{slug}", "default");
        path.replace("{linkId}", &self.link).replace("{token}", &self.token).replace("{version}", "1")
    }

    /// A request that the operation accepts, with the marker in every field that is secret.
    pub fn request(&self, client: &Client, operation: &Operation) -> Request {
        let request = client.request(operation.method, &self.path(operation)).header("X-Allow-Csprng", "true");
        match self.body(operation) {
            Value::Null => request,
            body => request.json(&body),
        }
    }

    pub fn body(&self, operation: &Operation) -> Value {
        let marker = &self.marker;
        let new = format!("new {} {}", self.tag, operation.path.len());
        match (operation.method, operation.path) {
            ("GET" | "DELETE", _) => Value::Null,
            _ if self.identity.path(operation).is_some() => self.identity.body(operation, &new),
            (_, "/api/v1/encrypt" | "/v1/encrypt" | "/v1/encryption/encrypt") => {
                json!({"plaintext": marker, "keyId": self.kem, "additionalData": marker})
            }
            (_, "/api/v1/encrypt/batch") => {
                json!({"items": [{"plaintext": marker, "additionalData": marker}], "keyId": self.kem})
            }
            (_, "/api/v1/decrypt" | "/v1/decrypt") => {
                json!({"encryptedPayload": self.payload, "additionalData": marker})
            }
            (_, "/api/v1/decrypt/batch") => {
                json!({"items": [{"encryptedPayload": self.payload, "additionalData": marker}]})
            }
            (_, "/api/v1/sign") => json!({"data": BASE64_MARKER, "keyId": self.signer}),
            (_, "/api/v1/sign/batch") => json!({"items": [{"data": BASE64_MARKER}], "keyId": self.signer}),
            (_, "/api/v1/verify") => json!({"data": BASE64_MARKER, "signature": self.signature, "keyId": self.signer}),
            (_, "/api/v1/secrets") => full_secret(&new, marker),
            (_, "/api/v1/secrets/import") => json!({"items": [{"name": format!("imported {new}"), "value": marker}]}),
            ("PATCH", "/api/v1/secrets/{id}") => {
                json!({"notes": marker, "username": marker, "customFields": [{"value": marker}], "totpSecret": marker})
            }
            (_, "/api/v1/secrets/{id}/value") => json!({"value": marker}),
            (_, "/api/v1/secrets/{id}/rollback") => json!({"version": 1}),
            (_, "/api/v1/vault/share") => json!({"secretId": self.secret, "password": marker}),
            (_, "/api/v1/share/{token}") => json!({"password": marker}),
            (_, "/api/v1/keys") => json!({"name": new, "keyType": "encryption", "algorithm": "ML-KEM-768"}),
            (_, "/api/v1/keys/import") => json!({
                "name": format!("imported {new}"), "keyType": "encryption", "algorithm": "AES-256-GCM",
                "keyMaterial": BASE64_MARKER, "format": "raw",
            }),
            ("PATCH", "/api/v1/keys/{id}") => json!({"description": "changed"}),
            (_, "/api/v1/keys/{id}/min-decryption-version") => json!({"minDecryptionVersion": 1}),
            (_, "/api/v1/transit/keys/{name}/config") => json!({"minDecryptionVersion": 1}),
            (_, "/api/v1/keys/{id}/set-default") => json!({"keyType": "encryption"}),
            (_, "/api/v1/keys/{id}/unwrap") => json!({"wrappedKey": self.wrapped}),
            (_, "/api/v1/transit/encrypt/{name}") => json!({"plaintext": marker, "encoding": "utf8"}),
            (_, "/api/v1/transit/decrypt/{name}" | "/api/v1/transit/rewrap/{name}") => {
                json!({"ciphertext": self.transit})
            }
            (_, "/api/v1/transit/verify/{name}") => json!({"data": BASE64_MARKER, "signature": self.transit_signature}),
            (_, "/api/v1/transit/sign/{name}" | "/api/v1/transit/hmac/{name}" | "/api/v1/transit/hash") => {
                json!({"data": BASE64_MARKER})
            }
            (_, "/api/v1/transit/batch/encrypt/{name}") => {
                json!({"items": [{"plaintext": marker, "encoding": "utf8"}]})
            }
            (_, "/api/v1/transit/batch/decrypt/{name}" | "/api/v1/transit/batch/rewrap/{name}") => {
                json!({"items": [{"ciphertext": self.transit}]})
            }
            (_, "/api/v1/qrng/entropy") => json!({"bytes": 32}),
            ("POST", "/api/v1/api-keys") => json!({"name": new, "scopes": ["secrets:read"]}),
            ("PATCH", "/api/v1/api-keys/{id}") => json!({"name": "renamed"}),
            ("POST", "/api/v1/trusts") => trust(&new),
            ("POST", "/api/v1/gate/tickets") => gate_ticket(&new),
            ("PATCH", "/api/v1/trusts/{id}") => json!({"lifetimeSeconds": 120}),
            (_, "/api/v1/trusts/{id}/test") => json!({"token": marker}),
            ("POST", "/api/v1/tenants") => json!({"name": new, "slug": format!("new-{}", self.tag)}),
            ("PATCH", "/api/v1/tenants/{id}") => json!({"name": "Renamed"}),
            (_, "/operator/unseal") => json!({"passphrase": marker}),
            (_, "/operator/backup") => json!({"recipient": "no recipient"}),
            _ => self.certificate_body(operation),
        }
    }

    fn certificate_body(&self, operation: &Operation) -> Value {
        match (operation.method, operation.path) {
            (_, "/api/v1/certificates" | "/v1/pki/issue") => {
                json!({"commonName": format!("new{}.{}.svc.cluster.local", operation.path.len(), self.tag)})
            }
            (_, "/api/v1/certificates/{id}/renew") => json!({"ttl": "1h"}),
            (_, "/api/v1/certificates/{id}/revoke") => json!({"reason": "superseded"}),
            ("POST", "/api/v1/cas") => json!({"name": format!("further-{}", self.tag)}),
            (_, "/api/v1/cas/{id}/rotate") => json!({}),
            (_, "/api/v1/ca/policy") => json!({"learning": false}),
            _ => Value::Null,
        }
    }
}

/// Thirty-two bytes of base64 that hold a marker of their own: key material, and data to sign.
pub const BASE64_MARKER: &str = "UUFQSUNBTkFSWU1BVEVSSUFMUVFRUVFRUVFRUVFRUVE=";

/// What [`BASE64_MARKER`] holds.
pub const RAW_MARKER: &str = "QAPICANARYMATERIALQQQQQQQQQQQQQQ";

fn gate_ticket(reason: &str) -> Value {
    json!({"reason": reason, "environment": "production"})
}

fn trust(name: &str) -> Value {
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    json!({
        "name": name, "kind": "oidc", "issuer": "https://issuer.example", "jwks": {"keys": [jwk]},
        "rules": [{"claim": "sub", "anyOf": ["job"]}], "scopes": ["secrets:read"],
    })
}

fn signed_by_name(admin: &Client, key: &str) -> String {
    let path = format!("/api/v1/transit/sign/{}", encoded(key));
    admin.post(&path, &json!({"data": BASE64_MARKER})).expect(200).text_of("signature")
}

fn issued(admin: &Client, tag: &str) -> crate::client::Answer {
    let body = json!({"commonName": format!("things.{tag}.svc.cluster.local")});
    admin.post("/api/v1/certificates", &body).expect(201)
}

fn full_secret(name: &str, marker: &str) -> Value {
    json!({
        "name": name, "value": marker, "username": marker, "notes": marker, "totpSecret": marker, "contentType": "login",
        "urls": [{"url": format!("https://{marker}.example")}], "customFields": [{"name": "field", "value": marker}],
        "metadata": {"member": marker},
    })
}

/// A text as one path segment.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Whether every item of a batch's answer has an error and no result.
pub fn all_failed(body: &Value) -> bool {
    let results = list(body, "results");
    !results.is_empty() && results.iter().all(|item| !item["error"].is_null() && item["plaintext"].is_null())
}
