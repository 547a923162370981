//! What the links of letters do: an invitation is accepted, an address verified, a password set anew.
//!
//! A code is spent in the transaction of what it allows. One that is unknown, spent, withdrawn or too old is one answer, and whoever asks for
//! a letter is told the same whether somebody has the address or not, before anything is looked up.

use std::sync::Arc;
use std::time::Duration;

use api::secret::SecretText;
use crypto::random::Random as _;
use domain::identity::account::{AccountRealm, Email, State};
use domain::identity::grant::Ended;
use domain::identity::password_policy::{BadPassword, Chosen};
use store::account_codes::spend_code;
use store::accounts::{StoredAccount, update_account};

use super::{People, on_behalf};
use crate::app::accounts::letters::Purpose;
use crate::app::accounts::sealed;
use crate::app::oidc::Site;
use crate::problem::Outcome;
use crate::trail::Entry;

/// A letter is written at some moment within this time. Written at once, it would slow down what its asker asks for next, and so tell
/// that somebody has the address.
const LETTER_WITHIN_MS: u16 = 2_000;
/// The longest text that can be a code.
const CODE_MAX: usize = 64;

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// It did what it is for.
    Yes,
    /// It does not work, or not any more.
    Over,
    /// It works, and the password that came with it is not taken.
    Bad(BadPassword),
}

impl People {
    /// Whether a code of a letter works now.
    pub async fn works(&self, site: &Site, purpose: Purpose, code: &str) -> Outcome<bool> {
        Ok(self.owner(site, purpose, code).await?.is_some())
    }

    /// The owner of a code, if what it is for can be done.
    async fn owner(&self, site: &Site, purpose: Purpose, code: &str) -> Outcome<Option<StoredAccount>> {
        if code.len() > CODE_MAX {
            return Ok(None);
        }
        let (auth, store) = (on_behalf(site.tenant()), &self.accounts.core.store);
        let hash = code_hash(site, code);
        let Some((id, _)) = store.owner_of_code(&auth, &hash, purpose.as_str(), site.ctx.now()).await? else {
            return Ok(None);
        };
        let awaited = if purpose == Purpose::Invitation { State::Invited } else { State::Active };
        Ok(store.account(&auth, id).await?.filter(|row| row.state == awaited))
    }

