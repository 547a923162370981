//! Letters that nobody has to answer: that something was changed, and codes that are typed.

use domain::identity::account::Profile;
use domain::identity::mail::Letter;
use domain::ids::{AccountId, MailId};
use store::Stmt;
use store::letters::{NewLetter, insert_letter};
use store::sign_ins::forgive;

use super::{People, on_behalf};
use crate::app::oidc::Site;
use crate::app::tenants::bytes;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};

impl People {
    /// The statement that has somebody told of a change, so that they learn of one that is not theirs.
    pub(super) fn notice(&self, site: &Site, profile: &Profile, what: &str) -> Outcome<Stmt> {
        let text = format!("{what}.\n\nIf it was not you, tell whoever runs {}.\n", site.issuer);
        self.post(site, profile, what, text)
    }

    /// The statement that has a letter sent.
    pub(super) fn post(&self, site: &Site, profile: &Profile, subject: &str, text: String) -> Outcome<Stmt> {
        let letter =
            Letter { to: profile.email.clone(), name: profile.display_name.clone(), subject: subject.to_owned(), text };
        let id = MailId::from_random(bytes(&*self.accounts.core.entropy));
        let cell = Cell { table: "mail", row: id.as_bytes(), column: "sealed", version: 0 };
        let text = serde_json::to_vec(&letter).map_err(|error| Problem::internal("writing a letter", error))?;
        let sealed = site.ctx.keys.cells.seal(cell, &text, &*self.accounts.core.entropy)?;
        let new = NewLetter { id, sealed, created_at: site.ctx.now() };
        Ok(insert_letter(&on_behalf(site.tenant()), &new))
    }

    /// The statement that forgets the failures of an account on strange devices.
    pub(super) fn forgive_all(&self, site: &Site, account: AccountId) -> Stmt {
        forgive(&on_behalf(site.tenant()), &site.ctx.keyring.root.token_hash("throttle-account", account.as_bytes()))
    }
}
