//! The tenant's own people (contract 4.11): invited, changed, removed. Nobody makes somebody what they are not themselves, and
//! the last owner stays.

use std::sync::Arc;

use api::error::ErrorCode;
use api::people::{Factor, Grant, InviteUser, ListUsers, Login, Session, UpdateUser, User, UserList};
use domain::authz::{Action, Authorized, ReadUsers, WriteUsers};
use domain::identity::account::{AccountRealm, Profile, State, TenantRole};
use domain::ids::{AccountId, GrantId, SessionId};
use domain::scope::Scope;
use store::Stmt;
use store::accounts::{AccountFilter, StoredAccount, insert_account, keep_an_owner, lock_people, update_account};

use super::accounts::letters::Purpose;
use super::accounts::{Accounts, email, sealed};
use super::applications::wanted::word;
use super::change::{Revised, must_be_seen};
use super::oidc::bearer::scopes_of;
use super::paging::Page;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// The tenants' own people.
pub struct Users {
    accounts: Arc<Accounts>,
}

const REALM: AccountRealm = AccountRealm::Tenant;

fn entry(action: &'static str) -> Entry {
    Entry::new(action, "identity", "User")
}

impl Users {
    /// Over the people.
    pub fn new(accounts: Arc<Accounts>) -> Self {
        Self { accounts }
    }

