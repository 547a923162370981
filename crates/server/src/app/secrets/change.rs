//! Changes to a secret: each locks its row, decides on what it then reads, and writes with its event in one transaction. So
//! fifty changes at once make fifty versions.

use std::sync::Arc;

use api::error::ErrorCode;
use api::secret::SecretText;
use api::secrets as wire;
use crypto::hash::ct_eq;
use domain::authz::{Authorized, ReadSecrets, WriteSecrets, authorize};
use domain::ids::SecretId;
use domain::scope::Scope;
use store::Tx;
use store::secrets::{StoredSecret, delete_secret, insert_version, lock_secret, update_secret, version_in};

use super::fields::Fields;
use super::sealed::{Meta, NewVersion, open_value};
use super::view::{Depth, Include, Tagged, with_value, without_value};
use super::{Secrets, actor, outside_limits, relabelled, standing};
use crate::app::Core;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// The revision a caller read, if the change is to depend on it.
pub type Expected = Option<i64>;

/// What is to change.
enum Step {
    Fields(Box<Fields>),
    Value { value: SecretText, restored_from: Option<u32> },
    Rollback { to: u32 },
    Activate,
    Deactivate,
    Delete,
}

/// A change on its way into a transaction, which may run more than once.
struct Change {
    core: Core,
    ctx: Ctx,
    auth: Authorized<WriteSecrets>,
    id: SecretId,
    expected: Expected,
    step: Step,
}

/// What a change left behind.
struct Changed {
    secret: StoredSecret,
    meta: Meta,
    /// The value that a rollback brought back.
    value: Option<SecretText>,
}

/// A decision that refuses rolls its transaction back; the refusal travels as the transaction's error.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
pub(super) struct Refusal(Problem);

impl Secrets {
    /// Changes what is given of the metadata.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        id: SecretId,
        request: wire::UpdateSecret,
        expected: Expected,
    ) -> Outcome<Tagged<wire::Secret>> {
        let step = Fields::of_update(request).map(|fields| Step::Fields(Box::new(fields)));
        shown(ctx, self.change(ctx, auth, id, expected, "SecretUpdated", step).await?)
    }

    /// Gives it a new value, as a new version.
    pub async fn update_value(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        id: SecretId,
        request: wire::UpdateSecretValue,
        expected: Expected,
    ) -> Outcome<Tagged<wire::Secret>> {
        let action = if request.restored_from_version.is_some() { RESTORED } else { "SecretValueUpdated" };
        let step = Step::Value { value: request.value, restored_from: request.restored_from_version };
        shown(ctx, self.change(ctx, auth, id, expected, action, Ok(step)).await?)
    }

    /// Makes a past version's value the newest, in one step. The answer shows the value, so it takes the right to read.
    pub async fn rollback(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        id: SecretId,
        to: u32,
        expected: Expected,
    ) -> Outcome<Tagged<wire::SecretWithValue>> {
        let may_read = authorize::<ReadSecrets>(&ctx.principal).map_err(Problem::from);
        let step = may_read.map(|_| Step::Rollback { to });
        let Changed { secret, meta, value } = self.change(ctx, auth, id, expected, RESTORED, step).await?;
        let value = value.ok_or_else(|| Problem::internal("rolling back", "no value came back"))?;
        let version = secret.version;
        with_value(secret, meta, version, value, Include::default())
    }

    /// Makes the value readable again.
    pub async fn activate(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        id: SecretId,
        expected: Expected,
    ) -> Outcome<()> {
        self.change(ctx, auth, id, expected, "SecretActivated", Ok(Step::Activate)).await.map(|_| ())
    }

    /// Makes the value unreadable and hides the secret from lists.
    pub async fn deactivate(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        id: SecretId,
        expected: Expected,
    ) -> Outcome<()> {
        self.change(ctx, auth, id, expected, "SecretDeactivated", Ok(Step::Deactivate)).await.map(|_| ())
    }

    /// Removes it with all its versions, for ever.
    pub async fn delete(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        id: SecretId,
        expected: Expected,
    ) -> Outcome<()> {
        self.change(ctx, auth, id, expected, "SecretDeleted", Ok(Step::Delete)).await.map(|_| ())
    }

    async fn change(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        id: SecretId,
        expected: Expected,
        action: &'static str,
        step: Outcome<Step>,
    ) -> Outcome<Changed> {
        let mut entry = Entry::new(action, "secrets", "Secret");
        entry.resource_id(id);
        let result = match step {
            Ok(step) => {
                let core = self.core.clone();
                let change = Change { core, ctx: ctx.clone(), auth: auth.duplicate(), id, expected, step };
                self.commit(Arc::new(change), entry.clone()).await
            }
            Err(problem) => Err(problem),
        };
        if result.is_ok() {
            entry.committed();
        }
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn commit(&self, change: Arc<Change>, entry: Entry) -> Outcome<Changed> {
        let written = self.core.store.write("change secret", move |tx| {
            let (change, entry) = (Arc::clone(&change), entry.clone());
            Box::pin(async move { change.run(tx, entry).await })
        });
        written.await.map_err(unwrapped)
    }
}

