//! Share links: one secret, shown to whoever holds the token, for so long and so often.

use crate::time::Timestamp;

/// What a link's row says about it.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Revoked by its maker.
    pub revoked: bool,
    /// Retired because its secret is no longer readable.
    pub retired: bool,
    /// The end of its life.
    pub expires_at: Timestamp,
    /// How often it may be opened; unlimited when absent.
    pub max_accesses: Option<u32>,
    /// How often it was opened.
    pub accesses: u32,
}

/// The link's status as the wire shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Can be opened.
    Active,
    /// Revoked by its maker.
    Revoked,
    /// Past its end.
    Expired,
    /// Opened as often as allowed.
    Exhausted,
    /// Its secret is gone or deactivated.
    Retired,
}

impl Status {
    /// The wire's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Revoked => "Revoked",
            Self::Expired => "Expired",
            Self::Exhausted => "Exhausted",
            Self::Retired => "Retired",
        }
    }
}

impl Standing {
    /// The status at `now`; the strongest reason wins.
    pub fn status(&self, now: Timestamp) -> Status {
        if self.revoked {
            Status::Revoked
        } else if self.retired {
            Status::Retired
        } else if self.expires_at <= now {
            Status::Expired
        } else if self.max_accesses.is_some_and(|max| self.accesses >= max) {
            Status::Exhausted
        } else {
            Status::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_reason_wins() {
        let link = Standing {
            revoked: false,
            retired: false,
            expires_at: Timestamp::from_millis(10),
            max_accesses: Some(2),
            accesses: 1,
        };
        let now = Timestamp::from_millis(5);
        assert_eq!(link.status(now), Status::Active);
        assert_eq!(Standing { accesses: 2, ..link }.status(now), Status::Exhausted);
        assert_eq!(Standing { accesses: 2, ..link }.status(Timestamp::from_millis(10)), Status::Expired);
        assert_eq!(Standing { retired: true, ..link }.status(now), Status::Retired);
        assert_eq!(Standing { revoked: true, retired: true, ..link }.status(now), Status::Revoked);
        assert_eq!(Standing { max_accesses: None, accesses: 999, ..link }.status(now), Status::Active);
    }
}
