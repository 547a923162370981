//! The certificate authority as services, operators and foreign programs meet it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::Random;
use crypto::x509;
use serde_json::{Value, json};

use crate::binaries::{binary, root};
use crate::client::Client;
use crate::installation::{Engine, Installation};
use crate::postgres::Postgres;
use crate::program::{python, succeed};
use crate::server::{Server, eventually, list, new_key};

/// The promised second, and one for a machine that is busy with other tests.
const EVERYWHERE: Duration = Duration::from_secs(2);

/// What the articles tell customers to send.
fn documented() -> Value {
    json!({
        "Subject": "CN=users-api,O=users-api,C=EU",
        "SubjectAlternativeNames": ["DNS:users-api", "DNS:users-api.users-api.svc.cluster.local"],
        "Algorithm": "ML-DSA-65", "ValidityHours": 24,
        "KeyUsage": ["DigitalSignature", "KeyEncipherment"],
        "ExtendedKeyUsage": ["ClientAuthentication", "ServerAuthentication"],
    })
}

/// Files for foreign programs.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn pyca(command: &str, arguments: &[&Path]) -> String {
    let script = root().join("tests/interop/peers/certificates.py");
    succeed(Command::new(python("requirements.txt")).arg("-B").arg(script).arg(command).args(arguments))
}

fn authority(client: &Client, kind: &str) -> Value {
    let cas = client.get("/api/v1/cas").expect(200).json();
    let found = list(&cas, "cas").iter().find(|ca| ca["kind"] == kind).cloned();
    found.unwrap_or_else(|| panic!("no {kind} authority in {cas}"))
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value:.300}"))
}

#[test]
fn every_dialect_is_issued_and_verifies_in_programs_that_share_nothing_with_ours() {
    let server = Server::start_dev();
    let client = server.client();
    let reference = json!({"common_name": "users-api", "ttl": "24h", "key_type": "ml-dsa-65"});
    let plain = json!({"subject": "CN=users-api", "subjectAlternativeNames": "users-api, 127.0.0.1"});
    let bearer = client.anonymous();
    let bearer = |path: &str| bearer.request("POST", path).header("Authorization", &format!("Bearer {}", client.key()));
    let answers = [
        client.post("/api/v1/certificates", &documented()),
        bearer("/v1/pki/issue").json(&reference).send(),
        client.post("/api/v1/certificates", &plain),
    ];
    for answer in answers {
        let answer = answer.expect(201);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let issued = answer.json();
        assert_eq!(issued["certificate"], issued["data"]["certificate_pem"]);
        assert_eq!(issued["privateKey"], issued["data"]["privateKeyPem"]);
        verify_everywhere(&client, &issued);
    }
    let documented = client.post("/api/v1/certificates", &documented()).expect(201).json();
    assert_eq!(documented["keyUsage"], json!(["digitalSignature"]));
    assert!(documented["warnings"][0].as_str().unwrap().contains("keyEncipherment"), "{documented:.600}");
    assert_eq!(documented["spiffeId"], "spiffe://qapi.internal/ns/users-api/sa/users-api");
}

/// Under the anchor alone, under the root through the authority, and with both names and the identity.
fn verify_everywhere(client: &Client, issued: &Value) {
    let folder = Folder::new();
    let leaf = folder.file("leaf.pem", text(issued, "certificate"));
    let key = folder.file("key.pem", text(issued, "privateKey"));
    let anchor = folder.file("anchor.pem", &client.get("/api/v1/ca/certificate").expect(200).text());
    let chain = folder.file("chain.pem", text(issued, "chain"));
    let root_id = authority(client, "root")["id"].as_str().unwrap().to_owned();
    let root = client.get(&format!("/api/v1/cas/{root_id}/certificate")).expect(200).text();
    let root = folder.file("root.pem", &root);
    assert_eq!(pyca("check", &[&leaf, &anchor, &key]).trim(), "verified");
    assert_eq!(pyca("chain", &[&leaf, &chain, &root]).trim(), "verified");
    let ours = |arguments: &[&Path]| {
        let mut command = Command::new(binary("qapi"));
        command.args(["certs", "verify", "--name", "dns:users-api", "--purpose", "server"]).args(arguments);
        succeed(&mut command);
    };
    let option = |name: &'static str| Path::new(name);
    ours(&[option("--anchor"), &anchor, &leaf]);
    ours(&[option("--anchor"), &root, option("--intermediate"), &chain, &leaf]);
}

