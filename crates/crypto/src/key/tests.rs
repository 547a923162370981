use super::*;
use crate::random::Seeded;
use crate::shamir;

fn new(algorithm: Algorithm, random: &Seeded) -> PrivateKey {
    PrivateKey::generate(algorithm, random).unwrap()
}

#[test]
fn whatever_is_random_in_a_key_comes_from_the_argument() {
    for algorithm in Algorithm::ALL {
        let random = Seeded::new(algorithm.as_str().as_bytes());
        let key = new(*algorithm, &random);
        let drawn = random.drawn();
        assert_eq!(drawn.last().unwrap(), &key.to_stored().expose()[1..], "{algorithm}");
        assert_eq!(drawn.len(), 1, "{algorithm}");
        assert_eq!(new(*algorithm, &Seeded::new(algorithm.as_str().as_bytes())).public_key(), key.public_key());
    }
}

#[test]
fn hedging_ephemeral_scalars_and_shares_come_from_the_argument() {
    let seeded = || Seeded::new(b"argument");
    let (signing, sealing) = (new(Algorithm::MlDsa65, &seeded()), new(Algorithm::XWing, &seeded()));
    let hedged = |random: &Seeded| (signing.sign_mu(&[1; 64], random).unwrap(), random.drawn());
    let (signature, drawn) = hedged(&seeded());
    assert_eq!(drawn.iter().map(Vec::len).collect::<Vec<_>>(), [32]);
    assert_eq!(signature, hedged(&seeded()).0);
    assert_ne!(signature, hedged(&Seeded::new(b"another")).0);

    let random = seeded();
    let (encapsulation, _) = sealing.public_key().unwrap().encapsulate(&random).unwrap();
    let (again, _) = sealing.public_key().unwrap().encapsulate(&seeded()).unwrap();
    assert_eq!(random.drawn().len(), 1);
    assert_eq!(encapsulation[1088..], again[1088..], "the X25519 half");
    assert_ne!(encapsulation[..1088], again[..1088], "the ML-KEM half, which the provider draws");

    let shares = |random: &Seeded| shamir::split(b"secret", 3, 2, random).unwrap()[2].to_text();
    assert_eq!(shares(&seeded()).expose(), shares(&seeded()).expose());
}

#[test]
fn signatures_verify_and_changed_ones_do_not() {
    let random = Seeded::new(b"sign");
    for algorithm in Algorithm::ALL.iter().filter(|algorithm| algorithm.purpose() == crate::algorithm::Purpose::Signing)
    {
        let key = new(*algorithm, &random);
        let public = key.public_key().unwrap();
        let signature = key.sign(b"message", &random).unwrap();
        assert!(public.verify(b"message", &signature), "{algorithm}");
        assert!(!public.verify(b"massage", &signature), "{algorithm}");
        assert!(!new(*algorithm, &random).public_key().unwrap().verify(b"message", &signature), "{algorithm}");
        for at in (0..signature.len()).step_by(1 + signature.len() / 40) {
            let mut changed = signature.clone();
            changed[at] ^= 4;
            assert!(!public.verify(b"message", &changed), "{algorithm} byte {at}");
            assert!(!public.verify(b"message", &signature[..at]), "{algorithm} cut at {at}");
        }
    }
}

#[test]
fn a_digest_signs_like_its_message_for_ecdsa_alone() {
    let random = Seeded::new(b"digest");
    for (algorithm, hash) in [(Algorithm::EcdsaP256, Hash::Sha256), (Algorithm::EcdsaP384, Hash::Sha384)] {
        let key = new(algorithm, &random);
        let public = key.public_key().unwrap();
        let digest = hash.digest(b"message");
        assert!(public.verify(b"message", &key.sign_digest(&digest, &random).unwrap()));
        assert!(public.verify_digest(&digest, &key.sign(b"message", &random).unwrap()));
        assert!(key.sign_digest(&digest[1..], &random).is_err());
        assert!(key.sign_mu(&[0; 64], &random).is_err());
    }
    for algorithm in [Algorithm::Ed25519, Algorithm::MlDsa65] {
        let key = new(algorithm, &random);
        assert!(key.sign_digest(&[0; 32], &random).is_err());
        assert!(!key.public_key().unwrap().verify_digest(&[0; 32], &key.sign(&[0; 32], &random).unwrap()));
    }
}

#[test]
fn keys_do_only_what_they_are_for() {
    let random = Seeded::new(b"purpose");
    for algorithm in Algorithm::ALL {
        let key = new(*algorithm, &random);
        let (kem, signing) = (algorithm.is_kem(), algorithm.purpose() == crate::algorithm::Purpose::Signing);
        let mac = algorithm.purpose() == crate::algorithm::Purpose::Hmac;
        assert_eq!(key.sign(b"", &random).is_ok(), signing, "{algorithm}");
        assert_eq!(key.sign_with_context(b"", b"", &random).is_ok(), algorithm.is_ml_dsa(), "{algorithm}");
        assert_eq!(key.mac(b"").is_ok(), mac, "{algorithm}");
        assert_eq!(key.public_key().is_some(), kem || signing, "{algorithm}");
        assert_eq!(key.public_key().is_some_and(|key| key.encapsulate(&random).is_ok()), kem, "{algorithm}");
        assert!(key.decapsulate(&[0; 7]).is_err(), "{algorithm}");
        assert_eq!(key.to_pkcs8_der().is_ok(), kem || signing, "{algorithm}");
    }
}

#[test]
fn codes_follow_the_hash_asked_for() {
    let key = new(Algorithm::HmacSha384, &Seeded::new(b"mac"));
    assert_eq!(key.mac(b"data").unwrap(), key.mac_with(Hash::Sha384, b"data").unwrap());
    for (hash, length) in [(Hash::Sha256, 32), (Hash::Sha384, 48), (Hash::Sha512, 64)] {
        assert_eq!(key.mac_with(hash, b"data").unwrap().len(), length);
    }
    assert!(key.mac_with(Hash::Sha3_256, b"data").is_err());
}

/// RFC 4231, test case 1.
#[test]
fn codes_are_those_of_the_rfc() {
    let key = PrivateKey::from_seed(Algorithm::HmacSha256, SecretBytes::new(vec![0x0b; 20])).unwrap();
    for (hash, expected) in [
        (Hash::Sha256, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            Hash::Sha384,
            "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        ),
        (
            Hash::Sha512,
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
             daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ),
    ] {
        assert_eq!(hex::encode(key.mac_with(hash, b"Hi There").unwrap()), expected);
    }
}

#[test]
fn stored_keys_of_another_form_or_length_are_refused() {
    let random = Seeded::new(b"stored");
    for algorithm in Algorithm::ALL {
        let stored = new(*algorithm, &random).to_stored();
        let bytes = stored.expose();
        for bad in [&[], &[0][..], &[2, 1], &bytes[1..], &[&[1], &bytes[1..]].concat()] {
            assert!(PrivateKey::from_stored(*algorithm, bad).is_err() || bad.len() > 14, "{algorithm}");
        }
        assert!(PrivateKey::from_stored(*algorithm, &[&[7], &bytes[1..]].concat()).is_err(), "{algorithm}");
    }
}

/// Used from many threads at once; checked when this compiles.
#[test]
fn keys_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<PrivateKey>();
    shared::<PublicKey>();
}
