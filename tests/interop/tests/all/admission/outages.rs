//! What goes on when something does not: the registry, the policy, the certificates, the webhook itself.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::scene::{PATIENCE, Scene, pod};
use crate::binaries::binary;
use crate::program::{both, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_serves_while_the_registry_is_down_and_not_for_ever() {
    let mut scene = Scene::new("outage");
    let (known, unknown) = (scene.signed("team/known").await, scene.signed("team/unknown").await);
    let (known, unknown) = (known.reference().to_string(), unknown.reference().to_string());
    let unsigned = scene.image("team/unsigned").await.reference().to_string();
    // Nothing is fresh, so that every review asks; what was found counts for a quarter of a minute.
    let webhook = scene.start("[cache]\nfresh_s = 0\nrefused_s = 0\nstale_s = 15\n");
    assert!(webhook.admits(&known).await && !webhook.admits(&unsigned).await);
    let found = Instant::now();
    scene.place.stop();
    let response = webhook.validate(&pod("shop", &known)).await;
    assert!(response["allowed"] == true || found.elapsed() > Duration::from_secs(15), "{response}");
    if response["allowed"] == true {
        let warning = response["warnings"][0].as_str().unwrap();
        assert!(warning.contains("the registry does not answer"), "{warning}");
    }
    let response = webhook.validate(&pod("shop", &unknown)).await;
    assert_eq!(response["allowed"], false);
    assert!(response["status"]["message"].as_str().unwrap().contains("unreachable"), "{response}");
    assert!(!webhook.admits(&unsigned).await, "an old refusal is no admission");
    webhook.until(&known, false).await;
    assert!(webhook.metric("qapi_admission_lookups_total{outcome=\"unreachable\"}").await >= 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_is_refused_although_the_registry_is_down() {
    let mut scene = Scene::new("revocation");
    let (denied, kept) = (scene.signed("team/denied").await, scene.signed("team/kept").await);
    let names = [denied.reference().to_string(), kept.reference().to_string()];
    let webhook = scene.start("");
    for name in &names {
        assert!(webhook.admits(name).await);
    }
    scene.place.stop();
    let began = Instant::now();
    let list = format!("denied:\n  - digest: {}\n    reason: a hole was found\n", denied.digest());
    scene.policy(&scene.ours(&list));
    webhook.until(&names[0], false).await;
    assert!(began.elapsed() < Duration::from_secs(60), "a digest is refused within a minute");
    assert!(webhook.admits(&names[1]).await);
    let response = webhook.validate(&pod("shop", &names[0])).await;
    assert!(response["status"]["message"].as_str().unwrap().contains("a hole was found"), "{response}");
    // The keys themselves.
    let revoked = scene.keys.section("    state: revoked\n");
    std::fs::write(scene.file("policy.yaml"), format!("{revoked}{}", scene.ours(""))).unwrap();
    webhook.until(&names[1], false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_broken_changes_nothing_and_is_told_of() {
    let scene = Scene::new("broken policy");
    let signed = scene.signed("team/api").await.reference().to_string();
    let unsigned = scene.image("team/unsigned").await.reference().to_string();
    let webhook = scene.start("");
    assert!(webhook.admits(&signed).await && !webhook.admits(&unsigned).await);
    scene.policy("images: everything\n");
    let began = Instant::now();
    while webhook.metric("qapi_admission_policy_current").await != 0.0 {
        assert!(began.elapsed() < PATIENCE, "nobody sees that the policy is broken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let response = webhook.validate(&pod("shop", &signed)).await;
    assert_eq!(response["allowed"], true, "{response}");
    assert!(response["warnings"][0].as_str().unwrap().contains("not usable"), "{response}");
    assert!(!webhook.admits(&unsigned).await);
    // None that starts now has one before to keep.
    let refused =
        run(Command::new(binary("qapi-admission")).args(["serve", "--check", "--config"]).arg(scene.config("")));
    assert_eq!(refused.status.code(), Some(1));
    assert!(both(&refused).contains("policy.yaml: line"), "{}", both(&refused));
    scene.policy(&scene.ours(""));
    while webhook.metric("qapi_admission_policy_current").await != 1.0 {
        assert!(began.elapsed() < 2 * PATIENCE, "the policy stays broken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_exchanged_while_it_runs_and_the_classical_one_is_recorded() {
    let scene = Scene::new("certificates");
    let signed = scene.signed("team/api").await.reference().to_string();
    let webhook = scene.start("");
    assert!(webhook.admits(&signed).await);
    // Python's OpenSSL knows no ML-DSA, as API servers of today do not.
    let old = |anchor: &Path| {
        let script = "import json, ssl, sys, urllib.request as u\n\
            c = ssl.create_default_context(cafile=sys.argv[1])\n\
            q = u.Request(sys.argv[2], data=sys.argv[3].encode(), headers={'Content-Type': 'application/json'})\n\
            print(json.load(u.urlopen(q, context=c))['response']['allowed'])";
        let (address, review) = (format!("https://{}/validate", webhook.address), pod("shop", &signed).to_string());
        run(Command::new("python3").args(["-c", script]).arg(anchor).args([address, review]))
    };
    let served = old(&scene.classical.anchor);
    assert!(both(&served).contains("True"), "{}", both(&served));
    let shown = webhook.told("/metrics").await;
    for certificate in ["ECDSA-P256", "ML-DSA-65"] {
        assert!(shown.contains(&format!("handshakes_total{{certificate=\"{certificate}\"")), "{shown}");
        assert!(shown.contains(&format!("not_after_seconds{{algorithm=\"{certificate}\"}}")), "{shown}");
    }
    let other = crate::https::Authority::new(scene.folder.path(), "other", crypto::algorithm::Algorithm::EcdsaP256);
    other.issue(&scene.file("classical.pem"), &scene.file("classical.key"));
    let began = Instant::now();
    while !both(&old(&other.anchor)).contains("True") {
        assert!(began.elapsed() < PATIENCE, "the old certificate stays: {}", webhook.running.text());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(webhook.admits(&signed).await, "the other chain is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_killed_and_starts_again_and_stops_when_told() {
    let scene = Scene::new("restart");
    let signed = scene.signed("team/api").await.reference().to_string();
    let mut webhook = scene.start("");
    assert!(webhook.admits(&signed).await);
    assert_eq!(webhook.told("/health/ready").await, "ready");
    webhook.running.kill();
    let mut webhook = scene.start("");
    assert!(webhook.admits(&signed).await, "it needs nothing that the one before knew");
    assert_eq!(webhook.running.stop().code(), Some(0));
}
