use std::time::Duration;

use api::error::ErrorCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use uuid::Uuid;

use super::*;

#[test]
fn only_an_address_that_keeps_the_key_to_itself_is_taken() {
    for (base, taken) in [
        ("https://vault.example", true),
        ("https://vault.example/prefix/", true),
        ("http://127.0.0.1:8640", true),
        ("http://localhost:8640/", true),
        ("http://[::1]:8640", true),
        ("http://vault.example", false),
        ("http://127.0.0.1.example", false),
        ("vault.example", false),
        ("ftp://vault.example", false),
        ("https://vault.example/?x=1", false),
        ("", false),
    ] {
        assert_eq!(Client::new(Config::new(base)).is_ok(), taken, "{base}");
    }
    assert!(Client::new(Config::new("http://vault.example").with_danger_plain_http()).is_ok());
    assert!(Client::new(Config::new("https://vault.example").with_key("a\nb")).is_err());
}

/// A server that gives one answer a connection, hangs up, and tells what it was asked. An empty answer is none.
async fn server(answers: Vec<String>) -> (Client, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 16_384];
            let length = stream.read(&mut request).await.unwrap();
            asked.push(String::from_utf8_lossy(&request[..length]).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asked
    });
    let config = Config::new(format!("http://{address}/")).with_key("qapi_x").with_timeout(Duration::from_secs(5));
    (Client::new(config).unwrap(), asked)
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn busy() -> String {
    answer(503, "retry-after: 0\r\n", "{}")
}

fn hung_up() -> String {
    String::new()
}

fn header<'r>(request: &'r str, name: &str) -> Option<&'r str> {
    let line = request.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")))?;
    line.split_once(": ").map(|(_, value)| value)
}

#[tokio::test]
async fn a_change_that_was_not_answered_is_sent_again_under_the_same_name() {
    let (client, asked) = server(vec![hung_up(), busy(), answer(200, "", "")]).await;
    client.activate_secret(Uuid::nil()).await.unwrap();
    let asked = asked.await.unwrap();
    let names: Vec<_> = asked.iter().map(|request| header(request, "idempotency-key").unwrap()).collect();
    assert_eq!((names.len(), names[0]), (3, names[2]));
    assert!(asked.iter().all(|request| header(request, "x-api-key") == Some("qapi_x")));
}

#[tokio::test]
async fn a_replacement_that_may_have_happened_is_not_sent_again() {
    let (client, _asked) = server(vec![hung_up()]).await;
    let body = api::keys::SetMinDecryptionVersion { min_decryption_version: 1 };
    let error = client.set_min_decryption_version(Uuid::nil(), &body).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_replacement_that_was_refused_for_now_is_sent_again() {
    let policy = r#"{"keyName":"a","latestVersion":2,"minDecryptionVersion":1}"#;
    let (client, asked) = server(vec![busy(), answer(200, "", policy)]).await;
    let body = api::keys::SetMinDecryptionVersion { min_decryption_version: 1 };
    assert_eq!(client.set_min_decryption_version(Uuid::nil(), &body).await.unwrap().latest_version, 2);
    assert!(asked.await.unwrap()[1].ends_with("\r\n\r\n{\"minDecryptionVersion\":1}"));
}

#[tokio::test]
async fn a_link_is_never_opened_twice() {
    let (client, asked) = server(vec![busy()]).await;
    let error = client.open_share_link("a/b", &api::shares::OpenShareLink::default()).await.err().unwrap();
    assert!(matches!(error, Error::Foreign { status: 503 }), "{error}");
    assert!(asked.await.unwrap()[0].starts_with("POST /api/v1/share/a%2Fb HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_refusal_says_what_the_server_said() {
    let body =
        r#"{"error":"insufficient_scope","message":"no","details":{"required_scope":"decrypt"},"requestId":"r1"}"#;
    let (client, _asked) = server(vec![answer(403, "", body)]).await;
    let error = client.version().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::InsufficientScope));
    let refusal = error.refusal().unwrap();
    assert_eq!((refusal.request_id.as_str(), refusal.status), ("r1", 403));
    assert_eq!(refusal.details["required_scope"], "decrypt");
}

#[tokio::test]
async fn an_answer_of_another_program_is_told_apart() {
    let (client, _asked) = server(vec![answer(200, "", "<html>")]).await;
    assert!(matches!(client.version().await.unwrap_err(), Error::Foreign { status: 200 }));
}
