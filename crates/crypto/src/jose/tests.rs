use serde_json::{Value, json};

use super::federated::OutsideKeys;
use super::*;
use crate::key::PrivateKey;
use crate::random::Seeded;

fn key(algorithm: SignatureAlgorithm) -> SigningKey {
    let seeded = Seeded::new(algorithm.as_str().as_bytes());
    SigningKey::new(PrivateKey::generate(algorithm.key_algorithm(), &seeded).unwrap()).unwrap()
}

fn every_key() -> Vec<SigningKey> {
    SignatureAlgorithm::ALL.iter().copied().map(key).collect()
}

fn set(keys: &[SigningKey]) -> KeySet {
    KeySet::new(keys.iter().map(|key| key.public().clone()).collect())
}

/// A token whose header is what the test says, with a signature of the key that is right for those bytes.
fn token(key: &SigningKey, header: &Value, payload: &str) -> String {
    raw_token(key, &header.to_string(), payload)
}

fn raw_token(key: &SigningKey, header: &str, payload: &str) -> String {
    let stored =
        PrivateKey::generate(key.algorithm().key_algorithm(), &Seeded::new(key.algorithm().as_str().as_bytes()))
            .unwrap();
    let input = compact::signing_input(header, payload.as_bytes());
    let signature = stored.sign(input.as_bytes(), &Seeded::new(b"")).unwrap();
    let signature = match key.algorithm() {
        SignatureAlgorithm::Es256 => ecdsa::to_fixed(&signature, 32).unwrap(),
        SignatureAlgorithm::Es384 => ecdsa::to_fixed(&signature, 48).unwrap(),
        _ => signature,
    };
    compact::seal(input, &signature)
}

#[test]
fn every_algorithm_signs_and_only_its_own_key_verifies() {
    let keys = every_key();
    let (ours, outside) = (set(&keys), OutsideKeys::read(&set(&keys).to_json().to_string()).unwrap());
    assert_eq!(outside.len(), keys.len());
    for key in &keys {
        let token = key.sign("at+jwt", b"{\"a\":1}", &Seeded::new(b"sign")).unwrap();
        for verified in
            [ours.verify(&token, Typ::Exactly("at+jwt")).unwrap(), outside.verify(&token, Typ::Any).unwrap()]
        {
            assert_eq!(verified.payload, b"{\"a\":1}");
            assert_eq!(verified.algorithm, key.algorithm().as_str());
            assert_eq!(verified.kid.as_deref(), key.public().kid());
        }
        for other in keys.iter().filter(|other| other.algorithm() != key.algorithm()) {
            assert_eq!(other.public().verify(&token, Typ::Any).unwrap_err(), Refusal::Algorithm);
        }
    }
}

#[test]
fn sets_read_back_what_they_publish() {
    let keys = set(&every_key());
    assert_eq!(KeySet::read(&keys.to_json().to_string()).unwrap(), keys);
    let text = keys.to_json().to_string();
    assert!(!text.contains("\"priv\"") && !text.contains("\"d\""));
}

#[test]
fn the_older_name_of_ed25519_is_accepted_and_never_written() {
    let key = key(SignatureAlgorithm::Ed25519);
    let kid = key.public().kid().unwrap();
    let old = token(&key, &json!({"alg": "EdDSA", "kid": kid}), "{}");
    assert_eq!(set(&[key]).verify(&old, Typ::Any).unwrap().algorithm, "Ed25519");
}

#[test]
fn headers_that_bring_keys_or_extensions_are_refused_whoever_signed_them() {
    let key = key(SignatureAlgorithm::MlDsa65);
    let kid = key.public().kid().unwrap().to_owned();
    let keys = set(std::slice::from_ref(&key));
    for name in ["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"] {
        let bad = token(&key, &json!({"alg": "ML-DSA-65", "kid": kid, name: []}), "{}");
        assert_eq!(keys.verify(&bad, Typ::Any).unwrap_err(), Refusal::Header(name));
    }
    let twice = raw_token(&key, &format!("{{\"alg\":\"none\",\"alg\":\"ML-DSA-65\",\"kid\":\"{kid}\"}}"), "{}");
    assert!(matches!(keys.verify(&twice, Typ::Any), Err(Refusal::Malformed(_))));
}

