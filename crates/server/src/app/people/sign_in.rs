//! Signing in with an address and a password.
//!
//! Load, decide, apply: failures that slow the caller down come first, then the password, then what else the person has to do. A
//! session, its event and the history are one transaction.

use api::secret::SecretText;
use domain::identity::account::{AccountRealm, Email, State};
use domain::identity::application::MfaPolicy;
use domain::identity::authorization_request::Acr;
use domain::identity::grant::Ended;
use domain::identity::password_policy::{BadPassword, Chosen};
use domain::identity::session::LiveSession;
use domain::identity::throttle::{NETWORK_FORGIVES_MS, network_wait_s};
use domain::ids::{AccountId, LoginEventId};
use store::Stmt;
use store::accounts::StoredAccount;
use store::grants::{end_grants_of_session, end_session};
use store::own_account::end_everything_but;
use store::sessions::insert_session;
use store::sign_ins::{NewLogin, count_network_failure, count_sign_in, forgive, insert_login};

use super::attempts::{Subjects, subjects};
use super::cookies::{Owner, device_mark};
use super::sessions::Beginning;
use super::{People, on_behalf};
use crate::app::accounts::sealed;
use crate::app::oidc::Site;
use crate::app::tenants::bytes;
use crate::keyring::cells::Cell;
use crate::problem::Outcome;
use crate::trail::Entry;

/// What somebody shows.
pub struct Shown<'a> {
    /// Whose people they say they are of.
    pub realm: AccountRealm,
    /// The address.
    pub email: &'a str,
    /// The password.
    pub password: &'a SecretText,
    /// The one they choose instead, where they have to.
    pub new_password: Option<&'a SecretText>,
    /// The mark of their device.
    pub device: Option<&'a str>,
    /// How long their session may idle.
    pub idle_s: Option<u32>,
    /// How sure it has to be.
    pub wanted: Acr,
    /// Whether the application wants a second factor.
    pub mfa_policy: MfaPolicy,
    /// Who is signed in with this browser already.
    pub session: Option<&'a LiveSession>,
}

/// How it ended.
pub enum SignedIn {
    /// They are in.
    Yes(Box<Begun>),
    /// Something of it was wrong.
    No,
    /// Too many tries: not before so many seconds.
    Wait(u64),
    /// The password is right, and they have to choose another.
    MustChange(Option<BadPassword>),
    /// The password is right, and a second factor is asked for: what the browser carries to that.
    NeedsSecondFactor(String),
}

/// A session that began.
pub struct Begun {
    /// What it says.
    pub session: LiveSession,
    /// Its cookie.
    pub cookie: String,
    /// The mark of the device.
    pub device: String,
}

impl People {
    /// Tries to sign somebody in.
    pub async fn sign_in(&self, site: &Site, shown: &Shown<'_>) -> Outcome<SignedIn> {
        let mut entry = Entry::new("SignedIn", "identity", "Account");
        let result = self.try_sign_in(site, shown, &mut entry).await;
        self.accounts.core.trail.conclude(&site.ctx, entry, result).await
    }

    async fn try_sign_in(&self, site: &Site, shown: &Shown<'_>, entry: &mut Entry) -> Outcome<SignedIn> {
        let (auth, store) = (on_behalf(site.tenant()), &self.accounts.core.store);
        // An address that is none is nobody's, after the same work.
        let hash = match Email::parse(shown.email) {
            Ok(email) => sealed::email_hash(&site.ctx, shown.realm, &email),
            Err(_) => site.ctx.keyring.root.token_hash("no-email", shown.email.as_bytes()),
        };
        let account = store.account_by_email(&auth, shown.realm, &hash).await?;
        let subjects = subjects(site, &hash, account.as_ref(), shown.device);
        if let Some(seconds) = self.network_waits(site, &subjects).await? {
            entry.note("slowed down");
            return Ok(SignedIn::Wait(seconds));
        }
        let attempt = match self.attempt(site, subjects.account).await? {
            Ok(attempt) => attempt,
            Err(seconds) => {
                entry.note("slowed down");
                return Ok(SignedIn::Wait(seconds));
            }
        };
        let ended = self.look(site, shown, account, entry).await;
        match &ended {
            Ok(SignedIn::No) => self.refuse(site, &hash, shown.realm, &subjects, entry).await?,
            Ok(SignedIn::Yes(_)) => {}
            _ => self.give_back(site, &attempt).await?,
        }
        ended
    }

    /// How long the network has to wait. Others in it do not slow down whoever comes with a device that the account knows.
    async fn network_waits(&self, site: &Site, subjects: &Subjects) -> Outcome<Option<u64>> {
        if subjects.is_known_device {
            return Ok(None);
        }
        let forgiven_at =
            self.accounts.core.store.network_forgiven_at(&on_behalf(site.tenant()), &subjects.network).await?;
        Ok(network_wait_s(forgiven_at, site.ctx.now()))
    }

    async fn look(
        &self,
        site: &Site,
        shown: &Shown<'_>,
        account: Option<StoredAccount>,
        entry: &mut Entry,
    ) -> Outcome<SignedIn> {
        let is_right = self.is_password(site, account.as_ref().map(|account| account.id), shown.password).await?;
        match account.filter(|account| is_right && account.state == State::Active) {
            Some(account) => self.admit(site, shown, account, entry).await,
            None => Ok(SignedIn::No),
        }
    }

