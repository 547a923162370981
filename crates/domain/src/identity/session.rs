//! Sessions: browsers that somebody signed in with.

use super::account::AccountRealm;
use crate::ids::{AccountId, SessionId};
use crate::time::Timestamp;

/// How long a session may go unseen, unless its application says otherwise.
pub const IDLE_MS: i64 = 60 * 60 * 1_000;
/// How long a session lasts at most: then the person signs in again, whatever they do.
pub const ABSOLUTE_MS: i64 = 12 * 60 * 60 * 1_000;
/// How long after signing in somebody may change what they sign in with.
pub const RECENT_MS: i64 = 5 * 60 * 1_000;
/// A session that was seen more recently is not written down again.
pub const SEEN_EVERY_MS: i64 = 60 * 1_000;

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

impl LiveSession {
    /// Whether the person signed in recently enough to change what they sign in with.
    pub fn is_recent(&self, now: Timestamp) -> bool {
        self.authenticated_at.plus_millis(RECENT_MS) > now
    }
}
