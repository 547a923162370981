//! Registries that lie, stall, refuse and send us elsewhere.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::*;
use crate::digest::Digest;
use crate::manifest::{Descriptor, EMPTY, EMPTY_CONTENT, IMAGE, INDEX, Image, Index, Manifest};
use crate::reference::{Reference, Repository};

/// What was asked, and a registry that answers it by a function of the request's head. An empty answer is none at all.
struct Stage {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    async fn new(answer: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, ours, kept) = (Arc::new(answer), host.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (answer, host, asked) = (Arc::clone(&answer), ours.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    let mut request = vec![0; 65_536];
                    let length = stream.read(&mut request).await.unwrap();
                    let head = String::from_utf8_lossy(&request[..length]).into_owned();
                    asked.lock().unwrap().push(head.clone());
                    let answer = answer(&head, &host);
                    if answer.is_empty() {
                        tokio::time::sleep(Duration::from_secs(600)).await;
                    }
                    let _ = stream.write_all(&answer).await;
                });
            }
        });
        Self { host, asked }
    }

    fn repository(&self) -> Repository {
        format!("{}/team/api", self.host).parse().unwrap()
    }

    fn tagged(&self) -> Reference {
        self.repository().tagged("1").unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn client() -> Client {
    client_with(Keychain::anonymous())
}

fn client_with(keychain: Keychain) -> Client {
    Client::new(Options::default().with_timeout(Duration::from_secs(20)).with_retries(3), keychain).unwrap()
}

fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn of_type(media_type: &str, manifest: &[u8]) -> Vec<u8> {
    answer(200, &format!("content-type: {media_type}\r\n"), manifest)
}

fn image(text: &str) -> Manifest {
    let layer = Descriptor::of("text/plain", text.as_bytes());
    Image::new(Descriptor::of(EMPTY, EMPTY_CONTENT), vec![layer]).to_manifest().unwrap()
}

fn is_for(head: &str, start: &str) -> bool {
    head.starts_with(start)
}

#[test]
fn plain_http_is_for_this_machine_and_for_whom_the_caller_names() {
    let options = Options::default().with_danger_plain_http("Old.example:5000");
    let options = options.with_encrypted_loopback("localhost:5443");
    for (host, plain) in [
        ("localhost", true),
        ("localhost:5000", true),
        ("127.0.0.1:5000", true),
        ("[::1]:5000", true),
        ("[::1]", true),
        ("old.example:5000", true),
        ("localhost:5443", false),
        ("old.example", false),
        ("127.0.0.1.example:5000", false),
        ("localhost.example", false),
        ("registry.example", false),
    ] {
        assert_eq!(options.is_plain(host), plain, "{host}");
    }
}

#[tokio::test]
async fn another_content_than_asked_for_is_refused() {
    let (wanted, other) = (image("wanted"), image("other"));
    let (bytes, said) = (other.bytes().to_vec(), wanted.digest().to_string());
    let stage = Stage::new(move |head, _| match is_for(head, "GET /v2/team/api/blobs/") {
        true => answer(200, "", b"a blob of another kind"),
        false => answer(200, &format!("content-type: {IMAGE}\r\ndocker-content-digest: {said}\r\n"), &bytes),
    })
    .await;
    let client = client();
    let by_digest = client.manifest(&stage.repository().at(wanted.digest().clone())).await;
    assert!(matches!(by_digest, Err(Error::OtherContent { .. })), "{by_digest:?}");
    // The header and the body disagree.
    let by_tag = client.manifest(&stage.tagged()).await;
    assert!(matches!(by_tag, Err(Error::OtherContent { .. })), "{by_tag:?}");
    let blob = Descriptor::of("text/plain", b"a blob of the right one");
    let blob = client.blob(&stage.repository(), &blob, 1_000).await;
    assert!(matches!(blob, Err(Error::TooLarge { .. } | Error::OtherContent { .. })), "{blob:?}");
}

#[tokio::test]
async fn what_is_too_long_is_not_read() {
    let stage = Stage::new(|head, _| match is_for(head, "GET /v2/team/api/manifests/endless") {
        true => {
            let head = b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n".to_vec();
            let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
            std::iter::once(head).chain(std::iter::repeat_n(chunk, 8)).flatten().collect()
        }
        false => format!("HTTP/1.1 200 x\r\ncontent-type: {IMAGE}\r\ncontent-length: 99999999999\r\n\r\n").into_bytes(),
    })
    .await;
    let client = client();
    for tag in ["announced", "endless"] {
        let read = client.manifest(&stage.repository().tagged(tag).unwrap()).await;
        assert!(matches!(read, Err(Error::TooLarge { .. })), "{tag}: {read:?}");
    }
    let huge = Descriptor { size: 1 << 40, ..Descriptor::of("text/plain", b"") };
    let read = client.blob(&stage.repository(), &huge, 1 << 20).await;
    assert!(matches!(read, Err(Error::TooLarge { .. })), "{read:?}");
    assert_eq!(stage.asked().len(), 2, "the announced length was enough");
}

#[tokio::test]
async fn a_registry_that_is_busy_is_asked_again() {
    let tries = Mutex::new(0);
    let manifest = image("busy");
    let (bytes, digest) = (manifest.bytes().to_vec(), manifest.digest().clone());
    let stage = Stage::new(move |_, _| {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        match *tries {
            1 => answer(429, "retry-after: 0\r\n", b"{}"),
            2 => answer(503, "", b""),
            _ => of_type(IMAGE, &bytes),
        }
    })
    .await;
    assert_eq!(client().manifest(&stage.tagged()).await.unwrap().digest(), &digest);
    let stage = Stage::new(|_, _| answer(429, "retry-after: 0\r\n", b"{}")).await;
    let error = client().manifest(&stage.tagged()).await.unwrap_err();
    assert!(matches!(error, Error::Busy { status: 429, .. }) && error.is_outage(), "{error}");
    assert_eq!(stage.asked().len(), 4);
    let stage = Stage::new(|_, _| answer(429, "retry-after: 100000\r\n", b"{}")).await;
    assert!(matches!(client().manifest(&stage.tagged()).await, Err(Error::Busy { .. })));
    assert_eq!(stage.asked().len(), 1, "nobody waits for a day");
}

#[tokio::test]
async fn a_registry_that_stalls_is_left_in_time() {
    let options = || Options::default().with_timeout(Duration::from_millis(100)).with_retries(1);
    let stage = Stage::new(|_, _| Vec::new()).await;
    let client = Client::new(options(), Keychain::anonymous()).unwrap();
    let error = client.manifest(&stage.tagged()).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }) && error.is_outage(), "{error}");
    let nobody: Reference = "127.0.0.1:1/team/api:1".parse().unwrap();
    let error = client.manifest(&nobody).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_outage(), "{error}");
}

