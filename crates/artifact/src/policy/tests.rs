use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::Seeded;
use serde_json::Value;

use super::*;
use crate::bundle::Bundle;
use crate::dsse::{Envelope, IN_TOTO, Signature, pae};
use crate::hybrid::HybridSet;
use crate::simple_signing::SimpleSigning;
use crate::statement::{Statement, Subject};
use crate::verification::{Carrier, SIGN_PREDICATE};

const NOW: i64 = 1_800_000_000; // 2027-01-15T08:00:00Z
const NAME: &str = "registry.example/team/api";
const BOM: &str = "https://cyclonedx.org/bom";
const NAMES: [&str; 4] = ["classical", "quantum-safe", "bills", "stranger"];

struct Bed {
    random: Seeded,
    keys: Vec<PrivateKey>,
    image: Digest,
}

impl Bed {
    fn new() -> Self {
        let random = Seeded::new(b"policy");
        let algorithms = [Algorithm::EcdsaP256, Algorithm::MlDsa65, Algorithm::MlDsa65, Algorithm::MlDsa65];
        let keys = algorithms.map(|algorithm| PrivateKey::generate(algorithm, &random).unwrap()).into();
        Self { random, keys, image: Digest::of(b"image") }
    }

    fn pem(&self, key: usize) -> String {
        self.keys[key].public_key().unwrap().to_pem()
    }

    /// A policy of the first three keys. `more` says more of the first key, `rest` is everything behind the keys.
    fn text(&self, more: &str, rest: &str) -> String {
        let key = |at: usize, purpose| {
            let pem = self.pem(at).lines().map(|line| format!("      {line}\n")).collect::<String>();
            format!("  - name: {}\n    purpose: {purpose}\n    publicKey: |\n{pem}", NAMES[at])
        };
        let keys = [key(0, "signature"), more.to_owned(), key(1, "signature"), key(2, "attestation")].concat();
        format!("version: 1\nkeys:\n{keys}{rest}")
    }

    fn policy(&self, rest: &str) -> Policy {
        read(&self.text("", rest)).unwrap()
    }

    fn carriers(&self, kind: &str) -> Vec<Carrier> {
        let pair = [0, 1].map(|at: usize| self.keys[at].public_key().unwrap());
        let pair = [&pair[0], &pair[1]];
        let set = HybridSet::new([9; 16], &pair).to_annotations(&pair);
        match kind {
            "hybrid" => vec![
                self.layer(0, set.clone()),
                self.bundle(0, SIGN_PREDICATE, set.clone()),
                self.bundle(1, SIGN_PREDICATE, set),
            ],
            "stripped" => vec![self.bundle(0, SIGN_PREDICATE, set)],
            "classical" => vec![self.layer(0, BTreeMap::new())],
            "post-quantum" => vec![self.bundle(1, SIGN_PREDICATE, BTreeMap::new())],
            "stranger" => vec![self.bundle(3, SIGN_PREDICATE, BTreeMap::new())],
            "attested" => [self.carriers("hybrid"), vec![self.bundle(2, BOM, BTreeMap::new())]].concat(),
            "attested by a signing key" => {
                [self.carriers("hybrid"), vec![self.bundle(1, BOM, BTreeMap::new())]].concat()
            }
            "attested and nothing else" => vec![self.bundle(2, BOM, BTreeMap::new())],
            _ => Vec::new(),
        }
    }

    fn bundle(&self, key: usize, predicate: &str, annotations: BTreeMap<String, Value>) -> Carrier {
        let subject = Subject { name: Some(NAME.to_owned()), digests: vec![self.image.clone()], annotations };
        let statement = Statement {
            subjects: vec![subject],
            predicate_type: predicate.to_owned(),
            predicate: Value::Object(Default::default()),
        };
        let payload = statement.to_payload();
        let sig = self.keys[key].sign(&pae(IN_TOTO, &payload), &self.random).unwrap();
        let envelope = Envelope::new(IN_TOTO, payload, Signature { key_id: None, sig });
        Carrier::Bundle(Bundle::of_envelope(envelope, &self.keys[key].public_key().unwrap()))
    }

