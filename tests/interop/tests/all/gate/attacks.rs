//! What an attacker with write access to a registry, or the registry itself, would try against the gate.

use std::collections::{BTreeMap, BTreeSet};

use artifact::image::Image;
use artifact::verification::{Carrier, SIGN_PREDICATE};
use serde_json::json;

use super::bed::Bed;
use crate::admission::scene::{BOM, Scene};
use crate::judges::{attach_bytes, gate, qapi, verify};
use crate::liar::{Lie, Relay, dawdler, http, liar};
use crate::program::{both, run, say, succeed};
use crate::registries::place::{Kind, tool};

#[test]
fn what_an_attacker_puts_into_a_registry_does_not_pass() {
    let bed = Bed::start(Kind::Distribution2);
    bed.prepare();
    assert_eq!(bed.gate("users-api: '1.4'\n").0, 0);

    // Another image under the tag, and the signed digest under the name of another image.
    let digest = succeed(tool("crane").args(["digest", &format!("{}/team/users-api:1.4", bed.place.host)]));
    bed.push("users-api", "1.4", "malicious");
    assert_eq!(bed.refusal("users-api: '1.4'\n"), (2, "not-signed".to_owned()));
    let pinned = format!("users-api: '1.4@{}'\n", digest.trim());
    assert_eq!(bed.gate(&pinned).0, 0, "what was signed still passes by its digest");
    let team = format!("{}/team", bed.place.host);
    let tag = digest.trim().replace(':', "-");
    for (from, to) in [
        (format!("{team}/users-api@{}", digest.trim()), format!("{team}/report:9")),
        (format!("{team}/users-api:{tag}.sig"), format!("{team}/report:{tag}.sig")),
        (format!("{team}/users-api:{tag}"), format!("{team}/report:{tag}")),
    ] {
        succeed(tool("crane").args(["copy", &from, &to]));
    }
    assert_eq!(bed.refusal("report: '9'\n"), (2, "not-believed".to_owned()));

    // A registry that is not in the policy, and one that is not there at all.
    assert_eq!(bed.refusal("evil: 'localhost:1/team/x:1'\n"), (2, "registry-not-allowed".to_owned()));
    assert_eq!(bed.refusal("none: 'REGISTRY/team/none:1'\n"), (2, "not-found".to_owned()));
    let policy = std::fs::read_to_string(bed.path().join("policy.yaml")).unwrap();
    let down = policy.replace(
        "registries:\n",
        "registries:\n  - {name: down.example, endpoint: '127.0.0.1:1', dangerPlainHttp: true}\n",
    );
    let down = down.replace("match: [", "match: [down.example/**, ");
    std::fs::write(bed.path().join("policy.yaml"), &down).unwrap();
    assert_eq!(bed.refusal("down: down.example/x:1\n"), (3, "unreachable".to_owned()));

    // A policy or a versions file that is not understood lets nothing pass.
    assert_eq!(bed.gate("users-api: [[1]]\n").0, 4);
    std::fs::write(bed.path().join("policy.yaml"), down + "surprise: 1\n").unwrap();
    let (status, told) = bed.gate(&pinned);
    assert_eq!(status, 4);
    assert!(told.as_str().unwrap().contains("surprise"), "{told}");
}

#[test]
fn an_attestation_by_the_signing_key_is_no_signature() {
    let bed = Bed::start(Kind::GoContainerRegistry);
    bed.prepare();
    let attest = "qapi keys create-signing notes --purpose attestation --local && echo '{}' > note.json && \
        qapi image attest $REGISTRY/team/report:1.0 --key notes.keys.json --type https://example.com/note --predicate note.json";
    succeed(&mut bed.shell(attest));
    let policy = std::fs::read_to_string(bed.path().join("policy.yaml")).unwrap();
    let trusted = policy.replace(
        "registries:\n",
        "  - {name: notes, purpose: signature, publicKeyFile: notes.ML-DSA-65.pub}\nregistries:\n",
    );
    std::fs::write(bed.path().join("policy.yaml"), trusted).unwrap();
    assert_eq!(bed.refusal("report: '1.0'\n"), (2, "not-believed".to_owned()));
}

