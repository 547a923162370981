//! End users of applications (contract 4.9): made, found, changed, shut out, erased; their roles, letters and passwords.

mod letters;
mod roles;
mod standing;

use std::sync::Arc;

use api::error::ErrorCode;
use api::people::{CreateEndUser, EndUser, EndUserList, EndUserStats, ListEndUsers, Login, Session, UpdateEndUser};
use domain::authz::{Action, Authorized, ReadEndUsers, WriteEndUsers};
use domain::identity::account::{AccountRealm, Email, Profile, State};
use domain::identity::password_policy::Chosen;
use domain::ids::{AccountId, ApplicationId, RoleAssignmentId, RoleId};
use domain::time::DAY_MS;
use store::Stmt;
use store::accounts::{AccountFilter, StoredAccount, insert_account, set_password};
use store::roles::{StoredAssignment, insert_assignment, lock_role};

use super::accounts::{Accounts, email, sealed};
use super::change::{Revised, must_be_seen};
use super::paging::Page;
use super::tenants::bytes;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// Rows of a page unless told, and at most.
const PAGE_DEFAULT: u32 = 20;
const PAGE_MAX: u32 = 100;
/// Profiles that one search opens at most: they are sealed, so a search has to open them.
const SEARCHED_MAX: u32 = 20_000;
const SEARCHED_AT_ONCE: u32 = 500;
/// Who signed in within this time is active.
const ACTIVE_MS: i64 = 30 * DAY_MS;

/// The end users of applications.
pub struct EndUsers {
    accounts: Arc<Accounts>,
}

/// Somebody of an application.
pub type Whom = (ApplicationId, AccountId);

fn entry(action: &'static str) -> Entry {
    Entry::new(action, "identity", "EndUser")
}

impl EndUsers {
    /// Over the people.
    pub fn new(accounts: Arc<Accounts>) -> Self {
        Self { accounts }
    }

