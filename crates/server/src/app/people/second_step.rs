//! The second half of signing in: the password was right, and something else is shown.
//!
//! What a browser carries from the first half to the second is a code that lasts ten minutes and five tries. Failures count for the
//! account too, whatever the device, so that whoever knows the password and begins anew is slowed down all the same.

use api::secret::SecretText;
use domain::api_key::bearer_text;
use domain::identity::account::{AccountRealm, State};
use domain::identity::authorization_request::Acr;
use domain::identity::grant::Ended;
use domain::identity::password_policy::{BadPassword, Chosen};
use domain::identity::session::LiveSession;
use domain::ids::AccountId;
use domain::time::MINUTE_MS;
use store::account_codes::spend_code;
use store::accounts::StoredAccount;
use store::letters::{NewCode, insert_code};
use store::sign_ins::forgive;

use super::attempts::second_subject;
use super::factors::{Enrolment, Proven, offer_to};
use super::sign_in::{Begun, Entering};
use super::{People, on_behalf};
use crate::app::accounts::sealed;
use crate::app::oidc::Site;
use crate::problem::Outcome;
use crate::trail::Entry;

/// What the code of the first half is for, as it is stored.
const HALF: &str = "second-factor";
const HALF_MS: i64 = 10 * MINUTE_MS;
const HALF_TRIES: i64 = 5;
const HALF_PREFIX: &str = "qml_";
const HALF_MAX: usize = 64;

/// What somebody shows after the password.
pub struct Second<'a> {
    /// The first half.
    pub half: &'a str,
    /// What they typed.
    pub code: &'a str,
    /// Whose people they have to be of.
    pub realm: AccountRealm,
    /// The password they choose instead, where they have to.
    pub new_password: Option<&'a SecretText>,
    /// The mark of their device.
    pub device: Option<&'a str>,
    /// How long their session may idle.
    pub idle_s: Option<u32>,
    /// Who is signed in with this browser already.
    pub session: Option<&'a LiveSession>,
}

/// How it ended.
pub enum Stepped {
    /// They are in.
    In {
        /// Their session.
        begun: Box<Begun>,
        /// The recovery codes of whoever set an authenticator up by it, shown once; empty for everybody else.
        recovery_codes: Vec<String>,
    },
    /// It is none of their second factors, or was used before.
    Wrong,
    /// Too many tries: not before so many seconds.
    Wait(u64),
    /// It is right, and they have to choose another password.
    MustChange(Option<BadPassword>),
    /// The first half is over: they begin anew.
    Over,
}

/// What somebody can be asked for.
pub enum Asked {
    /// A second factor that they have.
    Known {
        /// Whether they have to choose another password.
        must_change: bool,
    },
    /// They have none: this authenticator is set up now, or a code is sent to their address where that is verified.
    First {
        /// The authenticator.
        enrolment: Enrolment,
        /// Whether a code can be sent.
        has_mail: bool,
        /// Whether they have to choose another password.
        must_change: bool,
    },
}

impl People {
    /// What the browser carries to the second half.
    pub(super) async fn half(&self, site: &Site, account: AccountId, entry: &mut Entry) -> Outcome<String> {
        let text = bearer_text(HALF_PREFIX, &*self.accounts.core.entropy);
        let text = String::from_utf8_lossy(text.expose()).into_owned();
        let now = site.ctx.now();
        let code = NewCode {
            hash: half_hash(site, &text),
            account,
            purpose: HALF,
            created_at: now,
            expires_at: now.plus_millis(HALF_MS),
        };
        let insert = insert_code(&on_behalf(site.tenant()), &code);
        let mut accepted = Entry::new("PasswordAccepted", "identity", "Account");
        accepted.resource_id(account).note("a second factor is asked for");
        self.accounts.commit(&site.ctx, "begin a sign-in", vec![insert], Vec::new(), &mut accepted).await?;
        entry.committed();
        Ok(text)
    }

