//! A registry that asks who the webhook is, and the Secret that says it, mounted as a kubelet mounts it.

use std::os::unix::fs::symlink;
use std::path::Path;

use artifact::image::{Image, attach};
use artifact::registry::{Client, Credential, Keychain, Options};
use serde_json::{Value, json};

use super::scene::{Scene, pod};
use crate::registries::place::{Place, ZOT_USER, usual};

/// What `kubectl create secret docker-registry` puts into a Secret.
fn docker_config(host: &str, user: &str) -> Value {
    let (name, password) = user.split_once(':').unwrap();
    let auth = artifact::base64::encode(user.as_bytes());
    json!({"auths": {host: {"username": name, "password": password, "email": "", "auth": auth}}})
}

/// Puts another content of the Secret in place, as a kubelet does: a folder of its own, and a link that is exchanged.
fn mount(folder: &Path, version: u32, content: &Value) {
    let fresh = folder.join(format!("..{version}"));
    std::fs::create_dir(&fresh).unwrap();
    std::fs::write(fresh.join("config.json"), content.to_string()).unwrap();
    let (link, beside) = (folder.join("..data"), folder.join("..data_tmp"));
    symlink(&fresh, &beside).unwrap();
    std::fs::rename(&beside, &link).unwrap();
    if version == 1 {
        symlink("..data/config.json", folder.join("config.json")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_of_a_private_registry_run_by_a_mounted_secret_that_may_come_late_and_change() {
    let scene = Scene::new("private");
    let place = Place::start_with(usual(), Some(ZOT_USER));
    let (name, password) = ZOT_USER.split_once(':').unwrap();
    let credential = Credential::Password { user: name.to_owned(), password: password.to_owned().into() };
    let client = Client::new(Options::default(), Keychain::anonymous().with(&place.host, credential)).unwrap();
    let mut signed = Vec::new();
    for number in 0..4 {
        let image: Image = place.image(&client, &format!("team/api{number}"), "1").await;
        attach(&client, &image, &scene.keys.hybrid(&image), 0).await.unwrap();
        signed.push(image.reference().to_string());
    }
    let unsigned = place.image(&client, "team/unsigned", "1").await.reference().to_string();
    let host = &place.host;
    scene.policy(&format!(
        "registries:\n  - name: {host}\n    dangerPlainHttp: true\nimages:\n  - name: ours\n    match: ['{host}/**']\n"
    ));
    let mounted = scene.file("registry");
    std::fs::create_dir(&mounted).unwrap();
    let credentials = mounted.join("config.json");
    let more = format!("[registry]\ncredentials_file = \"{}\"\n[cache]\nrefused_s = 0\n", credentials.display());
    let webhook = scene.start(&more);
    // A question that failed is remembered for a moment, so each is about an image of its own.
    let refused = async |image: &str| {
        let response = webhook.validate(&pod("shop", image)).await;
        let message = response["status"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(response["allowed"] == false && message.contains("(401"), "{response}");
    };
    // The Secret is optional and not there yet; then it has another password; then what is right, for another registry.
    refused(&signed[0]).await;
    mount(&mounted, 1, &docker_config(host, "ada:another"));
    refused(&signed[1]).await;
    mount(&mounted, 2, &docker_config("registry.example", ZOT_USER));
    refused(&signed[2]).await;
    mount(&mounted, 3, &docker_config(host, ZOT_USER));
    assert!(webhook.admits(&signed[3]).await, "{}", webhook.running.text());
    webhook.until(&signed[0], true).await;
    assert!(!webhook.admits(&unsigned).await);
    // A broken one is told of, and lets nothing run that is not known.
    mount(&mounted, 4, &json!({"auths": {host: {"auth": "no base64!"}}}));
    assert!(webhook.admits(&signed[3]).await, "what was found serves");
    let text = webhook.running.text() + &webhook.told("/metrics").await;
    assert!(!text.contains(password) && !text.contains("another"), "a password is told");
}
