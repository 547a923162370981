//! Which roles an end user has. Every change kills the access tokens that say otherwise.

use api::error::ErrorCode;
use api::people::{AssignRole, EndUserRole};
use domain::authz::{Authorized, ReadEndUsers, WriteEndUsers};
use domain::ids::{RoleAssignmentId, RoleId};
use store::accounts::cut_off_tokens;
use store::roles::{StoredAssignment, delete_assignment, insert_assignment, lock_role};

use super::{EndUsers, Whom, entry};
use crate::app::tenants::bytes;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

impl EndUsers {
    /// The roles of somebody, the oldest first.
    pub async fn list_roles(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadEndUsers>,
        whom: Whom,
    ) -> Outcome<Vec<EndUserRole>> {
        let mut entry = entry("EndUserRolesRead");
        let result = self.list_roles_now(auth, whom, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn list_roles_now(
        &self,
        auth: &Authorized<ReadEndUsers>,
        whom: Whom,
        entry: &mut Entry,
    ) -> Outcome<Vec<EndUserRole>> {
        let row = self.load(auth, whom, entry).await?;
        Ok(self.accounts.core.store.roles_of(auth, row.id).await?.iter().map(show).collect())
    }

    /// Gives somebody a role.
    pub async fn assign_role(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        request: AssignRole,
    ) -> Outcome<EndUserRole> {
        let mut entry = entry("EndUserRoleAssigned");
        let result = self.assign_role_now(ctx, auth, whom, request.role_id.into(), &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn assign_role_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        role: RoleId,
        entry: &mut Entry,
    ) -> Outcome<EndUserRole> {
        let row = self.load(auth, whom, entry).await?;
        let store = &self.accounts.core.store;
        let known = store.roles_for(auth, row.realm).await?;
        let found = known.iter().find(|known| known.role.id == role).ok_or_else(|| Problem::not_found("role"))?;
        entry.note(format!("role={role}"));
        if store.roles_of(auth, row.id).await?.iter().any(|own| own.role == role) {
            return Err(Problem::new(ErrorCode::Conflict, "The user has this role already."));
        }
        let assignment = StoredAssignment {
            id: RoleAssignmentId::from_random(bytes(&*self.accounts.core.entropy)),
            account: row.id,
            role,
            name: found.role.name.clone(),
            assigned_at: ctx.now(),
        };
        let exact =
            vec![lock_role(auth, role), insert_assignment(auth, &assignment), cut_off_tokens(auth, row.id, ctx.now())];
        self.accounts.commit(ctx, "assign role", exact, Vec::new(), entry).await?;
        Ok(show(&assignment))
    }

    /// Takes a role from somebody.
    pub async fn remove_role(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        role: RoleId,
    ) -> Outcome<()> {
        let mut entry = entry("EndUserRoleRemoved");
        let result = self.remove_role_now(ctx, auth, whom, role, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn remove_role_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        role: RoleId,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let row = self.load(auth, whom, entry).await?;
        entry.note(format!("role={role}"));
        let own = self.accounts.core.store.roles_of(auth, row.id).await?;
        // Both SDKs call it by the role; an assignment's own id is understood too.
        let found = own.iter().find(|own| own.role == role || own.id.as_bytes() == role.as_bytes());
        let found = found.ok_or_else(|| Problem::not_found("role of this user"))?;
        let exact = vec![delete_assignment(auth, row.id, found.role), cut_off_tokens(auth, row.id, ctx.now())];
        self.accounts.commit(ctx, "remove role", exact, Vec::new(), entry).await
    }
}

/// One role of somebody.
pub fn show(row: &StoredAssignment) -> EndUserRole {
    EndUserRole {
        id: row.id.uuid(),
        role_id: row.role.uuid(),
        role_name: row.name.clone(),
        assigned_at: row.assigned_at.into(),
    }
}