    /// Whose the first half is, while it lasts.
    async fn halved(&self, site: &Site, half: &str, realm: AccountRealm) -> Outcome<Option<StoredAccount>> {
        if half.len() > HALF_MAX {
            return Ok(None);
        }
        let (auth, store) = (on_behalf(site.tenant()), &self.accounts.core.store);
        let owner = store.owner_of_code(&auth, &half_hash(site, half), HALF, site.ctx.now()).await?;
        let Some((id, since)) = owner else { return Ok(None) };
        // A password that was changed meanwhile is not the one that was right.
        let stands = |row: &StoredAccount| {
            row.state == State::Active
                && row.realm == realm
                && since > row.tokens_not_before
                && since > row.grants_not_before
        };
        Ok(store.account(&auth, id).await?.filter(stands))
    }

    /// What to ask somebody for; none when the first half is over.
    pub async fn asked(&self, site: &Site, half: &str, realm: AccountRealm) -> Outcome<Option<Asked>> {
        let Some(account) = self.halved(site, half, realm).await? else { return Ok(None) };
        let must_change = account.must_change_password;
        if account.has_second_factor {
            return Ok(Some(Asked::Known { must_change }));
        }
        let profile = sealed::open(&site.ctx, &account)?;
        let enrolment = self.enrolment(site, account.id, offer_to(site, account.id, half.as_bytes()), &profile).await?;
        Ok(Some(Asked::First { enrolment, has_mail: account.is_email_verified, must_change }))
    }

