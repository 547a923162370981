//! Signing in with an address and a password.
//!
//! Load, decide, apply: failures that slow the caller down come first, then the password, then what else the person has to do. A
//! session, its event and the history are one transaction.

use api::secret::SecretText;
use domain::identity::account::{AccountRealm, Email, State};
use domain::identity::application::MfaPolicy;
use domain::identity::authorization_request::Acr;
use domain::identity::grant::Ended;
use domain::identity::password_policy::{BadPassword, Beside};
use domain::identity::session::LiveSession;
use domain::identity::throttle::{Counted, MEMORY_MS, wait_s};
use domain::ids::{AccountId, LoginEventId};
use store::Stmt;
use store::accounts::StoredAccount;
use store::grants::{end_grants_of_session, end_session};
use store::sessions::insert_session;
use store::sign_ins::{NewLogin, count_failure, count_sign_in, forgive, insert_login};

use super::cookies::{device_mark, known_device};
use super::sessions::Beginning;
use super::{People, on_behalf};
use crate::app::accounts::sealed;
use crate::app::oidc::Site;
use crate::app::tenants::bytes;
use crate::credentials::counted_as;
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
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let store = &self.accounts.core.store;
        // An address that is none is nobody's, after the same work.
        let hash = match Email::parse(shown.email) {
            Ok(email) => sealed::email_hash(&site.ctx, shown.realm, &email),
            Err(_) => site.ctx.keyring.root.token_hash("no-email", shown.email.as_bytes()),
        };
        let account = store.account_by_email(&auth, shown.realm, &hash).await?;
        let subjects = subjects(site, &hash, account.as_ref().map(|account| account.id), shown.device);
        for (counted, subject) in [(Counted::Account, &subjects.account), (Counted::Network, &subjects.network)] {
            if let Some(seconds) = wait_s(counted, store.failures(&auth, subject).await?, now) {
                entry.note("slowed down");
                return Ok(SignedIn::Wait(seconds));
            }
        }
        let is_right = self.is_password(site, account.as_ref().map(|account| account.id), shown.password).await?;
        match account.filter(|account| is_right && account.state == State::Active) {
            Some(account) => self.admit(site, shown, account, entry).await,
            None => {
                self.refuse(site, &hash, shown.realm, &subjects, entry).await?;
                Ok(SignedIn::No)
            }
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
            let changed = self.new_password(site, account.id, new, Beside::Nothing, &[shown.email]).await?;
            match changed {
                Ok(statement) => exact.push(statement),
                Err(bad) => return Ok(SignedIn::MustChange(Some(bad))),
            }
            entry.note("chose a new password");
        }
        let entering = Entering {
            account: account.id,
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
        let (live, cookie) = match entering.session.filter(|session| session.account == entering.account) {
            // The same browser and the same person: the session goes on under another cookie, and so does what was granted in it.
            Some(session) => {
                let (renew, live, cookie) = self.again(site, session, entering.acr, entering.amr);
                exact.push(renew);
                (live, cookie)
            }
            None => {
                let beginning = Beginning {
                    account: entering.account,
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
        exact.push(count_sign_in(&auth, entering.account, now));
        // Somebody else was signed in here: their cookie is overwritten, and nobody could end the session any more.
        if let Some(other) = entering.session.filter(|session| session.account != entering.account) {
            follow.push(end_session(&auth, other.id, Ended::SignedOut, now));
            follow.extend(end_grants_of_session(&auth, other.id, Ended::SignedOut, now));
        }
        exact.push(self.login(site, entering.account, "Login", None)?);
        follow.push(forgive(&auth, &self.subject_of(site, entering.account, entering.device)));
        self.accounts.commit(&site.ctx, "sign in", exact, follow, entry).await?;
        let known = entering.device.filter(|mark| known_device(site, entering.account, mark).is_some());
        let device = match known {
            Some(mark) => mark.to_owned(),
            None => device_mark(site, entering.account, &bytes(&*self.accounts.core.entropy)),
        };
        Ok(Begun { session: live, cookie, device })
    }

    /// Something was wrong: it is counted, and stands in the history of whoever has the address.
    async fn refuse(
        &self,
        site: &Site,
        email: &[u8; 32],
        realm: AccountRealm,
        subjects: &Subjects,
        entry: &mut Entry,
    ) -> Outcome<()> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let forgotten = now.plus_millis(-MEMORY_MS);
        let mut follow: Vec<Stmt> =
            [&subjects.account, &subjects.network].map(|subject| count_failure(&auth, subject, now, forgotten)).into();
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

    /// Whether somebody who is signed in may try their password now.
    pub(super) async fn may_try(&self, site: &Site, account: AccountId) -> Outcome<bool> {
        let subject = subjects(site, &[0; 32], Some(account), None).account;
        let failures = self.accounts.core.store.failures(&on_behalf(site.tenant()), &subject).await?;
        Ok(wait_s(Counted::Account, failures, site.ctx.now()).is_none())
    }

    /// Counts a wrong password of somebody who is signed in.
    pub(super) async fn count_wrong(&self, site: &Site, account: AccountId) -> Outcome<()> {
        let now = site.ctx.now();
        let subject = subjects(site, &[0; 32], Some(account), None).account;
        let count = count_failure(&on_behalf(site.tenant()), &subject, now, now.plus_millis(-MEMORY_MS));
        let mut entry = Entry::new("PasswordRefused", "identity", "Account");
        entry.resource_id(account);
        self.accounts.commit(&site.ctx, "count a wrong password", Vec::new(), vec![count], &mut entry).await
    }

    /// What failures of an account are counted for, on this device.
    pub(super) fn subject_of(&self, site: &Site, account: AccountId, device: Option<&str>) -> [u8; 32] {
        subjects(site, &[0; 32], Some(account), device).account
    }

    /// How many seconds to wait before somebody may try again on this device.
    pub(super) async fn wait_of(&self, site: &Site, account: AccountId, device: Option<&str>) -> Outcome<Option<u64>> {
        let subject = self.subject_of(site, account, device);
        let failures = self.accounts.core.store.failures(&on_behalf(site.tenant()), &subject).await?;
        Ok(wait_s(Counted::Account, failures, site.ctx.now()))
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
    pub account: AccountId,
    pub realm: AccountRealm,
    pub acr: Acr,
    pub amr: &'a [&'a str],
    pub idle_s: Option<u32>,
    pub device: Option<&'a str>,
    pub session: Option<&'a LiveSession>,
}

/// What failures are counted for.
struct Subjects {
    account: [u8; 32],
    network: [u8; 32],
}

/// One account on a device that it knows, or on all that it does not; and the network. Somebody who unlocks an account forgives the
/// strange devices.
fn subjects(site: &Site, email: &[u8; 32], account: Option<AccountId>, device: Option<&str>) -> Subjects {
    let root = &site.ctx.keyring.root;
    let device = account.zip(device).and_then(|(account, mark)| known_device(site, account, mark)).unwrap_or_default();
    let whose = account.map_or(email.as_slice().to_vec(), |account| account.as_bytes().to_vec());
    let network = counted_as(site.ctx.origin.address).to_string();
    Subjects {
        account: root.token_hash("throttle-account", &[&whose, device.as_bytes()].concat()),
        network: root.token_hash("throttle-network", network.as_bytes()),
    }
}
