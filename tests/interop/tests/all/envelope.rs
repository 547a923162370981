//! What happens to ciphertexts that are moved or changed: one and the same refusal, whatever was done to them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::{Server, list};

/// The refusal without what identifies the request.
fn refusal(client: &Client, path: &str, body: &Value) -> Value {
    let mut refusal = client.post(path, body).refused(400, "decryption_failed");
    refusal.as_object_mut().unwrap().remove("requestId");
    refusal
}

fn key(client: &Client, name: &str, algorithm: &str) -> String {
    let body = json!({"name": name, "keyType": "encryption", "algorithm": algorithm});
    client.post("/api/v1/keys", &body).expect(201).text_of("id")
}

#[test]
fn a_ciphertext_elsewhere_or_changed_gets_one_and_the_same_refusal() {
    let server = Server::start_dev();
    let client = server.client();
    let stranger = server.tenant("stranger");
    for (n, (algorithm, mode)) in
        [("ML-KEM-768", "sealed"), ("ML-KEM-768", "fast"), ("X-Wing", "sealed"), ("AES-256-GCM", "fast")]
            .iter()
            .enumerate()
    {
        let mine = key(&client, &format!("mine {n}"), algorithm);
        let other = key(&client, &format!("other {n}"), algorithm);
        let body = json!({"plaintext": "personal", "keyId": mine, "additionalData": "row 7", "mode": mode});
        let sealed = client.post("/api/v1/encrypt", &body).expect(200).json();
        let payload = sealed["encryptedPayload"].as_str().unwrap();
        let parts = |key: &str, version: u32| {
            let mut body = json!({"keyId": key, "keyVersion": version, "additionalData": "row 7"});
            for part in ["ciphertext", "encapsulatedKey", "nonce", "tag"] {
                body[part] = sealed[part].clone();
            }
            body
        };
        client.post("/api/v1/decrypt", &parts(&mine, 1)).expect(200);

        let whole = json!({"encryptedPayload": payload, "additionalData": "row 7"});
        client.post("/api/v1/decrypt", &whole).expect(200);
        let refused =
            refusal(&client, "/api/v1/decrypt", &json!({"encryptedPayload": payload, "additionalData": "row 8"}));
        let same = |body: &Value, what: &str| assert_eq!(refusal(&client, "/api/v1/decrypt", body), refused, "{what}");
        same(&json!({"encryptedPayload": payload}), "no additional data");
        same(&parts(&other, 1), "another key");
        same(&parts(&mine, 2), "a version that is not there");
        client.post(&format!("/api/v1/keys/{mine}/rotate"), &json!({})).expect(200);
        same(&parts(&mine, 2), "another version");
        client.post("/api/v1/decrypt", &parts(&mine, 1)).expect(200);
        assert_eq!(refusal(&stranger, "/api/v1/decrypt", &whole), refused, "another tenant");
        assert_eq!(refusal(&stranger, "/api/v1/decrypt", &parts(&mine, 1)), refused, "another tenant, by parts");
        every_byte_counts(&client, payload, &refused);
    }
}

/// Flips one bit of every byte of every binary part of the payload, and changes each of its other members.
fn every_byte_counts(client: &Client, payload: &str, refused: &Value) {
    let envelope: Value = serde_json::from_slice(&BASE64.decode(payload).unwrap()).unwrap();
    let mut changed = Vec::new();
    for part in ["c", "ek", "n", "t"] {
        let bytes = BASE64.decode(envelope[part].as_str().unwrap()).unwrap();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            changed.push(with(&envelope, part, json!(BASE64.encode(bytes))));
        }
        let shorter = bytes.len().checked_sub(1).map(|length| BASE64.encode(&bytes[..length]));
        changed.extend(shorter.map(|text| with(&envelope, part, json!(text))));
        changed.push(with(&envelope, part, json!(BASE64.encode([bytes.as_slice(), &[0]].concat()))));
    }
    changed.push(with(&envelope, "k", json!("00000000-0000-4000-8000-000000000000")));
    changed.push(with(&envelope, "kv", json!(9)));
    changed.push(with(&envelope, "e", json!("base64")));
    let one = json!({"encryptedPayload": changed[0], "additionalData": "row 7"});
    assert_eq!(&refusal(client, "/api/v1/decrypt", &one), refused);
    for thousand in changed.chunks(1_000) {
        let items: Vec<_> =
            thousand.iter().map(|payload| json!({"encryptedPayload": payload, "additionalData": "row 7"})).collect();
        let answer = client.post("/api/v1/decrypt/batch", &json!({"items": items})).expect(200).json();
        let results = list(&answer, "results");
        assert_eq!(results.len(), thousand.len());
        for result in results {
            assert!(result["plaintext"].is_null(), "item {} opens", result["index"]);
            assert_eq!(result["error"]["code"], "decryption_failed", "{result}");
            assert_eq!(result["error"]["message"], refused["message"], "{result}");
        }
    }
}

