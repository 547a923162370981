//! Tokens signed elsewhere: RFC 9964's examples, an independent implementation's, and a set of tokens to be accepted or refused.

use serde_json::Value;

use super::Tally;
use crate::algorithm::Algorithm;
use crate::import::{Format, Imported, import};
use crate::jose::{Claims, Expected, KeySet, Refusal, SigningKey, Typ, VerifyingKey};
use crate::key::{PrivateKey, PublicKey};
use crate::random::Seeded;

fn private(algorithm: Algorithm, jwk: &str) -> PrivateKey {
    match import(algorithm, Format::Jwk, jwk.as_bytes(), false).unwrap() {
        Imported::Private(key) => key,
        Imported::Public(_) => panic!("a public key"),
    }
}

/// The set of one public JWK, as a client would receive it.
fn set_of(jwk: &Value) -> Result<KeySet, Refusal> {
    KeySet::read(&serde_json::json!({ "keys": [jwk] }).to_string())
}

/// Signs again with the private key of the example and lets the public one of the example judge.
fn round_trip(key: PrivateKey, set: &KeySet) {
    let key = SigningKey::new(key).unwrap();
    let token = key.sign("at+jwt", b"{}", &Seeded::new(b"jose")).unwrap();
    assert_eq!(set.verify(&token, Typ::Exactly("at+jwt")).unwrap().payload, b"{}");
}

#[test]
fn rfc_9964_examples() {
    let mut tally = Tally::default();
    for (algorithm, file) in [
        (Algorithm::MlDsa44, include_str!("../../../../tests/vectors/jose-mldsa/draft-ML_DSA_44.jose.json")),
        (Algorithm::MlDsa65, include_str!("../../../../tests/vectors/jose-mldsa/draft-ML_DSA_65.jose.json")),
        (Algorithm::MlDsa87, include_str!("../../../../tests/vectors/jose-mldsa/draft-ML_DSA_87.jose.json")),
    ] {
        let example: Value = serde_json::from_str(file).unwrap();
        assert!(matches!(set_of(&example["jwk"]), Err(Refusal::KeySet(_))), "a private key in a public set");
        let key = private(algorithm, &example["jwk"].to_string());
        let public = key.public_key().unwrap();
        assert_eq!(public.raw(), super::bytes(&example["raw_public_key"]));
        assert_eq!(example["jwk"]["kid"], public.thumbprint());
        let set = KeySet::new(vec![VerifyingKey::new(public, example["jwk"]["kid"].as_str().map(Into::into)).unwrap()]);
        let token = example["jws"].as_str().unwrap();
        let verified = set.verify(token, Typ::Any).unwrap();
        assert_eq!(verified.algorithm, algorithm.as_str());
        assert_eq!(set, set_of(&set.to_json()["keys"][0]).unwrap());
        round_trip(key, &set);
        tally.run += 1;
    }
    tally.finish("jose-mldsa/draft", 3, 0);
}

#[test]
fn noble_reference_artifacts() {
    let payload = include_bytes!("../../../../tests/vectors/jose-mldsa/noble-ref/payload.txt");
    let mut tally = Tally::default();
    macro_rules! artifact {
        ($name:literal) => {
            (
                $name,
                include_str!(concat!("../../../../tests/vectors/jose-mldsa/noble-ref/", $name, "_jwk_priv.json")),
                include_str!(concat!("../../../../tests/vectors/jose-mldsa/noble-ref/", $name, "_jwk_pub.json")),
                include_str!(concat!("../../../../tests/vectors/jose-mldsa/noble-ref/", $name, "_jws.txt")),
            )
        };
    }
    for (name, private_jwk, public_jwk, token) in
        [artifact!("ML-DSA-44"), artifact!("ML-DSA-65"), artifact!("ML-DSA-87"), artifact!("SLH-DSA-SHA2-128s")]
    {
        let jwk: Value = serde_json::from_str(public_jwk).unwrap();
        let set = set_of(&jwk).unwrap();
        let Ok(algorithm) = name.parse::<Algorithm>() else {
            // An algorithm that is not offered: its key is passed over, and so its token finds none.
            assert!(set.keys().is_empty());
            assert!(matches!(set.verify(token, Typ::Any), Err(Refusal::UnknownKey)));
            tally.refused += 1;
            continue;
        };
        let public = PublicKey::from_jwk(public_jwk).unwrap();
        assert_eq!(jwk["kid"], public.thumbprint());
        assert_eq!(set.verify(token, Typ::Any).unwrap().payload, payload);
        let key = private(algorithm, private_jwk);
        assert_eq!(key.public_key().unwrap(), public);
        round_trip(key, &set);
        tally.run += 1;
    }
    tally.finish("jose-mldsa/noble-ref", 3, 1);
}

#[test]
fn tokens_to_accept_and_to_refuse() {
    let file: Value = serde_json::from_str(include_str!("../../../../tests/vectors/jwt-mldsa65/cases.json")).unwrap();
    let verifier = &file["verifier"];
    let set = KeySet::read(&verifier["jwks"].to_string()).unwrap();
    let expected = Expected {
        issuer: verifier["issuer"].as_str().unwrap(),
        audiences: &[verifier["audience"].as_str().unwrap()],
        now_s: verifier["now"].as_u64().unwrap(),
        leeway_s: verifier["leeway_s"].as_u64().unwrap(),
    };
    let judge = |token: &str| -> Result<(), Refusal> {
        let verified = set.verify(token, Typ::Exactly("at+jwt"))?;
        assert_eq!(verified.algorithm, "ML-DSA-65");
        Claims::read(&verified.payload)?.check(&expected)
    };
    let (mut accepted, mut tally) = (0, Tally::default());
    let cases = file["cases"].as_array().unwrap();
    for case in cases {
        let verdict = judge(case["token"].as_str().unwrap());
        let is_accepted = case["expect"] == "accept";
        assert_eq!(verdict.is_ok(), is_accepted, "{} ({}): {verdict:?}", case["name"], case["why"]);
        accepted += usize::from(is_accepted);
        tally.run += 1;
    }
    println!("jwt-mldsa65/cases.json: accepted {accepted} of {}", tally.run);
    assert!((1..cases.len()).contains(&accepted), "some to accept and some to refuse");
    tally.finish("jwt-mldsa65/cases.json", cases.len(), 0);
}
