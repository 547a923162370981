//! A token, a key set and claims: read and refused, whatever they are.
#![no_main]

use crypto::algorithm::Algorithm;
use crypto::jose::federated::OutsideKeys;
use crypto::jose::{Claims, Expected, KeySet, Typ, VerifyingKey};
use crypto::key::PublicKey;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(claims) = Claims::read(bytes) {
        let _ = claims.check(&Expected { issuer: "i", audiences: &["a"], now_s: 1, leeway_s: 0 });
    }
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let _ = OutsideKeys::read(text);
    if let Ok(keys) = KeySet::read(text) {
        assert_eq!(KeySet::read(&keys.to_json().to_string()).as_ref(), Ok(&keys));
    }
    // Nobody knows a private half of this key, so that no token is good.
    let key = PublicKey::from_raw(Algorithm::MlDsa44, &[7; 1312]).and_then(|key| VerifyingKey::new(key, None));
    assert!(key.is_ok_and(|key| key.verify(text, Typ::Any).is_err()));
});