    /// Sends somebody without a second factor a code, if their address is verified. Answers with whether it was sent.
    pub async fn send_code(&self, site: &Site, half: &str, realm: AccountRealm) -> Outcome<bool> {
        let mut entry = Entry::new("SignInCodeSent", "identity", "Account");
        let result = self.send_code_now(site, half, realm, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    async fn send_code_now(&self, site: &Site, half: &str, realm: AccountRealm, entry: &mut Entry) -> Outcome<bool> {
        let account = self.halved(site, half, realm).await?;
        let account = account.filter(|account| account.is_email_verified && !account.has_second_factor);
        let Some(account) = account else { return Ok(false) };
        entry.resource_id(account.id);
        // A letter costs a try, and those of all halves are counted too, so that nobody is sent more than a few.
        let auth = on_behalf(site.tenant());
        let hash = half_hash(site, half);
        let is_left = self.accounts.core.store.count_try(&auth, &hash, HALF_TRIES, site.ctx.now()).await?;
        if !is_left || self.attempt(site, letters_subject(site, account.id)).await?.is_err() {
            entry.note("too many tries");
            return Ok(false);
        }
        let profile = sealed::open(&site.ctx, &account)?;
        let follow = self.code_by_mail(site, account.id, &profile)?;
        self.accounts.commit(&site.ctx, "send a sign-in code", Vec::new(), follow, entry).await?;
        Ok(true)
    }

    /// Tries a second factor.
    pub async fn second_step(&self, site: &Site, shown: &Second<'_>) -> Outcome<Stepped> {
        let mut entry = Entry::new("SignedIn", "identity", "Account");
        let result = self.try_second_step(site, shown, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    async fn try_second_step(&self, site: &Site, shown: &Second<'_>, entry: &mut Entry) -> Outcome<Stepped> {
        let Some(account) = self.halved(site, shown.half, shown.realm).await? else { return Ok(Stepped::Over) };
        entry.resource_id(account.id);
        let attempt = match self.second_attempt(site, account.id).await? {
            Ok(attempt) => attempt,
            Err(seconds) => {
                entry.note("slowed down");
                return Ok(Stepped::Wait(seconds));
            }
        };
        let ended = self.step(site, shown, &account, entry).await;
        match &ended {
            Ok(Stepped::Wrong) => self.refuse_second(site, account.id, entry).await?,
            Ok(Stepped::In { .. }) => {}
            _ => self.give_back(site, &attempt).await?,
        }
        ended
    }

    async fn step(
        &self,
        site: &Site,
        shown: &Second<'_>,
        account: &StoredAccount,
        entry: &mut Entry,
    ) -> Outcome<Stepped> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let hash = half_hash(site, shown.half);
        if !self.accounts.core.store.count_try(&auth, &hash, HALF_TRIES, now).await? {
            entry.note("too many tries");
            return Ok(Stepped::Over);
        }
        let Some(mut proven) = self.proven_by(site, shown, account).await? else { return Ok(Stepped::Wrong) };
        let profile = sealed::open(&site.ctx, account)?;
        let mut exact = vec![spend_code(&auth, &hash, HALF, now)];
        exact.append(&mut proven.exact);
        if account.must_change_password {
            let Some(new) = shown.new_password else { return Ok(Stepped::MustChange(None)) };
            // A code by e-mail is asked for this once: the next time the password may be all that there is.
            let is_beside = account.has_second_factor || proven.is_first;
            let chosen = if is_beside { Chosen::BesideSecondFactor } else { Chosen::Alone };
            let known = [profile.email.as_str(), profile.display_name.as_str()];
            match self.new_password(site, account.id, new, chosen, &known).await? {
                Ok(set) => exact.push(set),
                Err(bad) => return Ok(Stepped::MustChange(Some(bad))),
            }
            entry.note("chose a new password");
        }
        let forgiven = [second_subject(site, account.id), letters_subject(site, account.id)];
        proven.follow.extend(forgiven.map(|subject| forgive(&auth, &subject)));
        let mut recovery_codes = Vec::new();
        if proven.is_first {
            let (codes, follow) = self.new_recovery_codes(site, account.id);
            recovery_codes = codes;
            proven.follow.extend(follow);
            proven.follow.push(self.notice(site, &profile, "An authenticator was added to your account")?);
        }
        let ends_others = match (proven.is_first, account.must_change_password) {
            (true, _) => Some(Ended::SecondFactorAdded),
            (false, true) => Some(Ended::PasswordChanged),
            (false, false) => None,
        };
        let entering = Entering {
            account,
            ends_others,
            realm: shown.realm,
            acr: Acr::Two,
            amr: &["pwd", proven.amr, "mfa"],
            idle_s: shown.idle_s,
            device: shown.device,
            session: shown.session,
        };
        let begun = self.enter(site, &entering, exact, proven.follow, entry).await?;
        Ok(Stepped::In { begun: Box::new(begun), recovery_codes })
    }

    /// The second factor that was shown: one that somebody has, or the first that they set up.
    async fn proven_by(&self, site: &Site, shown: &Second<'_>, account: &StoredAccount) -> Outcome<Option<Proven>> {
        if account.has_second_factor {
            return self.proves(site, account, shown.code).await;
        }
        let offer = offer_to(site, account.id, shown.half.as_bytes());
        self.proves_first(site, account, offer, shown.code).await
    }

    /// A wrong second factor stands in the history.
    async fn refuse_second(&self, site: &Site, account: AccountId, entry: &mut Entry) -> Outcome<()> {
        let follow = vec![self.login(site, account, "LoginFailed", Some("wrong second factor"))?];
        let mut failed = Entry::new("SignInFailed", "identity", "Account");
        failed.resource_id(account).note("wrong second factor");
        self.accounts.commit(&site.ctx, "refuse a second factor", Vec::new(), follow, &mut failed).await?;
        entry.committed();
        Ok(())
    }
}

/// What letters with sign-in codes are counted for.
fn letters_subject(site: &Site, account: AccountId) -> [u8; 32] {
    site.ctx.keyring.root.token_hash("throttle-sign-in-letters", account.as_bytes())
}

fn half_hash(site: &Site, half: &str) -> [u8; 32] {
    site.ctx.keyring.root.token_hash("sign-in-half", half.as_bytes())
}
