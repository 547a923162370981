//! Certificates and keys of others' making: the examples of RFC 9881 and the artifacts of the IETF hackathon. Whatever obeys
//! RFC 9881 and is of an algorithm that is offered has to pass; whatever is refused is counted under the word it is refused
//! with. The counts are printed and asserted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crypto::algorithm::Algorithm;
use crypto::import::{Format, Imported, import};
use crypto::key::{PrivateKey, PublicKey};
use crypto::x509::{Certificate, KeyUsage, pem};
use serde_json::Value;

use super::super::{Expectation, Floor, MAX_INTERMEDIATES, Trust, verify};

/// How often each outcome occurred.
type Tally = BTreeMap<String, usize>;

#[test]
fn the_examples_of_rfc_9881() {
    let mut tally = Tally::new();
    for name in ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"] {
        let text = String::from_utf8(read("lamps-mldsa", &format!("{name}.crt"))).unwrap();
        let certificate = Certificate::parse(&pem::blocks(&text).unwrap()[0].der).unwrap();
        count(&mut tally, &trusts_itself(&certificate));
        let key = certificate.public_key().unwrap();
        assert!(certificate.is_signed_by(key), "{name}");
        for form in ["seed", "expanded", "both"] {
            let bytes = read("lamps-mldsa", &format!("{name}-{form}.priv"));
            let private = private(name.parse().unwrap(), Format::Pem, &bytes).unwrap();
            assert_eq!(private.public_key().as_ref(), Some(key), "{name} {form}");
            count(&mut tally, "key matches");
        }
    }
    for place in 1..=3 {
        let bytes = read("lamps-mldsa", &format!("bad-ML-DSA-44-{place}.priv"));
        assert!(private(Algorithm::MlDsa44, Format::Pem, &bytes).is_none());
        count(&mut tally, "key refused");
    }
    finish("lamps-mldsa", tally, &[("accepted", 3), ("key matches", 9), ("key refused", 3)]);
}

#[test]
fn the_artifacts_of_four_producers() {
    let expected: &[(&str, &[(&str, usize)])] = &[
        ("bc", SOFTWARE),
        (
            "openjdk",
            &[
                ("accepted", 3),
                // Their KEM certificates have no authorityKeyIdentifier.
                ("kem: not_conforming", 2),
                ("kem: algorithm_refused", 1),
                ("key matches", 15),
                ("key refused", 3),
                ("secret", 2),
                ("secret refused", 1),
            ],
        ),
        ("ossl35", SOFTWARE),
        (
            "crypto4a",
            &[
                ("accepted", 3),
                ("algorithm_refused", 2),
                ("kem: accepted", 2),
                ("kem: algorithm_refused", 1),
                ("key matches", 5),
                ("key refused", 3),
                ("secret", 2),
                ("secret refused", 1),
            ],
        ),
    ];
    for (producer, expected) in expected {
        let folder = format!("pqc-certificates/{producer}");
        let manifest: Value = serde_json::from_slice(&read(&folder, "manifest.json")).unwrap();
        let mut tally = Tally::new();
        for artifact in manifest.as_array().unwrap() {
            let file = artifact["file"].as_str().unwrap();
            let (stem, kind) = file.split_once('_').filter(|_| *producer != "crypto4a").unwrap_or_else(|| {
                let at = file.find("_ta").or(file.find("_ee")).or(file.find("_both")).or(file.find("_priv"));
                let at = at.or(file.find("_ciphertext")).or(file.find("_ss")).unwrap();
                (&file[..at], &file[at + 1..])
            });
            outcome(&mut tally, &folder, stem, kind, artifact["alg"].as_str().unwrap());
        }
        finish(producer, tally, expected);
    }
}

const SOFTWARE: &[(&str, usize)] = &[
    ("accepted", 3),
    ("algorithm_refused", 2),
    ("kem: accepted", 2),
    ("kem: algorithm_refused", 1),
    ("key matches", 15),
    ("key refused", 5),
    ("secret", 2),
    ("secret refused", 1),
];

