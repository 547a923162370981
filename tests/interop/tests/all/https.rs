//! HTTPS of the server's own: who is shown which certificate, and what a replaced one changes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::{Random, operating_system};
use crypto::x509::{KeyUsage, Purpose, Role, SerialNumber, Statement, pem};

use crate::binaries::binary;
use crate::installation::{Engine, Installation};
use crate::mesh::tools::tool;
use crate::moved_clock::MovedClock;
use crate::program::{both, run};
use crate::server::{Server, eventually};

const PATIENCE: Duration = Duration::from_secs(30);

struct System;

impl Random for System {
    fn fill(&self, out: &mut [u8]) {
        operating_system(out).expect("the system has randomness");
    }
}

/// An authority, and where its certificate is.
pub struct Authority {
    algorithm: Algorithm,
    key: PrivateKey,
    pub anchor: PathBuf,
}

impl Authority {
    pub fn new(folder: &Path, name: &str, algorithm: Algorithm) -> Self {
        let key = PrivateKey::generate(algorithm, &System).unwrap();
        let statement = Statement {
            subject: "CN=Issuing,O=qapi".parse().unwrap(),
            role: Role::Authority { path_len: Some(0) },
            key_usage: KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN,
            purposes: Vec::new(),
            alt_names: Vec::new(),
            ..statement(&key)
        };
        let anchor = folder.join(format!("{name}-anchor.pem"));
        std::fs::write(&anchor, pem::encode(pem::CERTIFICATE, &statement.sign(&key, &System).unwrap())).unwrap();
        Self { algorithm, key, anchor }
    }

    /// Writes a new certificate of the server and its key.
    pub fn issue(&self, certificate: &Path, key: &Path) {
        let fresh = PrivateKey::generate(self.algorithm, &System).unwrap();
        let der = statement(&fresh).sign(&self.key, &System).unwrap();
        std::fs::write(key, fresh.to_pem().unwrap().expose()).unwrap();
        let anchor = std::fs::read_to_string(&self.anchor).unwrap();
        std::fs::write(certificate, pem::encode(pem::CERTIFICATE, &der) + &anchor).unwrap();
    }
}

fn statement(key: &PrivateKey) -> Statement {
    Statement {
        serial_number: SerialNumber::draw(&System),
        issuer: "CN=Issuing,O=qapi".parse().unwrap(),
        subject: "CN=qapid,O=qapi".parse().unwrap(),
        not_before: NOT_BEFORE,
        not_after: NOT_AFTER,
        key: key.public_key().unwrap(),
        role: Role::EndEntity,
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        purposes: vec![Purpose::ServerAuth],
        alt_names: vec!["DNS:localhost".parse().unwrap(), "IP:127.0.0.1".parse().unwrap()],
        permitted_dns: Vec::new(),
        policies: Vec::new(),
        no_rev_avail: false,
        crl_urls: Vec::new(),
        issuer_urls: Vec::new(),
    }
}

/// 2025 to 2045: no test of these is about time.
const NOT_BEFORE: i64 = 1_735_689_600;
const NOT_AFTER: i64 = 2_366_841_600;

/// An installation that listens for HTTPS, with a chain for everybody.
struct Site {
    installation: Installation,
    quantum_safe: Authority,
    classical: Authority,
}

impl Site {
    fn new(more: &str) -> Self {
        let installation = Installation::unattended(&Engine::Sqlite);
        let folder = installation.folder().to_owned();
        let quantum_safe = Authority::new(&folder, "qs", Algorithm::MlDsa65);
        let classical = Authority::new(&folder, "classical", Algorithm::EcdsaP256);
        let file = |name: &str| folder.join(name);
        quantum_safe.issue(&file("qs.pem"), &file("qs.key"));
        classical.issue(&file("classical.pem"), &file("classical.key"));
        let folder = folder.display();
        let mut config = std::fs::read_to_string(installation.config()).unwrap();
        config.push_str(&format!(
            "\n[tls]\nlisten = \"127.0.0.1:0\"\ncertificate_file = \"{folder}/qs.pem\"\nkey_file = \"{folder}/qs.key\"\n{}",
            more.replace("FOLDER", &folder.to_string())
        ));
        std::fs::write(installation.config(), config).unwrap();
        Self { installation, quantum_safe, classical }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.installation.folder().join(name)
    }
}