    fn layer(&self, key: usize, optional: BTreeMap<String, Value>) -> Carrier {
        let payload = SimpleSigning { digest: self.image.clone(), reference: NAME.to_owned(), optional };
        let payload = payload.to_payload().unwrap();
        let signature = self.keys[key].sign(&payload, &self.random).unwrap();
        Carrier::Layer { payload, signature }
    }

    fn judge(&self, policy: &Policy, name: &str, kind: &str, environment: Option<&str>, now: i64) -> Judgement {
        policy.judge(&Asked {
            reference: &name.parse().unwrap(),
            image: &self.image,
            carriers: &self.carriers(kind),
            environment: environment.map(|name| policy.environment(name).unwrap()),
            now,
        })
    }
}

fn read(text: &str) -> Result<Policy, NotAPolicy> {
    Policy::parse(text.as_bytes(), &|path| {
        let error = std::io::Error::from(std::io::ErrorKind::NotFound);
        Err(NotAPolicy::Read { path: path.to_owned(), error })
    })
}

fn codes(judgement: &Judgement) -> Vec<&'static str> {
    judgement.refusals.iter().map(|refusal| refusal.code.as_str()).collect()
}

const PLAIN: &str =
    "registries:\n  - name: registry.example\nimages:\n  - name: ours\n    match: [registry.example/team/**]\n";

#[test]
fn a_policy_that_says_nothing_more_asks_for_both_signatures() {
    let bed = Bed::new();
    let policy = bed.policy(PLAIN);
    for (kind, expected) in [
        ("hybrid", vec![]),
        ("attested", vec![]),
        ("classical", vec!["no-pair"]),
        ("post-quantum", vec!["no-pair"]),
        ("stripped", vec!["stripped"]),
        ("stranger", vec!["not-believed"]),
        ("attested and nothing else", vec!["not-believed"]),
        ("nothing", vec!["not-signed"]),
    ] {
        let judgement = bed.judge(&policy, NAME, kind, None, NOW);
        assert_eq!(codes(&judgement), expected, "{kind}");
        assert_eq!(judgement.rule.as_deref(), Some("ours"));
        let effect = if expected.is_empty() { Effect::Allow } else { Effect::Deny };
        assert_eq!(judgement.effect(None, NOW), effect);
    }
    let judgement = bed.judge(&policy, NAME, "attested and nothing else", None, NOW);
    assert!(judgement.refusals[0].text.contains("bills: the key signs something else"), "{judgement:?}");
}

#[test]
fn what_the_policy_does_not_mention_is_refused_without_asking_a_registry() {
    let bed = Bed::new();
    let policy = bed.policy(
        "registries:\n  - name: registry.example\n    repositories: [registry.example/team/*]\nimages:\n  - name: a\n    match: [registry.example/team/api]\n",
    );
    for (name, expected) in [
        ("registry.example/team/api:1", None),
        ("registry.example/team/web:1", Some("no-rule")),
        ("registry.example/other/api:1", Some("registry-not-allowed")),
        ("registry.example:5000/team/api:1", Some("registry-not-allowed")),
        ("alpine:3", Some("registry-not-allowed")),
    ] {
        let reference = name.parse().unwrap();
        let judged = policy.judge_by_name(&reference, None, NOW);
        assert_eq!(judged.as_ref().map(|judged| codes(judged)[0]), expected, "{name}");
        assert_eq!(policy.endpoint(reference.repository()).is_some(), expected.is_none_or(|code| code == "no-rule"));
        assert_eq!(bed.judge(&policy, name, "hybrid", None, NOW).passes(), expected.is_none(), "{name}");
    }
}

