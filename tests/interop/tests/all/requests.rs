//! What holds for requests of every kind: repetition, preconditions, limits, paging, malformed input.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::installation::{Engine, Installation};
use crate::server::{Server, eventually, list};

#[test]
fn a_repeated_idempotency_key_gets_the_first_answer() {
    let server = Server::start_dev();
    let client = server.client();
    let create = |key: &str, name: &str| {
        let body = json!({"name": name, "value": "v"});
        client.request("POST", "/api/v1/secrets").header("Idempotency-Key", key).json(&body).send()
    };
    let first = create("one", "repeated").expect(201);
    let again = create("one", "repeated").expect(201);
    assert_eq!(first.json(), again.json());
    create("one", "another").refused(422, "idempotency_key_reused");
    let other = create("two", "repeated").expect(201);
    assert_ne!(first.text_of("id"), other.text_of("id"));
    let found = client.get("/api/v1/secrets?search=repeated").expect(200).json();
    assert_eq!(found["total"], 2);
    // The key belongs to its credential: another one's request is another request.
    let stranger = server.tenant("repeater");
    let body = json!({"name": "repeated", "value": "v"});
    let theirs =
        stranger.request("POST", "/api/v1/secrets").header("Idempotency-Key", "one").json(&body).send().expect(201);
    assert_ne!(theirs.text_of("id"), first.text_of("id"));
}

#[test]
fn parallel_repetitions_make_one_thing() {
    let server = Server::start_dev();
    let client = server.client();
    let body = json!({"name": "raced", "keyType": "encryption", "algorithm": "ML-KEM-768"});
    let create = || client.request("POST", "/api/v1/keys").header("Idempotency-Key", "race").json(&body).send().status;
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|status| [201, 409].contains(status)), "{answers:?}");
    assert!(answers.contains(&201), "{answers:?}");
    assert_eq!(client.get("/api/v1/keys?pageSize=100").expect(200).text().matches("\"raced\"").count(), 1);
}

#[test]
fn a_value_that_is_shown_once_is_not_shown_again() {
    let server = Server::start_dev();
    let client = server.client();
    let body = json!({"name": "once", "scopes": ["secrets:read"]});
    let create = || client.request("POST", "/api/v1/api-keys").header("Idempotency-Key", "once").json(&body).send();
    create().expect(201);
    create().refused(409, "value_not_replayable");
}

#[test]
fn the_sdks_own_retry_of_a_create_makes_no_second_thing() {
    let server = Server::start_dev();
    let client = server.client();
    let key = json!({"name": "retried", "keyType": "encryption", "algorithm": "ML-KEM-768", "setAsDefault": false});
    let secret = json!({"name": "retried", "value": "v"});
    for (path, body) in [("/api/v1/keys", key), ("/api/v1/secrets", secret)] {
        let create =
            || client.request("POST", path).header("User-Agent", "quantumapi-python/0.25.0").json(&body).send();
        let first = create().expect(201);
        assert_eq!(create().expect(201).text_of("id"), first.text_of("id"), "{path}");
    }
}

