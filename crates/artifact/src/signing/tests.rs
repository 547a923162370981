use crypto::key::PrivateKey;
use crypto::random::Seeded;

use super::*;
use crate::digest::Digest;
use crate::reference::Repository;
use crate::trusted_key::{Purpose, State, TrustedKey};
use crate::verification::{self, NO_ANNOTATIONS, Question, Refusal, Requirement};

struct Bench {
    random: Seeded,
    keys: Vec<PrivateKey>,
    images: Vec<Image>,
}

impl Bench {
    fn new(algorithms: &[Algorithm]) -> Self {
        let random = Seeded::new(b"signing");
        let keys = algorithms.iter().map(|algorithm| PrivateKey::generate(*algorithm, &random).unwrap()).collect();
        let repository: Repository = "registry.example/team/api".parse().unwrap();
        let images = [&b"index"[..], b"amd64"].map(|content| Image::new(repository.clone(), Digest::of(content)));
        Self { random, keys, images: images.into() }
    }

    fn signers(&self) -> Signers {
        Signers::new(self.keys.iter().map(|key| key.public_key().unwrap()).collect()).unwrap()
    }

    fn sign(&self, plan: &Plan) -> Vec<Vec<Vec<u8>>> {
        let sign = |key: &PrivateKey, message: &[u8]| key.sign(message, &self.random).unwrap();
        let of = |(place, key)| plan.messages(place).iter().map(|message| sign(key, message)).collect();
        self.keys.iter().enumerate().map(of).collect()
    }

    fn trusted(&self, purpose: Purpose) -> Vec<TrustedKey> {
        let trusted = |key: &PrivateKey| TrustedKey {
            name: String::new(),
            key: key.public_key().unwrap(),
            purpose,
            state: State::Active,
        };
        self.keys.iter().map(trusted).collect()
    }
}

const HYBRID: [Algorithm; 2] = [Algorithm::MlDsa65, Algorithm::EcdsaP256];

#[test]
fn a_hybrid_signature_of_every_platform_is_believed_and_ends_with_the_post_quantum_bundle() {
    let bench = Bench::new(&HYBRID);
    let plan = Plan::signatures(bench.signers(), &bench.images, &BTreeMap::new(), [1; 16], Carriers::Both).unwrap();
    let signatures = bench.sign(&plan);
    assert_eq!(signatures.iter().map(Vec::len).collect::<Vec<_>>(), [2, 4]);
    let written = plan.finish(signatures).unwrap();
    let trusted = bench.trusted(Purpose::Signature);
    for (place, image) in bench.images.iter().enumerate() {
        let carriers: Vec<Carrier> =
            written.iter().filter(|one| one.image == place).map(|one| one.carrier.clone()).collect();
        let question = Question {
            image: image.digest(),
            repository: Some(image.repository()),
            trusted: &trusted,
            annotations: &NO_ANNOTATIONS,
            now: 0,
        };
        let judged = |carriers: &[Carrier]| verification::signature(&question, carriers, Requirement::Hybrid).outcome;
        assert_eq!(judged(&carriers), Ok(()));
        assert!(matches!(carriers.as_slice(), [Carrier::Layer { .. }, Carrier::Bundle(_), Carrier::Bundle(_)]));
        // Without the post-quantum bundle, each of the others tells of it.
        assert!(matches!(judged(&carriers[..2]), Err(Refusal::Stripped { .. })));
    }
}

