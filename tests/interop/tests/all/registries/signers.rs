//! Keys and what they sign, by our library and by others.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use artifact::bundle::Bundle;
use artifact::digest::Digest;
use artifact::dsse::{Envelope, IN_TOTO, Signature, pae};
use artifact::hybrid::{HybridSet, REPOSITORY};
use artifact::image::{Evidence, Image, Wanted, find};
use artifact::registry::Client;
use artifact::simple_signing::SimpleSigning;
use artifact::statement::{Statement, Subject};
use artifact::trusted_key::{Purpose, State, TrustedKey};
use artifact::verification::{Carrier, NO_ANNOTATIONS, Question, Refusal, Requirement, SIGN_PREDICATE, signature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::Seeded;
use serde_json::{Value, json};

use super::place::tool;

/// 15 January 2027.
pub const NOW: i64 = 1_800_000_000;

/// A classical and a post-quantum key, of which the classical one lies in files that others read.
pub struct Keys {
    random: Seeded,
    pub classical: PrivateKey,
    pub post_quantum: PrivateKey,
}

impl Keys {
    pub fn new(seed: &str) -> Self {
        let random = Seeded::new(seed.as_bytes());
        let classical = PrivateKey::generate(Algorithm::EcdsaP256, &random).unwrap();
        let post_quantum = PrivateKey::generate(Algorithm::MlDsa65, &random).unwrap();
        Self { random, classical, post_quantum }
    }

    pub fn trusted(&self) -> Vec<TrustedKey> {
        [("classical", &self.classical), ("post-quantum", &self.post_quantum)]
            .map(|(name, key)| TrustedKey {
                name: name.to_owned(),
                key: key.public_key().unwrap(),
                purpose: Purpose::Signature,
                state: State::Active,
            })
            .into()
    }

    /// Writes `cosign.pub` and the private key as cosign imports it.
    pub fn write(&self, folder: &Path) {
        let public = self.classical.public_key().unwrap().to_pem();
        std::fs::write(folder.join("cosign.pub"), public).unwrap();
        std::fs::write(folder.join("private.pem"), self.classical.to_pem().unwrap().expose()).unwrap();
        let mut import = tool("cosign3");
        import.args(["import-key-pair", "--key", "private.pem", "--output-key-prefix", "import"]);
        crate::program::succeed(import.env("COSIGN_PASSWORD", "").current_dir(folder));
    }

    /// The carriers of a classical signature: the legacy layer and the bundle.
    pub fn classical(&self, image: &Image) -> Vec<Carrier> {
        vec![self.layer(image, BTreeMap::new()), self.bundle(&self.classical, image, BTreeMap::new())]
    }

    pub fn post_quantum(&self, image: &Image) -> Vec<Carrier> {
        vec![self.bundle(&self.post_quantum, image, BTreeMap::new())]
    }

    /// The three carriers of a hybrid signature, the post-quantum one first: attaching puts them in order.
    pub fn hybrid(&self, image: &Image) -> Vec<Carrier> {
        let keys = [self.classical.public_key().unwrap(), self.post_quantum.public_key().unwrap()];
        let keys = [&keys[0], &keys[1]];
        let mut id = [0; 16];
        id.copy_from_slice(&hex::decode(image.digest().hex()).unwrap()[..16]);
        let set = HybridSet::new(id, &keys).to_annotations(&keys);
        vec![
            self.bundle(&self.post_quantum, image, set.clone()),
            self.layer(image, set.clone()),
            self.bundle(&self.classical, image, set),
        ]
    }

    pub fn layer(&self, image: &Image, optional: BTreeMap<String, Value>) -> Carrier {
        let payload = SimpleSigning {
            digest: image.digest().clone(),
            reference: image.repository().to_string(),
            optional: optional.clone(),
        };
        let payload = payload.to_payload().unwrap();
        let signature = self.classical.sign(&payload, &self.random).unwrap();
        Carrier::Layer { payload, signature }
    }

    pub fn bundle(&self, key: &PrivateKey, image: &Image, mut annotations: BTreeMap<String, Value>) -> Carrier {
        annotations.insert(REPOSITORY.to_owned(), image.repository().to_string().into());
        let subject = Subject { name: None, digests: vec![image.digest().clone()], annotations };
        self.stated(key, SIGN_PREDICATE, subject, json!({})).0
    }

    /// A bundle of a statement, and the same envelope as a legacy layer holds it.
    pub fn stated(&self, key: &PrivateKey, kind: &str, subject: Subject, predicate: Value) -> (Carrier, Carrier) {
        let statement = Statement { subjects: vec![subject], predicate_type: kind.to_owned(), predicate };
        let payload = if kind == SIGN_PREDICATE { statement.to_payload() } else { statement.to_payload_v0_1() };
        let sig = key.sign(&pae(IN_TOTO, &payload), &self.random).unwrap();
        let envelope = Envelope::new(IN_TOTO, payload, Signature { key_id: None, sig });
        let bundle = Bundle::of_envelope(envelope.clone(), &key.public_key().unwrap());
        (Carrier::Bundle(bundle), Carrier::Envelope(envelope))
    }
}

/// The carrier with the same signature, over a payload that names another image.
pub fn forged(carrier: &Carrier, from: &Image, to: &Image) -> Carrier {
    let renamed = |payload: &[u8]| {
        let text = String::from_utf8_lossy(payload).into_owned();
        assert!(text.contains(from.digest().hex()), "{text}");
        text.replace(from.digest().hex(), to.digest().hex()).into_bytes()
    };
    match carrier {
        Carrier::Layer { payload, signature } => {
            Carrier::Layer { payload: renamed(payload), signature: signature.clone() }
        }
        Carrier::Bundle(bundle) => {
            let mut document: Value = serde_json::from_slice(&bundle.to_json().unwrap()).unwrap();
            let payload = &mut document["dsseEnvelope"]["payload"];
            let bytes = STANDARD.decode(payload.as_str().unwrap()).unwrap();
            *payload = STANDARD.encode(renamed(&bytes)).into();
            Carrier::Bundle(Bundle::parse(document.to_string().as_bytes()).unwrap())
        }
        Carrier::Envelope(_) => unreachable!("no signature of an image"),
    }
}

/// What our own judge says of an image that lies in a registry.
pub async fn judged(client: &Client, image: &Image, keys: &Keys, requirement: Requirement) -> Result<(), Refusal> {
    let evidence = find(client, image, Wanted::Signatures).await.unwrap();
    verdict(&evidence, image.digest(), keys, requirement)
}

pub fn verdict(evidence: &Evidence, image: &Digest, keys: &Keys, requirement: Requirement) -> Result<(), Refusal> {
    let trusted = keys.trusted();
    let question = Question { image, repository: None, trusted: &trusted, annotations: &NO_ANNOTATIONS, now: NOW };
    signature(&question, &evidence.carriers, requirement).outcome
}

/// A cosign, with its variables out of the way of the user's.
pub fn cosign(program: &str, folder: &Path, verb: &str) -> Command {
    let mut command = tool(program);
    command.current_dir(folder).env("HOME", folder).env("COSIGN_PASSWORD", "");
    command.args([verb, "--allow-http-registry"]);
    command
}

/// `cosign verify` with our public key, without logs.
pub fn cosign_verifies(program: &str, folder: &Path, image: &Image) -> Result<(), String> {
    let mut command = cosign(program, folder, "verify");
    command.args(["--key", "cosign.pub", "--insecure-ignore-tlog=true"]).arg(image.reference().to_string());
    let output = crate::program::run(&mut command);
    if output.status.success() { Ok(()) } else { Err(crate::program::both(&output)) }
}

/// `cosign sign` with our private key, without logs, in the form that the words ask for.
#[track_caller]
pub fn cosign_signs(program: &str, folder: &Path, image: &Image, form: &[&str]) {
    let mut command = cosign(program, folder, "sign");
    command.args(["--key", "import.key", "--yes", "--tlog-upload=false"]).args(form).arg(image.reference().to_string());
    crate::program::succeed(&mut command);
}

/// `skopeo copy` of an image under a policy that wants a signature of our key.
pub fn skopeo_takes(folder: &Path, image: &Image) -> Result<(), String> {
    let host = image.repository().registry();
    let policy = json!({
        "default": [{ "type": "reject" }],
        "transports": { "docker": { host: [{
            "type": "sigstoreSigned",
            "keyPath": folder.join("cosign.pub"),
            "signedIdentity": { "type": "matchRepository" },
        }] } },
    });
    std::fs::write(folder.join("policy.json"), policy.to_string()).unwrap();
    let settings = folder.join("registries.d");
    std::fs::create_dir_all(&settings).unwrap();
    std::fs::write(settings.join("attach.yaml"), "default-docker:\n  use-sigstore-attachments: true\n").unwrap();
    let target = tempfile::tempdir().unwrap();
    let mut command = tool("skopeo");
    command.env("HOME", folder).arg("--policy").arg(folder.join("policy.json"));
    command.arg("--registries.d").arg(&settings).args(["copy", "--all", "--src-tls-verify=false"]);
    command.arg(format!("docker://{}", image.reference()));
    command.arg(format!("dir:{}", target.path().display()));
    let output = crate::program::run(&mut command);
    if output.status.success() { Ok(()) } else { Err(crate::program::both(&output)) }
}