#[test]
fn a_request_gets_a_certificate_and_its_key_stays_where_it_is() {
    let server = Server::start_dev();
    let client = server.client();
    let foreign = pyca("csr", &[Path::new("orders-api"), Path::new("orders-api.shop.svc.cluster.local")]);
    let issued = client.post("/api/v1/certificates", &json!({ "csr": foreign })).expect(201).json();
    assert!(issued["privateKey"].is_null() && issued["data"]["private_key_pem"].is_null(), "{issued:.300}");
    assert_eq!(issued["spiffeId"], "spiffe://qapi.internal/ns/shop/sa/orders-api");
    let key = PrivateKey::generate(Algorithm::MlDsa65, &System).unwrap();
    let request = x509::Request { alt_names: vec!["orders-api".parse().unwrap()], ..x509::Request::default() };
    let der = request.sign(&key, &System).unwrap();
    let renew = format!("/api/v1/certificates/{}/renew", text(&issued, "id"));
    let renewed = client.post(&renew, &json!({ "csr": BASE64.encode(&der) })).expect(201).json();
    assert_eq!(renewed["subjectAlternativeNames"], issued["subjectAlternativeNames"]);
    repeated_requests_get_one_certificate(&client, &foreign, &renew);
    let block = x509::pem::blocks(text(&renewed, "certificate")).unwrap().remove(0);
    let certificate = x509::Certificate::parse(&block.der).unwrap();
    assert_eq!(certificate.public_key(), key.public_key().as_ref());
    // Whoever does not hold the key gets nothing, and a renewal has no new names.
    let mut forged = der;
    *forged.last_mut().unwrap() ^= 1;
    client.post(&renew, &json!({ "csr": BASE64.encode(&forged) })).refused(400, "invalid_request");
    let other = x509::Request { alt_names: vec!["admin-api".parse().unwrap()], ..x509::Request::default() };
    let other = json!({ "csr": BASE64.encode(other.sign(&key, &System).unwrap()) });
    let refused = client.post(&renew, &other).refused(403, "name_not_allowed");
    assert_eq!(refused["details"]["names"], json!(["DNS:admin-api"]));
}

/// Nothing secret is in the answer to a request, so a client that lost it gets it again, and no second certificate.
fn repeated_requests_get_one_certificate(client: &Client, csr: &str, renew: &str) {
    for path in ["/api/v1/certificates", "/v1/pki/issue", renew] {
        let send = || client.request("POST", path).header("Idempotency-Key", path).json(&json!({ "csr": csr })).send();
        let (first, again) = (send().expect(201), send().expect(201));
        assert_eq!(first.json(), again.json(), "{path}");
        assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
        let other =
            client.request("POST", path).header("Idempotency-Key", path).json(&json!({ "csr": csr, "ttl": "1h" }));
        other.send().refused(422, "idempotency_key_reused");
    }
    let key_of_ours = client.request("POST", renew).header("Idempotency-Key", "ours");
    key_of_ours.json(&json!({})).send().expect(201);
    let again = client.request("POST", renew).header("Idempotency-Key", "ours");
    again.json(&json!({})).send().refused(409, "value_not_replayable");
}

/// The generator of the operating system, through the standard library.
struct System;

impl Random for System {
    fn fill(&self, bytes: &mut [u8]) {
        use std::io::Read as _;
        std::fs::File::open("/dev/urandom").unwrap().read_exact(bytes).unwrap();
    }
}

