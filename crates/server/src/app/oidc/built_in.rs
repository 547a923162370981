//! The application of the command line: one in every tenant, for the tenant's own people, made when it is first needed.

use std::sync::Arc;

use domain::authz::{Authorized, WriteApplications, on_behalf_of_the_platform};
use domain::identity::application::{Environment, GrantType, Kind, Settings, State};
use domain::identity::oauth_scope::ABOUT_PEOPLE;
use domain::ids::ApplicationId;
use domain::scope::{Scope, Scopes};
use domain::time::Timestamp;
use store::applications::{StoredApplication, insert_application};

use super::Oidc;
use super::clients::Client;
use super::refusal::{Answered, Refused};
use super::site::Site;
use crate::app::applications::BUILT_IN;
use crate::app::tenants::bytes;
use crate::problem::Problem;
use crate::trail::Entry;

impl Oidc {
    /// The application of the command line.
    pub(super) async fn built_in(&self, site: &Site) -> Answered<Arc<Client>> {
        let client = self.client(site, BUILT_IN).await?;
        client.ok_or_else(|| Refused::from(Problem::internal("signing in", "the built-in application is missing")))
    }

    /// Makes it. Whoever made it at the same time made the same.
    pub(super) async fn make_built_in(&self, site: &Site) -> Answered<()> {
        let row = row(ApplicationId::from_random(bytes(&*self.core.entropy)), site.ctx.now());
        let auth: Authorized<WriteApplications> = on_behalf_of_the_platform(site.tenant());
        let mut entry = Entry::new("ApplicationCreated", "identity", "Application");
        entry.resource(row.id, &row.name);
        let event = self.core.trail.event(&site.ctx, &entry)?;
        let statement = insert_application(&auth, &row)?;
        match self.core.change("make the built-in application", site.tenant(), vec![statement], event).await {
            Err(problem) if problem.code != api::error::ErrorCode::Conflict => Err(problem.into()),
            _ => Ok(()),
        }
    }
}

fn row(id: ApplicationId, now: Timestamp) -> StoredApplication {
    let all = Scopes::of(&[Scope::Admin]);
    let scopes: Vec<String> = readable(all).iter().map(|scope| scope.as_str().to_owned()).collect();
    let mut settings = Settings::of_kind(Kind::NativeApp);
    settings.redirect_uris = vec!["http://127.0.0.1/callback".to_owned(), "http://[::1]/callback".to_owned()];
    settings.grant_types = vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];
    settings.allowed_scopes = ABOUT_PEOPLE.iter().map(|word| (*word).to_owned()).chain(scopes.clone()).collect();
    settings.platform_scopes = scopes;
    StoredApplication {
        id,
        client_id: BUILT_IN.to_owned(),
        name: "qapi command line".to_owned(),
        kind: Kind::NativeApp,
        environment: Environment::Production,
        state: State::Active,
        settings,
        tokens_not_before: Timestamp::from_millis(0),
        grants_not_before: Timestamp::from_millis(0),
        revision: 1,
        created_at: now,
        updated_at: now,
    }
}

/// Every scope of a tenant that `held` allows.
fn readable(held: Scopes) -> Vec<Scope> {
    Scope::ALL.iter().copied().filter(|scope| held.allows(*scope)).collect()
}
