//! The token endpoint: one file for each thing that it takes.

mod authorization_code;
mod client_credentials;
mod device_code;
mod refresh_token;
mod token_exchange;

use api::oauth::TokenAnswer;
use domain::identity::application::GrantType;
use domain::identity::oauth_scope::OauthScope;
use domain::identity::parameters::Parameters;
use domain::ids::AccountId;
use store::grants::StoredGrant;

use super::Oidc;
use super::client_auth::{Proved, Shown};
use super::federated;
use super::people::Person;
use super::refusal::{Answered, OauthCode, Refused};
use super::site::Site;
use super::tokens::{About, Issued};
use crate::credentials::Credentials;
use crate::trail::{Entry, Scene};

pub use authorization_code::CodeTerms;

/// A question to the token endpoint whose asker is known.
pub(super) struct Asked<'a> {
    site: &'a Site,
    proved: &'a Proved,
    form: &'a Parameters,
}

impl Oidc {
    /// Answers the token endpoint.
    pub async fn token(&self, site: &Site, shown: &Shown<'_>, credentials: &Credentials) -> Answered<TokenAnswer> {
        if federated::names_trust(shown.form) {
            return self.federated(site, shown.form, credentials).await;
        }
        let mut entry = Entry::new("TokenIssued", "identity", "Token");
        let (client_id, result) = match self.prove(site, shown, credentials).await {
            Ok(proved) => {
                let asked = Asked { site, proved: &proved, form: shown.form };
                (proved.client.id().to_owned(), self.granted(&asked, &mut entry).await)
            }
            Err(refused) => (String::new(), Err(refused)),
        };
        self.conclude(Scene::application(&site.ctx, &client_id), entry, result).await
    }

    async fn granted(&self, asked: &Asked<'_>, entry: &mut Entry) -> Answered<TokenAnswer> {
        let grant = asked.form.get("grant_type").ok_or_else(|| Refused::invalid("grant_type is missing."))?;
        // Names of grants are exact.
        let grant =
            GrantType::ALL.iter().copied().find(|known| known.as_str() == grant).ok_or_else(|| {
                Refused::new(OauthCode::UnsupportedGrantType, "There is no such grant, or not any more.")
            })?;
        asked.proved.client.must_have(grant)?;
        match grant {
            GrantType::ClientCredentials => self.client_credentials(asked, entry).await,
            GrantType::AuthorizationCode => self.authorization_code(asked, entry).await,
            GrantType::RefreshToken => self.refresh_token(asked, entry).await,
            GrantType::DeviceCode => self.device_code(asked, entry).await,
            GrantType::TokenExchange => self.token_exchange(asked, entry).await,
            GrantType::JwtBearer => self.jwt_bearer(asked).await,
        }
    }

    /// An assertion of another issuer. No trust that could vouch for it is known here.
    async fn jwt_bearer(&self, asked: &Asked<'_>) -> Answered<TokenAnswer> {
        asked.form.get("assertion").ok_or_else(|| Refused::invalid("assertion is missing."))?;
        Err(Refused::grant("no trust vouches for the assertion"))
    }

    /// The tokens of a grant on somebody's behalf, all but a refresh token.
    async fn tokens_of(
        &self,
        asked: &Asked<'_>,
        grant: &StoredGrant,
        person: &Person,
        scope: &OauthScope,
        resources: &[String],
    ) -> Answered<Issued> {
        let (site, client) = (asked.site, &asked.proved.client);
        let target = self.target(site, client, resources, scope)?;
        let about = About {
            subject: person.row.id.to_string(),
            account: Some(person.row.id),
            grant: Some((grant.id, &grant.terms)),
            roles: person.roles.clone(),
            thumbprint: asked.proved.thumbprint.clone(),
            ..About::default()
        };
        let mut issued = self.access_token(site, client, target, about).await?;
        let mut terms = grant.terms.clone();
        terms.scope = scope.clone();
        issued.answer.id_token = self.id_token(site, client, &terms, person, &issued).await?;
        Ok(issued)
    }
}

impl Asked<'_> {
    /// The scope that is asked for; absent when none is named.
    fn scope(&self) -> Answered<Option<OauthScope>> {
        let read = self.form.get("scope").map(OauthScope::parse).transpose();
        read.map_err(|bad| Refused::new(OauthCode::InvalidScope, format!("{bad}.")))
    }

    /// The APIs that are named, each once.
    fn resources(&self) -> Vec<String> {
        let mut named: Vec<String> = Vec::new();
        for name in self.form.all("resource") {
            if !named.iter().any(|known| known == name) {
                named.push(name.to_owned());
            }
        }
        named
    }

    /// The part of what was granted that is asked for. Less may be asked for, never more, and nothing that was taken from the application since.
    fn narrowed(&self, granted: &OauthScope, resources: &[String]) -> Answered<(OauthScope, Vec<String>)> {
        let allowed = &self.proved.client.row.settings.allowed_scopes;
        let granted = granted.among(|word| allowed.iter().any(|known| known == word));
        let scope = self.scope()?.unwrap_or_else(|| granted.clone());
        if !granted.covers(&scope) {
            return Err(Refused::new(OauthCode::InvalidScope, "More is asked for than was granted."));
        }
        let named = self.resources();
        if named.is_empty() {
            return Ok((scope, self.left_of(resources)?));
        }
        if !named.iter().all(|name| resources.contains(name)) {
            return Err(Refused::new(OauthCode::InvalidTarget, "This resource was not granted."));
        }
        Ok((scope, named))
    }
}

impl Asked<'_> {
    /// Of the APIs that were granted those that the application may call still: what was taken from it is left out, as scopes are. Where
    /// nothing is left, nothing comes in its place.
    fn left_of(&self, resources: &[String]) -> Answered<Vec<String>> {
        let may = |name: &&String| self.proved.client.may_reach(self.site, name);
        let left: Vec<String> = resources.iter().filter(may).cloned().collect();
        if left.is_empty() && !resources.is_empty() {
            return Err(Refused::grant("the application may call none of its APIs any more"));
        }
        Ok(left)
    }
}

fn person_of(grant: &StoredGrant) -> Answered<AccountId> {
    grant.account.ok_or_else(|| Refused::grant("the grant is nobody's"))
}