    /// Makes an end user.
    pub async fn create(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        app: ApplicationId,
        request: CreateEndUser,
    ) -> Outcome<EndUser> {
        let mut entry = entry("EndUserCreated");
        let result = self.create_now(ctx, auth, app, request, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        app: ApplicationId,
        request: CreateEndUser,
        entry: &mut Entry,
    ) -> Outcome<EndUser> {
        let realm = self.realm(auth, app).await?;
        let email = email(&request.email)?;
        let profile = Profile {
            email: email.as_str().to_owned(),
            display_name: request.display_name,
            first_name: request.first_name,
            last_name: request.last_name,
            phone: request.phone_number,
            metadata: request.metadata,
            ..Profile::default()
        };
        let mut row = self.accounts.new_row(ctx, realm, &email, &profile)?;
        row.is_email_verified = request.email_verified;
        entry.resource_id(row.id);
        let taken = self.accounts.core.store.account_by_email(auth, realm, &row.email).await?;
        if taken.is_some() {
            return Err(Problem::new(ErrorCode::Conflict, "The application has a user of this address."));
        }
        let mut statements = vec![insert_account(auth, &row)];
        let wanted = request.role_ids.unwrap_or_default().into_iter().map(RoleId::from).collect();
        let given = self.first_roles(ctx, auth, &row, wanted, &mut statements).await?;
        if let Some(password) = &request.password {
            let record = self.accounts.new_password(ctx, row.id, password, Chosen::ForThem, &[]).await??;
            statements.push(set_password(auth, row.id, &record, false, ctx.now()));
        }
        self.accounts.commit(ctx, "create end user", statements, Vec::new(), entry).await?;
        Ok(EndUser { roles: Some(given.iter().map(roles::show).collect()), ..show(&row, profile) })
    }

    /// The roles that somebody new is given: those of the request, and those that every new end user is.
    async fn first_roles(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        row: &StoredAccount,
        mut wanted: Vec<RoleId>,
        statements: &mut Vec<Stmt>,
    ) -> Outcome<Vec<StoredAssignment>> {
        let known = self.accounts.core.store.roles_for(auth, row.realm).await?;
        wanted.extend(known.iter().filter(|role| role.role.is_default).map(|role| role.role.id));
        wanted.sort_unstable();
        wanted.dedup();
        let mut given = Vec::new();
        for id in wanted {
            let role = known.iter().find(|role| role.role.id == id).ok_or_else(|| Problem::not_found("role"))?;
            let assignment = StoredAssignment {
                id: RoleAssignmentId::from_random(bytes(&*self.accounts.core.entropy)),
                account: row.id,
                role: id,
                name: role.role.name.clone(),
                assigned_at: ctx.now(),
            };
            statements.push(lock_role(auth, id));
            statements.push(insert_assignment(auth, &assignment));
            given.push(assignment);
        }
        Ok(given)
    }

    /// One end user, with roles and where they came from last.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ReadEndUsers>, whom: Whom) -> Outcome<Revised<EndUser>> {
        let mut entry = entry("EndUserRead");
        let result = self.get_now(ctx, auth, whom, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn get_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadEndUsers>,
        whom: Whom,
        entry: &mut Entry,
    ) -> Outcome<Revised<EndUser>> {
        let row = self.load(auth, whom, entry).await?;
        Ok(Revised { body: self.whole(ctx, auth, &row).await?, revision: row.revision })
    }

    async fn whole<A: Action>(&self, ctx: &Ctx, auth: &Authorized<A>, row: &StoredAccount) -> Outcome<EndUser> {
        let roles = self.accounts.core.store.roles_of(auth, row.id).await?;
        Ok(EndUser {
            roles: Some(roles.iter().map(roles::show).collect()),
            connections: Some(Vec::new()),
            last_ip_address: self.accounts.last_address(ctx, auth, row.id).await?,
            ..show(row, sealed::open(ctx, row)?)
        })
    }

    /// A page of end users, the newest first.
    pub async fn list(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadEndUsers>,
        app: ApplicationId,
        query: &ListEndUsers,
    ) -> Outcome<EndUserList> {
        let result = self.list_now(ctx, auth, app, query).await;
        self.accounts.core.trail.conclude(ctx, entry("EndUserListed"), result).await
    }

    async fn list_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadEndUsers>,
        app: ApplicationId,
        query: &ListEndUsers,
    ) -> Outcome<EndUserList> {
        let realm = self.realm(auth, app).await?;
        let page = Page::parse(query.page, Some(query.page_size.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX)))?;
        let filter = AccountFilter {
            is_blocked: query.blocked,
            is_email_verified: query.email_verified,
            role: query.role_id.map(RoleId::from),
        };
        let store = &self.accounts.core.store;
        let needle = query.search.as_deref().map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty());
        let (items, total_count) = match needle {
            Some(needle) => {
                let found = match self.of_address(ctx, auth, realm, filter, &needle).await? {
                    Some(row) => vec![show(&row, sealed::open(ctx, &row)?)],
                    None => self.search(ctx, auth, realm, filter, &needle).await?,
                };
                let total = found.len() as u64;
                (page.cut(found).0, total)
            }
            None => {
                let rows = store.accounts(auth, realm, filter, page.size, page.skipped()).await?;
                let items = rows.iter().map(|row| Ok(show(row, sealed::open(ctx, row)?)));
                (items.collect::<Outcome<Vec<_>>>()?, store.count_accounts(auth, realm, filter).await?)
            }
        };
        Ok(EndUserList { items, total_count, page: page.number, page_size: page.size })
    }

    /// Who has this whole address: found by its keyed hash, whenever they were made, and without opening anybody else's
    /// profile.
    async fn of_address(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadEndUsers>,
        realm: AccountRealm,
        filter: AccountFilter,
        needle: &str,
    ) -> Outcome<Option<StoredAccount>> {
        let Ok(email) = Email::parse(needle) else { return Ok(None) };
        let hash = sealed::email_hash(ctx, realm, &email);
        Ok(self.accounts.core.store.account_among(auth, realm, filter, &hash).await?)
    }

    /// Opens one profile after the other, up to a limit: those made before are not found.
    async fn search(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadEndUsers>,
        realm: AccountRealm,
        filter: AccountFilter,
        needle: &str,
    ) -> Outcome<Vec<EndUser>> {
        let mut found = Vec::new();
        for skipped in (0..SEARCHED_MAX).step_by(SEARCHED_AT_ONCE as usize) {
            let rows = self.accounts.core.store.accounts(auth, realm, filter, SEARCHED_AT_ONCE, skipped).await?;
            for row in &rows {
                let profile = sealed::open(ctx, row)?;
                if profile.is_found_by(needle) {
                    found.push(show(row, profile));
                }
            }
            if rows.len() < SEARCHED_AT_ONCE as usize {
                break;
            }
            // Opening is work of this thread: let others have a turn.
            tokio::task::yield_now().await;
        }
        Ok(found)
    }

    /// How many there are.
    pub async fn stats(&self, ctx: &Ctx, auth: &Authorized<ReadEndUsers>, app: ApplicationId) -> Outcome<EndUserStats> {
        let result = self.stats_now(ctx, auth, app).await;
        self.accounts.core.trail.conclude(ctx, entry("EndUserCounted"), result).await
    }

    async fn stats_now(&self, ctx: &Ctx, auth: &Authorized<ReadEndUsers>, app: ApplicationId) -> Outcome<EndUserStats> {
        let realm = self.realm(auth, app).await?;
        let counts = self.accounts.core.store.account_counts(auth, realm, ctx.now().plus_millis(-ACTIVE_MS)).await?;
        Ok(EndUserStats {
            total_users: counts.total,
            verified_users: counts.verified,
            unverified_users: counts.total.saturating_sub(counts.verified),
            blocked_users: counts.blocked,
            active_users: counts.active,
        })
    }

    /// Changes what is given.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        whom: Whom,
        seen: Option<i64>,
        request: UpdateEndUser,
    ) -> Outcome<Revised<EndUser>> {
        let mut entry = entry("EndUserUpdated");
        let result = self.update_now(ctx, auth, (whom, seen), request, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    async fn update_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteEndUsers>,
        (whom, seen): (Whom, Option<i64>),
        request: UpdateEndUser,
        entry: &mut Entry,
    ) -> Outcome<Revised<EndUser>> {
        let mut row = self.load(auth, whom, entry).await?;
        must_be_seen(seen, row.revision)?;
        let mut profile = sealed::open(ctx, &row)?;
        if let Some(name) = request.display_name {
            profile.display_name = name;
        }
        for (text, given) in [
            (&mut profile.first_name, request.first_name),
            (&mut profile.last_name, request.last_name),
            (&mut profile.phone, request.phone_number),
            (&mut profile.picture, request.profile_picture_url),
            (&mut profile.metadata, request.metadata),
        ] {
            if let Some(given) = given {
                *text = Some(given).filter(|given| !given.is_empty());
            }
        }
        self.accounts.reseal(ctx, &mut row, &profile)?;
        self.accounts.save(ctx, "update end user", auth, &row, Vec::new(), entry).await?;
        Ok(Revised { body: self.whole(ctx, auth, &row).await?, revision: row.revision + 1 })
    }

    /// The history of somebody.
    pub async fn logins(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadEndUsers>,
        whom: Whom,
        limit: Option<u32>,
    ) -> Outcome<Vec<Login>> {
        let mut entry = entry("EndUserHistoryRead");
        let result = self.accounts.logins(ctx, auth, of(whom), limit, &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// The sessions of somebody.
    pub async fn sessions(&self, ctx: &Ctx, auth: &Authorized<ReadEndUsers>, whom: Whom) -> Outcome<Vec<Session>> {
        let mut entry = entry("EndUserSessionsRead");
        let result = self.accounts.sessions(ctx, auth, of(whom), &mut entry).await;
        self.accounts.core.trail.conclude(ctx, entry, result).await
    }

    /// The realm of an application that is there.
    async fn realm<A: Action>(&self, auth: &Authorized<A>, app: ApplicationId) -> Outcome<AccountRealm> {
        let found = self.accounts.core.store.application(auth, app).await?;
        found.map(|row| AccountRealm::Application(row.id)).ok_or_else(|| Problem::not_found("application"))
    }

    async fn load<A: Action>(&self, auth: &Authorized<A>, whom: Whom, entry: &mut Entry) -> Outcome<StoredAccount> {
        let (realm, id) = of(whom);
        self.accounts.load(auth, realm, id, entry).await
    }
}

/// The end users of a deleted application are erased with it, so the realm needs no look of its own.
fn of((app, id): Whom) -> (AccountRealm, AccountId) {
    (AccountRealm::Application(app), id)
}

/// An end user as they are listed.
fn show(row: &StoredAccount, profile: Profile) -> EndUser {
    EndUser {
        id: row.id.uuid(),
        application_id: row.realm.application().map(|id| id.uuid()).unwrap_or_default(),
        email: profile.email,
        email_verified: row.is_email_verified,
        display_name: profile.display_name,
        first_name: profile.first_name,
        last_name: profile.last_name,
        phone_number: profile.phone,
        phone_number_verified: false,
        profile_picture_url: profile.picture,
        metadata: profile.metadata,
        is_blocked: matches!(row.state, State::Blocked | State::Deleted),
        blocked_reason: profile.blocked_reason,
        blocked_at: row.blocked_at.map(Into::into),
        is_locked_out: false,
        mfa_enabled: row.has_second_factor,
        last_login_at: row.last_login_at.map(Into::into),
        last_ip_address: None,
        login_count: u64::try_from(row.login_count).unwrap_or_default(),
        created_at: row.created_at.into(),
        updated_at: row.updated_at.into(),
        roles: None,
        connections: None,
    }
}