fn outcome(tally: &mut Tally, folder: &str, stem: &str, kind: &str, algorithm: &str) {
    let bytes = read(folder, &format!("{stem}_{kind}"));
    let offered: Option<Algorithm> = algorithm.parse().ok();
    match kind {
        "ta.der" => {
            let certificate = Certificate::parse(&bytes).unwrap();
            assert_eq!(certificate.public_key().is_some_and(|key| certificate.is_signed_by(key)), offered.is_some());
            count(tally, &trusts_itself(&certificate));
        }
        "ee.der" => {
            let certificate = Certificate::parse(&bytes).unwrap();
            assert_eq!(certificate.public_key().map(PublicKey::algorithm), offered, "{stem}");
            let level = if stem.contains("512") {
                "44"
            } else if stem.contains("768") {
                "65"
            } else {
                "87"
            };
            let file = manifest_file(folder, &format!("ML-DSA-{level}"));
            let authority = Certificate::parse(&read(folder, &file)).unwrap();
            assert!(certificate.is_signed_by(authority.public_key().unwrap()), "{stem}");
            count(tally, &format!("kem: {}", verdict(&certificate, &authority)));
        }
        "ciphertext.bin" => {
            let secret = ["seed_priv.der", "both_priv.der"].iter().find_map(|form| {
                let bytes = try_read(folder, &format!("{stem}_{form}"))?;
                private(offered?, Format::Pkcs8, &bytes)?.decapsulate(&bytes_of(folder, stem, "ciphertext.bin")).ok()
            });
            match secret {
                Some(secret) => {
                    assert_eq!(secret.expose().as_slice(), bytes_of(folder, stem, "ss.bin"), "{stem}");
                    count(tally, "secret");
                }
                None => count(tally, "secret refused"),
            }
        }
        "ss.bin" => {}
        _ => match offered.and_then(|algorithm| private(algorithm, Format::Pkcs8, &bytes)) {
            Some(private) => {
                let holder =
                    try_read(folder, &format!("{stem}_ta.der")).unwrap_or_else(|| bytes_of(folder, stem, "ee.der"));
                assert_eq!(
                    private.public_key().as_ref(),
                    Certificate::parse(&holder).unwrap().public_key(),
                    "{stem} {kind}"
                );
                count(tally, "key matches");
            }
            None => {
                assert!(offered.is_none(), "{stem} {kind}");
                count(tally, "key refused");
            }
        },
    }
}

fn manifest_file(folder: &str, algorithm: &str) -> String {
    let manifest: Value = serde_json::from_slice(&read(folder, "manifest.json")).unwrap();
    let artifacts = manifest.as_array().unwrap();
    let found = artifacts.iter().find(|artifact| artifact["alg"] == algorithm && artifact["kind"] == "ta.der");
    found.unwrap()["file"].as_str().unwrap().to_owned()
}

/// The verdict when a certificate is its own anchor.
fn trusts_itself(certificate: &Certificate) -> String {
    verdict(certificate, certificate)
}

/// The verdict under an anchor, at a time when the certificate is valid.
fn verdict(certificate: &Certificate, anchor: &Certificate) -> String {
    let trust = Trust { anchors: vec![anchor.clone()], floor: Floor::MlDsa44, ..Trust::default() };
    let expectation = Expectation {
        purpose: None,
        usage: KeyUsage::default(),
        names: Vec::new(),
        max_intermediates: MAX_INTERMEDIATES,
    };
    let verdict = verify(certificate, &[], &trust, &expectation, certificate.not_before());
    if let Err(refusal) = &verdict {
        println!("  {} {refusal}", certificate.subject());
    }
    verdict.map_or_else(|refusal| refusal.reason.code().to_owned(), |_| "accepted".to_owned())
}

fn private(algorithm: Algorithm, format: Format, bytes: &[u8]) -> Option<PrivateKey> {
    match import(algorithm, format, bytes, false).ok()? {
        Imported::Private(key) => Some(key),
        Imported::Public(_) => None,
    }
}

fn bytes_of(folder: &str, stem: &str, kind: &str) -> Vec<u8> {
    read(folder, &format!("{stem}_{kind}"))
}

fn read(folder: &str, file: &str) -> Vec<u8> {
    try_read(folder, file).unwrap_or_else(|| panic!("no vector {folder}/{file}"))
}

fn try_read(folder: &str, file: &str) -> Option<Vec<u8>> {
    let vectors = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    std::fs::read(vectors.join(folder).join(file)).ok()
}

fn count(tally: &mut Tally, outcome: &str) {
    *tally.entry(outcome.to_owned()).or_default() += 1;
}

fn finish(name: &str, tally: Tally, expected: &[(&str, usize)]) {
    println!("{name}: {tally:?}");
    let expected: Tally = expected.iter().map(|(outcome, times)| ((*outcome).to_owned(), *times)).collect();
    assert_eq!(tally, expected, "{name}");
}
