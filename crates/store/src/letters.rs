//! Letters to people and the codes in them, as whoever has them sent puts them there.

use domain::authz::{Action, Authorized};
use domain::ids::{AccountId, MailId};
use domain::time::Timestamp;

use crate::stmt::{Stmt, sql};

/// A code that works once.
#[derive(Clone, Debug)]
pub struct NewCode<'a> {
    /// The keyed hash of its text.
    pub hash: [u8; 32],
    pub account: AccountId,
    /// `invitation`, `verification`, `reset` or `sign-in`.
    pub purpose: &'a str,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A letter to be sent.
#[derive(Clone, Debug)]
pub struct NewLetter {
    pub id: MailId,
    /// Address, subject and text.
    pub sealed: Vec<u8>,
    pub created_at: Timestamp,
}

/// Adds a code.
pub fn insert_code<A: Action>(auth: &Authorized<A>, code: &NewCode<'_>) -> Stmt {
    sql("INSERT INTO account_code (tenant, hash, account, purpose, state, attempts, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, 'live', 0, $5, $6)")
    .bind(auth.tenant().as_bytes())
    .bind(code.hash)
    .bind(code.account.as_bytes())
    .bind(code.purpose)
    .bind(code.created_at.millis())
    .bind(code.expires_at.millis())
}

/// Lets the codes that somebody was sent for a purpose no longer work.
pub fn withdraw_codes<A: Action>(auth: &Authorized<A>, account: AccountId, purpose: &str) -> Stmt {
    sql("UPDATE account_code SET state = 'spent' WHERE tenant = $1 AND account = $2 AND purpose = $3 AND state = 'live'")
        .bind(auth.tenant().as_bytes())
        .bind(account.as_bytes())
        .bind(purpose)
}

/// Adds a letter; it is sent as soon as somebody carries letters.
pub fn insert_letter<A: Action>(auth: &Authorized<A>, letter: &NewLetter) -> Stmt {
    sql("INSERT INTO mail (tenant, id, state, attempts, next_at, sealed, created_at) VALUES ($1, $2, 'waiting', 0, $4, $3, $4)")
        .bind(auth.tenant().as_bytes())
        .bind(letter.id.as_bytes())
        .bind(&letter.sealed)
        .bind(letter.created_at.millis())
}