#[test]
fn names_beyond_the_tenant_or_the_credential_are_refused_and_told() {
    let server = Installation::unattended(&Engine::Sqlite).serve();
    let tenant = server.tenant("shop");
    let issue = |client: &Client, names: &[&str]| {
        client.post("/api/v1/certificates", &json!({ "subjectAlternativeNames": names }))
    };
    // A tenant that does not learn: what it allows and nothing else.
    issue(&tenant, &["users-api.shop.svc.cluster.local"]).expect(201);
    let refused = issue(&tenant, &["users-api", "localhost", "*.svc.cluster.local"]).refused(403, "name_not_allowed");
    assert_eq!(refused["details"]["names"], json!(["DNS:users-api", "DNS:*.svc.cluster.local"]));
    let before = tenant.get("/t/shop/api/v1/ca/bundle").expect(200).json();
    let policy = tenant.get("/api/v1/ca/policy").expect(200).json();
    let mut names = list(&policy, "allowedNames").to_vec();
    names.push(json!("users-api"));
    tenant.patch("/api/v1/ca/policy", &json!({ "allowedNames": names })).expect(200);
    issue(&tenant, &["users-api"]).expect(201);
    let after = tenant.get("/t/shop/api/v1/ca/bundle").expect(200).json();
    assert!(after["sequence"].as_i64() > before["sequence"].as_i64());
    assert_ne!(after["anchors"][0], before["anchors"][0], "the authority was not certified anew");
    tenant.patch("/api/v1/ca/policy", &json!({ "allowedNames": ["10.0.0.0/8"] })).refused(400, "invalid_request");
    // A confined credential: its own names, and it teaches nobody new ones.
    let confined =
        |client: &Client| new_key(client, &["certificates:write"], &["certificates:*.shop.svc.cluster.local"]);
    issue(&confined(&tenant), &["a.shop.svc.cluster.local"]).expect(201);
    let refused = issue(&confined(&tenant), &["a.pay.svc.cluster.local"]).refused(403, "name_not_allowed");
    assert_eq!(refused["details"]["names"][0], "DNS:a.pay.svc.cluster.local");
    let learning = server.client();
    issue(&learning, &["learned"]).expect(201);
    let key = new_key(&learning, &["certificates:write"], &["certificates:new-*"]);
    issue(&key, &["new-name"]).refused(403, "name_not_allowed");
}

#[test]
fn a_strict_caller_is_refused_what_others_get_without() {
    let server = Server::start_dev();
    let client = server.client();
    let mut wish = documented();
    client.post("/api/v1/certificates?strict=true", &wish).refused(422, "usage_not_allowed");
    wish["strict"] = json!(true);
    client.post("/v1/pki/issue", &wish).refused(422, "usage_not_allowed");
    wish["strict"] = json!(false);
    wish["KeyUsage"] = json!("KeyEncipherment");
    let refused = client.post("/api/v1/certificates", &wish).refused(422, "usage_not_allowed");
    assert!(refused["details"]["reasons"][0].as_str().unwrap().contains("RFC 9881"), "{refused}");
    for (member, value) in [("Profile", "nonsense"), ("Ttl", "soon"), ("KeyUsage", "everything"), ("Csr", "MAA=")] {
        let mut wish = documented();
        wish[member] = json!(value);
        client.post("/api/v1/certificates", &wish).refused(400, "invalid_request");
    }
    let body = json!({"commonName": "a", "algorithm": "ECDSA-P256"});
    client.post("/api/v1/certificates", &body).refused(400, "unsupported");
    let compatible = json!({"commonName": "a", "profile": "mesh-compat"});
    let issued = client.post("/api/v1/certificates", &compatible).expect(201).json();
    assert_eq!((issued["quantumSafe"].as_bool(), text(&issued, "algorithm")), (Some(false), "ECDSA-P256"));
    // No peer trusts a classical authority without having asked for it.
    let bundle = client.get("/api/v1/ca/bundle").expect(200).json();
    assert!(!list(&bundle, "anchors").contains(&issued["caCertificate"]));
}

