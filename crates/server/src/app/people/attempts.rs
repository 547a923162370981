//! Tries of passwords and codes, counted before they are made: of those that are made at once, none may be looked at before it is known
//! how the others ended.
//!
//! A try counts as a failure until it is known to be none. Whoever gets in has all of theirs forgiven; where a try was right and did not
//! lead in, or could not be made, it is given back.

use domain::identity::throttle::{Failures, wait_s};
use domain::ids::{AccountId, SessionId};
use store::accounts::StoredAccount;
use store::sign_ins::Attempt;

use super::cookies::known_device;
use super::{People, on_behalf};
use crate::app::oidc::Site;
use crate::credentials::counted_as;
use crate::problem::Outcome;
use crate::trail::Entry;

/// How often failures are read anew when others try at the same moment.
const LOOKS: usize = 16;
/// What whoever is never first is told.
const CROWDED_S: u64 = 1;

/// What failures of a sign-in are counted for.
pub(super) struct Subjects {
    pub account: [u8; 32],
    pub network: [u8; 32],
    /// Whether somebody has signed in to the account with this device before.
    pub is_known_device: bool,
}

/// One account on a device that it knows, or on all that it does not; and the network. Somebody who unlocks an account forgives the
/// strange devices. An address that nobody has is counted like an account.
pub(super) fn subjects(
    site: &Site,
    email: &[u8; 32],
    account: Option<&StoredAccount>,
    device: Option<&str>,
) -> Subjects {
    let root = &site.ctx.keyring.root;
    let known = account.zip(device).and_then(|(account, mark)| known_device(site, account.into(), mark));
    let device = known.unwrap_or_default().as_bytes();
    let whose = account.map_or(email.as_slice(), |account| account.id.as_bytes());
    let network = counted_as(site.ctx.origin.address).to_string();
    Subjects {
        account: root.token_hash("throttle-account", &[whose, device].concat()),
        network: root.token_hash("throttle-network", network.as_bytes()),
        is_known_device: known.is_some(),
    }
}

/// What wrong second factors of an account are counted for.
pub(super) fn second_subject(site: &Site, account: AccountId) -> [u8; 32] {
    site.ctx.keyring.root.token_hash("throttle-second-factor", account.as_bytes())
}

impl People {
    /// What failures of an account are counted for, on this device.
    pub(super) fn subject_of(&self, site: &Site, account: &StoredAccount, device: Option<&str>) -> [u8; 32] {
        subjects(site, &[0; 32], Some(account), device).account
    }

    /// Counts a try that is about to be made, or says how many seconds to wait before there may be one.
    pub(super) async fn attempt(&self, site: &Site, subject: [u8; 32]) -> Outcome<Result<Attempt, u64>> {
        let (auth, now, store) = (on_behalf(site.tenant()), site.ctx.now(), &self.accounts.core.store);
        for _ in 0..LOOKS {
            let seen = store.failures(&auth, &subject).await?;
            if let Some(seconds) = wait_s(seen, now) {
                return Ok(Err(seconds));
            }
            let attempt = Attempt { subject, seen, counted: Failures::and_one(seen, now) };
            if store.count_attempt(&auth, &attempt).await? {
                return Ok(Ok(attempt));
            }
        }
        Ok(Err(CROWDED_S))
    }

    /// Takes back a try that was no failure.
    pub(super) async fn give_back(&self, site: &Site, attempt: &Attempt) -> Outcome<()> {
        Ok(self.accounts.core.store.take_attempt_back(&on_behalf(site.tenant()), attempt).await?)
    }

    /// Counts a try of a second factor, or says how long to wait. All devices count together: whoever is asked for it has shown the
    /// password, and could bring the marks of as many devices as they like.
    pub(super) async fn second_attempt(&self, site: &Site, account: AccountId) -> Outcome<Result<Attempt, u64>> {
        self.attempt(site, second_subject(site, account)).await
    }

    /// Counts a try of somebody who is signed in, or says how long to wait. Neither strangers who try to sign in slow them down, nor
    /// whoever holds another session of theirs.
    pub(super) async fn own_attempt(&self, site: &Site, session: SessionId) -> Outcome<Result<Attempt, u64>> {
        self.attempt(site, site.ctx.keyring.root.token_hash("throttle-own", session.as_bytes())).await
    }

    /// Writes down that somebody who is signed in showed a wrong password or code.
    pub(super) async fn tell_wrong(&self, site: &Site, account: AccountId) -> Outcome<()> {
        let mut entry = Entry::new("PasswordRefused", "identity", "Account");
        entry.resource_id(account);
        self.accounts.commit(&site.ctx, "refuse a password", Vec::new(), Vec::new(), &mut entry).await
    }
}