impl Change {
    async fn run(&self, tx: &mut Tx<'_>, mut entry: Entry) -> store::Result<Changed> {
        let locked = lock_secret(tx, &self.auth, self.id).await?;
        let mut secret = locked.ok_or_else(|| refused(Problem::not_found("secret")))?;
        // The lock itself counted one change.
        if self.expected.is_some_and(|expected| expected != secret.revision - 1) {
            return Err(refused(Problem::new(
                ErrorCode::PreconditionFailed,
                "The secret was changed since it was read.",
            )));
        }
        let mut meta = Meta::open(&self.ctx.keys, &secret).map_err(refused)?;
        entry.resource(self.id, &secret.name).version(secret.version);
        let value = self.apply(tx, &mut secret, &mut meta, &mut entry).await?;
        secret.updated_at = self.ctx.now();
        meta.updated_by = actor(&self.ctx);
        if !matches!(self.step, Step::Delete) {
            secret.meta = meta.seal(&self.ctx.keys, self.id, &*self.core.entropy).map_err(refused)?;
            update_secret(tx, &self.auth, &secret).await?;
        }
        tx.exec_last(self.core.trail.event(&self.ctx, &entry).map_err(refused)?);
        Ok(Changed { secret, meta, value })
    }

    /// Does the step; gives the value that a rollback brought back.
    async fn apply(
        &self,
        tx: &mut Tx<'_>,
        secret: &mut StoredSecret,
        meta: &mut Meta,
        entry: &mut Entry,
    ) -> store::Result<Option<SecretText>> {
        match &self.step {
            Step::Fields(fields) => {
                let before = secret.labels.clone();
                fields.apply(secret, meta).map_err(refused)?;
                secret.labels = relabelled(&self.auth, Some(&before), &secret.labels).map_err(refused)?;
                if !self.auth.admits_labelled(self.id.uuid(), &secret.name, &secret.labels) {
                    return Err(refused(outside_limits()));
                }
            }
            Step::Value { value, restored_from } => {
                let restored_from = self.confirmed(tx, *restored_from, value, entry).await?;
                self.add_version(tx, secret, meta, value, restored_from, entry).await?;
            }
            Step::Rollback { to } => {
                standing(secret).readable(self.ctx.now()).map_err(|unreadable| refused(unreadable.into()))?;
                let value = self.value_of(tx, *to).await?.ok_or_else(|| refused(Problem::not_found("version")))?;
                entry.note(format!("restoredFromVersion={to} revealed"));
                self.add_version(tx, secret, meta, &value, Some(*to), entry).await?;
                return Ok(Some(value));
            }
            Step::Activate => secret.is_active = true,
            Step::Deactivate => secret.is_active = false,
            Step::Delete => delete_secret(tx, &self.auth, self.id, self.ctx.now()).await?,
        }
        Ok(None)
    }

    async fn add_version(
        &self,
        tx: &mut Tx<'_>,
        secret: &mut StoredSecret,
        meta: &Meta,
        value: &SecretText,
        restored_from: Option<u32>,
        entry: &mut Entry,
    ) -> store::Result<()> {
        secret.version += 1;
        entry.version(secret.version);
        let version = NewVersion {
            version: secret.version,
            value: value.expose(),
            username: meta.username.as_ref(),
            changed_by: &actor(&self.ctx),
            at: self.ctx.now(),
            restored_from,
        };
        let version = version.seal(&self.ctx.keys, self.id, &*self.core.entropy).map_err(refused)?;
        tx.exec(insert_version(&self.auth, self.id, &version)).await.map(|_| ())
    }

    /// Whether a value is what the version it is said to come from holds: the trail does not repeat an unchecked claim.
    async fn confirmed(
        &self,
        tx: &mut Tx<'_>,
        claimed: Option<u32>,
        value: &SecretText,
        entry: &mut Entry,
    ) -> store::Result<Option<u32>> {
        let Some(claimed) = claimed else { return Ok(None) };
        let missing = || refused(Problem::invalid("restoredFromVersion names no version of this secret."));
        let old = self.value_of(tx, claimed).await?.ok_or_else(missing)?;
        if ct_eq(old.expose().as_bytes(), value.expose().as_bytes()) {
            entry.note(format!("restoredFromVersion={claimed}"));
            return Ok(Some(claimed));
        }
        entry.note(format!("restoredFromVersion={claimed} claimed, of another value"));
        Ok(None)
    }

    async fn value_of(&self, tx: &mut Tx<'_>, version: u32) -> store::Result<Option<SecretText>> {
        let stored = version_in(tx, &self.auth, self.id, version).await?;
        stored.map(|stored| open_value(&self.ctx.keys, self.id, &stored).map_err(refused)).transpose()
    }
}

const RESTORED: &str = "SecretRestored";

/// What a change answers with: to those who may not read, nothing that is sealed.
fn shown(ctx: &Ctx, changed: Changed) -> Outcome<Tagged<wire::Secret>> {
    let may_read = ctx.principal.scopes.allows(Scope::SecretsRead);
    let revision = changed.secret.revision;
    let depth = if may_read { Depth::Everything } else { Depth::Plain };
    Ok(Tagged { body: without_value(changed.secret, changed.meta, depth)?, revision })
}

pub(super) fn refused(problem: Problem) -> store::Error {
    store::Error::other(Refusal(problem))
}

/// The refusal inside a transaction's error, or what else became of it.
pub(super) fn unwrapped(error: store::Error) -> Problem {
    let refusal = error.reason::<Refusal>().map(|refusal| refusal.0.clone());
    refusal.unwrap_or_else(|| error.into())
}
