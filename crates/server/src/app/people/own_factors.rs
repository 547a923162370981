//! Second factors as somebody sees and changes them on their account page. Every change is proven by the password, or by an offer that
//! was; taking one away by the factor too. The session that asked then has another cookie.

use api::secret::SecretText;
use domain::identity::authorization_request::Acr;
use domain::identity::grant::Ended;
use domain::identity::session::LiveSession;
use domain::ids::FactorId;
use store::account_factors::{Has, forget_factors, mark_second_factor};
use store::accounts::StoredAccount;
use store::own_account::end_everything_but;

use super::factors::{Enrolment, Proven, offer_to};
use super::{People, on_behalf};
use crate::app::accounts::sealed;
use crate::app::oidc::Site;
use crate::app::oidc::jws::base64url;
use crate::app::tenants::bytes;
use crate::problem::{Outcome, Problem};
use crate::trail::Entry;

/// What somebody has.
pub struct OwnFactors {
    /// Whether they have an authenticator.
    pub has_totp: bool,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
}

/// What became of a change.
pub enum Change<T> {
    /// It is done.
    Done(T),
    /// The password is wrong, or was tried too often.
    WrongPassword,
    /// The code is wrong, or was used before.
    WrongCode,
}

/// An authenticator that is offered.
pub struct Offer {
    /// What to set up.
    pub enrolment: Enrolment,
    /// What the page carries to show that it was offered to it.
    pub carried: String,
}

/// An authenticator that was set up.
pub struct SetUp {
    /// The recovery codes, shown once.
    pub recovery_codes: Vec<String>,
    /// The session's new cookie.
    pub cookie: String,
    /// The new mark of the device: the old one ended with everything else.
    pub device: String,
}

impl People {
    /// What somebody has.
    pub async fn own_factors(&self, site: &Site, session: &LiveSession) -> Outcome<OwnFactors> {
        let (auth, store) = (on_behalf(site.tenant()), &self.accounts.core.store);
        let totp = store.totp(&auth, session.account).await?;
        let recovery_codes = store.recovery_codes_left(&auth, session.account).await?;
        Ok(OwnFactors { has_totp: totp.is_some(), recovery_codes })
    }

    /// An authenticator to set up, for whoever knows the password and has none.
    pub async fn offer(&self, site: &Site, session: &LiveSession, password: &SecretText) -> Outcome<Change<Offer>> {
        let row = self.own_row(site, session).await?;
        if row.has_second_factor {
            return Err(Problem::new(
                api::error::ErrorCode::Conflict,
                "There is an authenticator already. Remove it first.",
            ));
        }
        if !self.knows(site, session, password).await? {
            return Ok(Change::WrongPassword);
        }
        let profile = sealed::open(&site.ctx, &row)?;
        let carried = base64url(&bytes(&*self.accounts.core.entropy));
        let enrolment = self.enrolment(site, row.id, offer_in(site, session, &carried), &profile).await?;
        Ok(Change::Done(Offer { enrolment, carried }))
    }

    /// The authenticator that was offered to this page, to be shown again; none when the offer is over.
    pub async fn offered(&self, site: &Site, session: &LiveSession, carried: &str) -> Outcome<Option<Enrolment>> {
        let row = self.own_row(site, session).await?;
        let profile = sealed::open(&site.ctx, &row)?;
        self.waiting(site, row.id, offer_in(site, session, carried), &profile).await
    }

