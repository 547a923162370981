use std::sync::Mutex;

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::Seeded;
use serde_json::Value;

use super::report::{About, Outcome, Report};
use super::ticket::{NotATicket, Ticket};
use super::*;
use crate::bundle::Bundle;
use crate::dsse::{Envelope, IN_TOTO, Signature, pae};
use crate::policy::Effect;
use crate::statement::Statement;
use crate::verification::SIGN_PREDICATE;
use crate::versions::Versions;

const NOW: i64 = 1_800_000_000;

struct Bed {
    random: Seeded,
    signing: PrivateKey,
    verdicts: PrivateKey,
    policy: Policy,
}

impl Bed {
    fn new() -> Self {
        let random = Seeded::new(b"gate");
        let [signing, verdicts] = [(); 2].map(|()| PrivateKey::generate(Algorithm::MlDsa65, &random).unwrap());
        let key = |name: &str, purpose: &str, key: &PrivateKey| {
            let pem = key.public_key().unwrap().to_pem().replace('\n', "\n      ");
            format!("  - name: {name}\n    purpose: {purpose}\n    publicKey: |\n      {pem}\n")
        };
        let keys = key("release", "signature", &signing) + &key("gate", "verdict", &verdicts);
        let text = format!(
            "version: 1\nkeys:\n{keys}registries:\n  - name: registry.example\nimages:\n  - name: ours\n    \
            match: ['registry.example/**']\n    require: post-quantum\nenvironments:\n  - name: production\n  \
            - name: staging\n    mode: warn\n  - name: development\n    mode: dry-run\nverdicts: {{acceptForS: 3600}}\n"
        );
        let policy = Policy::parse(text.as_bytes(), &|_| Ok(Vec::new())).unwrap();
        Self { random, signing, verdicts, policy }
    }

    fn signed(&self, key: &PrivateKey, statement: &Statement) -> Carrier {
        let payload = statement.to_payload();
        let sig = key.sign(&pae(IN_TOTO, &payload), &self.random).unwrap();
        let envelope = Envelope::new(IN_TOTO, payload, Signature { key_id: None, sig });
        Carrier::Bundle(Bundle::of_envelope(envelope, &key.public_key().unwrap()))
    }

    fn signature(&self, repository: &Repository, image: &Digest) -> Carrier {
        let subject = crate::statement::Subject {
            name: Some(repository.to_string()),
            digests: vec![image.clone()],
            annotations: BTreeMap::new(),
        };
        let predicate = Value::Object(Default::default());
        let predicate_type = SIGN_PREDICATE.to_owned();
        self.signed(&self.signing, &Statement { subjects: vec![subject], predicate_type, predicate })
    }

    /// A registry in which everything whose name does not begin with `un` is signed.
    fn check(&self, text: &str, environment: Option<&str>, asked: &Mutex<Vec<String>>) -> Vec<Checked> {
        let versions = Versions::parse(text.as_bytes(), Some("registry.example")).unwrap();
        let environment = environment.map(|name| self.policy.environment(name).unwrap());
        let gate = Gate { policy: &self.policy, environment, now: NOW, at_once: 4 };
        let resolve = |reference: Reference| async move {
            asked.lock().unwrap().push(format!("tag {reference}"));
            match reference.repository().path() {
                "absent" => Err(Unfound::Absent("no such tag".to_owned())),
                "down" => Err(Unfound::Unreachable("connection refused".to_owned())),
                path => Ok(Digest::of(path.as_bytes())),
            }
        };
        let evidence = |repository: Repository, image: Digest| async move {
            asked.lock().unwrap().push(format!("digest {repository}"));
            let is_signed = !repository.path().starts_with("un");
            Ok(is_signed.then(|| self.signature(&repository, &image)).into_iter().collect())
        };
        let checking = gate.check(versions.entries(), resolve, evidence);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(checking)
    }

    fn report(&self, text: &str, environment: Option<&str>, ticket: Option<&Ticket>) -> Report {
        let checked = self.check(text, environment, &Mutex::new(Vec::new()));
        let environment = environment.map(|name| self.policy.environment(name).unwrap());
        let about = About { versions: "env versions.yaml", policy: &self.policy, environment, now: NOW, ticket };
        Report::new(&about, checked)
    }
}

