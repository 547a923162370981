//! New passwords: in one form of Unicode, and refused when they are guessed first or leaked, whoever chooses them.

use std::io;

use api::secret::SecretText;
use domain::identity::password_policy::{BadPassword, Chosen, check, normal};
use domain::ids::AccountId;
use zxcvbn::zxcvbn;

use super::Accounts;
use crate::breach_list::BreachList;
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
        match self.judged(&text, chosen, known_of_them).await? {
            Ok(()) => self.password_record(ctx, id, &text).await.map(Ok),
            Err(bad) => Ok(Err(bad)),
        }
    }

    /// Whether a password is taken. Estimating takes its time and the operator's list reads the disk: neither holds up what others wait for.
    async fn judged(
        &self,
        text: &SecretText,
        chosen: Chosen,
        known_of_them: &[&str],
    ) -> Outcome<Result<(), BadPassword>> {
        let (text, list) = (SecretText::copy_from(text.expose()), self.breaches.clone());
        let known: Vec<String> = known_of_them.iter().map(|&known| known.to_owned()).collect();
        let judge = move || judge(text.expose(), chosen, &known, list.as_deref());
        let judged = tokio::task::spawn_blocking(judge).await;
        let judged = judged.map_err(|error| Problem::internal("judging a password", error))?;
        judged.map_err(|error| Problem::internal("reading the list of leaked passwords", error))
    }
}

/// A list that cannot be read any more lets nobody choose a password.
fn judge(
    text: &str,
    chosen: Chosen,
    known_of_them: &[String],
    list: Option<&BreachList>,
) -> io::Result<Result<(), BadPassword>> {
    let known: Vec<&str> = known_of_them.iter().map(String::as_str).collect();
    let is_guessable = |text: &str| u8::from(zxcvbn(text, &known).score()) < chosen.least_score();
    if let Err(bad) = check(text, chosen, is_guessable) {
        return Ok(Err(bad));
    }
    let is_leaked = list.map_or(Ok(false), |list| list.has(text))?;
    Ok(if is_leaked { Err(BadPassword::Leaked) } else { Ok(()) })
}

impl From<BadPassword> for Problem {
    fn from(bad: BadPassword) -> Self {
        Self::invalid(format!("password {bad}."))
    }
}
