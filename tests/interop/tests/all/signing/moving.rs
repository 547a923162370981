//! Copies, mirrors, and what follows a rotation.

use super::bench::{Bench, ended, pinned};
use crate::registries::place::{Kind, usual};

#[test]
fn a_copy_carries_all_that_belongs_to_an_image_and_its_platforms() {
    for kind in [Kind::Distribution3, usual()] {
        let bench = Bench::start_with(kind);
        let ring = bench.keys("release", "signature");
        let image = bench.index("team/api");
        bench.ends(0, &["image", "sign", &image, "--key", &ring]);
        let copy = format!("{}/public/api:v1", bench.place.host);
        bench.ends(0, &["image", "copy", &image, &copy, "--key", &ring]);
        bench.ends(0, &["image", "verify", &copy, "--key", &ring, "--recursive", "true"]);
        for cosign in ["cosign2", "cosign3"] {
            bench.cosign_verifies(cosign, "release.ECDSA-P256.pub", &copy).unwrap();
        }
        // What is not signed is not copied by whoever asked for signatures.
        let unsigned = bench.image("team/api", "unsigned", "x");
        bench.ends(1, &["image", "copy", &unsigned, &format!("{}/public/x:v1", bench.place.host), "--key", &ring]);
        bench.ends(1, &["image", "inspect", &format!("{}/public/x:v1", bench.place.host)]);
    }
}

#[test]
fn a_mirrored_image_was_verified_or_named_by_its_digest_and_is_signed() {
    let bench = Bench::start();
    let ring = bench.keys("mirror", "signature");
    ended(0, &bench.cosign_alone("cosign3", &["generate-key-pair"]));
    let upstream = bench.image("upstream/base", "v1", "base");
    let digest = bench.crane(&["digest", &upstream]);
    let ours = format!("{}/mirror/base:v1", bench.place.host);
    bench.ends(2, &["image", "mirror", &upstream, &ours, "--key", &ring]);
    bench.ends(1, &["image", "mirror", &upstream, &ours, "--upstream-key", "cosign.pub", "--key", &ring]);
    bench.ends(1, &["image", "inspect", &ours]);
    let by_digest = pinned(&upstream, &digest);
    let sign = ["--key", "cosign.key", "--yes", "--tlog-upload=false", "--use-signing-config=false", &by_digest];
    ended(0, &bench.cosign("cosign3", "sign", &sign));
    bench.ends(0, &["image", "mirror", &upstream, &ours, "--upstream-key", "cosign.pub", "--key", &ring]);
    bench.ends(0, &["image", "verify", &ours, "--key", &ring]);
    bench.ends(0, &["image", "verify", &ours, "--key", "cosign.pub"]);
    let again = format!("{}/mirror/again:v1", bench.place.host);
    bench.ends(0, &["image", "mirror", &by_digest, &again, "--key", &ring]);
    bench.ends(0, &["image", "verify", &again, "--key", &ring]);
}

#[test]
fn after_a_rotation_images_are_signed_again_and_old_signatures_end() {
    let bench = Bench::start();
    let ring = bench.keys("release", "signature");
    std::fs::copy(bench.folder().join(&ring), bench.folder().join("before.json")).unwrap();
    let index = bench.index("team/api");
    let other = bench.image("team/web", "v1", "web");
    let unsigned = bench.image("team/none", "v1", "none");
    bench.ends(0, &["image", "sign", &index, &other, "--key", &ring]);
    bench.ends(0, &["keys", "create-signing", "release", "--rotate", "--grace", "30d"]);
    // Within the grace the ring believes both; without it, only what is signed again.
    bench.ends(0, &["image", "verify", &index, "--key", &ring]);
    let new = ["--key", "release.ML-DSA-65.pub", "--key", "release.ECDSA-P256.pub"];
    bench.ends(2, &[&["image", "verify", &index][..], &new].concat());
    let repository = |image: &str| image.rsplit_once(':').unwrap().0.to_owned();
    let (first, second, third) = (repository(&index), repository(&other), unsigned.clone());
    std::fs::write(bench.folder().join("list"), format!("# all tags\n{first}\n{second}\n")).unwrap();
    let resign = ["image", "resign", "--list", "list", "--from", "before.json", "--to", &ring];
    let said = bench.ends(0, &resign);
    assert!(said.contains("refused: 0, failed: 0"), "{said}");
    bench.ends(0, &[&["image", "verify", &index, "--recursive", "true"][..], &new].concat());
    bench.ends(0, &[&["image", "verify", &other][..], &new].concat());
    let again = bench.ends(0, &resign);
    assert!(again.contains("signed again: 0,"), "{again}");
    // What the old keys have not signed, the new ones do not sign for them.
    let said = bench.ends(1, &["image", "resign", &third, "--from", "before.json", "--to", &ring]);
    assert!(said.contains("refused: 1"), "{said}");
}
