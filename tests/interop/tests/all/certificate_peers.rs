//! Certificates, lists, requests and keys of ours before foreign judges, and theirs before ours: pyca/cryptography, OpenSSL and
//! the linter pkilint.

use std::path::Path;
use std::process::Command;

use crypto::algorithm::Algorithm;
use crypto::import::{Format, Imported, import};
use crypto::key::{PrivateKey, PublicKey};
use crypto::random::Seeded;
use crypto::x509::{
    DistinguishedName, KeyUsage, Purpose, Reason, Request, RevocationList, Revoked, Role, SerialNumber, SigningRequest,
    Statement, pem,
};
use serde_json::json;

use crate::binaries::{binary, root};
use crate::mesh::tools::tool;
use crate::program::{both, run, say, succeed};

/// 15 January 2027, and two hours later.
const NOT_BEFORE: i64 = 1_800_000_000;
const DURING: &str = "2027-01-15T10:00:00Z";
const DAY: i64 = 86_400;

#[test]
fn foreign_judges_take_what_we_make() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Ours::write(folder.path());
    let judged = run(peer().arg("judge").arg(folder.path()));
    say(&both(&judged));
    assert!(judged.status.success());
    ours.before_openssl(folder.path());
}

#[test]
fn what_pyca_makes_is_judged_as_it_deserves() {
    let folder = tempfile::tempdir().unwrap();
    succeed(peer().arg("make").arg(folder.path()));
    let judge = |leaf: &str, more: &[&str]| {
        let mut command = Command::new(binary("qapi"));
        command.current_dir(folder.path()).args(["certs", "verify", "--anchor", "root.crt"]);
        command.args(["--intermediate", "issuing.crt", "--purpose", "server"]).args(more).arg(leaf);
        both(&run(&mut command))
    };
    let service = ["--name", "dns:users-api", "--name", "spiffe://qapi.internal/ns/users/sa/users-api"];
    for (leaf, more, verdict) in [
        ("leaf.crt", service.as_slice(), "accepted: CN=users-api <- CN=issuing <- CN=root"),
        ("leaf.crt", &["--crl", "clean.crl", "--strict"], "accepted: "),
        ("leaf.crt", &["--crl", "revoking.crl"], "refused: revoked: it was revoked: keyCompromise"),
        ("leaf.crt", &["--floor", "ml-dsa-87"], "refused: algorithm_refused"),
        ("leaf.crt", &["--name", "dns:users"], "refused: wrong_name"),
        (
            "forbidden.crt",
            &[],
            "refused: forbidden_key_usage: an ML-DSA key with keyUsage keyEncipherment [RFC 9881 5]",
        ),
        ("issuing.crt", &["--strict"], "refused: wrong_key_usage"),
    ] {
        let said = judge(leaf, more);
        assert!(said.starts_with(verdict), "{leaf} {more:?}: {said}");
    }
    for (size, algorithm) in [("44", Algorithm::MlDsa44), ("65", Algorithm::MlDsa65), ("87", Algorithm::MlDsa87)] {
        let text = |kind: &str| std::fs::read_to_string(folder.path().join(format!("{size}.{kind}"))).unwrap();
        let public = PublicKey::from_pem(&text("pub")).unwrap();
        let request = SigningRequest::parse(&pem::blocks(&text("csr")).unwrap()[0].der).unwrap();
        assert_eq!(request.public_key(), &public);
        let Ok(Imported::Private(private)) = import(algorithm, Format::Pem, text("key").as_bytes(), false) else {
            panic!("the key of {size} is not taken");
        };
        assert_eq!(private.public_key(), Some(public));
    }
}

#[test]
fn what_openssl_makes_is_judged_as_it_deserves() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &str| {
        let mut command = tool("openssl");
        succeed(command.current_dir(folder.path()).args(arguments.split(' ')));
    };
    let ca = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign";
    let service = "-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:users-api,URI:spiffe://td/a";
    openssl(&format!("req -x509 -newkey ML-DSA-87 -nodes -keyout root.key -out root.crt -subj /CN=root {ca}"));
    for (name, usage) in [("good", "digitalSignature"), ("bad", "digitalSignature,keyEncipherment")] {
        let usage = format!("-addext keyUsage=critical,{usage} -addext extendedKeyUsage=serverAuth");
        let own =
            format!("-newkey ML-DSA-65 -nodes -keyout {name}.key -out {name}.crt -subj /CN={name} {service} {usage}");
        openssl(&format!("req -x509 -CA root.crt -CAkey root.key {own}"));
        openssl(&format!("req -new -key {name}.key -out {name}.csr -subj /CN={name} {service}"));
    }
    let judge = |leaf: &str| {
        let mut command = Command::new(binary("qapi"));
        command.current_dir(folder.path()).args(["certs", "verify", "--anchor", "root.crt", "--purpose", "server"]);
        both(&run(command.args(["--name", "spiffe://td/a", "--strict", leaf])))
    };
    assert!(judge("good.crt").starts_with("accepted: CN=good <- CN=root"), "{}", judge("good.crt"));
    assert!(judge("bad.crt").starts_with("refused: forbidden_key_usage"), "{}", judge("bad.crt"));
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    let request = SigningRequest::parse(&pem::blocks(&read("good.csr")).unwrap()[0].der).unwrap();
    assert_eq!(request.subject().to_string(), "CN=good");
    // OpenSSL writes seed and expanded form side by side.
    let Ok(Imported::Private(key)) = import(Algorithm::MlDsa65, Format::Pem, read("good.key").as_bytes(), false) else {
        panic!("OpenSSL's key is not taken");
    };
    assert_eq!(key.public_key().as_ref(), Some(request.public_key()));
}

