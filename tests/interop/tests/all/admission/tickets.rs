//! Tickets of a platform that runs: issued, taken back, and unknown when the platform is down.

use serde_json::json;

use super::scene::{Scene, pod};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_lets_an_image_run_until_it_is_taken_back_or_nobody_can_say() {
    let scene = Scene::new("tickets");
    let (hotfix, other) = (scene.image("team/hotfix").await, scene.image("team/other").await);
    let denied = scene.image("team/denied").await;
    let environments = "environments:\n  - name: production\n    namespaces: [shop]\n";
    let list = format!("denied:\n  - digest: {}\n    reason: a hole was found\n", denied.digest());
    scene.policy(&scene.ours(&format!("{environments}{list}")));
    let (hotfix, other) = (hotfix.reference().to_string(), other.reference().to_string());
    let denied = denied.reference().to_string();

    let mut server = tokio::task::spawn_blocking(Server::start_dev).await.unwrap();
    let admin = server.client();
    let reader = admin.post("/api/v1/api-keys", &json!({"name": "admission", "scopes": ["gate:read"]})).expect(201);
    std::fs::write(scene.file("api.key"), reader.text_of("key")).unwrap();
    let webhook = scene.start(&format!(
        "[platform]\nurl = \"{}\"\nkey_file = \"{}\"\n",
        server.base_url(),
        scene.file("api.key").display()
    ));
    assert!(!webhook.admits(&hotfix).await && !webhook.admits(&other).await);

    let digest = hotfix.split_once('@').unwrap().1;
    let issue = json!({"reason": "the shop is down", "environment": "production", "digests": [digest]});
    let ticket = admin.post("/api/v1/gate/tickets", &issue).expect(201).text_of("id");
    webhook.until(&hotfix, true).await;
    let response = webhook.validate(&pod("shop", &hotfix)).await;
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(warning.contains(&ticket) && warning.contains("the shop is down"), "{response}");
    assert!(response["auditAnnotations"]["images"].as_str().unwrap().contains("bypassed"), "{response}");
    assert!(webhook.told("/metrics").await.contains("verdict=\"bypassed\""));
    assert_eq!(webhook.validate(&pod("elsewhere", &hotfix)).await["allowed"], false, "another environment");
    assert!(!webhook.admits(&other).await, "another image");
    admin.post(&format!("/api/v1/gate/tickets/{ticket}/revoke"), &json!({})).expect(200);
    webhook.until(&hotfix, false).await;

    let everything = json!({"reason": "the registry was restored without signatures", "environment": "production"});
    admin.post("/api/v1/gate/tickets", &everything).expect(201);
    webhook.until(&other, true).await;
    assert!(!webhook.admits(&denied).await, "what the policy denies by its digest stays denied");
    // Whether it was taken back meanwhile, nobody can say any more.
    server.kill();
    webhook.until(&other, false).await;
}
