//! Vectors of the Community Cryptography Test Vectors project: ML-KEM and ML-DSA at the edges that random cases never reach.

use serde_json::Value;
use shake::{ExtendableOutput as _, Shake128, Shake128Reader, Update as _, XofReader as _};

use super::{Given, Tally, bytes, inflate, private, public};
use crate::algorithm::Algorithm;

#[test]
fn strcmp_and_unlucky_sample() {
    let file: Value = serde_json::from_slice(&inflate(include_bytes!(
        "../../../../tests/vectors/cctv/mlkem768-strcmp-unlucky.json.gz"
    )))
    .unwrap();
    let mut tally = Tally::default();
    let case = &file["strcmp"];
    let key = private(Algorithm::MlKem768, &bytes(&case["dk"])).unwrap();
    assert_eq!(key.decapsulate(&bytes(&case["c"])).unwrap().expose().as_slice(), bytes(&case["K"]));
    tally.run += 1;

    let case = &file["unluckysample"];
    // Its `d` is expanded as the draft did it, G(d) for the standard's G(d || k), so the key comes from `dk`.
    let key = private(Algorithm::MlKem768, &bytes(&case["dk"])).unwrap();
    let half = key.public_key().unwrap();
    assert_eq!(half.raw(), bytes(&case["ek"]));
    let (encapsulation, secret) = half.encapsulate_with(&bytes(&case["m"])).unwrap();
    assert_eq!(encapsulation, bytes(&case["c"]));
    assert_eq!(secret.expose().as_slice(), bytes(&case["K"]));
    assert_eq!(key.decapsulate(&encapsulation).unwrap().expose(), secret.expose());
    tally.run += 1;
    tally.finish("cctv/mlkem768-strcmp-unlucky.json.gz", 2, 0);
}

#[test]
fn unreduced_encapsulation_keys_are_refused() {
    let text = inflate(include_bytes!("../../../../tests/vectors/cctv/mlkem768-modulus.txt.gz"));
    let mut tally = Tally::default();
    for line in std::str::from_utf8(&text).unwrap().lines() {
        assert!(public(Algorithm::MlKem768, &hex::decode(line).unwrap()).is_err());
        tally.run += 1;
    }
    tally.finish("cctv/mlkem768-modulus.txt.gz", 780, 0);
}

/// One stream that inputs are drawn from.
fn stream() -> Shake128Reader {
    Shake128::default().finalize_xof()
}

fn draw<const N: usize>(stream: &mut Shake128Reader) -> [u8; N] {
    let mut out = [0; N];
    stream.read(&mut out);
    out
}

fn digest(accumulator: Shake128) -> String {
    hex::encode(draw::<32>(&mut accumulator.finalize_xof()))
}

fn published() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/cctv/accumulated.json")).unwrap()
}

#[test]
fn accumulated_ml_kem() {
    let (mut inputs, mut accumulator) = (stream(), Shake128::default());
    for _ in 0..10_000 {
        let key = private(Algorithm::MlKem768, &draw::<64>(&mut inputs)).unwrap();
        let half = key.public_key().unwrap();
        let (encapsulation, secret) = half.encapsulate_with(&draw::<32>(&mut inputs)).unwrap();
        let rejected = key.decapsulate(&draw::<1088>(&mut inputs)).unwrap();
        let expanded = key.to_expanded().unwrap();
        for part in [half.raw(), expanded.expose(), &encapsulation, secret.expose(), rejected.expose()] {
            accumulator.update(part);
        }
    }
    // The hash in the file is of the draft's key generation, G(d); the standard's is G(d || k). This is the hash of the
    // same run over the standard, as CCTV gives it since and BoringSSL and LibreSSL check it.
    assert_eq!(digest(accumulator), "f959d18d3d1180121433bf0e05f11e7908cf9d03edc150b2b07cb90bef5bc1c1");
    assert_ne!(published()["ML-KEM"]["iterations_10000"]["ML-KEM-768"], Value::Null);
    Tally { run: 1, refused: 0 }.finish("cctv/accumulated.json ML-KEM-768", 1, 0);
}

/// Public key and deterministic signature over nothing, one string per seed.
fn sign_nothing(seed: [u8; 32]) -> Vec<u8> {
    let key = private(Algorithm::MlDsa65, &seed).unwrap();
    let mut out = key.public_key().unwrap().raw().to_vec();
    out.extend(key.sign_with_context(b"", b"", &Given(vec![0; 32])).unwrap());
    out
}

#[test]
fn accumulated_ml_dsa() {
    let mut inputs = stream();
    let seeds: Vec<[u8; 32]> = (0..10_000).map(|_| draw(&mut inputs)).collect();
    let (left, right) = seeds.split_at(5_000);
    let outputs = std::thread::scope(|scope| {
        let right = scope.spawn(|| right.iter().map(|seed| sign_nothing(*seed)).collect::<Vec<_>>());
        let mut outputs: Vec<_> = left.iter().map(|seed| sign_nothing(*seed)).collect();
        outputs.extend(right.join().unwrap());
        outputs
    });
    for (count, name) in [(100, "iterations_100"), (10_000, "iterations_10000")] {
        let mut accumulator = Shake128::default();
        outputs.iter().take(count).for_each(|output| accumulator.update(output));
        assert_eq!(digest(accumulator), published()["ML-DSA"][name]["ML-DSA-65"], "{name}");
    }
    Tally { run: 2, refused: 0 }.finish("cctv/accumulated.json ML-DSA-65", 2, 0);
}
