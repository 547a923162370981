//! Keys, secrets and API keys through all their states.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::server::{Server, list, new_key};

fn key(client: &Client, name: &str) -> String {
    let body = json!({"name": name, "keyType": "encryption", "algorithm": "ML-KEM-768"});
    client.post("/api/v1/keys", &body).expect(201).text_of("id")
}

fn encrypt(client: &Client, key: &str) -> Answer {
    client.post("/api/v1/encrypt", &json!({"plaintext": "personal", "keyId": key}))
}

fn decrypt(client: &Client, payload: &str) -> Answer {
    client.post("/api/v1/decrypt", &json!({"encryptedPayload": payload}))
}

#[test]
fn every_version_decrypts_until_the_minimum_forbids_it() {
    let server = Server::start_dev();
    let client = server.client();
    let id = key(&client, "versions");
    let mut payloads = Vec::new();
    for version in 1..=4 {
        let sealed = encrypt(&client, &id).expect(200);
        assert_eq!(sealed.json()["keyVersion"], version);
        payloads.push(sealed.text_of("encryptedPayload"));
        client.post(&format!("/api/v1/keys/{id}/rotate"), &json!({})).expect(200);
    }
    for payload in &payloads {
        assert_eq!(decrypt(&client, payload).expect(200).text_of("plaintext"), "personal");
    }
    let minimum = format!("/api/v1/keys/{id}/min-decryption-version");
    client.put(&minimum, &json!({"minDecryptionVersion": 3})).expect(200);
    for (n, payload) in payloads.iter().enumerate() {
        match n + 1 {
            1 | 2 => drop(decrypt(&client, payload).refused(403, "key_version_below_minimum")),
            _ => drop(decrypt(&client, payload).expect(200)),
        }
    }
    for outside in [0, 6] {
        client.put(&minimum, &json!({"minDecryptionVersion": outside})).refused(400, "invalid_min_decryption_version");
    }
}

#[test]
fn a_disabled_key_does_nothing_until_it_is_enabled() {
    let server = Server::start_dev();
    let client = server.client();
    let id = key(&client, "disabled");
    let payload = encrypt(&client, &id).expect(200).text_of("encryptedPayload");
    client.patch(&format!("/api/v1/keys/{id}"), &json!({"status": "disabled"})).expect(200);
    encrypt(&client, &id).refused(409, "key_disabled");
    decrypt(&client, &payload).refused(409, "key_disabled");
    client.patch(&format!("/api/v1/keys/{id}"), &json!({"status": "active"})).expect(200);
    decrypt(&client, &payload).expect(200);
}

#[test]
fn a_key_to_be_deleted_can_be_kept_after_all() {
    let server = Server::start_dev();
    let client = server.client();
    let id = key(&client, "deleted");
    let payload = encrypt(&client, &id).expect(200).text_of("encryptedPayload");
    client.delete(&format!("/api/v1/keys/{id}?scheduleDays=7")).expect(204);
    encrypt(&client, &id).refused(409, "key_disabled");
    decrypt(&client, &payload).refused(409, "key_disabled");
    let read = client.get(&format!("/api/v1/keys/{id}")).expect(200).json();
    assert_eq!(read["status"], "scheduled_deletion");
    assert!(read["scheduledDeletionDate"].is_string(), "{read}");
    client.patch(&format!("/api/v1/keys/{id}"), &json!({"status": "active"})).expect(200);
    decrypt(&client, &payload).expect(200);
}

#[test]
fn a_revoked_key_is_revoked_for_good() {
    let server = Server::start_dev();
    let client = server.client();
    let id = key(&client, "revoked");
    let payload = encrypt(&client, &id).expect(200).text_of("encryptedPayload");
    let wrapped =
        client.post(&format!("/api/v1/keys/{id}/generate-data-key"), &json!({})).expect(200).text_of("encryptedKey");
    client.request("POST", &format!("/api/v1/keys/{id}/revoke")).send().expect(200);
    encrypt(&client, &id).refused(403, "key_revoked");
    decrypt(&client, &payload).refused(403, "key_revoked");
    client.post(&format!("/api/v1/keys/{id}/unwrap"), &json!({"wrappedKey": wrapped})).refused(403, "key_revoked");
    client.patch(&format!("/api/v1/keys/{id}"), &json!({"status": "active"})).expect(409);
}

