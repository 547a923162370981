//! Whom a handshake met.

use crypto::algorithm::Algorithm;
use crypto::x509::{SpiffeId, TrustDomain};

/// The other side of a connection, as its verified certificate and the handshake tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// The service's id, when the certificate has one.
    pub spiffe_id: Option<SpiffeId>,
    /// The DNS names of the certificate.
    pub dns_names: Vec<String>,
    /// The identifier of the key that signed the certificate.
    pub issuer_key_id: Vec<u8>,
    /// The identifier of the anchor's key, which speaks for the certificate in the end.
    pub anchor_key_id: Vec<u8>,
    /// The trust domain whose anchor it is.
    pub trust_domain: TrustDomain,
    /// The certificate's serial number, as the bytes of the DER integer.
    pub serial: Vec<u8>,
    /// The SHA-256 of the certificate, by which tokens are bound to it (RFC 8705).
    pub fingerprint: [u8; 32],
    /// The last second of the certificate's validity, in seconds since 1970. A connection should not outlive it.
    pub not_after: i64,
    /// The algorithm of the certificate's key, which signed the handshake.
    pub certificate_algorithm: Algorithm,
    /// The group of the key exchange.
    pub group: &'static str,
}
