//! How a tenant's people sign in where an application says nothing: the tenant's own administrators decide.

use api::people::{SignInPolicy, UpdateSignInPolicy};
use domain::authz::{Authorized, ManageSignIn, ReadUsers};
use domain::identity::application::MfaPolicy;
use store::tenants::set_mfa_policy;

use super::Tenants;
use crate::app::applications::wanted::word;
use crate::ctx::Ctx;
use crate::problem::Outcome;
use crate::trail::Entry;

impl Tenants {
    /// What is asked of people.
    pub async fn sign_in_policy(&self, ctx: &Ctx, _: &Authorized<ReadUsers>) -> Outcome<SignInPolicy> {
        let result = self.policy_now(ctx).await.map(show);
        self.core.trail.conclude(ctx, entry("SignInPolicyRead"), result).await
    }

    /// Changes what is given.
    pub async fn update_sign_in_policy(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageSignIn>,
        request: UpdateSignInPolicy,
    ) -> Outcome<SignInPolicy> {
        let mut entry = entry("SignInPolicyUpdated");
        let result = self.update_policy_now(ctx, auth, &request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn update_policy_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ManageSignIn>,
        request: &UpdateSignInPolicy,
        entry: &mut Entry,
    ) -> Outcome<SignInPolicy> {
        let before = self.policy_now(ctx).await?;
        let policy = word("mfaPolicy", request.mfa_policy.as_deref())?.unwrap_or(before);
        entry.resource_id(auth.tenant()).note(format!("mfaPolicy={policy} before={before}"));
        let event = self.core.trail.event(ctx, entry)?;
        let set = set_mfa_policy(auth, policy, ctx.now());
        self.core.change("update sign-in policy", auth.tenant(), vec![set], event).await?;
        entry.committed();
        Ok(show(policy))
    }

    async fn policy_now(&self, ctx: &Ctx) -> Outcome<MfaPolicy> {
        Ok(self.core.store.mfa_policy_of_tenant(ctx.tenant()).await?.unwrap_or(MfaPolicy::Optional))
    }
}

fn show(policy: MfaPolicy) -> SignInPolicy {
    SignInPolicy { mfa_policy: policy.to_string() }
}

fn entry(what: &'static str) -> Entry {
    Entry::new(what, "identity", "SignInPolicy")
}
