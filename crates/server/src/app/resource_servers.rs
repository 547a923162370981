//! APIs that tokens are for: registered, shown, changed, removed.

use api::applications::{CreateResourceServer, ResourceServer as Shown, ResourceServerList, UpdateResourceServer};
use domain::authz::{Action, Authorized, ReadApplications, WriteApplications};
use domain::identity::application::{TokenFormat, check_name, check_scopes};
use domain::identity::uri::check_resource;
use domain::ids::ResourceServerId;
use serde_json::Value;
use store::Stmt;
use store::resource_servers::{
    StoredResourceServer, delete_resource_server, insert_resource_server, update_resource_server,
};

use super::Core;
use super::applications::wanted::word;
use super::tenants::bytes;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// How long an access token may live, in seconds: whoever checks one by itself learns of a revocation that late.
const LIFETIME_S: std::ops::RangeInclusive<u32> = 60..=600;

/// The APIs of tenants.
pub struct ResourceServers {
    core: Core,
}

fn entry(action: &'static str) -> Entry {
    Entry::new(action, "identity", "ResourceServer")
}

impl ResourceServers {
    /// Over the store.
    pub fn new(core: Core) -> Self {
        Self { core }
    }

    /// Registers an API.
    pub async fn create(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        request: CreateResourceServer,
    ) -> Outcome<Shown> {
        let mut entry = entry("ResourceServerCreated");
        let result = self.create_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        request: CreateResourceServer,
        entry: &mut Entry,
    ) -> Outcome<Shown> {
        check_resource(&request.identifier).map_err(|bad| Problem::invalid(format!("identifier {bad}.")))?;
        let blank = StoredResourceServer {
            id: ResourceServerId::from_random(bytes(&*self.core.entropy)),
            identifier: request.identifier,
            name: String::new(),
            token_format: TokenFormat::Jwt,
            token_lifetime_s: *LIFETIME_S.end(),
            scopes: "[]".to_owned(),
            revision: 1,
            created_at: ctx.now(),
            updated_at: ctx.now(),
        };
        let row = changed(
            blank,
            UpdateResourceServer {
                name: Some(request.name),
                token_format: request.token_format,
                token_lifetime_seconds: request.token_lifetime_seconds,
                scopes: Some(request.scopes),
            },
        )?;
        entry.resource(row.id, &row.identifier);
        self.commit(ctx, "create resource server", insert_resource_server(auth, &row), entry).await?;
        Ok(show(&row))
    }

    /// One API.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ReadApplications>, id: ResourceServerId) -> Outcome<Shown> {
        let mut entry = entry("ResourceServerRead");
        let result = self.load(auth, id, &mut entry).await.map(|row| show(&row));
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// All of them, the oldest first.
    pub async fn list(&self, ctx: &Ctx, auth: &Authorized<ReadApplications>) -> Outcome<ResourceServerList> {
        let rows = self.core.store.resource_servers(auth).await;
        let result = rows
            .map_err(Problem::from)
            .map(|rows| ResourceServerList { total_count: rows.len() as u64, items: rows.iter().map(show).collect() });
        self.core.trail.conclude(ctx, entry("ResourceServerListed"), result).await
    }

    /// Changes what is given.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ResourceServerId,
        request: UpdateResourceServer,
    ) -> Outcome<Shown> {
        let mut entry = entry("ResourceServerUpdated");
        let result = self.update_now(ctx, auth, id, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn update_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ResourceServerId,
        request: UpdateResourceServer,
        entry: &mut Entry,
    ) -> Outcome<Shown> {
        let mut row = changed(self.load(auth, id, entry).await?, request)?;
        row.updated_at = ctx.now();
        self.commit(ctx, "update resource server", update_resource_server(auth, &row), entry).await?;
        Ok(show(&row))
    }

    /// Removes an API.
    pub async fn delete(&self, ctx: &Ctx, auth: &Authorized<WriteApplications>, id: ResourceServerId) -> Outcome<()> {
        let mut entry = entry("ResourceServerDeleted");
        let result = self.delete_now(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn delete_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ResourceServerId,
        entry: &mut Entry,
    ) -> Outcome<()> {
        self.load(auth, id, entry).await?;
        self.commit(ctx, "delete resource server", delete_resource_server(auth, id), entry).await
    }

    async fn load<A: Action>(
        &self,
        auth: &Authorized<A>,
        id: ResourceServerId,
        entry: &mut Entry,
    ) -> Outcome<StoredResourceServer> {
        let row = self.core.store.resource_server(auth, id).await?;
        let row = row.ok_or_else(|| Problem::not_found("resource server"))?;
        entry.resource(row.id, &row.identifier);
        Ok(row)
    }

    async fn commit(&self, ctx: &Ctx, name: &'static str, statement: Stmt, entry: &mut Entry) -> Outcome<()> {
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change(name, ctx.tenant(), vec![statement], event).await?;
        entry.committed();
        Ok(())
    }
}

fn changed(mut row: StoredResourceServer, request: UpdateResourceServer) -> Outcome<StoredResourceServer> {
    if let Some(name) = &request.name {
        row.name = check_name(name)?.to_owned();
    }
    if let Some(format) = word("tokenFormat", request.token_format.as_deref())? {
        row.token_format = format;
    }
    if let Some(lifetime) = request.token_lifetime_seconds {
        if !LIFETIME_S.contains(&lifetime) {
            return Err(Problem::invalid("tokenLifetimeSeconds is from 60 to 600."));
        }
        row.token_lifetime_s = lifetime;
    }
    if let Some(scopes) = request.scopes {
        check_scopes("scopes", &scopes)?;
        row.scopes = Value::from(scopes).to_string();
    }
    Ok(row)
}

fn show(row: &StoredResourceServer) -> Shown {
    Shown {
        id: row.id.uuid(),
        identifier: row.identifier.clone(),
        name: row.name.clone(),
        token_format: row.token_format.to_string(),
        token_lifetime_seconds: row.token_lifetime_s,
        scopes: serde_json::from_str(&row.scopes).unwrap_or_default(),
        created_at: row.created_at.into(),
        updated_at: row.updated_at.into(),
    }
}