#[tokio::test]
async fn a_token_is_fetched_for_the_repository_and_kept() {
    let manifest = image("token");
    let bytes = manifest.bytes().to_vec();
    let stage = Stage::new(move |head, host| {
        if is_for(head, "GET /token?service=r&scope=repository%3Ateam%2Fapi%3Apull ") {
            return answer(200, "", br#"{"token":"t1","expires_in":300}"#);
        }
        match head.contains("authorization: Bearer t1\r\n") {
            true => of_type(IMAGE, &bytes),
            false => {
                answer(401, &format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"r\"\r\n"), b"")
            }
        }
    })
    .await;
    let password = Credential::Password { user: "ada".into(), password: Zeroizing::new("pw".into()) };
    let client = client_with(Keychain::anonymous().with(&stage.host, password));
    for _ in 0..2 {
        client.manifest(&stage.tagged()).await.unwrap();
    }
    let asked = stage.asked();
    assert_eq!(asked.len(), 4, "401, token, manifest, manifest: {asked:?}");
    assert!(asked[1].contains("authorization: Basic YWRhOnB3\r\n"));
    assert!(!asked[0].contains("authorization"));
}

#[tokio::test]
async fn a_token_is_never_fetched_in_the_open() {
    let stage =
        Stage::new(|_, _| answer(401, "www-authenticate: Bearer realm=\"http://tokens.example/t\"\r\n", b"")).await;
    let password = Credential::Password { user: "ada".into(), password: Zeroizing::new("pw".into()) };
    let client = client_with(Keychain::anonymous().with(&stage.host, password));
    let error = client.manifest(&stage.tagged()).await.unwrap_err();
    assert!(matches!(error, Error::PlainHttp(_)), "{error}");
}