    /// The password was right: what else there is to do, and the session.
    async fn admit(
        &self,
        site: &Site,
        shown: &Shown<'_>,
        account: StoredAccount,
        entry: &mut Entry,
    ) -> Outcome<SignedIn> {
        entry.resource_id(account.id);
        if shown.mfa_policy.asks(account.has_second_factor) || shown.wanted == Acr::Two {
            return Ok(SignedIn::NeedsSecondFactor(self.half(site, account.id, entry).await?));
        }
        let mut exact = Vec::new();
        if account.must_change_password {
            let Some(new) = shown.new_password else { return Ok(SignedIn::MustChange(None)) };
            let changed = self.new_password(site, account.id, new, Chosen::Alone, &[shown.email]).await?;
            match changed {
                Ok(statement) => exact.push(statement),
                Err(bad) => return Ok(SignedIn::MustChange(Some(bad))),
            }
            entry.note("chose a new password");
        }
        let entering = Entering {
            account: &account,
            ends_others: account.must_change_password.then_some(Ended::PasswordChanged),
            realm: shown.realm,
            acr: Acr::One,
            amr: &["pwd"],
            idle_s: shown.idle_s,
            device: shown.device,
            session: shown.session,
        };
        Ok(SignedIn::Yes(Box::new(self.enter(site, &entering, exact, Vec::new(), entry).await?)))
    }

    /// Lets somebody in, in one transaction with what used up the proof of who they are.
    pub(super) async fn enter(
        &self,
        site: &Site,
        entering: &Entering<'_>,
        mut exact: Vec<Stmt>,
        mut follow: Vec<Stmt>,
        entry: &mut Entry,
    ) -> Outcome<Begun> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let account = entering.account.id;
        let (live, cookie) = match entering.session.filter(|session| session.account == account) {
            // The same browser and the same person: the session goes on under another cookie, and so does what was granted in it.
            Some(session) => {
                let (renew, live, cookie) = self.again(site, session, entering.acr, entering.amr);
                exact.push(renew);
                (live, cookie)
            }
            None => {
                let beginning = Beginning {
                    account,
                    realm: entering.realm,
                    acr: entering.acr,
                    amr: entering.amr,
                    idle_s: entering.idle_s,
                };
                let (session, cookie) = self.begin(site, &beginning)?;
                exact.push(insert_session(&auth, &session));
                (session.live, cookie)
            }
        };
        exact.push(count_sign_in(&auth, account, now));
        // Somebody else was signed in here: their cookie is overwritten, and nobody could end the session any more.
        if let Some(other) = entering.session.filter(|session| session.account != account) {
            follow.push(end_session(&auth, other.id, Ended::SignedOut, now));
            follow.extend(end_grants_of_session(&auth, other.id, Ended::SignedOut, now));
        }
        if let Some(why) = entering.ends_others {
            follow.extend(end_everything_but(&auth, account, live.id, why, now));
        }
        exact.push(self.login(site, account, "Login", None)?);
        follow.push(forgive(&auth, &self.subject_of(site, entering.account, entering.device)));
        self.accounts.commit(&site.ctx, "sign in", exact, follow, entry).await?;
        let device = match entering.ends_others {
            Some(_) => self.marked_anew(site, entering.account, entering.device),
            None => {
                let fresh = bytes(&*self.accounts.core.entropy);
                device_mark(site, entering.account.into(), entering.device, &fresh)
            }
        };
        Ok(Begun { session: live, cookie, device })
    }

    /// The mark of the device of somebody for whom everything else ends now.
    pub(super) fn marked_anew(&self, site: &Site, account: &StoredAccount, device: Option<&str>) -> String {
        let owner = Owner { account: account.id, since: account.tokens_not_before.max(site.ctx.now()) };
        device_mark(site, owner, device, &bytes(&*self.accounts.core.entropy))
    }

    /// Something was wrong: it is counted for the network too, and stands in the history of whoever has the address.
    async fn refuse(
        &self,
        site: &Site,
        email: &[u8; 32],
        realm: AccountRealm,
        subjects: &Subjects,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let mut follow = vec![count_network_failure(&auth, &subjects.network, now, NETWORK_FORGIVES_MS)];
        if let Some(account) = self.accounts.core.store.account_by_email(&auth, realm, email).await? {
            follow.push(self.login(site, account.id, "LoginFailed", Some("wrong password or not admitted"))?);
            entry.resource_id(account.id);
        }
        let mut failed = Entry::new("SignInFailed", "identity", "Account");
        failed.note("wrong address or password");
        self.accounts.commit(&site.ctx, "refuse a sign-in", Vec::new(), follow, &mut failed).await?;
        entry.committed();
        Ok(())
    }

    pub(super) fn login(&self, site: &Site, account: AccountId, kind: &str, reason: Option<&str>) -> Outcome<Stmt> {
        let id = LoginEventId::from_random(bytes(&*self.accounts.core.entropy));
        let cell = Cell { table: "login_event", row: id.as_bytes(), column: "sealed", version: 0 };
        let sealed = self.whence(site, cell)?;
        Ok(insert_login(&on_behalf(site.tenant()), &NewLogin { id, account, at: site.ctx.now(), kind, reason, sealed }))
    }
}

/// Somebody who is let in.
pub(super) struct Entering<'a> {
    pub account: &'a StoredAccount,
    /// Why everything else that they were given ends, if it does.
    pub ends_others: Option<Ended>,
    pub realm: AccountRealm,
    pub acr: Acr,
    pub amr: &'a [&'a str],
    pub idle_s: Option<u32>,
    pub device: Option<&'a str>,
    pub session: Option<&'a LiveSession>,
}