#[test]
fn a_signature_counts_for_the_repository_it_was_made_for() {
    let bed = Bed::new();
    let base = "registries:\n  - name: registry.example\n  - name: docker.io\nimages:\n  - name: all\n    match: [registry.example/**, docker.io/**]\n";
    let copied = "docker.io/acme/api";
    assert_eq!(codes(&bed.judge(&bed.policy(base), copied, "hybrid", None, NOW)), ["not-believed"]);
    let remapped =
        format!("{base}    remapIdentity: {{prefix: docker.io/acme, signedPrefix: registry.example/team}}\n");
    let policy = bed.policy(&remapped);
    assert!(bed.judge(&policy, copied, "hybrid", None, NOW).passes());
    assert!(bed.judge(&policy, NAME, "hybrid", None, NOW).passes());
    assert!(!bed.judge(&policy, "docker.io/acme/web", "hybrid", None, NOW).passes());
    assert!(!bed.judge(&policy, "docker.io/acmeteam/api", "hybrid", None, NOW).passes());
    let any = bed.policy(&format!("{base}    dangerAnyRepository: true\n"));
    assert!(bed.judge(&any, copied, "hybrid", None, NOW).passes());
}

#[test]
fn what_is_weakened_is_weakened_until_a_date() {
    let bed = Bed::new();
    let until = |field: &str| bed.policy(&format!("{PLAIN}    {field}: 2027-01-16\n"));
    let (classical, alone) = (until("classicalUntil"), until("dangerClassicalAloneUntil"));
    let day = 24 * 3600;
    for (policy, kind, before, warning) in [
        (&classical, "classical", vec![], Some("classical-for-now")),
        (&classical, "stripped", vec!["stripped"], None),
        (&classical, "stranger", vec!["not-believed"], None),
        (&classical, "hybrid", vec![], None),
        (&alone, "stripped", vec![], Some("danger-classical-alone")),
        (&alone, "stranger", vec!["not-believed"], None),
    ] {
        let judgement = bed.judge(policy, NAME, kind, None, NOW);
        assert_eq!(codes(&judgement), before, "{kind}");
        assert_eq!(judgement.warnings.first().map(|warning| warning.code.as_str()), warning, "{kind}");
        let later = bed.judge(policy, NAME, kind, None, NOW + day);
        assert_eq!(later.passes(), kind == "hybrid", "{kind}");
    }
}

#[test]
fn attestations_are_those_of_the_right_predicate_and_key() {
    let bed = Bed::new();
    let policy =
        bed.policy(&format!("{PLAIN}    attestations:\n      - predicateType: {BOM}\n        keys: [bills]\n"));
    for (kind, expected) in [
        ("attested", vec![]),
        ("hybrid", vec!["attestation-missing"]),
        ("attested by a signing key", vec!["attestation-missing"]),
        ("attested and nothing else", vec!["not-believed"]),
        ("nothing", vec!["not-signed", "attestation-missing"]),
    ] {
        assert_eq!(codes(&bed.judge(&policy, NAME, kind, None, NOW)), expected, "{kind}");
    }
}

#[test]
fn keys_count_in_their_time_and_a_revoked_one_never_again() {
    let bed = Bed::new();
    for (more, now, counts) in [
        ("    validFrom: 2027-01-15\n", NOW, true),
        ("    validFrom: 2027-01-16\n", NOW, false),
        ("    validUntil: 2027-01-16\n", NOW, true),
        ("    validUntil: 2027-01-15\n", NOW, false),
        ("    state: verify-only\n    validUntil: 2027-01-16\n", NOW, true),
        ("    state: verify-only\n    validUntil: 2027-01-16\n", NOW + 86_400, false),
        ("    state: revoked\n", NOW, false),
        ("    state: revoked\n    revokedFrom: 2027-01-16\n", NOW, true),
        ("    state: revoked\n    revokedFrom: 2027-01-16\n", NOW + 86_400, false),
    ] {
        let policy = read(&bed.text(more, PLAIN)).unwrap();
        assert_eq!(bed.judge(&policy, NAME, "hybrid", None, now).passes(), counts, "{more}");
    }
    let retired = read(&bed.text("    state: verify-only\n    validUntil: 2027-01-16\n", PLAIN)).unwrap();
    assert!(!retired.keys()[0].signs(NOW) && retired.keys()[1].signs(NOW));
}