    /// Lets somebody in who was invited, with the password they chose.
    pub async fn accept(&self, site: &Site, code: &str, password: &SecretText) -> Outcome<Redeemed> {
        let mut entry = Entry::new("InvitationAccepted", "identity", "Account");
        let result = self.set_password_by(site, Purpose::Invitation, code, password, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    /// Sets a password anew. Everything that was given to whoever knew the old one ends.
    pub async fn reset(&self, site: &Site, code: &str, password: &SecretText) -> Outcome<Redeemed> {
        let mut entry = Entry::new("PasswordReset", "identity", "Account");
        let result = self.set_password_by(site, Purpose::Reset, code, password, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    async fn set_password_by(
        &self,
        site: &Site,
        purpose: Purpose,
        code: &str,
        password: &SecretText,
        entry: &mut Entry,
    ) -> Outcome<Redeemed> {
        let Some(mut row) = self.owner(site, purpose, code).await? else { return Ok(over(entry)) };
        entry.resource_id(row.id);
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let profile = sealed::open(&site.ctx, &row)?;
        let chosen = if row.has_second_factor { Chosen::BesideSecondFactor } else { Chosen::Alone };
        let known = [profile.email.as_str(), profile.display_name.as_str()];
        let set = match self.new_password(site, row.id, password, chosen, &known).await? {
            Ok(set) => set,
            Err(bad) => {
                entry.note("the new password is not taken");
                return Ok(Redeemed::Bad(bad));
            }
        };
        // Whoever reads the letter has the address.
        row.is_email_verified = true;
        row.state = State::Active;
        row.updated_at = now;
        let mut follow = self.accounts.cut_off(&site.ctx, &auth, &mut row, Ended::PasswordReset);
        follow.push(self.forgive_all(site, row.id));
        follow.push(self.login(site, row.id, "PasswordReset", None)?);
        let spend = spend_code(&auth, &code_hash(site, code), purpose.as_str(), now);
        let exact = vec![spend, update_account(&auth, &row), set];
        if purpose == Purpose::Reset {
            follow.push(self.notice(site, &profile, "Your password was changed")?);
        }
        self.redeem(site, "set a password by a code", exact, follow, entry).await
    }

    /// Writes down that an address is whose it is said to be.
    pub async fn verify(&self, site: &Site, code: &str) -> Outcome<Redeemed> {
        let mut entry = Entry::new("EmailVerified", "identity", "Account");
        let result = self.verify_now(site, code, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    async fn verify_now(&self, site: &Site, code: &str, entry: &mut Entry) -> Outcome<Redeemed> {
        let Some(mut row) = self.owner(site, Purpose::Verification, code).await? else { return Ok(over(entry)) };
        entry.resource_id(row.id);
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        row.is_email_verified = true;
        row.updated_at = now;
        let spend = spend_code(&auth, &code_hash(site, code), Purpose::Verification.as_str(), now);
        self.redeem(site, "verify an address", vec![spend, update_account(&auth, &row)], Vec::new(), entry).await
    }

    /// One transaction, or the code was spent by somebody else meanwhile.
    async fn redeem(
        &self,
        site: &Site,
        name: &'static str,
        exact: Vec<store::Stmt>,
        follow: Vec<store::Stmt>,
        entry: &mut Entry,
    ) -> Outcome<Redeemed> {
        match self.accounts.commit(&site.ctx, name, exact, follow, entry).await {
            Ok(()) => Ok(Redeemed::Yes),
            Err(problem) if problem.code == api::error::ErrorCode::Conflict => Ok(over(entry)),
            Err(problem) => Err(problem),
        }
    }

    /// Sends whoever has an address a letter by which they set a new password. It is done later: the answer waits for nothing.
    pub fn send_reset(self: &Arc<Self>, site: &Site, realm: AccountRealm, email: &str) {
        let Ok(email) = Email::parse(email) else { return };
        let (people, site) = (Arc::clone(self), site.clone());
        tokio::spawn(async move {
            tokio::time::sleep(people.letter_pause()).await;
            let mut entry = Entry::new("PasswordResetAsked", "identity", "Account");
            let result = people.send_reset_now(&site, realm, &email, &mut entry).await;
            if let Err(problem) = people.accounts.core.trail.conclude(&site.ctx, entry, result).await {
                tracing::warn!(error.cause = ?problem.cause, "a letter was not written: {}", problem.message);
            }
        });
    }

    fn letter_pause(&self) -> Duration {
        let mut random = [0; 2];
        self.accounts.core.entropy.fill(&mut random);
        Duration::from_millis((u16::from_le_bytes(random) % LETTER_WITHIN_MS).into())
    }

    async fn send_reset_now(&self, site: &Site, realm: AccountRealm, email: &Email, entry: &mut Entry) -> Outcome<()> {
        let (auth, store) = (on_behalf(site.tenant()), &self.accounts.core.store);
        let hash = sealed::email_hash(&site.ctx, realm, email);
        let subject = site.ctx.keyring.root.token_hash("throttle-letters", &hash);
        if self.attempt(site, subject).await?.is_err() {
            entry.note("asked too often");
            return Ok(());
        }
        let row = store.account_by_email(&auth, realm, &hash).await?.filter(|row| row.state == State::Active);
        let mut follow = Vec::new();
        match row {
            Some(row) => {
                entry.resource_id(row.id);
                let profile = sealed::open(&site.ctx, &row)?;
                follow.extend(self.accounts.letter(&site.ctx, &auth, row.id, &profile, Purpose::Reset).await?);
            }
            None => {
                entry.note("nobody has the address");
            }
        }
        self.accounts.commit(&site.ctx, "send a reset", Vec::new(), follow, entry).await
    }
}

/// The hash by which a code of a letter is found.
pub(super) fn code_hash(site: &Site, code: &str) -> [u8; 32] {
    site.ctx.keyring.root.token_hash("account-code", code.as_bytes())
}

fn over(entry: &mut Entry) -> Redeemed {
    entry.note("the code does not work, or not any more");
    Redeemed::Over
}
