//! How far a cached value can be trusted: not at all once its tenant's epoch has moved, and nothing revocable once the
//! change feed has been out of reach for too long.

use api::error::ErrorCode;
use domain::ids::TenantId;
use store::Store;
use store::epoch::{Epochs, Freshness as Feed, Mark};

use crate::problem::{Outcome, Problem};

/// The change feed, as caches ask it.
pub struct Freshness {
    epochs: Epochs,
}

/// Where a tenant stood when something was read.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    mark: Mark,
    is_fresh: bool,
}

impl Freshness {
    /// Over the store's feed.
    pub fn new(store: &Store) -> Self {
        Self { epochs: store.epochs().clone() }
    }

    /// Where the tenant stands now. Taken before a value is read, it can only be too old, never too new.
    pub fn stand(&self, tenant: TenantId) -> Outcome<Stand> {
        let feed = self.in_reach()?;
        Ok(Stand { mark: self.epochs.mark(tenant), is_fresh: feed == Feed::Fresh })
    }

    /// Refuses while the database is out of reach: then nothing revocable is answered.
    pub fn in_reach(&self) -> Outcome<Feed> {
        match self.epochs.freshness() {
            Feed::Blind => {
                let message = "The database has been out of reach for more than a second.";
                Err(Problem::new(ErrorCode::Unavailable, message).retry_after(1))
            }
            feed => Ok(feed),
        }
    }
}

impl Stand {
    /// Whether what was read at this stand may still be used now.
    pub fn holds(&self, now: &Stand) -> bool {
        now.is_fresh && self.mark == now.mark
    }

    /// Whether nothing is known to have changed between the two.
    pub fn is_of_the_epoch_of(&self, other: &Stand) -> bool {
        self.mark == other.mark
    }
}
