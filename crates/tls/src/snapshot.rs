//! What a side of mTLS knows at one moment, as one value, and the place where it is exchanged while connections run.
//!
//! Key, chain, anchors and deny list belong together: a handshake takes all of them from the same snapshot, so it never
//! shows a new certificate while judging by old anchors. Nothing is rebuilt when a snapshot is exchanged.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::Arc;

use crypto::x509::TrustDomain;
use tokio::sync::watch;

use crate::credentials::Credentials;
use crate::peer::Peer;
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

    /// Whether a peer that was let in once would not be refused for its number or its authority now. Its end is not asked about.
    pub fn believes(&self, peer: &Peer) -> bool {
        self.trust(&peer.trust_domain).is_some_and(|trust| trust.believes(peer))
    }
}

/// The current snapshot. Acceptors and connectors that share it see an exchange at their next handshake, and whoever holds a
/// connection can wait for the one that takes the belief in its peer back.
pub struct Live(watch::Sender<Arc<Snapshot>>);

impl Live {
    /// Starts with a snapshot.
    pub fn new(snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Arc::new(snapshot))))
    }

    /// The snapshot of this moment.
    pub fn load(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts a new snapshot in the old one's place. Handshakes that have begun finish with the old one.
    pub fn swap(&self, snapshot: Snapshot) {
        self.0.send_replace(Arc::new(snapshot));
    }

    /// Ends when a peer is no longer believed: its number is on the deny list, or its authority has left. That may be at once,
    /// when its handshake finished with an older snapshot.
    pub fn disbelief(&self, peer: Peer) -> impl Future<Output = ()> + Send + use<> {
        let mut changes = self.0.subscribe();
        async move {
            // Nobody exchanges anything any more: then nothing is taken back either.
            if changes.wait_for(|snapshot| !snapshot.believes(&peer)).await.is_err() {
                pending().await
            }
        }
    }
}
