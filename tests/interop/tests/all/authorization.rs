//! Who gets what: every published operation against everyone who should not be let in, and against one who should.

use serde_json::json;

use crate::client::{Answer, Client};
use crate::program::say;
use crate::server::{READS, Server, new_key};
use crate::surface::{About, Access, OPERATIONS, Operation, Things, all_failed, assert_complete};

const SCOPES: [&str; 26] = [
    "secrets:read",
    "secrets:write",
    "keys:read",
    "keys:write",
    "encrypt",
    "decrypt",
    "sign",
    "verify",
    "qrng:read",
    "audit:read",
    "apikeys:read",
    "apikeys:write",
    "certificates:read",
    "certificates:write",
    "applications:read",
    "applications:write",
    "endusers:read",
    "endusers:write",
    "roles:read",
    "roles:write",
    "users:read",
    "users:write",
    "trusts:read",
    "trusts:write",
    "gate:read",
    "gate:write",
];

const MARKER: &str = "AUTHZMARKER234567";

/// Reading the private half is for administrators, whose scope is another than the route's.
const ADMIN_ONLY: &str = "/api/v1/keys/{id}/export";

/// What belongs to the identity provider, to which no credential is confined.
const IDENTITY: [&str; 4] = ["/api/v1/applications", "/api/v1/resource-servers", "/api/v1/roles", "/api/v1/users"];

/// Whether an operation is about something that there is none of where nobody has signed in.
fn is_of_a_sign_in(path: &str) -> bool {
    path.ends_with("/sessions/{sessionId}") || path.ends_with("/grants/{grantId}")
}

#[test]
fn every_operation_refuses_whom_it_should() {
    let server = Server::start_dev();
    let document = assert_complete(&server.client());
    let owner = server.tenant("owner");
    let stranger = server.tenant("stranger");
    let things = Things::new(&owner, &server.client(), "authz", MARKER);
    // The stranger has things of the same kinds, so that an answer is not empty for want of any.
    Things::new(&stranger, &server.client(), "stranger", MARKER);
    let mut wrong = Vec::new();
    for operation in OPERATIONS {
        let mut check = |who: &str, answer: Answer, expected: Result<(), String>| {
            let expected =
                expected.and_then(|()| ensure(operation.documents(&document, answer.status), "a documented status"));
            if let Err(expected) = expected {
                wrong.push(format!(
                    "{} {} by {who}: {expected}, but {} {:.300}",
                    operation.method,
                    operation.path,
                    answer.status,
                    answer.text()
                ));
            }
        };
        let answer = things.request(&owner.anonymous(), operation).send();
        let expected = without_credential(operation, &answer);
        check("nobody", answer, expected);
        if operation.access == Access::Anybody {
            continue;
        }
        if let Access::Scope(scope) = operation.access {
            let answer = things.request(&all_but(&owner, scope), operation).send();
            let expected = without_scope(scope, &answer);
            check("one without the scope", answer, expected);
        }
        if operation.access == Access::Certificate {
            let answer = things.request(&owner, operation).send();
            let expected = without_credential(operation, &answer);
            check("an administrator without a certificate", answer, expected);
            continue;
        }
        let answer = things.request(&stranger, operation).send();
        let expected = elsewhere(operation, &things, &answer);
        check("another tenant's administrator", answer, expected);
        if let Some(confined) = confined(&owner, operation) {
            let answer = things.request(&confined, operation).send();
            let expected = confined_elsewhere(operation, &things, &answer);
            check("one confined to other resources", answer, expected);
        }
    }
    say(&format!("authorization: {} operations", OPERATIONS.len()));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A credential that has everything a tenant can give but this scope.
fn all_but(owner: &Client, scope: &str) -> Client {
    let scopes: Vec<_> = SCOPES.iter().copied().filter(|known| *known != scope).collect();
    new_key(owner, &scopes, &[])
}

/// A credential with the right scope, for resources that are not the ones asked about.
fn confined(owner: &Client, operation: &Operation) -> Option<Client> {
    match operation.access {
        Access::Scope("platform:admin" | "audit:read" | "admin") => None,
        Access::Anybody | Access::Authenticated | Access::Certificate => None,
        Access::Scope(scope) => {
            let scopes: &[&str] = if scope == "secrets:write" { &[scope, "secrets:read"] } else { &[scope] };
            Some(new_key(owner, scopes, &["secrets:elsewhere/*", "keys:elsewhere/*", "certificates:*.elsewhere"]))
        }
    }
}

fn ensure(holds: bool, expected: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(expected.to_owned()) }
}