#[test]
fn digests_are_denied_and_exempted_before_anything_else() {
    let bed = Bed::new();
    let (image, other) = (&bed.image, Digest::of(b"other"));
    let denied = bed.policy(&format!("{PLAIN}denied:\n  - {{digest: \"{image}\", reason: CVE}}\n"));
    assert_eq!(codes(&bed.judge(&denied, NAME, "hybrid", None, NOW)), ["digest-denied"]);
    let exempted = bed.policy(&format!(
        "{PLAIN}exempted:\n  - {{digest: \"{image}\", reason: part of the cluster, until: 2027-01-16}}\n"
    ));
    let judgement = bed.judge(&exempted, "registry.k8s.io/pause:3", "nothing", None, NOW);
    assert_eq!((judgement.passes(), judgement.effect(None, NOW)), (true, Effect::Warn));
    assert!(!bed.judge(&exempted, "registry.k8s.io/pause:3", "nothing", None, NOW + 86_400).passes());
    let pinned = format!("{NAME}@{other}");
    assert_eq!(codes(&bed.judge(&bed.policy(PLAIN), &pinned, "hybrid", None, NOW)), ["digest-mismatch"]);
}

#[test]
fn environments_have_their_rules_and_their_modes() {
    let bed = Bed::new();
    let policy = bed.policy(
        "registries:\n  - name: registry.example\nimages:\n  - name: production\n    match: [registry.example/**]\n    environments: [production]\n  - name: elsewhere\n    match: [registry.example/**]\n    require: any\nenvironments:\n  - name: production\n    namespaces: [prod-*]\n  - name: staging\n    namespaces: [staging]\n    softFailUntil: 2027-01-16\n  - name: development\n    namespaces: ['*']\n    mode: dry-run\n",
    );
    for (environment, kind, effect) in [
        (Some("production"), "classical", Effect::Deny),
        (Some("staging"), "classical", Effect::Allow),
        (Some("staging"), "nothing", Effect::Warn),
        (Some("development"), "nothing", Effect::DryRun),
        (None, "classical", Effect::Allow),
        (None, "nothing", Effect::Deny),
    ] {
        let judgement = bed.judge(&policy, NAME, kind, environment, NOW);
        let place = environment.map(|name| policy.environment(name).unwrap());
        assert_eq!(judgement.effect(place, NOW), effect, "{environment:?} {kind}");
    }
    let staging = policy.environment("staging").unwrap();
    assert_eq!(staging.mode(NOW + 86_400), Mode::Enforce);
    for (namespace, environment) in [("prod-eu", "production"), ("staging", "staging"), ("staging-2", "development")] {
        assert_eq!(policy.environment_of_namespace(namespace).map(Environment::name), Some(environment));
    }
    let unknown = policy.environment("prod").unwrap_err().to_string();
    assert_eq!(unknown, "the policy has no environment \"prod\"; it has production, staging, development");
}

#[test]
fn the_hash_follows_the_text_and_the_keys() {
    let bed = Bed::new();
    let text = bed.text("", PLAIN);
    let hash = |text: &str| read(text).unwrap().hash().clone();
    assert_eq!(hash(&text), hash(&text));
    assert_ne!(hash(&text), hash(&(text.clone() + "# more\n")));
    let filed = "version: 1\nkeys:\n  - {name: a, purpose: signature, publicKeyFile: a.pem}\n".to_owned() + PLAIN;
    let with = |key: usize| {
        let pem = bed.pem(key).into_bytes();
        Policy::parse(filed.as_bytes(), &|path| {
            assert_eq!(path, Path::new("a.pem"));
            Ok(pem.clone())
        })
    };
    assert_ne!(with(0).unwrap().hash(), with(1).unwrap().hash());
}

