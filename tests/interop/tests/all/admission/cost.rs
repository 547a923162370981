//! What an image costs its registry, counted on the way, and how long a review of a known image takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::scene::{Scene, Webhook, pod};
use crate::program::say;
use crate::registries::place::{Kind, listing};
use crate::way::Way;

/// The bar: a cold image, whatever is beside it.
const REQUESTS_AT_MOST: usize = 4;
const PER_SECOND: u32 = 500;
const SECONDS: u32 = 4;
const CONNECTIONS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_image_costs_its_registry_few_requests_and_a_known_one_none() {
    for kind in listing() {
        let scene = Scene::on(kind, "cost");
        let (way, webhook, image) = met(&scene).await;
        assert!(webhook.admits(&image).await);
        let cold = way.asked();
        assert!((1..=REQUESTS_AT_MOST).contains(&cold.len()), "{kind:?}: {cold:?} for a cold image");
        assert!(webhook.admits(&image).await);
        assert!(way.asked().is_empty(), "{kind:?}: a known image");
        say(&format!("admission: {} registry requests for a cold image on {kind:?}", cold.len()));
    }
}

/// A signed image, and a webhook that looks for it on a way that is read along.
async fn met(scene: &Scene) -> (Way, Webhook, String) {
    let signed = scene.signed("team/api").await;
    let way = Way::to(&scene.place.host);
    let host = &scene.place.host;
    scene.policy(&format!(
        "registries:\n  - name: {host}\n    endpoint: {}\n    dangerPlainHttp: true\nimages:\n  - name: ours\n    \
         match: ['{host}/**']\n",
        way.address
    ));
    (way, scene.start(""), signed.reference().to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_image_is_judged_within_milliseconds() {
    let scene = Scene::on(Kind::Cue, "warm");
    let (way, webhook, image) = met(&scene).await;
    assert!(webhook.admits(&image).await && !way.asked().is_empty());
    let (webhook, review) = (Arc::new(webhook), Arc::new(pod("shop", &image)));
    let (began, turns) = (Instant::now(), Arc::<AtomicU32>::default());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (webhook, review, turns) = (Arc::clone(&webhook), Arc::clone(&review), Arc::clone(&turns));
        asking.spawn(async move {
            let mut took = Vec::new();
            loop {
                let turn = turns.fetch_add(1, Ordering::SeqCst);
                if turn >= PER_SECOND * SECONDS {
                    return took;
                }
                // Due at fixed times whatever the answers do: a stall is felt by all that waited behind it.
                let due = began + Duration::from_secs(1) * turn / PER_SECOND;
                tokio::time::sleep_until(due.into()).await;
                assert_eq!(webhook.validate(&review).await["allowed"], true);
                took.push(due.elapsed());
            }
        });
    }
    let mut took = asking.join_all().await.concat();
    took.sort();
    assert!(way.asked().is_empty(), "a known image");
    let at = |share: usize| took[took.len() * share / 100].as_secs_f64() * 1e3;
    say(&format!(
        "admission: {PER_SECOND} reviews a second of a known image, p50 {:.2} ms, p99 {:.2} ms (this build, beside other tests)",
        at(50),
        at(99)
    ));
}
