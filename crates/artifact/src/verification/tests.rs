use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::Seeded;

use super::*;
use crate::dsse::{Signature, pae};
use crate::statement::Subject;
use crate::trusted_key::State;

const NOW: i64 = 1_800_000_000;
const REPOSITORY_NAME: &str = "registry.example/team/api";
const BOM: &str = "https://cyclonedx.org/bom";

/// Two pairs of keys, and an image that they sign.
struct Bed {
    random: Seeded,
    keys: Vec<PrivateKey>,
    trusted: Vec<TrustedKey>,
    image: Digest,
}

impl Bed {
    fn new() -> Self {
        let random = Seeded::new(b"verification");
        let algorithms =
            [Algorithm::EcdsaP256, Algorithm::MlDsa65, Algorithm::EcdsaP256, Algorithm::MlDsa65, Algorithm::MlDsa65];
        let names = ["classical", "quantum-safe", "classical 2", "quantum-safe 2", "attesting"];
        let keys: Vec<_> = algorithms.map(|algorithm| PrivateKey::generate(algorithm, &random).unwrap()).into();
        let trusted = names
            .iter()
            .zip(&keys)
            .map(|(name, key)| TrustedKey {
                name: (*name).to_owned(),
                key: key.public_key().unwrap(),
                purpose: if *name == "attesting" { Purpose::Attestation } else { Purpose::Signature },
                state: State::Active,
            })
            .collect();
        Self { random, keys, trusted, image: Digest::of(b"image") }
    }

    fn set(&self, pair: [usize; 2]) -> BTreeMap<String, Value> {
        let keys = pair.map(|key| &self.trusted[key].key);
        HybridSet::new([pair[0] as u8; 16], &keys).to_annotations(&keys)
    }

    fn bundle(&self, key: usize, predicate: &str, annotations: BTreeMap<String, Value>) -> Carrier {
        let statement = Statement {
            subjects: vec![Subject {
                name: Some(REPOSITORY_NAME.to_owned()),
                digests: vec![self.image.clone()],
                annotations,
            }],
            predicate_type: predicate.to_owned(),
            predicate: Value::Object(Default::default()),
        };
        let payload = statement.to_payload();
        let sig = self.keys[key].sign(&pae(IN_TOTO, &payload), &self.random).unwrap();
        let envelope = Envelope::new(IN_TOTO, payload, Signature { key_id: None, sig });
        Carrier::Bundle(Bundle::of_envelope(envelope, &self.trusted[key].key))
    }

    fn layer(&self, key: usize, optional: BTreeMap<String, Value>) -> Carrier {
        let payload = SimpleSigning { digest: self.image.clone(), reference: REPOSITORY_NAME.to_owned(), optional };
        let payload = payload.to_payload().unwrap();
        let signature = self.keys[key].sign(&payload, &self.random).unwrap();
        Carrier::Layer { payload, signature }
    }

    /// The three carriers of a hybrid signature.
    fn hybrid(&self, pair: [usize; 2]) -> Vec<Carrier> {
        let set = self.set(pair);
        vec![
            self.layer(pair[0], set.clone()),
            self.bundle(pair[0], SIGN_PREDICATE, set.clone()),
            self.bundle(pair[1], SIGN_PREDICATE, set),
        ]
    }

    fn question(&self) -> Question<'_> {
        Question {
            image: &self.image,
            repository: None,
            trusted: &self.trusted,
            annotations: &NO_ANNOTATIONS,
            now: NOW,
        }
    }

    fn outcome(&self, carriers: &[Carrier], requirement: Requirement) -> Result<(), Refusal> {
        signature(&self.question(), carriers, requirement).outcome
    }
}

const REQUIREMENTS: [Requirement; 4] =
    [Requirement::Any, Requirement::PostQuantum, Requirement::Hybrid, Requirement::DangerClassicalAlone];

