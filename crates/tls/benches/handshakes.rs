//! Full ML-DSA-65 mTLS handshakes with one request each, client and server on this machine: ours, and OpenSSL's in the
//! same run. `OPENSSL=/path/to/openssl cargo bench -p tls --bench handshakes`; OpenSSL has to be 3.5 or newer.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench prints what it measured, and has nobody to hand an error to"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::{Random, operating_system};
use crypto::x509::{KeyUsage, Purpose, Role, SerialNumber, Statement, pem};
use tls::credentials::Credentials;
use tls::mesh::{ClientConnector, ServerAcceptor};
use tls::snapshot::{Live, Snapshot};
use tls::trust::Trust;
use tls::whom::Whom;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const TIME: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.0 200 ok\r\nContent-Length: 2\r\n\r\nok";
const PORT: u16 = 18_443;

struct System;

impl Random for System {
    fn fill(&self, out: &mut [u8]) {
        operating_system(out).expect("the system has randomness");
    }
}

struct Material {
    anchor: Vec<u8>,
    leaf: Vec<u8>,
    key: PrivateKey,
}

fn main() {
    let material = material();
    let folder = std::env::temp_dir().join(format!("qapi-handshakes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    write(&material, &folder);
    let openssl = std::env::var("OPENSSL").ok();
    for round in 1..=ROUNDS {
        let ours = ours(&material);
        print!("round {round}: ours {ours:.0}/s");
        if let Some(openssl) = &openssl {
            let theirs = theirs(openssl, &folder);
            print!(", OpenSSL {theirs:.0}/s, ratio {:.1}", ours / theirs);
        }
        println!();
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

fn ours(material: &Material) -> f64 {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let credentials = Credentials::new(&material.key, vec![material.leaf.clone()]).expect("a pair");
        let trust = Trust::new("qapi.internal".parse().expect("a name"), vec![material.anchor.clone()]);
        let live = Live::new(Snapshot::new(credentials, trust));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let acceptor = ServerAcceptor::new(Arc::clone(&live));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    stream.set_nodelay(true).expect("a socket");
                    let Ok((mut stream, _)) = acceptor.accept(stream, &Whom::AnyService).await else { return };
                    let mut request = [0; REQUEST.len()];
                    if stream.read_exact(&mut request).await.is_ok() && stream.write_all(ANSWER).await.is_ok() {
                        let _closed = stream.shutdown().await;
                    }
                });
            }
        });
        let (done, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let clients = (0..4).map(|_| {
            let (connector, done) = (ClientConnector::new(Arc::clone(&live)), Arc::clone(&done));
            tokio::spawn(async move {
                while start.elapsed() < TIME {
                    let stream = TcpStream::connect(address).await.expect("a connection");
                    stream.set_nodelay(true).expect("a socket");
                    let (mut stream, _) = connector.connect(stream, &Whom::AnyService).await.expect("a handshake");
                    stream.write_all(REQUEST).await.expect("a request");
                    stream.read_exact(&mut [0; ANSWER.len()]).await.expect("an answer");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("a client");
        }
        done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
    })
}

fn theirs(openssl: &str, folder: &Path) -> f64 {
    let files = ["-cert", "leaf.pem", "-key", "leaf.key", "-CAfile", "anchor.pem"];
    let port = PORT.to_string();
    let mut server = Command::new(openssl)
        .current_dir(folder)
        .args([
            "s_server",
            "-accept",
            &port,
            "-www",
            "-quiet",
            "-tls1_3",
            "-groups",
            "X25519MLKEM768",
            "-num_tickets",
            "0",
        ])
        .args(["-Verify", "2", "-verify_return_error"])
        .args(files)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl starts");
    let deadline = Instant::now() + TIME;
    while std::net::TcpStream::connect(("127.0.0.1", PORT)).is_err() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    let seconds = TIME.as_secs().to_string();
    let client = || {
        Command::new(openssl)
            .current_dir(folder)
            .args([
                "s_time",
                "-connect",
                &format!("127.0.0.1:{PORT}"),
                "-new",
                "-www",
                "/",
                "-tls1_3",
                "-time",
                &seconds,
            ])
            .args(files)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl starts")
    };
    let clients = [client(), client()];
    let rate = clients.into_iter().map(|client| {
        let text = String::from_utf8(client.wait_with_output().expect("an end").stdout).expect("text");
        // "123 connections in 6 real seconds, 456 bytes read per connection"
        let line = text.lines().find(|line| line.contains("real seconds")).expect("a count");
        let numbers: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        numbers[0] / numbers[1]
    });
    let rate = rate.sum();
    server.kill().expect("the server ends");
    server.wait().expect("the server ends");
    rate
}

fn material() -> Material {
    let authority = PrivateKey::generate(Algorithm::MlDsa65, &System).expect("a key");
    let key = PrivateKey::generate(Algorithm::MlDsa65, &System).expect("a key");
    let leaf = statement(&key);
    let anchor = Statement {
        subject: leaf.issuer.clone(),
        role: Role::Authority { path_len: Some(0) },
        key_usage: KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN,
        purposes: Vec::new(),
        alt_names: Vec::new(),
        no_rev_avail: false,
        ..statement(&authority)
    };
    let sign = |statement: &Statement| statement.sign(&authority, &System).expect("a certificate");
    Material { anchor: sign(&anchor), leaf: sign(&leaf), key }
}

#[expect(clippy::disallowed_methods, reason = "handshakes judge by the real clock")]
fn statement(key: &PrivateKey) -> Statement {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    Statement {
        serial_number: SerialNumber::draw(&System),
        issuer: "CN=Issuing,O=qapi".parse().expect("a name"),
        subject: "CN=service,O=qapi".parse().expect("a name"),
        not_before: now - 60,
        not_after: now + 86_400,
        key: key.public_key().expect("a public half"),
        role: Role::EndEntity,
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        purposes: vec![Purpose::ServerAuth, Purpose::ClientAuth],
        alt_names: ["DNS:service", "URI:spiffe://qapi.internal/ns/a/sa/service"]
            .map(|name| name.parse().expect("a name"))
            .to_vec(),
        permitted_dns: Vec::new(),
        policies: Vec::new(),
        no_rev_avail: true,
        crl_urls: Vec::new(),
        issuer_urls: Vec::new(),
    }
}

fn write(material: &Material, folder: &Path) {
    let put = |name: &str, text: &[u8]| std::fs::write(folder.join(name), text).expect("the folder can be written");
    put("anchor.pem", pem::encode(pem::CERTIFICATE, &material.anchor).as_bytes());
    put("leaf.pem", pem::encode(pem::CERTIFICATE, &material.leaf).as_bytes());
    put("leaf.key", material.key.to_pem().expect("PEM").expose());
}
