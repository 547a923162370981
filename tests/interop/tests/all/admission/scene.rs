//! A registry, keys, a policy, and a webhook that runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use artifact::bundle::Bundle;
use artifact::dsse::{Envelope, IN_TOTO, Signature, pae};
use artifact::hybrid::{HybridSet, REPOSITORY};
use artifact::image::{Image, attach};
use artifact::registry::Client;
use artifact::simple_signing::SimpleSigning;
use artifact::statement::{Statement, Subject};
use artifact::verification::{Carrier, SIGN_PREDICATE};
use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::Seeded;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binaries::binary;
use crate::https::Authority;
use crate::registries::place::{Kind, Place, client, usual};
use crate::running::Running;

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const BOM: &str = "https://cyclonedx.org/bom";
/// Of the attached manifests; no judgement depends on it.
const NOW: i64 = 1_800_000_000;

/// Who signs.
pub struct Keys {
    random: Seeded,
    pub classical: PrivateKey,
    pub quantum_safe: PrivateKey,
    pub attests: PrivateKey,
    pub verdicts: PrivateKey,
}

impl Keys {
    pub fn new(seed: &str) -> Self {
        let random = Seeded::new(seed.as_bytes());
        let key = |algorithm| PrivateKey::generate(algorithm, &random).unwrap();
        let (classical, quantum_safe) = (key(Algorithm::EcdsaP256), key(Algorithm::MlDsa65));
        let (attests, verdicts) = (key(Algorithm::MlDsa65), key(Algorithm::MlDsa65));
        Self { classical, quantum_safe, attests, verdicts, random }
    }

    /// The section of the policy; `more` is said of each signing key.
    pub fn section(&self, more: &str) -> String {
        let key = |name: &str, purpose: &str, key: &PrivateKey, more: &str| {
            let pem = key.public_key().unwrap().to_pem();
            let pem: String = pem.lines().map(|line| format!("      {line}\n")).collect();
            format!("  - name: {name}\n    purpose: {purpose}\n{more}    publicKey: |\n{pem}")
        };
        let keys = [
            key("classical", "signature", &self.classical, more),
            key("quantum-safe", "signature", &self.quantum_safe, more),
            key("attests", "attestation", &self.attests, ""),
            key("verdicts", "verdict", &self.verdicts, ""),
        ];
        format!("version: 1\nkeys:\n{}", keys.concat())
    }

    /// The three carriers of a hybrid signature.
    pub fn hybrid(&self, image: &Image) -> Vec<Carrier> {
        let keys = [self.classical.public_key().unwrap(), self.quantum_safe.public_key().unwrap()];
        let keys = [&keys[0], &keys[1]];
        let set = HybridSet::new([7; 16], &keys).to_annotations(&keys);
        vec![
            self.layer(&self.classical, &image.repository().to_string(), image, set.clone()),
            self.bundle(&self.classical, SIGN_PREDICATE, image, set.clone()),
            self.bundle(&self.quantum_safe, SIGN_PREDICATE, image, set),
        ]
    }

    /// A legacy layer that was signed for a repository.
    pub fn layer(
        &self,
        key: &PrivateKey,
        signed_for: &str,
        image: &Image,
        optional: BTreeMap<String, Value>,
    ) -> Carrier {
        let reference = signed_for.to_owned();
        let payload = SimpleSigning { digest: image.digest().clone(), reference, optional }.to_payload().unwrap();
        let signature = key.sign(&payload, &self.random).unwrap();
        Carrier::Layer { payload, signature }
    }

    pub fn bundle(&self, key: &PrivateKey, kind: &str, image: &Image, mut said: BTreeMap<String, Value>) -> Carrier {
        said.insert(REPOSITORY.to_owned(), image.repository().to_string().into());
        let subject = Subject { name: None, digests: vec![image.digest().clone()], annotations: said };
        let statement =
            Statement { subjects: vec![subject], predicate_type: kind.to_owned(), predicate: json!({"a": 1}) };
        self.stated(key, &statement)
    }

    /// A bundle of a statement.
    pub fn stated(&self, key: &PrivateKey, statement: &Statement) -> Carrier {
        self.over(key, statement.to_payload())
    }

    /// A bundle of a payload, whatever it says.
    pub fn over(&self, key: &PrivateKey, payload: Vec<u8>) -> Carrier {
        let sig = key.sign(&pae(IN_TOTO, &payload), &self.random).unwrap();
        let envelope = Envelope::new(IN_TOTO, payload, Signature { key_id: None, sig });
        Carrier::Bundle(Bundle::of_envelope(envelope, &key.public_key().unwrap()))
    }
}

/// A registry with keys and a policy beside it.
pub struct Scene {
    pub folder: TempDir,
    pub keys: Keys,
    pub place: Place,
    pub client: Client,
    pub quantum_safe: Authority,
    pub classical: Authority,
}

/// A webhook that runs.
pub struct Webhook {
    pub running: Running,
    pub address: String,
    pub status: String,
    http: reqwest::Client,
}

/// An answer of it.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub text: String,
}

impl Scene {
    pub fn new(seed: &str) -> Self {
        Self::on(usual(), seed)
    }

