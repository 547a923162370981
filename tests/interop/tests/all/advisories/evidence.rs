//! Advisories about what is signed.

use std::collections::BTreeMap;

use artifact::hybrid::REPOSITORY;
use artifact::image::{Image, attach};
use artifact::manifest::{Index, Manifest};
use artifact::registry::Target;
use artifact::verification::{Carrier, SIGN_PREDICATE};
use serde_json::{Value, json};

use crate::admission::scene::{BOM, Scene};
use crate::judges::{Judges, attach_bytes, gate, qapi};
use crate::program::{both, run};
use crate::registries::place::{Kind, Place, client};

const NOTE: &str = "https://example.com/note";

/// A policy that wants bills of materials of images under `bom/`, and what it was before.
async fn with_attestations(scene: &Scene) {
    let host = &scene.place.host;
    scene.policy(&format!(
        "registries:\n  - name: {host}\n    dangerPlainHttp: true\nimages:\n  - name: with bills of materials\n    match: ['{host}/team/bom/**']\n    \
         attestations:\n      - predicateType: {BOM}\n        keys: [attests]\n  - name: ours\n    match: ['{host}/team/**']\n"
    ));
}

/// The webhook reads a policy again a moment after it was changed.
async fn until_refused(judges: &Judges<'_>, image: &Image, code: &str) {
    judges.webhook.until(&image.reference().to_string(), false).await;
    judges.keep_out(image, code).await;
}

pub async fn another_predicate(scene: &Scene, judges: &Judges<'_>) {
    with_attestations(scene).await;
    let image = scene.signed("team/bom/predicate").await;
    let attests = &scene.keys.attests;
    scene.attach(&image, &[scene.keys.bundle(attests, NOTE, &image, BTreeMap::new())]).await;
    // What says that it is a bill of materials where nobody has signed that it does.
    let statement = |kind: Value| {
        let subject = json!({"name": image.repository().to_string(), "digest": {"sha256": image.digest().hex()}});
        json!({"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": kind, "predicate": {"predicateType": BOM}})
    };
    for kind in [json!(NOTE), json!(null), json!([BOM]), json!(format!("{BOM}/")), json!(BOM.to_uppercase())] {
        scene.attach(&image, &[scene.keys.over(attests, statement(kind).to_string().into_bytes())]).await;
    }
    let name = image.reference().to_string();
    let said = judges.gate(&name);
    assert_eq!((said.status, said.code.as_str()), (2, "attestation-missing"), "{}", said.text);
    assert_eq!(judges.attested(&name, "cyclonedx").status, 2);
    assert_eq!(judges.attested(&name, NOTE).status, 0);
    until_refused(judges, &image, "attestation-missing").await;
    scene.attach(&image, &[scene.keys.bundle(attests, BOM, &image, BTreeMap::new())]).await;
    assert_eq!(judges.gate(&name).status, 0);
    judges.webhook.until(&name, true).await;
}

