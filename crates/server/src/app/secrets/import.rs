//! Many secrets at once, by name: a new name is made, a known one gets a new version.
//!
//! One transaction for all. An item that is refused does not hold up the others; whatever else fails, fails for all.

use std::sync::Arc;

use api::error::ErrorCode;
use api::limits::IMPORT_ITEMS;
use api::secret::SecretText;
use api::secrets as wire;
use domain::authz::{Authorized, WriteSecrets};
use domain::ids::SecretId;
use store::Tx;
use store::secrets::{insert_version, lock_names, lock_secret, secrets_named_in, update_secret};

use super::change::{refused, unwrapped};
use super::create::Draft;
use super::fields::Fields;
use super::sealed::{Meta, NewVersion};
use super::{Secrets, actor, ambiguous, outside_limits, relabelled};
use crate::app::Core;
use crate::app::tenants::bytes;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// An import on its way into a transaction, which may run more than once.
struct Import {
    core: Core,
    ctx: Ctx,
    auth: Authorized<WriteSecrets>,
    items: Vec<Outcome<(Fields, SecretText)>>,
}

/// What became of an item.
enum Landed {
    Created(SecretId),
    Updated(SecretId),
}

impl Secrets {
    /// Makes or updates secrets by name.
    pub async fn import(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        request: wire::ImportSecrets,
    ) -> Outcome<wire::ImportedSecrets> {
        let mut entry = Entry::new("SecretsImported", "secrets", "Secret");
        let result = self.import_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn import_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        request: wire::ImportSecrets,
        entry: &mut Entry,
    ) -> Outcome<wire::ImportedSecrets> {
        if request.items.len() > IMPORT_ITEMS {
            return Err(Problem::new(ErrorCode::TooManyItems, format!("An import has at most {IMPORT_ITEMS} items.")));
        }
        let items: Vec<_> = request.items.into_iter().map(Fields::of_import).collect();
        let import = Import { core: self.core.clone(), ctx: ctx.clone(), auth: auth.duplicate(), items };
        let import = Arc::new(import);
        let written = self.core.store.write("import secrets", move |tx| {
            let import = Arc::clone(&import);
            Box::pin(async move { import.run(tx).await })
        });
        let answer = written.await.map_err(unwrapped)?;
        entry.batch(answer.ids.len(), answer.errors.len());
        Ok(answer)
    }
}

impl Import {
    async fn run(&self, tx: &mut Tx<'_>) -> store::Result<wire::ImportedSecrets> {
        tx.exec(lock_names(&self.auth)).await?;
        let mut answer =
            wire::ImportedSecrets { created: 0, updated: 0, failed: 0, ids: Vec::new(), errors: Vec::new() };
        for (index, item) in (0..).zip(&self.items) {
            let landed = match item {
                Ok((fields, value)) => self.land(tx, fields, value).await?,
                Err(problem) => Err(problem.clone()),
            };
            answer.ids.push(match landed {
                Ok(Landed::Created(id)) => {
                    answer.created += 1;
                    Some(id.uuid())
                }
                Ok(Landed::Updated(id)) => {
                    answer.updated += 1;
                    Some(id.uuid())
                }
                Err(problem) => {
                    answer.failed += 1;
                    let code = problem.code.as_str().to_owned();
                    answer.errors.push(wire::ImportError { index, code, message: problem.message });
                    None
                }
            });
        }
        Ok(answer)
    }

    /// The outer result is the transaction's, the inner one the item's.
    async fn land(&self, tx: &mut Tx<'_>, fields: &Fields, value: &SecretText) -> store::Result<Outcome<Landed>> {
        let Some(name) = &fields.name else { return Ok(Err(Problem::invalid("An item needs a name."))) };
        match secrets_named_in(tx, &self.auth, name.as_str()).await?.as_slice() {
            [] if !self.auth.admits_new(name.as_str()) => Ok(Err(outside_limits())),
            [] => self.create(tx, fields, value).await,
            [id] => self.update(tx, *id, fields, value).await,
            several => Ok(Err(ambiguous(several.iter().copied()))),
        }
    }

    /// Written at once and not at the end: the next item may have the same name.
    async fn create(&self, tx: &mut Tx<'_>, fields: &Fields, value: &SecretText) -> store::Result<Outcome<Landed>> {
        let id = SecretId::from_random(bytes(&*self.core.entropy));
        let draft = match Draft::new(&self.ctx, &self.auth, id, self.ctx.now(), fields) {
            Ok(draft) => draft,
            Err(problem) => return Ok(Err(problem)),
        };
        let event =
            self.core.trail.event(&self.ctx, &entry("SecretCreated", id, &draft.secret.name, 1)).map_err(refused)?;
        let [secret, version, event] =
            draft.statements(&self.core, &self.ctx, &self.auth, value, event).map_err(refused)?;
        tx.exec_all(vec![secret, version]).await?;
        tx.exec_last(event);
        Ok(Ok(Landed::Created(id)))
    }

    async fn update(
        &self,
        tx: &mut Tx<'_>,
        id: SecretId,
        fields: &Fields,
        value: &SecretText,
    ) -> store::Result<Outcome<Landed>> {
        let Some(mut secret) = lock_secret(tx, &self.auth, id).await? else {
            return Ok(Err(Problem::not_found("secret")));
        };
        let mut meta = Meta::open(&self.ctx.keys, &secret).map_err(refused)?;
        let before = secret.labels.clone();
        fields.apply(&mut secret, &mut meta).map_err(refused)?;
        match relabelled(&self.auth, Some(&before), &secret.labels) {
            Ok(labels) => secret.labels = labels,
            Err(problem) => return Ok(Err(problem)),
        }
        secret.version += 1;
        secret.updated_at = self.ctx.now();
        meta.updated_by = actor(&self.ctx);
        let version = NewVersion {
            version: secret.version,
            value: value.expose(),
            username: meta.username.as_ref(),
            changed_by: &meta.updated_by,
            at: self.ctx.now(),
            restored_from: None,
        };
        let version = version.seal(&self.ctx.keys, id, &*self.core.entropy).map_err(refused)?;
        secret.meta = meta.seal(&self.ctx.keys, id, &*self.core.entropy).map_err(refused)?;
        update_secret(tx, &self.auth, &secret).await?;
        tx.exec(insert_version(&self.auth, id, &version)).await?;
        let entry = entry("SecretValueUpdated", id, &secret.name, secret.version);
        tx.exec_last(self.core.trail.event(&self.ctx, &entry).map_err(refused)?);
        Ok(Ok(Landed::Updated(id)))
    }
}

fn entry(action: &'static str, id: SecretId, name: &str, version: u32) -> Entry {
    let mut entry = Entry::new(action, "secrets", "Secret");
    entry.resource(id, name).version(version).note("import");
    entry
}
