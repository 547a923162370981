//! What end users and the tenant's own people have in common: sealed profiles, addresses looked up by keyed hash, passwords,
//! letters, sessions and history.

pub mod history;
pub mod letters;
mod passwords;
pub mod sealed;

use std::sync::Arc;

use api::error::ErrorCode;
use crypto::random::Random as _;
use domain::authz::{Action, Authorized};
use domain::identity::account::{AccountRealm, Email, Profile, State};
use domain::identity::grant::Ended;
use domain::ids::AccountId;
use domain::time::Timestamp;
use store::Stmt;
use store::account_history::end_everything_of;
use store::accounts::{StoredAccount, update_account};

use super::Core;
use super::password_pool::Passwords;
use super::tenants::bytes;
use crate::breach_list::BreachList;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// People, whosever they are.
pub struct Accounts {
    /// What every service is made of.
    pub core: Core,
    /// Stretches passwords, few at a time.
    pub passwords: Arc<Passwords>,
    /// Passwords that leaked, if the operator has a list of them.
    breaches: Option<Arc<BreachList>>,
    portal_origin: String,
}

impl Accounts {
    /// Over the store. Letters lead to the portal's pages.
    pub fn new(core: Core, portal_origin: &str, passwords: Arc<Passwords>, breaches: Option<Arc<BreachList>>) -> Self {
        Self { core, passwords, breaches, portal_origin: portal_origin.to_owned() }
    }

    /// Somebody of a realm. Those of other realms are not there.
    pub async fn load<A: Action>(
        &self,
        auth: &Authorized<A>,
        realm: AccountRealm,
        id: AccountId,
        entry: &mut Entry,
    ) -> Outcome<StoredAccount> {
        let row = self.core.store.account(auth, id).await?.filter(|row| row.realm == realm);
        let row = row.ok_or_else(|| Problem::new(ErrorCode::NotFound, "There is no such user."))?;
        // Names and addresses stay out of the trail: they are sealed, and it is not.
        entry.resource_id(row.id);
        Ok(row)
    }

    /// Somebody new, without a password, and with the profile sealed.
    pub fn new_row(&self, ctx: &Ctx, realm: AccountRealm, email: &Email, profile: &Profile) -> Outcome<StoredAccount> {
        profile.check().map_err(|bad| Problem::invalid(format!("{bad}.")))?;
        let id = AccountId::from_random(bytes(&*self.core.entropy));
        Ok(StoredAccount {
            id,
            realm,
            email: sealed::email_hash(ctx, realm, email),
            is_email_verified: false,
            state: State::Active,
            role: None,
            profile: sealed::seal(ctx, id, profile, &*self.core.entropy)?,
            has_password: false,
            must_change_password: false,
            has_second_factor: false,
            tokens_not_before: Timestamp::from_millis(0),
            grants_not_before: Timestamp::from_millis(0),
            login_count: 0,
            last_login_at: None,
            blocked_at: None,
            revision: 1,
            created_at: ctx.now(),
            updated_at: ctx.now(),
        })
    }

    /// Puts a changed profile into the row.
    pub fn reseal(&self, ctx: &Ctx, row: &mut StoredAccount, profile: &Profile) -> Outcome<()> {
        profile.check().map_err(|bad| Problem::invalid(format!("{bad}.")))?;
        row.profile = sealed::seal(ctx, row.id, profile, &*self.core.entropy)?;
        row.updated_at = ctx.now();
        Ok(())
    }

    /// Shuts somebody out: the row as it becomes, and what ends with it.
    pub fn shut_out<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        row: &mut StoredAccount,
        reason: Option<String>,
    ) -> Outcome<Vec<Stmt>> {
        row.state = row.state.blocked().map_err(|refused| Problem::new(ErrorCode::Conflict, format!("{refused}.")))?;
        let mut profile = sealed::open(ctx, row)?;
        profile.blocked_reason = reason;
        self.reseal(ctx, row, &profile)?;
        row.blocked_at = Some(row.blocked_at.unwrap_or(ctx.now()));
        Ok(self.cut_off(ctx, auth, row, Ended::Blocked))
    }

    /// Ends everything that somebody was given so far.
    pub fn cut_off<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        row: &mut StoredAccount,
        why: Ended,
    ) -> Vec<Stmt> {
        row.tokens_not_before = ctx.now();
        row.grants_not_before = ctx.now();
        end_everything_of(auth, row.id, why, ctx.now())
    }

    /// Marks somebody as gone: nobody signs in as them, and their address is free for somebody else.
    pub fn remove<A: Action>(&self, ctx: &Ctx, auth: &Authorized<A>, row: &mut StoredAccount) -> Outcome<Vec<Stmt>> {
        if row.state == State::Deleted {
            return Ok(Vec::new());
        }
        let follow = self.shut_out(ctx, auth, row, Some("Deleted".to_owned()))?;
        row.state = State::Deleted;
        self.core.entropy.fill(&mut row.email);
        Ok(follow)
    }

    /// Lets somebody in again, under their address if nobody else has it by now.
    pub fn let_in(&self, ctx: &Ctx, row: &mut StoredAccount) -> Outcome<()> {
        let mut profile = sealed::open(ctx, row)?;
        let email = Email::parse(&profile.email).map_err(|_| Problem::internal("reading a profile", "its address"))?;
        profile.blocked_reason = None;
        self.reseal(ctx, row, &profile)?;
        row.state = row.state.unblocked(row.has_password || row.login_count > 0 || row.realm != AccountRealm::Tenant);
        row.email = sealed::email_hash(ctx, row.realm, &email);
        row.blocked_at = None;
        Ok(())
    }

    /// One transaction over a changed row: the row, what follows, and the event.
    pub async fn save<A: Action>(
        &self,
        ctx: &Ctx,
        name: &'static str,
        auth: &Authorized<A>,
        row: &StoredAccount,
        follow: Vec<Stmt>,
        entry: &mut Entry,
    ) -> Outcome<()> {
        self.commit(ctx, name, vec![update_account(auth, row)], follow, entry).await
    }

    /// One transaction: what must touch one row each, what follows, and the event.
    pub async fn commit(
        &self,
        ctx: &Ctx,
        name: &'static str,
        exact: Vec<Stmt>,
        follow: Vec<Stmt>,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change_with(name, ctx.tenant(), exact, follow, event).await?;
        entry.committed();
        Ok(())
    }
}

/// An address, or what is wrong with it.
pub fn email(text: &str) -> Outcome<Email> {
    Email::parse(text).map_err(|bad| Problem::invalid(format!("email {bad}.")))
}
