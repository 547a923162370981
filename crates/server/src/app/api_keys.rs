//! API keys: made, shown, changed, rotated, revoked. Their text is shown once, and nobody grants what they lack.
//!
//! Every change moves the tenant's epoch, so that a revoked key is refused everywhere within a second.

mod granting;
pub mod of_application;

use api::api_keys::{
    ApiKey as Shown, ApiKeyList, CreateApiKey, CreatedApiKey, ListApiKeys, RotateApiKey, UpdateApiKey,
};
use api::error::ErrorCode;
use api::secret::SecretText;
use crypto::secret::SecretBytes;
use domain::authz::{Action, Actor, Authorized, ReadApiKeys, WriteApiKeys};
use domain::ids::ApiKeyId;
use domain::time::{SECOND_MS, Timestamp};
use store::Stmt;
use store::api_keys::{ApiKey, insert_api_key, replace_api_key, revoke_api_key, update_api_key};

use super::Core;
use super::paging::Page;
use super::tenants::{bytes, display_prefix};
use crate::credentials::hash;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;
use granting::{Grant, Wanted};

/// The longest a rotated-out text may go on working.
const GRACE_MAX_S: u32 = 86_400;

/// The API keys of tenants.
pub struct ApiKeys {
    core: Core,
}

impl ApiKeys {
    /// Over the store.
    pub fn new(core: Core) -> Self {
        Self { core }
    }

    /// Makes a key and shows its text.
    pub async fn create(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApiKeys>,
        request: CreateApiKey,
    ) -> Outcome<CreatedApiKey> {
        let mut entry = Entry::new("ApiKeyCreated", "auth", "ApiKey");
        let result = self.create_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApiKeys>,
        request: CreateApiKey,
        entry: &mut Entry,
    ) -> Outcome<CreatedApiKey> {
        let wanted = Wanted::of_new(request, ctx.now())?;
        self.granting(ctx, auth).await?.permits(&wanted)?;
        let text = domain::api_key::new_text(&*self.core.entropy);
        let row = self.new_row(ctx, &wanted, &text);
        entry.resource(row.id, &row.name);
        self.commit(ctx, "create api key", vec![insert_api_key(&row)], entry).await?;
        Ok(shown_once(&row, &text, None))
    }

    /// One key.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ReadApiKeys>, id: ApiKeyId) -> Outcome<Shown> {
        let mut entry = Entry::new("ApiKeyRead", "auth", "ApiKey");
        let result = self.load(auth, id, &mut entry).await.map(|row| show(&row, ctx.now()));
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// A page of keys, oldest first; those that no longer work only when asked for.
    pub async fn list(&self, ctx: &Ctx, auth: &Authorized<ReadApiKeys>, query: &ListApiKeys) -> Outcome<ApiKeyList> {
        let result = self.list_now(ctx, auth, query).await;
        self.core.trail.conclude(ctx, Entry::new("ApiKeyListed", "auth", "ApiKey"), result).await
    }

    async fn list_now(&self, ctx: &Ctx, auth: &Authorized<ReadApiKeys>, query: &ListApiKeys) -> Outcome<ApiKeyList> {
        let page = Page::parse(query.page, query.page_size)?;
        let all = query.include_inactive == Some(true);
        let rows = self.core.store.api_keys(auth).await?;
        let rows: Vec<ApiKey> = rows.into_iter().filter(|row| all || is_active(row, ctx.now())).collect();
        let total = rows.len() as u64;
        let (rows, has_more) = page.cut(rows);
        let api_keys = rows.iter().map(|row| show(row, ctx.now())).collect();
        Ok(ApiKeyList { api_keys, total, page: page.number, page_size: page.size, has_more })
    }

