//! What an attacker with write access to the registry can do, and what comes of it.

use super::bench::{Bench, pinned};
use crate::binaries::root;

#[test]
fn an_image_put_in_place_of_a_signed_one_is_refused() {
    let bench = Bench::start();
    let ring = bench.keys("release", "signature");
    let image = bench.image("team/api", "v1", "good");
    bench.ends(0, &["image", "sign", &image, "--key", &ring]);
    bench.image("team/api", "v1", "malicious");
    let said = bench.ends(2, &["image", "verify", &image, "--key", &ring]);
    assert!(said.contains("it is not signed"), "{said}");
}

#[test]
fn a_hybrid_signature_without_its_post_quantum_half_is_refused_and_cosign_does_not_see_it() {
    let bench = Bench::start();
    let ring = bench.keys("release", "signature");
    let image = bench.image("team/api", "v1", "good");
    bench.ends(0, &["image", "sign", &image, "--key", &ring]);
    let (post_quantum, ..) = bench.bundles(&image).into_iter().find(|(_, length, _)| *length > 2_000).unwrap();
    bench.crane(&["delete", &pinned(&image, &post_quantum)]);
    let said = bench.ends(2, &["image", "verify", &image, "--key", &ring]);
    assert!(said.contains("made together with others"), "{said}");
    bench.ends(2, &["image", "verify", &image, "--key", "release.ML-DSA-65.pub"]);
    bench.ends(2, &["image", "verify", &image, "--key", "release.ECDSA-P256.pub"]);
    bench.ends(0, &["image", "verify", &image, "--key", "release.ECDSA-P256.pub", "--danger-classical-alone"]);
    bench.cosign_verifies("cosign3", "release.ECDSA-P256.pub", &image).unwrap();
    // Signing again heals it.
    bench.ends(0, &["image", "sign", &image, "--key", &ring]);
    bench.ends(0, &["image", "verify", &image, "--key", &ring]);
}

#[test]
fn a_signature_moved_to_another_image_is_refused() {
    let bench = Bench::start();
    let ring = bench.keys("release", "signature");
    let (good, other) = (bench.image("team/api", "v1", "good"), bench.image("team/api", "v2", "malicious"));
    bench.ends(0, &["image", "sign", &good, "--key", &ring]);
    let (from, to) = (legacy(&bench, &good), legacy(&bench, &other));
    bench.crane(&["copy", &from, &to]);
    let said = bench.ends(2, &["image", "verify", &other, "--key", &ring]);
    assert!(said.contains("it was made for another image"), "{said}");
}

fn legacy(bench: &Bench, image: &str) -> String {
    bench.ends(0, &["image", "triangulate", image]).trim().to_owned()
}

#[test]
fn an_attestation_is_no_signature_even_of_the_same_key() {
    let bench = Bench::start();
    let image = bench.image("team/api", "v1", "good");
    bench.ends(0, &["keys", "create-signing", "one", "--local"]);
    let bom = root().join("tests/vectors/cyclonedx/samples/1.6/valid-bom-1.6.json");
    let keys = ["--key", "one.ML-DSA-65.key", "--key", "one.ECDSA-P256.key"];
    let attest = ["image", "attest", &image, "--type", "cyclonedx", "--predicate", bom.to_str().unwrap()];
    bench.ends(0, &[&attest[..], &keys].concat());
    for trusted in ["one.ML-DSA-65.pub", "one.ECDSA-P256.pub"] {
        let said = bench.ends(2, &["image", "verify", &image, "--key", trusted, "--danger-classical-alone"]);
        assert!(said.contains("it says https://cyclonedx.org/bom"), "{said}");
    }
    // And a signature is no attestation.
    let signed = bench.image("team/web", "v1", "good");
    bench.ends(0, &[&["image", "sign", &signed][..], &keys].concat());
    for trusted in ["one.ML-DSA-65.pub", "one.ECDSA-P256.pub"] {
        bench.ends(2, &["image", "verify-attestation", &signed, "--type", "cyclonedx", "--key", trusted]);
    }
}

#[test]
fn keys_do_not_sign_for_another_purpose_than_theirs() {
    let bench = Bench::start();
    let image = bench.image("team/api", "v1", "good");
    let attesting = bench.keys("attest", "attestation");
    let ring: serde_json::Value =
        serde_json::from_slice(&std::fs::read(bench.folder().join(&attesting)).unwrap()).unwrap();
    for key in [attesting.as_str(), ring["keys"][0]["source"].as_str().unwrap()] {
        let said = bench.ends(2, &["image", "sign", &image, "--key", key]);
        assert!(said.contains("another purpose"), "{said}");
        bench.ends(4, &["image", "verify", &image, "--key", "qapi://attest"]);
    }
}

#[test]
fn a_signature_for_one_repository_is_none_for_another_when_that_is_asked() {
    let bench = Bench::start();
    let ring = bench.keys("release", "signature");
    let image = bench.image("team/api", "v1", "good");
    bench.ends(0, &["image", "sign", &image, "--key", &ring]);
    let elsewhere = format!("{}/team/web:v1", bench.place.host);
    bench.ends(0, &["image", "copy", &image, &elsewhere]);
    let (here, there) = (format!("{}/team/api", bench.place.host), format!("{}/team/web", bench.place.host));
    bench.ends(0, &["image", "verify", &elsewhere, "--key", &ring, "--signed-for", &here]);
    let said = bench.ends(2, &["image", "verify", &elsewhere, "--key", &ring, "--signed-for", &there]);
    assert!(said.contains("it was made for the repository"), "{said}");
}

#[test]
fn a_signed_platform_does_not_make_its_index_signed_nor_a_signed_index_its_platforms() {
    let bench = Bench::start();
    let ring = bench.keys("release", "signature");
    let index = bench.index("team/api");
    let (repository, _) = index.rsplit_once(':').unwrap();
    bench.ends(0, &["image", "sign", &format!("{repository}:first"), "--key", &ring]);
    bench.ends(2, &["image", "verify", &index, "--key", &ring]);
    bench.ends(0, &["image", "sign", &index, "--key", &ring, "--recursive", "false"]);
    bench.ends(0, &["image", "verify", &index, "--key", &ring]);
    let said = bench.ends(2, &["image", "verify", &index, "--key", &ring, "--recursive", "true"]);
    assert!(said.contains("it is not signed"), "{said}");
    bench.ends(0, &["image", "sign", &index, "--key", &ring]);
    bench.ends(0, &["image", "verify", &index, "--key", &ring, "--recursive", "true"]);
}

#[test]
fn what_is_too_large_or_has_two_meanings_is_not_attested() {
    let bench = Bench::start();
    let ring = bench.keys("attest", "attestation");
    let image = bench.image("team/api", "v1", "good");
    let bom = r#"{"bomFormat":"CycloneDX","specVersion":"1.6""#;
    for (name, text, why) in [
        ("huge.json", format!("{bom}{}}}", " ".repeat(49 << 20)), "more than"),
        ("twice.json", format!("{bom},\"version\":1,\"version\":2}}"), "stands twice"),
        ("deep.json", format!("{bom},\"x\":{}{}}}", "[".repeat(500), "]".repeat(500)), "nested too deeply"),
    ] {
        std::fs::write(bench.folder().join(name), text).unwrap();
        let attest = ["image", "attest", &image, "--type", "cyclonedx", "--predicate", name, "--key", &ring];
        let said = bench.ends(2, &attest);
        assert!(said.contains(why) && said.lines().count() == 1, "{said}");
    }
    bench.ends(2, &["image", "verify-attestation", &image, "--type", "cyclonedx", "--key", &ring]);
}
