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
    Has, StoredTotp, forget_recovery_codes, forget_waiting_totp, insert_recovery_code, insert_totp, mark_second_factor,
    spend_recovery_code, take_totp,
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
    /// Whether what somebody typed is a second factor of theirs.
    pub(super) async fn proves(&self, site: &Site, account: &StoredAccount, typed: &str) -> Outcome<Option<Proven>> {
        if let Some(code) = totp::read(typed) {
            return self.proves_by_totp(site, account, &code).await;
        }
        if let Some(code) = recovery_code::read(typed) {
            return self.proves_by_recovery(site, account, &code).await;
        }
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() == BY_MAIL_DIGITS && !account.has_second_factor && account.is_email_verified {
            return self.proves_by_mail(site, account, &digits).await;
        }
        Ok(None)
    }

    async fn proves_by_totp(&self, site: &Site, account: &StoredAccount, code: &str) -> Outcome<Option<Proven>> {
        let (auth, now) = (on_behalf(site.tenant()), site.ctx.now());
        let Some(factor) = self.accounts.core.store.totp(&auth, account.id).await? else { return Ok(None) };
        let secret = site.ctx.keys.cells.open(secret_cell(&factor.id), &factor.sealed)?;
        let is_code_of = |step| ct_eq(hotp(secret.expose(), step).as_bytes(), code.as_bytes());
        let Some(step) = totp::accepted(now, factor.last_step, is_code_of) else { return Ok(None) };
        let mut exact = vec![take_totp(&auth, factor.id, step, now)];
        let mut follow = Vec::new();
        if !factor.is_live {
            exact.push(mark_second_factor(&auth, account.id, Has::One));
            follow.push(forget_waiting_totp(&auth, account.id));
        }
        Ok(Some(Proven { exact, follow, amr: "otp", is_first: !factor.is_live }))
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

    /// The authenticator that waits for somebody's first code, made now if there is none.
    pub(super) async fn enrolment(&self, site: &Site, account: AccountId, profile: &Profile) -> Outcome<Enrolment> {
        let auth = on_behalf(site.tenant());
        let waiting = self.accounts.core.store.totp(&auth, account).await?.filter(|factor| !factor.is_live);
        let fresh = |factor: &StoredTotp| factor.created_at.plus_millis(30 * MINUTE_MS) > site.ctx.now();
        let secret = match waiting.filter(fresh) {
            Some(factor) => site.ctx.keys.cells.open(secret_cell(&factor.id), &factor.sealed)?.expose().to_vec(),
            None => self.new_secret(site, account).await?,
        };
        let secret = zeroize::Zeroizing::new(secret);
        let host = site.issuer.split_once("://").map_or(&*site.issuer, |(_, host)| host);
        Ok(Enrolment { secret: totp::spelled(&secret), uri: totp::uri(host, &profile.email, &secret) })
    }

    async fn new_secret(&self, site: &Site, account: AccountId) -> Outcome<Vec<u8>> {
        let (auth, now, entropy) = (on_behalf(site.tenant()), site.ctx.now(), &*self.accounts.core.entropy);
        let mut secret = vec![0; totp::SECRET_LEN];
        entropy.fill(&mut secret);
        let id = FactorId::from_random(bytes(entropy));
        let sealed = site.ctx.keys.cells.seal(secret_cell(&id), &secret, entropy)?;
        let statements = vec![forget_waiting_totp(&auth, account), insert_totp(&auth, account, id, sealed, now)];
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

fn secret_cell(id: &FactorId) -> Cell<'_> {
    Cell { table: "account_factor", row: id.as_bytes(), column: "sealed", version: 0 }
}

fn recovery_hash(site: &Site, account: AccountId, code: &str) -> [u8; 32] {
    site.ctx.keyring.root.token_hash("recovery-code", &[account.as_bytes(), code.as_bytes()].concat())
}

fn mail_hash(site: &Site, account: AccountId, code: &str) -> [u8; 32] {
    site.ctx.keyring.root.token_hash("mail-code", &[account.as_bytes(), code.as_bytes()].concat())
}