#[test]
fn each_tag_and_each_digest_is_asked_for_once_and_no_stranger_at_all() {
    let bed = Bed::new();
    let asked = Mutex::new(Vec::new());
    let text = "a: {api: 1, web: 1}\nb: {api: 1}\nc: {api: 2}\nelsewhere: other.example/x:1\n";
    let checked = bed.check(text, None, &asked);
    let mut asked = asked.into_inner().unwrap();
    asked.sort();
    assert_eq!(
        asked,
        [
            "digest registry.example/api",
            "digest registry.example/web",
            "tag registry.example/api:1",
            "tag registry.example/api:2",
            "tag registry.example/web:1",
        ]
    );
    let passes: Vec<_> = checked.iter().map(|checked| checked.judgement.passes()).collect();
    assert_eq!(passes, [true, true, true, true, false]);
}

/// Seconds after which a question to a registry that says nothing is given up.
const PATIENCE_S: u64 = 120;

/// Looks at images in a registry that says nothing from `silent_after` seconds on and in one that answers after a second, one
/// of each registry at a time, and says what became of each and how many seconds had passed when the others had been answered.
fn beside_a_silent_registry(silent_after: u64) -> (Vec<Checked>, u64, u64) {
    let bed = Bed::new();
    let policy = format!(
        "version: 1\nkeys:\n  - name: release\n    purpose: signature\n    publicKey: |\n      {}\nregistries:\n  \
        - name: a.silent.example\n  - name: registry.example\nimages:\n  - name: all\n    match: ['a.silent.example/**', 'registry.example/**']\n    require: post-quantum\n",
        bed.signing.public_key().unwrap().to_pem().replace('\n', "\n      ")
    );
    let policy = Policy::parse(policy.as_bytes(), &|_| Ok(Vec::new())).unwrap();
    let names = (1..=50).flat_map(|number| {
        ["a.silent.example", "registry.example"].map(|host| format!("{host}-{number}: '{host}/x{number}:1'\n"))
    });
    let versions = Versions::parse(names.collect::<String>().as_bytes(), None).unwrap();
    let gate = Gate { policy: &policy, environment: None, now: NOW, at_once: 1 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (began, healthy) = (tokio::time::Instant::now(), Mutex::new(0));
        let passed = || began.elapsed().as_secs();
        let wait = |host: String| async move {
            let is_silent = host == "a.silent.example" && passed() >= silent_after;
            tokio::time::sleep(std::time::Duration::from_secs(if is_silent { PATIENCE_S } else { 1 })).await;
            if is_silent { Err(Unfound::Silent(format!("{host} did not answer"))) } else { Ok(()) }
        };
        let resolve = |reference: Reference| async move {
            wait(reference.repository().registry().to_owned()).await?;
            Ok(Digest::of(reference.repository().path().as_bytes()))
        };
        let (bed, healthy_at) = (&bed, &healthy);
        let evidence = |repository: Repository, image: Digest| async move {
            wait(repository.registry().to_owned()).await?;
            if repository.registry() == "registry.example" {
                *healthy_at.lock().unwrap() = passed();
            }
            Ok(vec![bed.signature(&repository, &image)])
        };
        let checked = gate.check(versions.entries(), resolve, evidence).await;
        (checked, *healthy.lock().unwrap(), passed())
    })
}

#[test]
fn a_registry_that_says_nothing_costs_its_patience_once_and_others_nothing() {
    for (silent_after, answered) in [(0, 0), (20, 10)] {
        let (checked, healthy, all) = beside_a_silent_registry(silent_after);
        assert_eq!(healthy, 100, "two questions of a second for each image, one at a time");
        assert!(all <= silent_after + PATIENCE_S + 1, "{all} s for all");
        let passes = |host: &str| {
            let of_host = checked.iter().filter(|image| image.entry.reference.repository().registry() == host);
            of_host.filter(|image| image.judgement.passes()).count()
        };
        assert_eq!((passes("registry.example"), passes("a.silent.example")), (50, answered));
        let refusals: Vec<_> =
            checked.iter().flat_map(|image| &image.judgement.refusals).map(|finding| &finding.text).collect();
        let given_up = refusals.iter().filter(|why| why.ends_with("not asked about this image any more")).count();
        assert_eq!((refusals.len(), given_up), (50 - answered, 49 - answered), "{refusals:?}");
    }
}

