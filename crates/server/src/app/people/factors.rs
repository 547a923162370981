//! Second factors: an authenticator, recovery codes, and as the weakest a code by e-mail.
//!
//! What proves the second factor is used up by the transaction that admits somebody: the step of an authenticator moves forward, a recovery
//! code and a code by e-mail are spent. A code by e-mail is taken only from whoever has nothing better.

use crypto::hash::ct_eq;
use crypto::otp::hotp;
use crypto::random::Random as _;
use domain::identity::account::Profile;
use domain::identity::{recovery_code, totp};
use domain::ids::{AccountId, FactorId};
use domain::time::MINUTE_MS;
use store::Stmt;
use store::account_codes::spend_code;
use store::account_factors::{
    Has, StoredTotp, forget_recovery_codes, forget_totp_offered_before, insert_recovery_code, insert_totp,
    mark_second_factor, spend_recovery_code, take_totp,
};
use store::accounts::StoredAccount;
use store::letters::{NewCode, insert_code, withdraw_codes};

use super::{People, on_behalf};
use crate::app::oidc::Site;
use crate::app::tenants::bytes;
use crate::keyring::cells::Cell;
use crate::problem::Outcome;

/// What a code by e-mail is for, as it is stored.
const BY_MAIL: &str = "sign-in";
const BY_MAIL_MS: i64 = 10 * MINUTE_MS;
const BY_MAIL_DIGITS: usize = 8;
/// How long an authenticator waits for its first code.
const OFFER_MS: i64 = 10 * MINUTE_MS;

/// An authenticator that waits for its first code, as it is shown to whoever sets it up.
pub struct Enrolment {
    /// The secret, as people type it.
    pub secret: String,
    /// The address that authenticators read.
    pub uri: String,
}

/// A second factor that was shown and is right.
pub(super) struct Proven {
    /// What uses it up: each statement touches one row.
    pub exact: Vec<Stmt>,
    /// What follows from it.
    pub follow: Vec<Stmt>,
    /// What it is called (RFC 8176).
    pub amr: &'static str,
    /// Whether the account had no second factor before.
    pub is_first: bool,
}

impl People {
    /// Whether what somebody typed is a second factor that they have.
    pub(super) async fn proves(&self, site: &Site, account: &StoredAccount, typed: &str) -> Outcome<Option<Proven>> {
        if let Some(code) = totp::read(typed) {
            return self.proves_by_totp(site, account, &code).await;
        }
        let Some(code) = recovery_code::read(typed) else { return Ok(None) };
        self.proves_by_recovery(site, account, &code).await
    }

    /// Whether what somebody without a second factor typed is a code of the authenticator that they were offered, or of a letter.
    pub(super) async fn proves_first(
        &self,
        site: &Site,
        account: &StoredAccount,
        offer: FactorId,
        typed: &str,
    ) -> Outcome<Option<Proven>> {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() == BY_MAIL_DIGITS && account.is_email_verified {
            return self.proves_by_mail(site, account, &digits).await;
        }
        self.sets_up(site, account, offer, typed).await
    }