#[test]
fn an_attestation_has_one_payload_in_all_its_carriers() {
    let bench = Bench::new(&HYBRID);
    let predicate = serde_json::json!({"bomFormat": "CycloneDX"});
    let kind = "https://cyclonedx.org/bom";
    let plan = Plan::attestations(bench.signers(), &bench.images[..1], kind, &predicate, [2; 16], Carriers::Both);
    let signatures = bench.sign(&plan);
    let written = plan.finish(signatures).unwrap();
    let payloads: Vec<&[u8]> = written.iter().map(|one| envelope(&one.carrier).danger_unverified_payload()).collect();
    assert!(payloads.len() == 3 && payloads.iter().all(|payload| *payload == payloads[0]));
    let carriers: Vec<Carrier> = written.iter().map(|one| one.carrier.clone()).collect();
    let trusted = bench.trusted(Purpose::Attestation);
    let question = Question {
        image: bench.images[0].digest(),
        repository: None,
        trusted: &trusted,
        annotations: &NO_ANNOTATIONS,
        now: 0,
    };
    let attested = |kind| verification::attestation(&question, &carriers, kind, Purpose::Attestation).outcome;
    assert_eq!(attested(kind), Ok(()));
    assert_eq!(attested(SIGN_PREDICATE), Err(Refusal::NothingBelieved(3)));
    // What is attested is no signature, whichever key is trusted for which.
    let signed = verification::signature(&question, &carriers, Requirement::Any).outcome;
    assert_eq!(signed, Err(Refusal::NothingBelieved(3)));
}

fn envelope(carrier: &Carrier) -> &Envelope {
    match carrier {
        Carrier::Envelope(envelope) => envelope,
        Carrier::Bundle(Bundle { content: crate::bundle::Content::Envelope(envelope), .. }) => envelope,
        _ => panic!("an attestation is an envelope"),
    }
}

#[test]
fn what_was_not_asked_for_is_not_written() {
    let bench = Bench::new(&HYBRID);
    let plan = || Plan::signatures(bench.signers(), &bench.images, &BTreeMap::new(), [1; 16], Carriers::Both).unwrap();
    let signatures = bench.sign(&plan());
    let mut swapped = signatures.clone();
    swapped[1].swap(0, 1);
    assert!(matches!(plan().finish(swapped), Err(NotAsPlanned::Invalid(Algorithm::EcdsaP256))));
    let mut short = signatures.clone();
    short[0].pop();
    assert!(matches!(plan().finish(short), Err(NotAsPlanned::Count { found: 5, wanted: 6 })));
    let mut long = signatures;
    long[0].push(Vec::new());
    assert!(matches!(plan().finish(long), Err(NotAsPlanned::Count { found: 7, wanted: 6 })));
}

#[test]
fn keys_of_one_kind_do_not_sign_together() {
    for (algorithms, fits) in [
        (&[][..], false),
        (&[Algorithm::MlDsa65][..], true),
        (&[Algorithm::EcdsaP256, Algorithm::MlDsa65][..], true),
        (&[Algorithm::EcdsaP256, Algorithm::Ed25519][..], false),
        (&[Algorithm::MlDsa65, Algorithm::MlDsa87][..], false),
        (&[Algorithm::MlKem768][..], false),
        (&[Algorithm::EcdsaP256, Algorithm::MlDsa65, Algorithm::MlDsa87][..], false),
    ] {
        let random = Seeded::new(b"signers");
        let key = |algorithm: &Algorithm| PrivateKey::generate(*algorithm, &random).unwrap().public_key().unwrap();
        assert_eq!(Signers::new(algorithms.iter().map(key).collect()).is_ok(), fits, "{algorithms:?}");
    }
}

#[test]
fn a_short_input_gives_a_signature_of_the_whole_message() {
    let random = Seeded::new(b"inputs");
    for algorithm in [Algorithm::MlDsa65, Algorithm::EcdsaP256, Algorithm::EcdsaP384, Algorithm::Ed25519] {
        let key = PrivateKey::generate(algorithm, &random).unwrap();
        let public = key.public_key().unwrap();
        let signature = match Input::shortest(&public, b"message").unwrap() {
            Input::Message(message) => key.sign(&message, &random),
            Input::Representative(mu) => key.sign_mu(&mu, &random),
            Input::Digest(digest) => key.sign_digest(&digest, &random),
        };
        assert!(public.verify(b"message", &signature.unwrap()), "{algorithm}");
    }
}
