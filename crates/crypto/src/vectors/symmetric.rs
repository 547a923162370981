//! Vectors of NIST's ACVP and of Wycheproof for what works under one shared key: AES-GCM, AES key wrap, HMAC.

use serde_json::Value;

use super::{Tally, acvp, bytes, private};
use crate::aead::{MessageKeys, TAG_LEN};
use crate::algorithm::Algorithm;
use crate::hash::{Hash, hkdf_sha256, hmac_sha256};
use crate::secret::Key32;
use crate::symmetric::{key_unwrap, key_wrap};

#[test]
fn acvp_aes_gcm() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/acvp-symmetric/aes-gcm.json.gz"), |group, test| {
        let expected = &test["expected"];
        let opens = expected["testPassed"] != Value::Bool(false);
        let (plain, sealed) = if group["direction"] == "encrypt" { (test, expected) } else { (expected, test) };
        let plaintext = opens.then(|| bytes(&plain["pt"]));
        tally.count(Gcm { of: test, plaintext, ct: &sealed["ct"], tag: &sealed["tag"] }.run());
    });
    // All of them have 128-bit keys: the product takes AES-256 keys alone. Wycheproof has those.
    tally.finish("acvp-symmetric/aes-gcm.json.gz", 0, 60);
}

#[test]
fn wycheproof_aes_gcm() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/wycheproof-aes/aes-gcm.json.gz"), |_, test| {
        let plaintext = (test["result"] == "valid").then(|| bytes(&test["msg"]));
        tally.count(Gcm { of: test, plaintext, ct: &test["ct"], tag: &test["tag"] }.run());
    });
    // Run: 256-bit key, 96-bit nonce, 128-bit tag. Refused: every other size.
    tally.finish("wycheproof-aes/aes-gcm.json.gz", 66, 250);
}

/// One case: what its plaintext becomes, or, where there is none, what must not open.
struct Gcm<'a> {
    of: &'a Value,
    plaintext: Option<Vec<u8>>,
    ct: &'a Value,
    tag: &'a Value,
}

impl Gcm<'_> {
    /// Runs the case where key, nonce and tag have the product's sizes; false where they have not, and are refused.
    fn run(&self) -> bool {
        let key = bytes(&self.of["key"]);
        // A named key of another size is not taken.
        assert_eq!(private(Algorithm::Aes256Gcm, &key).is_ok(), key.len() == 32);
        let tag = bytes(self.tag);
        let (Ok(key), Ok(nonce), true) = (key.try_into(), bytes(&self.of["iv"]).try_into(), tag.len() == TAG_LEN)
        else {
            return false;
        };
        let (keys, aad, sealed) = (MessageKeys::given(key), bytes(&self.of["aad"]), [bytes(self.ct), tag].concat());
        match &self.plaintext {
            Some(plaintext) => {
                let mut out = Vec::new();
                keys.seal(nonce, &aad, plaintext, &mut out).unwrap();
                assert_eq!(out, sealed, "{}", self.of["tcId"]);
                assert_eq!(keys.open(nonce, &aad, &sealed).unwrap().expose(), plaintext, "{}", self.of["tcId"]);
            }
            None => assert!(keys.open(nonce, &aad, &sealed).is_err(), "{}", self.of["tcId"]),
        }
        true
    }
}

#[test]
fn acvp_aes_key_wrap() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/acvp-symmetric/aes-kwp.json.gz"), |group, test| {
        let key = Key32::copy_from(&bytes(&test["key"])).unwrap();
        let expected = &test["expected"];
        if group["direction"] == "encrypt" {
            assert_eq!(key_wrap(&key, &bytes(&test["pt"])).unwrap(), bytes(&expected["ct"]));
        } else if expected["testPassed"] == Value::Bool(false) {
            assert!(key_unwrap(&key, &bytes(&test["ct"])).is_err());
        } else {
            assert_eq!(key_unwrap(&key, &bytes(&test["ct"])).unwrap().expose(), bytes(&expected["pt"]));
        }
        tally.run += 1;
    });
    tally.finish("acvp-symmetric/aes-kwp.json.gz", 72, 0);
}

#[test]
fn acvp_hmac() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/acvp-symmetric/hmac-sha2-256.json.gz"), |_, test| {
        let (key, message) = (bytes(&test["key"]), bytes(&test["msg"]));
        let length = test["macLen"].as_u64().unwrap() as usize / 8;
        let mac = hmac_sha256(&key, &[&message]);
        assert_eq!(mac[..length], bytes(&test["expected"]["mac"]));
        if let Ok(key) = private(Algorithm::HmacSha256, &key) {
            assert_eq!(key.mac(&message).unwrap(), mac);
        }
        tally.run += 1;
    });
    tally.finish("acvp-symmetric/hmac-sha2-256.json.gz", 150, 0);
}

#[test]
fn acvp_sha3() {
    let mut tally = Tally::default();
    acvp(include_bytes!("../../../../tests/vectors/acvp-symmetric/sha3-256.json.gz"), |_, test| {
        let length = test["len"].as_u64().unwrap() as usize / 8;
        let message = bytes(&test["msg"]);
        assert_eq!(Hash::Sha3_256.digest(&message[..length]), bytes(&test["expected"]["md"]));
        tally.run += 1;
    });
    tally.finish("acvp-symmetric/sha3-256.json.gz", 80, 0);
}

#[test]
fn rfc_5869() {
    let mut tally = Tally::default();
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/vectors/acvp-symmetric/hkdf-rfc5869.json")).unwrap();
    for case in cases {
        let mut out = vec![0; case["L"].as_u64().unwrap() as usize];
        hkdf_sha256(&bytes(&case["salt"]), &bytes(&case["ikm"]), &bytes(&case["info"]), &mut out).unwrap();
        assert_eq!(out, bytes(&case["okm"]));
        tally.run += 1;
    }
    tally.finish("acvp-symmetric/hkdf-rfc5869.json", 3, 0);
}
