use super::*;
use crate::encoding::der;
use crate::random::{Random as _, Seeded};

fn private(imported: Result<Imported, Error>) -> PrivateKey {
    match imported {
        Ok(Imported::Private(key)) => key,
        Ok(Imported::Public(_)) => panic!("a public key"),
        Err(error) => panic!("{error}"),
    }
}

fn public(imported: Result<Imported, Error>) -> PublicKey {
    match imported {
        Ok(Imported::Public(key)) => key,
        Ok(Imported::Private(_)) => panic!("a private key"),
        Err(error) => panic!("{error}"),
    }
}

fn same(left: &PrivateKey, right: &PrivateKey) -> bool {
    left.algorithm() == right.algorithm() && left.to_stored().expose() == right.to_stored().expose()
}

/// Every spelling that our own exports give for a key.
fn spellings(key: &PrivateKey) -> Vec<(Format, Vec<u8>)> {
    let mut spellings = vec![(Format::Raw, key.material().expose().to_vec())];
    if key.is_seed() {
        spellings.push((Format::Jwk, key.to_jwk().unwrap().expose().to_vec()));
    }
    if key.algorithm().is_asymmetric() {
        let der = key.to_pkcs8_der().unwrap().expose().to_vec();
        spellings.extend([(Format::Pkcs8, der.clone()), (Format::Der, der)]);
        spellings.push((Format::Pem, key.to_pem().unwrap().expose().to_vec()));
    }
    spellings
}

fn public_spellings(key: &PublicKey) -> Vec<(Format, Vec<u8>)> {
    vec![
        (Format::Raw, key.raw().to_vec()),
        (Format::Der, key.to_spki_der()),
        (Format::Pem, key.to_pem().into_bytes()),
        (Format::Jwk, key.to_jwk(Some("kid")).to_string().into_bytes()),
    ]
}

#[test]
fn every_export_reads_back_as_the_same_key() {
    let random = Seeded::new(b"round trip");
    for algorithm in Algorithm::ALL {
        let key = PrivateKey::generate(*algorithm, &random).unwrap();
        let stored = PrivateKey::from_stored(*algorithm, key.to_stored().expose()).unwrap();
        assert!(same(&stored, &key) && key.is_seed(), "{algorithm}");
        for (format, bytes) in spellings(&key) {
            assert!(same(&private(import(*algorithm, format, &bytes, false)), &key), "{algorithm} {format:?}");
            assert!(
                import(*algorithm, format, &bytes, true).is_err() || format == Format::Raw,
                "{algorithm} {format:?}"
            );
            for other in Algorithm::ALL.iter().filter(|other| *other != algorithm && format != Format::Raw) {
                assert!(import(*other, format, &bytes, false).is_err(), "{algorithm} as {other}, {format:?}");
            }
        }
        let Some(half) = key.public_key() else { continue };
        for (format, bytes) in public_spellings(&half) {
            assert_eq!(public(import(*algorithm, format, &bytes, true)), half, "{algorithm} {format:?}");
        }
        assert_eq!(PublicKey::from_pem(&half.to_pem()).unwrap(), half);
        assert_eq!(PublicKey::from_jwk(&half.to_jwk(None).to_string()).unwrap(), half);
        assert_eq!(PublicKey::from_spki_der(&half.to_spki_der()).unwrap(), half);
    }
}

#[test]
fn expanded_imports_stay_expanded_and_say_so() {
    let random = Seeded::new(b"expanded");
    for algorithm in
        Algorithm::ALL.iter().filter(|algorithm| algorithm.is_ml_dsa() || **algorithm == Algorithm::MlKem768)
    {
        let key = PrivateKey::generate(*algorithm, &random).unwrap();
        let expanded = private(import(*algorithm, Format::Raw, key.to_expanded().unwrap().expose(), false));
        assert!(!expanded.is_seed(), "{algorithm}");
        assert_eq!(expanded.public_key(), key.public_key());
        assert!(expanded.to_jwk().is_err());
        for (format, bytes) in spellings(&expanded) {
            assert!(same(&private(import(*algorithm, format, &bytes, false)), &expanded), "{algorithm} {format:?}");
        }
        let stored = PrivateKey::from_stored(*algorithm, expanded.to_stored().expose()).unwrap();
        assert!(same(&stored, &expanded));
    }
}

#[test]
fn an_expanded_key_with_one_wrong_byte_is_refused_or_is_another_consistent_key() {
    let random = Seeded::new(b"one byte");
    for algorithm in
        [Algorithm::MlKem768, Algorithm::MlKem1024, Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87]
    {
        let key = PrivateKey::generate(algorithm, &random).unwrap();
        let expanded = key.to_expanded().unwrap();
        for at in (0..expanded.len()).step_by(151) {
            let mut changed = expanded.expose().to_vec();
            changed[at] ^= 0x11;
            let Ok(Imported::Private(other)) = import(algorithm, Format::Raw, &changed, false) else { continue };
            // The signing seed K and the rejection seed z are free: no check can know another value of them.
            let is_free = if algorithm.is_kem() { at >= changed.len() - 32 } else { (32..64).contains(&at) };
            assert!(is_free, "{algorithm} byte {at}");
            assert_eq!(other.public_key(), key.public_key());
        }
    }
}