#[test]
fn the_outcome_follows_from_the_worst_that_is_enforced() {
    let bed = Bed::new();
    for (text, environment, outcome) in [
        ("api: 1", None, Outcome::Passed),
        ("api: 1\nunsigned: 1", None, Outcome::Refused),
        ("api: 1\nunsigned: 1", Some("production"), Outcome::Refused),
        ("api: 1\nunsigned: 1", Some("staging"), Outcome::Passed),
        ("api: 1\nunsigned: 1", Some("development"), Outcome::Passed),
        ("api: 1\ndown: 1", None, Outcome::Unreachable),
        ("down: 1\nunsigned: 1", None, Outcome::Refused),
        ("absent: 1", None, Outcome::Refused),
    ] {
        assert_eq!(bed.report(text, environment, None).outcome, outcome, "{text} {environment:?}");
    }
}

#[test]
fn a_ticket_turns_refusals_into_warnings_that_say_so() {
    let bed = Bed::new();
    let ticket = Ticket {
        id: "t1".to_owned(),
        reason: "hotfix".to_owned(),
        issued_by: "ada".to_owned(),
        environment: Some("production".to_owned()),
        digests: Vec::new(),
        expires: NOW + 1,
    };
    let report = bed.report("unsigned: 1", Some("production"), Some(&ticket));
    assert_eq!((report.outcome, report.images[0].effect), (Outcome::Passed, Effect::Warn));
    let text = text::report(&report, text::Explain::No);
    assert!(text.contains("ticket t1 by ada lets it pass: hotfix"), "{text}");
    assert_eq!(bed.report("unsigned: 1", None, Some(&ticket)).outcome, Outcome::Refused);
}

#[test]
fn a_verdict_is_reused_under_the_same_policy_for_the_same_place_and_time() {
    let bed = Bed::new();
    let reference: Reference = "registry.example/api:1".parse().unwrap();
    let image = Digest::of(b"api");
    let place = |name: Option<&str>| name.map(|name| bed.policy.environment(name).unwrap());
    let about = |environment: Option<&str>| verdict::About {
        repository: reference.repository(),
        image: &image,
        policy: &bed.policy,
        environment: place(environment),
        now: NOW,
    };
    let passed = bed.report("api: 1", None, None);
    assert_eq!(passed.outcome, Outcome::Passed);
    let judged = |passes: bool| match passes {
        true => bed.check("api: 1", None, &Mutex::new(Vec::new())).remove(0).judgement,
        false => Judgement::refused(Code::NotSigned, "it is not signed"),
    };
    let carrier = |key: &PrivateKey, environment, passes| {
        bed.signed(key, &verdict::statement(&about(environment), &judged(passes)))
    };
    for (carrier, environment, now, is_reused) in [
        (carrier(&bed.verdicts, None, true), None, NOW + 3_599, true),
        (carrier(&bed.verdicts, None, true), None, NOW - 30, true),
        (carrier(&bed.verdicts, None, true), None, NOW - 90, false),
        (carrier(&bed.verdicts, None, true), None, NOW + 3_600, false),
        (carrier(&bed.verdicts, None, true), Some("production"), NOW, false),
        (carrier(&bed.verdicts, Some("production"), true), Some("production"), NOW, true),
        (carrier(&bed.verdicts, Some("staging"), true), Some("production"), NOW, false),
        (carrier(&bed.verdicts, None, false), None, NOW, false),
        (carrier(&bed.signing, None, true), None, NOW, false),
        (bed.signature(reference.repository(), &image), None, NOW, false),
    ] {
        let carriers = [carrier];
        let ask = |reference: &Reference, image: &Digest, policy: &Policy| {
            let environment = environment.map(|name| policy.environment(name).unwrap());
            verdict::reuse(policy, &Asked { reference, image, carriers: &carriers, environment, now }).is_some()
        };
        assert_eq!(ask(&reference, &image, &bed.policy), is_reused, "{environment:?} {now}");
        assert!(!ask(&"registry.example/web:1".parse().unwrap(), &image, &bed.policy));
        assert!(!ask(&reference, &Digest::of(b"web"), &bed.policy));
        assert!(!ask(&reference, &image, &Bed::new_policy_with_a_comment(&bed)));
    }
}