    pub fn on(kind: Kind, seed: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let quantum_safe = Authority::new(folder.path(), "qs", Algorithm::MlDsa65);
        let classical = Authority::new(folder.path(), "classical", Algorithm::EcdsaP256);
        let scene = Self {
            keys: Keys::new(seed),
            place: Place::start(kind),
            client: client(),
            folder,
            quantum_safe,
            classical,
        };
        scene.quantum_safe.issue(&scene.file("qs.pem"), &scene.file("qs.key"));
        scene.classical.issue(&scene.file("classical.pem"), &scene.file("classical.key"));
        scene.policy(&scene.ours(""));
        scene
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What follows the keys: our registry, one rule, `more`.
    pub fn ours(&self, more: &str) -> String {
        let host = &self.place.host;
        format!(
            "registries:\n  - name: {host}\n    dangerPlainHttp: true\nimages:\n  - name: ours\n    match: ['{host}/team/**']\n{more}"
        )
    }

    /// Puts a policy in place.
    pub fn policy(&self, rest: &str) {
        exchange(&self.file("policy.yaml"), &format!("{}{rest}", self.keys.section("")));
    }

    /// An image, stored under the tag `1`.
    pub async fn image(&self, path: &str) -> Image {
        self.place.image(&self.client, path, "1").await
    }

    pub async fn attach(&self, image: &Image, carriers: &[Carrier]) {
        attach(&self.client, image, carriers, NOW).await.unwrap();
    }

    /// An image with a hybrid signature.
    pub async fn signed(&self, path: &str) -> Image {
        let image = self.image(path).await;
        self.attach(&image, &self.keys.hybrid(&image)).await;
        image
    }

    /// The configuration, with `more` at its end.
    pub fn config(&self, more: &str) -> PathBuf {
        let folder = self.folder.path().display();
        let tls = format!(
            "certificate_file = \"{folder}/qs.pem\"\nkey_file = \"{folder}/qs.key\"\n\
             classical_certificate_file = \"{folder}/classical.pem\"\nclassical_key_file = \"{folder}/classical.key\"\n"
        );
        self.config_with(&tls, more)
    }

    /// The configuration with this section of `tls`.
    pub fn config_with(&self, tls: &str, more: &str) -> PathBuf {
        let path = self.file("admission.toml");
        let folder = self.folder.path().display();
        let text = format!(
            "[webhook]\nlisten = \"127.0.0.1:0\"\n[status]\nlisten = \"127.0.0.1:0\"\n[policy]\nfile = \"{folder}/policy.yaml\"\n\
             [tls]\n{tls}{more}"
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn start(&self, more: &str) -> Webhook {
        self.start_with(&self.config(more))
    }

    pub fn start_with(&self, config: &Path) -> Webhook {
        let mut command = Command::new(binary("qapi-admission"));
        command.env_clear();
        self.start_by(command, config)
    }

    /// The same by a command that was prepared.
    pub fn start_by(&self, mut command: Command, config: &Path) -> Webhook {
        command.arg("serve").arg("--config").arg(config);
        let running = Running::start(&mut command);
        let status = running.announced("status ");
        let address = running.announced("ready ");
        Webhook { running, address, status, http: https(&self.quantum_safe.anchor) }
    }
}

/// A client that reads ML-DSA and believes one authority, as an API server does with its `caBundle`.
fn https(anchor: &Path) -> reqwest::Client {
    let tls = tls::client_config(Some(anchor)).unwrap();
    reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(PATIENCE).build().unwrap()
}

/// Whoever reads meanwhile sees the old content or the new one.
fn exchange(path: &Path, content: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, content).unwrap();
    std::fs::rename(beside, path).unwrap();
}

impl Webhook {
    pub async fn post(&self, path: &str, body: Vec<u8>) -> Answered {
        self.try_post(path, body).await.unwrap()
    }

    pub async fn try_post(&self, path: &str, body: Vec<u8>) -> Result<Answered, reqwest::Error> {
        let request = self.http.post(format!("https://{}{path}?timeout=10s", self.address));
        let response = request.header("content-type", "application/json").body(body).send().await?;
        let status = response.status().as_u16();
        Ok(Answered { status, text: response.text().await? })
    }

    /// The answer of the validating hook.
    pub async fn validate(&self, review: &Value) -> Value {
        self.post("/validate", review.to_string().into_bytes()).await.response()
    }

    /// The answer of the mutating hook.
    pub async fn mutate(&self, review: &Value) -> Value {
        self.post("/mutate", review.to_string().into_bytes()).await.response()
    }

    /// Whether a pod of this image may run.
    pub async fn admits(&self, image: &str) -> bool {
        self.validate(&pod("shop", image)).await["allowed"] == true
    }

    /// Waits until a pod of this image is answered so.
    pub async fn until(&self, image: &str, is_allowed: bool) {
        let began = std::time::Instant::now();
        while self.admits(image).await != is_allowed {
            assert!(began.elapsed() < PATIENCE, "{image} stays {}: {}", !is_allowed, self.running.text());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What the status listener says.
    pub async fn told(&self, path: &str) -> String {
        self.http.get(format!("http://{}{path}", self.status)).send().await.unwrap().text().await.unwrap()
    }

    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.told("/metrics").await;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or(0.0)
    }
}

impl Answered {
    /// The response of a review.
    #[track_caller]
    pub fn response(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        let review: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(
            (&review["kind"], &review["apiVersion"]),
            (&json!("AdmissionReview"), &json!("admission.k8s.io/v1"))
        );
        review["response"].clone()
    }
}

/// The review of a pod of one image.
pub fn pod(namespace: &str, image: &str) -> Value {
    review(namespace, "", "Pod", "pods", json!({"spec": {"containers": [{"name": "a", "image": image}]}}))
}

/// The review of an object that is made.
pub fn review(namespace: &str, group: &str, kind: &str, resource: &str, object: Value) -> Value {
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "4b5aded9-e80b-577c-a604-f00028946141",
        "kind": {"group": group, "version": "v1", "kind": kind},
        "resource": {"group": group, "version": "v1", "resource": resource},
        "name": "app", "namespace": namespace, "operation": "CREATE",
        "userInfo": {"username": "dev@shop.test"}, "object": object, "oldObject": null, "dryRun": false
    }})
}
