//! API keys of applications: each may do what its application may do, no more and no less, also when that changes.

use api::applications::{ApplicationKey, CreateApplicationKey};
use domain::authz::{Authorized, ReadApplications, WriteApplications};
use domain::identity::application::Settings;
use domain::ids::{ApiKeyId, ApplicationId};
use domain::limits::Limits;
use domain::scope::Scopes;
use serde_json::Value;
use store::api_keys::revoke_api_key;

use super::{Applications, covers};
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// What an application's own tokens may do at this platform.
pub fn granted(settings: &Settings) -> Outcome<(Scopes, Limits)> {
    let broken = |what: &str| Problem::internal("reading an application", what);
    let words = settings.platform_scopes.iter().map(String::as_str);
    let scopes = Scopes::parse(words).map_err(|_| broken("a scope"))?;
    let limits = settings.platform_limits.iter().map(|text| text.parse()).collect::<Result<_, _>>();
    Ok((scopes, Limits::new(limits.map_err(|_| broken("a limit"))?)))
}

/// The same as an API key's columns.
pub fn columns(settings: &Settings) -> Outcome<(String, String)> {
    let (scopes, _) = granted(settings)?;
    Ok((scopes.to_string(), Value::from(settings.platform_limits.clone()).to_string()))
}

fn entry(action: &'static str) -> Entry {
    Entry::new(action, "identity", "ApiKey")
}

impl Applications {
    /// Makes a key and shows its text.
    pub async fn create_key(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ApplicationId,
        request: CreateApplicationKey,
    ) -> Outcome<ApplicationKey> {
        let mut entry = entry("ApplicationKeyCreated");
        let result = self.create_key_now(ctx, auth, id, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_key_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ApplicationId,
        request: CreateApplicationKey,
        entry: &mut Entry,
    ) -> Outcome<ApplicationKey> {
        let application = self.load(auth, id, entry).await?;
        covers(ctx, &application.settings)?;
        let granted = columns(&application.settings)?;
        self.api_keys.create_for(ctx, auth, id, granted, request, entry).await
    }

    /// The keys of an application that are not revoked, oldest first.
    pub async fn list_keys(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadApplications>,
        id: ApplicationId,
    ) -> Outcome<Vec<ApplicationKey>> {
        let mut entry = entry("ApplicationKeyListed");
        let result = self.list_keys_now(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn list_keys_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadApplications>,
        id: ApplicationId,
        entry: &mut Entry,
    ) -> Outcome<Vec<ApplicationKey>> {
        self.load(auth, id, entry).await?;
        let rows = self.core.store.api_keys_of(auth, id).await?;
        Ok(rows.iter().map(|row| crate::app::api_keys::of_application::show(row, id, None, ctx.now())).collect())
    }

    /// Revokes a key of an application.
    pub async fn delete_key(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        (id, key): (ApplicationId, ApiKeyId),
    ) -> Outcome<()> {
        let mut entry = entry("ApplicationKeyRevoked");
        let result = self.delete_key_now(ctx, auth, (id, key), &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn delete_key_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        (id, key): (ApplicationId, ApiKeyId),
        entry: &mut Entry,
    ) -> Outcome<()> {
        let application = self.load(auth, id, entry).await?;
        covers(ctx, &application.settings)?;
        let row = self.core.store.api_key(auth, key).await?.filter(|row| row.application == Some(id));
        let row = row.ok_or_else(|| Problem::not_found("API key"))?;
        entry.resource(row.id, &row.name);
        if row.revoked_at.is_some() {
            return Ok(());
        }
        let revoke = vec![revoke_api_key(auth, key, ctx.now())];
        self.commit(ctx, "revoke application key", revoke, Vec::new(), entry).await
    }
}