impl Bed {
    /// The same policy in other words, whose verdicts are therefore not the same.
    fn new_policy_with_a_comment(&self) -> Policy {
        let pem = self.verdicts.public_key().unwrap().to_pem().replace('\n', "\n      ");
        let text = format!(
            "# other\nversion: 1\nkeys:\n  - name: gate\n    purpose: verdict\n    publicKey: |\n      {pem}\n  \
            - name: release\n    purpose: signature\n    publicKey: |\n      {}\nregistries:\n  \
            - name: registry.example\nimages:\n  - name: ours\n    match: ['registry.example/**']\nenvironments:\n  \
            - name: production\n  - name: staging\n  - name: development\nverdicts: {{acceptForS: 3600}}\n",
            self.signing.public_key().unwrap().to_pem().replace('\n', "\n      ")
        );
        Policy::parse(text.as_bytes(), &|_| Ok(Vec::new())).unwrap()
    }
}

#[test]
fn reports_tell_the_same_in_every_form() {
    let bed = Bed::new();
    let report = bed.report("api: 1\nunsigned: 1\ndown: 1\nodd: 'other.example/x:1'\n", Some("production"), None);
    let text = text::report(&report, text::Explain::Yes);
    for expected in [
        "ok       api: registry.example/api:1 (sha256:",
        "REFUSED  unsigned: registry.example/unsigned:1",
        "not-signed: it is not signed; sign it: qapi image sign",
        "signature in carrier 0: believed, by release",
        "unreachable: connection refused",
        "refused: 4 images in production (enforce), 1 verified, 3 refused",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let junit = junit::report(&report);
    assert!(junit.contains("tests=\"4\" failures=\"2\" errors=\"1\""), "{junit}");
    assert!(junit.contains("<failure type=\"not-signed\" message=\"it is not signed\">"), "{junit}");
    let sarif = sarif::report(&report, "1.0.0");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(3));
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "env%20versions.yaml");
    assert_eq!((&place["region"]["startLine"], &place["region"]["startColumn"]), (&2.into(), &11.into()));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json["outcome"], &json["images"][1]["refusals"][0]["code"]),
        (&"refused".into(), &"not-signed".into())
    );
}

#[test]
fn what_may_run_is_listed_by_digest_and_nothing_of_a_file_that_is_refused() {
    let bed = Bed::new();
    let digest = |name: &str| Digest::of(name.as_bytes());
    let listed = listing::report(&bed.report("a: {api: 1}\nweb: 'registry.example/web:2'\n", None, None));
    let expected =
        format!("registry.example/api@{} a.api\nregistry.example/web@{} web\n", digest("api"), digest("web"));
    assert_eq!(listed, expected);
    for refused in ["api: 1\nunsigned: 1", "api: 1\ndown: 1"] {
        assert_eq!(listing::report(&bed.report(refused, Some("production"), None)), "");
    }
    // Where a refusal is only a warning, what is warned of runs too.
    let warned = listing::report(&bed.report("unsigned: 1\ndown: 1", Some("staging"), None));
    let expected = format!("registry.example/unsigned@{} unsigned\nregistry.example/down:1 down\n", digest("unsigned"));
    assert_eq!(warned, expected);
}

