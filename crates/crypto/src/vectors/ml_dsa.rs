//! NIST's ACVP vectors for ML-DSA (FIPS 204): keys from seeds, signatures made and checked.

use serde_json::Value;

use super::{Given, Tally, acvp, bytes, offered, private, public};
use crate::algorithm::Algorithm;
use crate::key::PrivateKey;
use crate::random::Seeded;

/// The two interfaces that the product offers: the pure mode with a context, and mu computed elsewhere.
enum Interface {
    Pure,
    Mu,
}

fn interface(group: &Value) -> Option<Interface> {
    match (group["signatureInterface"].as_str(), group["preHash"].as_str(), group["externalMu"].as_bool()) {
        (Some("external"), Some("pure"), _) => Some(Interface::Pure),
        (Some("internal"), _, Some(true)) => Some(Interface::Mu),
        (Some("external"), Some("preHash"), _) | (Some("internal"), _, Some(false)) => None,
        other => panic!("{other:?}"),
    }
}

fn mu(test: &Value) -> [u8; 64] {
    bytes(&test["mu"]).try_into().unwrap()
}

#[test]
fn acvp_keygen() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/acvp-mldsa/keygen.json.gz"), |group, test| {
        let algorithm = offered(group).unwrap();
        let key = private(algorithm, &bytes(&test["seed"])).unwrap();
        assert_eq!(key.public_key().unwrap().raw(), bytes(&test["expected"]["pk"]));
        assert_eq!(key.to_expanded().unwrap().expose(), bytes(&test["expected"]["sk"]));
        let expanded = private(algorithm, &bytes(&test["expected"]["sk"])).unwrap();
        assert_eq!(expanded.public_key(), key.public_key());
        tally.run += 1;
    });
    tally.finish("acvp-mldsa/keygen.json.gz", 75, 0);
}

#[test]
fn acvp_siggen() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/acvp-mldsa/siggen.json.gz"), |group, test| {
        let Some(interface) = interface(group) else { return tally.refused += 1 };
        let key = private(offered(group).unwrap(), &bytes(&test["sk"])).unwrap();
        // FIPS 204: the deterministic variant is the hedged one with zeros.
        let deterministic = group["deterministic"].as_bool().unwrap();
        let random = Given(if deterministic { vec![0; 32] } else { bytes(&test["rnd"]) });
        let expected = bytes(&test["expected"]["signature"]);
        let half = key.public_key().unwrap();
        let signature = match interface {
            Interface::Pure => {
                let (context, message) = (bytes(&test["context"]), bytes(&test["message"]));
                assert!(half.verify_with_context(&context, &message, &expected));
                key.sign_with_context(&context, &message, &random).unwrap()
            }
            Interface::Mu => {
                assert!(half.verify_mu(&mu(test), &expected));
                key.sign_mu(&mu(test), &random).unwrap()
            }
        };
        assert!(signature == expected, "{}", test["tcId"]);
        tally.run += 1;
    });
    tally.finish("acvp-mldsa/siggen.json.gz", 60, 60);
}

#[test]
fn acvp_sigver() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/acvp-mldsa/sigver.json.gz"), |group, test| {
        let Some(interface) = interface(group) else { return tally.refused += 1 };
        let half = public(offered(group).unwrap(), &bytes(&test["pk"])).unwrap();
        let signature = bytes(&test["signature"]);
        let expected = test["expected"]["testPassed"].as_bool().unwrap();
        let valid = match interface {
            Interface::Pure => {
                let (context, message) = (bytes(&test["context"]), bytes(&test["message"]));
                if context.is_empty() {
                    assert_eq!(half.verify(&message, &signature), expected, "{}", test["tcId"]);
                }
                half.verify_with_context(&context, &message, &signature)
            }
            Interface::Mu => half.verify_mu(&mu(test), &signature),
        };
        assert_eq!(valid, expected, "{}", test["tcId"]);
        tally.run += 1;
    });
    tally.finish("acvp-mldsa/sigver.json.gz", 90, 90);
}

/// Signing and verifying run in two implementations: each must accept the other's signatures, from seed and expanded key.
#[test]
fn both_implementations_accept_each_other() {
    let random = Seeded::new(b"cross");
    for algorithm in [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87] {
        let seed = PrivateKey::generate(algorithm, &random).unwrap();
        let expanded = private(algorithm, seed.to_expanded().unwrap().expose()).unwrap();
        for key in [&seed, &expanded] {
            let half = seed.public_key().unwrap();
            let fast = key.sign(b"message", &random).unwrap();
            let hedged = key.sign_with_context(b"", b"message", &random).unwrap();
            for signature in [&fast, &hedged] {
                assert!(half.verify(b"message", signature));
                assert!(half.verify_with_context(b"", b"message", signature));
                assert!(half.verify_mu(&half.mu(b"", b"message").unwrap(), signature));
                assert!(!half.verify(b"massage", signature));
                assert!(!half.verify_with_context(b"x", b"message", signature));
                assert!(!half.verify(b"message", &signature[1..]));
            }
            assert_ne!(hedged, key.sign_with_context(b"", b"message", &random).unwrap());
        }
    }
}