fn with(envelope: &Value, member: &str, value: Value) -> String {
    let mut envelope = envelope.clone();
    envelope[member] = value;
    BASE64.encode(envelope.to_string())
}

#[test]
fn a_transit_ciphertext_elsewhere_or_changed_gets_one_and_the_same_refusal() {
    let server = Server::start_dev();
    let client = server.client();
    let stranger = server.tenant("transit-stranger");
    key(&client, "mine", "ML-KEM-768");
    key(&client, "other", "ML-KEM-768");
    key(&stranger, "mine", "ML-KEM-768");
    let sealed = client.post("/api/v1/transit/encrypt/mine", &json!({"plaintext": "eA=="})).expect(200);
    let ciphertext = sealed.text_of("ciphertext");
    let body = json!({"ciphertext": ciphertext});
    client.post("/api/v1/transit/decrypt/mine", &body).expect(200);
    let refused = refusal(&client, "/api/v1/transit/decrypt/other", &body);
    assert_eq!(refusal(&stranger, "/api/v1/transit/decrypt/mine", &body), refused, "another tenant");
    assert_eq!(refusal(&client, "/api/v1/transit/rewrap/other", &body), refused, "to be rewrapped");
    let renumbered = json!({"ciphertext": ciphertext.replace("vault:v1:", "vault:v2:")});
    assert_eq!(refusal(&client, "/api/v1/transit/decrypt/mine", &renumbered), refused, "a version that is not there");
    let rotated = client.get("/api/v1/keys?pageSize=100").expect(200).json();
    let mine =
        list(&rotated, "keys").iter().find(|key| key["name"] == "mine").unwrap()["id"].as_str().unwrap().to_owned();
    client.post(&format!("/api/v1/keys/{mine}/rotate"), &json!({})).expect(200);
    assert_eq!(refusal(&client, "/api/v1/transit/decrypt/mine", &renumbered), refused, "another version");

    let bytes = BASE64.decode(ciphertext.strip_prefix("vault:v1:").unwrap()).unwrap();
    let changed: Vec<_> = (0..bytes.len())
        .map(|at| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            json!({"ciphertext": format!("vault:v1:{}", BASE64.encode(bytes))})
        })
        .collect();
    assert_eq!(refusal(&client, "/api/v1/transit/decrypt/mine", &changed[bytes.len() / 2]), refused);
    for hundred in changed.chunks(100) {
        let answer = client.post("/api/v1/transit/batch/decrypt/mine", &json!({"items": hundred})).expect(200).json();
        let results = list(&answer, "results");
        assert_eq!(results.len(), hundred.len());
        let errors: std::collections::BTreeSet<_> = results.iter().map(|result| result["error"].as_str()).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(results.iter().all(|result| result["plaintext"].is_null() && result["error"].is_string()));
    }
}

#[test]
fn a_data_key_elsewhere_or_changed_gets_one_and_the_same_refusal() {
    let server = Server::start_dev();
    let client = server.client();
    let stranger = server.tenant("datakey-stranger");
    let (mine, other) = (key(&client, "mine", "ML-KEM-768"), key(&client, "other", "ML-KEM-768"));
    let theirs = key(&stranger, "mine", "ML-KEM-768");
    let made = client.post(&format!("/api/v1/keys/{mine}/generate-data-key"), &json!({"context": "eA=="})).expect(200);
    let wrapped = made.text_of("encryptedKey");
    let body = json!({"wrappedKey": wrapped, "context": "eA=="});
    client.post(&format!("/api/v1/keys/{mine}/unwrap"), &body).expect(200);
    let unwrap =
        |client: &Client, key: &str, body: &Value| refusal(client, &format!("/api/v1/keys/{key}/unwrap"), body);
    let refused = unwrap(&client, &other, &body);
    assert_eq!(unwrap(&stranger, &theirs, &body), refused, "another tenant");
    assert_eq!(unwrap(&client, &mine, &json!({"wrappedKey": wrapped})), refused, "no context");
    let mut bytes = BASE64.decode(&wrapped).unwrap();
    for at in 0..bytes.len() {
        bytes[at] ^= 0x80;
        let body = json!({"wrappedKey": BASE64.encode(&bytes), "context": "eA=="});
        assert_eq!(unwrap(&client, &mine, &body), refused, "byte {at}");
        bytes[at] ^= 0x80;
    }
    // A message is no data key, and a data key is no message, though both are under the same key.
    let sealed =
        client.post("/api/v1/transit/encrypt/mine", &json!({"plaintext": "eA=="})).expect(200).text_of("ciphertext");
    let as_key = json!({"wrappedKey": sealed.strip_prefix("vault:v1:").unwrap()});
    assert_eq!(unwrap(&client, &mine, &as_key), refused);
    let plain =
        client.post(&format!("/api/v1/keys/{mine}/generate-data-key"), &json!({})).expect(200).text_of("encryptedKey");
    let as_message = json!({"ciphertext": format!("vault:v1:{plain}")});
    assert_eq!(refusal(&client, "/api/v1/transit/decrypt/mine", &as_message), refused);
}
