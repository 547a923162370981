//! The ring of keys: who signs what, and when it counts.

use crypto::key::PublicKey;

use super::moment::Moment;
use crate::trusted_key::{Purpose, State, TrustedKey};

/// A key of the ring.
#[derive(Clone, Debug)]
pub struct Key {
    /// What people call it.
    pub name: String,
    /// It.
    pub key: PublicKey,
    /// What it signs.
    pub purpose: Purpose,
    pub(super) valid_from: Option<Moment>,
    pub(super) valid_until: Option<Moment>,
    pub(super) life: Life,
}

/// Whether it has been taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It signs.
    Active,
    /// It has been replaced and signs no more.
    VerifyOnly,
    /// It was in other hands from then on, or for ever.
    Revoked(Option<Moment>),
}

impl Key {
    /// The key as a verifier sees it at `now`, in Unix seconds. A signature carries no date that its maker could not have chosen,
    /// so what counts is the time of looking.
    pub fn at(&self, now: i64) -> TrustedKey {
        let is_revoked = match self.life {
            Life::Revoked(from) => from.is_none_or(|from| now >= from.unix()),
            Life::Active | Life::VerifyOnly => false,
        };
        let state = match (is_revoked, self.valid_from, self.valid_until) {
            (true, _, _) => State::Revoked,
            (false, Some(from), _) if now < from.unix() => State::NotBefore(from.unix()),
            (false, _, Some(until)) => State::VerifyOnlyUntil(until.unix()),
            (false, _, None) => State::Active,
        };
        TrustedKey { name: self.name.clone(), key: self.key.clone(), purpose: self.purpose, state }
    }

    /// Whether new signatures are to be made with it at `now`.
    pub fn signs(&self, now: i64) -> bool {
        self.life == Life::Active && self.at(now).usable(self.purpose, now).is_ok()
    }
}