#[test]
fn a_private_key_is_shown_once_and_is_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start_dev_with(&data, &["--log", "trace"]);
    let client = server.client();
    let issue = || {
        let request = client.request("POST", "/api/v1/certificates").header("Idempotency-Key", "once");
        request.json(&json!({"commonName": "a.shop.svc.cluster.local"})).send()
    };
    let issued = issue().expect(201).json();
    issue().refused(409, "value_not_replayable");
    let read = client.get(&format!("/api/v1/certificates/{}", text(&issued, "id"))).expect(200).json();
    assert!(read["privateKey"].is_null() && read["serverMadeKey"] == true, "{read:.300}");
    let block = text(&issued, "privateKey").lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let pkcs8 = BASE64.decode(block).unwrap();
    assert_eq!(pkcs8.len(), 54, "PKCS#8 with the seed alone");
    let seed = &pkcs8[22..];
    server.stop();
    let log = server.written();
    let mut places = vec![("the log".to_owned(), log.into_bytes())];
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        places.extend(std::fs::read(&path).ok().map(|bytes| (path.display().to_string(), bytes)));
    }
    assert!(places.len() > 3);
    for (place, bytes) in places {
        let spelled = [seed.to_vec(), hex::encode(seed).into_bytes(), BASE64.encode(&pkcs8).into_bytes()];
        for secret in spelled {
            assert!(memchr::memmem::find(&bytes, &secret).is_none(), "{place} shows a private key");
        }
    }
}

#[test]
fn a_successor_overlaps_and_what_was_issued_before_goes_on() {
    let server = Server::start_dev();
    let client = server.client();
    let old = client.post("/api/v1/certificates", &documented()).expect(201).json();
    let ca = text(&old, "caId").to_owned();
    let first = client.get("/api/v1/ca/certificate").expect(200).text();
    let rotate = json!({"leadSeconds": 0, "overlapSeconds": 4});
    let next = client.post(&format!("/api/v1/cas/{ca}/rotate"), &rotate).expect(200).json();
    assert_eq!((next["generation"].as_u64(), text(&next, "status")), (Some(2), "active"));
    let bundle = client.get("/api/v1/ca/bundle").expect(200).json();
    assert!(list(&bundle, "anchors").contains(&json!(first)), "the old anchor left at once");
    assert_eq!(list(&bundle, "anchors").len(), 3, "two issuing authorities and the root");
    let new = client.post("/api/v1/certificates", &documented()).expect(201).json();
    assert_eq!(new["caId"], next["id"]);
    let folder = Folder::new();
    let (anchors, mut both) = (folder.0.path().join("anchors.pem"), String::new());
    list(&bundle, "anchors").iter().for_each(|pem| both.push_str(pem.as_str().unwrap()));
    std::fs::write(&anchors, both).unwrap();
    for (name, issued) in [("old.pem", &old), ("new.pem", &new)] {
        let leaf = folder.file(name, text(issued, "certificate"));
        succeed(Command::new(binary("qapi")).args(["certs", "verify", "--anchor"]).arg(&anchors).arg(leaf));
    }
    eventually(Duration::from_secs(40), || {
        let bundle = client.get("/api/v1/ca/bundle").expect(200).json();
        (!list(&bundle, "anchors").contains(&json!(first))).then_some(())
    });
    assert_eq!(client.get(&format!("/api/v1/cas/{ca}")).expect(200).text_of("status"), "retired");
    let actions: Vec<String> = eventually(Duration::from_secs(10), || {
        let events = client.get("/api/v1/audit-logs?pageSize=200").expect(200).json();
        let actions = list(&events, "items").iter().map(|event| text(event, "action").to_owned());
        let actions: Vec<String> = actions.collect();
        actions.contains(&"AuthorityRetired".to_owned()).then_some(actions)
    });
    for action in ["AuthorityCreated", "NamesLearned", "CertificateIssued", "AuthorityRotated"] {
        assert!(actions.iter().any(|known| known == action), "no {action} in {actions:?}");
    }
}