fn refused(answer: &Answer, status: u16, code: &str) -> bool {
    answer.status == status && answer.error_object()["error"] == code
}

fn without_credential(operation: &Operation, answer: &Answer) -> Result<(), String> {
    if operation.access == Access::Anybody {
        return ensure(answer.status != 401, "open to everybody");
    }
    ensure(refused(answer, 401, "unauthorized"), "401 unauthorized")
}

fn without_scope(scope: &str, answer: &Answer) -> Result<(), String> {
    let named = || answer.error_object()["details"]["required_scope"] == scope;
    ensure(refused(answer, 403, "insufficient_scope") && named(), &format!("403 insufficient_scope, {scope}"))
}

fn elsewhere(operation: &Operation, things: &Things, answer: &Answer) -> Result<(), String> {
    if operation.access == Access::Scope("platform:admin") {
        return without_scope("platform:admin", answer);
    }
    match operation.about {
        About::Path | About::Body => ensure(answer.status == 404 && !answer.error_object().is_null(), "404"),
        About::Ciphertext => ensure(refused(answer, 400, "decryption_failed"), "400 decryption_failed"),
        About::Ciphertexts => ensure(answer.status == 200 && all_failed(&answer.json()), "200, each item refused"),
        About::Listing => ensure(answer.status == 200 && shows_none(things, answer), "200 without what is not theirs"),
        About::Creation | About::Nothing => ensure((200..300).contains(&answer.status), "success in their own tenant"),
    }
}

fn confined_elsewhere(operation: &Operation, things: &Things, answer: &Answer) -> Result<(), String> {
    if operation.path == ADMIN_ONLY {
        return ensure([403, 404].contains(&answer.status), "403 or 404");
    }
    if operation.path.starts_with("/api/v1/api-keys") {
        // API keys are no resource that a credential is confined to; but nobody grants more than they have.
        return ensure(
            operation.method != "POST" || operation.path != "/api/v1/api-keys" || answer.status == 403,
            "403",
        );
    }
    if operation.path.starts_with("/api/v1/users") && operation.method != "GET" {
        // The tenant's people reach everything, so whoever does not makes and changes none of them.
        return ensure(answer.status == 403, "403");
    }
    if IDENTITY.iter().any(|known| operation.path.starts_with(known)) {
        // Nor are applications and people. A session there is none of: nobody has signed in.
        return ensure((200..300).contains(&answer.status) || is_of_a_sign_in(operation.path), "success");
    }
    if operation.path.starts_with("/api/v1/trusts") {
        // Nor are trusts; but nobody has a trust give more than they have.
        let is_refused = ["POST", "PATCH"].contains(&operation.method) && !operation.path.ends_with("/test");
        return ensure(if is_refused { answer.status == 403 } else { answer.status < 300 }, "403, or success");
    }
    if operation.path.starts_with("/api/v1/gate/") {
        // Nor are tickets, unless the credential is bound to an environment.
        return ensure((200..300).contains(&answer.status), "success");
    }
    if operation.path.starts_with("/api/v1/cas") {
        // Neither are authorities: what they publish is for everybody.
        return ensure(answer.status == 200, "200");
    }
    match operation.about {
        About::Path | About::Body => ensure(answer.status == 404 && !answer.error_object().is_null(), "404"),
        About::Ciphertext => ensure([400, 403, 404].contains(&answer.status), "a refusal"),
        About::Ciphertexts => ensure(answer.status == 200 && all_failed(&answer.json()), "200, each item refused"),
        About::Listing => ensure(answer.status == 200 && shows_none(things, answer), "200 without what is beyond it"),
        About::Creation => {
            let none = answer.status == 200 && answer.json()["created"] == 0;
            ensure([403, 404].contains(&answer.status) || none, "a refusal to create beyond its limits")
        }
        About::Nothing => Ok(()),
    }
}

