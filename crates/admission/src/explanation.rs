//! Why an image would run or not, for people who ask before they deploy or after they were refused.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use artifact::policy::{Effect, Finding, Mode, Note, Policy};
use artifact::reference::Reference;
use serde::Serialize;
use tokio::time::Instant;

use crate::clock;
use crate::judge::{Judge, Terms};

/// Everything that is known about one image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The image, in full.
    pub image: String,
    /// Its digest, where it is known.
    pub digest: Option<String>,
    /// The environment of the namespace.
    pub environment: Option<String>,
    /// What follows from a refusal there.
    pub mode: &'static str,
    /// What follows.
    pub effect: Effect,
    /// The rule of the policy that was asked.
    pub rule: Option<String>,
    /// What the verdict rests on.
    pub basis: &'static str,
    /// Why it is refused.
    pub refusals: Vec<Finding>,
    /// What is to be done although it passes.
    pub warnings: Vec<Finding>,
    /// What was looked at, one by one.
    pub notes: Vec<Note>,
    /// The hash of the policy.
    pub policy: String,
}

/// Somebody waits, and no API server.
const PATIENCE: Duration = Duration::from_secs(30);

/// Judges an image as it would be judged in this namespace.
pub async fn explain(
    judge: &Judge,
    policy: &Arc<Policy>,
    image: &str,
    namespace: Option<&str>,
) -> Result<Explanation, String> {
    let reference: Reference = image.parse().map_err(|error: artifact::reference::NotAReference| error.to_string())?;
    let environment = namespace.and_then(|name| policy.environment_of_namespace(name));
    let now = clock::now_s();
    let terms = Terms { policy, environment, now, deadline: Instant::now() + PATIENCE };
    let verdict = judge.judge(&reference, terms).await;
    Ok(Explanation {
        image: reference.to_string(),
        digest: verdict.image.as_ref().map(ToString::to_string),
        environment: environment.map(|environment| environment.name().to_owned()),
        mode: mode(environment.map_or(Mode::Enforce, |environment| environment.mode(now))),
        effect: verdict.judgement.effect(environment, now),
        rule: verdict.judgement.rule.clone(),
        basis: verdict.basis.label(),
        refusals: verdict.refusals(),
        warnings: verdict.warnings(),
        notes: verdict.judgement.notes.clone(),
        policy: policy.hash().to_string(),
    })
}

impl Explanation {
    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a string does not fail.
            let _written = writeln!(text, "{name:<12} {value}");
        };
        line("image", &self.image);
        line("digest", self.digest.as_deref().unwrap_or("not known"));
        line("environment", self.environment.as_deref().unwrap_or("none: everything is enforced"));
        line("rule", self.rule.as_deref().unwrap_or("none"));
        line("effect", effect(self.effect));
        for finding in &self.refusals {
            line("refused", &format!("{} [{}]; to do: {}", finding.text, finding.code.as_str(), finding.advice));
        }
        for finding in &self.warnings {
            line("warning", &format!("{} [{}]; to do: {}", finding.text, finding.code.as_str(), finding.advice));
        }
        for note in &self.notes {
            let what = match (&note.key, &note.why_not) {
                (Some(key), _) => format!("believed, by {key}"),
                (None, why) => format!("not believed: {}", why.as_deref().unwrap_or("no reason was given")),
            };
            line("looked at", &format!("{} {}: {what}", note.asked, note.carrier));
        }
        line("policy", &self.policy);
        text
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Warn => "warn",
        Mode::DryRun => "dry-run",
    }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "it runs",
        Effect::Warn => "it runs, with a warning",
        Effect::DryRun => "it runs, although it would be refused",
        Effect::Deny => "it does not run",
    }
}
