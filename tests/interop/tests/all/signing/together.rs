//! What we sign is verified by others, and what others sign by us.

use std::process::Command;

use super::bench::{Bench, ended, pinned};
use crate::binaries::root;
use crate::program::{python, run_with, say};
use crate::registries::place::{Kind, kinds, tool, usual};

#[test]
fn what_we_sign_in_the_vault_both_cosigns_and_python_verify_on_every_registry() {
    let mut verified = 0;
    let kinds = kinds();
    for kind in kinds.iter().copied() {
        verified += signed_by_us(kind);
    }
    say(&format!("signing: {verified} of {} cells, signed by us", kinds.len() * 8));
}

fn signed_by_us(kind: Kind) -> usize {
    let bench = Bench::start_with(kind);
    let ring = bench.keys("release", "signature");
    let image = bench.index("team/api");
    let before = requests(&bench);
    let report = bench.json(&["image", "sign", &image, "--key", &ring]);
    // One batch a key for the index and its platforms: the ring knows the public halves.
    // Asking how many there were is counted as well.
    assert_eq!(requests(&bench) - before - 1, 2, "requests to the vault");
    let digests: Vec<&str> =
        report[0]["signedDigests"].as_array().unwrap().iter().map(|digest| digest.as_str().unwrap()).collect();
    assert_eq!(digests.len(), 3);
    let mut verified = 0;
    for digest in &digests {
        let image = pinned(&image, digest);
        for cosign in ["cosign2", "cosign3"] {
            bench.cosign_verifies(cosign, "release.ECDSA-P256.pub", &image).unwrap();
            verified += 1;
        }
    }
    bench.ends(0, &["image", "verify", &image, "--key", &ring, "--recursive", "true"]);
    for key in ["release.ML-DSA-65.pub", "release.ECDSA-P256.pub"] {
        assert_eq!(by_python(&bench, &image, key, digests[0]), "verified 1\n", "{key} on {kind:?}");
        verified += 1;
    }
    verified
}

/// How many requests the platform has answered.
fn requests(bench: &Bench) -> u64 {
    let metrics = bench.server.metrics();
    let count = metrics.lines().find_map(|line| line.strip_prefix("qapi_request_seconds_count"));
    count.and_then(|rest| rest.rsplit(' ').next()?.parse().ok()).expect("the metric is there")
}

fn by_python(bench: &Bench, image: &str, key: &str, digest: &str) -> String {
    let bundles = bench.ends(0, &["image", "download", "signature", image]);
    let bundles: String =
        bundles.lines().filter(|line| line.contains("dsseEnvelope")).map(|line| format!("{line}\n")).collect();
    let mut verifier = Command::new(python("requirements.txt"));
    verifier.arg(root().join("tests/interop/peers/signing/bundles.py")).args([key, digest]).current_dir(bench.folder());
    ended(0, &run_with(&mut verifier, bundles.as_bytes()))
}

#[test]
fn what_either_cosign_signs_in_any_form_we_verify() {
    let legacy: &[&str] = &["--new-bundle-format=false", "--use-signing-config=false"];
    let bundle: &[&str] = &["--use-signing-config=false"];
    let mut verified = 0;
    for kind in [Kind::Distribution3, usual()] {
        let bench = Bench::start_with(kind);
        ended(0, &bench.cosign_alone("cosign2", &["generate-key-pair"]));
        bench.ends(0, &["keys", "create-signing", "other", "--local"]);
        for (place, (cosign, form)) in
            [("cosign2", &[][..]), ("cosign3", legacy), ("cosign3", bundle)].into_iter().enumerate()
        {
            let image = bench.image(&format!("by/{place}"), "v1", &format!("{place}"));
            let digest = bench.crane(&["digest", &image]);
            let by_digest = pinned(&image, &digest);
            let words = [&["--key", "cosign.key", "--yes", "--tlog-upload=false"], form, &[by_digest.as_str()]];
            ended(0, &bench.cosign(cosign, "sign", &words.concat()));
            bench.ends(0, &["image", "verify", &image, "--key", "cosign.pub"]);
            bench.ends(2, &["image", "verify", &image, "--key", "other.ECDSA-P256.pub"]);
            bench.ends(2, &["image", "verify", &image, "--key", "cosign.pub", "--key", "other.ML-DSA-65.pub"]);
            verified += 3;
        }
    }
    say(&format!("signing: {verified} of 18 cells, signed by cosign"));
}

#[test]
fn a_key_of_cosign_signs_from_a_file_from_standard_input_and_from_the_environment() {
    let bench = Bench::start();
    ended(0, &bench.cosign_alone("cosign3", &["generate-key-pair"]));
    let key = std::fs::read_to_string(bench.folder().join("cosign.key")).unwrap();
    for (place, how) in ["file", "stdin", "variable"].into_iter().enumerate() {
        let image = bench.image(&format!("by/{how}"), "v1", &place.to_string());
        let mut command = bench.qapi(&["image", "sign", &image]);
        match how {
            "file" => command.args(["--key", "cosign.key"]),
            "stdin" => command.args(["--key", "-"]),
            _ => command.env("COSIGN_PRIVATE_KEY", &key),
        };
        ended(0, &run_with(&mut command, key.as_bytes()));
        for cosign in ["cosign2", "cosign3"] {
            bench.cosign_verifies(cosign, "cosign.pub", &image).unwrap();
        }
    }
}

