//! The fourteen rules of the wire contract that make the official SDKs work, each as a test of its own.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::server::{Server, list, new_key};

/// A secret that fills every field.
fn full_secret(client: &Client, name: &str) -> Value {
    let body = json!({
        "name": name, "value": "v", "description": "d", "contentType": "login", "labels": ["one"],
        "expiresAt": "2099-01-02T03:04:05Z", "username": "u", "notes": "n", "totpSecret": "JBSWY3DPEHPK3PXP",
        "urls": [{"url": "https://a.example", "camelCase": "1", "snake_case": "2"}],
        "customFields": [{"name": "f", "camelCase": "1", "snake_case": "2"}],
        "metadata": {"camelCase": "1", "snake_case": "2"},
    });
    client.post("/api/v1/secrets", &body).expect(201).json()
}

fn new_named_key(client: &Client, name: &str, key_type: &str, algorithm: &str) -> Value {
    let body = json!({"name": name, "keyType": key_type, "algorithm": algorithm});
    client.post("/api/v1/keys", &body).expect(201).json()
}

fn id(body: &Value) -> &str {
    body["id"].as_str().expect("an id")
}

#[test]
fn rule_01_everything_is_served_at_the_root_of_the_host() {
    let server = Server::start_dev();
    let client = server.client();
    for path in ["/health", "/version", "/api/v1/rate-limit", "/api/v1/secrets", "/api/v1/keys"] {
        client.get(path).expect(200);
        client.get(&format!("/prefix{path}")).refused(404, "not_found");
    }
}

#[test]
fn rule_02_answers_carry_snake_case_twins_for_those_who_need_them() {
    let server = Server::start_dev();
    let client = server.client();
    let secret = full_secret(&client, "twins");
    let path = format!("/api/v1/secrets/{}", id(&secret));
    let plain = client.get(&path).expect(200).json();
    assert!(plain["contentType"].is_string() && plain.get("content_type").is_none(), "{plain}");

    let asked = |name: &str, value: &str| client.request("GET", &path).header(name, value).send().expect(200).json();
    let by_header = asked("X-QuantumAPI-Casing", "both");
    let by_agent = asked("User-Agent", "quantumapi-python/0.21.0");
    for both in [by_header, by_agent] {
        for (camel, snake) in [("contentType", "content_type"), ("createdAt", "created_at"), ("hasTotp", "has_totp")] {
            assert_eq!(both[camel], both[snake], "{camel}");
            assert!(!both[camel].is_null(), "{camel}");
        }
        let own = json!({"name": "f", "camelCase": "1", "snake_case": "2"});
        assert_eq!(both["customFields"], json!([own]), "user data is not touched");
        assert_eq!(both["custom_fields"], json!([own]), "user data is not touched");
        assert_eq!(both["urls"][0].as_object().map(|url| url.len()), Some(3), "user data is not touched");
    }
    let key = new_named_key(&client, "twins", "encryption", "ML-KEM-768");
    let body = json!({"plaintext": "x", "key_id": key["id"]});
    let by_body = client.post("/api/v1/encrypt", &body).expect(200).json();
    assert_eq!(by_body["encrypted_payload"], by_body["encryptedPayload"]);
    assert_eq!(by_body["key_version"], 1);
    let listed =
        client.request("GET", "/api/v1/secrets").header("X-QuantumAPI-Casing", "both").send().expect(200).json();
    assert_eq!(listed["page_size"], listed["pageSize"]);
    assert_eq!(listed["secrets"][0]["is_active"], true, "at every level");
    let refused = client.request("GET", "/api/v1/keys/x").header("X-QuantumAPI-Casing", "both").send();
    assert_eq!(refused.error_object()["request_id"], refused.error_object()["requestId"]);
}