#[test]
fn a_write_may_insist_on_what_it_has_read() {
    let server = Server::start_dev();
    let client = server.client();
    let secret = client.post("/api/v1/secrets", &json!({"name": "n", "value": "one"})).expect(201).text_of("id");
    let body = json!({"name": "n", "keyType": "encryption", "algorithm": "ML-KEM-768"});
    let key = client.post("/api/v1/keys", &body).expect(201).text_of("id");
    let puts = [
        (format!("/api/v1/secrets/{secret}"), "PUT", "/value", json!({"value": "two"})),
        (format!("/api/v1/secrets/{secret}"), "PATCH", "", json!({"notes": "n"})),
        (format!("/api/v1/keys/{key}"), "PATCH", "", json!({"description": "d"})),
    ];
    for (path, method, action, body) in puts {
        let read = client.get(&path).expect(200);
        let tag = read.header("etag").expect("an ETag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        let write =
            |tag: &str| client.request(method, &format!("{path}{action}")).header("If-Match", tag).json(&body).send();
        write(&tag).expect(200);
        write(&tag).refused(412, "precondition_failed");
        assert_ne!(client.get(&path).expect(200).header("etag"), Some(tag.as_str()));
        write("*").expect(200);
    }
}

/// Guessing credentials, tokens or passwords is slow, whatever is guessed.
#[test]
fn an_address_without_a_valid_credential_is_limited() {
    let installation = Installation::unattended(&Engine::Sqlite);
    let server = installation.serve();
    let client = server.client();
    let guess = |n: u32| match n % 3 {
        0 => client.anonymous().get("/api/v1/secrets"),
        1 => client.with_key(&format!("qapi_{n:043}")).get("/api/v1/secrets"),
        _ => client.anonymous().post(&format!("/api/v1/share/{n:043}"), &json!({})),
    };
    let limited =
        (0..1_000).map(guess).find(|answer| answer.status == 429).expect("600 a minute are not a thousand at once");
    let seconds: u64 = limited.header("retry-after").expect("Retry-After").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    limited.refused(429, "rate_limit_exceeded");
    // Who has a key is not held to what others at the same address do.
    client.get("/api/v1/secrets").expect(200);
}

#[test]
fn pages_hold_everything_once() {
    let server = Server::start_dev();
    let client = server.client();
    for n in 0..25 {
        client.post("/api/v1/secrets", &json!({"name": format!("page-{n:02}"), "value": "v"})).expect(201);
    }
    let mut seen = BTreeSet::new();
    for page in 1..=3 {
        let body = client.get(&format!("/api/v1/secrets?search=page-&page={page}&pageSize=10")).expect(200).json();
        assert_eq!((&body["total"], &body["page"], &body["pageSize"]), (&json!(25), &json!(page), &json!(10)));
        assert_eq!(body["hasMore"], page < 3);
        seen.extend(list(&body, "secrets").iter().map(|secret| secret["name"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen.len(), 25);
    let beyond = client.get("/api/v1/secrets?search=page-&page=4&pageSize=10").expect(200).json();
    assert_eq!((list(&beyond, "secrets").len(), &beyond["hasMore"]), (0, &json!(false)));
    assert_eq!(client.get("/api/v1/secrets").expect(200).json()["pageSize"], 50);
    for query in ["page=-1", "page=x", "pageSize=all", "page=99999999999999999999"] {
        client.get(&format!("/api/v1/secrets?{query}")).refused(400, "invalid_request");
    }
}

/// Whatever is sent, the answer is a refusal in the one shape, and the server goes on.
#[test]
fn malformed_input_is_refused_in_the_one_shape() {
    let server = Server::start_dev();
    let client = server.client();
    let deep = |open: &str, close: &str| format!("{{\"plaintext\":{}{}}}", open.repeat(100_000), close.repeat(100_000));
    let many = format!("{{\"items\":[{}1]}}", "1,".repeat(500_000));
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("not JSON", b"plaintext=x".to_vec()),
        ("half an object", b"{\"plaintext\":\"x\"".to_vec()),
        ("something after it", b"{\"plaintext\":\"x\"} {}".to_vec()),
        ("an array", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1e999999".to_vec()),
        ("wrong types", b"{\"plaintext\":{\"a\":1},\"value\":7,\"name\":[]}".to_vec()),
        ("the same member twice", b"{\"plaintext\":\"x\",\"plaintext\":\"y\",\"name\":\"a\",\"name\":\"b\"}".to_vec()),
        (
            "twice in two casings",
            b"{\"keyId\":null,\"plaintext\":\"x\",\"Plaintext\":\"y\",\"name\":\"a\",\"Name\":\"b\"}".to_vec(),
        ),
        ("invalid UTF-8", b"{\"plaintext\":\"\xff\xfe\",\"name\":\"\xc3\x28\",\"value\":\"v\"}".to_vec()),
        ("half a surrogate", b"{\"plaintext\":\"\\ud800\",\"name\":\"\\udfff\",\"value\":\"v\"}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf[]".to_vec()),
        ("deep arrays", deep("[", "]").into_bytes()),
        ("deep objects", deep("{\"a\":", "}").into_bytes()),
        ("a huge array", many.into_bytes()),
        ("nothing", Vec::new()),
        ("control bytes", vec![0; 1_000]),
    ];
    let paths = [
        "/api/v1/encrypt",
        "/api/v1/decrypt",
        "/api/v1/encrypt/batch",
        "/api/v1/sign",
        "/api/v1/secrets",
        "/api/v1/secrets/import",
        "/api/v1/keys",
        "/api/v1/keys/import",
        "/api/v1/transit/hash",
        "/api/v1/vault/share",
        "/api/v1/qrng/entropy",
        "/api/v1/api-keys",
        "/api/v1/certificates",
        "/v1/pki/issue",
    ];
    for path in paths {
        for (what, body) in &bodies {
            let answer = client.request("POST", path).bytes(body.clone()).send();
            assert!((400..500).contains(&answer.status), "{path} takes {what}: {} {}", answer.status, answer.text());
            answer.error_object();
        }
    }
    client.get("/health").expect(200);
}

#[test]
fn what_is_wrong_with_a_body_or_a_head_has_a_code_of_its_own() {
    let server = Server::start_dev();
    let client = server.client();
    let body = br#"{"data":"eA=="}"#;
    let hash = || client.request("POST", "/api/v1/transit/hash").bytes(body.as_slice());
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"] {
        hash().header("Content-Type", media).send().refused(415, "unsupported_media_type");
    }
    hash().header("Content-Encoding", "gzip").send().refused(415, "unsupported_media_type");
    hash().header("Content-Type", "application/json; charset=utf-8").send().expect(200);
    let deep = format!("{{\"data\":\"eA==\",\"more\":{}{}}}", "[".repeat(100), "]".repeat(100));
    hash().bytes(deep).send().refused(400, "json_too_deep");

    let raw = |head: &str| {
        let mut stream = TcpStream::connect(client.address()).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let end = format!("X-Api-Key: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", client.key());
        stream.write_all(format!("GET /api/v1/rate-limit HTTP/1.1\r\n{head}{end}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.get(9..12).map(str::to_owned)
    };
    assert_eq!(raw("Host: x\r\n").as_deref(), Some("200"));
    assert_eq!(raw("").as_deref(), Some("400"), "no host");
    assert_eq!(raw("Host: x\r\nHost: y\r\n").as_deref(), Some("400"), "two hosts");
    assert_eq!(raw("Host: x\r\nX-Api-Key: qapi_another\r\n").as_deref(), Some("401"), "two credentials");
    let bearer = format!("bearer {}", client.key());
    client.anonymous().request("GET", "/api/v1/rate-limit").header("Authorization", &bearer).send().expect(200);
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
    let server = Server::start_dev();
    let client = server.client();
    let body = json!({"plaintext": "x".repeat(20 << 20)});
    client.post("/api/v1/encrypt", &body).refused(413, "payload_too_large");
    // Announced only: nothing of it is ever sent, and the refusal comes all the same.
    let mut stream = TcpStream::connect(client.address()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let head = format!(
        "POST /api/v1/encrypt HTTP/1.1\r\nHost: x\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",
        client.key()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
    let long = format!("/api/v1/secrets?search={}", "a".repeat(100_000));
    let answer = client.get(&long);
    assert!([400, 413, 414, 431].contains(&answer.status), "{}", answer.status);
}

#[test]
fn paths_lead_nowhere_but_to_routes() {
    let server = Server::start_dev();
    let client = server.client();
    let paths = [
        "/../../etc/passwd",
        "/api/v1/../../etc/passwd",
        "/api/v1/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/secrets/..%2f..%2fetc%2fpasswd",
        "/api/v1//secrets",
        "//api/v1/secrets",
        "/api/v1/secrets/",
        "/api/v1/secrets/%",
        "/api/v1/secrets/%zz",
        "/api/v1/secrets/%00",
        "/api/v1/secrets/%ff%fe",
        "/api/v1/secrets/not-an-id",
        "/api/v1/keys/00000000-0000-0000-0000-00000000000g",
        "/api/v1/transit/keys/%c3%28/config",
        "/api/v1/secrets?page=%zz",
        "/api/v1/secrets?includeInactive=perhaps",
        "/api/v1/audit-logs?actor=a%00b",
        "/api/v1/audit-logs?action=a%00b",
        "/api/v1/audit?eventType=a%00b",
        "/api/v1/audit?resourceType=a%00b",
        "/api/v1/SECRETS/",
        "/.git/config",
        "/dev.env",
    ];
    for path in paths {
        let answer = client.get(path);
        assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
        answer.error_object();
    }
    client.request("BREW", "/api/v1/secrets").send().error_object();
    client.delete("/api/v1/encrypt").refused(405, "method_not_allowed");
    client.request("POST", "/api/v1/encrypt").header("Content-Type", "text/plain").bytes("x").send().error_object();
}

#[test]
fn every_answer_names_its_request_and_says_what_it_is() {
    let server = Server::start_dev();
    let client = server.client();
    let ids: BTreeSet<_> = [
        client.get("/health"),
        client.get("/api/v1/keys"),
        client.get("/nowhere"),
        client.anonymous().get("/api/v1/keys"),
    ]
    .iter()
    .map(|answer| answer.header("x-request-id").expect("X-Request-Id").to_owned())
    .collect();
    assert_eq!(ids.len(), 4);
    let read = client.get("/api/v1/keys").expect(200);
    assert_eq!(read.header("content-type"), Some("application/json"));
    assert_eq!(read.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(read.header("cache-control"), Some("no-store"));
    let unauthorized: Answer = client.anonymous().get("/api/v1/keys");
    unauthorized.refused(401, "unauthorized");
    let wrong = Client::new(&client.base_url(), Some("qapi_0000000000000000000000000000000000000000000"));
    let body: Value = wrong.get("/api/v1/keys").refused(401, "unauthorized");
    assert!(!body.to_string().contains("qapi_0000"), "an error never repeats a credential");
}

/// The server is lost with requests under way: whoever repeats them soon gets an answer, and nothing is done twice.
#[test]
fn a_lost_server_leaves_no_idempotency_key_taken_and_nothing_done_twice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::start_dev_in(&data);
    let create = |client: &Client, n: usize| {
        let body = json!({"name": format!("once/{n}"), "value": "v"});
        client.request("POST", "/api/v1/secrets").header("Idempotency-Key", &format!("k{n}")).json(&body).try_send()
    };
    let many = 60;
    let client = server.client();
    std::thread::scope(|scope| {
        for n in 0..many {
            let (client, create) = (&client, &create);
            scope.spawn(move || create(client, n));
        }
        std::thread::sleep(Duration::from_millis(60));
        server.kill();
    });
    let server = Server::start_dev_in(&data);
    let client = server.client();
    let (mut made, mut lost) = (0, 0);
    for n in 0..many {
        // Not yet answered, as far as anybody knows, for a quarter of a minute.
        let answer = eventually(Duration::from_secs(40), || {
            let answer = create(&client, n).expect("an answer");
            (answer.status == 201 || answer.json()["error"] == "value_not_replayable").then_some(answer)
        });
        if answer.status == 201 { made += 1 } else { lost += 1 }
    }
    let listed = client.get("/api/v1/secrets?search=once/&pageSize=200").expect(200).json();
    let names: BTreeSet<_> = list(&listed, "secrets").iter().map(|secret| secret["name"].to_string()).collect();
    assert_eq!((&listed["total"], names.len()), (&json!(many), many), "{made} made, {lost} done before");
    crate::program::say(&format!("idempotency: {made} answered, {lost} done by the lost server"));
}