const CLASSICAL: &str =
    "classical_certificate_file = \"FOLDER/classical.pem\"\nclassical_key_file = \"FOLDER/classical.key\"\n";

/// Writes the certificate of the platform's own authority for peers that know no ML-DSA, and says where.
pub fn classical_anchor(server: &Server, folder: &Path) -> PathBuf {
    let authorities = server.client().get("/api/v1/cas").expect(200).json();
    let classical = authorities["cas"].as_array().unwrap().iter().find(|ca| ca["algorithm"] == "ECDSA-P256");
    let id = classical.expect("an authority for classical peers")["id"].as_str().unwrap();
    let anchor = server.client().get(&format!("/api/v1/cas/{id}/certificate")).expect(200).text();
    let file = folder.join("classical.pem");
    std::fs::write(&file, anchor).expect("the folder can be written");
    file
}

fn https(server: &Server) -> String {
    server.stdout.wait_for("https ", PATIENCE).expect("the HTTPS listener is announced")
}

/// Our own client, which offers ML-DSA.
fn qapi(server: &Server, anchor: &Path) -> Output {
    run(Command::new(binary("qapi"))
        .args(["health", "--base-url", &https(server), "--ca-file"])
        .arg(anchor)
        .env("QUANTUMAPI_MAX_RETRIES", "0")
        .env("QAPI_CONFIG", "/nonexistent/qapi.toml"))
}

/// Python of this system, whose OpenSSL knows no ML-DSA and no hybrid group.
fn python(server: &Server, anchor: &Path) -> Output {
    let script = "import ssl, sys, urllib.request as u\n\
        c = ssl.create_default_context(cafile=sys.argv[1])\n\
        print(u.urlopen(sys.argv[2] + '/health', context=c).status)";
    run(Command::new("python3").args(["-c", script]).arg(anchor).arg(https(server)))
}