#[test]
fn a_revoked_key_stays_revoked_by_way_of_its_deletion_too() {
    let server = Server::start_dev();
    let client = server.client();
    let body = json!({"name": "doomed", "keyType": "encryption", "algorithm": "ML-KEM-768", "exportable": true});
    let id = client.post("/api/v1/keys", &body).expect(201).text_of("id");
    let payload = encrypt(&client, &id).expect(200).text_of("encryptedPayload");
    let path = format!("/api/v1/keys/{id}");
    client.request("POST", &format!("{path}/revoke")).send().expect(200);
    client.delete(&format!("{path}?scheduleDays=7")).expect(204);
    for status in ["active", "deprecated", "disabled"] {
        client.patch(&path, &json!({"status": status})).refused(409, "conflict");
    }
    decrypt(&client, &payload).refused(403, "key_revoked");
    let read = client.get(&path).expect(200).json();
    assert_eq!((&read["status"], &read["state"]), (&json!("scheduled_deletion"), &json!("revoked")));
    assert!(read["scheduledDeletionDate"].is_string(), "{read}");
    for (status, listed) in [("scheduled_deletion", 1), ("revoked", 1), ("inactive", 0), ("active", 0)] {
        let found = client.get(&format!("/api/v1/keys?search=doomed&status={status}")).expect(200).json();
        assert_eq!(found["total"], listed, "{status}");
    }
}

#[test]
fn a_private_half_leaves_to_unconfined_administrators_and_from_usable_keys_only() {
    let server = Server::start_dev();
    let client = server.client();
    let made = |name: &str| {
        let body = json!({"name": name, "keyType": "signing", "algorithm": "ML-DSA-65", "exportable": true});
        client.post("/api/v1/keys", &body).expect(201).text_of("id")
    };
    let id = made("export/one");
    let export = |client: &Client, id: &str| client.post(&format!("/api/v1/keys/{id}/export"), &json!({}));
    let writer = server.key(&["keys:write"], &[]);
    assert_eq!(export(&writer, &id).refused(403, "insufficient_scope")["details"]["required_scope"], "admin");
    export(&server.key(&["admin"], &["keys:export/*"]), &id).refused(403, "forbidden");
    export(&client, &id).expect(200);
    client.patch(&format!("/api/v1/keys/{id}"), &json!({"status": "disabled"})).expect(200);
    export(&client, &id).refused(409, "key_disabled");
    client.patch(&format!("/api/v1/keys/{id}"), &json!({"status": "active"})).expect(200);
    client.post(&format!("/api/v1/keys/{id}/rotate"), &json!({})).expect(200);
    client.request("POST", &format!("/api/v1/keys/{id}/versions/1/revoke")).send().expect(200);
    export(&client, &id).expect(200);
    client.post(&format!("/api/v1/keys/{id}/export"), &json!({"version": 1})).refused(403, "key_revoked");
    client.post(&format!("/api/v1/keys/{id}/export"), &json!({"version": 3})).refused(404, "not_found");
    client.request("POST", &format!("/api/v1/keys/{id}/revoke")).send().expect(200);
    export(&client, &id).refused(403, "key_revoked");
}

#[test]
fn one_revoked_version_leaves_the_others() {
    let server = Server::start_dev();
    let client = server.client();
    let id = key(&client, "revoked version");
    let old = encrypt(&client, &id).expect(200).text_of("encryptedPayload");
    client.post(&format!("/api/v1/keys/{id}/rotate"), &json!({})).expect(200);
    let new = encrypt(&client, &id).expect(200).text_of("encryptedPayload");
    client.request("POST", &format!("/api/v1/keys/{id}/versions/1/revoke")).send().expect(200);
    decrypt(&client, &old).refused(403, "key_revoked");
    decrypt(&client, &new).expect(200);
    let versions = client.get(&format!("/api/v1/keys/{id}/versions")).expect(200).json();
    let versions = list(&versions, "versions");
    assert_eq!((&versions[0]["state"], &versions[1]["state"]), (&json!("revoked"), &json!("active")));
    assert!(versions[0]["revokedAt"].is_string() && versions[1]["revokedAt"].is_null());
}

#[test]
fn a_key_of_the_wrong_kind_is_refused_and_nothing_else_is_used_instead() {
    let server = Server::start_dev();
    let client = server.client();
    let kem = key(&client, "kem");
    let body = json!({"name": "dsa", "keyType": "signing", "algorithm": "ML-DSA-65"});
    let dsa = client.post("/api/v1/keys", &body).expect(201).text_of("id");
    encrypt(&client, &dsa).refused(400, "key_wrong_type");
    client.post("/api/v1/sign", &json!({"data": "eA==", "keyId": kem})).refused(400, "key_wrong_type");
    client.post("/api/v1/transit/hmac/kem", &json!({"data": "eA=="})).refused(400, "key_wrong_type");
    client.post("/api/v1/transit/sign/kem", &json!({"data": "eA=="})).refused(400, "key_wrong_type");
    client.post(&format!("/api/v1/keys/{kem}/set-default"), &json!({"keyType": "signing"})).expect(400);
}

