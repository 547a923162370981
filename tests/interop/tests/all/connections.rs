//! Who is at the other end of a connection, and how long one waits for them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::installation::{Engine, Installation};
use crate::server::{Server, eventually, list};

/// A server whose configuration ends in this.
pub fn server_with(more: &str) -> (Installation, Server) {
    let installation = Installation::unattended(&Engine::Sqlite);
    let text = std::fs::read_to_string(installation.config()).unwrap();
    std::fs::write(installation.config(), format!("{text}{more}")).unwrap();
    let server = installation.serve();
    (installation, server)
}

/// A key that works from this network alone.
fn key_of(admin: &Client, network: &str) -> Client {
    let body = json!({"name": format!("from {network}"), "scopes": ["secrets:read"], "allowedCidrs": [network]});
    admin.with_key(&admin.post("/api/v1/api-keys", &body).expect(201).text_of("key"))
}

fn status(client: &Client, header: &str, value: &str) -> u16 {
    client.request("GET", "/api/v1/secrets").header(header, value).send().status
}

#[test]
fn nobody_chooses_their_own_address() {
    let (_kept, server) = server_with("");
    let admin = server.client();
    let office = key_of(&admin, "203.0.113.0/24");
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP"] {
        let value = if header == "Forwarded" { "for=203.0.113.9" } else { "203.0.113.9" };
        office.request("GET", "/api/v1/secrets").header(header, value).send().refused(403, "ip_not_allowed");
    }
}

#[test]
fn behind_a_trusted_proxy_the_clients_address_counts() {
    let (_kept, server) =
        server_with("anonymous_per_minute = 20\n[http]\ntrusted_proxies = [\"127.0.0.0/8\", \"10.1.0.0/16\"]\n");
    let admin = server.client();
    let office = key_of(&admin, "203.0.113.0/24");
    let forwarded = "X-Forwarded-For";
    assert_eq!(status(&office, forwarded, "203.0.113.9"), 200);
    assert_eq!(status(&office, forwarded, "203.0.113.9, 10.1.0.3"), 200, "two proxies of ours");
    // What the client wrote stands left of what the proxy wrote, or in a header that the proxy does not write.
    assert_eq!(status(&office, forwarded, "203.0.113.9, 198.51.100.1"), 403);
    assert_eq!(status(&office, forwarded, "203.0.113.9, 198.51.100.1, 10.1.0.3"), 403);
    assert_eq!(status(&office, "Forwarded", "for=203.0.113.9"), 403);
    assert_eq!(status(&office, forwarded, ""), 403, "the proxy itself");
    assert_eq!(status(&key_of(&admin, "127.0.0.1"), forwarded, "203.0.113.9"), 403);
    office.request("GET", "/api/v1/secrets").header(forwarded, "unknown").send().refused(400, "invalid_request");

    // Whoever guesses is limited by their own address, and keeps nobody else at the same proxy out.
    let guess = |address: &str| status(&admin.anonymous(), forwarded, address);
    let guesses: Vec<u16> = (0..40).map(|n| guess(&format!("192.0.2.{n}, 198.51.100.1"))).collect();
    assert!(guesses.contains(&401) && guesses.contains(&429), "{guesses:?}");
    assert_eq!(guess("198.51.100.2"), 401);

    // And the trail says who it was.
    let address = eventually(Duration::from_secs(10), || {
        let trail = admin.get("/api/v1/audit-logs?pageSize=200").expect(200).json();
        let listed = |event: &&Value| event.to_string().contains("203.0.113.9");
        list(&trail, "items").iter().find(listed).cloned()
    });
    assert!(!address.to_string().contains("127.0.0.1"), "{address}");
}

#[test]
fn the_standard_header_is_read_where_the_proxies_write_that() {
    let (_kept, server) = server_with("[http]\ntrusted_proxies = [\"127.0.0.1\"]\nforwarded_header = \"forwarded\"\n");
    let office = key_of(&server.client(), "2001:db8:1::/48");
    assert_eq!(status(&office, "Forwarded", "for=198.51.100.1, For=\"[2001:db8:1::7]:4711\";proto=https"), 200);
    assert_eq!(status(&office, "Forwarded", "for=\"[2001:db8:1::7]\", for=198.51.100.1"), 403);
    assert_eq!(status(&office, "X-Forwarded-For", "2001:db8:1::7"), 403);
    let torn = office.request("GET", "/api/v1/secrets").header("Forwarded", "for=\"[2001:db8:1::7], for=198.51.100.1");
    torn.send().refused(400, "invalid_request");
}

/// Asks again and again for something long and reads nothing of it, on the only connection there is.
#[test]
fn a_client_that_does_not_read_is_let_go() {
    let (_kept, server) = server_with("connections = 1\n[http]\nwrite_timeout_seconds = 1\n");
    let client = server.client();
    let mut silent = TcpStream::connect(client.address()).unwrap();
    let one = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    silent.write_all(one.repeat(200).as_bytes()).unwrap();
    let began = Instant::now();
    client.anonymous().get("/health/live").expect(200);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // It finds what was on its way, and then an end.
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut got = 0;
    let mut piece = vec![0; 1 << 20];
    loop {
        match silent.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    let whole = client.get("/openapi.json").expect(200).text().len() * 200;
    assert!(got < whole, "{got} of {whole}");
}

/// A server that closes while content comes in that it does not want would take its own answer back.
#[test]
fn an_answer_arrives_whole_although_content_comes_late() {
    let (_kept, server) = server_with("");
    let client = server.client();
    let whole = client.get("/openapi.json").expect(200).body;
    let mut stream = TcpStream::connect(client.address()).unwrap();
    stream
        .write_all(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8\r\n\r\n")
        .unwrap();
    // The answer is ready long before the content.
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(b"[\"late\"]").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(&whole), "{} bytes of {}", answer.len(), whole.len());
}

/// The deadline is for those who do not read, not for those who wait: a bundle that does not change is longer away.
#[test]
fn a_client_that_waits_for_a_change_is_not_let_go() {
    let (_kept, server) = server_with("[http]\nwrite_timeout_seconds = 1\n");
    let client = server.client();
    let sequence = client.get("/api/v1/ca/bundle").expect(200).json()["sequence"].clone();
    let began = Instant::now();
    let waited = client.get(&format!("/api/v1/ca/bundle?after={sequence}&waitSeconds=3")).expect(200);
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}: {}", began.elapsed(), waited.text());
    assert_eq!(waited.json()["sequence"], sequence);
}