#[test]
fn a_registry_answers_where_the_policy_says() {
    let bed = Bed::new();
    let policy = bed.policy(
        "registries:\n  - name: docker.io\n  - name: registry.example\n    endpoint: mirror.internal:5000\n    dangerPlainHttp: true\nimages:\n  - name: a\n    match: ['docker.io/**']\n",
    );
    let endpoint = |name: &str| policy.endpoint(&name.parse().unwrap()).cloned();
    let plain = |host: &str, danger_plain_http| Some(Endpoint { host: host.to_owned(), danger_plain_http });
    assert_eq!(endpoint("alpine"), plain("registry-1.docker.io", false));
    assert_eq!(endpoint("registry.example/a"), plain("mirror.internal:5000", true));
    assert_eq!(endpoint("mirror.internal:5000/a"), None);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let bed = Bed::new();
    let keys_end = bed.text("", "").lines().count() as u64;
    let from = |rest: &str| bed.text("", rest);
    for (text, line, what) in [
        (from(&format!("{PLAIN}surprise: 1\n")), keys_end + 6, "surprise"),
        (from(&format!("{PLAIN}    requires: any\n")), keys_end + 6, "requires"),
        (from(&format!("{PLAIN}    require: some\n")), keys_end + 6, "some"),
        (from(&format!("{PLAIN}    keys: [nobody]\n")), keys_end + 6, "there is no key \"nobody\""),
        (from(&format!("{PLAIN}    keys: [bills]\n")), keys_end + 6, "signs something else"),
        (from(&format!("{PLAIN}    keys: []\n")), keys_end + 4, "refuse everything"),
        (from(&format!("{PLAIN}    classicalUntil: soon\n")), keys_end + 6, "soon"),
        (from(&format!("{PLAIN}    environments: [moon]\n")), keys_end + 6, "no environment \"moon\""),
        (from(&format!("{PLAIN}    attestations: [{{predicateType: bom}}]\n")), keys_end + 6, "URI"),
        (from(&PLAIN.replace("registry.example/team/**", "\"**\"")), keys_end + 5, "pattern"),
        (from(&PLAIN.replace("[registry.example/team/**]", "[]")), keys_end + 5, "matches nothing"),
        (
            from(&PLAIN.replace("name: registry.example\n", "name: https://registry.example\n")),
            keys_end + 2,
            "host:port",
        ),
        (from(&format!("{PLAIN}images: []\n")), keys_end + 6, "images"),
        (from(&format!("{PLAIN}environments:\n  - &e {{name: a}}\n")), keys_end + 7, "anchor"),
        (from(&format!("{PLAIN}---\nversion: 1\n")), keys_end + 6, "document"),
        (
            from(&format!("{PLAIN}environments:\n  - {{name: a}}\n  - {{name: a}}\n")),
            keys_end + 8,
            "two of the environment",
        ),
        (bed.text("    state: verify-only\n", PLAIN), 3, "a rotation ends"),
        (bed.text("    revokedFrom: 2027-01-01\n", PLAIN), 3, "not of the state revoked"),
        (bed.text("    validFrom: 2027-01-02\n    validUntil: 2027-01-01\n", PLAIN), 3, "before"),
        (bed.text("    publicKeyFile: a.pem\n", PLAIN), 3, "either"),
        ("version: 2\n".to_owned(), 1, "version 1"),
        (from(PLAIN).replacen("BEGIN PUBLIC", "BEGIN PRIVATE", 1), 6, "PEM"),
        ("version: 1\nkeys: [\n".to_owned(), 2, "["),
    ] {
        match read(&text) {
            Err(NotAPolicy::Written { line: found, what: told, .. }) => {
                assert!(told.contains(what), "{what}: {told}");
                assert!(!told.contains('\n') && !told.contains(" line "), "{told}");
                assert_eq!(found, line, "{what}: {told}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    let deep = format!("{PLAIN}environments: {}{}\n", "[".repeat(40), "]".repeat(40));
    assert!(matches!(read(&from(&deep)), Err(NotAPolicy::Written { .. })));
    let long = vec![b'#'; LONGEST_BYTES + 1];
    assert!(matches!(Policy::parse(&long, &|_| Ok(Vec::new())), Err(NotAPolicy::TooLong(_))));
    let missing = "version: 1\nkeys:\n  - {name: a, purpose: signature, publicKeyFile: a.pem}\n".to_owned() + PLAIN;
    assert!(matches!(read(&missing), Err(NotAPolicy::Read { .. })));
}
