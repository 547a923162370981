//! From what was found beside an image to a decision with its reasons.

use serde::Serialize;

use super::file::{Level, Mode};
use super::moment::Moment;
use super::{Attestation, Environment, Identity, Policy, Rule};
use crate::digest::Digest;
use crate::reference::{Reference, Repository};
use crate::trusted_key::{Purpose, TrustedKey};
use crate::verification::{self, Carrier, NO_ANNOTATIONS, Question, Refusal, Requirement, Verdict};

/// One image about which the policy is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The name under which it is to run.
    pub reference: &'a Reference,
    /// What its manifest, or the index that the name leads to, hashes to.
    pub image: &'a Digest,
    /// What was found beside it.
    pub carriers: &'a [Carrier],
    /// Where it is to run.
    pub environment: Option<&'a Environment>,
    /// Now, in Unix seconds.
    pub now: i64,
}

/// What the policy says of one image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The rule that was asked, where there is one.
    pub rule: Option<String>,
    /// Why it is refused; it passes if there is nothing here.
    pub refusals: Vec<Finding>,
    /// Why it passes although something is to be done.
    pub warnings: Vec<Finding>,
    /// What was looked at, and what came of it: for people who ask why.
    pub notes: Vec<Note>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which, for programs.
    pub code: Code,
    /// In words.
    pub text: String,
    /// What to do next.
    pub advice: &'static str,
}

/// One carrier under one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// What was asked for: `signature`, or the type of a predicate.
    pub asked: String,
    /// The place of the carrier among those that were found, from 0.
    pub carrier: usize,
    /// The key whose signature is believed, if one is.
    pub key: Option<String>,
    /// Why not, otherwise.
    pub why_not: Option<String>,
}

/// Which reason it is. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The digest is on the policy's list of denied ones.
    DigestDenied,
    /// The name holds another digest than the one that was found.
    DigestMismatch,
    /// Images may not come from this registry or repository.
    RegistryNotAllowed,
    /// No rule is about this image.
    NoRule,
    /// There is nothing beside the image.
    NotSigned,
    /// Nothing beside the image is believed.
    NotBelieved,
    /// A signature that was made together with others stands alone.
    Stripped,
    /// There are only classical signatures.
    NoPostQuantum,
    /// There is no classical and post-quantum pair.
    NoPair,
    /// An attestation is missing, or not believed.
    AttestationMissing,
    /// The rule cannot say for which repository the image has to be signed.
    NoIdentity,
    /// It passes because its digest is exempted.
    Exempted,
    /// It passes because classical signatures are still enough.
    ClassicalForNow,
    /// It passes because a classical signature may still stand alone, although others were made with it.
    DangerClassicalAlone,
    /// It passes by a ticket.
    Bypassed,
    /// Nobody can say, because the registry or the vault does not answer.
    Unreachable,
    /// The image is not there.
    NotFound,
}

/// What follows for whoever wants to run the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It runs.
    Allow,
    /// It runs, with a warning.
    Warn,
    /// It runs, and only the report says that it was refused.
    DryRun,
    /// It does not run.
    Deny,
}

impl Judgement {
    /// A refusal for one reason.
    pub fn refused(code: Code, text: impl Into<String>) -> Self {
        Self { refusals: vec![Finding::new(code, text)], ..Self::nothing() }
    }

    /// Whether the policy is content.
    pub fn passes(&self) -> bool {
        self.refusals.is_empty()
    }

    /// What follows in an environment at a time. Outside of all environments a refusal is enforced.
    pub fn effect(&self, environment: Option<&Environment>, now: i64) -> Effect {
        match (self.passes(), environment.map_or(Mode::Enforce, |environment| environment.mode(now))) {
            (true, _) if self.warnings.is_empty() => Effect::Allow,
            (true, _) | (false, Mode::Warn) => Effect::Warn,
            (false, Mode::DryRun) => Effect::DryRun,
            (false, Mode::Enforce) => Effect::Deny,
        }
    }

    fn nothing() -> Self {
        Self { rule: None, refusals: Vec::new(), warnings: Vec::new(), notes: Vec::new() }
    }

    fn passed_with(code: Code, text: String) -> Self {
        Self { warnings: vec![Finding::new(code, text)], ..Self::nothing() }
    }
}

impl Finding {
    /// A reason in words, with the advice that belongs to its code.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), advice: code.advice() }
    }
}

