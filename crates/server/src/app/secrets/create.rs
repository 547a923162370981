//! Making a secret.

use api::secret::SecretText;
use api::secrets as wire;
use domain::authz::{Authorized, WriteSecrets};
use domain::ids::SecretId;
use domain::time::Timestamp;
use store::Stmt;
use store::secrets::{StoredSecret, insert_secret, insert_version};
use zeroize::Zeroizing;

use super::fields::Fields;
use super::repeats::Made;
use super::sealed::{Meta, NewVersion};
use super::view::{self, Include, Tagged};
use super::{Secrets, actor, outside_limits, relabelled};
use crate::app::Core;
use crate::app::tenants::bytes;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// What becomes of a create that was sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It is recognised by its content for a few seconds.
    ByContent,
    /// The caller named it with an idempotency key, which is looked at elsewhere.
    ByKey,
}

impl Secrets {
    /// Makes a secret. The same request again within seconds gets the first one's answer and makes nothing.
    pub async fn create(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        request: wire::CreateSecret,
        repetition: Repetition,
    ) -> Outcome<Tagged<wire::SecretWithValue>> {
        if repetition == Repetition::ByKey {
            return self.create_once(ctx, auth, request).await;
        }
        let slot = self.repeats.slot((ctx.principal.actor, digest(&request)?), ctx.now())?;
        let mut made = slot.made.lock().await;
        if let Some(first) = *made
            && self.core.store.secret(auth, first.id).await?.is_some()
        {
            return self.answer_again(ctx, auth, request, first).await;
        }
        let created = self.create_once(ctx, auth, request).await?;
        *made = Some(Made { id: created.body.id.into(), at: created.body.created_at.timestamp() });
        Ok(created)
    }

    async fn create_once(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        request: wire::CreateSecret,
    ) -> Outcome<Tagged<wire::SecretWithValue>> {
        let mut entry = Entry::new("SecretCreated", "secrets", "Secret");
        let result = self.create_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        request: wire::CreateSecret,
        entry: &mut Entry,
    ) -> Outcome<Tagged<wire::SecretWithValue>> {
        let (fields, value) = Fields::of_creation(request)?;
        let id = SecretId::from_random(bytes(&*self.core.entropy));
        let draft = Draft::new(ctx, auth, id, ctx.now(), &fields)?;
        entry.resource(id, &draft.secret.name).version(1);
        let statements = draft.statements(&self.core, ctx, auth, &value, self.core.trail.event(ctx, entry)?)?;
        let written = self.core.store.write("create secret", move |tx| {
            statements.iter().for_each(|statement| tx.exec_last(statement.clone()));
            Box::pin(async { Ok(()) })
        });
        written.await?;
        entry.committed();
        draft.shown(value)
    }

    /// The answer that got lost, made of the same request again: nothing is read, so nothing is shown that was not sent.
    async fn answer_again(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        request: wire::CreateSecret,
        first: Made,
    ) -> Outcome<Tagged<wire::SecretWithValue>> {
        let mut entry = Entry::new("SecretCreateRepeated", "secrets", "Secret");
        let answer = Fields::of_creation(request).and_then(|(fields, value)| {
            let draft = Draft::new(ctx, auth, first.id, first.at, &fields)?;
            entry.resource(first.id, &draft.secret.name).version(1);
            draft.shown(value)
        });
        self.core.trail.conclude(ctx, entry, answer).await
    }
}

/// A secret that is to be made.
pub(super) struct Draft {
    pub secret: StoredSecret,
    meta: Meta,
    actor: String,
}

impl Draft {
    pub fn new(
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        id: SecretId,
        at: Timestamp,
        fields: &Fields,
    ) -> Outcome<Self> {
        let actor = actor(ctx);
        let mut meta = Meta { created_by: actor.clone(), updated_by: actor.clone(), ..Meta::default() };
        let mut secret = StoredSecret {
            id,
            name: String::new(),
            content_type: None,
            labels: "[]".to_owned(),
            is_active: true,
            is_favorite: false,
            has_totp: false,
            version: 1,
            revision: 1,
            expires_at: None,
            created_at: at,
            updated_at: at,
            meta: Vec::new(),
        };
        fields.apply(&mut secret, &mut meta)?;
        secret.labels = relabelled(auth, None, &secret.labels)?;
        Ok(Self { secret, meta, actor })
    }

    /// Everything its transaction writes.
    pub fn statements(
        &self,
        core: &Core,
        ctx: &Ctx,
        auth: &Authorized<WriteSecrets>,
        value: &SecretText,
        event: Stmt,
    ) -> Outcome<[Stmt; 3]> {
        if !auth.admits_new(&self.secret.name) {
            return Err(outside_limits());
        }
        let meta = self.meta.seal(&ctx.keys, self.secret.id, &*core.entropy)?;
        let first = NewVersion {
            version: 1,
            value: value.expose(),
            username: self.meta.username.as_ref(),
            changed_by: &self.actor,
            at: self.secret.created_at,
            restored_from: None,
        };
        let first = first.seal(&ctx.keys, self.secret.id, &*core.entropy)?;
        let row = StoredSecret { meta, ..self.secret.clone() };
        Ok([insert_secret(auth, &row), insert_version(auth, row.id, &first), event])
    }

    fn shown(self, value: SecretText) -> Outcome<Tagged<wire::SecretWithValue>> {
        view::with_value(self.secret, self.meta, 1, value, Include::default())
    }
}

fn digest(request: &wire::CreateSecret) -> Outcome<[u8; 32]> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1_024));
    serde_json::to_writer(&mut *bytes, request).map_err(|error| Problem::internal("recognising a repeat", error))?;
    Ok(crypto::hash::sha256(&[&bytes]))
}
