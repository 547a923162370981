//! Letters that an administrator has sent: an invitation, a verification, a reset. Each holds a link that works once.
//!
//! The code and the letter are rows of the transaction that asks for them; whoever carries letters finds them there.

use crypto::random::Random as _;
use domain::api_key::bearer_text;
use domain::authz::{Action, Authorized};
use domain::identity::account::Profile;
use domain::identity::mail::Letter;
use domain::ids::{AccountId, MailId};
use domain::time::{DAY_MS, HOUR_MS};
use store::Stmt;
use store::letters::{NewCode, NewLetter, insert_code, insert_letter, withdraw_codes};

use super::Accounts;
use crate::app::tenants::{DEFAULT_SLUG, bytes};
use crate::ctx::Ctx;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};

/// The prefix of every code.
const PREFIX: &str = "qml_";

/// What a letter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To come for the first time.
    Invitation,
    /// To show that an address is theirs.
    Verification,
    /// To set a new password.
    Reset,
}

impl Purpose {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Verification => "verification",
            Self::Reset => "reset",
        }
    }

    fn page(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Verification => "verify",
            Self::Reset => "reset",
        }
    }

    fn life_ms(self) -> i64 {
        match self {
            Self::Invitation => 7 * DAY_MS,
            Self::Verification => DAY_MS,
            Self::Reset => HOUR_MS,
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Invitation => "You are invited",
            Self::Verification => "Confirm your e-mail address",
            Self::Reset => "Set a new password",
        }
    }
}

impl Accounts {
    /// A letter to somebody and the code in it. An earlier one for the same purpose no longer works.
    pub async fn letter<A: Action>(
        &self,
        ctx: &Ctx,
        auth: &Authorized<A>,
        id: AccountId,
        profile: &Profile,
        purpose: Purpose,
    ) -> Outcome<Vec<Stmt>> {
        let code = bearer_text(PREFIX, &*self.core.entropy);
        let hash = ctx.keyring.root.token_hash("account-code", code.expose());
        let slug = self.core.store.slug_of_tenant(ctx.tenant()).await?.unwrap_or_default();
        let site =
            if slug == DEFAULT_SLUG { self.portal_origin.clone() } else { format!("{}/t/{slug}", self.portal_origin) };
        let link = format!("{site}/{}?code={}", purpose.page(), String::from_utf8_lossy(code.expose()));
        let subject = purpose.subject();
        let letter = Letter {
            to: profile.email.clone(),
            name: profile.display_name.clone(),
            subject: subject.to_owned(),
            text: format!("{subject}:\n\n{link}\n\nIf you did not expect this letter, you need not do anything.\n"),
        };
        let code = NewCode {
            hash,
            account: id,
            purpose: purpose.as_str(),
            created_at: ctx.now(),
            expires_at: ctx.now().plus_millis(purpose.life_ms()),
        };
        Ok(vec![withdraw_codes(auth, id, purpose.as_str()), insert_code(auth, &code), self.posted(ctx, auth, &letter)?])
    }

    /// The statement by which somebody is told of a change that an administrator made.
    pub fn notice<A: Action>(&self, ctx: &Ctx, auth: &Authorized<A>, profile: &Profile, what: &str) -> Outcome<Stmt> {
        let text = format!("{what}.\n\nIf you did not expect this letter, tell whoever runs {}.\n", self.portal_origin);
        let letter =
            Letter { to: profile.email.clone(), name: profile.display_name.clone(), subject: what.to_owned(), text };
        self.posted(ctx, auth, &letter)
    }

    fn posted<A: Action>(&self, ctx: &Ctx, auth: &Authorized<A>, letter: &Letter) -> Outcome<Stmt> {
        let id = MailId::from_random(bytes(&*self.core.entropy));
        let cell = Cell { table: "mail", row: id.as_bytes(), column: "sealed", version: 0 };
        let text = serde_json::to_vec(letter).map_err(|error| Problem::internal("writing a letter", error))?;
        let sealed = ctx.keys.cells.seal(cell, &text, &*self.core.entropy)?;
        Ok(insert_letter(auth, &NewLetter { id, sealed, created_at: ctx.now() }))
    }

    /// A password that somebody else chose: twenty letters and digits without those that look alike.
    pub fn temporary_password(&self) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyzABCDEF234";
        let mut random = [0; 20];
        self.core.entropy.fill(&mut random);
        random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
    }
}
