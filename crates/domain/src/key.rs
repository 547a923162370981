//! Named keys: their states, what each state permits, and which versions may be used.
//!
//! The wire has a closed `status` and an open `state` (contract, rule 12); [`State`] is the truth behind both.

use crypto::algorithm::{Algorithm, Purpose};

use crate::time::{DAY_MS, Timestamp};

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Usable for everything its kind allows.
    Active,
    /// Opens and verifies what exists, makes nothing new.
    Deprecated,
    /// Refuses everything until it is enabled again.
    Disabled,
    /// Refuses everything for ever.
    Revoked {
        /// When the material is destroyed, if that was asked for as well.
        deletion_at: Option<Timestamp>,
    },
    /// Refuses everything; destroyed at the given time unless cancelled.
    PendingDeletion {
        /// When the material is destroyed.
        at: Timestamp,
    },
    /// The material is gone; the row remains for the audit log.
    Deleted,
}

/// What somebody wants to do with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Encrypt, or wrap a data key.
    Encrypt,
    /// Decrypt, unwrap, rewrap from.
    Decrypt,
    /// Sign.
    Sign,
    /// Verify.
    Verify,
    /// Compute a MAC.
    Mac,
    /// Take the private half away.
    Export,
}

/// Why a key refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key's kind cannot do this.
    #[error("the key is of another kind")]
    WrongKind,
    /// Disabled, scheduled for deletion, or deprecated for something new.
    #[error("the key's state does not allow this")]
    NotUsable,
    /// The key, or the version, was revoked.
    #[error("the key is revoked")]
    Revoked,
    /// Past its expiry.
    #[error("the key has expired")]
    Expired,
    /// Older than the minimum version.
    #[error("the key version is below the minimum")]
    BelowMinimum,
    /// There is no such version, or it has no private half here.
    #[error("no such key version")]
    NoSuchVersion,
}

impl State {
    /// The stored and wire text of the open `state` field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Disabled => "disabled",
            Self::Revoked { .. } => "revoked",
            Self::PendingDeletion { .. } => "pending_deletion",
            Self::Deleted => "deleted",
        }
    }

    /// The closed `status` of the contract.
    pub fn status(self) -> &'static str {
        match self {
            Self::Active | Self::Deprecated => "active",
            Self::Disabled | Self::Revoked { deletion_at: None } => "inactive",
            Self::PendingDeletion { .. } | Self::Revoked { deletion_at: Some(_) } => "scheduled_deletion",
            Self::Deleted => "deleted",
        }
    }

    /// Reads what [`State::as_str`] wrote; `deletion_at` is the column beside it.
    pub fn from_stored(text: &str, deletion_at: Option<Timestamp>) -> Option<Self> {
        Some(match (text, deletion_at) {
            ("active", _) => Self::Active,
            ("deprecated", _) => Self::Deprecated,
            ("disabled", _) => Self::Disabled,
            ("revoked", deletion_at) => Self::Revoked { deletion_at },
            ("pending_deletion", Some(at)) => Self::PendingDeletion { at },
            ("deleted", _) => Self::Deleted,
            _ => return None,
        })
    }

    /// When the material is to be destroyed, if it is.
    pub fn deletion_at(self) -> Option<Timestamp> {
        match self {
            Self::PendingDeletion { at } => Some(at),
            Self::Revoked { deletion_at } => deletion_at,
            _ => None,
        }
    }

    fn permits(self, purpose: Use) -> Result<(), Refusal> {
        match (self, purpose) {
            (Self::Active, _) | (Self::Deprecated, Use::Decrypt | Use::Verify | Use::Export) => Ok(()),
            (Self::Revoked { .. }, _) => Err(Refusal::Revoked),
            _ => Err(Refusal::NotUsable),
        }
    }
}

/// Days between asking for a deletion and the deletion: what the official SDK sends when nobody says otherwise.
pub const DELETION_DAYS_DEFAULT: u32 = 30;
/// The longest grace period.
pub const DELETION_DAYS_MAX: u32 = 365;

/// The state changes that a caller can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Make usable again: from disabled, deprecated, or out of a scheduled deletion.
    Activate,
    /// Open and verify only.
    Deprecate,
    /// Refuse everything for now.
    Disable,
    /// Refuse everything for ever.
    Revoke,
    /// Destroy after a grace period.
    ScheduleDeletion {
        /// Days of grace.
        days: u32,
    },
}

/// The change is not possible from the state the key is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key that is {from} cannot be changed so")]
pub struct NoSuchTransition {
    /// The state the key is in.
    pub from: &'static str,
}

impl State {
    /// The state after `change`, or why there is none. Revocation and deletion have no way back, not even by way of each
    /// other.
    pub fn apply(self, change: Change, now: Timestamp) -> Result<Self, NoSuchTransition> {
        let due = |days: u32| now.plus_millis(i64::from(days.min(DELETION_DAYS_MAX)) * DAY_MS);
        match (self, change) {
            (Self::Deleted, _) | (Self::Revoked { .. }, Change::Activate | Change::Deprecate | Change::Disable) => {
                Err(NoSuchTransition { from: self.as_str() })
            }
            (_, Change::Activate) => Ok(Self::Active),
            (_, Change::Deprecate) => Ok(Self::Deprecated),
            (_, Change::Disable) => Ok(Self::Disabled),
            (_, Change::Revoke) => Ok(Self::Revoked { deletion_at: self.deletion_at() }),
            (Self::Revoked { .. }, Change::ScheduleDeletion { days }) => {
                Ok(Self::Revoked { deletion_at: Some(due(days)) })
            }
            (_, Change::ScheduleDeletion { days }) => Ok(Self::PendingDeletion { at: due(days) }),
        }
    }

