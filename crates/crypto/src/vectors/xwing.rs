use serde_json::Value;

use super::{Tally, bytes, private};
use crate::algorithm::Algorithm;
use crate::import::{Format, Imported, import};
use crate::key::PublicKey;
use crate::random::Seeded;

#[test]
fn draft_vectors() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/vectors/xwing/test-vectors.json")).unwrap();
    let mut tally = Tally::default();
    for case in cases {
        let key = private(Algorithm::XWing, &bytes(&case["seed"])).unwrap();
        let half = key.public_key().unwrap();
        assert_eq!(half.raw(), bytes(&case["pk"]));
        let (encapsulation, secret) = half.encapsulate_with(&bytes(&case["eseed"])).unwrap();
        assert_eq!(encapsulation, bytes(&case["ct"]));
        assert_eq!(secret.expose().as_slice(), bytes(&case["ss"]));
        assert_eq!(key.decapsulate(&encapsulation).unwrap().expose(), secret.expose());
        let (encapsulation, secret) = half.encapsulate(&Seeded::new(b"ephemeral")).unwrap();
        assert_eq!(key.decapsulate(&encapsulation).unwrap().expose(), secret.expose());
        tally.run += 1;
    }
    tally.finish("xwing/test-vectors.json", 3, 0);
}

#[test]
fn draft_encodings() {
    let pem = include_str!("../../../../tests/vectors/xwing/xwing.priv");
    let Ok(Imported::Private(key)) = import(Algorithm::XWing, Format::Pem, pem.as_bytes(), false) else { panic!() };
    assert_eq!(std::str::from_utf8(key.to_pem().unwrap().expose()).unwrap().trim(), pem.trim());
    let half = PublicKey::from_pem(include_str!("../../../../tests/vectors/xwing/xwing.pub")).unwrap();
    assert_eq!(key.public_key().unwrap(), half);
    Tally { run: 2, refused: 0 }.finish("xwing/xwing.priv, xwing.pub", 2, 0);
}