/// The Python side of these tests.
fn peer() -> Command {
    let mut command = tool("python");
    command.arg("-B").arg(root().join("tests/interop/peers/certificate_peers.py"));
    command
}

/// One authority of every shape, and what it issues.
struct Ours {
    chains: Vec<(&'static str, Vec<&'static str>, &'static str)>,
}

impl Ours {
    fn write(folder: &Path) -> Self {
        let root = Party::new(Algorithm::MlDsa87, "root");
        let issuing = Party::new(Algorithm::MlDsa65, "issuing");
        let compat = Party::new(Algorithm::EcdsaP256, "compat");
        let service = Party::new(Algorithm::MlDsa65, "service");
        let classical = Party::new(Algorithm::EcdsaP256, "classical");
        let certificates = [
            ("root", root.sign(&root.authority(&root, None))),
            ("issuing", root.sign(&root.authority(&issuing, Some(0)))),
            ("anchor", issuing.sign(&issuing.authority(&issuing, Some(0)))),
            ("compat", compat.sign(&compat.authority(&compat, Some(0)))),
            ("service", issuing.sign(&issuing.service(&service))),
            ("server", issuing.sign(&long_lived(issuing.service(&service), Purpose::ServerAuth))),
            ("client", issuing.sign(&long_lived(issuing.service(&service), Purpose::ClientAuth))),
            (
                "nameless",
                issuing.sign(&Statement { subject: DistinguishedName::default(), ..issuing.service(&service) }),
            ),
            ("classical", compat.sign(&compat.service(&classical))),
        ];
        for (name, der) in &certificates {
            write(folder, &format!("{name}.crt"), &pem::encode(pem::CERTIFICATE, der));
        }
        let server = crypto::x509::Certificate::parse(&certificates[5].1).unwrap().serial_number().clone();
        let revoked = Revoked { serial_number: server, revoked_at: NOT_BEFORE + 60, reason: Reason::KeyCompromise };
        for (name, issuer, entries) in [
            ("root-empty", &root, vec![]),
            ("issuing-empty", &issuing, vec![]),
            ("issuing-one", &issuing, vec![revoked]),
        ] {
            write(folder, &format!("{name}.crl"), &pem::encode(pem::CRL, &issuer.revocation_list(entries)));
        }
        for algorithm in [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87, Algorithm::EcdsaP256] {
            Party::new(algorithm, "asking").request(folder);
        }
        let chains = vec![
            ("root", vec!["issuing"], "service"),
            ("anchor", vec![], "service"),
            ("root", vec!["issuing"], "server"),
            ("root", vec!["issuing"], "nameless"),
            ("compat", vec![], "classical"),
        ];
        let listed = chains.iter().map(|(anchor, intermediates, leaf)| {
            json!({"anchor": anchor, "intermediates": intermediates, "leaf": leaf, "name": "users-api", "time": DURING})
        });
        write(folder, "chains.json", &json!(listed.collect::<Vec<_>>()).to_string());
        Self { chains }
    }

    /// `openssl verify`, as strict as it can be.
    fn before_openssl(&self, folder: &Path) {
        let verify = |leaf: &str, more: &[&str]| {
            let at = (NOT_BEFORE + 7200).to_string();
            let strict = ["verify", "-x509_strict", "-check_ss_sig", "-attime", &at, "-verify_hostname", "users-api"];
            let mut command = tool("openssl");
            command.current_dir(folder).args(strict).args(["-purpose", "sslserver"]).args(more);
            run(command.arg(format!("{leaf}.crt")))
        };
        for (anchor, intermediates, leaf) in &self.chains {
            let (anchor, between) = (format!("{anchor}.crt"), intermediates.iter().map(|name| format!("{name}.crt")));
            let between: Vec<String> = between.flat_map(|file| ["-untrusted".to_owned(), file]).collect();
            let mut more = vec!["-trusted", anchor.as_str(), "-no-CAfile", "-no-CApath"];
            more.extend(between.iter().map(String::as_str));
            let output = verify(leaf, &more);
            assert!(output.status.success(), "{leaf}: {}", both(&output));
        }
        let path = ["-trusted", "root.crt", "-untrusted", "issuing.crt", "-crl_check", "-CRLfile"];
        for (list, accepted) in [("issuing-empty.crl", true), ("issuing-one.crl", false)] {
            let output = verify("server", &[path.as_slice(), &[list]].concat());
            assert_eq!(output.status.success(), accepted, "{list}: {}", both(&output));
        }
        for algorithm in ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87", "ECDSA-P256"] {
            succeed(tool("openssl").current_dir(folder).args([
                "req",
                "-verify",
                "-noout",
                "-in",
                &format!("{algorithm}.csr"),
            ]));
            succeed(tool("openssl").current_dir(folder).args([
                "pkey",
                "-check",
                "-noout",
                "-in",
                &format!("{algorithm}.key"),
            ]));
        }
        say(&format!("openssl: {} chains, 2 lists, 4 requests and keys", self.chains.len()));
    }
}

