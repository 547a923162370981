//! New passwords: in one form of Unicode, and refused when they are guessed first or leaked, whoever chooses them.

use std::sync::Arc;

use api::secret::SecretText;
use domain::identity::password_policy::{BadPassword, Chosen, check, normal};
use domain::ids::AccountId;
use zxcvbn::zxcvbn;

use super::Accounts;
use crate::ctx::Ctx;
use crate::problem::{Outcome, Problem};

impl Accounts {
    /// The sealed record of a new password, if it is taken.
    pub async fn new_password(
        &self,
        ctx: &Ctx,
        id: AccountId,
        password: &SecretText,
        chosen: Chosen,
        known_of_them: &[&str],
    ) -> Outcome<Result<Vec<u8>, BadPassword>> {
        let Some(text) = normal(password.expose()).map(SecretText::new) else { return Ok(Err(BadPassword::Long)) };
        let is_guessable = |text: &str| u8::from(zxcvbn(text, known_of_them).score()) < chosen.least_score();
        if let Err(bad) = check(text.expose(), chosen, is_guessable) {
            return Ok(Err(bad));
        }
        if self.is_leaked(&text).await? {
            return Ok(Err(BadPassword::Leaked));
        }
        self.password_record(ctx, id, &text).await.map(Ok)
    }

    /// Whether the operator's list has a password. A list that cannot be read any more lets nobody choose one.
    async fn is_leaked(&self, text: &SecretText) -> Outcome<bool> {
        let Some(list) = &self.breaches else { return Ok(false) };
        let (list, text) = (Arc::clone(list), SecretText::copy_from(text.expose()));
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
