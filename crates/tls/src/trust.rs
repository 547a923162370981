//! Whom one trust domain is believed through: its anchors, and what narrows that belief.

use crypto::algorithm::Algorithm;

use crate::spiffe::TrustDomain;

/// The anchors of one trust domain with everything that is checked against them.
#[derive(Clone)]
pub struct Trust {
    domain: TrustDomain,
    anchors: Vec<Vec<u8>>,
    intermediates: Vec<Vec<u8>>,
    denied: Vec<Denied>,
    crls: Vec<Vec<u8>>,
    floor: Algorithm,
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
        }
    }

    /// Certificates in DER that may stand between a leaf and an anchor when the peer does not send them.
    #[must_use]
    pub fn with_intermediates(mut self, intermediates: Vec<Vec<u8>>) -> Self {
        self.intermediates = intermediates;
        self
    }

    /// The deny list. Whoever passes it has checked its signature.
    #[must_use]
    pub fn with_denied(mut self, denied: Vec<Denied>) -> Self {
        self.denied = denied;
        self
    }

    /// Revocation lists in DER; their signatures are checked when they are used.
    #[must_use]
    pub fn with_crls(mut self, crls: Vec<Vec<u8>>) -> Self {
        self.crls = crls;
        self
    }

    /// The weakest algorithm that a certificate of the path may be signed with or hold.
    #[must_use]
    pub fn with_floor(mut self, floor: Algorithm) -> Self {
        self.floor = floor;
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
}