/// A key and the name it goes by.
struct Party {
    key: PrivateKey,
    name: DistinguishedName,
}

impl Party {
    fn new(algorithm: Algorithm, name: &str) -> Self {
        let key = PrivateKey::generate(algorithm, &Seeded::new(name.as_bytes())).unwrap();
        Self { key, name: format!("CN={name},O=qapi,C=EU").parse().unwrap() }
    }

    fn sign(&self, statement: &Statement) -> Vec<u8> {
        statement.sign(&self.key, &Seeded::new(b"")).unwrap()
    }

    fn service(&self, subject: &Party) -> Statement {
        let is_classical = !self.key.algorithm().is_post_quantum();
        let policy = || "1.3.6.1.4.1.62253.1.1".parse().unwrap();
        Statement {
            serial_number: SerialNumber::draw(&Seeded::new(subject.name.to_string().as_bytes())),
            issuer: self.name.clone(),
            subject: "CN=users-api,O=users-api,C=EU".parse().unwrap(),
            not_before: NOT_BEFORE,
            not_after: NOT_BEFORE + DAY,
            key: subject.key.public_key().unwrap(),
            role: Role::EndEntity,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            purposes: vec![Purpose::ServerAuth, Purpose::ClientAuth],
            alt_names: [
                "users-api",
                "users-api.users-api.svc.cluster.local",
                "URI:spiffe://qapi.internal/ns/users/sa/users-api",
            ]
            .map(|name| name.parse().unwrap())
            .to_vec(),
            permitted_dns: Vec::new(),
            policies: is_classical.then(policy).into_iter().collect(),
            no_rev_avail: true,
            crl_urls: Vec::new(),
            issuer_urls: vec!["http://qapi.example.org/api/v1/ca/certificate".to_owned()],
        }
    }

    fn authority(&self, subject: &Party, path_len: Option<u8>) -> Statement {
        Statement {
            serial_number: SerialNumber::draw(&Seeded::new(format!("{}{}", self.name, subject.name).as_bytes())),
            subject: subject.name.clone(),
            not_after: NOT_BEFORE + 300 * DAY,
            role: Role::Authority { path_len },
            key_usage: KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN,
            purposes: Vec::new(),
            alt_names: Vec::new(),
            permitted_dns: path_len.map_or_else(Vec::new, |_| vec!["users-api".into(), "svc.cluster.local".into()]),
            policies: Vec::new(),
            no_rev_avail: false,
            issuer_urls: Vec::new(),
            ..self.service(subject)
        }
    }

    fn revocation_list(&self, revoked: Vec<Revoked>) -> Vec<u8> {
        let list = RevocationList {
            issuer: self.name.clone(),
            this_update: NOT_BEFORE,
            next_update: NOT_BEFORE + DAY,
            number: 7,
            revoked,
        };
        list.sign(&self.key, &Seeded::new(b"")).unwrap()
    }

    fn request(&self, folder: &Path) {
        let request = Request {
            subject: self.name.clone(),
            alt_names: vec!["users-api".parse().unwrap()],
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            purposes: vec![Purpose::ServerAuth],
        };
        let der = request.sign(&self.key, &Seeded::new(b"")).unwrap();
        let name = self.key.algorithm().to_string();
        write(folder, &format!("{name}.csr"), &pem::encode(pem::REQUEST, &der));
        let key = self.key.to_pem().unwrap();
        write(folder, &format!("{name}.key"), std::str::from_utf8(key.expose()).unwrap());
    }
}

/// What lives longer than a day says where revocations are listed.
fn long_lived(statement: Statement, purpose: Purpose) -> Statement {
    Statement {
        serial_number: SerialNumber::draw(&Seeded::new(purpose.to_string().as_bytes())),
        not_after: NOT_BEFORE + 90 * DAY,
        purposes: vec![purpose],
        no_rev_avail: false,
        crl_urls: vec!["http://qapi.example.org/api/v1/cas/1/crl".to_owned()],
        ..statement
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}
