//! The gate's verdict of an image as a signed statement: a SLSA verification summary (VSA 1.0), so that admission can let pass
//! what the gate has looked at, under the same policy and for the same environment.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::digest::Digest;
use crate::hybrid::REPOSITORY;
use crate::policy::{Asked, Code, Environment, Judgement, Moment, Note, Policy};
use crate::reference::Repository;
use crate::statement::{Statement, Subject};
use crate::trusted_key::{Purpose, TrustedKey};
use crate::verification::{self, Believed, Question};

/// The predicate of a verification summary.
pub const PREDICATE: &str = "https://slsa.dev/verification_summary/v1";
/// Who verified.
const VERIFIER: &str = "https://qapi.dev/gate";
/// The annotation of the policy that names the environment.
const ENVIRONMENT: &str = "environment";
const PASSED: &str = "PASSED";
const FAILED: &str = "FAILED";
/// Clocks of a gate and of a cluster differ by less.
const CLOCKS_DIFFER_S: i64 = 60;

/// What a verdict is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Where the image lies.
    pub repository: &'a Repository,
    /// What was looked at.
    pub image: &'a Digest,
    /// The policy that decided.
    pub policy: &'a Policy,
    /// Where it is to run.
    pub environment: Option<&'a Environment>,
    /// When the gate looked, in Unix seconds.
    pub now: i64,
}

/// The statement to sign about a judgement. What passed by a ticket, or only because its environment does not enforce, has not
/// passed the policy, and its statement says so.
pub fn statement(about: &About<'_>, judgement: &Judgement) -> Statement {
    let is_bypassed = judgement.warnings.iter().any(|warning| warning.code == Code::Bypassed);
    let result = if judgement.passes() && !is_bypassed { PASSED } else { FAILED };
    let place = about.environment.map(Environment::name);
    let mut policy = json!({"digest": {about.policy.hash().algorithm().as_str(): about.policy.hash().hex()}});
    if let Some(place) = place {
        policy["annotations"] = json!({ENVIRONMENT: place});
    }
    let predicate = json!({
        "verifier": {"id": VERIFIER},
        "timeVerified": Moment::from_unix(about.now).to_string(),
        "resourceUri": resource(about.repository, about.image),
        "policy": policy,
        "verificationResult": result,
        "verifiedLevels": [],
    });
    let repository = about.repository.to_string();
    let subject = Subject {
        name: Some(repository.clone()),
        digests: vec![about.image.clone()],
        annotations: BTreeMap::from([(REPOSITORY.to_owned(), Value::from(repository))]),
    };
    Statement { subjects: vec![subject], predicate_type: PREDICATE.to_owned(), predicate }
}

/// Whether a signed verdict among what was found spares another look: one of a trusted verdict key, over this image in this
/// repository, by this very policy, for this environment, and young enough. What the policy denies by digest is looked at first.
pub fn reuse(policy: &Policy, asked: &Asked<'_>) -> Option<Judgement> {
    let accept_for_s = i64::from(policy.accept_verdicts_s()?);
    if policy.judge_by_name(asked.reference, asked.environment, asked.now).is_some() {
        return None;
    }
    let trusted: Vec<TrustedKey> = policy.keys().iter().map(|key| key.at(asked.now)).collect();
    let question = Question {
        image: asked.image,
        repository: Some(asked.reference.repository()),
        trusted: &trusted,
        annotations: &verification::NO_ANNOTATIONS,
        now: asked.now,
    };
    let verdict = verification::attestation(&question, asked.carriers, PREDICATE, Purpose::Verdict);
    verdict.outcome.ok()?;
    verdict.believed.iter().find_map(|believed| {
        let at = passed_at(policy, asked, believed)?;
        let age_s = asked.now - at.unix();
        if !(-CLOCKS_DIFFER_S..accept_for_s).contains(&age_s) {
            return None;
        }
        let key = Some(format!("{}, at {at}", believed.key));
        let note = Note { asked: PREDICATE.to_owned(), carrier: believed.carrier, key, why_not: None };
        Some(Judgement { rule: None, refusals: Vec::new(), warnings: Vec::new(), notes: vec![note] })
    })
}

/// When it passed, if it did, under the policy and for the environment that are asked for.
fn passed_at(policy: &Policy, asked: &Asked<'_>, believed: &Believed) -> Option<Moment> {
    let predicate = believed.predicate.as_ref()?;
    let text = |path: &str| predicate.pointer(path).and_then(Value::as_str);
    let is_same = text("/verificationResult") == Some(PASSED)
        && text("/verifier/id") == Some(VERIFIER)
        && text("/resourceUri") == Some(&resource(asked.reference.repository(), asked.image))
        && text(&format!("/policy/digest/{}", policy.hash().algorithm().as_str())) == Some(policy.hash().hex())
        && text("/policy/annotations/environment") == asked.environment.map(Environment::name);
    let at = text("/timeVerified").filter(|_| is_same)?;
    Moment::try_from(at.to_owned()).ok()
}

fn resource(repository: &Repository, image: &Digest) -> String {
    format!("oci://{repository}@{image}")
}
