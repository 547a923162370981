//! Attestations, ours before others and theirs before us, and what a signature costs to look for.

use artifact::image::{Image, Wanted, attach, find, find_until};
use artifact::reference::Reference;
use artifact::registry::{Client, Credential, Error, Keychain, Options};
use artifact::statement::Subject;
use artifact::trusted_key::Purpose;
use artifact::verification::{NO_ANNOTATIONS, Question, Refusal, Requirement, attestation, signature};
use serde_json::{Value, json};

use super::place::{Kind, Place, ZOT_USER, client, kinds, listing};
use super::signers::{Keys, NOW, cosign, verdict};
use crate::program::{both, run, succeed};
use crate::way::Way;

const CYCLONEDX: &str = "https://cyclonedx.org/bom";
const COSIGNS: [(&str, &[&str]); 2] = [("cosign2", &[]), ("cosign3", &["--use-signing-config=false"])];

fn bom() -> Value {
    json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [] })
}

/// What our judge says of the bill of materials beside an image.
async fn attested(client: &Client, image: &Image, keys: &Keys, predicate: &str) -> Result<(), Refusal> {
    let mut trusted = keys.trusted();
    trusted.iter_mut().for_each(|key| key.purpose = Purpose::Attestation);
    let found = find(client, image, Wanted::Attestations(Some(predicate))).await.unwrap();
    let question =
        Question { image: image.digest(), repository: None, trusted: &trusted, annotations: &NO_ANNOTATIONS, now: NOW };
    let as_signature = signature(&question, &found.carriers, Requirement::Any);
    assert!(as_signature.outcome.is_err(), "an attestation is no signature");
    attestation(&question, &found.carriers, predicate, Purpose::Attestation).outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attestations_are_read_by_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new("attest");
    keys.write(folder.path());
    std::fs::write(folder.path().join("bom.json"), bom().to_string()).unwrap();
    for kind in kinds() {
        let place = Place::start(kind);
        let client = client();
        let image = place.plain_image(&client, "team/ours").await;
        let subject = || Subject {
            name: Some(image.repository().to_string()),
            digests: vec![image.digest().clone()],
            ..Subject::default()
        };
        let (classical, legacy) = keys.stated(&keys.classical, CYCLONEDX, subject(), bom());
        let (post_quantum, _) = keys.stated(&keys.post_quantum, CYCLONEDX, subject(), bom());
        attach(&client, &image, &[post_quantum, legacy, classical], NOW).await.unwrap();
        assert_eq!(attested(&client, &image, &keys, CYCLONEDX).await, Ok(()), "{kind:?}");
        assert!(attested(&client, &image, &keys, "https://slsa.dev/provenance/v1").await.is_err());
        for (number, (program, form)) in COSIGNS.iter().enumerate() {
            let mut verify = cosign(program, folder.path(), "verify-attestation");
            verify.args(["--key", "cosign.pub", "--insecure-ignore-tlog=true", "--type", "cyclonedx"]);
            succeed(verify.arg(image.reference().to_string()));
            let theirs = place.plain_image(&client, &format!("team/theirs{number}")).await;
            let mut attest = cosign(program, folder.path(), "attest");
            attest.args(["--key", "import.key", "--yes", "--tlog-upload=false", "--type", "cyclonedx"]);
            succeed(attest.args(["--predicate", "bom.json"]).args(*form).arg(theirs.reference().to_string()));
            assert_eq!(attested(&client, &theirs, &keys, CYCLONEDX).await, Ok(()), "{program} {kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_is_judged_with_four_requests() {
    for kind in listing() {
        judged_with_four_requests(kind).await;
    }
}

async fn judged_with_four_requests(kind: Kind) {
    let place = Place::start(kind);
    let keys = Keys::new("requests");
    let image = place.image(&client(), "team/api", "1").await;
    attach(&client(), &image, &keys.hybrid(&image), NOW).await.unwrap();
    // A bill of materials beside it is not fetched for a signature.
    let subject = Subject { digests: vec![image.digest().clone()], ..Subject::default() };
    let (bundle, _) = keys.stated(&keys.classical, CYCLONEDX, subject, bom());
    attach(&client(), &image, &[bundle], NOW).await.unwrap();
    let cold = client();
    let way = Way::to(&place.host);
    let name: Reference = format!("{}/team/api:1", way.address).parse().unwrap();
    let resolved = Image::resolve(&cold, &name).await.unwrap();
    let mut outcome = Err(Refusal::Nothing);
    let found = find_until(&cold, &resolved, Wanted::Signatures, |carriers| {
        let evidence = artifact::image::Evidence { carriers: carriers.to_vec(), ..Default::default() };
        outcome = verdict(&evidence, resolved.digest(), &keys, Requirement::Hybrid);
        outcome.is_ok()
    })
    .await
    .unwrap();
    assert_eq!((outcome, found.carriers.len()), (Ok(()), 2));
    let asked = way.asked();
    assert_eq!(asked.len(), 4, "tag, list, two bundles on {kind:?}: {asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_asks_who_we_are_is_told_by_dockers_file() {
    for kind in listing() {
        told_by_dockers_file(kind).await;
    }
}

async fn told_by_dockers_file(kind: Kind) {
    let place = Place::start_with(kind, Some(ZOT_USER));
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".docker")).unwrap();
    let auth = artifact::base64::encode(ZOT_USER.as_bytes());
    let file = json!({ "auths": { &place.host: { "auth": auth } } });
    std::fs::write(home.path().join(".docker/config.json"), file.to_string()).unwrap();
    let keychain = Keychain::from_variables(|name| (name == "HOME").then(|| home.path().into()));
    let known = Client::new(Options::default(), keychain).unwrap();
    let keys = Keys::new("known");
    let image = place.image(&known, "team/api", "1").await;
    attach(&known, &image, &keys.hybrid(&image), NOW).await.unwrap();
    let found = find(&known, &image, Wanted::Signatures).await.unwrap();
    assert_eq!(verdict(&found, image.digest(), &keys, Requirement::Hybrid), Ok(()));
    let wrong = Credential::Password { user: "ada".to_owned(), password: "wrong".to_owned().into() };
    let wrong = Keychain::anonymous().with(&place.host, wrong);
    for keychain in [Keychain::anonymous(), wrong] {
        let stranger = Client::new(Options::default(), keychain).unwrap();
        let refused = find(&stranger, &image, Wanted::Signatures).await;
        assert!(matches!(refused, Err(Error::Denied { status: 401, .. })), "{refused:?}");
    }
    // Everything that lies there is shown to whom the file names, by others as well.
    keys.write(home.path());
    let mut verify = cosign("cosign3", home.path(), "verify");
    verify.args(["--key", "cosign.pub", "--insecure-ignore-tlog=true"]).arg(image.reference().to_string());
    let output = run(&mut verify);
    assert!(output.status.success(), "{}", both(&output));
}