pub async fn log_entry_of_another(scene: &Scene, judges: &Judges<'_>) {
    let (signed, other) = (scene.signed("team/logged").await, scene.image("team/unlogged").await);
    let set = |image: &Image| BTreeMap::from([(REPOSITORY.to_owned(), Value::from(image.repository().to_string()))]);
    for key in [&scene.keys.classical, &scene.keys.quantum_safe] {
        // A true signature over the one image, with an entry of a log that speaks of the other, beside the other.
        let Carrier::Bundle(bundle) = scene.keys.bundle(key, SIGN_PREDICATE, &signed, set(&signed)) else { panic!() };
        let mut bundle: Value = serde_json::from_slice(&bundle.to_json().unwrap()).unwrap();
        let body = json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": {"data": {"hash": {"algorithm": "sha256", "value": other.digest().hex()}}}});
        bundle["verificationMaterial"]["tlogEntries"] = json!([{
            "logIndex": "1", "logId": {"keyId": "AAAA"}, "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
            "integratedTime": "1700000000", "inclusionPromise": {"signedEntryTimestamp": "AAAA"},
            "canonicalizedBody": base64(body.to_string().as_bytes()),
        }]);
        attach_bytes(scene, &other, bundle.to_string().as_bytes()).await;
    }
    judges.refuse(&other, "not-believed").await;
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub async fn malformed_payloads(scene: &Scene, judges: &Judges<'_>) {
    let image = scene.image("team/malformed").await;
    let digest = image.digest().hex().to_owned();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let statement = |subject: &str| {
        format!(
            "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":{subject},\"predicateType\":\"{SIGN_PREDICATE}\",\"predicate\":{{}}}}"
        )
    };
    let payloads = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "\u{0}".to_owned(),
        "1e999999".to_owned(),
        deep,
        statement("null"),
        statement("[]"),
        statement("[null]"),
        statement("[{\"digest\":null}]"),
        statement("[{\"digest\":{\"sha256\":7}}]"),
        statement("[{\"digest\":{\"sha256\":\"\"}}]"),
        statement(&format!("[{{\"digest\":{{\"sha256\":\"{}\"}}}}]", &digest[..62])),
        statement(&format!("[{{\"digest\":{{\"sha512\":\"{digest}\"}}}}]")),
        statement(&format!("[{{\"digest\":[\"{digest}\"]}}]")),
    ];
    for payload in payloads {
        for key in [&scene.keys.classical, &scene.keys.quantum_safe] {
            scene.attach(&image, &[scene.keys.over(key, payload.clone().into_bytes())]).await;
        }
    }
    for bytes in
        [&b""[..], b"{", b"null", b"\xff\xfe", b"{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\"}"]
    {
        attach_bytes(scene, &image, bytes).await;
    }
    judges.refuse(&image, "not-believed").await;
    // It still judges, and a true signature among all of that is found.
    scene.attach(&image, &scene.keys.hybrid(&image)).await;
    let name = image.reference().to_string();
    assert_eq!((judges.gate(&name).status, judges.verify(&name).status), (0, 0));
    judges.webhook.until(&name, true).await;
}

pub async fn writers_at_once(_: &Scene, _: &Judges<'_>) {
    const WRITERS: usize = 12;
    let place = Place::start(Kind::Distribution2);
    let image = place.plain_image(&client(), "team/contended").await;
    let keys = std::sync::Arc::new(crate::admission::scene::Keys::new("writers"));
    let mut writing = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (image, keys) = (image.clone(), std::sync::Arc::clone(&keys));
        writing.spawn(async move {
            let said = BTreeMap::from([("writer".to_owned(), Value::from(writer.to_string()))]);
            let carrier = keys.bundle(&keys.quantum_safe, SIGN_PREDICATE, &image, said);
            attach(&client(), &image, &[carrier], 0).await.unwrap();
        });
    }
    while let Some(written) = writing.join_next().await {
        written.unwrap();
    }
    let listed = client().referrers(image.repository(), image.digest()).await.unwrap();
    assert_eq!(listed.manifests.len(), WRITERS);
}

pub async fn attestation_as_signature(scene: &Scene, judges: &Judges<'_>) {
    let image = scene.image("team/attested").await;
    let said = || BTreeMap::from([(REPOSITORY.to_owned(), Value::from(image.repository().to_string()))]);
    for key in [&scene.keys.classical, &scene.keys.quantum_safe, &scene.keys.attests] {
        scene.attach(&image, &[scene.keys.bundle(key, BOM, &image, said())]).await;
    }
    // Nor does a key that attests sign.
    scene.attach(&image, &[scene.keys.bundle(&scene.keys.attests, SIGN_PREDICATE, &image, said())]).await;
    judges.refuse(&image, "not-believed").await;
}

pub async fn another_repository(scene: &Scene, judges: &Judges<'_>) {
    let signed = scene.signed("team/first").await;
    let elsewhere = scene.place.repository("team/second");
    artifact::image::copy(&scene.client, &signed, &elsewhere.tagged("1").unwrap(), |_| {}).await.unwrap();
    judges.pass(&signed).await;
    judges.refuse(&Image::new(elsewhere, signed.digest().clone()), "not-believed").await;
}