    /// Whether the grace period before the material is destroyed is over.
    pub fn is_due_for_deletion(self, now: Timestamp) -> bool {
        self.deletion_at().is_some_and(|at| at <= now)
    }
}

/// What decides about the use of a key version, apart from its material.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The algorithm, which says what kind of key it is.
    pub algorithm: Algorithm,
    /// The key's state.
    pub state: State,
    /// The newest version.
    pub current: u32,
    /// The oldest version that may still open and verify.
    pub minimum: u32,
    /// When the key expires, if ever.
    pub expires_at: Option<Timestamp>,
}

impl Standing {
    /// Whether `version` may be used for `purpose` at `now`. Making something new takes the newest version only.
    pub fn permits(&self, purpose: Use, version: u32, now: Timestamp) -> Result<(), Refusal> {
        self.permits_kind(purpose)?;
        self.state.permits(purpose)?;
        if version == 0 || version > self.current {
            return Err(Refusal::NoSuchVersion);
        }
        if matches!(purpose, Use::Decrypt | Use::Verify) {
            return if version < self.minimum { Err(Refusal::BelowMinimum) } else { Ok(()) };
        }
        // An expired key makes nothing new, but what it protected stays readable, and its owner may take it along.
        if purpose != Use::Export && self.expires_at.is_some_and(|at| at <= now) {
            return Err(Refusal::Expired);
        }
        Ok(())
    }

    fn permits_kind(&self, purpose: Use) -> Result<(), Refusal> {
        let fits = match purpose {
            Use::Encrypt | Use::Decrypt => self.algorithm.purpose() == Purpose::Encryption,
            Use::Sign | Use::Verify => self.algorithm.purpose() == Purpose::Signing,
            Use::Mac => self.algorithm.purpose() == Purpose::Hmac,
            Use::Export => true,
        };
        if fits { Ok(()) } else { Err(Refusal::WrongKind) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn standing(algorithm: Algorithm, state: State) -> Standing {
        Standing { algorithm, state, current: 3, minimum: 2, expires_at: None }
    }

    #[test]
    fn each_state_permits_what_it_says() {
        let pending = State::PendingDeletion { at: NOW };
        let revoked = State::Revoked { deletion_at: None };
        for (state, encrypt, decrypt) in [
            (State::Active, Ok(()), Ok(())),
            (State::Deprecated, Err(Refusal::NotUsable), Ok(())),
            (State::Disabled, Err(Refusal::NotUsable), Err(Refusal::NotUsable)),
            (revoked, Err(Refusal::Revoked), Err(Refusal::Revoked)),
            (State::Revoked { deletion_at: Some(NOW) }, Err(Refusal::Revoked), Err(Refusal::Revoked)),
            (pending, Err(Refusal::NotUsable), Err(Refusal::NotUsable)),
            (State::Deleted, Err(Refusal::NotUsable), Err(Refusal::NotUsable)),
        ] {
            let key = standing(Algorithm::MlKem768, state);
            assert_eq!(key.permits(Use::Encrypt, 3, NOW), encrypt, "{state:?}");
            assert_eq!(key.permits(Use::Decrypt, 3, NOW), decrypt, "{state:?}");
            assert_eq!(key.permits(Use::Export, 3, NOW), decrypt, "{state:?}");
        }
    }

    #[test]
    fn the_minimum_version_governs_opening_and_verifying() {
        let key = standing(Algorithm::MlDsa65, State::Active);
        assert_eq!(key.permits(Use::Verify, 1, NOW), Err(Refusal::BelowMinimum));
        assert_eq!(key.permits(Use::Verify, 2, NOW), Ok(()));
        assert_eq!(key.permits(Use::Verify, 4, NOW), Err(Refusal::NoSuchVersion));
        assert_eq!(key.permits(Use::Decrypt, 3, NOW), Err(Refusal::WrongKind));
    }

    #[test]
    fn an_expired_key_opens_but_makes_nothing_new() {
        let key = Standing { expires_at: Some(NOW), ..standing(Algorithm::Aes256Gcm, State::Active) };
        assert_eq!(key.permits(Use::Encrypt, 3, NOW), Err(Refusal::Expired));
        assert_eq!(key.permits(Use::Decrypt, 3, NOW), Ok(()));
    }

    #[test]
    fn revocation_and_deletion_have_no_way_back() {
        let revoked = State::Active.apply(Change::Revoke, NOW).unwrap();
        let doomed = revoked.apply(Change::ScheduleDeletion { days: 1 }, NOW).unwrap();
        for state in [revoked, doomed, State::Deleted] {
            for change in [Change::Activate, Change::Deprecate, Change::Disable] {
                assert!(state.apply(change, NOW).is_err(), "{state:?} {change:?}");
            }
        }
        assert_eq!((doomed.as_str(), doomed.status()), ("revoked", "scheduled_deletion"));
        assert_eq!(State::from_stored(doomed.as_str(), doomed.deletion_at()), Some(doomed));
        let pending = State::Active.apply(Change::ScheduleDeletion { days: 1 }, NOW).unwrap();
        assert_eq!(pending.deletion_at(), Some(NOW.plus_millis(DAY_MS)));
        assert_eq!(pending.apply(Change::Activate, NOW).unwrap(), State::Active);
        // Revoking what is to be destroyed does not keep it.
        assert_eq!(pending.apply(Change::Revoke, NOW).unwrap(), doomed);
        assert!(!doomed.is_due_for_deletion(NOW) && doomed.is_due_for_deletion(NOW.plus_millis(DAY_MS)));
    }
}
