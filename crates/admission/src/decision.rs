//! From what is said of each image to the answer of a review. Pure: nothing is asked here.

use artifact::policy::{Environment, Finding, Mode};
use serde_json::{Value, json};

use crate::judge::Verdict;
use crate::review::{Answer, Request};
use crate::workload::{self, Found, Holder};

/// What was found out about one image of a review.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The image.
    pub found: Found,
    /// What is said of it; nothing when its name is none.
    pub verdict: Option<Verdict>,
}

/// Where a review takes place.
#[derive(Clone, Copy)]
pub struct Setting<'s> {
    /// The request.
    pub request: &'s Request,
    /// The environment of its namespace.
    pub environment: Option<&'s Environment>,
    /// Now, in Unix seconds.
    pub now: i64,
    /// The hash of the policy.
    pub policy: &'s str,
}

/// One reason, in the words that people get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A word that stays the same from version to version.
    pub code: &'static str,
    /// In words.
    pub text: String,
    /// What to do next.
    pub advice: String,
}

impl From<&Finding> for Reason {
    fn from(finding: &Finding) -> Self {
        Self { code: finding.code.as_str(), text: finding.text.clone(), advice: finding.advice.to_owned() }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} [{}]; to do: {}", self.text, self.code, self.advice)
    }
}

impl Judged {
    /// Why it is refused.
    pub fn refusals(&self, holder: Holder) -> Vec<Reason> {
        if let Err(why) = &self.found.reference {
            return vec![Reason { code: "no-image", text: why.clone(), advice: "correct the image's name".to_owned() }];
        }
        let mut reasons: Vec<Reason> = match &self.verdict {
            Some(verdict) => verdict.refusals().iter().map(Reason::from).collect(),
            None => vec![Reason {
                code: "not-judged",
                text: "it was not judged".to_owned(),
                advice: "report this: it is a fault of qapi-admission".to_owned(),
            }],
        };
        let is_pinned = self.found.reference.as_ref().is_ok_and(|reference| reference.digest().is_some());
        if holder == Holder::Pod && !is_pinned && reasons.is_empty() {
            // What was judged and what is pulled could differ.
            reasons.push(Reason {
                code: "not-pinned",
                text: "its name holds a tag, which may lead elsewhere when it is pulled".to_owned(),
                advice: "let the mutating webhook of qapi-admission put the digest in, or write it".to_owned(),
            });
        }
        reasons
    }

    fn warnings(&self) -> Vec<Reason> {
        self.verdict.iter().flat_map(Verdict::warnings).map(|finding| Reason::from(&finding)).collect()
    }

    fn label(&self) -> String {
        let text = if self.found.text.is_empty() { "(no image)" } else { &self.found.text };
        format!("{} {:?} image {text}", self.found.role.as_str(), self.found.name)
    }
}

/// The answer for an object whose images were judged.
pub fn of_images(setting: Setting<'_>, holder: Holder, judged: &[Judged]) -> Answer {
    let line = |judged: &Judged, reason: &Reason| format!("{}: {reason}", judged.label());
    let refused: Vec<String> = judged
        .iter()
        .flat_map(|judged| judged.refusals(holder).into_iter().map(|reason| line(judged, &reason)).collect::<Vec<_>>())
        .collect();
    let mut answer = of_refusals(setting, &refused);
    let warnings = judged
        .iter()
        .flat_map(|judged| judged.warnings().into_iter().map(|reason| line(judged, &reason)).collect::<Vec<_>>());
    answer.warnings.extend(warnings);
    let images: Vec<Value> = judged.iter().map(|judged| noted(judged, holder)).collect();
    answer.annotations.push(("images", Value::from(images).to_string()));
    answer
}

/// The answer for an object of which nobody can say what it would start.
pub fn of_unknown(setting: Setting<'_>, why: &str) -> Answer {
    of_refusals(setting, &[format!("{why} [unknown-kind]")])
}

/// The answer for a request that starts nothing.
pub fn of_nothing(setting: Setting<'_>, why: &'static str) -> Answer {
    let mut answer = of_refusals(setting, &[]);
    answer.annotations.push(("reason", why.to_owned()));
    answer
}

/// What follows from refusals in the environment of the request.
pub fn of_refusals(setting: Setting<'_>, refused: &[String]) -> Answer {
    let Setting { request, environment, now, policy } = setting;
    let mode = environment.map_or(Mode::Enforce, |environment| environment.mode(now));
    let whole = || format!("{} is refused: {}", workload::label(request), refused.join("; "));
    let (mut answer, decision) = match (refused.is_empty(), mode) {
        (true, _) => (Answer::allowed(&request.uid), "allowed"),
        (false, Mode::Enforce) => (Answer::refused(&request.uid, whole()), "denied"),
        (false, Mode::Warn) => {
            let warnings = refused.iter().map(|why| format!("would be refused: {why}")).collect();
            (Answer { warnings, ..Answer::allowed(&request.uid) }, "warned")
        }
        (false, Mode::DryRun) => (Answer::allowed(&request.uid), "dry-run"),
    };
    answer.annotations.push(("decision", decision.to_owned()));
    answer.annotations.push(("policy", policy.to_owned()));
    if let Some(environment) = environment {
        answer.annotations.push(("environment", environment.name().to_owned()));
    }
    if !refused.is_empty() {
        answer.annotations.push(("refused", refused.join("; ")));
    }
    answer
}

/// The word that metrics and logs have for an answer.
pub fn outcome(answer: &Answer) -> &'static str {
    let decision = answer.annotations.iter().find(|(name, _)| *name == "decision").map(|(_, value)| value.as_str());
    match decision {
        Some("warned") => "warned",
        Some("dry-run") => "dry-run",
        _ if answer.is_allowed() => "allowed",
        _ => "denied",
    }
}

/// What the audit log keeps of one image.
fn noted(judged: &Judged, holder: Holder) -> Value {
    let refusals = judged.refusals(holder);
    let codes: Vec<&str> = refusals.iter().map(|reason| reason.code).collect();
    let mut noted =
        json!({"image": judged.found.text, "verdict": if refusals.is_empty() { "passed" } else { "refused" }});
    if !codes.is_empty() {
        noted["codes"] = codes.into();
    }
    let warnings: Vec<&str> = judged.warnings().iter().map(|reason| reason.code).collect();
    if !warnings.is_empty() {
        noted["warnings"] = warnings.into();
    }
    if let Some(verdict) = &judged.verdict {
        noted["basis"] = verdict.basis.label().into();
        noted["rule"] = verdict.judgement.rule.clone().into();
        noted["digest"] = verdict.image.as_ref().map(ToString::to_string).into();
    }
    noted
}