#[test]
fn every_client_is_shown_what_it_can_verify_and_is_counted() {
    let site = Site::new(CLASSICAL);
    let server = site.installation.serve();
    let ours = qapi(&server, &site.quantum_safe.anchor);
    assert!(ours.status.success(), "{}", both(&ours));
    let old = python(&server, &site.classical.anchor);
    assert!(old.status.success(), "{}", both(&old));
    for (client, anchor) in
        [(qapi as fn(&Server, &Path) -> Output, &site.classical.anchor), (python, &site.quantum_safe.anchor)]
    {
        let mistaken = client(&server, anchor);
        assert!(!mistaken.status.success(), "trusted another authority: {}", both(&mistaken));
    }
    let metrics = server.metrics();
    for labels in
        [r#"certificate="ML-DSA-65",group="X25519MLKEM768"} 1"#, r#"certificate="ECDSA-P256",group="X25519"} 1"#]
    {
        assert!(metrics.contains(&format!("qapi_tls_handshakes_total{{{labels}")), "{metrics}");
    }
    assert!(metrics.contains(r#"qapi_tls_refused_handshakes_total{reason="refused_by_peer"} 2"#), "{metrics}");
}

#[test]
fn a_client_that_was_told_the_fingerprint_needs_no_file() {
    let site = Site::new(CLASSICAL);
    let server = site.installation.serve();
    let printed = server.stdout.wait_for("anchor ", PATIENCE).expect("the anchor is printed");
    let health = |fingerprint: &str| {
        run(Command::new(binary("qapi"))
            .args(["health", "--base-url", &https(&server)])
            .env("QAPI_CA_FINGERPRINT", fingerprint)
            .env("QUANTUMAPI_MAX_RETRIES", "0")
            .env("QAPI_CONFIG", "/nonexistent/qapi.toml"))
    };
    let told = health(&printed);
    assert!(told.status.success(), "{}", both(&told));
    let other = health(&format!("sha256:{}", "0".repeat(64)));
    assert!(!other.status.success(), "{}", both(&other));
    assert!(both(&health("sha256:00")).contains("fingerprint"));
}

#[test]
fn the_platform_certifies_itself_and_is_trusted_by_fingerprint_or_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_dev_with(&folder.path().join("data"), &["--tls-listen", "127.0.0.1:0"]);
    let printed = server.stdout.wait_for("anchor ", PATIENCE).expect("the anchor is printed");
    let told = run(Command::new(binary("qapi"))
        .args(["health", "--ca-fingerprint", &printed, "--base-url", &https(&server)])
        .env("QAPI_CONFIG", "/nonexistent/qapi.toml"));
    assert!(told.status.success(), "{}", both(&told));
    let anchor = folder.path().join("anchor.pem");
    std::fs::write(&anchor, server.client().anonymous().get("/api/v1/ca/certificate").expect(200).text()).unwrap();
    let ours = qapi(&server, &anchor);
    assert!(ours.status.success(), "{}", both(&ours));
    let old = python(&server, &anchor);
    assert!(!old.status.success(), "the quantum-safe anchor vouches for a classical chain");
}

#[test]
fn a_strict_listener_has_nothing_for_classical_clients() {
    let site = Site::new("strict = true\n");
    let server = site.installation.serve();
    let ours = qapi(&server, &site.quantum_safe.anchor);
    assert!(ours.status.success(), "{}", both(&ours));
    let old = python(&server, &site.classical.anchor);
    assert!(!old.status.success() && both(&old).contains("handshake failure"), "{}", both(&old));
    assert!(server.metrics().contains(r#"qapi_tls_refused_handshakes_total{reason="group"} 1"#));
}

#[test]
fn a_replaced_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let site = Site::new(CLASSICAL);
    let server = site.installation.serve();
    std::fs::write(site.file("qs.pem"), "no certificate").unwrap();
    assert!(server.stderr.wait_for_line_with("HTTPS certificates not replaced", PATIENCE));
    let before = qapi(&server, &site.quantum_safe.anchor);
    assert!(before.status.success(), "the old certificate is gone: {}", both(&before));
    let other = Authority::new(site.installation.folder(), "other", Algorithm::MlDsa87);
    other.issue(&site.file("qs.pem"), &site.file("qs.key"));
    let deadline = Instant::now() + PATIENCE;
    while !qapi(&server, &other.anchor).status.success() {
        assert!(Instant::now() < deadline, "the new certificate is never shown: {}", server.stderr.text());
    }
    assert!(!qapi(&server, &site.quantum_safe.anchor).status.success(), "the old certificate is shown still");
}

#[test]
fn what_cannot_be_served_keeps_the_server_from_starting() {
    for (more, complaint) in [
        ("classical_key_file = \"FOLDER/classical.key\"\n", "go together"),
        (&format!("strict = true\n{CLASSICAL}"), "tls.strict"),
        ("colour = \"x\"\n", "unknown field"),
        ("names = [\"vault.example\"]\n", "either names"),
        ("mtls_listen = \"127.0.0.1:0\"\n", "tls.mtls_listen needs tls.names"),
    ] {
        let site = Site::new(more);
        let refused = run(Command::new(binary("qapid")).arg("serve").arg("--config").arg(site.installation.config()));
        assert!(!refused.status.success() && both(&refused).contains(complaint), "{}", both(&refused));
    }
    let site = Site::new("");
    std::fs::copy(site.file("classical.key"), site.file("qs.key")).unwrap();
    let refused = run(Command::new(binary("qapid")).arg("serve").arg("--config").arg(site.installation.config()));
    assert!(!refused.status.success() && both(&refused).contains("pairing"), "{}", both(&refused));
}

/// The certificate that a listener shows to whoever asks so: its number and its end.
fn shown(address: &str, arguments: &[&str]) -> (String, i64) {
    let mut command = tool("openssl");
    command.args(["s_client", "-connect", address]).args(arguments);
    let said = both(&run(command.stdin(std::process::Stdio::null())));
    let start = said.find("-----BEGIN CERTIFICATE").unwrap_or_else(|| panic!("no certificate is shown: {said}"));
    let end = said[start..].find("-----END CERTIFICATE-----").expect("the certificate ends") + start;
    let block = pem::blocks(&format!("{}-----END CERTIFICATE-----\n", &said[start..end])).unwrap().remove(0);
    let certificate = crypto::x509::Certificate::parse(&block.der).unwrap();
    (certificate.serial_number().to_string(), certificate.not_after())
}

#[test]
fn certificates_of_its_own_are_renewed_before_they_end_however_far_the_clock_goes() {
    const QUANTUM_SAFE: &[&str] = &["-tls1_3", "-groups", "X25519MLKEM768"];
    const CLASSICAL: &[&str] = &["-tls1_3", "-groups", "X25519", "-sigalgs", "ECDSA+SHA256"];
    let folder = tempfile::tempdir().unwrap();
    let clock = MovedClock::new(folder.path());
    let listeners = ["--tls-listen", "127.0.0.1:0", "--mtls-listen", "127.0.0.1:0"];
    let server = Server::start_dev_by(clock.qapid(), &folder.path().join("data"), &listeners);
    let place = |word: &str| {
        let said = server.stdout.wait_for(word, PATIENCE).expect("the listener is announced");
        said.trim().trim_start_matches("https://").to_owned()
    };
    let (public, mtls) = (place("https "), place("mtls "));
    let ways = [(&public, QUANTUM_SAFE), (&public, CLASSICAL), (&mtls, QUANTUM_SAFE)];
    let look = || ways.map(|(address, arguments)| shown(address, arguments));
    let started = look();
    clock.set_ahead_s(15 * 3_600);
    // Longer than either listener waits before it looks.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(look(), started, "nothing is due after fifteen of twenty-four hours");
    let mut before = started;
    for hours in [17, 34, 51] {
        clock.set_ahead_s(hours * 3_600);
        let renewed = eventually(PATIENCE, || {
            let shown = look();
            shown.iter().zip(&before).all(|(new, old)| new.0 != old.0).then_some(shown)
        });
        for ((_, end), (_, ended)) in renewed.iter().zip(&before) {
            assert!(end - ended > 16 * 3_600, "renewed for {} s", end - ended);
        }
        before = renewed;
    }
}

#[test]
fn a_classical_chain_from_files_stands_beside_certificates_of_its_own() {
    let installation = Installation::unattended(&Engine::Sqlite);
    let folder = installation.folder().to_owned();
    let classical = Authority::new(&folder, "classical", Algorithm::EcdsaP256);
    let file = |name: &str| folder.join(name);
    classical.issue(&file("classical.pem"), &file("classical.key"));
    let mut config = std::fs::read_to_string(installation.config()).unwrap();
    let files = CLASSICAL.replace("FOLDER", &folder.display().to_string());
    config.push_str(&format!("\n[tls]\nlisten = \"127.0.0.1:0\"\nnames = [\"localhost\", \"127.0.0.1\"]\n{files}"));
    std::fs::write(installation.config(), config).unwrap();
    let server = installation.serve();
    let address = https(&server).trim().trim_start_matches("https://").to_owned();
    let look = || {
        let classical = shown(&address, &["-tls1_3", "-groups", "X25519", "-sigalgs", "ECDSA+SHA256"]);
        (shown(&address, &["-tls1_3", "-groups", "X25519MLKEM768"]), classical)
    };
    let (own, first) = look();
    assert_eq!(first.1, NOT_AFTER, "the files' certificate");
    assert!(own.1 < NOT_AFTER, "the platform's own");
    classical.issue(&file("classical.pem"), &file("classical.key"));
    let (still, second) = eventually(PATIENCE, || Some(look()).filter(|(_, classical)| classical.0 != first.0));
    assert_eq!((still, second.1), (own, NOT_AFTER), "the other chain is left alone");
}
