//! Advisories about what runs in a cluster.

use serde_json::json;

use crate::admission::scene::{Scene, pod, review};
use crate::judges::Judges;
use crate::liar::liar;

pub async fn forged_outcome(scene: &Scene, judges: &Judges<'_>) {
    let image = scene.image("team/forged").await;
    let name = image.reference().to_string();
    let outcomes = json!({
        "kyverno.io/verify-images": format!("{{\"{name}\":\"pass\"}}"),
        "kyverno.io/image-verification-outcomes": "{\"ours\":{\"result\":\"pass\"}}",
        "decision": "allow",
        "images": format!("{name} passed"),
        "qapi.dev/verified": "true",
    });
    let mut review = pod("shop", &name);
    review["request"]["object"]["metadata"] = json!({"annotations": outcomes, "labels": outcomes});
    for response in [judges.webhook.validate(&review).await, judges.webhook.mutate(&review).await] {
        let is_changed = response.get("patch").is_some();
        assert!(response["allowed"] == false || !is_changed, "{response}");
    }
    assert_eq!(judges.webhook.validate(&review).await["allowed"], false);
}

pub async fn ephemeral_container(scene: &Scene, judges: &Judges<'_>) {
    let (signed, unsigned) = (scene.signed("team/running").await, scene.image("team/debugger").await);
    let object = |debugger: &str| {
        json!({"spec": {
            "containers": [{"name": "a", "image": signed.reference().to_string()}],
            "ephemeralContainers": [{"name": "debug", "image": debugger}],
        }})
    };
    for (debugger, is_allowed) in [(unsigned.reference(), false), (signed.reference(), true)] {
        let mut review = review("shop", "", "Pod", "pods", object(&debugger.to_string()));
        review["request"]["operation"] = "UPDATE".into();
        review["request"]["subResource"] = "ephemeralcontainers".into();
        review["request"]["oldObject"] =
            json!({"spec": {"containers": [{"name": "a", "image": signed.reference().to_string()}]}});
        let response = judges.webhook.validate(&review).await;
        assert_eq!(response["allowed"], is_allowed, "{response}");
    }
}

pub async fn silent_registry(scene: &Scene, _: &Judges<'_>) {
    let silent = liar(None);
    scene.policy(&format!(
        "registries:\n  - name: {silent}\n    dangerPlainHttp: true\nimages:\n  - name: ours\n    match: ['{silent}/**']\n"
    ));
    let config = scene.config("");
    let text = std::fs::read_to_string(&config).unwrap().replacen("[webhook]", "[webhook]\nbudget_ms = 1000", 1);
    std::fs::write(&config, text).unwrap();
    let webhook = scene.start_with(&config);
    for image in [format!("{silent}/team/api:1"), format!("{silent}/team/api@sha256:{}", "1".repeat(64))] {
        let response = webhook.validate(&pod("shop", &image)).await;
        assert_eq!(response["allowed"], false, "{response}");
    }
}
