//! The tenant's policy of names, read and changed.

use api::certificates as wire;
use domain::authz::{Authorized, ManageAuthorities, ReadAuthorities};
use domain::pki::names::{Allowed, BadPolicy, Learning, NamePolicy};

use super::{Authority, TRIES};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

impl Authority {
    /// What the tenant's certificates may be called.
    pub async fn policy(&self, ctx: &Ctx, _: &Authorized<ReadAuthorities>) -> Outcome<wire::NamePolicy> {
        let result = self.shown_policy(ctx).await;
        self.core.trail.conclude(ctx, Entry::new("NamePolicyRead", "certificates", "NamePolicy"), result).await
    }

    /// Changes what is given. The authorities are certified anew when their names change.
    pub async fn update_policy(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageAuthorities>,
        request: &wire::UpdateNamePolicy,
    ) -> Outcome<wire::NamePolicy> {
        let mut entry = Entry::new("NamePolicyUpdated", "certificates", "NamePolicy");
        let result = self.update_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn update_now(
        &self,
        ctx: &Ctx,
        _: &Authorized<ManageAuthorities>,
        request: &wire::UpdateNamePolicy,
        entry: &mut Entry,
    ) -> Outcome<wire::NamePolicy> {
        for _ in 0..TRIES {
            let loaded = self.load(ctx).await?;
            let policy = changed(&loaded.policy, request)?;
            entry.resource(loaded.tenant, policy.trust_domain()).note(noted(&policy));
            let statements = self.put_in_force(ctx, &loaded, &policy)?;
            let event = self.core.trail.event(ctx, entry)?;
            match self.core.change("update name policy", ctx.tenant(), statements, event).await {
                Ok(()) => {
                    entry.committed();
                    return self.shown_policy(ctx).await;
                }
                Err(problem) if problem.code == api::error::ErrorCode::Conflict => self.forget(ctx.tenant()),
                Err(problem) => return Err(problem),
            }
        }
        Err(Problem::new(api::error::ErrorCode::Conflict, "The policy is being changed by many at once; try again."))
    }

    async fn shown_policy(&self, ctx: &Ctx) -> Outcome<wire::NamePolicy> {
        let loaded = self.load(ctx).await?;
        Ok(wire::NamePolicy {
            trust_domain: loaded.policy.trust_domain().to_owned(),
            allowed_names: loaded.policy.allowed().iter().map(ToString::to_string).collect(),
            learning: loaded.policy.learning() == Learning::On,
            updated_at: loaded.row.updated_at.into(),
        })
    }
}

fn changed(before: &NamePolicy, request: &wire::UpdateNamePolicy) -> Outcome<NamePolicy> {
    let allowed = match &request.allowed_names {
        None => before.allowed().to_vec(),
        Some(names) => names.iter().map(|name| name.parse()).collect::<Result<Vec<Allowed>, _>>()?,
    };
    let mut distinct: Vec<Allowed> = Vec::new();
    for name in allowed {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    let learning = match request.learning {
        Some(true) => Learning::On,
        Some(false) => Learning::Off,
        None => before.learning(),
    };
    let trust_domain = request.trust_domain.as_deref().unwrap_or(before.trust_domain());
    Ok(NamePolicy::new(trust_domain, distinct, learning)?)
}

/// The audit trail tells what is in force, as far as it has room.
fn noted(policy: &NamePolicy) -> String {
    let names: Vec<String> = policy.allowed().iter().take(32).map(ToString::to_string).collect();
    format!("learning={} allowed={} {}", policy.learning() == Learning::On, policy.allowed().len(), names.join(" "))
}

impl From<BadPolicy> for Problem {
    fn from(bad: BadPolicy) -> Self {
        Self::invalid(format!("{bad}."))
    }
}