#[test]
fn every_sarif_report_is_valid_by_the_schema_of_the_standard() {
    let schema = include_bytes!("../../../../tests/vectors/reports/sarif-schema-2.1.0.json");
    let schema: Value = serde_json::from_slice(schema).unwrap();
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft4).should_validate_formats(true);
    let validator = options.build(&schema).unwrap();
    let bed = Bed::new();
    let ticket = Ticket {
        id: "t1".to_owned(),
        reason: "a \"hotfix\"\u{1}\n<&>".to_owned(),
        issued_by: "ada".to_owned(),
        environment: Some("production".to_owned()),
        digests: Vec::new(),
        expires: NOW + 1,
    };
    let mut levels = std::collections::BTreeSet::new();
    for text in ["api: 1", "api: 1\nunsigned: 1\ndown: 1\nabsent: 1\n\"\u{e4} \\\" <b>\": 'other.example/x:1'\n"] {
        for environment in [None, Some("production"), Some("staging"), Some("development")] {
            for ticket in [None, Some(&ticket)] {
                let sarif = sarif::report(&bed.report(text, environment, ticket), "1.0.0");
                let faults: Vec<_> = validator.iter_errors(&sarif).map(|fault| fault.to_string()).collect();
                assert!(faults.is_empty(), "{text} {environment:?}: {faults:?}");
                let results = sarif["runs"][0]["results"].as_array().unwrap();
                levels.extend(results.iter().map(|result| result["level"].as_str().unwrap().to_owned()));
            }
        }
    }
    assert_eq!(levels.into_iter().collect::<Vec<_>>(), ["error", "note", "warning"]);
    assert!(
        !validator.is_valid(&serde_json::json!({"version": "2.1.0", "runs": [{}]})),
        "the schema refuses something"
    );
}

#[test]
fn a_signed_ticket_is_believed_by_the_key_of_its_platform_for_its_tenant_and_its_time() {
    const TYPE: &str = "application/vnd.qapi.gate-ticket.v1+json";
    let bed = Bed::new();
    let policy = |purpose: &str, tenant: &str| {
        let pem = bed.verdicts.public_key().unwrap().to_pem().replace('\n', "\n      ");
        let text = format!(
            "version: 1\nkeys:\n  - name: release\n    purpose: signature\n    publicKey: |\n      {}\n  - name: platform\n    \
            purpose: {purpose}\n    publicKey: |\n      {pem}\nregistries: []\nimages: []\n{tenant}",
            bed.signing.public_key().unwrap().to_pem().replace('\n', "\n      ")
        );
        Policy::parse(text.as_bytes(), &|_| Ok(Vec::new())).unwrap()
    };
    let token = |key: &PrivateKey, kind: &str, issued: i64, expires: i64| {
        let payload = serde_json::json!({
            "id": "t1", "tenant": "ours", "reason": "hotfix", "issuedBy": "ada", "environment": "production",
            "digests": [], "issuedAt": issued, "expiresAt": expires,
        });
        let payload = payload.to_string().into_bytes();
        let sig = key.sign(&pae(kind, &payload), &bed.random).unwrap();
        let envelope = Envelope::new(kind, payload, Signature { key_id: None, sig });
        let text = crate::base64::encode(&serde_json::to_vec(&envelope).unwrap());
        text.trim_end_matches('=').replace('+', "-").replace('/', "_")
    };
    let good = token(&bed.verdicts, TYPE, NOW - 10, NOW + 10);
    let ours = policy("ticket", "tickets: {tenant: ours}\n");
    let read = Ticket::read(&good, &ours, NOW).unwrap();
    assert_eq!((read.id.as_str(), read.environment.as_deref()), ("t1", Some("production")));
    assert_eq!(Ticket::danger_unverified_id(&good).as_deref(), Some("t1"));
    for (token, policy, now, why) in [
        (&good, &ours, NOW + 10, NotATicket::NotNow),
        (&good, &ours, NOW - 100, NotATicket::NotNow),
        (&token(&bed.verdicts, TYPE, NOW, NOW + 86_401), &ours, NOW, NotATicket::NotNow),
        (&token(&bed.verdicts, TYPE, i64::MIN, i64::MAX), &ours, NOW, NotATicket::NotNow),
        (&token(&bed.signing, TYPE, NOW - 10, NOW + 10), &ours, NOW, NotATicket::NotSigned),
        (&token(&bed.verdicts, IN_TOTO, NOW - 10, NOW + 10), &ours, NOW, NotATicket::NotSigned),
        (&good, &policy("verdict", "tickets: {tenant: ours}\n"), NOW, NotATicket::NotSigned),
        (&good, &policy("ticket", "tickets: {tenant: theirs}\n"), NOW, NotATicket::OtherTenant("ours".to_owned())),
        (&good, &policy("ticket", ""), NOW, NotATicket::NotAccepted),
        (&"t1".to_owned(), &ours, NOW, NotATicket::Malformed),
    ] {
        assert_eq!(Ticket::read(token, policy, now).unwrap_err(), why);
    }
}