#[test]
fn the_algorithm_of_the_header_is_compared_and_never_obeyed() {
    let key = key(SignatureAlgorithm::MlDsa65);
    let kid = key.public().kid().unwrap().to_owned();
    let keys = set(std::slice::from_ref(&key));
    for alg in ["none", "None", "HS256", "ES256", "ML-DSA-44", "ml-dsa-65", "RS256", ""] {
        let bad = token(&key, &json!({"alg": alg, "kid": kid}), "{}");
        assert_eq!(keys.verify(&bad, Typ::Any).unwrap_err(), Refusal::Algorithm, "{alg}");
        let unnamed = token(&key, &json!({ "alg": alg }), "{}");
        assert_eq!(keys.verify(&unnamed, Typ::Any).unwrap_err(), Refusal::Algorithm, "{alg}");
    }
}

#[test]
fn types_are_what_the_caller_asks_for() {
    let key = key(SignatureAlgorithm::Es256);
    let signed = |typ: &str| key.sign(typ, b"{}", &Seeded::new(b"typ")).unwrap();
    let unsaid = token(&key, &json!({"alg": "ES256"}), "{}");
    let check = |token: &str, typ| key.public().verify(token, typ).is_ok();
    for fine in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"] {
        assert!(check(&signed(fine), Typ::Exactly("at+jwt")), "{fine}");
    }
    for wrong in ["JWT", "logout+jwt", "at+jwt2", "application/", ""] {
        assert!(!check(&signed(wrong), Typ::Exactly("at+jwt")), "{wrong}");
        assert!(!check(&signed(wrong), Typ::IfSaid("at+jwt")), "{wrong}");
    }
    assert!(!check(&unsaid, Typ::Exactly("at+jwt")));
    assert!(check(&unsaid, Typ::IfSaid("at+jwt")));
    assert!(check(&signed("anything"), Typ::Any));
}

#[test]
fn a_token_without_a_name_needs_the_only_key_of_its_algorithm() {
    let (first, second) = (
        key(SignatureAlgorithm::Es256),
        SigningKey::new(
            PrivateKey::generate(SignatureAlgorithm::Es256.key_algorithm(), &Seeded::new(b"second")).unwrap(),
        )
        .unwrap(),
    );
    let unnamed = token(&first, &json!({"alg": "ES256"}), "{}");
    assert!(KeySet::new(vec![first.public().clone()]).verify(&unnamed, Typ::Any).is_ok());
    let both = KeySet::new(vec![first.public().clone(), second.public().clone()]);
    assert_eq!(both.verify(&unnamed, Typ::Any).unwrap_err(), Refusal::UnknownKey);
}

#[test]
fn ecdsa_signatures_have_one_form() {
    let key = key(SignatureAlgorithm::Es256);
    let good = key.sign("JWT", b"{}", &Seeded::new(b"")).unwrap();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let fixed = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let der = ecdsa::to_der(&fixed, 32).unwrap();
    for bad in [der, [&fixed[..], &[0]].concat(), fixed[..63].to_vec(), vec![0; 64], Vec::new()] {
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(bad));
        assert_eq!(key.public().verify(&token, Typ::Any).unwrap_err(), Refusal::Signature);
    }
    assert!(key.public().verify(&good, Typ::Any).is_ok());
}

