//! Sessions: browsers that somebody signed in with.

use super::account::AccountRealm;
use crate::ids::{AccountId, SessionId};
use crate::time::Timestamp;

/// Somebody who is signed in, as their session says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// The session.
    pub id: SessionId,
    /// What tokens call it.
    pub sid: String,
    /// The person.
    pub account: AccountId,
    /// Whose people they are of.
    pub realm: AccountRealm,
    /// How sure is who it was.
    pub acr: String,
    /// By what (RFC 8176).
    pub amr: Vec<String>,
    /// Since when.
    pub authenticated_at: Timestamp,
}
