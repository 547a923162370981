//! Changes to a key: each locks its row, decides on what it then reads, and writes with its event in one transaction.

use std::sync::Arc;

use api::error::ErrorCode;
use api::keys as wire;
use domain::authz::{Authorized, WriteKeys};
use domain::ids::KeyId;
use domain::key::{Change, DELETION_DAYS_DEFAULT, DELETION_DAYS_MAX, State};
use domain::name::KeyName;
use store::keys::{
    KeyRef, NamedKey, clear_default, destroy_material, insert_version, key_in, lock_key, retire_version,
    revoke_version, update_key,
};
use store::{Stmt, Tx};

use super::make::{check_description, check_labels};
use super::{Keys, may_set_default, name_taken, outside_limits, relabelled, seal_description};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// The revision a caller read, if the change is to depend on it.
pub type Expected = Option<i64>;

/// A decision on a key inside its transaction: the key as it shall be, and what else is written.
type Decision = Arc<dyn Fn(NamedKey) -> Outcome<(NamedKey, Vec<Stmt>)> + Send + Sync>;

/// A decision that refuses rolls its transaction back; the refusal travels as the transaction's error.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refusal(Problem);

impl Keys {
    /// Makes a new version. Fifty rotations at once give fifty versions: the row lock puts them in line.
    pub async fn rotate(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        request: &wire::RotateKey,
        expected: Expected,
    ) -> Outcome<wire::Key> {
        let mut entry = Entry::new("KeyRotated", "keys", "CryptoKey");
        let result = self.rotate_now(ctx, auth, key, request, expected, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn rotate_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        request: &wire::RotateKey,
        expected: Expected,
        entry: &mut Entry,
    ) -> Outcome<wire::Key> {
        let before = self.load(ctx, auth, key).await?;
        let name = request.name.as_deref().map(KeyName::parse).transpose()?;
        entry.resource(before.row.id, &before.row.name).algorithm(before.algorithm);
        let (id, algorithm, now) = (before.row.id, before.algorithm, ctx.now());
        // One official client asks for the default with every rotation. Whoever is confined is not given it, and is told,
        // but their key still gets its new version.
        let wants_default = request.set_as_default == Some(true);
        // The material is made before the transaction: its place names the version, so a lost race makes it again.
        for _ in 0..ROTATION_TRIES {
            let current =
                self.core.store.named_key(auth, &KeyRef::Id(id)).await?.ok_or_else(|| Problem::not_found("key"))?;
            let next = self.next_version(ctx, id, current.current_version + 1, algorithm)?;
            entry.version(next.version);
            let (wanted, name) = (next.version, name.clone());
            let make_default = wants_default && !auth.is_confined();
            let statements = [retire_version(auth, id, current.current_version, now), insert_version(auth, id, &next)];
            let clear = clear_default(auth, &current.key_type);
            let decision: Decision = Arc::new(move |mut key: NamedKey| {
                if !matches!(key.state, State::Active | State::Deprecated) {
                    return Err(Problem::new(
                        ErrorCode::KeyDisabled,
                        format!("A key that is {} is not rotated.", key.state.as_str()),
                    ));
                }
                if key.current_version + 1 != wanted {
                    return Err(Problem::new(ErrorCode::Conflict, LOST_RACE));
                }
                key.current_version = wanted;
                key.rotated_at = Some(now);
                key.updated_at = now;
                let mut writes = statements.to_vec();
                if let Some(name) = &name {
                    (key.name, key.folded) = (name.as_str().to_owned(), name.folded());
                }
                if make_default && !key.is_default {
                    key.is_default = true;
                    writes.insert(0, clear.clone());
                }
                Ok((key, writes))
            });
            match self.decide(ctx, auth, id, "rotate key", expected, decision, entry).await {
                Err(problem) if problem.message == LOST_RACE => tokio::task::yield_now().await,
                Err(problem) => return Err(problem),
                Ok(()) => {
                    let mut key = self.rotated(ctx, auth, id, wanted).await?;
                    if wants_default && auth.is_confined() && !key.is_default {
                        key.warnings.push(NOT_DEFAULT.to_owned());
                    }
                    return Ok(key);
                }
            }
        }
        Err(Problem::new(ErrorCode::Conflict, "The key is being rotated by many at once; try again."))
    }

    async fn rotated(&self, ctx: &Ctx, auth: &Authorized<WriteKeys>, id: KeyId, version: u32) -> Outcome<wire::Key> {
        let mut key = self.show(ctx, auth, id).await?;
        key.version = version;
        key.key_id = Some(id.uuid());
        key.new_version = Some(version);
        key.previous_version = Some(version - 1);
        key.rotated_at = Some(ctx.now().into());
        Ok(key)
    }

    /// Changes name, description or status.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        request: &wire::UpdateKey,
        expected: Expected,
    ) -> Outcome<wire::Key> {
        let mut entry = Entry::new("KeyUpdated", "keys", "CryptoKey");
        let result = async {
            let before = self.load(ctx, auth, key).await?;
            entry.resource(before.row.id, &before.row.name);
            let id = before.row.id;
            let name = request.name.as_deref().map(KeyName::parse).transpose()?;
            check_description(request.description.as_deref())?;
            check_labels(request.labels.as_deref().unwrap_or_default())?;
            let (labels, reach) = (request.labels.clone(), auth.duplicate());
            let change = request.status.as_deref().map(status_change).transpose()?;
            if let Some(status) = &request.status {
                entry.note(format!("status={status}"));
            }
            let description = seal_description(&self.core, ctx, &id, request.description.as_deref())?;
            let now = ctx.now();
            let decision: Decision = Arc::new(move |mut key: NamedKey| {
                if let Some(name) = &name {
                    (key.name, key.folded) = (name.as_str().to_owned(), name.folded());
                }
                if let Some(change) = change {
                    key.state = key.state.apply(change, now)?;
                }
                if let Some(labels) = &labels {
                    key.labels = relabelled(&reach, Some(&key.labels), labels)?;
                }
                key.description = description.clone().or(key.description);
                key.updated_at = now;
                Ok((key, Vec::new()))
            });
            self.decide(ctx, auth, id, "update key", expected, decision, &mut entry).await?;
            self.show(ctx, auth, id).await
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Schedules a deletion; the material is destroyed after the grace period.
    pub async fn delete(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        days: Option<u32>,
        expected: Expected,
    ) -> Outcome<()> {
        let days = days.unwrap_or(DELETION_DAYS_DEFAULT);
        if days > DELETION_DAYS_MAX {
            return Err(Problem::invalid(format!("scheduleDays is at most {DELETION_DAYS_MAX}.")));
        }
        self.change(ctx, auth, key, "KeyDeletionScheduled", Change::ScheduleDeletion { days }, expected).await
    }

    /// Revokes the whole key, for ever.
    pub async fn revoke(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        expected: Expected,
    ) -> Outcome<wire::Key> {
        self.change(ctx, auth, key, "KeyRevoked", Change::Revoke, expected).await?;
        let id = self.load(ctx, auth, key).await?.row.id;
        self.show(ctx, auth, id).await
    }

    async fn change(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        action: &'static str,
        change: Change,
        expected: Expected,
    ) -> Outcome<()> {
        let now = ctx.now();
        self.simple(ctx, auth, key, action, expected, move |mut key| {
            key.state = key.state.apply(change, now)?;
            if key.state != State::Active {
                key.is_default = false;
            }
            Ok((key, Vec::new()))
        })
        .await
    }

    /// Revokes one version.
    pub async fn revoke_version(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        version: u32,
    ) -> Outcome<wire::KeyVersion> {
        let id = self.load(ctx, auth, key).await?.row.id;
        let statement = revoke_version(auth, id, version, ctx.now());
        self.simple(ctx, auth, key, "KeyVersionRevoked", None, move |key| {
            if version == 0 || version > key.current_version {
                return Err(Problem::not_found("key version"));
            }
            Ok((key, vec![statement.clone()]))
        })
        .await?;
        self.show_version(ctx, auth, key, version).await
    }

    /// Makes the key its type's default.
    pub async fn set_default(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        key_type: wire::KeyType,
    ) -> Outcome<()> {
        let clear = clear_default(auth, key_type.as_str());
        let may_replace = may_set_default(auth);
        self.simple(ctx, auth, key, "KeySetDefault", None, move |mut key| {
            if key.key_type != key_type.as_str() {
                return Err(Problem::new(ErrorCode::KeyWrongType, format!("The key is of keyType {}.", key.key_type)));
            }
            if key.state != State::Active {
                return Err(Problem::new(ErrorCode::KeyDisabled, "Only an active key can be the default."));
            }
            if key.is_default {
                return Ok((key, Vec::new()));
            }
            may_replace.clone()?;
            key.is_default = true;
            Ok((key, vec![clear.clone()]))
        })
        .await
    }

    /// Sets the oldest version that may open and verify.
    pub async fn set_minimum(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        minimum: u32,
    ) -> Outcome<wire::KeyVersionPolicy> {
        let now = ctx.now();
        self.simple(ctx, auth, key, "KeyMinVersionSet", None, move |mut key| {
            if minimum == 0 || minimum > key.current_version {
                let message = format!("minDecryptionVersion lies between 1 and {}.", key.current_version);
                return Err(Problem::new(ErrorCode::InvalidMinDecryptionVersion, message));
            }
            (key.min_version, key.updated_at) = (minimum, now);
            Ok((key, Vec::new()))
        })
        .await?;
        let key = self.load(ctx, auth, key).await?;
        Ok(wire::KeyVersionPolicy {
            key_name: key.row.name.clone(),
            latest_version: key.row.current_version,
            min_decryption_version: key.row.min_version,
        })
    }

    /// Destroys a key whose grace period is over. Called by the background, once per key and in any number of replicas.
    pub async fn destroy(&self, ctx: &Ctx, auth: &Authorized<WriteKeys>, id: KeyId) -> Outcome<()> {
        let (now, wipe) = (ctx.now(), destroy_material(auth, id));
        self.simple(ctx, auth, &KeyRef::Id(id), "KeyDestroyed", None, move |mut key| {
            if !key.state.is_due_for_deletion(now) {
                return Err(Problem::new(ErrorCode::Conflict, "The key is not due for deletion."));
            }
            key.state = State::Deleted;
            // The name becomes free again (no name holds two slashes); the row stays for the audit log.
            key.folded = format!("{}//{}", key.folded, key.id);
            Ok((key, wipe.to_vec()))
        })
        .await
    }

    async fn simple(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        key: &KeyRef,
        action: &'static str,
        expected: Expected,
        decide: impl Fn(NamedKey) -> Outcome<(NamedKey, Vec<Stmt>)> + Send + Sync + 'static,
    ) -> Outcome<()> {
        let mut entry = Entry::new(action, "keys", "CryptoKey");
        let result = async {
            let before = self.load(ctx, auth, key).await?;
            entry
                .resource(before.row.id, &before.row.name)
                .algorithm(before.algorithm)
                .version(before.row.current_version);
            self.decide(ctx, auth, before.row.id, action, expected, Arc::new(decide), &mut entry).await
        }
        .await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// Locks, reads, decides, writes: one transaction.
    #[expect(clippy::too_many_arguments, reason = "everything a change needs, in one place")]
    async fn decide(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteKeys>,
        id: KeyId,
        name: &'static str,
        expected: Expected,
        decision: Decision,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let event = self.core.trail.event(ctx, entry)?;
        let auth = auth.duplicate();
        let tenant = *ctx.tenant().as_bytes();
        let written = self
            .core
            .store
            .write(name, move |tx| {
                let (auth, decision, event) = (auth.duplicate(), Arc::clone(&decision), event.clone());
                Box::pin(async move {
                    apply(tx, &auth, id, expected, &decision).await?;
                    tx.exec_last(event);
                    tx.bump_epoch(tenant);
                    Ok(())
                })
            })
            .await;
        match written {
            Ok(()) => {
                entry.committed();
                Ok(())
            }
            Err(error) => {
                Err(error.reason::<Refusal>().map(|refusal| refusal.0.clone()).unwrap_or_else(|| name_taken(error)))
            }
        }
    }
}

/// Rotations that may lose the race for the next version before one gives up: more than will ever be at once.
const ROTATION_TRIES: usize = 1_000;
/// What a confined credential is told instead of being refused.
const NOT_DEFAULT: &str = "setAsDefault was not followed: a credential that is confined to named keys does not choose the \
                           tenant's default. The key was rotated.";
const LOST_RACE: &str = "Another rotation was faster.";

async fn apply(
    tx: &mut Tx<'_>,
    auth: &Authorized<WriteKeys>,
    id: KeyId,
    expected: Expected,
    decision: &Decision,
) -> store::Result<()> {
    let refused = |problem| store::Error::other(Refusal(problem));
    tx.exec(lock_key(auth, id)).await?;
    let key = key_in(tx, auth, &KeyRef::Id(id)).await?.ok_or_else(|| refused(Problem::not_found("key")))?;
    // The lock itself counted one change.
    if expected.is_some_and(|expected| expected != key.revision - 1) {
        return Err(refused(Problem::new(ErrorCode::PreconditionFailed, "The key was changed since it was read.")));
    }
    let (key, writes) = decision(key).map_err(refused)?;
    // A new name could lead the key out of the caller's limits, and into somebody else's.
    if !auth.admits_labelled(id.uuid(), &key.name, &key.labels) {
        return Err(refused(outside_limits(&key.name)));
    }
    tx.exec_all(writes).await?;
    update_key(tx, auth, &key).await
}

fn status_change(status: &str) -> Outcome<Change> {
    match status.to_ascii_lowercase().as_str() {
        "active" | "enabled" => Ok(Change::Activate),
        "disabled" | "inactive" => Ok(Change::Disable),
        "deprecated" => Ok(Change::Deprecate),
        _ => Err(Problem::invalid("status is active, disabled or deprecated.")),
    }
}
