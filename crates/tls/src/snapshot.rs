//! What a side of mTLS knows at one moment, as one value, and the place where it is exchanged while connections run.
//!
//! Key, chain, anchors and deny list belong together: a handshake takes all of them from the same snapshot, so it never
//! shows a new certificate while judging by old anchors. Nothing is rebuilt when a snapshot is exchanged.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use crypto::x509::TrustDomain;

use crate::credentials::Credentials;
use crate::trust::Trust;

/// Credentials and trust of one moment.
#[derive(Clone)]
pub struct Snapshot {
    credentials: Credentials,
    home: TrustDomain,
    trust: BTreeMap<TrustDomain, Trust>,
}

impl Snapshot {
    /// Credentials, and the trust domain they belong to.
    pub fn new(credentials: Credentials, home: Trust) -> Self {
        let domain = home.domain().clone();
        Self { credentials, home: domain.clone(), trust: BTreeMap::from([(domain, home)]) }
    }

    /// Believes another trust domain too. Its anchors speak for its own names alone.
    #[must_use]
    pub fn with_trust(mut self, other: Trust) -> Self {
        self.trust.insert(other.domain().clone(), other);
        self
    }

    /// What this side proves itself with.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The trust domain this side belongs to.
    pub fn home(&self) -> &TrustDomain {
        &self.home
    }

    /// The trust in a domain, when it is known.
    pub fn trust(&self, domain: &TrustDomain) -> Option<&Trust> {
        self.trust.get(domain)
    }
}

/// The current snapshot. Acceptors and connectors that share it see an exchange at their next handshake.
pub struct Live(ArcSwap<Snapshot>);

impl Live {
    /// Starts with a snapshot.
    pub fn new(snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(snapshot)))
    }

    /// The snapshot of this moment.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Puts a new snapshot in the old one's place. Handshakes that have begun finish with the old one.
    pub fn swap(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