#[test]
fn only_a_key_made_to_be_exported_leaves_and_comes_back_as_the_same_key() {
    let server = Server::start_dev();
    let client = server.client();
    let kept = key(&client, "kept");
    client.post(&format!("/api/v1/keys/{kept}/export"), &json!({})).refused(403, "forbidden");
    for (algorithm, key_type) in [("ML-DSA-65", "signing"), ("ML-KEM-768", "encryption"), ("AES-256-GCM", "encryption")]
    {
        let name = format!("exported {algorithm}");
        let body = json!({"name": name, "keyType": key_type, "algorithm": algorithm, "exportable": true});
        let made = client.post("/api/v1/keys", &body).expect(201);
        let exported = client.post(&format!("/api/v1/keys/{}/export", made.text_of("id")), &json!({})).expect(200);
        let (material, format) = (exported.text_of("keyMaterial"), exported.text_of("format"));
        let body = json!({"name": format!("{name} again"), "keyType": key_type, "algorithm": algorithm,
                          "keyMaterial": material, "format": format});
        let again = client.post("/api/v1/keys/import", &body).expect(201);
        assert_eq!(again.json()["publicKey"], made.json()["publicKey"], "{algorithm}");
    }
}

#[test]
fn batches_of_a_thousand_come_back_equal_and_rewrapped() {
    let server = Server::start_dev();
    let client = server.client();
    let id = key(&client, "batch");
    let items: Vec<_> =
        (0..1_000).map(|n| json!({"plaintext": format!("person {n}"), "additionalData": n.to_string()})).collect();
    let sealed = client.post("/api/v1/encrypt/batch", &json!({"items": items, "keyId": id})).expect(200).json();
    let sealed: Vec<_> = list(&sealed, "results")
        .iter()
        .map(|item| json!({"encryptedPayload": item["encryptedPayload"], "additionalData": item["index"].to_string()}))
        .collect();
    let opened = client.post("/api/v1/decrypt/batch", &json!({"items": sealed})).expect(200).json();
    for (n, item) in list(&opened, "results").iter().enumerate() {
        assert_eq!(item["plaintext"], format!("person {n}"));
    }
    let one_more = [items.as_slice(), &[json!({"plaintext": "x"})]].concat();
    client.post("/api/v1/encrypt/batch", &json!({"items": one_more, "keyId": id})).refused(400, "too_many_items");

    let items: Vec<_> = (0..100).map(|n| json!({"plaintext": format!("{n}"), "encoding": "utf8"})).collect();
    let old = client.post("/api/v1/transit/batch/encrypt/batch", &json!({"items": items})).expect(200).json();
    client.post(&format!("/api/v1/keys/{id}/rotate"), &json!({})).expect(200);
    let old: Vec<_> = list(&old, "results").iter().map(|item| json!({"ciphertext": item["ciphertext"]})).collect();
    let new = client.post("/api/v1/transit/batch/rewrap/batch", &json!({"items": old})).expect(200).json();
    assert_eq!(new["keyVersion"], 2);
    assert_eq!(list(&new, "results").len(), 100);
    assert!(list(&new, "results").iter().all(|item| item["ciphertext"].as_str().unwrap().starts_with("vault:v2:")));
}

#[test]
fn a_secret_keeps_its_id_and_all_its_versions() {
    let server = Server::start_dev();
    let client = server.client();
    let made = client.post("/api/v1/secrets", &json!({"name": "app/db", "value": "one", "username": "a"})).expect(201);
    let path = format!("/api/v1/secrets/{}", made.text_of("id"));
    client.put(&format!("{path}/value"), &json!({"value": "two"})).expect(200);
    let rolled = client.post(&format!("{path}/rollback"), &json!({"version": 1})).expect(200);
    assert_eq!(rolled.json()["version"], 3);
    assert_eq!(client.get(&path).expect(200).text_of("value"), "one");
    assert_eq!(client.get(&format!("{path}?version=2")).expect(200).text_of("value"), "two");
    let hidden = client.get(&format!("{path}/history?values=false")).expect(200).json();
    assert!(list(&hidden, "versions").iter().all(|version| version["value"].is_null()), "{hidden}");
    client.post(&format!("{path}/rollback"), &json!({"version": 9})).expect(404);

    let twin = client.post("/api/v1/secrets", &json!({"name": "app/db", "value": "twin"})).expect(201).text_of("id");
    let ambiguous = client.get("/api/v1/secrets/by-name/app/db").refused(409, "secret_name_ambiguous");
    let mut ids: Vec<_> = list(&ambiguous["details"], "ids").iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    ids.sort();
    let mut expected = vec![made.text_of("id"), twin.clone()];
    expected.sort();
    assert_eq!(ids, expected);
    client.delete(&format!("/api/v1/secrets/{twin}")).expect(204);
    assert_eq!(client.get("/api/v1/secrets/by-name/app/db").expect(200).text_of("value"), "one");
}

