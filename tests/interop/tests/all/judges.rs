//! An image before all who judge images: the deploy gate, `qapi image verify` and the admission webhook, over one registry, with
//! one policy and the same keys.

use std::path::PathBuf;
use std::process::{Command, Output};

use artifact::bundle;
use artifact::image::Image;
use artifact::manifest::{Descriptor, EMPTY, EMPTY_CONTENT, Image as ImageManifest};
use serde_json::Value;

use crate::admission::scene::{Scene, Webhook, pod};
use crate::binaries::binary;
use crate::program::{both, run};

pub struct Judges<'s> {
    scene: &'s Scene,
    pub webhook: Webhook,
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    pub status: i32,
    /// The code of the first refusal, where there is a report, and otherwise all that was said.
    pub code: String,
    pub text: String,
}

impl<'s> Judges<'s> {
    pub fn new(scene: &'s Scene) -> Self {
        Self { scene, webhook: scene.start("") }
    }

    /// The deploy gate.
    pub fn gate(&self, image: &str) -> Said {
        gate(self.scene, image, &[])
    }

    /// `qapi image verify`, for the repository that the image lies in.
    pub fn verify(&self, image: &str) -> Said {
        verify(self.scene, image)
    }

    /// `qapi image verify-attestation`.
    pub fn attested(&self, image: &str, kind: &str) -> Said {
        let key = public(self.scene, "attests");
        said(&run(qapi(self.scene).args(["image", "verify-attestation", image, "--type", kind, "--key"]).arg(key)))
    }

    /// All let it pass.
    pub async fn pass(&self, image: &Image) {
        let name = image.reference().to_string();
        for said in [self.gate(&name), self.verify(&name)] {
            assert_eq!(said.status, 0, "{}", said.text);
        }
        let response = self.webhook.validate(&pod("shop", &name)).await;
        assert_eq!(response["allowed"], true, "{response}");
    }

    /// None lets it pass, the gate and admission for this reason.
    pub async fn refuse(&self, image: &Image, code: &str) {
        let name = image.reference().to_string();
        let said = self.gate(&name);
        assert_eq!((said.status, said.code.as_str()), (2, code), "{}", said.text);
        let said = self.verify(&name);
        assert_eq!(said.status, 2, "{}", said.text);
        self.keep_out(image, code).await;
    }

    /// Admission does not let it in, for this reason.
    pub async fn keep_out(&self, image: &Image, code: &str) {
        let response = self.webhook.validate(&pod("shop", &image.reference().to_string())).await;
        let codes = response["auditAnnotations"]["images"].as_str().unwrap_or_default().to_owned();
        assert!(response["allowed"] == false && codes.contains(code), "{code}: {response}");
    }
}

/// The deploy gate over one image, with the scene's policy.
pub fn gate(scene: &Scene, image: &str, words: &[&str]) -> Said {
    let versions = scene.file("versions.yaml");
    std::fs::write(&versions, format!("api: '{image}'\n")).unwrap();
    let mut command = qapi(scene);
    command.args(["gate", "verify", "-o", "json", "--versions"]).arg(versions);
    said(&run(command.arg("--policy").arg(scene.file("policy.yaml")).args(words)))
}

pub fn verify(scene: &Scene, image: &str) -> Said {
    let repository = image.split('@').next().unwrap_or_default();
    let repository =
        repository.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(repository, |(name, _)| name);
    let mut command = qapi(scene);
    command.args(["image", "verify", image, "--signed-for", repository]);
    for key in ["classical", "quantum_safe"] {
        command.arg("--key").arg(public(scene, key));
    }
    said(&run(&mut command))
}

/// `qapi` of somebody who has nothing but the keys' public halves.
pub fn qapi(scene: &Scene) -> Command {
    let mut command = Command::new(binary("qapi"));
    command.env_clear().env("HOME", scene.folder.path()).current_dir(scene.folder.path());
    command
}

/// The file of a public key.
fn public(scene: &Scene, name: &str) -> PathBuf {
    let keys = &scene.keys;
    let key = match name {
        "classical" => &keys.classical,
        "quantum_safe" => &keys.quantum_safe,
        _ => &keys.attests,
    };
    let path = scene.file(&format!("{name}.pub"));
    std::fs::write(&path, key.public_key().unwrap().to_pem()).unwrap();
    path
}

fn said(output: &Output) -> Said {
    let text = both(output);
    assert!(!text.contains("panicked"), "{text}");
    let report: Option<Value> = serde_json::from_slice(&output.stdout).ok();
    let code = report.as_ref().and_then(|report| report["images"][0]["refusals"][0]["code"].as_str());
    let code = code.map_or_else(|| text.clone(), str::to_owned);
    Said { status: output.status.code().unwrap_or(-1), code, text }
}

/// Stores bytes beside an image as if they were a bundle.
pub async fn attach_bytes(scene: &Scene, image: &Image, bytes: &[u8]) {
    let client = &scene.client;
    client.put_blob(image.repository(), EMPTY_CONTENT).await.unwrap();
    client.put_blob(image.repository(), bytes).await.unwrap();
    let layer = Descriptor::of(bundle::MEDIA_TYPE, bytes);
    let mut manifest = ImageManifest::new(Descriptor::of(EMPTY, EMPTY_CONTENT), vec![layer]);
    manifest.artifact_type = Some(bundle::MEDIA_TYPE.to_owned());
    manifest.subject = Some(client.manifest(&image.reference()).await.unwrap().descriptor().clone());
    client.put_referrers(image.repository(), &[manifest.to_manifest().unwrap()]).await.unwrap();
}