pub async fn index_and_platforms(scene: &Scene, judges: &Judges<'_>) {
    let index = scene.signed("team/listing").await;
    let listed = scene.client.manifest(&index.reference()).await.unwrap();
    let platform = Image::new(index.repository().clone(), listed.manifests()[0].digest.clone());
    judges.pass(&index).await;
    judges.refuse(&platform, "not-signed").await;
    let other = scene.image("team/listed").await;
    let listed = scene.client.manifest(&other.reference()).await.unwrap();
    let platform = Image::new(other.repository().clone(), listed.manifests()[1].digest.clone());
    scene.attach(&platform, &scene.keys.hybrid(&platform)).await;
    judges.pass(&platform).await;
    judges.refuse(&other, "not-signed").await;
}

pub async fn repository_of_evidence(scene: &Scene, _: &Judges<'_>) {
    let image = scene.image("team/apart").await;
    let evidence = scene.place.repository("team/evidence");
    let apart = image.clone().with_evidence_in(evidence.clone());
    scene.attach(&apart, &scene.keys.hybrid(&image)[1..]).await;
    let name = image.reference().to_string();
    assert_eq!(gate(scene, &name, &[]).status, 2);
    assert_eq!(gate(scene, &name, &["--evidence-repository", &evidence.to_string()]).status, 0);
    let ours = ["gate", "verify", "--versions", "versions.yaml", "--policy", "policy.yaml"];
    for (repository, status) in
        [(evidence.to_string(), 0), ("other.example/x".to_owned(), 3), ("No Name".to_owned(), 4)]
    {
        let output = run(qapi(scene).args(ours).env("COSIGN_REPOSITORY", repository));
        assert_eq!(output.status.code(), Some(status), "{}", both(&output));
    }
    let key = scene.file("quantum_safe.pub");
    std::fs::write(&key, scene.keys.quantum_safe.public_key().unwrap().to_pem()).unwrap();
    let mut verify = qapi(scene);
    verify.args(["image", "verify", &name, "--key"]).arg(&key).arg("--key").arg(classical(scene));
    assert_eq!(run(&mut verify).status.code(), Some(2));
    let output = run(verify.env("COSIGN_REPOSITORY", evidence.to_string()));
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
}

fn classical(scene: &Scene) -> std::path::PathBuf {
    let path = scene.file("classical.pub");
    std::fs::write(&path, scene.keys.classical.public_key().unwrap().to_pem()).unwrap();
    path
}

pub async fn list_that_is_wrong(scene: &Scene, _: &Judges<'_>) {
    let place = Place::start(Kind::Distribution2);
    let image = place.plain_image(&client(), "team/listed-wrongly").await;
    attach(&client(), &image, &scene.keys.hybrid(&image)[1..], 0).await.unwrap();
    let tag = image.digest().as_tag();
    let list: Manifest = client().manifest(&image.repository().tagged(&tag).unwrap()).await.unwrap();
    let wrong = list.manifests().iter().cloned().map(|mut entry| {
        entry.artifact_type = Some("application/vnd.oci.image.config.v1+json".to_owned());
        entry.annotations = BTreeMap::from([("dev.sigstore.bundle.predicateType".to_owned(), BOM.to_owned())]);
        entry
    });
    let wrong = Index::new(wrong.collect()).to_manifest().unwrap();
    client().put_manifest(image.repository(), Target::Tag(&tag), &wrong).await.unwrap();
    let policy = std::fs::read_to_string(scene.file("policy.yaml")).unwrap();
    std::fs::write(scene.file("elsewhere.yaml"), policy.replace(&scene.place.host, &place.host)).unwrap();
    std::fs::write(scene.file("listed.yaml"), format!("api: '{}'\n", image.reference())).unwrap();
    let words = ["gate", "verify", "--versions", "listed.yaml", "--policy", "elsewhere.yaml"];
    let output = run(qapi(scene).args(words));
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
}