/// Whoever has the old root alone, whoever has the new one, and whoever has both believe what is issued, with foreign programs
/// and ours; the old root leaves when its overlap is over.
#[test]
fn a_root_rotates_in_place_and_who_trusts_the_old_one_alone_goes_on_until_it_leaves() {
    let server = Server::start_dev();
    let client = server.client();
    let folder = Folder::new();
    let old = folder.file("old-root.pem", text(&authority(&client, "root"), "certificate"));
    let before = client.post("/api/v1/certificates", &documented()).expect(201).json();
    let anchor = client.get("/api/v1/ca/certificate").expect(200).text();
    let sequence = client.get("/api/v1/ca/bundle").expect(200).json()["sequence"].as_i64();
    let next = rotate_root(&server, &authority(&client, "root"));
    let new = folder.file("new-root.pem", text(&next, "certificate"));
    let bundle = client.get("/api/v1/ca/bundle").expect(200).json();
    assert!(bundle["sequence"].as_i64() > sequence, "nobody is told");
    let anchors = list(&bundle, "anchors");
    for root in [&old, &new] {
        assert!(anchors.contains(&json!(std::fs::read_to_string(root).unwrap())), "{} is no anchor", root.display());
    }
    assert_eq!((anchors.len(), list(&bundle, "intermediates").len()), (3, 2), "one issuing authority under two roots");
    assert_eq!(client.get("/api/v1/ca/certificate").expect(200).text(), anchor, "what was pinned stays");
    let during = client.post("/api/v1/certificates", &documented()).expect(201).json();
    // An authority that comes during the overlap is under both as well.
    let another = json!({"name": "another"});
    let another = client.post("/api/v1/cas", &another).expect(201).json();
    let wish = json!({"commonName": "users-api", "caId": another["id"]});
    let other = client.post("/api/v1/certificates", &wish).expect(201).json();
    believes(&folder, &old, &before);
    for issued in [&during, &other] {
        believes(&folder, &old, issued);
        // OpenSSL does not try a second issuer of one name; ours does.
        accepts(&folder, &new, issued);
    }
    eventually(Duration::from_secs(90), || {
        let bundle = client.get("/api/v1/ca/bundle").expect(200).json();
        let left = !list(&bundle, "anchors").contains(&json!(std::fs::read_to_string(&old).unwrap()));
        (left && list(&bundle, "intermediates").len() == 2).then_some(())
    });
    let after = client.post("/api/v1/certificates", &documented()).expect(201).json();
    believes(&folder, &new, &after);
    assert_eq!(text(&after, "caCertificate"), text(&before, "caCertificate"), "no issuing key changed");
    let refused = judged(&folder, &old, &after);
    assert!(!refused.status.success(), "the old root still speaks for what is issued");
}

/// With the command line, as an operator does.
fn rotate_root(server: &Server, root: &Value) -> Value {
    let mut command = Command::new(binary("qapi"));
    command.args(["certs", "ca", "rotate", text(root, "id"), "--lead-seconds", "0", "--overlap-seconds", "15"]);
    command.args(["--output", "json"]);
    command.env("QUANTUMAPI_BASE_URL", server.base_url()).env("QUANTUMAPI_KEY", server.admin_key());
    let next: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    assert_eq!((text(&next, "kind"), next["generation"].as_u64()), ("root", Some(2)), "{next:.300}");
    next
}

/// Whether a program that shares nothing with ours, and ours, follow the chain that comes with a certificate to a root.
fn believes(folder: &Folder, root: &Path, issued: &Value) {
    let leaf = folder.file("leaf.pem", text(issued, "certificate"));
    let chain = folder.file("chain.pem", text(issued, "chain"));
    let mut openssl = crate::mesh::tools::tool("openssl");
    openssl.args(["verify", "-x509_strict", "-CAfile"]).arg(root).arg("-untrusted").arg(chain).arg(leaf);
    succeed(&mut openssl);
    accepts(folder, root, issued);
}

fn accepts(folder: &Folder, root: &Path, issued: &Value) {
    let judged = judged(folder, root, issued);
    assert!(judged.status.success(), "{}", crate::program::both(&judged));
}

fn judged(folder: &Folder, root: &Path, issued: &Value) -> std::process::Output {
    let leaf = folder.file("leaf.pem", text(issued, "certificate"));
    let chain = folder.file("chain.pem", text(issued, "chain"));
    let mut command = Command::new(binary("qapi"));
    command.args(["certs", "verify", "--name", "dns:users-api", "--anchor"]).arg(root);
    crate::program::run(command.arg("--intermediate").arg(chain).arg(leaf))
}