    /// Whether what somebody typed is the first code of the authenticator that they were offered.
    pub(super) async fn sets_up(
        &self,
        site: &Site,
        account: &StoredAccount,
        offer: FactorId,
        typed: &str,
    ) -> Outcome<Option<Proven>> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let Some(code) = totp::read(typed).filter(|_| !account.has_second_factor) else { return Ok(None) };
        let Some(factor) = self.offered_totp(site, account.id, offer).await? else { return Ok(None) };
        let Some(step) = step_of(site, &factor, &code)? else { return Ok(None) };
        Ok(Some(Proven {
            exact: vec![take_totp(&auth, factor.id, step, now), mark_second_factor(&auth, account.id, Has::One)],
            follow: Vec::new(),
            amr: "otp",
            is_first: true,
        }))
    }

    async fn proves_by_totp(&self, site: &Site, account: &StoredAccount, code: &str) -> Outcome<Option<Proven>> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let Some(factor) = self.accounts.core.store.totp(&auth, account.id).await? else { return Ok(None) };
        Ok(step_of(site, &factor, code)?.map(|step| Proven {
            exact: vec![take_totp(&auth, factor.id, step, now)],
            follow: Vec::new(),
            amr: "otp",
            is_first: false,
        }))
    }

    async fn proves_by_recovery(&self, site: &Site, account: &StoredAccount, code: &str) -> Outcome<Option<Proven>> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let hash = recovery_hash(site, account.id, code);
        let found = self.accounts.core.store.recovery_code(&auth, account.id, &hash).await?;
        Ok(found.filter(|_| account.has_second_factor).map(|id| Proven {
            exact: vec![spend_recovery_code(&auth, id, now)],
            follow: Vec::new(),
            amr: "otp",
            is_first: false,
        }))
    }

    async fn proves_by_mail(&self, site: &Site, account: &StoredAccount, code: &str) -> Outcome<Option<Proven>> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let hash = mail_hash(site, account.id, code);
        let owner = self.accounts.core.store.owner_of_code(&auth, &hash, BY_MAIL, now).await?;
        // `mca`: another channel, and one that is read with the password of a mailbox. Applications can tell it from an authenticator.
        Ok(owner.filter(|(owner, _)| *owner == account.id).map(|_| Proven {
            exact: vec![spend_code(&auth, &hash, BY_MAIL, now)],
            follow: Vec::new(),
            amr: "mca",
            is_first: false,
        }))
    }

    /// The statements that send a code by e-mail. An earlier one no longer works.
    pub(super) fn code_by_mail(&self, site: &Site, account: AccountId, profile: &Profile) -> Outcome<Vec<Stmt>> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let code = self.digits();
        let new = NewCode {
            hash: mail_hash(site, account, &code),
            account,
            purpose: BY_MAIL,
            created_at: now,
            expires_at: now.plus_millis(BY_MAIL_MS),
        };
        let text = format!(
            "Your code is {code}.\n\nIt works for ten minutes, on the page where you sign in to {}. Nobody will ask you for it anywhere else.\n",
            site.issuer
        );
        let letter = self.post(site, profile, "Your sign-in code", text)?;
        Ok(vec![withdraw_codes(&auth, account, BY_MAIL), insert_code(&auth, &new), letter])
    }

    fn digits(&self) -> String {
        let mut digits = String::with_capacity(BY_MAIL_DIGITS);
        while digits.len() < BY_MAIL_DIGITS {
            let mut byte = [0];
            self.accounts.core.entropy.fill(&mut byte);
            // The bytes below 250 give every digit equally often.
            if byte[0] < 250 {
                digits.push(char::from(b'0' + byte[0] % 10));
            }
        }
        digits
    }

    /// The authenticator of an offer, made now if there is none.
    pub(super) async fn enrolment(
        &self,
        site: &Site,
        account: AccountId,
        offer: FactorId,
        profile: &Profile,
    ) -> Outcome<Enrolment> {
        if let Some(waiting) = self.waiting(site, account, offer, profile).await? {
            return Ok(waiting);
        }
        let secret = zeroize::Zeroizing::new(self.new_secret(site, account, offer).await?);
        Ok(shown(site, profile, &secret))
    }

    /// The authenticator of an offer, while it waits for its first code.
    pub(super) async fn waiting(
        &self,
        site: &Site,
        account: AccountId,
        offer: FactorId,
        profile: &Profile,
    ) -> Outcome<Option<Enrolment>> {
        let Some(factor) = self.offered_totp(site, account, offer).await? else { return Ok(None) };
        let secret = site.ctx.keys.cells.open(secret_cell(&factor.id), &factor.sealed)?;
        Ok(Some(shown(site, profile, secret.expose())))
    }

    async fn offered_totp(&self, site: &Site, account: AccountId, offer: FactorId) -> Outcome<Option<StoredTotp>> {
        let after = site.ctx.now().plus_millis(-OFFER_MS);
        Ok(self.accounts.core.store.waiting_totp(&on_behalf(site.tenant()), account, offer, after).await?)
    }

    async fn new_secret(&self, site: &Site, account: AccountId, offer: FactorId) -> Outcome<Vec<u8>> {
        let (auth, now, entropy) = (on_behalf(site.tenant()), site.ctx.now(), &*self.accounts.core.entropy);
        let over = forget_totp_offered_before(&auth, account, now.plus_millis(1 - OFFER_MS));
        let mut secret = vec![0; totp::SECRET_LEN];
        entropy.fill(&mut secret);
        let sealed = site.ctx.keys.cells.seal(secret_cell(&offer), &secret, entropy)?;
        let statements = vec![over, insert_totp(&auth, account, offer, sealed, now)];
        let mut entry = crate::trail::Entry::new("AuthenticatorOffered", "identity", "Account");
        entry.resource_id(account);
        self.accounts.commit(&site.ctx, "offer an authenticator", Vec::new(), statements, &mut entry).await?;
        Ok(secret)
    }

    /// New recovery codes, and the statements that put them into the place of the old ones.
    pub(super) fn new_recovery_codes(&self, site: &Site, account: AccountId) -> (Vec<String>, Vec<Stmt>) {
        let (auth, now, entropy) = (on_behalf(site.tenant()), site.ctx.now(), &*self.accounts.core.entropy);
        let mut statements = vec![forget_recovery_codes(&auth, account)];
        let mut codes = Vec::with_capacity(recovery_code::COUNT);
        for _ in 0..recovery_code::COUNT {
            let mut random = [0; recovery_code::LEN];
            entropy.fill(&mut random);
            let code = recovery_code::written(random);
            let hash = recovery_hash(site, account, &code.replace('-', ""));
            statements.push(insert_recovery_code(&auth, account, FactorId::from_random(bytes(entropy)), hash, now));
            codes.push(code);
        }
        (codes, statements)
    }
}

