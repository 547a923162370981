//! The published vectors of DSSE and in-toto, and envelopes around statements signed with ML-DSA-65.

use crypto::algorithm::Algorithm;
use serde_json::Value;

use super::*;
use crate::base64::decode;
use crate::digest::Digest;
use crate::statement::Statement;

const PAE: &str = include_str!("../../../../tests/vectors/dsse-intoto/pae.json");
const PUBLISHED: &str = include_str!("../../../../tests/vectors/dsse-intoto/published-ecdsa-p256.json");
const ENVELOPES: &str = include_str!("../../../../tests/vectors/dsse-intoto/envelopes-mldsa65.json");

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}"))
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    decode(text(value, name)).unwrap()
}

#[test]
fn pre_authentication_encodings_are_the_published_ones() {
    let cases: Vec<Value> = serde_json::from_str(PAE).unwrap();
    for case in &cases {
        assert_eq!(pae(text(case, "type"), &bytes(case, "body_b64")), bytes(case, "pae_b64"), "{case}");
    }
    println!("dsse pae: {} of {}", cases.len(), cases.len());
}

#[test]
fn the_published_envelope_encodes_as_it_says() {
    let case: Value = serde_json::from_str(PUBLISHED).unwrap();
    let encoded = pae(text(&case, "payloadType"), &bytes(&case, "payload_b64"));
    assert_eq!(encoded, text(&case, "pae").as_bytes());
}

/// What a case asks of a verifier: the envelope, the threshold, the subject.
fn accepted(verifier: &Value, case: &Value) -> Result<(), String> {
    let trusted = [PublicKey::from_raw(Algorithm::MlDsa65, &bytes(verifier, "trusted_public_key_b64")).unwrap()];
    let threshold = case["envelope"].get("_threshold").or_else(|| verifier.get("threshold"));
    let threshold = usize::try_from(threshold.and_then(Value::as_u64).unwrap_or(1)).unwrap();
    let wanted: Digest = format!("sha256:{}", text(verifier, "wanted_subject_sha256")).parse().unwrap();
    let envelope = Envelope::parse(case["envelope"].to_string().as_bytes()).map_err(|error| error.to_string())?;
    let verified = envelope.verify(IN_TOTO, &trusted, threshold).map_err(|error| error.to_string())?;
    let statement = Statement::parse(verified.payload).map_err(|error| error.to_string())?;
    statement.subject_of(&wanted).map(|_| ()).ok_or_else(|| "another subject".to_owned())
}

#[test]
fn envelopes_are_accepted_and_refused_as_the_vectors_say() {
    let file: Value = serde_json::from_str(ENVELOPES).unwrap();
    let cases = file["cases"].as_array().unwrap();
    for case in cases {
        let outcome = accepted(&file["verifier"], case);
        match text(case, "expect") {
            "accept" => assert!(outcome.is_ok(), "{}: {outcome:?}", text(case, "name")),
            "reject" => assert!(outcome.is_err(), "{}", text(case, "name")),
            // Decided: a wrong hint does not matter, and statements of version 0.1 are what cosign's attest writes.
            "accept-or-reject" => assert!(outcome.is_ok(), "{}: {outcome:?}", text(case, "name")),
            other => panic!("{other}"),
        }
    }
    println!("dsse envelopes: {} of {}", cases.len(), cases.len());
}
