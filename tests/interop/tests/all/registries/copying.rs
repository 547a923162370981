//! Copying between registries of different kinds.

use std::sync::Mutex;

use artifact::image::{Kind as Legacy, Relation, Step, attach, copy, tree};
use artifact::reference::Reference;
use artifact::verification::Requirement;

use super::place::{Kind, Place, client, kinds, usual};
use super::signers::{Keys, NOW, cosign_verifies, judged};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_carries_the_evidence_of_all_platforms() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new("copy");
    keys.write(folder.path());
    let places: Vec<Place> = kinds().into_iter().map(Place::start).collect();
    for (number, from) in places.iter().enumerate() {
        let to = &places[(number + 1) % places.len()];
        let client = client();
        let image = from.image(&client, "team/api", "1").await;
        for (of_family, _) in image.family(&client).await.unwrap() {
            attach(&client, &of_family, &keys.hybrid(&of_family), NOW).await.unwrap();
        }
        let target: Reference = format!("{}/mirror/api:1", to.host).parse().unwrap();
        let steps = Mutex::new(Vec::new());
        let copied = copy(&client, &image, &target, |step| steps.lock().unwrap().push(step)).await;
        let copied = copied.unwrap_or_else(|error| panic!("{:?} to {:?}: {error:?}", from.kind, to.kind));
        assert_eq!((copied.images.len(), copied.referrers.len(), copied.tags.len()), (3, 6, 3));
        assert!(steps.into_inner().unwrap().contains(&Step::Checking));
        assert_eq!(client.resolve(&target).await.unwrap().as_ref(), Some(image.digest()));
        for (platform, _) in copied.image.family(&client).await.unwrap() {
            assert_eq!(judged(&client, &platform, &keys, Requirement::Hybrid).await, Ok(()), "{:?}", to.kind);
        }
        for program in ["cosign2", "cosign3"] {
            cosign_verifies(program, folder.path(), &copied.image)
                .unwrap_or_else(|why| panic!("{program}, {:?} to {:?}: {why}", from.kind, to.kind));
        }
        // What is there already is neither lost nor doubled.
        let again = copy(&client, &image, &target, |_| {}).await.unwrap();
        assert_eq!(again.referrers.len(), 6);
        let whole = tree(&client, &copied.image).await.unwrap();
        let count = |relation: fn(&Relation) -> bool| whole.children.iter().filter(|c| relation(&c.relation)).count();
        assert_eq!(count(|relation| *relation == Relation::Listed), 2);
        assert_eq!(count(|relation| *relation == Relation::Refers), 2);
        assert_eq!(count(|relation| matches!(relation, Relation::Tag { kind: Legacy::Signatures, .. })), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_within_a_registry_takes_contents_over() {
    for kind in [Kind::Distribution3, usual()] {
        let place = Place::start(kind);
        let client = client();
        let keys = Keys::new("within");
        let image = place.image(&client, "team/api", "1").await;
        attach(&client, &image, &keys.hybrid(&image), NOW).await.unwrap();
        let target: Reference = format!("{}/other/api:2", place.host).parse().unwrap();
        let copied = copy(&client, &image, &target, |_| {}).await.unwrap();
        assert_eq!(judged(&client, &copied.image, &keys, Requirement::Hybrid).await, Ok(()), "{kind:?}");
        let tags = client.tags(copied.image.repository()).await.unwrap();
        assert!(tags.contains(&"2".to_owned()), "{tags:?}");
    }
}