#[test]
fn a_revocation_wakes_who_waits_on_either_server_within_a_second() {
    let postgres = Postgres::start();
    let installation = Installation::unattended(&Engine::Postgres(postgres.url("qapi")));
    let (first, second) = (installation.serve(), installation.serve());
    let clients = [first.client(), second.client()];
    // Both are asked at once by somebody who comes first: there is one authority all the same.
    let issued: Vec<Value> = std::thread::scope(|scope| {
        let issue = |n: usize| clients[n % 2].post("/api/v1/certificates", &documented()).expect(201).json();
        let racers: Vec<_> = (0..6).map(|n| scope.spawn(move || issue(n))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert!(issued.iter().all(|one| one["caId"] == issued[0]["caId"]), "two authorities were made");
    let mut sequence = clients[0].get("/api/v1/ca/bundle").expect(200).json()["sequence"].as_i64().unwrap();
    for (n, one) in issued.iter().take(4).enumerate() {
        let waiting = format!("/api/v1/ca/bundle?after={sequence}&waitSeconds=20");
        let (bundle, took) = std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                let bundle = clients[1].anonymous().get(&waiting).expect(200).json();
                (bundle, Instant::now())
            });
            std::thread::sleep(Duration::from_millis(300));
            assert!(!waits.is_finished(), "nothing was revoked, and the bundle came");
            let path = format!("/api/v1/certificates/{}/revoke", text(one, "id"));
            clients[0].post(&path, &json!({"reason": "keyCompromise"})).expect(200);
            let revoked = Instant::now();
            let (bundle, arrived) = waits.join().unwrap();
            (bundle, arrived.saturating_duration_since(revoked))
        });
        assert!(took < EVERYWHERE, "the revocation took {took:?}");
        sequence = bundle["sequence"].as_i64().unwrap();
        let payload = BASE64.decode(text(&bundle["denyList"], "payload")).unwrap();
        verify_deny_list(&bundle, &payload);
        let denied: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(list(&denied, "denied").len(), n + 1);
        assert_eq!(list(&denied, "denied")[n]["serialNumber"], one["serialNumber"]);
    }
    revoked_in_the_list(&clients[1], &issued);
}

/// The deny list is signed by an anchor of the bundle, over its own domain.
fn verify_deny_list(bundle: &Value, payload: &[u8]) {
    let signature = BASE64.decode(text(&bundle["denyList"], "signature")).unwrap();
    let signer = list(bundle, "anchors").iter().find_map(|pem| {
        let block = x509::pem::blocks(pem.as_str()?).ok()?.pop()?;
        let anchor = x509::Certificate::parse(&block.der).ok()?;
        let is_it = anchor.subject_key_id()?.to_string() == bundle["denyList"]["keyId"];
        is_it.then(|| anchor.public_key().cloned()).flatten()
    });
    let signed = [b"qapi/deny-list/v1\0", payload].concat();
    assert!(signer.expect("an anchor signed the list").verify(&signed, &signature));
}

fn revoked_in_the_list(client: &Client, issued: &[Value]) {
    let folder = Folder::new();
    let ca = text(&issued[0], "caId");
    let path = folder.file("ca.crl", &client.get(&format!("/api/v1/cas/{ca}/crl")).expect(200).text());
    let anchor = folder.file("anchor.pem", &client.get("/api/v1/ca/certificate").expect(200).text());
    let serials = pyca("crl", &[&path, &anchor]);
    for one in issued.iter().take(4) {
        assert!(serials.contains(text(one, "serialNumber")), "{serials}");
    }
    assert_eq!(serials.lines().count(), 4);
    let der = client.request("GET", &format!("/api/v1/cas/{ca}/crl?format=der")).send().expect(200);
    assert_eq!((der.header("content-type"), der.body.first()), (Some("application/pkix-crl"), Some(&0x30)));
    let again = client.post(&format!("/api/v1/certificates/{}/revoke", text(&issued[0], "id")), &json!({})).expect(200);
    assert_eq!(again.text_of("revocationReason"), "keyCompromise", "the first reason stays");
    client.post(&format!("/api/v1/certificates/{}/renew", text(&issued[0], "id")), &json!({})).refused(409, "conflict");
}