#[test]
fn each_requirement_is_met_by_what_it_names() {
    let bed = Bed::new();
    let none = BTreeMap::new;
    let (ok, pq, pair) = (Ok(()), Err(Refusal::NoPostQuantum), Err(Refusal::NoPair));
    for (carriers, expected) in [
        (bed.hybrid([0, 1]), [&ok, &ok, &ok, &ok]),
        (vec![bed.layer(0, none())], [&ok, &pq, &pair, &ok]),
        (vec![bed.bundle(0, SIGN_PREDICATE, none())], [&ok, &pq, &pair, &ok]),
        (vec![bed.bundle(1, SIGN_PREDICATE, none())], [&ok, &ok, &pair, &ok]),
        (vec![], [&Err(Refusal::Nothing); 4]),
    ] {
        for (requirement, expected) in REQUIREMENTS.into_iter().zip(expected) {
            assert_eq!(bed.outcome(&carriers, requirement), *expected, "{requirement:?}");
        }
    }
}

#[test]
fn two_signatures_that_were_not_made_together_are_no_pair() {
    let bed = Bed::new();
    let carriers = [bed.layer(0, BTreeMap::new()), bed.bundle(1, SIGN_PREDICATE, BTreeMap::new())];
    assert_eq!(bed.outcome(&carriers, Requirement::Hybrid), Err(Refusal::NoPair));
    let mixed = [bed.bundle(0, SIGN_PREDICATE, bed.set([0, 1])), bed.bundle(3, SIGN_PREDICATE, bed.set([2, 3]))];
    assert!(matches!(bed.outcome(&mixed, Requirement::Hybrid), Err(Refusal::Stripped { .. })));
}

#[test]
fn a_signature_whose_sibling_was_taken_away_is_refused() {
    let bed = Bed::new();
    let whole = bed.hybrid([0, 1]);
    for (kept, expected) in [(&whole[..2], "classical"), (&whole[2..], "quantum-safe")] {
        let stripped = Err(Refusal::Stripped { key: expected.to_owned() });
        assert_eq!(bed.outcome(kept, Requirement::Any), stripped);
        assert_eq!(bed.outcome(kept, Requirement::Hybrid), stripped);
        assert_eq!(bed.outcome(kept, Requirement::DangerClassicalAlone), Ok(()));
    }
    // Who asks for the post-quantum signature alone has it whatever became of the classical one, and never the other way round.
    assert_eq!(bed.outcome(&whole[2..], Requirement::PostQuantum), Ok(()));
    assert!(bed.outcome(&whole[..2], Requirement::PostQuantum).is_err());
}

#[test]
fn after_a_rotation_the_new_set_is_enough() {
    let mut bed = Bed::new();
    let carriers: Vec<_> = bed.hybrid([0, 1]).into_iter().chain(bed.hybrid([2, 3])).collect();
    bed.trusted[0].state = State::Revoked;
    assert_eq!(bed.outcome(&carriers, Requirement::Hybrid), Ok(()));
    bed.trusted[3].state = State::VerifyOnlyUntil(NOW);
    assert!(matches!(bed.outcome(&carriers, Requirement::Hybrid), Err(Refusal::Stripped { .. })));
    bed.trusted[3].state = State::VerifyOnlyUntil(NOW + 1);
    assert_eq!(bed.outcome(&carriers, Requirement::Hybrid), Ok(()));
}

#[test]
fn an_attestation_is_no_signature_and_a_signature_no_attestation() {
    let bed = Bed::new();
    // By the signing key: what a verifier that ignores predicates would take.
    let attested = bed.bundle(0, BOM, BTreeMap::new());
    let verdict = signature(&bed.question(), std::slice::from_ref(&attested), Requirement::Any);
    assert_eq!(verdict.outcome, Err(Refusal::NothingBelieved(1)));
    assert!(matches!(&verdict.disbelieved[..], [(0, Disbelief::OtherPredicate { .. })]));
    // By the attesting key: a signature of it is none.
    let signed = bed.bundle(4, SIGN_PREDICATE, BTreeMap::new());
    let verdict = signature(&bed.question(), &[signed], Requirement::Any);
    assert!(matches!(&verdict.disbelieved[..], [(0, Disbelief::Key { why: Unusable::OtherPurpose, .. })]));

    let good = bed.bundle(4, BOM, BTreeMap::new());
    let ask = |carriers: &[Carrier], predicate| {
        attestation(&bed.question(), carriers, predicate, Purpose::Attestation).outcome
    };
    assert_eq!(ask(std::slice::from_ref(&good), BOM), Ok(()));
    assert_eq!(ask(std::slice::from_ref(&good), "https://slsa.dev/provenance/v1"), Err(Refusal::NothingBelieved(1)));
    assert_eq!(ask(&[attested], BOM), Err(Refusal::NothingBelieved(1)));
    assert_eq!(ask(&[bed.layer(0, BTreeMap::new())], BOM), Err(Refusal::NothingBelieved(1)));
}