    /// Changes what is given.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApiKeys>,
        id: ApiKeyId,
        request: UpdateApiKey,
    ) -> Outcome<Shown> {
        let mut entry = Entry::new("ApiKeyUpdated", "auth", "ApiKey");
        let result = self.update_now(ctx, auth, id, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn update_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApiKeys>,
        id: ApiKeyId,
        request: UpdateApiKey,
        entry: &mut Entry,
    ) -> Outcome<Shown> {
        let row = self.load(auth, id, entry).await?;
        let wanted = Wanted::of(&row)?.changed(request, ctx.now())?;
        // The whole of the result counts: otherwise a weak key could move the expiry of a strong one.
        self.granting(ctx, auth).await?.permits(&wanted)?;
        let row = wanted.into_row(row);
        self.commit(ctx, "update api key", vec![update_api_key(auth, &row)], entry).await?;
        Ok(show(&row, ctx.now()))
    }

    /// Makes a key that replaces another; the old text works until the grace period ends.
    pub async fn rotate(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApiKeys>,
        id: ApiKeyId,
        request: RotateApiKey,
    ) -> Outcome<CreatedApiKey> {
        let mut entry = Entry::new("ApiKeyRotated", "auth", "ApiKey");
        let result = self.rotate_now(ctx, auth, id, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn rotate_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApiKeys>,
        id: ApiKeyId,
        request: RotateApiKey,
        entry: &mut Entry,
    ) -> Outcome<CreatedApiKey> {
        let old = self.load(auth, id, entry).await?;
        let grace_s = request.grace_seconds.unwrap_or(0);
        if grace_s > GRACE_MAX_S {
            return Err(Problem::invalid(format!("graceSeconds is at most {GRACE_MAX_S}.")));
        }
        if !is_active(&old, ctx.now()) || old.replaced_by.is_some() {
            return Err(Problem::new(
                ErrorCode::Conflict,
                "The key no longer works or was rotated before; make a new one.",
            ));
        }
        let wanted = Wanted::of(&old)?;
        self.granting(ctx, auth).await?.permits(&wanted)?;
        let text = domain::api_key::new_text(&*self.core.entropy);
        let new = ApiKey { application: old.application, ..self.new_row(ctx, &wanted, &text) };
        let until = ctx.now().plus_millis(i64::from(grace_s) * SECOND_MS);
        entry.note(format!("replacedBy={}", new.id));
        let statements = vec![replace_api_key(auth, id, new.id, until), insert_api_key(&new)];
        self.commit(ctx, "rotate api key", statements, entry).await?;
        Ok(shown_once(&new, &text, Some(until)))
    }

    /// Revokes a key. One that is revoked already stays so, and that is no error.
    pub async fn revoke(&self, ctx: &Ctx, auth: &Authorized<WriteApiKeys>, id: ApiKeyId) -> Outcome<Shown> {
        let mut entry = Entry::new("ApiKeyRevoked", "auth", "ApiKey");
        let result = self.revoke_now(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn revoke_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApiKeys>,
        id: ApiKeyId,
        entry: &mut Entry,
    ) -> Outcome<Shown> {
        let mut row = self.load(auth, id, entry).await?;
        if row.revoked_at.is_none() {
            self.commit(ctx, "revoke api key", vec![revoke_api_key(auth, id, ctx.now())], entry).await?;
            row.revoked_at = Some(ctx.now());
        }
        Ok(show(&row, ctx.now()))
    }

    async fn load<A: Action>(&self, auth: &Authorized<A>, id: ApiKeyId, entry: &mut Entry) -> Outcome<ApiKey> {
        let row = self.core.store.api_key(auth, id).await?.ok_or_else(|| Problem::not_found("API key"))?;
        entry.resource(row.id, &row.name);
        Ok(row)
    }

    /// What the caller's own key allows it to hand on.
    async fn granting<A: Action>(&self, ctx: &Ctx, auth: &Authorized<A>) -> Outcome<Grant> {
        let Actor::ApiKey(id) = ctx.principal.actor else { return Ok(Grant::of_principal(&ctx.principal)) };
        let own = self.core.store.api_key(auth, id).await?;
        Grant::of(&own.ok_or_else(|| Problem::new(ErrorCode::Unauthorized, "Invalid API key"))?)
    }

    fn new_row(&self, ctx: &Ctx, wanted: &Wanted, text: &SecretBytes) -> ApiKey {
        wanted.clone().into_row(self.blank_row(ctx, text))
    }

    fn blank_row(&self, ctx: &Ctx, text: &SecretBytes) -> ApiKey {
        ApiKey {
            tenant: ctx.tenant(),
            id: ApiKeyId::from_random(bytes(&*self.core.entropy)),
            name: String::new(),
            prefix: display_prefix(text),
            hash: hash(&ctx.keyring.root, text.expose()),
            scopes: String::new(),
            limits: "[]".to_owned(),
            cidrs: "[]".to_owned(),
            environment: None,
            rate_per_minute: None,
            created_at: ctx.now(),
            created_by: ctx.principal.called(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            replaced_by: None,
            grace_until: None,
            application: None,
        }
    }

    async fn commit(&self, ctx: &Ctx, name: &'static str, statements: Vec<Stmt>, entry: &mut Entry) -> Outcome<()> {
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change(name, ctx.tenant(), statements, event).await?;
        entry.committed();
        Ok(())
    }
}

/// Whether the key can be used at all.
fn is_active(row: &ApiKey, now: Timestamp) -> bool {
    let over = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    row.revoked_at.is_none() && !over(row.expires_at) && !over(row.grace_until)
}

/// A key as it is listed.
pub fn show(row: &ApiKey, now: Timestamp) -> Shown {
    Shown {
        id: row.id.uuid(),
        name: row.name.clone(),
        prefix: row.prefix.clone(),
        scopes: row.scopes.split_whitespace().map(str::to_owned).collect(),
        resources: granting::list(&row.limits),
        is_active: is_active(row, now),
        created_at: row.created_at.into(),
        expires_at: row.expires_at.map(Into::into),
        last_used_at: row.last_used_at.map(Into::into),
        revoked_at: row.revoked_at.or(row.grace_until.filter(|until| *until <= now)).map(Into::into),
        allowed_cidrs: granting::list(&row.cidrs),
        environment: row.environment.clone(),
        rate_limit_per_minute: row.rate_per_minute.unwrap_or(0),
    }
}

/// A key with its text: the only time it is shown.
pub fn shown_once(row: &ApiKey, text: &SecretBytes, previous_until: Option<Timestamp>) -> CreatedApiKey {
    CreatedApiKey {
        id: row.id.uuid(),
        key: SecretText::new(String::from_utf8_lossy(text.expose()).into_owned()),
        name: row.name.clone(),
        prefix: row.prefix.clone(),
        scopes: row.scopes.split_whitespace().map(str::to_owned).collect(),
        resources: granting::list(&row.limits),
        is_active: true,
        created_at: row.created_at.into(),
        expires_at: row.expires_at.map(Into::into),
        allowed_cidrs: granting::list(&row.cidrs),
        environment: row.environment.clone(),
        rate_limit_per_minute: row.rate_per_minute.unwrap_or(0),
        previous_valid_until: previous_until.map(Into::into),
    }
}