#[test]
fn rule_03_property_names_are_read_in_any_casing() {
    let server = Server::start_dev();
    let client = server.client();
    let key = new_named_key(&client, "casing", "encryption", "ML-KEM-768");
    let signer = new_named_key(&client, "casing signer", "signing", "Ed25519");
    for (n, style) in [camel as fn(&str) -> String, snake, pascal].into_iter().enumerate() {
        let post = |path: &str, body: Value| client.post(path, &styled(&body, style));
        let sealed = post("/api/v1/encrypt", json!({"plaintext": "p", "keyId": key["id"], "additionalData": "a"}));
        let payload = sealed.expect(200).text_of("encryptedPayload");
        let opened = post("/api/v1/decrypt", json!({"encryptedPayload": payload, "additionalData": "a"})).expect(200);
        assert_eq!(opened.text_of("plaintext"), "p");
        let signed = post("/api/v1/sign", json!({"data": "eA==", "keyId": signer["id"]})).expect(200);
        let verify = json!({"data": "eA==", "signature": signed.text_of("signature"), "keyId": signer["id"]});
        assert_eq!(post("/api/v1/verify", verify).expect(200).json()["isValid"], true);

        let name = style("anyCasing");
        let body = json!({"name": name, "value": "v", "contentType": "token", "customFields": [{"a_b": 1}]});
        let made = post("/api/v1/secrets", body).expect(201).json();
        assert_eq!(made["contentType"], "token");
        assert_eq!(made["customFields"], json!([{"a_b": 1}]));
        let update = styled(&json!({"isFavorite": true, "contentType": "config"}), style);
        let changed = client.patch(&format!("/api/v1/secrets/{}", id(&made)), &update).expect(200).json();
        assert_eq!((&changed["isFavorite"], &changed["contentType"]), (&json!(true), &json!("config")));
        let items = json!([styled(&json!({"name": name, "value": "w", "contentType": "login"}), style)]);
        let imported = post("/api/v1/secrets/import", json!({"items": items})).expect(200).json();
        assert_eq!((&imported["created"], &imported["updated"]), (&json!(0), &json!(1)));

        let material = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let body = json!({
            "name": format!("imported {n}"), "keyType": "encryption", "algorithm": "AES-256-GCM",
            "keyMaterial": material, "publicKeyOnly": false, "setAsDefault": false,
        });
        let imported = post("/api/v1/keys/import", body).expect(201).json();
        let rotated = post(&format!("/api/v1/keys/{}/rotate", id(&imported)), json!({"setAsDefault": false}));
        assert_eq!(rotated.expect(200).json()["version"], 2);
    }
}

fn camel(name: &str) -> String {
    name.to_owned()
}

fn snake(name: &str) -> String {
    name.chars().fold(String::new(), |mut text, letter| {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
        text
    })
}

fn pascal(name: &str) -> String {
    name[..1].to_ascii_uppercase() + &name[1..]
}

