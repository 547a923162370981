//! The two hooks over HTTPS: every kind of workload, pinning, modes, explanations, and what is no review.

use std::process::Command;

use artifact::gate::verdict::{self, About};
use artifact::policy::{Asked, Policy};
use serde_json::{Value, json};

use super::scene::{BOM, Scene, Webhook, pod, review};
use crate::binaries::{binary, root};
use crate::guides::runnable;
use crate::oidc::provider::now_s;
use crate::program::{both, run};

fn template(image: &str) -> Value {
    json!({"spec": {"containers": [{"name": "a", "image": image}]}})
}

/// A review of every kind that holds pods, with one image in it.
fn workloads(image: &str) -> Vec<Value> {
    let inner = json!({"template": template(image)});
    let kinds = [
        ("", "ReplicationController", "replicationcontrollers"),
        ("apps", "Deployment", "deployments"),
        ("apps", "ReplicaSet", "replicasets"),
        ("apps", "StatefulSet", "statefulsets"),
        ("apps", "DaemonSet", "daemonsets"),
        ("batch", "Job", "jobs"),
    ];
    let mut reviews: Vec<Value> = kinds
        .into_iter()
        .map(|(group, kind, resource)| review("shop", group, kind, resource, json!({"spec": inner})))
        .collect();
    reviews.push(review("shop", "", "PodTemplate", "podtemplates", inner.clone()));
    reviews.push(review("shop", "batch", "CronJob", "cronjobs", json!({"spec": {"jobTemplate": {"spec": inner}}})));
    for (list, more) in [("initContainers", json!({})), ("initContainers", json!({"restartPolicy": "Always"}))] {
        let mut container = json!({"name": "b", "image": image});
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut pod = pod("shop", image);
        pod["request"]["object"]["spec"][list] = json!([container]);
        reviews.push(pod);
    }
    let mut volume = pod("shop", image);
    volume["request"]["object"]["spec"]["volumes"] = json!([{"name": "v", "image": {"reference": image}}]);
    reviews.push(volume);
    let mut ephemeral = pod("shop", image);
    ephemeral["request"]["object"]["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": image}]);
    ephemeral["request"]["operation"] = "UPDATE".into();
    ephemeral["request"]["subResource"] = "ephemeralcontainers".into();
    reviews.push(ephemeral);
    reviews
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_workload_runs_with_a_signed_image_and_not_with_another() {
    let scene = Scene::new("workloads");
    let (signed, unsigned) = (scene.signed("team/api").await, scene.image("team/unsigned").await);
    let webhook = scene.start("");
    for (image, is_allowed) in [(&signed, true), (&unsigned, false)] {
        for review in workloads(&image.reference().to_string()) {
            let response = webhook.validate(&review).await;
            assert_eq!(response["allowed"], is_allowed, "{review} {response}");
            assert_eq!(response["uid"], review["request"]["uid"]);
        }
    }
    // One good image does not speak for another one beside it.
    let mut mixed = pod("shop", &signed.reference().to_string());
    let second = json!({"name": "b", "image": unsigned.reference().to_string()});
    mixed["request"]["object"]["spec"]["containers"].as_array_mut().unwrap().push(second);
    let response = webhook.validate(&mixed).await;
    assert_eq!(response["allowed"], false);
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("not-signed") && message.contains("qapi image sign") && message.contains("\"b\""),
        "{message}"
    );
    assert!(!message.contains("\"a\""), "{message}");
    let gadget = review("shop", "shop.test", "Gadget", "gadgets", json!({"spec": template("x")}));
    let response = webhook.validate(&gadget).await;
    assert_eq!(response["allowed"], false);
    assert!(response["status"]["message"].as_str().unwrap().contains("[[kinds]]"), "{response}");
    let configmap = review("shop", "", "ConfigMap", "configmaps", json!({"data": {"image": "x"}}));
    assert_eq!(webhook.validate(&configmap).await["allowed"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_are_pinned_in_pods_alone_and_once() {
    let scene = Scene::new("pinning");
    let signed = scene.signed("team/api").await;
    let webhook = scene.start("");
    let tagged = format!("{}:1", signed.repository());
    let refused = webhook.validate(&pod("shop", &tagged)).await;
    assert_eq!(refused["allowed"], false);
    assert!(refused["status"]["message"].as_str().unwrap().contains("not-pinned"), "{refused}");
    let mutated = webhook.mutate(&pod("shop", &tagged)).await;
    assert_eq!((&mutated["allowed"], &mutated["patchType"]), (&json!(true), &json!("JSONPatch")));
    let patch = artifact::base64::decode(mutated["patch"].as_str().unwrap()).unwrap();
    let patch: Value = serde_json::from_slice(&patch).unwrap();
    let pinned = patch[0]["value"].as_str().unwrap();
    assert_eq!(pinned, format!("{tagged}@{}", signed.digest()));
    assert_eq!((&patch[0]["op"], &patch[0]["path"]), (&json!("replace"), &json!("/spec/containers/0/image")));
    let again = webhook.mutate(&pod("shop", pinned)).await;
    assert!(again.get("patch").is_none() && again["allowed"] == true, "{again}");
    assert!(webhook.admits(pinned).await);
    // The repository of whoever deploys says the tag, and so does the template; what comes of it is judged already.
    let deployment =
        review("shop", "apps", "Deployment", "deployments", json!({"spec": {"template": template(&tagged)}}));
    assert!(webhook.mutate(&deployment).await.get("patch").is_none());
    assert_eq!(webhook.validate(&deployment).await["allowed"], true);
    let everything = scene.start("[mutation]\npin = \"everything\"\n");
    assert!(everything.mutate(&deployment).await["patch"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_runs_where_the_policy_only_warns_or_watches() {
    let scene = Scene::new("modes");
    let unsigned = scene.image("team/unsigned").await.reference().to_string();
    scene.policy(&scene.ours(
        "environments:\n  - name: staging\n    namespaces: ['staging-*']\n    mode: warn\n  - name: trial\n    \
         namespaces: [trial]\n    mode: dry-run\n",
    ));
    let webhook = scene.start("");
    for (namespace, is_allowed, decision) in
        [("shop", false, "denied"), ("staging-1", true, "warned"), ("trial", true, "dry-run")]
    {
        for mut review in [pod(namespace, &unsigned), review(namespace, "shop.test", "Gadget", "gadgets", json!({}))] {
            for is_dry in [false, true] {
                review["request"]["dryRun"] = is_dry.into();
                let response = webhook.validate(&review).await;
                assert_eq!(response["allowed"], is_allowed, "{namespace}: {response}");
                assert_eq!(response["auditAnnotations"]["decision"], decision, "{response}");
                assert_eq!(response["warnings"].is_array(), decision == "warned", "{response}");
            }
        }
    }
    let warned = webhook.validate(&pod("staging-1", &unsigned)).await;
    let warning = warned["warnings"][0].as_str().unwrap();
    assert!(warning.contains("would be refused") && warning.len() <= 256, "{warning}");
    assert!(webhook.metric("qapi_admission_reviews_total{hook=\"validate\",outcome=\"warned\"}").await >= 4.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attestations_are_asked_for_by_their_predicate() {
    let scene = Scene::new("attestations");
    let rule = scene.ours(&format!("    attestations:\n      - predicateType: {BOM}\n"));
    scene.policy(&rule);
    let webhook = scene.start("");
    let (attested, other) = (scene.signed("team/attested").await, scene.signed("team/other").await);
    scene.attach(&attested, &[scene.keys.bundle(&scene.keys.attests, BOM, &attested, Default::default())]).await;
    let kind = "https://slsa.dev/provenance/v1";
    scene.attach(&other, &[scene.keys.bundle(&scene.keys.attests, kind, &other, Default::default())]).await;
    assert!(webhook.admits(&attested.reference().to_string()).await);
    let refused = webhook.validate(&pod("shop", &other.reference().to_string())).await;
    assert_eq!(refused["allowed"], false);
    assert!(refused["status"]["message"].as_str().unwrap().contains("attestation-missing"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gate_let_pass_passes_under_the_same_policy() {
    let scene = Scene::new("verdicts");
    let (image, other) = (scene.image("team/api").await, scene.image("team/other").await);
    scene.policy(&scene.ours("verdicts:\n  acceptForS: 86400\n"));
    let policy = Policy::load(&scene.file("policy.yaml")).unwrap();
    let now = i64::try_from(now_s()).unwrap();
    let about =
        About { repository: image.repository(), image: image.digest(), policy: &policy, environment: None, now };
    let carriers = scene.keys.hybrid(&image);
    let (reference, digest) = (image.reference(), image.digest());
    let asked = Asked { reference: &reference, image: digest, carriers: &carriers, environment: None, now };
    let verdict = scene.keys.stated(&scene.keys.verdicts, &verdict::statement(&about, &policy.judge(&asked)));
    // The verdict of one image lies beside another one, too.
    scene.attach(&image, std::slice::from_ref(&verdict)).await;
    scene.attach(&other, &[verdict]).await;
    let webhook = scene.start("");
    assert!(webhook.admits(&image.reference().to_string()).await, "{}", webhook.running.text());
    assert!(!webhook.admits(&other.reference().to_string()).await);
    // Another policy is another question, which the gate was not asked.
    scene.policy(&scene.ours("verdicts:\n  acceptForS: 86401\n"));
    webhook.until(&image.reference().to_string(), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_review_is_refused_without_a_fault() {
    let scene = Scene::new("no reviews");
    let webhook = scene.start("[registry]\nlookups = 1\n");
    for (path, body, status) in [
        ("/validate", b"{}".to_vec(), 400),
        ("/mutate", b"[".to_vec(), 400),
        ("/validate", Vec::new(), 400),
        ("/elsewhere", b"{}".to_vec(), 404),
    ] {
        let answered = webhook.post(path, body).await;
        assert_eq!(answered.status, status, "{path}: {answered:?}");
    }
    // It is not read, so whoever still writes may find the connection closed before the answer.
    let long = webhook.try_post("/validate", vec![b' '; 9 << 20]).await;
    assert!(long.as_ref().map_or(true, |answered| answered.status == 413), "{long:?}");
    let mut half = pod("shop", "x");
    half["request"]["object"] = json!("x");
    let refused = webhook.validate(&half).await;
    assert_eq!((&refused["allowed"], &refused["status"]["code"]), (&json!(false), &json!(400)));
    assert_eq!(webhook.metric("qapi_admission_reviews_total{hook=\"validate\",outcome=\"fault\"}").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_runs_as_it_is_written() {
    let scene = Scene::new("guide");
    let (signed, unsigned) = (scene.signed("team/api").await, scene.image("team/unsigned").await);
    let guide = std::fs::read_to_string(root().join("docs/guides/admission.md")).unwrap();
    // Those about the webhook's certificates are run where there is a platform.
    let blocks: Vec<_> =
        runnable(&guide).into_iter().filter(|block| block.contains("qapi-admission explain")).collect();
    assert!(!blocks.is_empty(), "the guide has lost its blocks");
    let bin = binary("qapi-admission").parent().unwrap().to_owned();
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &blocks.join("\n")])
        .current_dir(scene.folder.path())
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("SIGNED", signed.reference().to_string())
        .env("UNSIGNED", unsigned.reference().to_string());
    let output = run(&mut shell);
    assert!(output.status.success(), "{}", both(&output));
}

async fn explained(webhook: &Webhook, image: &str, namespace: &str) -> Value {
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(None).unwrap())
        .timeout(super::scene::PATIENCE)
        .build()
        .unwrap();
    let body = json!({"image": image, "namespace": namespace}).to_string();
    let answer = http.post(format!("http://{}/explain", webhook.status)).body(body).send().await.unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_asks_is_told_why() {
    let scene = Scene::new("explanations");
    let (signed, unsigned) = (scene.signed("team/api").await, scene.image("team/unsigned").await);
    let webhook = scene.start("");
    let told = explained(&webhook, &signed.reference().to_string(), "shop").await;
    assert_eq!((&told["effect"], &told["rule"]), (&json!("allow"), &json!("ours")), "{told}");
    let told = explained(&webhook, &unsigned.reference().to_string(), "shop").await;
    assert_eq!((&told["effect"], &told["refusals"][0]["code"]), (&json!("deny"), &json!("not-signed")), "{told}");
    let explain = |image: &str| {
        let mut command = Command::new(binary("qapi-admission"));
        run(command.args(["explain", "--policy"]).arg(scene.file("policy.yaml")).arg(image))
    };
    let elsewhere = "127.0.0.1:1/team/api:1";
    for (image, code, word) in [
        (format!("{}:1", signed.repository()), 0, "it runs"),
        (unsigned.reference().to_string(), 2, "not-signed"),
        (elsewhere.to_owned(), 2, "registry-not-allowed"),
        ("A:B:C".to_owned(), 4, "not the name of an image"),
    ] {
        let output = explain(&image);
        assert_eq!(output.status.code(), Some(code), "{image}: {}", both(&output));
        assert!(both(&output).contains(word), "{image}: {}", both(&output));
    }
    scene.policy("registries:\n  - name: 127.0.0.1:1\n    dangerPlainHttp: true\nimages:\n  - name: ours\n    match: ['127.0.0.1:1/**']\n");
    assert_eq!(explain(elsewhere).status.code(), Some(3));
}