/// Signed as it has to be, with bundles alone, so that nothing else can stand in for what somebody tampers with.
async fn signed(scene: &Scene, path: &str) -> Image {
    let image = scene.image(path).await;
    scene.attach(&image, &scene.keys.hybrid(&image)[1..]).await;
    image
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_gives_other_bytes_than_were_asked_for_is_not_believed() {
    let scene = Scene::new("relay");
    let relay = Relay::to(&scene.place.host);
    let image = signed(&scene, "team/api").await;
    let name = format!("{}/team/api:1", scene.place.host);
    // The policy's registry answers at the relay, so that names and signatures are the true ones.
    let mapped =
        scene.ours("").replacen("dangerPlainHttp", &format!("endpoint: '{}'\n    dangerPlainHttp", relay.host), 1);
    scene.policy(&mapped);
    let honest = gate(&scene, &name, &[]);
    assert_eq!(honest.status, 0, "{}", honest.text);
    let asked: BTreeSet<String> = relay.asked().into_iter().collect();
    assert!(asked.len() >= 4, "{asked:?}");
    let mut lies = 0;
    for about in asked.iter().filter(|line| line.starts_with("GET ")) {
        for lie in [Lie::Changed, Lie::Exchanged, Lie::Endless] {
            relay.lies(about, lie);
            for name in [&name, &image.reference().to_string()] {
                let said = gate(&scene, name, &["--time-limit", "20"]);
                // A list is a hint, and what is changed in it may be of no account; what it leads to is hashed.
                let is_harmless = about.contains("/referrers/")
                    && said.status == 0
                    && said.text.contains(&format!("\"digest\": \"{}\"", image.digest()));
                assert!(is_harmless || [2, 3].contains(&said.status), "{about} {lie:?}: {}", said.text);
            }
            lies += 1;
        }
    }
    relay.is_honest();
    assert_eq!(gate(&scene, &name, &[]).status, 0);
    say(&format!("registries that lie: {lies} of {lies} lies were not believed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_is_what_its_manifest_hashes_to_and_not_what_the_registry_says() {
    let scene = Scene::new("header");
    let signed = signed(&scene, "team/api").await;
    let list = "application/vnd.oci.image.index.v1+json";
    // It says that this is the signed image, whatever it hands out.
    let says = liar(Some(http(
        list,
        &format!("Docker-Content-Digest: {}\r\n", signed.digest()),
        &format!("{{\"schemaVersion\":2,\"mediaType\":\"{list}\",\"manifests\":[]}}"),
    )));
    let said = verify(&scene, &format!("{says}/team/api:1"));
    assert_eq!(said.status, 2, "{}", said.text);
    for words in [["image", "triangulate", "--type", "digest"].as_slice(), &["image", "sign", "--key", "k.key"]] {
        std::fs::write(scene.file("k.key"), scene.keys.classical.to_pem().unwrap().expose()).unwrap();
        let output = run(qapi(&scene).args(words).arg(format!("{says}/team/api:1")));
        assert!(!output.status.success() && !both(&output).contains("signed: "), "{}", both(&output));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_is_slow_or_silent_holds_a_deploy_up_for_a_bounded_time_alone() {
    let scene = Scene::new("slow");
    let good = signed(&scene, "team/api").await;
    let digest = good.digest();
    let answer = http("application/vnd.oci.image.index.v1+json", "", "{\"schemaVersion\":2,\"manifests\":[]}");
    let (silent, slow) = (liar(None), dawdler(answer));
    let host = &scene.place.host;
    let registries: String =
        [silent, slow].iter().map(|host| format!("  - name: {host}\n    dangerPlainHttp: true\n")).collect();
    scene.policy(&format!(
        "registries:\n  - name: {host}\n    dangerPlainHttp: true\n{registries}images:\n  - name: ours\n    match: ['{host}/**', '{silent}/**', '{slow}/**']\n"
    ));
    for late in [silent, slow] {
        for image in [format!("{late}/team/api:1"), format!("{late}/team/api@{digest}")] {
            let said = gate(&scene, &image, &["--time-limit", "2"]);
            assert_eq!((said.status, said.code.as_str()), (3, "unreachable"), "{}", said.text);
            assert!(said.text.contains("--time-limit"), "{}", said.text);
        }
    }
    // What was answered counts, however many wait for nothing, and what was refused weighs more than what nobody answered.
    let unsigned = scene.image("team/unsigned").await.reference();
    let late: String = (0..20).map(|number| format!("late-{number}: '{silent}/team/api:{number}'\n")).collect();
    let all = format!("{late}good: '{}'\nunsigned: '{unsigned}'\n", good.reference());
    std::fs::write(scene.file("all.yaml"), all).unwrap();
    let mut command = qapi(&scene);
    command.args([
        "gate",
        "verify",
        "--versions",
        "all.yaml",
        "--policy",
        "policy.yaml",
        "--time-limit",
        "5",
        "--at-once",
        "2",
        "-o",
        "json",
    ]);
    let output = run(&mut command);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let effects: Vec<_> = report["images"].as_array().unwrap().iter().map(|image| image["effect"].clone()).collect();
    let codes = |number: usize| report["images"][number]["refusals"][0]["code"].clone();
    assert_eq!((output.status.code(), effects[20].as_str(), codes(21)), (Some(2), Some("allow"), "not-signed".into()));
    assert!((0..20).all(|number| effects[number] == "deny" && codes(number) == "unreachable"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attestation_that_is_too_long_is_told_of_and_not_read() {
    let scene = Scene::new("huge");
    let wanted = format!("    attestations:\n      - predicateType: {BOM}\n        keys: [attests]\n");
    scene.policy(&scene.ours(&wanted));
    let image = signed(&scene, "team/api").await;
    // It is longer than any that is read, and what it begins with is right.
    let statement = artifact::statement::Statement {
        subjects: vec![artifact::statement::Subject {
            name: Some(image.repository().to_string()),
            digests: vec![image.digest().clone()],
            annotations: BTreeMap::new(),
        }],
        predicate_type: BOM.to_owned(),
        predicate: json!({"a": "x".repeat(50 << 20)}),
    };
    let Carrier::Bundle(bundle) = scene.keys.stated(&scene.keys.attests, &statement) else { panic!("no bundle") };
    let mut bytes = bundle.to_json().unwrap();
    bytes.extend(std::iter::repeat_n(b' ', (129 << 20) - bytes.len()));
    attach_bytes(&scene, &image, &bytes).await;
    let said = gate(&scene, &image.reference().to_string(), &["--explain"]);
    assert_eq!((said.status, said.code.as_str()), (2, "attestation-missing"), "{}", said.text);
    assert!(said.text.len() < 20_000, "the report repeats what was too long");
    // Beside it, one of a sensible length counts.
    scene.attach(&image, &[scene.keys.bundle(&scene.keys.attests, BOM, &image, BTreeMap::new())]).await;
    assert_eq!(gate(&scene, &image.reference().to_string(), &[]).status, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_and_its_platforms_are_signed_each_for_itself() {
    let scene = Scene::new("platforms");
    let index = signed(&scene, "team/index").await;
    let listed = scene.client.manifest(&index.reference()).await.unwrap();
    let platform = Image::new(index.repository().clone(), listed.manifests()[0].digest.clone());
    assert_eq!(gate(&scene, &index.reference().to_string(), &[]).status, 0);
    assert_eq!(gate(&scene, &platform.reference().to_string(), &[]).code, "not-signed");
    let other = scene.image("team/platform").await;
    let listed = scene.client.manifest(&other.reference()).await.unwrap();
    let platform = Image::new(other.repository().clone(), listed.manifests()[0].digest.clone());
    scene.attach(&platform, &scene.keys.hybrid(&platform)[1..]).await;
    assert_eq!(gate(&scene, &platform.reference().to_string(), &[]).status, 0);
    assert_eq!(gate(&scene, &other.reference().to_string(), &[]).code, "not-signed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_without_its_post_quantum_half_does_not_pass() {
    let scene = Scene::new("stripped");
    let image = scene.image("team/stripped").await;
    let [layer, classical, quantum_safe] = <[Carrier; 3]>::try_from(scene.keys.hybrid(&image)).unwrap();
    scene.attach(&image, &[layer, classical]).await;
    let said = gate(&scene, &image.reference().to_string(), &[]);
    assert_eq!((said.status, said.code.as_str()), (2, "stripped"), "{}", said.text);
    scene.attach(&image, &[quantum_safe]).await;
    assert_eq!(gate(&scene, &image.reference().to_string(), &[]).status, 0);
    // A classical signature that never had another is no pair either.
    let image = scene.image("team/alone").await;
    scene.attach(&image, &[scene.keys.bundle(&scene.keys.classical, SIGN_PREDICATE, &image, BTreeMap::new())]).await;
    let said = gate(&scene, &image.reference().to_string(), &[]);
    assert_eq!(said.status, 2, "{}", said.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_two_things_at_once_says_nothing() {
    let scene = Scene::new("twice");
    let (good, other) = (signed(&scene, "team/good").await, scene.image("team/other").await);
    // A bundle with a second envelope before the true one, and one with a second payload type.
    let Carrier::Bundle(bundle) = scene.keys.bundle(&scene.keys.quantum_safe, SIGN_PREDICATE, &other, BTreeMap::new())
    else {
        panic!("no bundle")
    };
    let text = String::from_utf8(bundle.to_json().unwrap()).unwrap();
    for twice in [
        text.replacen('{', "{\"dsseEnvelope\":{},", 1),
        text.replacen("\"payloadType\"", "\"payloadType\":\"text/plain\",\"payloadType\"", 1),
    ] {
        assert_ne!(twice, text);
        attach_bytes(&scene, &other, twice.as_bytes()).await;
    }
    let said = gate(&scene, &other.reference().to_string(), &[]);
    assert_eq!(said.status, 2, "{}", said.text);
    // A payload that was truly signed, with a digest for each reader.
    let (yes, no) = (other.digest().hex(), "0".repeat(64));
    for digests in
        [format!("\"sha256\":\"{no}\",\"sha256\":\"{yes}\""), format!("\"sha256\":\"{yes}\",\"sha256\":\"{no}\"")]
    {
        let payload = format!(
            "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{{\"digest\":{{{digests}}}}}],\"predicateType\":\"{SIGN_PREDICATE}\",\"predicate\":{{}}}}"
        );
        scene
            .attach(
                &other,
                &[
                    scene.keys.over(&scene.keys.classical, payload.clone().into_bytes()),
                    scene.keys.over(&scene.keys.quantum_safe, payload.into_bytes()),
                ],
            )
            .await;
    }
    assert_eq!(gate(&scene, &other.reference().to_string(), &[]).status, 2);
    // And the files that the gate reads itself.
    let good = good.reference().to_string();
    std::fs::write(scene.file("twice.yaml"), format!("api: '{good}'\napi: '{}'\n", other.reference())).unwrap();
    let policy = std::fs::read_to_string(scene.file("policy.yaml")).unwrap();
    std::fs::write(scene.file("twice-policy.yaml"), format!("{policy}images: []\n")).unwrap();
    std::fs::write(scene.file("once.yaml"), format!("api: '{good}'\n")).unwrap();
    for (versions, policy) in [("twice.yaml", "policy.yaml"), ("once.yaml", "twice-policy.yaml")] {
        let output = run(qapi(&scene).args(["gate", "verify", "--versions", versions, "--policy", policy]));
        assert_eq!(output.status.code(), Some(4), "{}", both(&output));
    }
}