/// The offer of an authenticator to whoever carries this. It is found by that alone: a password is known to others at times, and they
/// would be shown the secret that its owner sets up.
pub(super) fn offer_to(site: &Site, account: AccountId, carried: &[u8]) -> FactorId {
    let hash = site.ctx.keyring.root.token_hash("authenticator-offer", &[account.as_bytes(), carried].concat());
    let mut id = [0; 16];
    id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    FactorId::from_random(id)
}

/// The step that a code of an authenticator is of, if it may be taken.
fn step_of(site: &Site, factor: &StoredTotp, code: &str) -> Outcome<Option<i64>> {
    let secret = site.ctx.keys.cells.open(secret_cell(&factor.id), &factor.sealed)?;
    let is_code_of = |step| ct_eq(hotp(secret.expose(), step).as_bytes(), code.as_bytes());
    Ok(totp::accepted(site.ctx.now(), factor.last_step, is_code_of))
}

fn shown(site: &Site, profile: &Profile, secret: &[u8]) -> Enrolment {
    let host = site.issuer.split_once("://").map_or(&*site.issuer, |(_, host)| host);
    Enrolment { secret: totp::spelled(secret), uri: totp::uri(host, &profile.email, secret) }
}

fn secret_cell(id: &FactorId) -> Cell<'_> {
    Cell { table: "account_factor", row: id.as_bytes(), column: "sealed", version: 0 }
}

fn recovery_hash(site: &Site, account: AccountId, code: &str) -> [u8; 32] {
    site.ctx.keyring.root.token_hash("recovery-code", &[account.as_bytes(), code.as_bytes()].concat())
}

fn mail_hash(site: &Site, account: AccountId, code: &str) -> [u8; 32] {
    site.ctx.keyring.root.token_hash("mail-code", &[account.as_bytes(), code.as_bytes()].concat())
}
