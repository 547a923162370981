//! Passwords of people: in one form of Unicode, refused when they are guessed first, stretched few at a time.

use std::sync::Arc;

use api::secret::SecretText;
use domain::identity::password_policy::{BadPassword, Beside, check, normal};
use domain::ids::AccountId;
use store::Stmt;
use store::accounts::set_password;
use zxcvbn::{Score, zxcvbn};

use super::{People, on_behalf};
use crate::app::oidc::Site;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};

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
        beside: Beside,
        known_of_them: &[&str],
    ) -> Outcome<Result<Stmt, BadPassword>> {
        let Some(text) = normal(password.expose()) else { return Ok(Err(BadPassword::Long)) };
        let is_guessable = |text: &str| zxcvbn(text, known_of_them).score() < Score::Three;
        if let Err(bad) = check(&text, beside, is_guessable) {
            return Ok(Err(bad));
        }
        if self.is_leaked(&text).await? {
            return Ok(Err(BadPassword::Leaked));
        }
        let record = self.accounts.password_record(&site.ctx, id, &SecretText::new(text)).await?;
        Ok(Ok(set_password(&on_behalf(site.tenant()), id, &record, false, site.ctx.now())))
    }
}

impl People {
    /// Whether the operator's list has a password. A list that cannot be read any more lets nobody choose one.
    async fn is_leaked(&self, text: &str) -> Outcome<bool> {
        let Some(list) = &self.breaches else { return Ok(false) };
        let (list, text) = (Arc::clone(list), SecretText::copy_from(text));
        let looked = tokio::task::spawn_blocking(move || list.has(text.expose())).await;
        let looked = looked.map_err(|error| Problem::internal("looking for a leaked password", error))?;
        looked.map_err(|error| Problem::internal("reading the list of leaked passwords", error))
    }
}

impl From<BadPassword> for Problem {
    fn from(bad: BadPassword) -> Self {
        Self::invalid(format!("password {bad}."))
    }
}