/// A trail holds what its own tenant asked for, names of others' things included; what it must not hold are their events.
fn shows_none(things: &Things, answer: &Answer) -> bool {
    let text = answer.text();
    let trail = text.contains("\"outcome\"") || text.contains("\"eventType\"");
    things.marks().iter().all(|mark| !text.contains(mark)) || (trail && !text.contains(things.own_event()))
}

/// The other side of the table: the exact scope is enough, so that the refusals above are not refusals of everything.
#[test]
fn every_operation_lets_in_whom_it_should() {
    let server = Server::start_dev();
    let platform = server.client();
    let mut wrong = Vec::new();
    let document = assert_complete(&platform);
    let mut things = Things::new(&platform, &platform, "first", MARKER);
    for (n, operation) in OPERATIONS.iter().enumerate() {
        if destroys(operation) {
            things = Things::new(&platform, &platform, &format!("fresh{n}"), MARKER);
        }
        let client = match operation.access {
            // They come to another listener: `mesh::door` lets them in.
            Access::Certificate => continue,
            Access::Anybody => platform.anonymous(),
            Access::Authenticated => new_key(&platform, &["secrets:read"], &[]),
            Access::Scope("platform:admin") => platform.clone(),
            Access::Scope(_) if operation.path == ADMIN_ONLY => platform.clone(),
            // What shows a value or hands on a right needs that right as well.
            Access::Scope(scope @ ("apikeys:write" | "secrets:write" | "trusts:write")) => {
                new_key(&platform, &[scope, "secrets:read"], &[])
            }
            // Whoever makes somebody may do what they may.
            Access::Scope("users:write") => new_key(&platform, &[&READS[..], &["users:write"]].concat(), &[]),
            Access::Scope(scope) => new_key(&platform, &[scope], &[]),
        };
        let answer = things.request(&client, operation).send();
        let expected: &[u16] = match operation.path {
            // There is nothing to unseal, no recipient to back up to, no sealing of what unseals itself, and a key made
            // here is not made to be exported.
            "/operator/unseal" | "/operator/backup" | "/operator/seal" | ADMIN_ONLY => &[200, 400, 403, 409],
            path if is_of_a_sign_in(path) => &[404],
            _ => &[200, 201, 204],
        };
        if !expected.contains(&answer.status) || !operation.documents(&document, answer.status) {
            let text = answer.text();
            wrong.push(format!("{} {}: {} {text:.300}", operation.method, operation.path, answer.status));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn destroys(operation: &Operation) -> bool {
    let words = ["revoke", "suspend", "deactivate", "rotate", "/share"];
    operation.method == "DELETE" || words.iter().any(|word| operation.path.contains(word))
}

#[test]
fn who_is_confined_to_some_keys_reaches_no_others_by_renaming_or_as_the_default() {
    let server = Server::start_dev();
    let admin = server.client();
    let confined = new_key(&admin, &["keys:write", "keys:read", "encrypt"], &["keys:mine/*"]);
    let make = |name: &str, is_default: bool| {
        let body =
            json!({"name": name, "keyType": "encryption", "algorithm": "AES-256-GCM", "setAsDefault": is_default});
        confined.post("/api/v1/keys", &body)
    };
    let id = make("mine/one", false).expect(201).text_of("id");
    make("mine/two", true).refused(403, "forbidden");
    let path = format!("/api/v1/keys/{id}");
    confined.patch(&path, &json!({"name": "theirs/one"})).refused(403, "forbidden");
    confined.post(&format!("{path}/rotate"), &json!({"name": "theirs/one"})).refused(403, "forbidden");
    confined.post(&format!("{path}/set-default"), &json!({"keyType": "encryption"})).refused(403, "forbidden");
    let read = confined.get(&path).expect(200).json();
    assert_eq!((&read["name"], &read["version"], &read["isDefault"]), (&json!("mine/one"), &json!(1), &json!(false)));
    confined.patch(&path, &json!({"name": "mine/renamed"})).expect(200);
    confined.post(&format!("{path}/rotate"), &json!({"setAsDefault": false})).expect(200);
    admin.post(&format!("{path}/set-default"), &json!({"keyType": "encryption"})).expect(204);
    // What is the default already may be rotated as such.
    let rotated = confined.post(&format!("{path}/rotate"), &json!({"setAsDefault": true})).expect(200).json();
    assert_eq!((&rotated["isDefault"], rotated.get("warnings")), (&json!(true), None));
}

/// The official Python client asks for the default with every rotation.
#[test]
fn who_is_confined_rotates_their_key_and_leaves_the_default_where_it_is() {
    let server = Server::start_dev();
    let admin = server.client();
    let confined = new_key(&admin, &["keys:write", "keys:read"], &["keys:mine/*"]);
    let body = json!({"name": "mine/one", "keyType": "encryption", "algorithm": "AES-256-GCM", "setAsDefault": false});
    let id = confined.post("/api/v1/keys", &body).expect(201).text_of("id");
    let default = || -> Vec<String> {
        let keys = admin.get("/api/v1/keys?keyType=encryption").expect(200).json();
        let of = |key: &serde_json::Value| (key["isDefault"] == true).then(|| key["id"].as_str().unwrap().to_owned());
        keys["keys"].as_array().unwrap().iter().filter_map(of).collect()
    };
    let before = default();
    assert!(before.len() == 1 && before[0] != id, "{before:?}");
    let path = format!("/api/v1/keys/{id}/rotate");
    let rotated = confined.post(&path, &json!({"set_as_default": true})).expect(200).json();
    assert_eq!((&rotated["newVersion"], &rotated["isDefault"]), (&json!(2), &json!(false)));
    assert!(rotated["warnings"][0].as_str().unwrap().starts_with("setAsDefault was not followed"), "{rotated}");
    assert_eq!(default(), before);
    // An unconfined caller is followed, and has nothing to be warned of.
    let rotated = admin.post(&path, &json!({"setAsDefault": true})).expect(200).json();
    assert_eq!((&rotated["isDefault"], rotated.get("warnings")), (&json!(true), None));
    assert_eq!(default(), [id]);
}

#[test]
fn nobody_reaches_further_through_a_key_they_make() {
    let server = Server::start_dev();
    let admin = server.client();
    let confined = new_key(&admin, &["apikeys:write", "secrets:read"], &["secrets:users-api/*"]);
    let make = |resources: &[&str]| {
        confined
            .post("/api/v1/api-keys", &json!({"name": "n", "scopes": ["secrets:read"], "resources": resources}))
            .status
    };
    assert_eq!(make(&["secrets:users-api/db"]), 201);
    assert_eq!(make(&["secrets:users-api/*"]), 201);
    for beyond in [&[][..], &["secrets:*"], &["secrets:orders-api/db"], &["secrets:users-api/db", "keys:*"]] {
        assert_eq!(make(beyond), 403, "{beyond:?}");
    }
}

/// A key that is bound to an environment, and what was answered when it was made.
fn bound(maker: &Client, scopes: &[&str], environment: &str) -> Answer {
    let body = json!({"name": "bound", "scopes": scopes, "environment": environment});
    maker.post("/api/v1/api-keys", &body)
}

fn of_staging(admin: &Client) -> Client {
    let scopes = ["secrets:read", "secrets:write", "keys:read", "keys:write", "encrypt", "decrypt"];
    let made = bound(admin, &scopes, "Staging").expect(201);
    assert_eq!(made.json()["environment"], "Staging");
    admin.with_key(&made.text_of("key"))
}

fn labelled_secret(client: &Client, labels: &[&str]) -> Answer {
    client.post("/api/v1/secrets", &json!({"name": "shared/db", "value": labels.join("+"), "labels": labels}))
}

fn labelled_key(client: &Client, name: &str, labels: &[&str]) -> Answer {
    let body = json!({"name": name, "keyType": "encryption", "algorithm": "ML-KEM-768", "labels": labels});
    client.post("/api/v1/keys", &body)
}

/// What is labelled for an environment is reached by keys that are bound to it or to none; a bound key reaches nothing else.
#[test]
fn a_key_that_is_bound_to_an_environment_reaches_the_secrets_that_belong_to_it() {
    let server = Server::start_dev();
    let admin = server.client();
    let staging = of_staging(&admin);
    let theirs = labelled_secret(&admin, &["environment:production"]).expect(201).text_of("id");
    let nobodys = labelled_secret(&admin, &["db"]).expect(201).text_of("id");
    labelled_secret(&admin, &["environment:staging", "db"]).expect(201);
    let both = labelled_secret(&admin, &["environment:production", "ENVIRONMENT:staging"]).expect(201).text_of("id");
    for beyond in [&theirs, &nobodys] {
        let path = format!("/api/v1/secrets/{beyond}");
        staging.get(&path).refused(404, "not_found");
        staging.patch(&path, &json!({"labels": ["environment:staging"]})).refused(404, "not_found");
        staging.put(&format!("{path}/value"), &json!({"value": "x"})).refused(404, "not_found");
        staging.delete(&path).refused(404, "not_found");
        staging.post("/api/v1/vault/share", &json!({"secretId": beyond})).refused(404, "not_found");
    }
    staging.get(&format!("/api/v1/secrets/{both}")).expect(200);
    let listed = staging.get("/api/v1/secrets").expect(200).json();
    assert_eq!(listed["total"], 2, "{listed}");
}

#[test]
fn a_bound_key_moves_nothing_into_its_environment_or_out_of_it() {
    let server = Server::start_dev();
    let admin = server.client();
    let staging = of_staging(&admin);
    let ours = labelled_secret(&admin, &["environment:staging", "db"]).expect(201).text_of("id");
    let path = format!("/api/v1/secrets/{ours}");
    let patched = staging.patch(&path, &json!({"labels": ["new"]})).expect(200).json();
    assert_eq!(patched["labels"], json!(["new", "environment:staging"]));
    staging.patch(&path, &json!({"labels": ["environment:production"]})).refused(403, "forbidden");
    labelled_secret(&staging, &["environment:production"]).refused(403, "forbidden");
    assert_eq!(labelled_secret(&staging, &[]).expect(201).json()["labels"], json!(["environment:Staging"]));
    let import = json!({"items": [{"name": "imported", "value": "v", "labels": ["environment:production"]}, {"name": "imported", "value": "v"}]});
    let imported = staging.post("/api/v1/secrets/import", &import).expect(200).json();
    assert_eq!((&imported["created"], &imported["failed"]), (&json!(1), &json!(1)), "{imported}");
    let by_name = staging.get("/api/v1/secrets/by-name/imported").expect(200).json();
    assert_eq!(by_name["labels"], json!(["environment:Staging"]));
}

/// Keys alike, the tenant's default among them, which belongs to no environment.
#[test]
fn a_key_that_is_bound_to_an_environment_uses_the_named_keys_that_belong_to_it() {
    let server = Server::start_dev();
    let admin = server.client();
    let staging = of_staging(&admin);
    staging.post("/api/v1/encrypt", &json!({"plaintext": "x"})).refused(404, "not_found");
    let elsewhere = labelled_key(&admin, "elsewhere", &["environment:production"]).expect(201).text_of("id");
    let sealed = admin.post("/api/v1/encrypt", &json!({"plaintext": "x", "keyId": elsewhere})).expect(200);
    let sealed = json!({"encryptedPayload": sealed.text_of("encryptedPayload")});
    staging.post("/api/v1/encrypt", &json!({"plaintext": "x", "keyId": elsewhere})).refused(404, "not_found");
    assert!([400, 404].contains(&staging.post("/api/v1/decrypt", &sealed).status));
    staging.post("/api/v1/transit/encrypt/elsewhere", &json!({"plaintext": "eA=="})).refused(404, "not_found");
    labelled_key(&staging, "planted", &["environment:production"]).refused(403, "forbidden");
    let own = labelled_key(&staging, "here", &[]).expect(201).json();
    assert_eq!(own["labels"], json!(["environment:Staging"]));
    staging.post("/api/v1/encrypt", &json!({"plaintext": "x", "keyId": own["id"]})).expect(200);
    let path = format!("/api/v1/keys/{}", own["id"].as_str().unwrap());
    let rotated = staging.post(&format!("{path}/rotate"), &json!({"setAsDefault": true})).expect(200).json();
    assert_eq!((&rotated["isDefault"], rotated["warnings"].as_array().map(Vec::len)), (&json!(false), Some(1)));

    let labels = |client: &Client, labels: &[&str]| client.patch(&path, &json!({"labels": labels}));
    let patched = labels(&staging, &["new"]).expect(200).json();
    assert_eq!(patched["labels"], json!(["new", "environment:Staging"]));
    labels(&staging, &["environment:production"]).refused(403, "forbidden");
    assert_eq!(
        labels(&admin, &["environment:production"]).expect(200).json()["labels"],
        json!(["environment:production"])
    );
    staging.get(&path).refused(404, "not_found");
}

#[test]
fn a_binding_is_handed_on_and_nobody_gets_rid_of_it() {
    let server = Server::start_dev();
    let admin = server.client();
    let made = bound(&admin, &["secrets:read", "apikeys:write"], "staging").expect(201);
    let staging = admin.with_key(&made.text_of("key"));
    let theirs = labelled_secret(&admin, &["environment:production"]).expect(201).text_of("id");
    let ours = labelled_secret(&admin, &["environment:staging"]).expect(201).text_of("id");
    bound(&staging, &["secrets:read"], "staging").expect(201);
    for other in ["production", ""] {
        let refused = bound(&staging, &["secrets:read"], other).refused(403, "forbidden");
        assert_eq!(refused["details"]["exceeds"], json!(["environment"]), "{other:?}");
    }
    let own_id = made.text_of("id");
    staging.patch(&format!("/api/v1/api-keys/{own_id}"), &json!({"environment": ""})).refused(403, "forbidden");
    // The administrator moves it: what was reached before is out of reach at once.
    admin.patch(&format!("/api/v1/api-keys/{own_id}"), &json!({"environment": "production"})).expect(200);
    crate::server::eventually(std::time::Duration::from_secs(2), || {
        (staging.get(&format!("/api/v1/secrets/{theirs}")).status == 200).then_some(())
    });
    staging.get(&format!("/api/v1/secrets/{ours}")).refused(404, "not_found");
}

/// Certificates belong to no environment: whoever is bound to one gets those that its resources name.
#[test]
fn a_key_that_is_bound_to_an_environment_gets_certificates_by_name_only() {
    let server = Server::start_dev();
    let admin = server.client();
    let bound_to = |resources: &[&str]| {
        let scopes = ["certificates:read", "certificates:write"];
        let body = json!({"name": "bound", "scopes": scopes, "environment": "staging", "resources": resources});
        admin.with_key(&admin.post("/api/v1/api-keys", &body).expect(201).text_of("key"))
    };
    let ask = |client: &Client| {
        let body = json!({"Subject": "CN=users-api", "SubjectAlternativeNames": ["DNS:users-api.staging.svc"]});
        client.post("/api/v1/certificates", &body).status
    };
    assert_eq!(ask(&admin), 201);
    assert_eq!(ask(&bound_to(&[])), 403);
    assert_eq!(ask(&bound_to(&["certificates:*.prod.svc", "certificates:users-api"])), 403);
    assert_eq!(ask(&bound_to(&["certificates:*.staging.svc", "certificates:users-api"])), 201);
    assert_eq!(bound_to(&[]).get("/api/v1/certificates").expect(200).json()["total"], 0);
}
