//! Roles (contract 4.10): names that go into tokens.

use std::sync::Arc;

use api::error::ErrorCode;
use api::people::{CreateRole, ListRoles, Role as Shown, UpdateRole};
use domain::authz::{Action, Authorized, ReadRoles, WriteRoles};
use domain::identity::account::AccountRealm;
use domain::identity::role::{BadRole, check_description, check_name, check_permissions};
use domain::ids::{ApplicationId, RoleId};
use store::Stmt;
use store::roles::{ListedRole, StoredRole, cut_off_holders, delete_role, insert_role, lock_role, update_role};

use super::accounts::Accounts;
use super::change::{Revised, must_be_seen};
use super::tenants::bytes;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// The roles of tenants.
pub struct Roles {
    accounts: Arc<Accounts>,
}

fn entry(action: &'static str) -> Entry {
    Entry::new(action, "identity", "Role")
}

impl Roles {
    /// Over the people who have them.
    pub fn new(accounts: Arc<Accounts>) -> Self {
        Self { accounts }
    }

    /// Makes a role.
    pub async fn create(&self, ctx: &Ctx, auth: &Authorized<WriteRoles>, request: CreateRole) -> Outcome<Shown> {
        let mut entry = entry("RoleCreated");
        let result = self.create_now(ctx, auth, request, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteRoles>,
        request: CreateRole,
        entry: &mut Entry,
    ) -> Outcome<Shown> {
        let (realm, application) = self.realm(auth, request.application_id.map(ApplicationId::from)).await?;
        let blank = StoredRole {
            id: RoleId::from_random(bytes(&*self.accounts.core.entropy)),
            realm,
            name: String::new(),
            description: None,
            permissions: None,
            is_default: false,
            revision: 1,
            created_at: ctx.now(),
            updated_at: ctx.now(),
        };
        let role = changed(
            blank,
            UpdateRole {
                name: Some(request.name),
                description: request.description,
                permissions: request.permissions,
                is_default: Some(request.is_default),
            },
        )?;
        entry.resource(role.id, &role.name);
        self.commit(ctx, "create role", vec![insert_role(auth, &role)], Vec::new(), entry).await?;
        Ok(show(&ListedRole { role, application, holders: 0 }))
    }

    /// The tenant, or an application that is there with its name.
    async fn realm<A: Action>(
        &self,
        auth: &Authorized<A>,
        application: Option<ApplicationId>,
    ) -> Outcome<(AccountRealm, Option<String>)> {
        let Some(id) = application else { return Ok((AccountRealm::Tenant, None)) };
        let found = self.accounts.core.store.application(auth, id).await?;
        let found = found.ok_or_else(|| Problem::not_found("application"))?;
        Ok((AccountRealm::Application(id), Some(found.name)))
    }

    /// One role.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ReadRoles>, id: RoleId) -> Outcome<Revised<Shown>> {
        let mut entry = entry("RoleRead");
        let result =
            self.load(auth, id, &mut entry).await.map(|row| Revised { body: show(&row), revision: row.role.revision });
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// Those of an application and the tenant's, or all: the oldest first.
    pub async fn list(&self, ctx: &Ctx, auth: &Authorized<ReadRoles>, query: &ListRoles) -> Outcome<Vec<Shown>> {
        let result = self.list_now(auth, query).await;
        self.accounts.core.trail.conclude(ctx, entry("RoleListed"), result).await
    }

    async fn list_now(&self, auth: &Authorized<ReadRoles>, query: &ListRoles) -> Outcome<Vec<Shown>> {
        let store = &self.accounts.core.store;
        let rows = match query.application_id {
            Some(id) => store.roles_for(auth, self.realm(auth, Some(id.into())).await?.0).await?,
            None => store.roles(auth).await?,
        };
        Ok(rows.iter().map(show).collect())
    }

    /// Changes what is given. Another name kills the access tokens that hold the old one.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteRoles>,
        id: RoleId,
        seen: Option<i64>,
        request: UpdateRole,
    ) -> Outcome<Revised<Shown>> {
        let mut entry = entry("RoleUpdated");
        let result = self.update_now(ctx, auth, (id, seen), request, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn update_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteRoles>,
        (id, seen): (RoleId, Option<i64>),
        request: UpdateRole,
        entry: &mut Entry,
    ) -> Outcome<Revised<Shown>> {
        let old = self.load(auth, id, entry).await?;
        must_be_seen(seen, old.role.revision)?;
        let mut role = changed(old.role.clone(), request)?;
        role.updated_at = ctx.now();
        entry.resource(role.id, &role.name);
        let is_renamed = role.name != old.role.name;
        let follow = if is_renamed { vec![cut_off_holders(auth, id, ctx.now())] } else { Vec::new() };
        self.commit(ctx, "update role", vec![update_role(auth, &role)], follow, entry).await?;
        let revision = role.revision + 1;
        Ok(Revised { body: show(&ListedRole { role, ..old }), revision })
    }

    /// Deletes a role that nobody has.
    pub async fn delete(&self, ctx: &Ctx, auth: &Authorized<WriteRoles>, id: RoleId) -> Outcome<()> {
        let mut entry = entry("RoleDeleted");
        let result = self.delete_now(ctx, auth, id, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn delete_now(&self, ctx: &Ctx, auth: &Authorized<WriteRoles>, id: RoleId, entry: &mut Entry) -> Outcome<()> {
        let row = self.load(auth, id, entry).await?;
        if row.holders > 0 {
            let message = format!("{} have the role; take it from them first.", row.holders);
            return Err(Problem::new(ErrorCode::Conflict, message).detail("endUserCount", row.holders));
        }
        self.commit(ctx, "delete role", vec![lock_role(auth, id), delete_role(auth, id)], Vec::new(), entry).await
    }

    async fn load<A: Action>(&self, auth: &Authorized<A>, id: RoleId, entry: &mut Entry) -> Outcome<ListedRole> {
        let row = self.accounts.core.store.role(auth, id).await?.ok_or_else(|| Problem::not_found("role"))?;
        entry.resource(row.role.id, &row.role.name);
        Ok(row)
    }

    async fn commit(
        &self,
        ctx: &Ctx,
        name: &'static str,
        exact: Vec<Stmt>,
        follow: Vec<Stmt>,
        entry: &mut Entry,
    ) -> Outcome<()> {
        self.accounts.commit(ctx, name, exact, follow, entry).await
    }
}

fn changed(mut role: StoredRole, request: UpdateRole) -> Outcome<StoredRole> {
    let bad = |bad: BadRole| Problem::invalid(format!("{bad}."));
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    if let Some(name) = request.name {
        role.name = check_name(&name).map_err(bad)?.to_owned();
    }
    if let Some(description) = request.description {
        check_description(&description).map_err(bad)?;
        role.description = filled(description);
    }
    if let Some(permissions) = request.permissions.map(filled) {
        permissions.as_deref().map_or(Ok(()), check_permissions).map_err(bad)?;
        role.permissions = permissions;
    }
    role.is_default = request.is_default.unwrap_or(role.is_default);
    Ok(role)
}

fn show(row: &ListedRole) -> Shown {
    Shown {
        id: row.role.id.uuid(),
        name: row.role.name.clone(),
        description: row.role.description.clone(),
        application_id: row.role.realm.application().map(|id| id.uuid()),
        application_name: row.application.clone(),
        permissions: row.role.permissions.clone(),
        is_default: row.role.is_default,
        end_user_count: row.holders,
        created_at: row.role.created_at.into(),
        updated_at: row.role.updated_at.into(),
    }
}