#[test]
fn inconsistent_pairs_are_refused() {
    let random = Seeded::new(b"pairs");
    for algorithm in
        [Algorithm::MlDsa65, Algorithm::MlKem768, Algorithm::XWing, Algorithm::EcdsaP256, Algorithm::Ed25519]
    {
        let (ours, theirs) =
            (PrivateKey::generate(algorithm, &random).unwrap(), PrivateKey::generate(algorithm, &random).unwrap());
        let text =
            |key: &PrivateKey| serde_json::from_slice::<serde_json::Value>(key.to_jwk().unwrap().expose()).unwrap();
        let (mut mixed, other) = (text(&ours), text(&theirs));
        let member = if mixed.get("priv").is_some() { "priv" } else { "d" };
        mixed[member] = other[member].clone();
        assert!(import(algorithm, Format::Jwk, mixed.to_string().as_bytes(), false).is_err(), "{algorithm}");
    }
}

#[test]
fn lattice_keys_with_algorithm_parameters_are_refused() {
    let key = PrivateKey::generate(Algorithm::MlDsa65, &Seeded::new(b"parameters")).unwrap();
    let der = key.public_key().unwrap().to_spki_der();
    // AlgorithmIdentifier grows by a NULL, and both lengths with it.
    let mut with_null = der.clone();
    with_null[3] += 2;
    with_null[5] += 2;
    with_null.splice(17..17, [5, 0]);
    assert_eq!(with_null[4], 0x30);
    assert!(PublicKey::from_spki_der(&der).is_ok());
    assert!(PublicKey::from_spki_der(&with_null).is_err());
}

#[test]
fn bare_elliptic_keys_are_read_in_their_own_curve() {
    let random = Seeded::new(b"sec1");
    for (algorithm, curve, other) in [
        (Algorithm::EcdsaP256, &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7][..], Algorithm::EcdsaP384),
        (Algorithm::EcdsaP384, &[6, 5, 0x2b, 0x81, 4, 0, 34], Algorithm::EcdsaP256),
    ] {
        let key = PrivateKey::generate(algorithm, &random).unwrap();
        let written = |curve: &[u8]| {
            let scalar = der::element(der::OCTET_STRING, &[key.material().expose()]);
            let der = der::element(der::SEQUENCE, &[&[2, 1, 1], &scalar, &der::element(0xa0, &[curve])]);
            pem::encode(pem::SEC1, &der)
        };
        assert!(same(&private(import(algorithm, Format::Pem, written(curve).as_bytes(), false)), &key));
        assert!(import(other, Format::Pem, written(curve).as_bytes(), false).is_err());
        assert!(import(algorithm, Format::Pem, written(&[6, 1, 0x2a]).as_bytes(), false).is_err());
        assert!(import(algorithm, Format::Pem, written(&[]).as_bytes(), false).is_err());
    }
}

#[test]
fn importing_anything_never_panics() {
    let random = Seeded::new(b"anything");
    let mut corpus = Vec::new();
    for algorithm in Algorithm::ALL {
        let key = PrivateKey::generate(*algorithm, &random).unwrap();
        corpus.extend(spellings(&key).into_iter().map(|(format, bytes)| (*algorithm, format, bytes)));
        let halves = key.public_key().map(|half| public_spellings(&half)).unwrap_or_default();
        corpus.extend(halves.into_iter().map(|(format, bytes)| (*algorithm, format, bytes)));
    }
    let mut noise = [0; 8];
    for round in 0..20_000 {
        let (algorithm, format, bytes) = &corpus[round % corpus.len()];
        random.fill(&mut noise);
        let mut bytes = bytes.clone();
        if noise[0] % 4 == 0 {
            bytes.truncate(usize::from(u16::from_be_bytes([noise[1], noise[2]])) % (bytes.len() + 1));
        }
        // Half of the changes hit the head, where the structure is.
        let range = if noise[3] % 2 == 0 { bytes.len().min(48) } else { bytes.len() };
        if let Some(byte) = bytes.get_mut(usize::from(u16::from_be_bytes([noise[4], noise[5]])) % range.max(1)) {
            *byte = noise[6];
        }
        let _ = import(*algorithm, *format, &bytes, noise[7] % 2 == 0);
        let _ = PublicKey::from_raw(*algorithm, &bytes);
        let _ = PublicKey::from_spki_der(&bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = (PublicKey::from_pem(text), PublicKey::from_jwk(text));
        }
    }
}
