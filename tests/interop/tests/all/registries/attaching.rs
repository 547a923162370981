//! Attaching to every registry, and what others make of it.

use std::collections::BTreeMap;

use artifact::image::{AttachError, Image, Origin, Wanted, attach, find};
use artifact::manifest::Content;
use artifact::registry::Target;
use artifact::verification::{Refusal, Requirement};

use super::place::{Kind, Place, client, kinds};
use super::signers::{Keys, NOW, cosign_signs, cosign_verifies, judged, skopeo_takes, verdict};

/// So many at once, each with a client of its own.
const WRITERS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_attach_others_and_we_ourselves_verify() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new("attach");
    keys.write(folder.path());
    for kind in kinds() {
        let place = Place::start(kind);
        let client = client();
        let image = place.image(&client, "team/api", "1").await;
        for (of_family, _) in image.family(&client).await.unwrap() {
            let carriers = keys.hybrid(&of_family);
            attach(&client, &of_family, &carriers, NOW).await.unwrap();
            // Again, and nothing is written twice.
            attach(&client, &of_family, &carriers, NOW).await.unwrap();
        }
        assert_eq!(judged(&client, &image, &keys, Requirement::Hybrid).await, Ok(()), "{kind:?}");
        for program in ["cosign2", "cosign3"] {
            cosign_verifies(program, folder.path(), &image).unwrap_or_else(|why| panic!("{program}, {kind:?}: {why}"));
        }
        skopeo_takes(folder.path(), &image).unwrap_or_else(|why| panic!("skopeo, {kind:?}: {why}"));
        let found = find(&client, &image, Wanted::Signatures).await.unwrap();
        assert_eq!((found.carriers.len(), found.skipped.len()), (3, 0), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_sign_we_verify() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new("others");
    keys.write(folder.path());
    let forms: [(&str, &[&str]); 3] = [
        ("cosign2", &[]),
        ("cosign3", &["--use-signing-config=false", "--new-bundle-format=false"]),
        ("cosign3", &["--use-signing-config=false"]),
    ];
    for kind in kinds() {
        let place = Place::start(kind);
        let client = client();
        for (number, (program, form)) in forms.iter().enumerate() {
            let image = place.image(&client, &format!("team/api{number}"), "1").await;
            assert_eq!(judged(&client, &image, &keys, Requirement::Any).await, Err(Refusal::Nothing));
            cosign_signs(program, folder.path(), &image, form);
            assert_eq!(judged(&client, &image, &keys, Requirement::Any).await, Ok(()), "{program} {form:?} {kind:?}");
            let quantum_safe = judged(&client, &image, &keys, Requirement::PostQuantum).await;
            assert_eq!(quantum_safe, Err(Refusal::NoPostQuantum));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_writers_at_once_lose_nothing() {
    for kind in kinds() {
        let place = Place::start(kind);
        let image = place.image(&client(), "team/api", "1").await;
        let writers = (0..WRITERS).map(|number| {
            let image = image.clone();
            tokio::spawn(async move {
                let keys = Keys::new(&format!("writer {number}"));
                attach(&client(), &image, &keys.hybrid(&image), NOW).await.map(|_| ())
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap().unwrap_or_else(|error| panic!("{kind:?}: {error:?}"));
        }
        let found = find(&client(), &image, Wanted::Signatures).await.unwrap();
        for number in 0..WRITERS {
            let keys = Keys::new(&format!("writer {number}"));
            assert_eq!(verdict(&found, image.digest(), &keys, Requirement::Hybrid), Ok(()), "{kind:?} {number}");
        }
        assert_eq!(found.carriers.len(), 3 * WRITERS, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_quantum_bundle_never_hides_a_legacy_signature() {
    let place = Place::start(Kind::Cue);
    let client = client();
    let keys = Keys::new("hides");
    let image = place.image(&client, "team/api", "1").await;
    attach(&client, &image, &[keys.layer(&image, BTreeMap::new())], NOW).await.unwrap();
    let alone = attach(&client, &image, &keys.post_quantum(&image), NOW).await;
    assert!(matches!(alone, Err(AttachError::HidesLegacy)), "{alone:?}");
    attach(&client, &image, &keys.classical(&image)[1..], NOW).await.unwrap();
    attach(&client, &image, &keys.post_quantum(&image), NOW).await.unwrap();
    // Where there is nothing to hide, nothing is hidden.
    let other = place.image(&client, "team/other", "1").await;
    attach(&client, &other, &keys.post_quantum(&other), NOW).await.unwrap();
    assert_eq!(judged(&client, &other, &keys, Requirement::PostQuantum).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_and_its_platforms_are_signed_each_for_itself() {
    let place = Place::start(Kind::Distribution3);
    let client = client();
    let keys = Keys::new("platforms");
    let image = place.image(&client, "team/api", "1").await;
    attach(&client, &image, &keys.hybrid(&image), NOW).await.unwrap();
    let family = image.family(&client).await.unwrap();
    assert_eq!(family.len(), 3);
    for (platform, _) in &family[1..] {
        assert_eq!(judged(&client, platform, &keys, Requirement::Any).await, Err(Refusal::Nothing));
        // The signature of another digest, put where this one's would lie, is one of another image.
        attach(&client, platform, &keys.hybrid(&image), NOW).await.unwrap();
        let refused = judged(&client, platform, &keys, Requirement::Any).await;
        assert_eq!(refused, Err(Refusal::NothingBelieved(3)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stripped_signature_is_missed_and_a_moved_tag_shows() {
    for kind in kinds() {
        let place = Place::start(kind);
        let client = client();
        let keys = Keys::new("stripped");
        let image = place.image(&client, "team/api", "1").await;
        let attached = attach(&client, &image, &keys.hybrid(&image), NOW).await.unwrap();
        // The post-quantum bundle was stored last. Whoever may write takes it away, from the list as well.
        let bundle = image.repository().at(attached.manifests.last().unwrap().clone());
        assert!(client.delete_manifest(&bundle).await.unwrap_or(false) || kind == Kind::Cue, "{kind:?}");
        if matches!(kind, Kind::Distribution2 | Kind::Distribution3) {
            let list = image.repository().tagged(&image.digest().as_tag()).unwrap();
            let present = client.manifest(&list).await.unwrap();
            let Content::Index(index) = present.content() else { panic!("the list is an index") };
            let kept = artifact::manifest::Index::new(index.manifests[..1].to_vec()).to_manifest().unwrap();
            client.put_manifest(image.repository(), Target::Tag(list.tag().unwrap()), &kept).await.unwrap();
        }
        if kind != Kind::Cue {
            let refused = judged(&client, &image, &keys, Requirement::Any).await;
            assert_eq!(refused, Err(Refusal::Stripped { key: "classical".to_owned() }), "{kind:?}");
        }
        // Another image under the same tag is another digest, with nothing beside it.
        let other = place.image(&client, "team/evil", "1").await;
        let moved = client.manifest(&other.reference()).await.unwrap();
        assert_ne!(moved.digest(), image.digest());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_lies_in_another_repository_if_that_is_wished() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new("elsewhere");
    keys.write(folder.path());
    let place = Place::start(Kind::Distribution3);
    let client = client();
    let image = place.image(&client, "team/api", "1").await.with_evidence_in(place.repository("signatures"));
    attach(&client, &image, &keys.hybrid(&image), NOW).await.unwrap();
    assert_eq!(judged(&client, &image, &keys, Requirement::Hybrid).await, Ok(()));
    let here = Image::new(image.repository().clone(), image.digest().clone());
    assert_eq!(judged(&client, &here, &keys, Requirement::Any).await, Err(Refusal::Nothing));
    let mut verify = super::signers::cosign("cosign2", folder.path(), "verify");
    verify.env("COSIGN_REPOSITORY", place.repository("signatures").to_string());
    verify.args(["--key", "cosign.pub", "--insecure-ignore-tlog=true"]).arg(image.reference().to_string());
    crate::program::succeed(&mut verify);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_beside_an_image_keeps_nobody_from_verifying_it() {
    let place = Place::start(Kind::GoContainerRegistry);
    let client = client();
    let keys = Keys::new("junk");
    let image = place.image(&client, "team/api", "1").await;
    attach(&client, &image, &keys.hybrid(&image), NOW).await.unwrap();
    let subject = client.manifest(&image.reference()).await.unwrap();
    let twice = br#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","mediaType":"x"}"#;
    for content in [&b"no json"[..], twice, &vec![b' '; 2 << 20]] {
        client.put_blob(image.repository(), content).await.unwrap();
        let layer = artifact::manifest::Descriptor::of(artifact::bundle::MEDIA_TYPE, content);
        let mut junk = artifact::manifest::Image::new(layer.clone(), vec![layer]);
        junk.subject = Some(subject.descriptor().clone());
        client.put_referrers(image.repository(), &[junk.to_manifest().unwrap()]).await.unwrap();
    }
    let found = find(&client, &image, Wanted::Signatures).await.unwrap();
    assert_eq!(verdict(&found, image.digest(), &keys, Requirement::Hybrid), Ok(()));
    assert_eq!(found.skipped.len(), 3, "{:?}", found.skipped);
    assert!(found.skipped.iter().all(|skipped| matches!(skipped.origin, Origin::Referrer { .. })));
}
