//! What our authority signs, in the eyes of others: a linter, and a stack that has nothing of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::tools::tool;
use crate::binaries::binary;
use crate::client::Client;
use crate::program::{both, run, say, succeed};
use crate::server::{Server, list};

/// What pkilint says of names that services have, and that are meant: names of one label, and SPIFFE ids, whose host is a
/// trust domain rather than a host of the web.
const MEANT: &[&str] = &["pkix.invalid_domain_name_syntax", "pkix.invalid_uri_syntax"];

/// A profile of leaves with an algorithm it allows.
const LEAVES: &[(&str, &str)] = &[
    ("service-mtls-24h", "ML-DSA-44"),
    ("service-mtls-24h", "ML-DSA-65"),
    ("service-mtls-24h", "ML-DSA-87"),
    ("server", "ML-DSA-65"),
    ("client", "ML-DSA-65"),
    ("mesh-compat", "ECDSA-P256"),
];

#[test]
fn pkilint_finds_nothing_that_is_not_meant_and_openssl_verifies_every_chain() {
    let server = Server::start_dev();
    let client = server.client();
    let folder = tempfile::tempdir().unwrap();
    let mut linted = 0;
    for (profile, algorithm) in LEAVES {
        let issued = issue(&client, profile, algorithm);
        let leaf = write(folder.path(), "leaf.pem", issued["certificate"].as_str().unwrap());
        assert_eq!(unexpected("lint_pkix_cert", &["lint"], &leaf), "", "{profile} {algorithm}");
        verified_by_openssl(folder.path(), &leaf, &issued);
        linted += 1;
    }
    let authorities = client.get("/api/v1/cas").expect(200).json();
    for authority in list(&authorities, "cas") {
        let id = authority["id"].as_str().unwrap();
        let certificate = client.get(&format!("/api/v1/cas/{id}/certificate?format=pem")).expect(200).text();
        let certificate = write(folder.path(), "ca.pem", &certificate);
        assert_eq!(unexpected("lint_pkix_cert", &["lint"], &certificate), "", "{authority}");
        let crl = folder.path().join("list.crl");
        std::fs::write(&crl, &client.get(&format!("/api/v1/cas/{id}/crl?format=der")).expect(200).body).unwrap();
        assert_eq!(unexpected("lint_crl", &["lint", "-t", "CRL", "-p", "PKIX"], &crl), "", "{authority}");
        linted += 2;
    }
    assert!(linted >= LEAVES.len() + 4, "root and issuing authority, a certificate and a list each");
    say(&format!("pkilint: {linted} certificates and lists of every profile, no unexpected finding"));
}

#[test]
fn a_request_of_openssl_becomes_a_certificate_that_openssl_serves_with() {
    let server = Server::start_dev();
    let client = server.client();
    let folder = tempfile::tempdir().unwrap();
    let (key, request) = (folder.path().join("key.pem"), folder.path().join("request.pem"));
    let mut command = tool("openssl");
    command.args(["req", "-new", "-newkey", "ML-DSA-65", "-nodes", "-subj", "/CN=users-api", "-config", "/dev/null"]);
    command.args(["-addext", "subjectAltName=DNS:users-api", "-addext", "keyUsage=critical,digitalSignature"]);
    succeed(command.arg("-keyout").arg(&key).arg("-out").arg(&request));
    let csr = std::fs::read_to_string(&request).unwrap();
    let issued = client.post("/api/v1/certificates", &json!({ "csr": csr })).expect(201).json();
    assert!(issued["privateKey"].is_null(), "the key stays where it was made");
    let leaf = write(folder.path(), "leaf.pem", issued["certificate"].as_str().unwrap());
    verified_by_openssl(folder.path(), &leaf, &issued);
    let of_certificate = succeed(tool("openssl").args(["x509", "-noout", "-pubkey", "-in"]).arg(&leaf));
    let of_key = succeed(tool("openssl").args(["pkey", "-pubout", "-in"]).arg(&key));
    assert_eq!(of_certificate, of_key);
    let damaged = csr.replacen('M', "N", 3);
    assert!(client.post("/api/v1/certificates", &json!({ "csr": damaged })).status >= 400);
}

fn issue(client: &Client, profile: &str, algorithm: &str) -> Value {
    let body = json!({
        "subject": "CN=users-api,O=users-api,C=EU",
        "subjectAlternativeNames": ["DNS:users-api", "DNS:users-api.users-api.svc.cluster.local"],
        "profile": profile, "algorithm": algorithm,
    });
    client.post("/api/v1/certificates", &body).expect(201).json()
}

/// OpenSSL's verdict and ours, from the anchor on, for both names of the seed.
fn verified_by_openssl(folder: &Path, leaf: &Path, issued: &Value) {
    let anchor = write(folder, "anchor.pem", issued["caCertificate"].as_str().unwrap());
    for name in ["users-api", "users-api.users-api.svc.cluster.local"] {
        let names = issued["subjectAlternativeNames"].to_string();
        if !names.contains(name) {
            continue;
        }
        let mut openssl = tool("openssl");
        openssl.args(["verify", "-x509_strict", "-partial_chain", "-verify_hostname", name, "-CAfile"]).arg(&anchor);
        succeed(openssl.arg(leaf));
    }
    if issued["quantumSafe"] == true {
        let mut ours = Command::new(binary("qapi"));
        ours.args(["certs", "verify", "--anchor"]).arg(&anchor).arg(leaf);
        let output = run(&mut ours);
        assert!(output.status.success(), "{}", both(&output));
    }
}

/// What the linter says beside what is meant, from warnings on.
fn unexpected(linter: &str, arguments: &[&str], file: &Path) -> String {
    let mut command = tool(linter);
    let output = run(command.args(arguments).args(["-s", "WARNING", "-f", "JSON"]).arg(file));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", both(&output)));
    let findings = report["results"].as_array().into_iter().flatten().flat_map(|result| {
        let found = result["finding_descriptions"].as_array().cloned().unwrap_or_default();
        found.into_iter().map(|found| found["code"].as_str().unwrap_or_default().to_owned())
    });
    findings.filter(|code| !MEANT.contains(&code.as_str())).collect::<Vec<_>>().join(" ")
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder can be written");
    path
}