#[test]
fn a_bill_of_materials_that_we_attest_cosign_verifies() {
    let bench = Bench::start();
    let ring = bench.keys("attest", "attestation");
    let image = bench.image("team/api", "v1", "1");
    let bom = root().join("tests/vectors/cyclonedx/samples/1.6/valid-bom-1.6.json");
    let bom = bom.to_str().unwrap();
    bench.ends(0, &["image", "attest", &image, "--type", "cyclonedx", "--predicate", bom, "--key", &ring]);
    bench.ends(0, &["image", "verify-attestation", &image, "--type", "cyclonedx", "--key", &ring]);
    bench.ends(2, &["image", "verify-attestation", &image, "--type", "slsaprovenance1", "--key", &ring]);
    for cosign in ["cosign2", "cosign3"] {
        let words = ["--key", "attest.ECDSA-P256.pub", "--type", "cyclonedx", "--insecure-ignore-tlog=true", &image];
        ended(0, &bench.cosign(cosign, "verify-attestation", &words));
    }
    let printed = bench.ends(0, &["image", "download", "predicate", &image, "--type", "cyclonedx"]);
    let printed: serde_json::Value = serde_json::from_str(printed.trim()).unwrap();
    let given: serde_json::Value = serde_json::from_slice(&std::fs::read(bom).unwrap()).unwrap();
    assert_eq!(printed, given);
}

#[test]
fn a_bill_of_materials_of_an_image_is_made_checked_and_attested_and_its_failure_goes_on() {
    let bench = Bench::start();
    let ring = bench.keys("attest", "attestation");
    let image = bench.image("team/api", "v1", "1");
    let syft = tool("syft").get_program().to_string_lossy().into_owned();
    let source = format!("registry:{image}");
    bench.ends(0, &["sbom", "generate", &source, "--syft", &syft, "--require"]);
    bench.ends(0, &["sbom", "validate", "sbom.cdx.json"]);
    let attest = ["image", "attest", &image, "--type", "cyclonedx", "--key", &ring, "--if-present", "--predicate"];
    bench.ends(0, &[&attest[..], &["sbom.cdx.json"]].concat());
    bench.ends(0, &["image", "verify-attestation", &image, "--type", "cyclonedx", "--key", &ring]);
    // What cannot be made is warned about, is not attested, and is missed by who asks for it.
    let other = bench.image("team/web", "v1", "2");
    let said = bench.ends(0, &["sbom", "generate", "dir:no-such-folder", "--syft", &syft, "--out", "none.json"]);
    assert!(said.starts_with("warning: no bill of materials of dir:no-such-folder"), "{said}");
    let attest = ["image", "attest", &other, "--type", "cyclonedx", "--key", &ring, "--if-present", "--predicate"];
    bench.ends(0, &[&attest[..], &["none.json"]].concat());
    bench.ends(2, &["image", "verify-attestation", &other, "--type", "cyclonedx", "--key", &ring]);
    let wrong = root().join("tests/vectors/cyclonedx/samples/1.6/invalid-hash-alg-1.6.json");
    bench.ends(2, &[&attest[..], &[wrong.to_str().unwrap()]].concat());
}

#[test]
fn files_are_signed_and_verified_in_both_directions() {
    let bench = Bench::start();
    bench.ends(0, &["keys", "create-signing", "files", "--local"]);
    std::fs::write(bench.folder().join("release.tar"), "content").unwrap();
    bench.ends(0, &["artifact", "sign", "release.tar", "--key", "files.keys.json"]);
    bench.ends(0, &["artifact", "verify", "release.tar", "--key", "files.keys.json"]);
    let verify = |words: &[&str]| {
        bench.cosign_alone("cosign3", &[&["verify-blob", "--insecure-ignore-tlog=true"], words].concat())
    };
    let bundle = "release.tar.sigstore.json";
    ended(0, &verify(&["--key", "files.ECDSA-P256.pub", "--bundle", bundle, "release.tar"]));
    std::fs::write(bench.folder().join("changed.tar"), "Content").unwrap();
    let changed = ["artifact", "verify", "changed.tar", "--key", "files.ECDSA-P256.pub", "--bundle", bundle];
    bench.ends(2, &changed);
    ended(0, &bench.cosign_alone("cosign3", &["generate-key-pair"]));
    let sign = ["sign-blob", "--key", "cosign.key", "--bundle", "by-cosign.json", "--use-signing-config=false"];
    ended(0, &bench.cosign_alone("cosign3", &[&sign[..], &["--tlog-upload=false", "--yes", "changed.tar"]].concat()));
    bench.ends(0, &["artifact", "verify", "changed.tar", "--key", "cosign.pub", "--bundle", "by-cosign.json"]);
}
