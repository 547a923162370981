//! C2SP's x509-limbo with ML-DSA-65 keys: every case through [`verify`], in both tiers. The numbers are printed and asserted,
//! and each case whose verdict differs is listed here by name with the reason.

use std::io::Read as _;

use crypto::x509::{Certificate, Crl, Purpose, pem};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::{Expectation, KeyUsage, MAX_INTERMEDIATES, Name, Refusal, Rigor, Trust, verify};

const FILE: &[u8] = include_bytes!("../../../../../tests/vectors/limbo-mldsa65/limbo-mldsa65.json.gz");

#[test]
fn verdicts_of_both_tiers() {
    let mut text = String::new();
    flate2::read::GzDecoder::new(FILE).read_to_string(&mut text).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let cases = file["testcases"].as_array().unwrap();
    for (rigor, others) in [(Rigor::Standard, OTHERWISE_STANDARD), (Rigor::Pedantic, OTHERWISE_PEDANTIC)] {
        let mut found = Vec::new();
        for case in cases {
            let verdict = judge(case, rigor);
            let id = case["id"].as_str().unwrap();
            println!(
                "{rigor:?} {id}: {}",
                verdict.as_ref().map_or_else(ToString::to_string, |()| "accepted".to_owned())
            );
            if verdict.is_ok() != (case["expected_result"] == "SUCCESS") {
                found.push(id);
            }
        }
        println!("limbo-mldsa65 {rigor:?}: {} of {} as expected", cases.len() - found.len(), cases.len());
        let expected: Vec<_> = others.iter().map(|(id, _)| *id).collect();
        assert_eq!(found, expected, "{rigor:?}");
    }
    assert_eq!(cases.len(), 86);
}

fn judge(case: &Value, rigor: Rigor) -> Result<(), Refusal> {
    let leaf = Certificate::parse(&der(&case["peer_certificate"]))?;
    // What is not a certificate cannot stand in a path; whether one is needed is the question.
    let readable = |list: &Value| -> Vec<Certificate> {
        list.as_array().unwrap().iter().filter_map(|text| Certificate::parse(&der(text)).ok()).collect()
    };
    let crls = case["crls"].as_array().unwrap().iter().map(|text| Crl::parse(&der(text)));
    let trust = Trust {
        anchors: readable(&case["trusted_certs"]),
        crls: crls.collect::<Result<_, _>>()?,
        rigor,
        ..Trust::default()
    };
    let purpose = if case["validation_kind"] == "SERVER" { Purpose::ServerAuth } else { Purpose::ClientAuth };
    let expectation = Expectation {
        purpose: Some(purpose),
        usage: KeyUsage::default(),
        names: name(&case["expected_peer_name"]).into_iter().collect(),
        max_intermediates: case["max_chain_depth"].as_u64().map_or(MAX_INTERMEDIATES, |depth| depth as usize),
    };
    // Cases without a time may be judged at any time of their certificates' long validity.
    let at = case["validation_time"].as_str().unwrap_or("2026-01-01T00:00:00Z");
    let now = OffsetDateTime::parse(at, &Rfc3339).unwrap().unix_timestamp();
    verify(&leaf, &readable(&case["untrusted_intermediates"]), &trust, &expectation, now).map(drop)
}

fn der(text: &Value) -> Vec<u8> {
    pem::blocks(text.as_str().unwrap()).unwrap().remove(0).der
}

fn name(expected: &Value) -> Option<Name> {
    let value = expected["value"].as_str()?;
    match expected["kind"].as_str()? {
        "DNS" => Some(Name::Dns(value.to_owned())),
        "IP" => Some(Name::Ip(value.parse().unwrap())),
        kind => panic!("a name of kind {kind}"),
    }
}

/// Cases whose expected verdict is not ours in the standard tier: rules of the public web, which the pedantic one has.
const OTHERWISE_STANDARD: &[(&str, &str)] = &[
    ("webpki::cn::punycode-not-in-san", "the common name is no name of the peer, whatever it says (RFC 9525 2)"),
    ("webpki::cn::utf8-vs-punycode-mismatch", "as before"),
    ("webpki::cn::case-mismatch", "as before"),
    ("webpki::eku::root-has-eku", "a private root may limit what it vouches for"),
    ("webpki::san::public-suffix-multi-label-wildcard-san", "needs the list of public suffixes, which changes"),
    ("webpki::san::public-suffix-private-namespace-wildcard-san", "as before"),
    ("webpki::san::san-critical-with-nonempty-subject", "RFC 5280 4.2.1.6 says SHOULD"),
    ("webpki::ca-as-leaf", "contradicts rfc5280::ca-as-leaf"),
];

/// The same for the pedantic tier, which holds certificates of RFC 5280's cases to the rules of the public web.
const OTHERWISE_PEDANTIC: &[(&str, &str)] = &[
    ("rfc5280::eku::ee-without-eku", "contradicts webpki::eku::ee-without-eku"),
    ("rfc5280::nc::permitted-dns-match-more", "its common name is not among its alternative names"),
    ("rfc5280::ca-as-leaf", "contradicts webpki::ca-as-leaf"),
];