impl Code {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DigestDenied => "digest-denied",
            Self::DigestMismatch => "digest-mismatch",
            Self::RegistryNotAllowed => "registry-not-allowed",
            Self::NoRule => "no-rule",
            Self::NotSigned => "not-signed",
            Self::NotBelieved => "not-believed",
            Self::Stripped => "stripped",
            Self::NoPostQuantum => "no-post-quantum",
            Self::NoPair => "no-pair",
            Self::AttestationMissing => "attestation-missing",
            Self::NoIdentity => "no-identity",
            Self::Exempted => "exempted",
            Self::ClassicalForNow => "classical-for-now",
            Self::DangerClassicalAlone => "danger-classical-alone",
            Self::Bypassed => "bypassed",
            Self::Unreachable => "unreachable",
            Self::NotFound => "not-found",
        }
    }

    /// What to do next.
    pub fn advice(self) -> &'static str {
        match self {
            Self::DigestDenied => "deploy another build of it",
            Self::DigestMismatch => "write the digest that the tag has now, or build it again",
            Self::RegistryNotAllowed => "list the registry in the policy, or mirror the image to one that is listed",
            Self::NoRule => "add a rule for it to the policy",
            Self::NotSigned => "sign it: qapi image sign",
            Self::NotBelieved => "sign it with a key of the policy, or run `qapi image verify` to see what it has",
            Self::Stripped => "copy its signatures with `qapi image copy`, or sign it again with all keys",
            Self::NoPostQuantum => "sign it with an ML-DSA key",
            Self::NoPair => "sign it with a classical and an ML-DSA key in one call of `qapi image sign`",
            Self::AttestationMissing => "attest it: qapi image attest",
            Self::NoIdentity => "correct remapIdentity in the policy",
            Self::Exempted => "sign it, and take the exemption out of the policy",
            Self::ClassicalForNow | Self::DangerClassicalAlone => "sign it with a classical and an ML-DSA key",
            Self::Bypassed => "sign it, and revoke the ticket",
            Self::Unreachable => "look at the registry, and try again",
            Self::NotFound => "push it, or correct its name",
        }
    }
}

impl Policy {
    /// What can be said of an image without asking a registry, if anything: that it may not come from where it does, that no rule
    /// is about it, or that its digest is denied or exempted.
    pub fn judge_by_name(
        &self,
        reference: &Reference,
        environment: Option<&Environment>,
        now: i64,
    ) -> Option<Judgement> {
        let listed = reference.digest().and_then(|digest| self.by_digest(digest, now));
        if listed.is_some() {
            return listed;
        }
        if self.registry(reference.repository()).is_none() {
            let text = format!("images of {} are not allowed", reference.repository());
            return Some(Judgement::refused(Code::RegistryNotAllowed, text));
        }
        if self.rule(reference, environment).is_none() {
            let place = environment.map(|environment| format!(" in {}", environment.name)).unwrap_or_default();
            let text = format!("no rule is about {}{place}", reference.repository());
            return Some(Judgement::refused(Code::NoRule, text));
        }
        None
    }

    /// Decides about an image, by everything that was found beside it.
    pub fn judge(&self, asked: &Asked<'_>) -> Judgement {
        if asked.reference.digest().is_some_and(|named| named != asked.image) {
            let text = format!("{} was asked for, and {} was found", asked.reference, asked.image);
            return Judgement::refused(Code::DigestMismatch, text);
        }
        if let Some(listed) = self.by_digest(asked.image, asked.now) {
            return listed;
        }
        if let Some(judged) = self.judge_by_name(asked.reference, asked.environment, asked.now) {
            return judged;
        }
        match self.rule(asked.reference, asked.environment) {
            Some(rule) => self.judge_by_rule(rule, asked),
            None => Judgement::refused(Code::NoRule, format!("no rule is about {}", asked.reference.repository())),
        }
    }

    fn by_digest(&self, digest: &Digest, now: i64) -> Option<Judgement> {
        if let Some(reason) = self.denied.get(digest) {
            return Some(Judgement::refused(Code::DigestDenied, format!("{digest} is denied: {reason}")));
        }
        let exemption = self.exempted.get(digest)?;
        let holds = exemption.until.is_none_or(|until| now < until.unix());
        let until = exemption.until.map(|until| format!(" until {until}")).unwrap_or_default();
        let text = format!("{digest} is exempted{until}: {}", exemption.reason);
        holds.then(|| Judgement::passed_with(Code::Exempted, text))
    }

    fn judge_by_rule(&self, rule: &Rule, asked: &Asked<'_>) -> Judgement {
        let mut judgement = Judgement { rule: Some(rule.name.clone()), ..Judgement::nothing() };
        let identity = match rule.identity.of(asked.reference.repository()) {
            Ok(identity) => identity,
            Err(text) => {
                judgement.refusals.push(Finding::new(Code::NoIdentity, text));
                return judgement;
            }
        };
        let trusted = self.trusted(Purpose::Signature, rule.keys.as_deref(), asked.now);
        let question = Question {
            image: asked.image,
            repository: identity.as_ref(),
            trusted: &trusted,
            annotations: &NO_ANNOTATIONS,
            now: asked.now,
        };
        match signed(rule, &question, asked.carriers, &mut judgement.notes) {
            Ok(warning) => judgement.warnings.extend(warning),
            Err(refusal) => judgement.refusals.push(refusal),
        }
        for wanted in &rule.attestations {
            let trusted = self.trusted(Purpose::Attestation, wanted.keys.as_deref(), asked.now);
            let question = Question { trusted: &trusted, ..question };
            let missing = attested(wanted, &question, asked.carriers, &mut judgement.notes);
            judgement.refusals.extend(missing);
        }
        judgement
    }