#[tokio::test]
async fn a_redirect_takes_no_credentials_elsewhere() {
    let content = b"far away";
    let far = Stage::new(move |_, _| answer(200, "", content)).await;
    let target = far.host.clone();
    let near = Stage::new(move |head, _| match head.contains("authorization: Basic") {
        true if is_for(head, "GET /v2/team/api/blobs/") => {
            answer(307, &format!("location: http://{target}/storage?x=1\r\n"), b"")
        }
        true => answer(307, "location: http://169.254.169.254/latest\r\n", b""),
        false => answer(401, "www-authenticate: Basic realm=\"r\"\r\n", b""),
    })
    .await;
    let password = Credential::Password { user: "ada".into(), password: Zeroizing::new("pw".into()) };
    let client = client_with(Keychain::anonymous().with(&near.host, password));
    let read = client.blob(&near.repository(), &Descriptor::of("text/plain", content), 100).await.unwrap();
    assert_eq!(read, content);
    assert!(!far.asked()[0].contains("authorization"), "{:?}", far.asked());
    let error = client.manifest(&near.tagged()).await.unwrap_err();
    assert!(matches!(error, Error::PlainHttp(_)), "{error}");
    let error = client.put_blob(&near.repository(), b"x").await.unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn lists_are_read_to_their_end_and_nowhere_else() {
    let subject = Digest::of(b"subject");
    let entries: Vec<Descriptor> = ["a", "b"].map(|text| image(text).descriptor().clone()).into();
    let pages: Vec<Vec<u8>> =
        entries.iter().map(|entry| Index::new(vec![entry.clone()]).to_manifest().unwrap().bytes().to_vec()).collect();
    let stage = Stage::new(move |head, _| {
        let page = |next: &str, body: &[u8]| {
            let link = if next.is_empty() { String::new() } else { format!("link: <{next}>; rel=\"next\"\r\n") };
            answer(200, &format!("content-type: {INDEX}\r\n{link}"), body)
        };
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.split_once('?') {
            None if path.contains("/referrers/") => page(&format!("{path}?page=2"), &pages[0]),
            Some((_, "page=2")) => page("", &pages[1]),
            None if path.ends_with("/tags/list") => {
                page("http://evil.example/v2/team/api/tags/list", br#"{"tags":["a"]}"#)
            }
            _ => answer(404, "", b"404 page not found"),
        }
    })
    .await;
    let client = client();
    let found = client.referrers(&stage.repository(), &subject).await.unwrap();
    assert_eq!(
        found.manifests.iter().map(|entry| &entry.digest).collect::<Vec<_>>(),
        [&entries[0].digest, &entries[1].digest]
    );
    assert!(found.is_native);
    assert!(matches!(client.tags(&stage.repository()).await, Err(Error::Foreign { .. })));
}

#[tokio::test]
async fn a_registry_without_referrers_is_asked_for_them_once() {
    let stage = Stage::new(|_, _| answer(404, "", b"404 page not found")).await;
    let client = client();
    for _ in 0..2 {
        let found = client.referrers(&stage.repository(), &Digest::of(b"subject")).await.unwrap();
        assert!(found.manifests.is_empty() && !found.is_native);
    }
    let asked = stage.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(asked.iter().filter(|head| head.contains("/referrers/")).count(), 1);
}

#[tokio::test]
async fn a_refusal_says_what_the_registry_said() {
    let body = br#"{"errors":[{"code":"DENIED","message":"not yours\u0007"}]}"#;
    let stage = Stage::new(|_, _| answer(403, "", body)).await;
    let error = client().manifest(&stage.tagged()).await.unwrap_err();
    assert!(error.to_string().ends_with("(403: DENIED: not yours)"), "{error}");
    assert_eq!((error.code(), error.is_outage()), ("registry_denied", false));
}

#[tokio::test]
async fn a_copy_of_another_content_never_ends() {
    let (wanted, sent) = (b"the wanted content", b"quite other content");
    let descriptor = Descriptor::of("text/plain", wanted);
    let source = Stage::new(move |_, _| answer(200, "", &sent[..wanted.len()])).await;
    let target = Stage::new(|head, _| match head.split(' ').next() {
        Some("HEAD") => answer(404, "", b""),
        Some("POST") => answer(202, "location: /v2/team/api/blobs/uploads/1?state=s\r\n", b""),
        _ => answer(201, "", b""),
    })
    .await;
    let copied = client().copy_blob(&source.repository(), &target.repository(), &descriptor).await;
    assert!(matches!(copied, Err(Error::Unreachable { .. })), "{copied:?}");
    assert!(!target.asked().iter().any(|asked| asked.contains("quite other")), "{:?}", target.asked());
}

#[tokio::test]
async fn a_place_of_tokens_that_is_busy_is_asked_again() {
    let manifest = image("tokens");
    let (bytes, tries) = (manifest.bytes().to_vec(), Mutex::new(0));
    let stage = Stage::new(move |head, host| {
        if is_for(head, "GET /token") {
            let mut tries = tries.lock().unwrap();
            *tries += 1;
            return if *tries == 1 { answer(429, "", b"") } else { answer(200, "", br#"{"token":"t"}"#) };
        }
        match head.contains("authorization: Bearer t\r\n") {
            true => of_type(IMAGE, &bytes),
            false => answer(401, &format!("www-authenticate: Bearer realm=\"http://{host}/token\"\r\n"), b""),
        }
    })
    .await;
    assert_eq!(client().manifest(&stage.tagged()).await.unwrap().digest(), manifest.digest());
}
