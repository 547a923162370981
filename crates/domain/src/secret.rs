//! Secrets: what makes one readable, and how its versions follow one another.

use crate::time::Timestamp;

/// What decides whether a secret's value may be shown.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Deactivated secrets keep their history and show nothing.
    pub is_active: bool,
    /// After this instant the value is no longer shown.
    pub expires_at: Option<Timestamp>,
}

/// Why a value is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Deactivated.
    #[error("the secret is deactivated")]
    Inactive,
    /// Past its expiry.
    #[error("the secret has expired")]
    Expired,
}

impl Standing {
    /// Whether the value may be shown at `now`.
    pub fn readable(&self, now: Timestamp) -> Result<(), Unreadable> {
        if !self.is_active {
            return Err(Unreadable::Inactive);
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(Unreadable::Expired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_unexpired_secret_is_readable() {
        let now = Timestamp::from_millis(10);
        for (is_active, expires_at, verdict) in [
            (true, None, Ok(())),
            (true, Some(11), Ok(())),
            (true, Some(10), Err(Unreadable::Expired)),
            (false, None, Err(Unreadable::Inactive)),
        ] {
            let standing = Standing { is_active, expires_at: expires_at.map(Timestamp::from_millis) };
            assert_eq!(standing.readable(now), verdict);
        }
    }
}