    /// Invites somebody.
    pub async fn invite(&self, ctx: &Ctx, auth: &Authorized<WriteUsers>, request: InviteUser) -> Outcome<User> {
        let mut entry = entry("UserInvited");
        let result = self.invite_now(ctx, auth, request, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn invite_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteUsers>,
        request: InviteUser,
        entry: &mut Entry,
    ) -> Outcome<User> {
        let role = word::<TenantRole>("role", Some(&request.role))?;
        permits(ctx, role)?;
        let email = email(&request.email)?;
        let profile = Profile {
            email: email.as_str().to_owned(),
            display_name: request.display_name.unwrap_or_else(|| email.as_str().to_owned()),
            ..Profile::default()
        };
        let mut row = self.accounts.new_row(ctx, REALM, &email, &profile)?;
        row.state = State::Invited;
        row.role = role;
        entry.resource_id(row.id).note(format!("role={}", request.role.to_lowercase()));
        if self.accounts.core.store.account_by_email(auth, REALM, &row.email).await?.is_some() {
            return Err(Problem::new(ErrorCode::Conflict, "Somebody of this address belongs to the tenant already."));
        }
        let follow = self.accounts.letter(ctx, auth, row.id, &profile, Purpose::Invitation).await?;
        self.accounts.commit(ctx, "invite user", vec![insert_account(auth, &row)], follow, entry).await?;
        Ok(show(&row, profile))
    }

    /// One of them.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ReadUsers>, id: AccountId) -> Outcome<Revised<User>> {
        let mut entry = entry("UserRead");
        let result = self.get_now(ctx, auth, id, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn get_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadUsers>,
        id: AccountId,
        entry: &mut Entry,
    ) -> Outcome<Revised<User>> {
        let row = self.load(auth, id, entry).await?;
        let profile = sealed::open(ctx, &row)?;
        Ok(Revised { body: show(&row, profile), revision: row.revision })
    }

    /// A page of them, the newest first.
    pub async fn list(&self, ctx: &Ctx, auth: &Authorized<ReadUsers>, query: &ListUsers) -> Outcome<UserList> {
        let result = self.list_now(ctx, auth, query).await;
        self.accounts.core.trail.conclude(ctx, entry("UserListed"), result).await
    }

    async fn list_now(&self, ctx: &Ctx, auth: &Authorized<ReadUsers>, query: &ListUsers) -> Outcome<UserList> {
        let page = Page::parse(query.page, query.page_size)?;
        let store = &self.accounts.core.store;
        let total = store.count_accounts(auth, REALM, AccountFilter::default()).await?;
        let rows = store.accounts(auth, REALM, AccountFilter::default(), page.size, page.skipped()).await?;
        let has_more = u64::from(page.skipped()) + (rows.len() as u64) < total;
        let users = rows.iter().map(|row| Ok(show(row, sealed::open(ctx, row)?))).collect::<Outcome<_>>()?;
        Ok(UserList { users, total, page: page.number, page_size: page.size, has_more })
    }

    /// Changes what is given.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteUsers>,
        id: AccountId,
        seen: Option<i64>,
        request: UpdateUser,
    ) -> Outcome<Revised<User>> {
        let mut entry = entry("UserUpdated");
        let result = self.update_now(ctx, auth, (id, seen), request, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn update_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteUsers>,
        (id, seen): (AccountId, Option<i64>),
        request: UpdateUser,
        entry: &mut Entry,
    ) -> Outcome<Revised<User>> {
        let old = self.load(auth, id, entry).await?;
        must_be_seen(seen, old.revision)?;
        permits(ctx, old.role)?;
        let mut row = old.clone();
        let mut follow = Vec::new();
        if let Some(role) = word::<TenantRole>("role", request.role.as_deref())? {
            permits(ctx, Some(role))?;
            entry.note(format!("role={role}"));
            row.role = Some(role);
            // Tokens say what somebody was when they were issued.
            row.tokens_not_before = ctx.now();
        }
        if let Some(name) = request.display_name {
            let mut profile = sealed::open(ctx, &row)?;
            profile.display_name = name;
            self.accounts.reseal(ctx, &mut row, &profile)?;
        }
        match request.is_active {
            Some(false) if row.state != State::Blocked => follow = self.accounts.shut_out(ctx, auth, &mut row, None)?,
            Some(true) if row.state == State::Blocked => self.accounts.let_in(ctx, &mut row)?,
            _ => {}
        }
        // Blocking withdrew the invitation of somebody who had not come yet.
        if old.state == State::Blocked && row.state == State::Invited {
            let profile = sealed::open(ctx, &row)?;
            follow = self.accounts.letter(ctx, auth, row.id, &profile, Purpose::Invitation).await?;
        }
        row.updated_at = ctx.now();
        self.save(ctx, "update user", auth, (&old, &row), follow, entry).await?;
        let profile = sealed::open(ctx, &row)?;
        Ok(Revised { body: show(&row, profile), revision: row.revision + 1 })
    }

    /// Removes somebody.
    pub async fn delete(&self, ctx: &Ctx, auth: &Authorized<WriteUsers>, id: AccountId) -> Outcome<()> {
        let mut entry = entry("UserDeleted");
        let result = self.delete_now(ctx, auth, id, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn delete_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteUsers>,
        id: AccountId,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let old = self.changeable(ctx, auth, id, entry).await?;
        let mut row = old.clone();
        let follow = self.accounts.remove(ctx, auth, &mut row)?;
        self.save(ctx, "delete user", auth, (&old, &row), follow, entry).await
    }

    /// Their history.
    pub async fn logins(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadUsers>,
        id: AccountId,
        limit: Option<u32>,
    ) -> Outcome<Vec<Login>> {
        let mut entry = entry("UserHistoryRead");
        let result = self.accounts.logins(ctx, auth, (REALM, id), limit, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// Their sessions.
    pub async fn sessions(&self, ctx: &Ctx, auth: &Authorized<ReadUsers>, id: AccountId) -> Outcome<Vec<Session>> {
        let mut entry = entry("UserSessionsRead");
        let result = self.accounts.sessions(ctx, auth, (REALM, id), &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// Ends one of their sessions, where the caller may make who they are.
    pub async fn end_session(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteUsers>,
        id: AccountId,
        session: SessionId,
    ) -> Outcome<()> {
        let mut entry = entry("UserSessionEnded");
        let result = async {
            self.changeable(ctx, auth, id, &mut entry).await?;
            self.accounts.end_session(ctx, auth, (REALM, id), session, &mut entry).await
        };
        let result = result.await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// Ends all of their sessions, grants and tokens, where the caller may make who they are.
    pub async fn end_sessions(&self, ctx: &Ctx, auth: &Authorized<WriteUsers>, id: AccountId) -> Outcome<()> {
        let mut entry = entry("UserSessionsEnded");
        let result = async {
            self.changeable(ctx, auth, id, &mut entry).await?;
            self.accounts.end_sessions(ctx, auth, (REALM, id), &mut entry).await
        };
        let result = result.await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// What applications were allowed on their behalf.
    pub async fn grants(&self, ctx: &Ctx, auth: &Authorized<ReadUsers>, id: AccountId) -> Outcome<Vec<Grant>> {
        let mut entry = entry("UserGrantsRead");
        let result = self.accounts.grants(ctx, auth, (REALM, id), &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// Ends one of their grants, where the caller may make who they are.
    pub async fn end_grant(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteUsers>,
        id: AccountId,
        grant: GrantId,
    ) -> Outcome<()> {
        let mut entry = entry("UserGrantEnded");
        let result = async {
            self.changeable(ctx, auth, id, &mut entry).await?;
            self.accounts.end_grant(ctx, auth, (REALM, id), grant, &mut entry).await
        };
        let result = result.await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// What they have of second factors.
    pub async fn factors(&self, ctx: &Ctx, auth: &Authorized<ReadUsers>, id: AccountId) -> Outcome<Vec<Factor>> {
        let mut entry = entry("UserFactorsRead");
        let result = self.accounts.factors(auth, (REALM, id), &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// Takes their second factors away, where the caller may make who they are.
    pub async fn remove_factors(&self, ctx: &Ctx, auth: &Authorized<WriteUsers>, id: AccountId) -> Outcome<()> {
        let mut entry = entry("UserFactorsRemoved");
        let result = async {
            self.changeable(ctx, auth, id, &mut entry).await?;
            self.accounts.remove_factors(ctx, auth, (REALM, id), &mut entry).await
        };
        let result = result.await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// Somebody whom the caller may change.
    async fn changeable(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteUsers>,
        id: AccountId,
        entry: &mut Entry,
    ) -> Outcome<StoredAccount> {
        let row = self.load(auth, id, entry).await?;
        permits(ctx, row.role).map(|()| row)
    }

    /// Those who were removed are not there any more.
    async fn load<A: Action>(&self, auth: &Authorized<A>, id: AccountId, entry: &mut Entry) -> Outcome<StoredAccount> {
        let row = self.accounts.load(auth, REALM, id, entry).await?;
        if row.state == State::Deleted {
            return Err(Problem::new(ErrorCode::NotFound, "There is no such user."));
        }
        Ok(row)
    }

    /// Saves somebody; where an owner ceases to be one, another must be left when it is done.
    async fn save(
        &self,
        ctx: &Ctx,
        name: &'static str,
        auth: &Authorized<WriteUsers>,
        (old, row): (&StoredAccount, &StoredAccount),
        follow: Vec<Stmt>,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let mut exact = vec![update_account(auth, row)];
        if is_owner(old) && !is_owner(row) {
            if self.accounts.core.store.count_owners(auth).await? < 2 {
                return Err(Problem::new(ErrorCode::Conflict, "The tenant would be left without an owner."));
            }
            exact.insert(0, lock_people(auth));
            exact.push(keep_an_owner(auth));
        }
        self.accounts.commit(ctx, name, exact, follow, entry).await
    }
}

fn is_owner(row: &StoredAccount) -> bool {
    row.role == Some(TenantRole::Owner) && row.state == State::Active
}

/// Whether the caller may make somebody this, or change somebody who is: that takes all that they may do, everywhere. Whoever invites
/// could invite themselves, and whoever takes a second factor away has come half the way in.
fn permits(ctx: &Ctx, role: Option<TenantRole>) -> Outcome<()> {
    let role = role.unwrap_or(TenantRole::Member);
    if !ctx.principal.scopes.covers(scopes_of(role)) {
        return Err(lacks(ctx, role));
    }
    if ctx.principal.limits.is_unlimited() {
        return Ok(());
    }
    let message = "The tenant's people reach everything in it; they are made and changed by those who do.";
    Err(Problem::new(ErrorCode::Forbidden, message).detail("exceeds", vec!["resources"]))
}

fn lacks(ctx: &Ctx, role: TenantRole) -> Problem {
    if role != TenantRole::Member {
        let message = "Owners and administrators are made and changed by those who have the scope admin.";
        return Problem::new(ErrorCode::Forbidden, message).detail("required_scope", Scope::Admin.as_str());
    }
    let missing = scopes_of(role).iter().filter(|scope| !ctx.principal.scopes.allows(*scope));
    let missing: Vec<&str> = missing.map(Scope::as_str).collect();
    let message = format!("Members read everything; the credential lacks scopes for that: {}.", missing.join(", "));
    Problem::new(ErrorCode::Forbidden, message).detail("missing_scopes", missing)
}

fn show(row: &StoredAccount, profile: Profile) -> User {
    User {
        id: row.id.uuid(),
        email: profile.email,
        display_name: Some(profile.display_name).filter(|name| !name.is_empty()),
        role: row.role.unwrap_or(TenantRole::Member).to_string(),
        state: row.state.to_string(),
        is_active: !matches!(row.state, State::Blocked | State::Deleted),
        mfa_enabled: row.has_second_factor,
        created_at: row.created_at.into(),
        updated_at: row.updated_at.into(),
        last_login_at: row.last_login_at.map(Into::into),
    }
}
