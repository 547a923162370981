//! What the protocol tells applications about people, and what it asks of their sessions.

use api::oauth::UserInfo;
use domain::identity::account::Profile;
use domain::identity::oauth_scope::{EMAIL, OauthScope, PHONE, PROFILE};
use domain::ids::AccountId;
use store::accounts::StoredAccount;

use super::refusal::{Answered, Refused};
use super::site::Site;
use super::{Oidc, on_behalf};
use crate::keyring::cells::Cell;
use crate::problem::Problem;

/// A person as applications are told of them.
pub struct Person {
    /// The row.
    pub row: StoredAccount,
    /// What stands in it, opened.
    pub profile: Profile,
    /// The names of their roles.
    pub roles: Vec<String>,
}

impl Oidc {
    /// A person who is there.
    pub(super) async fn person(&self, site: &Site, id: AccountId) -> Answered<Person> {
        let auth = on_behalf(site.tenant());
        let row = self.core.store.account(&auth, id).await?.ok_or_else(|| Refused::grant("the person is gone"))?;
        let cell = Cell { table: "account", row: row.id.as_bytes(), column: "profile", version: 0 };
        let profile = serde_json::from_slice(site.ctx.keys.cells.open(cell, &row.profile)?.expose())?;
        let roles = self.roles(site, &row).await?;
        Ok(Person { row, profile, roles })
    }

    /// The names of a person's roles: those they were given, and for the tenant's own people what they are there.
    async fn roles(&self, site: &Site, row: &StoredAccount) -> Answered<Vec<String>> {
        let given = self.core.store.roles_of(&on_behalf(site.tenant()), row.id).await?;
        let mut roles: Vec<String> = given.into_iter().map(|assignment| assignment.name).collect();
        roles.extend(row.role.map(|role| role.as_str().to_owned()));
        roles.sort();
        roles.dedup();
        Ok(roles)
    }
}

impl Person {
    /// What the scopes let an application know.
    pub fn info(&self, scope: &OauthScope) -> UserInfo {
        let profile = |value: &Option<String>| value.clone().filter(|_| scope.has(PROFILE));
        UserInfo {
            sub: self.row.id.to_string(),
            name: scope.has(PROFILE).then(|| self.profile.display_name.clone()),
            given_name: profile(&self.profile.first_name),
            family_name: profile(&self.profile.last_name),
            picture: profile(&self.profile.picture),
            email: scope.has(EMAIL).then(|| self.profile.email.clone()),
            email_verified: scope.has(EMAIL).then_some(self.row.is_email_verified),
            phone_number: self.profile.phone.clone().filter(|_| scope.has(PHONE)),
            role: self.roles.clone(),
        }
    }
}

impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        Problem::internal("writing claims", error).into()
    }
}
