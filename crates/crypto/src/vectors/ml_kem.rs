//! NIST's ACVP vectors for ML-KEM (FIPS 203): keys from seeds, encapsulation and decapsulation.

use super::{Tally, acvp, bytes, offered, private, public};
use crate::random::Seeded;

#[test]
fn acvp_keygen() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/acvp-mlkem/keygen.json.gz"), |group, test| {
        let Some(algorithm) = offered(group) else { return tally.refused += 1 };
        let key = private(algorithm, &[bytes(&test["d"]), bytes(&test["z"])].concat()).unwrap();
        let half = key.public_key().unwrap();
        assert_eq!(half.raw(), bytes(&test["expected"]["ek"]));
        assert_eq!(key.to_expanded().unwrap().expose(), bytes(&test["expected"]["dk"]));
        // The fast path and the derandomised one are two implementations: each opens what the other made.
        let (encapsulation, sent) = half.encapsulate(&Seeded::new(b"")).unwrap();
        assert_eq!(key.decapsulate(&encapsulation).unwrap().expose(), sent.expose());
        let (encapsulation, sent) = half.encapsulate_with(&[7; 32]).unwrap();
        assert_eq!(key.decapsulate(&encapsulation).unwrap().expose(), sent.expose());
        tally.run += 1;
    });
    tally.finish("acvp-mlkem/keygen.json.gz", 50, 25);
}

#[test]
fn acvp_encapsulation_decapsulation_and_key_checks() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/acvp-mlkem/encapdecap.json.gz"), |group, test| {
        let Some(algorithm) = offered(group) else { return tally.refused += 1 };
        let expected = &test["expected"];
        match group["function"].as_str().unwrap() {
            "encapsulation" => {
                let half = public(algorithm, &bytes(&test["ek"])).unwrap();
                let (encapsulation, secret) = half.encapsulate_with(&bytes(&test["m"])).unwrap();
                assert_eq!(encapsulation, bytes(&expected["c"]));
                assert_eq!(secret.expose().as_slice(), bytes(&expected["k"]));
            }
            "decapsulation" => {
                let key = private(algorithm, &bytes(&test["dk"])).unwrap();
                let secret = key.decapsulate(&bytes(&test["c"])).unwrap();
                assert_eq!(secret.expose().as_slice(), bytes(&expected["k"]));
            }
            "decapsulationKeyCheck" => {
                assert_eq!(private(algorithm, &bytes(&test["dk"])).is_ok(), expected["testPassed"].as_bool().unwrap());
            }
            "encapsulationKeyCheck" => {
                assert_eq!(public(algorithm, &bytes(&test["ek"])).is_ok(), expected["testPassed"].as_bool().unwrap());
            }
            other => panic!("{other}"),
        }
        tally.run += 1;
    });
    tally.finish("acvp-mlkem/encapdecap.json.gz", 110, 55);
}
