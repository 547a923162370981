//! Passwords as people show them and change them.

use api::secret::SecretText;
use domain::identity::password_policy::{BadPassword, Chosen, normal};
use domain::ids::AccountId;
use store::Stmt;
use store::accounts::set_password;

use super::{People, on_behalf};
use crate::app::oidc::Site;
use crate::keyring::cells::Cell;
use crate::problem::Outcome;

impl People {
    /// Whether a text is the password of an account; without an account, or without a password, it is not, after the same work.
    pub(super) async fn is_password(
        &self,
        site: &Site,
        account: Option<AccountId>,
        password: &SecretText,
    ) -> Outcome<bool> {
        let sealed = match account {
            Some(id) => {
                self.accounts.core.store.password_of(&on_behalf(site.tenant()), id).await?.map(|record| (id, record))
            }
            None => None,
        };
        let text = normal(password.expose()).map(SecretText::new);
        let (Some((id, sealed)), Some(text)) = (sealed, text) else {
            self.accounts.passwords.refuse(password).await?;
            return Ok(false);
        };
        let cell = Cell { table: "account", row: id.as_bytes(), column: "password", version: 0 };
        let record = site.ctx.keys.cells.open(cell, &sealed)?;
        self.accounts.passwords.matches(&text, &record).await
    }

    /// The statement that gives somebody a new password, if it is taken.
    pub(super) async fn new_password(
        &self,
        site: &Site,
        id: AccountId,
        password: &SecretText,
        chosen: Chosen,
        known_of_them: &[&str],
    ) -> Outcome<Result<Stmt, BadPassword>> {
        let record = self.accounts.new_password(&site.ctx, id, password, chosen, known_of_them).await?;
        Ok(record.map(|record| set_password(&on_behalf(site.tenant()), id, &record, false, site.ctx.now())))
    }
}