#[test]
fn what_was_signed_for_another_image_or_repository_proves_nothing() {
    let bed = Bed::new();
    let (other, elsewhere) = (Digest::of(b"other"), "registry.example/team/web".parse::<Repository>().unwrap());
    let here = REPOSITORY_NAME.parse::<Repository>().unwrap();
    for carrier in bed.hybrid([0, 1]) {
        let carriers = [carrier];
        let ask = |image, repository| {
            let question = Question { image, repository, ..bed.question() };
            signature(&question, &carriers, Requirement::DangerClassicalAlone)
        };
        assert!(ask(&bed.image, Some(&here)).outcome.is_ok());
        assert!(matches!(ask(&other, None).disbelieved[..], [(0, Disbelief::OtherImage)]));
        assert!(matches!(ask(&bed.image, Some(&elsewhere)).disbelieved[..], [(0, Disbelief::OtherRepository(_))]));
    }
}

#[test]
fn a_signature_by_a_stranger_or_over_changed_bytes_is_not_believed() {
    let bed = Bed::new();
    let strangers = Question { trusted: &bed.trusted[2..], ..bed.question() };
    let verdict = signature(&strangers, &bed.hybrid([0, 1]), Requirement::Any);
    assert!(verdict.disbelieved.iter().all(|(_, why)| matches!(why, Disbelief::NoTrustedKey)));
    assert_eq!(verdict.outcome, Err(Refusal::NothingBelieved(3)));

    let Carrier::Layer { mut payload, signature: sig } = bed.layer(0, BTreeMap::new()) else { panic!("a layer") };
    payload.push(b' ');
    let changed = [Carrier::Layer { payload, signature: sig }];
    assert_eq!(bed.outcome(&changed, Requirement::Any), Err(Refusal::NothingBelieved(1)));
}

#[test]
fn annotations_that_are_not_understood_are_not_ignored() {
    let bed = Bed::new();
    let mut annotations = bed.set([0, 1]);
    annotations.insert(hybrid::REQUIRE.to_owned(), "two-of-three".into());
    for carrier in [bed.layer(0, annotations.clone()), bed.bundle(0, SIGN_PREDICATE, annotations)] {
        let verdict = signature(&bed.question(), &[carrier], Requirement::Any);
        assert!(matches!(&verdict.disbelieved[..], [(0, Disbelief::Malformed(_))]));
    }
}

#[test]
fn what_has_to_be_said_of_an_image_is_said_under_every_signature_that_counts() {
    let bed = Bed::new();
    let said = |pairs: &[(&str, &str)]| -> BTreeMap<String, Value> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
    };
    let wanted = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    for (annotations, passes) in [
        (wanted(&[]), true),
        (wanted(&[("stage", "production")]), true),
        (wanted(&[("stage", "production"), ("build", "7")]), true),
        (wanted(&[("stage", "production"), ("build", "8")]), false),
        (wanted(&[("owner", "ada")]), false),
        (wanted(&[("stage", "")]), false),
    ] {
        for carrier in [
            bed.layer(0, said(&[("stage", "production"), ("build", "7")])),
            bed.bundle(1, SIGN_PREDICATE, said(&[("stage", "production"), ("build", "7")])),
        ] {
            let question = Question { annotations: &annotations, ..bed.question() };
            let verdict = signature(&question, &[carrier], Requirement::Any);
            assert_eq!(verdict.outcome.is_ok(), passes, "{annotations:?}: {:?}", verdict.disbelieved);
        }
    }
    // One signature that says it does not vouch for another that does not, and what is no text says nothing.
    let annotations = wanted(&[("build", "7")]);
    let question = Question { annotations: &annotations, ..bed.question() };
    let carriers = [
        bed.bundle(0, SIGN_PREDICATE, said(&[("build", "7")])),
        bed.bundle(1, SIGN_PREDICATE, BTreeMap::from([("build".to_owned(), Value::from(7))])),
    ];
    assert_eq!(signature(&question, &carriers, Requirement::PostQuantum).outcome, Err(Refusal::NoPostQuantum));
}