#[test]
fn key_sets_pass_over_what_they_do_not_know_and_refuse_what_is_private() {
    let known = key(SignatureAlgorithm::MlDsa44).public().to_jwk();
    let read =
        |jwk: Value| KeySet::read(&json!({"keys": [jwk, known.clone()]}).to_string()).map(|set| set.keys().len());
    for unknown in [
        json!({"kty": "NTRU", "x": "AA"}),
        json!({"kty": "RSA", "n": "AQ", "e": "AQAB"}),
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "AA"}),
        json!({"kty": "AKP", "alg": "SLH-DSA-SHA2-128s", "pub": "AA"}),
        json!({"kty": "AKP", "alg": "ML-KEM-768", "pub": "AA"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "use": "enc"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "key_ops": ["sign"]}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "alg": "ES384"}),
        // What other kinds call `p` and `q` is theirs to say.
        json!({"kty": "DSA", "p": "AA", "q": "AA", "g": "AA", "y": "AA"}),
        // Malformed (RFC 7517, 5): without what its kind needs, of another type, out of range, no key at all.
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": 5}),
        json!({"kty": "AKP", "alg": 5, "pub": "AA"}),
        json!({"kty": 5}),
        json!({"kty": "EC", "key_ops": "verify"}),
        json!({"kty": "EC", "use": 5}),
        json!({"alg": "ML-DSA-44"}),
        json!("text"),
        json!(null),
    ] {
        assert_eq!(read(unknown.clone()), Ok(1), "{unknown}");
    }
    for refused in [
        json!({"kty": "oct", "k": "AA"}),
        json!({"kty": "oct"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "priv": "AA"}),
        json!({"kty": "RSA", "n": "AQ", "e": "AQAB", "d": "AQ"}),
        json!({"kty": "EC", "d": "AA"}),
        json!({"d": "AA"}),
        json!({"kty": 5, "k": "AA"}),
        known.clone(),
    ] {
        assert!(matches!(read(refused.clone()), Err(Refusal::KeySet(_))), "{refused}");
    }
    for text in [
        "",
        "[]",
        "{\"keys\":[{\"kty\":\"x\",\"kty\":\"x\"}]}",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[]} ",
    ] {
        assert_eq!(KeySet::read(text).is_ok(), text == "{\"keys\":[]} ", "{text}");
    }
    assert_eq!(KeySet::read(&" ".repeat(70_000)).unwrap_err(), Refusal::TooLong);
    assert_eq!(
        KeySet::read(&json!({"keys": vec![json!({"kty": "x"}); 101]}).to_string()).unwrap_err(),
        Refusal::TooLong
    );
}

#[test]
fn half_hashes_have_the_length_their_algorithm_asks() {
    let length = |algorithm: SignatureAlgorithm| URL_SAFE_NO_PAD.decode(algorithm.half_hash("token")).unwrap().len();
    let lengths: Vec<usize> = SignatureAlgorithm::ALL.iter().copied().map(length).collect();
    assert_eq!(lengths, [32, 32, 32, 16, 24, 32]);
    // SHAKE256("", 512 bits), the left half: FIPS 202's example of an empty message.
    assert_eq!(
        URL_SAFE_NO_PAD.decode(SignatureAlgorithm::MlDsa65.half_hash("")).unwrap(),
        hex::decode("46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f").unwrap()
    );
    // OpenID Connect Core, A.3: the access token and its hash under SHA-256.
    assert_eq!(
        SignatureAlgorithm::Es256.half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
        "77QmUPtjPfzWtF2AnpK9RQ"
    );
}

fn claims(text: &str) -> Result<(), Refusal> {
    let expected = Expected { issuer: "https://i", audiences: &["a", "b"], now_s: 1000, leeway_s: 10 };
    Claims::read(text.as_bytes())?.check(&expected)
}

