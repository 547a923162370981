//! How commands end: what a pipeline branches on.

use super::bench::Bench;

#[test]
fn verification_ends_with_a_status_that_says_what_happened() {
    let bench = Bench::start();
    let ring = bench.keys("release", "signature");
    let image = bench.image("team/api", "v1", "1");
    let verify = |status, words: &[&str]| bench.ends(status, &[&["image", "verify"], words].concat());
    verify(2, &[&image, "--key", &ring]);
    verify(10, &[&image, "--key", &ring, "--exit-code", "10"]);
    bench.ends(0, &["image", "sign", &image, "--key", &ring]);
    verify(0, &[&image, "--key", &ring]);
    // Nothing of the platform is needed for it.
    let mut offline = bench.qapi(&["image", "verify", &image, "--key", &ring]);
    super::bench::ended(
        0,
        &crate::program::run(offline.env_remove("QUANTUMAPI_BASE_URL").env_remove("QUANTUMAPI_KEY")),
    );
    verify(3, &["127.0.0.1:1/team/api:v1", "--key", &ring]);
    verify(2, &[&format!("{image}-none"), "--key", &ring]);
    verify(4, &[&image]);
    verify(4, &[&image, "--key", "none.pub"]);
    verify(4, &[&image, "--nonsense"]);
    verify(4, &["UPPER CASE", "--key", &ring]);
    let mut no_vault = bench.qapi(&["image", "verify", &image, "--key", "qapi://release"]);
    super::bench::ended(3, &crate::program::run(no_vault.env("QUANTUMAPI_BASE_URL", "http://127.0.0.1:1")));
}

#[test]
fn without_a_key_at_hand_signing_warns_and_verification_does_not_pass() {
    let bench = Bench::start();
    let image = bench.image("team/api", "v1", "1");
    for words in [&[][..], &["--key", "env://NOTHING"]] {
        let said = bench.ends(0, &[&["image", "sign", &image][..], words].concat());
        assert!(said.starts_with("warning: no signing key at hand"), "{said}");
    }
    let mut empty = bench.qapi(&["image", "sign", &image, "-o", "json"]);
    let said = crate::program::run(empty.env("COSIGN_PRIVATE_KEY", ""));
    let report: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((report[0]["signed"].as_bool(), said.status.code()), (Some(false), Some(0)));
    let mut anonymous = bench.qapi(&["image", "sign", &image, "--key", "qapi://release"]);
    let said = super::bench::ended(0, &crate::program::run(anonymous.env_remove("QUANTUMAPI_KEY")));
    assert!(said.contains("QUANTUMAPI_KEY is not set"), "{said}");
    bench.ends(2, &["image", "sign", &image, "--require-key"]);
    bench.ends(4, &["image", "verify", &image, "--key", "env://NOTHING"]);
    // A key that is named and not usable is no absent one.
    bench.ends(1, &["image", "sign", &image, "--key", "qapi://nobody"]);
    bench.ends(2, &["image", "sign", &image, "--key", "none.key"]);
    bench.ends(2, &["image", "verify", &image, "--key", &bench.keys("release", "signature")]);
}

#[test]
fn evidence_lies_in_another_repository_when_that_is_said() {
    let bench = Bench::start();
    let ring = bench.keys("release", "signature");
    let image = bench.image("team/api", "v1", "1");
    let elsewhere = format!("{}/signatures", bench.place.host);
    let with = |words: &[&str]| {
        let mut command = bench.qapi(words);
        command.env("COSIGN_REPOSITORY", &elsewhere);
        crate::program::run(&mut command)
    };
    super::bench::ended(0, &with(&["image", "sign", &image, "--key", &ring]));
    super::bench::ended(0, &with(&["image", "verify", &image, "--key", &ring]));
    bench.ends(2, &["image", "verify", &image, "--key", &ring]);
    bench.ends(0, &["image", "verify", &image, "--key", &ring, "--evidence-repository", &elsewhere]);
}

#[test]
fn what_has_to_be_signed_with_an_image_is_looked_at() {
    let bench = Bench::start();
    let ring = bench.keys("release", "signature");
    let image = bench.image("team/api", "v1", "1");
    bench.ends(0, &["image", "sign", &image, "--key", &ring, "-a", "build=7", "-a", "stage=production"]);
    let verify =
        |status, words: &[&str]| bench.ends(status, &[&["image", "verify", &image, "--key", &ring], words].concat());
    verify(0, &[]);
    verify(0, &["-a", "build=7"]);
    verify(0, &["-a", "stage=production", "--annotation", "build=7"]);
    let said = verify(2, &["-a", "build=8"]);
    assert!(said.contains("it does not say build=8"), "{said}");
    verify(2, &["-a", "build=7", "-a", "owner=ada"]);
    verify(4, &["-a", "build"]);
    // cosign has signed with the same word, and we see it; and what we have signed, it sees.
    let words = ["--key", "release.ECDSA-P256.pub", "--insecure-ignore-tlog=true", "-a", "build=7", &image];
    super::bench::ended(0, &bench.cosign("cosign2", "verify", &words));
}
