//! The recorded reviews of `tests/vectors/admission`, each sent to a webhook that runs.
//!
//! Their images have digests of no content. So what lies in the registry is their signatures alone, as legacy layers under the
//! tags that spell the digests, and the policy maps the registry's name to where it answers.

use std::collections::{BTreeMap, BTreeSet};

use artifact::image::Image;
use serde_json::Value;

use super::scene::{PATIENCE, Scene};
use crate::binaries::root;
use crate::program::say;

fn vectors(file: &str) -> Vec<u8> {
    std::fs::read(root().join("tests/vectors/admission").join(file)).unwrap()
}

async fn world(scene: &Scene, world: &Value) {
    for signed in world["signed"].as_array().unwrap() {
        let (name, digest) = signed.as_str().unwrap().split_once('@').unwrap();
        let path = name.split_once('/').unwrap().1;
        let image = Image::new(scene.place.repository(path), digest.parse().unwrap());
        scene.attach(&image, &[scene.keys.layer(&scene.keys.quantum_safe, name, &image, BTreeMap::new())]).await;
    }
    let host = &scene.place.host;
    scene.policy(&format!(
        "registries:\n  - name: registry.test:5000\n    endpoint: {host}\n    dangerPlainHttp: true\nimages:\n  - name: ours\n    \
         match: ['registry.test:5000/**']\n    require: post-quantum\n"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_review_is_answered_as_it_has_to_be() {
    let scene = Scene::new("vectors");
    let expected: Value = serde_json::from_slice(&vectors("expected.json")).unwrap();
    world(&scene, &expected["world"]).await;
    let webhook = scene.start("");
    let cases = expected["cases"].as_array().unwrap();
    let mut verdicts = BTreeMap::<&str, usize>::new();
    for case in cases {
        let file = case["file"].as_str().unwrap();
        let answered = webhook.post("/validate", vectors(file)).await;
        assert!(answered.status < 500, "{file}: {answered:?}");
        let mutated = webhook.post("/mutate", vectors(file)).await;
        assert!(mutated.status < 500, "{file}: {mutated:?}");
        let verdict = case["verdict"].as_str().unwrap();
        *verdicts.entry(verdict).or_default() += 1;
        if answered.status != 200 {
            assert!(verdict == "not-allow" || verdict == "policy", "{file}: {answered:?}");
            continue;
        }
        let response = answered.response();
        if let Some(uid) = case["uid"].as_str() {
            assert_eq!(response["uid"], uid, "{file}");
        }
        let is_right = match verdict {
            "allow" => response["allowed"] == true,
            "deny" | "not-allow" => response["allowed"] == false,
            _ => response["allowed"].is_boolean(),
        };
        assert!(is_right, "{file}: {verdict}: {response}");
        judged_all(file, case, &response);
    }
    assert_eq!(cases.len(), 40);
    say(&format!("admission: {} of {} recorded reviews: {verdicts:?}", cases.len(), cases.len()));
}

/// What the audit log keeps tells of every image that had to be judged.
fn judged_all(file: &str, case: &Value, response: &Value) {
    let wanted: BTreeSet<&str> = case["images"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(noted) = response["auditAnnotations"]["images"].as_str() else {
        assert!(wanted.is_empty() || response["allowed"] == false, "{file}: {response}");
        return;
    };
    let noted: Vec<Value> = serde_json::from_str(noted).unwrap();
    let judged: BTreeSet<&str> = noted.iter().filter_map(|image| image["image"].as_str()).collect();
    assert!(wanted.is_subset(&judged), "{file}: {wanted:?} {judged:?}");
}

/// The index exists nowhere, and a tag of it leads nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_tag_is_pinned_where_it_leads_somewhere() {
    let scene = Scene::new("recorded tag");
    let expected: Value = serde_json::from_slice(&vectors("expected.json")).unwrap();
    world(&scene, &expected["world"]).await;
    let webhook = scene.start("");
    let review: Value = serde_json::from_slice(&vectors("pod-tag.json")).unwrap();
    let refused = webhook.mutate(&review).await;
    assert_eq!(refused["allowed"], false, "{refused}");
    let other = scene.place.image(&scene.client, "team/api", "1.4.2").await;
    // That there was none is remembered for a moment.
    let mut pinned = webhook.mutate(&review).await;
    let began = std::time::Instant::now();
    while pinned["allowed"] != true {
        assert!(began.elapsed() < PATIENCE, "{pinned}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        pinned = webhook.mutate(&review).await;
    }
    let patch = artifact::base64::decode(pinned["patch"].as_str().unwrap()).unwrap();
    let patch: Value = serde_json::from_slice(&patch).unwrap();
    let value = format!("registry.test:5000/team/api:1.4.2@{}", other.digest());
    assert_eq!(
        (patch[0]["path"].as_str(), patch[0]["value"].as_str()),
        (Some("/spec/containers/0/image"), Some(&*value))
    );
}