#[test]
fn an_api_key_does_what_it_was_made_for_until_it_is_revoked() {
    let server = Server::start_dev();
    let client = server.client();
    let made = client.post("/api/v1/api-keys", &json!({"name": "ci", "scopes": ["secrets:read"]})).expect(201);
    let text = made.text_of("key");
    let body = text.strip_prefix("qapi_").expect("the prefix that secret scanners know");
    assert!(body.len() == 43 && body.chars().all(|letter| letter.is_ascii_alphanumeric()), "{text}");
    let key = client.with_key(&text);
    key.get("/api/v1/secrets").expect(200);
    key.post("/api/v1/secrets", &json!({"name": "n", "value": "v"})).refused(403, "insufficient_scope");
    let bearer =
        client.anonymous().request("GET", "/api/v1/secrets").header("Authorization", &format!("Bearer {text}"));
    bearer.send().expect(200);
    let listed = client.get("/api/v1/api-keys").expect(200).text();
    assert!(listed.contains("\"ci\"") && !listed.contains(body), "the key is shown once");
    let path = format!("/api/v1/api-keys/{}", made.text_of("id"));
    let rotated = client.post(&format!("{path}/rotate"), &json!({"graceSeconds": 600})).expect(200);
    let newer = client.with_key(&rotated.text_of("key"));
    newer.get("/api/v1/secrets").expect(200);
    key.get("/api/v1/secrets").expect(200);
    client.request("POST", &format!("{path}/revoke")).send().expect(200);
    key.get("/api/v1/secrets").refused(401, "unauthorized");
    newer.get("/api/v1/secrets").expect(200);
    let status = client.delete(&format!("/api/v1/api-keys/{}", rotated.text_of("id"))).status;
    assert!(status == 200 || status == 204, "{status}");
    newer.get("/api/v1/secrets").refused(401, "unauthorized");
}

#[test]
fn an_api_key_is_held_to_its_networks_expiry_resources_and_maker() {
    let server = Server::start_dev();
    let client = server.client();
    let make = |with: Value| {
        let mut body = json!({"name": "held", "scopes": ["secrets:read", "keys:read", "encrypt"]});
        body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        client.with_key(&client.post("/api/v1/api-keys", &body).expect(201).text_of("key"))
    };
    make(json!({"allowedCidrs": ["10.0.0.0/8"]})).get("/api/v1/secrets").refused(403, "ip_not_allowed");
    make(json!({"allowedCidrs": ["10.0.0.0/8", "127.0.0.0/8"]})).get("/api/v1/secrets").expect(200);
    client
        .post("/api/v1/api-keys", &json!({"name": "x", "scopes": ["keys:read"], "allowedCidrs": ["nowhere"]}))
        .refused(400, "invalid_request");
    client.post("/api/v1/api-keys", &json!({"name": "x", "scopes": ["everything"]})).refused(400, "invalid_request");

    for name in ["users-api/db", "orders-api/db"] {
        client.post("/api/v1/secrets", &json!({"name": name, "value": "v"})).expect(201);
    }
    let confined = make(json!({"resources": ["secrets:users-api/*"]}));
    confined.get("/api/v1/secrets/by-name/users-api/db").expect(200);
    confined.get("/api/v1/secrets/by-name/orders-api/db").refused(404, "not_found");
    let listed = confined.get("/api/v1/secrets").expect(200).json();
    assert_eq!(listed["total"], 1);
    assert_eq!(confined.get("/api/v1/keys").expect(200).json()["total"], 0);

    let lesser = new_key(&client, &["apikeys:write", "secrets:read"], &[]);
    lesser.post("/api/v1/api-keys", &json!({"name": "same", "scopes": ["secrets:read"]})).expect(201);
    lesser.post("/api/v1/api-keys", &json!({"name": "more", "scopes": ["secrets:write"]})).expect(403);
    let soon = make(json!({"expiresAt": in_a_moment(&server)}));
    std::thread::sleep(Duration::from_millis(2_600));
    soon.get("/api/v1/secrets").refused(401, "unauthorized");
}

/// Two seconds after what the server takes for now.
fn in_a_moment(server: &Server) -> String {
    let now = server.client().get("/health").expect(200).text_of("timestamp");
    let (day, clock) = now.split_once('T').unwrap();
    let mut units = clock[..8].split(':').map(|unit| unit.parse::<u32>().unwrap());
    let seconds = units.next().unwrap() * 3600 + units.next().unwrap() * 60 + units.next().unwrap() + 2;
    assert!(seconds < 86_400, "not at midnight");
    format!("{day}T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
