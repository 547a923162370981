//! Applications: registered, shown, changed, deleted; their secrets and API keys.
//!
//! Whoever changes an application, or is shown a credential of it, could act as the application does. So nobody does who lacks
//! what its own tokens may do at this platform; nor do they end what it has.
//!
//! Which of the tenant's own APIs an application calls, and which it is, whoever registers applications says: they are trusted with all
//! of these. No application is this platform's API.

mod keys;
mod logouts;
pub mod secrets;
mod shown;
pub mod standing_in;
pub mod wanted;

use std::sync::Arc;

use api::applications::{
    Application as Shown, ApplicationList, ApplicationPage, CreateApplication, CreatedApplication, ListApplications,
    UpdateApplication,
};
use api::error::ErrorCode;
use domain::authz::{Action, Authorized, ManageTokens, ReadApplications, WriteApplications, authorize};
use domain::identity::application::{Kind, Settings, State};
use domain::ids::ApplicationId;
use domain::time::Timestamp;
use store::Stmt;
use store::accounts::erase_realm;
use store::api_keys::{confine_api_keys_of, revoke_api_keys_of};
use store::applications::{
    StoredApplication, delete_application, insert_application, insert_application_secret, update_application,
};

use super::Core;
use super::api_keys::ApiKeys;
use super::change::{Revised, must_be_seen};
use super::oidc::bearer::is_this_platform;
use super::paging::Page;
use super::tenants::bytes;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// The application that the command line signs in with; the server makes it where it is missing.
pub const BUILT_IN: &str = "qapi-cli";

/// The applications of tenants.
pub struct Applications {
    core: Core,
    api_keys: Arc<ApiKeys>,
    origin: String,
}

/// An application and its revision.
pub type Tagged = Revised<Shown>;

fn entry(action: &'static str) -> Entry {
    Entry::new(action, "identity", "Application")
}

impl Applications {
    /// Over the store, at the address where the platform is.
    pub fn new(core: Core, api_keys: Arc<ApiKeys>, origin: &str) -> Self {
        Self { core, api_keys, origin: origin.to_owned() }
    }