#[test]
fn registered_claims_are_checked_in_every_form() {
    for fine in [
        r#"{"iss":"https://i","aud":"a","exp":1001}"#,
        r#"{"iss":"https://i","aud":["c","b"],"exp":991,"nbf":1010,"iat":1009.5}"#,
        r#"{"iss":"https://i","aud":"a","exp":990.5}"#,
        r#"{"iss":"https://i","aud":"a","exp":1.1e3}"#,
    ] {
        assert_eq!(claims(fine), Ok(()), "{fine}");
    }
    for (bad, refusal) in [
        (r#"{"aud":"a","exp":1001}"#, Refusal::Claim("iss")),
        (r#"{"iss":["https://i"],"aud":"a","exp":1001}"#, Refusal::Claim("iss")),
        (r#"{"iss":"https://i/","aud":"a","exp":1001}"#, Refusal::Issuer),
        (r#"{"iss":"https://i","aud":[],"exp":1001}"#, Refusal::Audience),
        (r#"{"iss":"https://i","aud":["a",1],"exp":1001}"#, Refusal::Claim("aud")),
        (r#"{"iss":"https://i","aud":"ab","exp":1001}"#, Refusal::Audience),
        (r#"{"iss":"https://i","aud":"a"}"#, Refusal::Claim("exp")),
        (r#"{"iss":"https://i","aud":"a","exp":"1001"}"#, Refusal::Claim("exp")),
        (r#"{"iss":"https://i","aud":"a","exp":-1}"#, Refusal::Claim("exp")),
        (r#"{"iss":"https://i","aud":"a","exp":1e300}"#, Refusal::Claim("exp")),
        (r#"{"iss":"https://i","aud":"a","exp":null}"#, Refusal::Claim("exp")),
        (r#"{"iss":"https://i","aud":"a","exp":990}"#, Refusal::Expired),
        (r#"{"iss":"https://i","aud":"a","exp":2000,"nbf":1011}"#, Refusal::NotYetValid),
        (r#"{"iss":"https://i","aud":"a","exp":2000,"nbf":1010.5}"#, Refusal::NotYetValid),
        (r#"{"iss":"https://i","aud":"a","exp":2000,"iat":1011}"#, Refusal::NotYetValid),
        (r#"{"iss":"https://i","aud":"a","exp":2000,"sub":1}"#, Refusal::Claim("sub")),
    ] {
        assert_eq!(claims(bad), Err(refusal), "{bad}");
    }
    for twice in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"\u0062":2}]}"#] {
        assert!(matches!(Claims::read(twice.as_bytes()), Err(Refusal::Malformed(_))), "{twice}");
    }
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(Claims::read(nested(30).as_bytes()).is_ok());
    assert!(Claims::read(nested(33).as_bytes()).is_err());
}

mod outside {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512};

    use super::*;

    fn rs256(pair: &KeyPair, header: &Value, encoding: &'static aws_lc_rs::signature::RsaSignatureEncoding) -> String {
        let input = compact::signing_input(&header.to_string(), b"{}");
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
        compact::seal(input, &signature)
    }

    fn jwk(pair: &KeyPair) -> Value {
        let _ = pair.public_key().as_der();
        let text = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
        json!({
            "kty": "RSA", "kid": "r", "alg": "RS256", "use": "sig",
            "n": text(n.big_endian_without_leading_zero()), "e": text(e.big_endian_without_leading_zero()),
        })
    }

    #[test]
    fn rs256_is_believed_of_outside_issuers_and_of_nobody_else() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let text = json!({"keys": [jwk(&pair)]}).to_string();
        let keys = OutsideKeys::read(&text).unwrap();
        let good = rs256(&pair, &json!({"alg": "RS256", "kid": "r", "typ": "JWT"}), &RSA_PKCS1_SHA256);
        assert_eq!(keys.verify(&good, Typ::IfSaid("JWT")).unwrap().algorithm, "RS256");
        assert!(KeySet::read(&text).unwrap().keys().is_empty());

        for (header, encoding, refusal) in [
            (json!({"alg": "HS256", "kid": "r"}), &RSA_PKCS1_SHA256, Refusal::Algorithm),
            (json!({"alg": "RS512", "kid": "r"}), &RSA_PKCS1_SHA512, Refusal::Algorithm),
            (json!({"alg": "RS256", "kid": "r"}), &RSA_PKCS1_SHA512, Refusal::Signature),
            (json!({"alg": "RS256", "kid": "q"}), &RSA_PKCS1_SHA256, Refusal::UnknownKey),
            (json!({"alg": "none", "kid": "r"}), &RSA_PKCS1_SHA256, Refusal::Algorithm),
        ] {
            assert_eq!(keys.verify(&rs256(&pair, &header, encoding), Typ::Any).unwrap_err(), refusal, "{header}");
        }
    }

    #[test]
    fn rsa_keys_out_of_range_or_malformed_are_passed_over() {
        let number = |length: usize, last: u8| {
            let mut bytes = vec![0x80; length];
            *bytes.last_mut().unwrap() = last;
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let read = |n: String, e: &str| {
            OutsideKeys::read(&json!({"keys": [{"kty": "RSA", "n": n, "e": e}]}).to_string()).map(|keys| keys.len())
        };
        assert_eq!(read(number(256, 1), "AQAB"), Ok(1));
        assert_eq!(read(number(1024, 1), "AQAB"), Ok(1));
        assert_eq!(read(number(128, 1), "AQAB"), Ok(0));
        assert_eq!(read(number(1025, 1), "AQAB"), Ok(0));
        for (n, e) in [(number(256, 2), "AQAB"), (number(256, 1), "AA"), (number(256, 1), "AQ"), (number(256, 1), "Ag")]
        {
            assert_eq!(read(n, e), Ok(0), "{e}");
        }
        assert_eq!(read(URL_SAFE_NO_PAD.encode([&[0], &[0x81; 256][..]].concat()), "AQAB"), Ok(0));
    }
}
