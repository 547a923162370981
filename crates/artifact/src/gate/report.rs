//! What the gate found, as one value from which every form of the report is written.

use serde::Serialize;

use super::Checked;
use super::ticket::Ticket;
use crate::digest::Digest;
use crate::policy::{Code, Effect, Environment, Finding, Mode, Moment, Note, Policy};

/// What the gate found in one versions file. Its JSON is stable: fields are added and never change their meaning.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The versions file, as it was named.
    pub versions: String,
    /// What the policy hashes to.
    pub policy: Digest,
    /// Where the images are to run.
    pub environment: Option<String>,
    /// What follows from a refusal there.
    pub mode: &'static str,
    /// When the gate looked.
    pub verified_at: String,
    /// The ticket that lets images pass, where there is one.
    pub ticket: Option<Ticket>,
    /// What follows from all of it.
    pub outcome: Outcome,
    /// The images, in the order of the file.
    pub images: Vec<ImageReport>,
}

/// What follows from a whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All of it may run.
    Passed,
    /// Something is refused.
    Refused,
    /// Nothing is refused by the policy, but not everything could be looked at.
    Unreachable,
}

/// One image of a report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageReport {
    /// The names on the way to it in the file.
    pub name: String,
    /// The image as the file names it.
    pub reference: String,
    /// What the name led to.
    pub digest: Option<Digest>,
    /// Where it stands in the file.
    pub line: usize,
    /// Where it stands in the line.
    pub column: usize,
    /// What follows.
    pub effect: Effect,
    /// The rule that was asked.
    pub rule: Option<String>,
    /// Why it is refused.
    pub refusals: Vec<Finding>,
    /// Why it passes although something is to be done.
    pub warnings: Vec<Finding>,
    /// What was looked at.
    pub notes: Vec<Note>,
}

/// What a report is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The versions file, as it was named.
    pub versions: &'a str,
    /// The policy.
    pub policy: &'a Policy,
    /// Where the images are to run.
    pub environment: Option<&'a Environment>,
    /// When the gate looked, in Unix seconds.
    pub now: i64,
    /// The ticket, where there is one.
    pub ticket: Option<&'a Ticket>,
}

impl Report {
    /// The report over what was checked.
    pub fn new(about: &About<'_>, checked: Vec<Checked>) -> Self {
        let images: Vec<_> = checked.into_iter().map(|checked| image(about, checked)).collect();
        Self {
            versions: about.versions.to_owned(),
            policy: about.policy.hash().clone(),
            environment: about.environment.map(|environment| environment.name().to_owned()),
            mode: about.environment.map_or(Mode::Enforce, |environment| environment.mode(about.now)).as_str(),
            verified_at: Moment::from_unix(about.now).to_string(),
            ticket: about.ticket.cloned(),
            outcome: outcome(&images),
            images,
        }
    }
}

impl ImageReport {
    /// Everything to tell of it, the worst first.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.refusals.iter().chain(&self.warnings)
    }
}

fn image(about: &About<'_>, checked: Checked) -> ImageReport {
    let Checked { entry, image, judgement } = checked;
    let place = about.environment.map(Environment::name);
    let ticket = about.ticket.filter(|ticket| ticket.covers(image.as_ref(), place, about.now));
    let judgement = match ticket {
        Some(ticket) => ticket.apply(judgement),
        None => judgement,
    };
    ImageReport {
        name: entry.name,
        reference: entry.reference.to_string(),
        digest: image,
        line: entry.line,
        column: entry.column,
        effect: judgement.effect(about.environment, about.now),
        rule: judgement.rule,
        refusals: judgement.refusals,
        warnings: judgement.warnings,
        notes: judgement.notes,
    }
}

/// A refusal weighs more than a registry that is down: it will still be there tomorrow.
fn outcome(images: &[ImageReport]) -> Outcome {
    let denied: Vec<_> = images.iter().filter(|image| image.effect == Effect::Deny).collect();
    let is_unknown = |image: &ImageReport| image.refusals.iter().all(|refusal| refusal.code == Code::Unreachable);
    match denied.is_empty() {
        true => Outcome::Passed,
        false if denied.into_iter().all(is_unknown) => Outcome::Unreachable,
        false => Outcome::Refused,
    }
}

impl Mode {
    /// As policies spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::DryRun => "dry-run",
        }
    }
}