    /// Registers an application and shows its secret.
    pub async fn create(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        request: CreateApplication,
    ) -> Outcome<CreatedApplication> {
        let mut entry = entry("ApplicationCreated");
        let result = self.create_now(ctx, auth, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn create_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        request: CreateApplication,
        entry: &mut Entry,
    ) -> Outcome<CreatedApplication> {
        let kind = wanted::word::<Kind>("applicationType", request.application_type.as_deref())?.unwrap_or(Kind::Spa);
        let empty = self.new_row(ctx, kind);
        let row = wanted::changed(&empty, request.into())?;
        self.permits(ctx, &empty, &row)?;
        entry.resource(row.id, &row.name);
        let mut statements = vec![insert_application(auth, &row)?];
        let secret = row.kind.is_confidential().then(|| secrets::new_secret(&self.core, ctx, row.id));
        let secret = secret.map(|(secret, text)| {
            statements.push(insert_application_secret(auth, &secret));
            text
        });
        self.commit(ctx, "create application", statements, Vec::new(), entry).await?;
        Ok(CreatedApplication::new(shown::show(&row), secret))
    }

    fn new_row(&self, ctx: &Ctx, kind: Kind) -> StoredApplication {
        let id = ApplicationId::from_random(bytes(&*self.core.entropy));
        StoredApplication {
            id,
            client_id: id.to_string(),
            name: String::new(),
            kind,
            environment: domain::identity::application::Environment::Development,
            state: State::Active,
            settings: Settings::of_kind(kind),
            tokens_not_before: Timestamp::from_millis(0),
            grants_not_before: Timestamp::from_millis(0),
            revision: 1,
            created_at: ctx.now(),
            updated_at: ctx.now(),
        }
    }

    /// One application.
    pub async fn get(&self, ctx: &Ctx, auth: &Authorized<ReadApplications>, id: ApplicationId) -> Outcome<Tagged> {
        let mut entry = entry("ApplicationRead");
        let result = self.load(auth, id, &mut entry).await.map(|row| tagged(&row, row.revision));
        self.core.trail.conclude(ctx, entry, result).await
    }

    /// All applications, or a page of them for whoever asks for one: oldest first.
    pub async fn list(
        &self,
        ctx: &Ctx,
        auth: &Authorized<ReadApplications>,
        query: &ListApplications,
    ) -> Outcome<ApplicationList> {
        let result = self.list_now(auth, query).await;
        self.core.trail.conclude(ctx, entry("ApplicationListed"), result).await
    }

    async fn list_now(
        &self,
        auth: &Authorized<ReadApplications>,
        query: &ListApplications,
    ) -> Outcome<ApplicationList> {
        if query.page.is_none() && query.page_size.is_none() {
            let rows = self.core.store.applications(auth, MOST_LISTED, 0).await?;
            return Ok(ApplicationList::All(rows.iter().map(shown::show).collect()));
        }
        let page = Page::parse(query.page, query.page_size)?;
        let total = self.core.store.count_applications(auth).await?;
        let rows = self.core.store.applications(auth, page.size, page.skipped()).await?;
        let has_more = u64::from(page.skipped()) + (rows.len() as u64) < total;
        let applications = rows.iter().map(shown::show).collect();
        Ok(ApplicationList::Page(ApplicationPage {
            applications,
            total,
            page: page.number,
            page_size: page.size,
            has_more,
        }))
    }

    /// Changes what is given, over the revision that the caller saw, if they say which.
    pub async fn update(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ApplicationId,
        seen: Option<i64>,
        request: UpdateApplication,
    ) -> Outcome<Tagged> {
        let mut entry = entry("ApplicationUpdated");
        let result = self.update_now(ctx, auth, id, seen, request, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn update_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ApplicationId,
        seen: Option<i64>,
        request: UpdateApplication,
        entry: &mut Entry,
    ) -> Outcome<Tagged> {
        let old = self.load(auth, id, entry).await?;
        must_be_seen(seen, old.revision)?;
        let mut row = wanted::changed(&old, request)?;
        self.permits(ctx, &old, &row)?;
        row.updated_at = ctx.now();
        entry.resource(row.id, &row.name);
        let (scopes, limits) = keys::columns(&row.settings)?;
        let follow = vec![confine_api_keys_of(auth, id, &scopes, &limits)];
        self.commit(ctx, "update application", vec![update_application(auth, &row)?], follow, entry).await?;
        Ok(tagged(&row, row.revision + 1))
    }

    /// Deletes an application, its API keys and its end users. Its row stays, so that the audit log can name it.
    pub async fn delete(&self, ctx: &Ctx, auth: &Authorized<WriteApplications>, id: ApplicationId) -> Outcome<()> {
        let mut entry = entry("ApplicationDeleted");
        let result = self.delete_now(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn delete_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ApplicationId,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let row = self.load(auth, id, entry).await?;
        covers(ctx, &row.settings)?;
        if row.client_id == BUILT_IN {
            return Err(Problem::new(ErrorCode::Conflict, "The application of the command line cannot be deleted."));
        }
        let mut follow = vec![revoke_api_keys_of(auth, id, ctx.now())];
        follow.extend(erase_realm(auth, id));
        self.commit(ctx, "delete application", vec![delete_application(auth, id, ctx.now())], follow, entry).await
    }

    /// Ends every token, grant and session of an application; what begins later lives.
    pub async fn revoke_tokens(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ApplicationId,
    ) -> Outcome<()> {
        let mut entry = entry("ApplicationTokensRevoked");
        let result = self.revoke_tokens_now(ctx, auth, id, &mut entry).await;
        self.core.trail.conclude(ctx, entry, result).await
    }

    async fn revoke_tokens_now(
        &self,
        ctx: &Ctx,
        auth: &Authorized<WriteApplications>,
        id: ApplicationId,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let mut row = self.load(auth, id, entry).await?;
        covers(ctx, &row.settings)?;
        row.tokens_not_before = ctx.now();
        row.grants_not_before = ctx.now();
        self.commit(ctx, "revoke application tokens", vec![update_application(auth, &row)?], Vec::new(), entry).await
    }

    /// Refuses what nobody or an administrator alone may choose, and whoever would give or get what they lack.
    fn permits(&self, ctx: &Ctx, old: &StoredApplication, new: &StoredApplication) -> Outcome<()> {
        if new.settings.serves.iter().any(|api| is_this_platform(&self.origin, api)) {
            return Err(Problem::invalid("serves names this platform's own API, which no application is."));
        }
        if old.settings.id_token_alg != new.settings.id_token_alg {
            authorize::<ManageTokens>(&ctx.principal)?;
        }
        may_equip(ctx, &old.settings)?;
        may_equip(ctx, &new.settings)
    }

    async fn load<A: Action>(
        &self,
        auth: &Authorized<A>,
        id: ApplicationId,
        entry: &mut Entry,
    ) -> Outcome<StoredApplication> {
        let row = self.core.store.application(auth, id).await?.ok_or_else(|| Problem::not_found("application"))?;
        entry.resource(row.id, &row.name);
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
        let event = self.core.trail.event(ctx, entry)?;
        self.core.change_with(name, ctx.tenant(), exact, follow, event).await?;
        entry.committed();
        Ok(())
    }
}

/// Applications in an answer without pages.
const MOST_LISTED: u32 = 5_000;

/// Whether the caller may do all that an application so set may do by itself.
fn covers(ctx: &Ctx, settings: &Settings) -> Outcome<()> {
    let (scopes, limits) = keys::granted(settings)?;
    let missing: Vec<&str> =
        scopes.iter().filter(|scope| !ctx.principal.scopes.allows(*scope)).map(|scope| scope.as_str()).collect();
    if !missing.is_empty() {
        let message =
            format!("The credential cannot act on an application whose scopes it lacks: {}.", missing.join(", "));
        return Err(Problem::new(ErrorCode::Forbidden, message).detail("missing_scopes", missing));
    }
    if scopes.is_empty() || (ctx.principal.limits.cover(&limits) && ctx.principal.limits.bind(&limits)) {
        return Ok(());
    }
    let message = "The credential cannot act on an application that reaches resources which it does not reach itself.";
    Err(Problem::new(ErrorCode::Forbidden, message).detail("exceeds", vec!["platformResources"]))
}

/// Whether the caller may choose what an application so set proves itself by. What it may do here it then does without them, for longer than
/// a credential that ends and from where one with networks does not work.
pub fn may_equip(ctx: &Ctx, settings: &Settings) -> Outcome<()> {
    covers(ctx, settings)?;
    if settings.platform_scopes.is_empty() { Ok(()) } else { ctx.must_be_unbounded() }
}

fn tagged(row: &StoredApplication, revision: i64) -> Tagged {
    Tagged { body: shown::show(row), revision }
}
