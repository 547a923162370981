//! Attacks on what is admitted: by whoever may write to the registry, and by the registry itself.

use std::collections::BTreeMap;
use std::net::TcpListener;

use artifact::image::Image;
use artifact::registry::Target;
use artifact::verification::SIGN_PREDICATE;
use serde_json::json;

use super::scene::{BOM, Scene, pod, review};
use crate::liar::{http, liar};

fn codes(response: &serde_json::Value) -> String {
    response["auditAnnotations"]["images"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_that_do_not_belong_to_an_image_do_not_count() {
    let scene = Scene::new("attacks");
    let webhook = scene.start("");
    let keys = &scene.keys;
    let stranger = super::scene::Keys::new("a stranger");
    let no = BTreeMap::new;
    let good = scene.signed("team/good").await;

    let swapped = scene.image("team/swapped").await;
    scene.attach(&swapped, &keys.hybrid(&good)).await;
    let foreign = scene.image("team/foreign").await;
    scene.attach(&foreign, &stranger.hybrid(&foreign)).await;
    // One of the pair alone: the other was taken away.
    let stripped = scene.image("team/stripped").await;
    scene.attach(&stripped, &keys.hybrid(&stripped)[..2]).await;
    // A true attestation, by a key that signs, of a key that attests, and of one that pretends to sign.
    let attested = scene.image("team/attested").await;
    scene.attach(&attested, &[keys.bundle(&keys.classical, BOM, &attested, no())]).await;
    scene.attach(&attested, &[keys.bundle(&keys.quantum_safe, BOM, &attested, no())]).await;
    scene.attach(&attested, &[keys.bundle(&keys.attests, SIGN_PREDICATE, &attested, no())]).await;
    // The same content with its true signatures, in a repository for which they were not made.
    let elsewhere = scene.place.repository("team/elsewhere");
    artifact::image::copy(&scene.client, &good, &elsewhere.tagged("1").unwrap(), |_| {}).await.unwrap();
    let moved = Image::new(elsewhere, good.digest().clone());
    // A platform of a signed index is not the index.
    let index = scene.client.manifest(&good.reference()).await.unwrap();
    let platform = Image::new(good.repository().clone(), index.manifests()[0].digest.clone());

    assert!(webhook.admits(&good.reference().to_string()).await);
    for (image, code) in [
        (&swapped, "not-believed"),
        (&foreign, "not-believed"),
        (&stripped, "stripped"),
        (&attested, "not-believed"),
        (&moved, "not-believed"),
        (&platform, "not-signed"),
    ] {
        let response = webhook.validate(&pod("shop", &image.reference().to_string())).await;
        assert_eq!(response["allowed"], false, "{code}: {response}");
        assert!(codes(&response).contains(code), "{code}: {response}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_is_moved_leads_to_what_nobody_signed() {
    let scene = Scene::new("moved tag");
    let signed = scene.signed("team/api").await;
    let webhook = scene.start("");
    let tagged = format!("{}:1", signed.repository());
    let deployment = |image: &str| {
        let template = json!({"spec": {"containers": [{"name": "a", "image": image}]}});
        review("shop", "apps", "Deployment", "deployments", json!({"spec": {"template": template}}))
    };
    assert_eq!(webhook.validate(&deployment(&tagged)).await["allowed"], true);
    let platform = scene.client.manifest(&signed.reference()).await.unwrap().manifests()[1].digest.clone();
    let other = scene.client.manifest(&signed.repository().at(platform)).await.unwrap();
    scene.client.put_manifest(signed.repository(), Target::Tag("1"), &other).await.unwrap();
    let began = std::time::Instant::now();
    while webhook.validate(&deployment(&tagged)).await["allowed"] == true {
        assert!(began.elapsed() < super::scene::PATIENCE, "the tag's old digest is believed for ever");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // Who pinned it has the image that was signed, whatever the tag says now.
    assert!(webhook.admits(&format!("{tagged}@{}", signed.digest())).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_outside_of_the_policy_is_never_called() {
    let scene = Scene::new("outside");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let webhook = scene.start("");
    for image in [format!("{address}/team/api:1"), format!("{address}/team/api@sha256:{}", "0".repeat(64))] {
        assert!(!webhook.admits(&image).await);
        assert!(webhook.mutate(&pod("shop", &image)).await.get("patch").is_none());
    }
    assert!(listener.accept().is_err(), "somebody called");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_lies_or_says_nothing_lets_nothing_in_and_holds_nothing_up() {
    let scene = Scene::new("liars");
    let signed = scene.signed("team/api").await;
    let digest = signed.digest();
    let list = "application/vnd.oci.image.index.v1+json";
    let index = |entries: &str| format!("{{\"schemaVersion\":2,\"mediaType\":\"{list}\",\"manifests\":[{entries}]}}");
    let entry =
        format!("{{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"{digest}\",\"size\":3}}");
    let header = format!("Docker-Content-Digest: {digest}\r\n");
    let liars = [
        // Everything is the image, it says.
        liar(Some(http(list, &header, &index("")))),
        liar(Some(http(list, &header, &index(&entry)))),
        liar(Some(http(list, "", "{\"a\":1,\"a\":2}"))),
        liar(Some(http("text/html", "", "<html>log in</html>"))),
        liar(Some(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{".to_owned(),
        )),
        liar(None),
    ];
    let registries: String =
        liars.iter().map(|liar| format!("  - name: {liar}\n    dangerPlainHttp: true\n")).collect();
    let matches: String = liars.iter().map(|liar| format!("      - '{liar}/**'\n")).collect();
    let host = &scene.place.host;
    scene.policy(&format!(
        "registries:\n  - name: {host}\n    dangerPlainHttp: true\n{registries}images:\n  - name: ours\n    match:\n      - '{host}/**'\n{matches}"
    ));
    let mut config = scene.config("[registry]\nlookups = 1\n");
    let text = std::fs::read_to_string(&config).unwrap().replacen("[webhook]", "[webhook]\nbudget_ms = 4000", 1);
    config.set_file_name("quick.toml");
    std::fs::write(&config, text).unwrap();
    let webhook = scene.start_with(&config);
    for liar in &liars {
        for image in [format!("{liar}/team/api@{digest}"), format!("{liar}/team/api:1")] {
            let response = webhook.validate(&pod("shop", &image)).await;
            assert_eq!(response["allowed"], false, "{response}");
            let mutated = webhook.mutate(&pod("shop", &image)).await;
            assert!(
                mutated["allowed"] == false || mutated.get("patch").is_none() || image.ends_with(":1"),
                "{mutated}"
            );
        }
    }
    // Whoever waits for the silent one keeps nobody from the others.
    let silent = format!("{}/team/other@{digest}", liars[5]);
    let (review, known) = (pod("shop", &silent), format!("{}@{digest}", signed.repository()));
    let (slow, quick) = tokio::join!(webhook.validate(&review), webhook.admits(&known));
    assert!(slow["allowed"] == false && quick);
    assert!(slow["status"]["message"].as_str().unwrap().contains("unreachable"), "{slow}");
}

/// One connection each, as many API servers have them; one question to the registry for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reviews_at_once_are_answered_each_rightly() {
    const REVIEWS: usize = 1_000;
    let scene = Scene::new("a thousand");
    let (signed, unsigned) = (scene.signed("team/api").await, scene.image("team/unsigned").await);
    let webhook = std::sync::Arc::new(scene.start(""));
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..REVIEWS {
        let (webhook, is_signed) = (webhook.clone(), number % 2 == 0);
        let image = if is_signed { signed.reference() } else { unsigned.reference() };
        asking.spawn(async move {
            let mut review = pod("shop", &image.to_string());
            review["request"]["uid"] = format!("uid-{number}").into();
            (number, is_signed, webhook.validate(&review).await)
        });
    }
    let mut answered = 0;
    while let Some(answer) = asking.join_next().await {
        let (number, is_signed, response) = answer.unwrap();
        assert_eq!(response["uid"], format!("uid-{number}"));
        assert_eq!(response["allowed"], is_signed, "{response}");
        answered += 1;
    }
    assert_eq!(answered, REVIEWS);
    let lookups = webhook.metric("qapi_admission_lookups_total{outcome=\"answered\"}").await;
    // The unsigned one may be looked for again while they come.
    assert!((2.0..=10.0).contains(&lookups), "{lookups} questions to the registry");
}