    /// The keys whose signatures may count for the purpose, and those of other purposes, so that a reason can name them.
    fn trusted(&self, purpose: Purpose, names: Option<&[String]>, now: i64) -> Vec<TrustedKey> {
        let counts = |key: &&super::Key| key.purpose != purpose || names.is_none_or(|names| names.contains(&key.name));
        self.keys.iter().filter(counts).map(|key| key.at(now)).collect()
    }
}

impl Identity {
    /// The repository for which the image has to have been signed; none if any will do.
    fn of(&self, repository: &Repository) -> Result<Option<Repository>, String> {
        let (prefix, signed_prefix) = match self {
            Self::Own => return Ok(Some(repository.clone())),
            Self::DangerAny => return Ok(None),
            Self::Remapped { prefix, signed_prefix } => (prefix, signed_prefix),
        };
        let name = repository.to_string();
        match name.strip_prefix(prefix.as_str()).filter(|rest| rest.starts_with('/')) {
            Some(rest) => format!("{signed_prefix}{rest}").parse().map(Some).map_err(|error| format!("{error}")),
            None => Ok(Some(repository.clone())),
        }
    }
}

/// Whether the signatures are enough, and with which warning.
fn signed(
    rule: &Rule,
    question: &Question<'_>,
    carriers: &[Carrier],
    notes: &mut Vec<Note>,
) -> Result<Option<Finding>, Finding> {
    let verdict = verification::signature(question, carriers, rule.level.requirement());
    notes.extend(noted("signature", &verdict));
    let Err(refusal) = verdict.outcome else { return Ok(None) };
    let is_before = |until: Option<Moment>| until.filter(|until| question.now < until.unix());
    let would_pass = |requirement| verification::signature(question, carriers, requirement).outcome.is_ok();
    if let Some(until) = is_before(rule.classical_until).filter(|_| would_pass(Requirement::Any)) {
        return Ok(Some(Finding::new(Code::ClassicalForNow, format!("{refusal}; that is enough until {until}"))));
    }
    let danger = is_before(rule.danger_classical_alone_until);
    if let Some(until) = danger.filter(|_| would_pass(Requirement::DangerClassicalAlone)) {
        return Ok(Some(Finding::new(Code::DangerClassicalAlone, format!("{refusal}; that passes until {until}"))));
    }
    Err(Finding::new(Code::from(&refusal), format!("{refusal}{}", first_reason(&verdict.disbelieved))))
}

fn attested(
    wanted: &Attestation,
    question: &Question<'_>,
    carriers: &[Carrier],
    notes: &mut Vec<Note>,
) -> Option<Finding> {
    let (predicate, requirement) = (wanted.predicate_type.as_str(), wanted.level.requirement());
    let verdict = verification::attestation_meeting(question, carriers, predicate, Purpose::Attestation, requirement);
    notes.extend(noted(predicate, &verdict));
    let refusal = verdict.outcome.err()?;
    let why = match refusal {
        Refusal::Nothing | Refusal::NothingBelieved(_) => first_reason(&verdict.disbelieved),
        other => format!(": {other}"),
    };
    Some(Finding::new(Code::AttestationMissing, format!("{predicate} is not attested of it{why}")))
}

fn noted(asked: &str, verdict: &Verdict) -> Vec<Note> {
    let note = |carrier, key, why_not| Note { asked: asked.to_owned(), carrier, key, why_not };
    let believed = verdict.believed.iter().map(|one| note(one.carrier, Some(one.key.clone()), None));
    let disbelieved = verdict.disbelieved.iter().map(|(carrier, why)| note(*carrier, None, Some(why.to_string())));
    let mut notes: Vec<_> = believed.chain(disbelieved).collect();
    notes.sort_by_key(|note| note.carrier);
    notes
}

/// The reason that says most: one that names a key, before one that says that nobody known has signed.
fn first_reason(disbelieved: &[(usize, verification::Disbelief)]) -> String {
    use verification::Disbelief::{NoTrustedKey, OtherPredicate};
    let weight = |why: &verification::Disbelief| match why {
        NoTrustedKey => 2,
        OtherPredicate { .. } => 1,
        _ => 0,
    };
    let best = disbelieved.iter().min_by_key(|(_, why)| weight(why));
    best.map(|(_, why)| format!(" ({why})")).unwrap_or_default()
}

impl Level {
    fn requirement(self) -> Requirement {
        match self {
            Self::Hybrid => Requirement::Hybrid,
            Self::PostQuantum => Requirement::PostQuantum,
            Self::Any => Requirement::Any,
        }
    }
}

impl From<&Refusal> for Code {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Nothing => Self::NotSigned,
            Refusal::NothingBelieved(_) => Self::NotBelieved,
            Refusal::Stripped { .. } => Self::Stripped,
            Refusal::NoPostQuantum => Self::NoPostQuantum,
            Refusal::NoPair => Self::NoPair,
        }
    }
}
