//! What of a person is sealed, and how they are found by an address nobody can read.

use api::secret::SecretText;
use crypto::random::Random;
use crypto::secret::SecretBytes;
use domain::identity::account::{AccountRealm, Email, Profile};
use domain::ids::AccountId;
use store::accounts::StoredAccount;
use zeroize::Zeroizing;

use super::Accounts;
use crate::ctx::Ctx;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};

/// The keyed hash by which somebody of a realm is found.
pub fn email_hash(ctx: &Ctx, realm: AccountRealm, email: &Email) -> [u8; 32] {
    let place = [ctx.tenant().as_bytes().as_slice(), &realm.to_bytes(), email.folded().as_bytes()].concat();
    ctx.keyring.root.token_hash("email", &place)
}

/// A profile, sealed for its row.
pub fn seal(ctx: &Ctx, id: AccountId, profile: &Profile, random: &dyn Random) -> Outcome<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1_024));
    serde_json::to_writer(&mut *bytes, profile).map_err(|error| Problem::internal("sealing a profile", error))?;
    ctx.keys.cells.seal(cell(&id, "profile"), &bytes, random)
}

/// The profile of a row.
pub fn open(ctx: &Ctx, row: &StoredAccount) -> Outcome<Profile> {
    let opened = ctx.keys.cells.open(cell(&row.id, "profile"), &row.profile)?;
    // A parser's message could quote what it read.
    serde_json::from_slice(opened.expose()).map_err(|_| Problem::internal("opening a profile", "it has another form"))
}

impl Accounts {
    /// The record by which a password is checked, sealed for its row.
    pub async fn password_record(&self, ctx: &Ctx, id: AccountId, password: &SecretText) -> Outcome<Vec<u8>> {
        let record: SecretBytes = self.passwords.hash(password, &*self.core.entropy).await?;
        ctx.keys.cells.seal(cell(&id, "password"), record.expose(), &*self.core.entropy)
    }
}

fn cell<'a>(id: &'a AccountId, column: &'static str) -> Cell<'a> {
    Cell { table: "account", row: id.as_bytes(), column, version: 0 }
}
