//! Keys and certificates of the IETF's LAMPS working group: every form of private key that RFC 9881 and RFC 9935 show.

use serde_json::Value;

use super::{Tally, private};
use crate::algorithm::Algorithm;
use crate::encoding::der::{self, BIT_STRING, INTEGER, OCTET_STRING, Reader, SEQUENCE};
use crate::encoding::pem;
use crate::import::{Format, Imported, import};
use crate::key::{PrivateKey, PublicKey};

macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../../tests/vectors/", $folder, "/", $name)))),*]
    };
}

const ML_DSA: &[(&str, &str)] = files!("lamps-mldsa":
    "ML-DSA-44.crt" "ML-DSA-44.pub" "ML-DSA-44-seed.priv" "ML-DSA-44-expanded.priv" "ML-DSA-44-both.priv"
    "ML-DSA-65.crt" "ML-DSA-65.pub" "ML-DSA-65-seed.priv" "ML-DSA-65-expanded.priv" "ML-DSA-65-both.priv"
    "ML-DSA-87.crt" "ML-DSA-87.pub" "ML-DSA-87-seed.priv" "ML-DSA-87-expanded.priv" "ML-DSA-87-both.priv"
    "bad-ML-DSA-44-1.priv" "bad-ML-DSA-44-2.priv" "bad-ML-DSA-44-3.priv");

const ML_KEM: &[(&str, &str)] = files!("lamps-mlkem":
    "ML-KEM-512.crt" "ML-KEM-512.pub" "ML-KEM-512-seed.priv" "ML-KEM-512-expanded.priv" "ML-KEM-512-both.priv"
    "ML-KEM-768.crt" "ML-KEM-768.pub" "ML-KEM-768-seed.priv" "ML-KEM-768-expanded.priv" "ML-KEM-768-both.priv"
    "ML-KEM-1024.crt" "ML-KEM-1024.pub" "ML-KEM-1024-seed.priv" "ML-KEM-1024-expanded.priv" "ML-KEM-1024-both.priv"
    "bad-ML-KEM-512-1.priv" "bad-ML-KEM-512-2.priv" "bad-ML-KEM-512-3.priv" "bad-ML-KEM-512-4.priv");

#[test]
fn ml_dsa_keys_and_certificates() {
    let mut tally = Tally::default();
    for (name, text) in ML_DSA {
        let algorithm = name.trim_start_matches("bad-").get(..9).unwrap().parse().unwrap();
        if name.starts_with("bad-") {
            assert!(import(algorithm, Format::Pem, text.as_bytes(), false).is_err(), "{name}");
        } else if name.ends_with(".crt") {
            let certificate = Certificate::parse(text);
            assert_eq!(certificate.key, public_file(ML_DSA, algorithm), "{name}");
            assert!(certificate.key.verify(&certificate.signed, &certificate.signature), "{name}");
        } else {
            check_key_file(ML_DSA, name, text, algorithm);
        }
        tally.run += 1;
    }
    tally.finish("lamps-mldsa", 18, 0);
}

#[test]
fn ml_kem_keys_and_certificates() {
    let mut tally = Tally::default();
    for (name, text) in ML_KEM {
        let algorithm = name.split(['-', '.']).take(3).collect::<Vec<_>>().join("-").parse();
        let Ok(algorithm) = algorithm else {
            // ML-KEM-512 is not offered: refused as any other key, in every spelling.
            assert!(name.contains("512"), "{name}");
            assert!(import(Algorithm::MlKem768, Format::Pem, text.as_bytes(), false).is_err(), "{name}");
            tally.refused += 1;
            continue;
        };
        if name.ends_with(".crt") {
            let signer = if algorithm == Algorithm::MlKem768 { Algorithm::MlDsa65 } else { Algorithm::MlDsa87 };
            let certificate = Certificate::parse(text);
            assert_eq!(certificate.key, public_file(ML_KEM, algorithm), "{name}");
            assert!(public_file(ML_DSA, signer).verify(&certificate.signed, &certificate.signature), "{name}");
        } else {
            check_key_file(ML_KEM, name, text, algorithm);
        }
        tally.run += 1;
    }
    tally.finish("lamps-mlkem", 10, 9);
}

#[test]
fn the_lists_and_verdicts_are_those_of_the_source() {
    for (files, expected) in [
        (ML_DSA, include_str!("../../../../tests/vectors/lamps-mldsa/expected.json")),
        (ML_KEM, include_str!("../../../../tests/vectors/lamps-mlkem/expected.json")),
    ] {
        let expected: Vec<Value> = serde_json::from_str(expected).unwrap();
        let ours: Vec<_> = files.iter().map(|(name, _)| (*name, name.starts_with("bad-"))).collect();
        let theirs: Vec<_> =
            expected.iter().map(|case| (case["file"].as_str().unwrap(), case["expect"] == "reject")).collect();
        let sorted = |mut list: Vec<(&'static str, bool)>| {
            list.sort_unstable();
            list
        };
        let theirs = theirs.into_iter().map(|(name, is_bad)| (file_name(files, name), is_bad)).collect();
        assert_eq!(sorted(ours), sorted(theirs));
    }
}