    /// Sets the authenticator that was offered to this page up by its first code. Everything that was given without it ends, but the
    /// session that asked.
    pub async fn set_up(
        &self,
        site: &Site,
        session: &LiveSession,
        (carried, code): (&str, &str),
        device: Option<&str>,
    ) -> Outcome<Change<SetUp>> {
        let mut entry = Entry::new("AuthenticatorAdded", "identity", "Account");
        entry.resource_id(session.account);
        let result = self.set_up_now(site, session, (carried, code), device, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    async fn set_up_now(
        &self,
        site: &Site,
        session: &LiveSession,
        (carried, code): (&str, &str),
        device: Option<&str>,
        entry: &mut Entry,
    ) -> Outcome<Change<SetUp>> {
        let row = self.own_row(site, session).await?;
        // Who guesses at a secret that was shown to them learns nothing: nothing is counted.
        let proven = self.sets_up(site, &row, offer_in(site, session, carried), code).await?;
        let Some(mut proven) = proven else {
            entry.note("wrong code");
            return Ok(Change::WrongCode);
        };
        let (recovery_codes, follow) = self.new_recovery_codes(site, row.id);
        let (renew, cookie) = self.renewed(site, session, Acr::Two, &["otp", "mfa"]);
        let profile = sealed::open(&site.ctx, &row)?;
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        proven.exact.push(renew);
        proven.follow.extend(follow);
        proven.follow.extend(end_everything_but(&auth, row.id, session.id, Ended::SecondFactorAdded, now));
        proven.follow.push(self.notice(site, &profile, "An authenticator was added to your account")?);
        self.accounts.commit(&site.ctx, "add an authenticator", proven.exact, proven.follow, entry).await?;
        let device = self.marked_anew(site, &row, device);
        Ok(Change::Done(SetUp { recovery_codes, cookie, device }))
    }

    /// New recovery codes; the old ones no longer work.
    pub async fn renew_recovery_codes(
        &self,
        site: &Site,
        session: &LiveSession,
        password: &SecretText,
        code: &str,
    ) -> Outcome<Change<Vec<String>>> {
        let mut entry = Entry::new("RecoveryCodesMade", "identity", "Account");
        entry.resource_id(session.account);
        let result = self.renew_codes_now(site, session, (password, code), &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    async fn renew_codes_now(
        &self,
        site: &Site,
        session: &LiveSession,
        (password, code): (&SecretText, &str),
        entry: &mut Entry,
    ) -> Outcome<Change<Vec<String>>> {
        let row = self.own_row(site, session).await?;
        if !self.knows(site, session, password).await? {
            entry.note("wrong password");
            return Ok(Change::WrongPassword);
        }
        let proven = self.proven(site, session, &row, code).await?.filter(|_| row.has_second_factor);
        let Some(mut proven) = proven else {
            entry.note("wrong code");
            return Ok(Change::WrongCode);
        };
        let (codes, follow) = self.new_recovery_codes(site, row.id);
        proven.follow.extend(follow);
        self.accounts.commit(&site.ctx, "make recovery codes", proven.exact, proven.follow, entry).await?;
        Ok(Change::Done(codes))
    }

    /// Takes every second factor away. Answers with the session's new cookie.
    pub async fn remove_factors(
        &self,
        site: &Site,
        session: &LiveSession,
        password: &SecretText,
        code: &str,
    ) -> Outcome<Change<String>> {
        let mut entry = Entry::new("SecondFactorsRemoved", "identity", "Account");
        entry.resource_id(session.account);
        let result = self.remove_now(site, session, (password, code), &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    async fn remove_now(
        &self,
        site: &Site,
        session: &LiveSession,
        (password, code): (&SecretText, &str),
        entry: &mut Entry,
    ) -> Outcome<Change<String>> {
        let row = self.own_row(site, session).await?;
        if !self.knows(site, session, password).await? {
            entry.note("wrong password");
            return Ok(Change::WrongPassword);
        }
        let proven = self.proven(site, session, &row, code).await?.filter(|_| row.has_second_factor);
        let Some(mut proven) = proven else {
            entry.note("wrong code");
            return Ok(Change::WrongCode);
        };
        let auth = on_behalf(site.tenant());
        let (renew, cookie) = self.renewed(site, session, Acr::One, &[]);
        let profile = sealed::open(&site.ctx, &row)?;
        proven.exact.extend([mark_second_factor(&auth, row.id, Has::None), renew]);
        proven.follow.push(forget_factors(&auth, row.id));
        proven.follow.push(self.notice(site, &profile, "The second factors of your account were removed")?);
        self.accounts.commit(&site.ctx, "remove second factors", proven.exact, proven.follow, entry).await?;
        Ok(Change::Done(cookie))
    }

    async fn own_row(&self, site: &Site, session: &LiveSession) -> Outcome<StoredAccount> {
        let row = self.accounts.core.store.account(&on_behalf(site.tenant()), session.account).await?;
        row.ok_or_else(|| Problem::not_found("account"))
    }

    /// Whether somebody who is signed in knows their password, and has not tried too often.
    pub(super) async fn knows(&self, site: &Site, session: &LiveSession, password: &SecretText) -> Outcome<bool> {
        let Ok(attempt) = self.own_attempt(site, session.id).await? else { return Ok(false) };
        let is_right = self.is_password(site, Some(session.account), password).await;
        match is_right {
            Ok(false) => self.tell_wrong(site, session.account).await?,
            _ => self.give_back(site, &attempt).await?,
        }
        is_right
    }

    /// The factor that somebody who is signed in shows. A wrong one counts like one of a sign-in.
    async fn proven(
        &self,
        site: &Site,
        session: &LiveSession,
        row: &StoredAccount,
        code: &str,
    ) -> Outcome<Option<Proven>> {
        let Ok(attempt) = self.second_attempt(site, session.account).await? else { return Ok(None) };
        let proven = self.proves(site, row, code).await;
        match proven {
            Ok(None) => self.tell_wrong(site, session.account).await?,
            _ => self.give_back(site, &attempt).await?,
        }
        proven
    }
}

/// An offer to a page of a session: whoever has only the cookie was not shown what the page carries.
fn offer_in(site: &Site, session: &LiveSession, carried: &str) -> FactorId {
    offer_to(site, session.account, &[session.id.as_bytes(), carried.as_bytes()].concat())
}