/// The body with the names of its own members written in that style; what users put into it stays.
fn styled(body: &Value, style: fn(&str) -> String) -> Value {
    let members = body.as_object().expect("an object");
    members.iter().map(|(name, value)| (style(name), value.clone())).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn rule_04_an_empty_body_under_a_json_content_type_is_no_body() {
    let server = Server::start_dev();
    let client = server.client();
    let secret = full_secret(&client, "empty body");
    let key = new_named_key(&client, "empty body", "encryption", "ML-KEM-768");
    let bodyless = |method: &str, path: String, status: u16| {
        client.request(method, &path).header("Content-Type", "application/json").send().expect(status)
    };
    bodyless("GET", "/api/v1/secrets".into(), 200);
    bodyless("POST", format!("/api/v1/secrets/{}/deactivate", id(&secret)), 204);
    bodyless("POST", format!("/api/v1/secrets/{}/activate", id(&secret)), 204);
    let rotated = bodyless("POST", format!("/api/v1/keys/{}/rotate", id(&key)), 200).json();
    assert_eq!(rotated["newVersion"], 2);
    bodyless("POST", format!("/api/v1/keys/{}/generate-data-key", id(&key)), 200);
    bodyless("DELETE", format!("/api/v1/secrets/{}", id(&secret)), 204);
    // Where something is needed, nothing is a refusal like any other.
    bodyless("POST", "/api/v1/encrypt".into(), 400).error_object();
    bodyless("POST", "/api/v1/secrets".into(), 400).error_object();
}

#[test]
fn rule_05_no_content_where_the_rust_sdk_expects_nothing() {
    let server = Server::start_dev();
    let client = server.client();
    let secret = full_secret(&client, "no content");
    let key = new_named_key(&client, "no content", "encryption", "ML-KEM-768");
    let nothing = |answer: Answer| {
        let answer = answer.expect(204);
        assert!(answer.body.is_empty(), "{}", answer.text());
    };
    nothing(client.request("POST", &format!("/api/v1/secrets/{}/deactivate", id(&secret))).send());
    nothing(client.request("POST", &format!("/api/v1/secrets/{}/activate", id(&secret))).send());
    nothing(client.delete(&format!("/api/v1/secrets/{}", id(&secret))));
    nothing(client.post(&format!("/api/v1/keys/{}/set-default", id(&key)), &json!({"keyType": "encryption"})));
    let other = new_named_key(&client, "no content either", "encryption", "ML-KEM-768");
    nothing(client.delete(&format!("/api/v1/keys/{}?scheduleDays=7", id(&other))));
}

#[test]
fn rule_06_content_where_a_value_is_read() {
    let server = Server::start_dev();
    let client = server.client();
    let secret = full_secret(&client, "content");
    let link = client.post("/api/v1/vault/share", &json!({"secretId": secret["id"]})).expect(201).json();
    let revoked = client.delete(&format!("/api/v1/vault/share/{}", id(&link))).expect(200).json();
    assert_eq!(revoked, json!({"revoked": true}));
}

#[test]
fn rule_07_a_rotation_answers_with_the_key_and_with_its_versions() {
    let server = Server::start_dev();
    let client = server.client();
    let key = new_named_key(&client, "union", "encryption", "ML-KEM-768");
    let path = format!("/api/v1/keys/{}/rotate", id(&key));
    for (version, body) in [(2, json!({"setAsDefault": true})), (3, json!({"setAsDefault": false})), (4, json!({}))] {
        let rotated = client.post(&path, &body).expect(200).json();
        assert_eq!((&rotated["id"], &rotated["keyId"]), (&key["id"], &key["id"]));
        assert_eq!((&rotated["version"], &rotated["newVersion"]), (&json!(version), &json!(version)));
        assert_eq!(rotated["previousVersion"], json!(version - 1));
        assert!(rotated["rotatedAt"].is_string() && rotated["updatedAt"].is_string(), "{rotated}");
        assert_eq!(rotated["isDefault"], true, "what the body does not ask for stays");
    }
}

#[test]
fn rules_08_to_10_one_route_and_two_shapes_for_applications_and_end_users() {
    let server = Server::start_dev();
    let client = server.client();
    let made =
        client.post("/api/v1/applications", &json!({"name": "a", "applicationType": "WebApp"})).expect(201).json();
    assert_eq!((&made["id"], &made["displayName"]), (&made["application"]["id"], &json!("a")), "{made}");
    assert!(made["clientSecret"].is_string(), "{made}");
    assert!(client.get("/api/v1/applications").expect(200).json().is_array(), "a bare array without a page");
    let paged = client.get("/api/v1/applications?page=1&pageSize=10").expect(200).json();
    assert!(paged["applications"].is_array() && paged["hasMore"] == false, "{paged}");
    let users = format!("/api/v1/applications/{}/end-users", id(&made));
    let user = client.post(&users, &json!({"email": "a@b.example", "displayName": "A"})).expect(201).json();
    let place = format!("{users}/{}", id(&user));
    assert_eq!(client.patch(&place, &json!({"displayName": "B"})).expect(200).json()["displayName"], "B");
    let put = client.put(&place, &json!({"firstName": "C"})).expect(200).json();
    assert_eq!((&put["displayName"], &put["firstName"]), (&json!("B"), &json!("C")), "both change what is given");
}

#[test]
fn rule_11_fields_the_rust_sdk_requires_are_always_sent() {
    let server = Server::start_dev();
    let client = server.client();
    let secret = full_secret(&client, "required");
    let path = format!("/api/v1/secrets/{}", id(&secret));
    let listed = client.get("/api/v1/secrets").expect(200).json();
    let changed = client.put(&format!("{path}/value"), &json!({"value": "w"})).expect(200).json();
    let by_name = client.get("/api/v1/secrets/by-name/required").expect(200).json();
    let old = client.get(&format!("{path}?version=1")).expect(200).json();
    let included = client.get(&format!("{path}?include=notes")).expect(200).json();
    for read in
        [&secret, &client.get(&path).expect(200).json(), &listed["secrets"][0], &changed, &by_name, &old, &included]
    {
        for field in ["id", "name", "version", "createdAt", "isActive", "updatedAt"] {
            assert!(!read[field].is_null(), "{field} in {read}");
        }
    }
    let key = new_named_key(&client, "required", "signing", "ML-DSA-65");
    let keys = client.get("/api/v1/keys").expect(200).json();
    for read in [&key, &client.get(&format!("/api/v1/keys/{}", id(&key))).expect(200).json(), &keys["keys"][0]] {
        for field in ["purpose", "status", "updatedAt", "createdAt", "isDefault", "version", "keyType", "algorithm"] {
            assert!(!read[field].is_null(), "{field} in {read}");
        }
    }
    assert!(client.get("/health").expect(200).json()["timestamp"].is_string());
}

#[test]
fn rule_12_closed_enums_hold_only_the_words_the_sdks_know() {
    let server = Server::start_dev();
    let client = server.client();
    let mut made = Vec::new();
    for (n, algorithm) in
        ["ML-KEM-768", "X-Wing", "AES-256-GCM", "ML-DSA-65", "Ed25519", "HMAC-SHA256"].iter().enumerate()
    {
        let key_type = ["encryption", "encryption", "encryption", "signing", "signing", "hmac"][n];
        made.push(new_named_key(&client, &format!("enum {n}"), key_type, algorithm));
    }
    let path = |n: usize| format!("/api/v1/keys/{}", id(&made[n]));
    client.patch(&path(0), &json!({"status": "disabled"})).expect(200);
    client.delete(&format!("{}?scheduleDays=7", path(1))).expect(204);
    client.request("POST", &format!("{}/revoke", path(2))).send().expect(200);
    let read = |n: usize| client.get(&path(n)).expect(200).json();
    assert_eq!((read(0)["status"].clone(), read(0)["state"].clone()), (json!("inactive"), json!("disabled")));
    assert_eq!(
        (read(1)["status"].clone(), read(1)["state"].clone()),
        (json!("scheduled_deletion"), json!("pending_deletion"))
    );
    assert_eq!((read(2)["status"].clone(), read(2)["state"].clone()), (json!("inactive"), json!("revoked")));
    let all = client.get("/api/v1/keys?pageSize=100&allVersions=true").expect(200).json();
    for key in list(&all, "keys") {
        assert!(["encryption", "signing", "hmac"].contains(&key["keyType"].as_str().unwrap()), "{key}");
        let status = key["status"].as_str().unwrap();
        assert!(["active", "inactive", "scheduled_deletion", "deleted"].contains(&status), "{key}");
    }
}

#[test]
fn rule_13_retry_after_is_in_whole_seconds() {
    let server = Server::start_dev();
    let body = json!({"name": "slow", "scopes": ["secrets:read"], "rateLimitPerMinute": 3});
    let made = server.client().post("/api/v1/api-keys", &body).expect(201);
    let slow = server.client().with_key(&made.text_of("key"));
    let mut answers = (0..20).map(|_| slow.get("/api/v1/secrets"));
    let limited = answers.find(|answer| answer.status == 429).expect("three a minute are not twenty at once");
    let seconds: u64 = limited.header("retry-after").expect("Retry-After").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(limited.header("x-ratelimit-limit"), Some("3"));
    assert_eq!(limited.header("x-ratelimit-remaining"), Some("0"));
    limited.refused(429, "rate_limit_exceeded");
    let entropy = server.client().post("/api/v1/qrng/entropy", &json!({"bytes": 8}));
    assert_eq!(entropy.header("retry-after"), Some("30"));
    entropy.refused(503, "qrng_unavailable");
}

#[test]
fn rule_14_path_segments_are_split_before_they_are_decoded() {
    let server = Server::start_dev();
    let client = server.client();
    let names =
        [("a/b c", "a%2Fb%20c"), ("100%", "100%25"), ("ключ", "%D0%BA%D0%BB%D1%8E%D1%87"), ("a%2Fb", "a%252Fb")];
    for (name, segment) in names {
        new_named_key(&client, name, "encryption", "ML-KEM-768");
        let sealed =
            client.post(&format!("/api/v1/transit/encrypt/{segment}"), &json!({"plaintext": "eA=="})).expect(200);
        assert_eq!(sealed.text_of("keyName"), name);
        let body = json!({"ciphertext": sealed.text_of("ciphertext")});
        client.post(&format!("/api/v1/transit/decrypt/{segment}"), &body).expect(200);
        let hidden = format!("/api/v1/transit/datakey/{segment}/without-plaintext");
        assert!(client.post(&hidden, &json!({})).expect(200).json()["plaintextKey"].is_null());
        let secret = json!({"name": name, "value": segment});
        client.post("/api/v1/secrets", &secret).expect(201);
        let read = client.get(&format!("/api/v1/secrets/by-name/{segment}")).expect(200);
        assert_eq!(read.text_of("value"), segment);
    }
    let slashed = client.get("/api/v1/secrets/by-name/a/b%20c").expect(200);
    assert_eq!(slashed.text_of("value"), "a%2Fb%20c", "a name's own slashes may stay as they are");
    new_key(&client, &["secrets:read"], &["secrets:a/*"]).get("/api/v1/secrets/by-name/a%2Fb%20c").expect(200);
}