/// The faults of the four `bad-ML-KEM-512` files, made in the parameter sets that are offered.
#[test]
fn the_faults_of_the_bad_ml_kem_files_are_found_in_the_sets_offered() {
    for (algorithm, rank) in [(Algorithm::MlKem768, 3), (Algorithm::MlKem1024, 4)] {
        let seed = [0x1f; 64];
        let expanded = private(algorithm, &seed).unwrap().to_expanded().unwrap().expose().to_vec();
        let changed = |at: usize| {
            let mut changed = expanded.clone();
            changed[at] ^= 1;
            changed
        };
        let (secret, hash, rejection) = (changed(10), changed(768 * rank + 40), changed(768 * rank + 80));
        let both = |expanded: &[u8]| {
            let key = private(algorithm, &seed).unwrap();
            let whole = key.to_pkcs8_der().unwrap();
            let mut info = Reader::new(der::only(whole.expose(), SEQUENCE).unwrap());
            info.read(INTEGER).unwrap();
            let identifier = der::element(SEQUENCE, &[info.read(SEQUENCE).unwrap()]);
            let parts = [der::element(OCTET_STRING, &[&seed]), der::element(OCTET_STRING, &[expanded])];
            let inner = der::element(OCTET_STRING, &[&der::element(SEQUENCE, &[&parts[0], &parts[1]])]);
            import(algorithm, Format::Pkcs8, &der::element(SEQUENCE, &[&[2, 1, 0], &identifier, &inner]), false)
        };
        assert!(both(&expanded).is_ok());
        for expanded in [&secret, &hash, &rejection] {
            assert!(both(expanded).is_err(), "both, {algorithm}");
        }
        assert!(private(algorithm, &secret).is_err(), "pairwise check, {algorithm}");
        assert!(private(algorithm, &hash).is_err(), "hash check, {algorithm}");
    }
}

/// Imports, derives the public half, and exports again byte for byte.
fn check_key_file(files: &[(&str, &str)], name: &str, text: &str, algorithm: Algorithm) {
    let public = public_file(files, algorithm);
    if name.ends_with(".pub") {
        assert_eq!(public.to_pem().trim(), text.trim(), "{name}");
        return;
    }
    let Ok(Imported::Private(key)) = import(algorithm, Format::Pem, text.as_bytes(), false) else { panic!("{name}") };
    assert_eq!(key.public_key(), Some(public), "{name}");
    assert_eq!(key.is_seed(), !name.contains("expanded"), "{name}");
    // `both` comes out as the seed: that is the form we keep.
    let as_written = file(files, &name.replace("both", "seed"));
    assert_eq!(text_of(&key), as_written.trim(), "{name}");
}

fn text_of(key: &PrivateKey) -> String {
    std::str::from_utf8(key.to_pem().unwrap().expose()).unwrap().trim().to_owned()
}

fn public_file(files: &[(&str, &str)], algorithm: Algorithm) -> PublicKey {
    PublicKey::from_pem(file(files, &format!("{algorithm}.pub"))).unwrap()
}

fn file<'a>(files: &[(&str, &'a str)], name: &str) -> &'a str {
    files.iter().find(|(known, _)| *known == name).unwrap().1
}

fn file_name(files: &[(&'static str, &str)], name: &str) -> &'static str {
    files.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} is not in the list")).0
}

/// As much of X.509 as these files need.
struct Certificate {
    signed: Vec<u8>,
    key: PublicKey,
    signature: Vec<u8>,
}

impl Certificate {
    fn parse(text: &str) -> Self {
        let block = pem::decode(text).unwrap();
        let mut outer = Reader::new(der::only(&block.der, SEQUENCE).unwrap());
        let signed = outer.read(SEQUENCE).unwrap();
        outer.read(SEQUENCE).unwrap();
        let signature = der::bits(outer.read(BIT_STRING).unwrap()).unwrap().to_vec();
        let mut inner = Reader::new(signed);
        inner.read(0xa0).unwrap();
        inner.read(INTEGER).unwrap();
        // Signature algorithm, issuer, validity, subject.
        for _ in 0..4 {
            inner.read(SEQUENCE).unwrap();
        }
        let info = der::element(SEQUENCE, &[inner.read(SEQUENCE).unwrap()]);
        let key = PublicKey::from_spki_der(&info).unwrap();
        Self { signed: der::element(SEQUENCE, &[signed]).to_vec(), key, signature }
    }
}
