//! The two hooks. The mutating one puts digests in the place of tags and judges nothing; the validating one judges what is
//! there then, and believes nothing that the object says of itself.

use std::collections::HashMap;
use std::sync::Arc;

use artifact::policy::Mode;
use artifact::reference::Reference;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::clock;
use crate::config::Pin;
use crate::decision::{self, Judged, Setting};
use crate::judge::{Judge, Terms, Verdict};
use crate::policy::Policies;
use crate::remembered::Source;
use crate::review::{Answer, Patch, Request};
use crate::workload::{self, Found, Holder, Kinds, Scope};

/// What answers reviews.
pub struct Webhook {
    /// What may run.
    pub policies: Arc<Policies>,
    /// Who judges images.
    pub judge: Arc<Judge>,
    /// Which kinds hold pods.
    pub kinds: Kinds,
    /// In which objects tags become digests.
    pub pin: Pin,
}

impl Webhook {
    /// Whether the object may be kept as it is.
    pub async fn validate(&self, request: &Request, deadline: Instant) -> Answer {
        let policy = self.policies.current();
        let hash = policy.hash().to_string();
        let environment = request.namespace.as_deref().and_then(|name| policy.environment_of_namespace(name));
        let setting = Setting { request, environment, now: clock::now_s(), policy: &hash };
        let (holder, scope) = workload::scope(request, &self.kinds);
        let mut answer = match scope {
            Scope::Nothing(why) => decision::of_nothing(setting, why),
            Scope::Unknown(why) => decision::of_unknown(setting, &why),
            Scope::Images(found) => {
                let terms = Terms { policy: &policy, environment, now: setting.now, deadline };
                decision::of_images(setting, holder, &self.judged(found, terms).await)
            }
        };
        answer.warnings.extend(self.policies.complaint());
        answer
    }

    /// Every image once, all at the same time.
    async fn judged(&self, found: Vec<Found>, terms: Terms<'_>) -> Vec<Judged> {
        let mut references: Vec<&Reference> = found.iter().filter_map(|found| found.reference.as_ref().ok()).collect();
        references.sort();
        references.dedup();
        let judged = references.iter().map(|reference| self.judge.judge(reference, terms));
        let verdicts: HashMap<Reference, Verdict> =
            references.iter().map(|reference| (*reference).clone()).zip(join_all(judged).await).collect();
        let verdict = |found: &Found| verdicts.get(found.reference.as_ref().ok()?).cloned();
        found.into_iter().map(|found| Judged { verdict: verdict(&found), found }).collect()
    }

    /// Digests in the place of tags.
    pub async fn mutate(&self, request: &Request, deadline: Instant) -> Answer {
        let (holder, scope) = workload::scope(request, &self.kinds);
        let is_pinned = match (self.pin, holder) {
            (Pin::Nothing, _) | (Pin::Pods, Holder::Template) => false,
            (Pin::Pods, Holder::Pod) | (Pin::Everything, _) => true,
        };
        let Scope::Images(found) = scope else { return Answer::allowed(&request.uid) };
        if !is_pinned {
            return Answer::allowed(&request.uid);
        }
        let policy = self.policies.current();
        let environment = request.namespace.as_deref().and_then(|name| policy.environment_of_namespace(name));
        let now = clock::now_s();
        let terms = Terms { policy: &policy, environment, now, deadline };
        let pinned = join_all(found.iter().map(|found| self.pinned(found, terms))).await;
        let mut answer = Answer::allowed(&request.uid);
        let mut failed = Vec::new();
        for pinned in pinned {
            match pinned {
                Ok(Some((patch, warning))) => {
                    answer.patch.push(patch);
                    answer.warnings.extend(warning);
                }
                Ok(None) => {}
                Err(why) => failed.push(why),
            }
        }
        if failed.is_empty() {
            return answer;
        }
        let hash = policy.hash().to_string();
        let refused = decision::of_refusals(Setting { request, environment, now, policy: &hash }, &failed);
        match environment.map_or(Mode::Enforce, |environment| environment.mode(now)) {
            Mode::Enforce => refused,
            // What could be resolved is pinned all the same.
            Mode::Warn | Mode::DryRun => Answer { patch: answer.patch, ..refused },
        }
    }

    /// The patch for one image. What the policy refuses by its name alone is left to the validating hook: its registry is not
    /// asked for anything.
    async fn pinned(&self, found: &Found, terms: Terms<'_>) -> Result<Option<(Patch, Option<String>)>, String> {
        let Ok(reference) = &found.reference else { return Ok(None) };
        let is_judged = terms.policy.judge_by_name(reference, terms.environment, terms.now).is_some();
        if reference.digest().is_some() || is_judged {
            return Ok(None);
        }
        let label = format!("{} {:?} image {}", found.role.as_str(), found.name, found.text);
        let known = self.judge.resolve(reference, terms).await;
        let known = known.map_err(|why| {
            format!("{label}: its digest is not known: {why} [unreachable]; to do: write the digest, or look at the registry")
        })?;
        let warning = match &known.source {
            Source::Stale(why) => Some(format!(
                "{label}: pinned to the digest it had {} s ago, since the registry does not answer: {why}",
                known.age.as_secs()
            )),
            Source::Memory | Source::Lookup => None,
        };
        let patch = Patch { pointer: found.pointer.clone(), value: format!("{}@{}", found.text, known.value) };
        Ok(Some((patch, warning)))
    }
}
