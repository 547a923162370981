//! Whom one trust domain is believed through: its anchors, and what narrows that belief.

use std::sync::OnceLock;

use crypto::algorithm::Algorithm;
use crypto::x509::{Certificate, Crl, KeyId, SerialNumber, TrustDomain};

use crate::path::{self, Floor, Refusal};
use crate::peer::Peer;

/// The anchors of one trust domain with everything that is checked against them.
#[derive(Clone)]
pub struct Trust {
    domain: TrustDomain,
    anchors: Vec<Vec<u8>>,
    intermediates: Vec<Vec<u8>>,
    denied: Vec<Denied>,
    crls: Vec<Vec<u8>>,
    floor: Algorithm,
    known: OnceLock<Result<Known, Refusal>>,
}

/// The same, read: once for all the handshakes that judge by it.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) trust: path::Trust,
    pub(crate) intermediates: Vec<Certificate>,
}

/// One certificate that is refused although it is valid.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Denied {
    /// The subject key identifier of the certificate that signed it.
    pub issuer_key_id: Vec<u8>,
    /// Its serial number, as the bytes of the DER integer.
    pub serial: Vec<u8>,
}

impl Trust {
    /// A trust domain and its anchors in DER. Certificates of less than ML-DSA-65 are refused unless told otherwise.
    pub fn new(domain: TrustDomain, anchors: Vec<Vec<u8>>) -> Self {
        Self {
            domain,
            anchors,
            intermediates: Vec::new(),
            denied: Vec::new(),
            crls: Vec::new(),
            floor: Algorithm::MlDsa65,
            known: OnceLock::new(),
        }
    }

    /// Certificates in DER that may stand between a leaf and an anchor when the peer does not send them.
    #[must_use]
    pub fn with_intermediates(mut self, intermediates: Vec<Vec<u8>>) -> Self {
        self.intermediates = intermediates;
        self.known = OnceLock::new();
        self
    }

    /// The deny list. Whoever passes it has checked its signature.
    #[must_use]
    pub fn with_denied(mut self, denied: Vec<Denied>) -> Self {
        self.denied = denied;
        self.known = OnceLock::new();
        self
    }

    /// Revocation lists in DER; their signatures are checked when they are used.
    #[must_use]
    pub fn with_crls(mut self, crls: Vec<Vec<u8>>) -> Self {
        self.crls = crls;
        self.known = OnceLock::new();
        self
    }

    /// The weakest algorithm that a certificate of the path may be signed with or hold.
    #[must_use]
    pub fn with_floor(mut self, floor: Algorithm) -> Self {
        self.floor = floor;
        self.known = OnceLock::new();
        self
    }

    /// The trust domain.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }
    /// The anchors in DER.
    pub fn anchors(&self) -> &[Vec<u8>] {
        &self.anchors
    }

    /// What is known, read. Trust that cannot be read believes nobody: a damaged revocation list must not let anybody in.
    pub(crate) fn known(&self) -> Result<&Known, Refusal> {
        self.known.get_or_init(|| self.read()).as_ref().map_err(Clone::clone)
    }

    /// Whether neither a peer's number nor its authority is refused.
    pub(crate) fn believes(&self, peer: &Peer) -> bool {
        let Ok(known) = self.known() else { return false };
        let is_anchor = |anchor: &Certificate| {
            anchor.public_key().is_some_and(|key| KeyId::of(key).as_bytes() == peer.anchor_key_id)
        };
        let (issuer, serial) = (KeyId::from_bytes(&peer.issuer_key_id), SerialNumber::from_bytes(&peer.serial));
        known.trust.anchors.iter().any(is_anchor) && !known.trust.denied.has(issuer, serial)
    }

    fn read(&self) -> Result<Known, Refusal> {
        let certificates = |ders: &[Vec<u8>]| -> Result<Vec<Certificate>, Refusal> {
            ders.iter().map(|der| Certificate::parse(der).map_err(Refusal::from)).collect()
        };
        let crls: Result<Vec<Crl>, Refusal> =
            self.crls.iter().map(|der| Crl::parse(der).map_err(Refusal::from)).collect();
        let denied = self
            .denied
            .iter()
            .map(|denied| (KeyId::from_bytes(&denied.issuer_key_id), SerialNumber::from_bytes(&denied.serial)));
        let trust = path::Trust {
            anchors: certificates(&self.anchors)?,
            crls: crls?,
            denied: denied.collect(),
            floor: floor(self.floor),
            rigor: path::Rigor::Standard,
        };
        Ok(Known { trust, intermediates: certificates(&self.intermediates)? })
    }
}

fn floor(weakest: Algorithm) -> Floor {
    match weakest {
        Algorithm::MlDsa44 => Floor::MlDsa44,
        Algorithm::MlDsa65 => Floor::MlDsa65,
        Algorithm::MlDsa87 => Floor::MlDsa87,
        _ => Floor::DangerClassical,
    }
}
