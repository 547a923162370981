//! Tokens of an application for itself. There is no person behind them: no ID token, no refresh token, and the subject is the application.

use api::oauth::TokenAnswer;
use domain::identity::oauth_scope::{ABOUT_PEOPLE, OauthScope};

use super::Asked;
use crate::app::oidc::Oidc;
use crate::app::oidc::refusal::{Answered, OauthCode, Refused};
use crate::app::oidc::tokens::About;
use crate::app::oidc::writing::Change;
use crate::trail::Entry;

impl Oidc {
    pub(super) async fn client_credentials(&self, asked: &Asked<'_>, entry: &mut Entry) -> Answered<TokenAnswer> {
        let (site, client) = (asked.site, &asked.proved.client);
        let is_own = |word: &str| !ABOUT_PEOPLE.contains(&word) && client.may_have(word);
        let settings = &client.row.settings;
        let every = || OauthScope::of(settings.allowed_scopes.iter().map(String::as_str)).among(is_own);
        let scope = asked.scope()?.unwrap_or_else(every);
        if !scope.words().all(is_own) {
            return Err(Refused::new(OauthCode::InvalidScope, "The application may not have one of these scopes."));
        }
        let target = self.target(site, client, &asked.resources(), &scope)?;
        let about =
            About { subject: client.id().to_owned(), thumbprint: asked.proved.thumbprint.clone(), ..About::default() };
        let issued = self.access_token(site, client, target, about).await?;
        entry.resource_id(&issued.claims.jti).note("client_credentials");
        if let Some(row) = issued.row {
            let event = self.event(site, client.id(), entry)?;
            self.write("issue an opaque token", site.tenant(), Change::of(vec![row]), event).await?;
            entry.committed();
        }
        Ok(issued.answer)
    }
}
