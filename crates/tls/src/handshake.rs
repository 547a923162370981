//! Why a handshake did not come about, in labels that can be counted.

use std::io;
use std::time::Duration;

use crypto::x509::SpiffeId;
use rustls::{AlertDescription, PeerIncompatible};

use crate::path;

/// A handshake that failed or was refused by either side.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer's certificate was refused.
    #[error("refusing the peer's certificate")]
    Certificate(#[source] Refusal),
    /// The peer is who it says, and is not welcome here.
    #[error("{} is not welcome here", .0.as_ref().map_or("a peer without a SPIFFE id", SpiffeId::as_str))]
    Unwelcome(Option<SpiffeId>),
    /// The client showed no certificate.
    #[error("the client showed no certificate")]
    NoCertificate,
    /// The peer did not prove that it has the key of its certificate.
    #[error("the peer's signature over the handshake is wrong")]
    Signature,
    /// No key exchange group in common: a peer with classical groups alone.
    #[error("no key exchange group in common")]
    Group,
    /// No signature algorithm in common.
    #[error("no signature algorithm in common")]
    SignatureAlgorithm,
    /// The peer does not speak TLS 1.3.
    #[error("no TLS version in common")]
    Version,
    /// The peer refused us with an alert. For a client this is what a refused certificate looks like, and since TLS 1.3 it
    /// comes with the first read, after the client's own handshake has succeeded.
    #[error("the peer refused with the alert {0}")]
    RefusedByPeer(&'static str),
    /// This side has no certificate yet.
    #[error("there is no certificate to show yet")]
    NoCredentials,
    /// It took too long.
    #[error("no handshake within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The connection broke.
    #[error("the connection broke")]
    Connection(#[source] io::Error),
    /// What the peer sent is no TLS, or this side is set up wrongly.
    #[error("speaking TLS")]
    Protocol(#[source] rustls::Error),
}

/// Why a certificate is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Its trust domain has no anchors here.
    #[error("its trust domain is not known here")]
    UnknownTrustDomain,
    /// No path speaks for it, or it is not what it should be.
    #[error(transparent)]
    Path(#[from] path::Refusal),
}

impl Refusal {
    /// A label that stays the same from version to version.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownTrustDomain => "unknown_trust_domain",
            Self::Path(refusal) => refusal.reason.code(),
        }
    }
}

impl Error {
    /// A label for counting that stays the same from version to version.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Certificate(refusal) => refusal.reason(),
            Self::Unwelcome(_) => "unwelcome",
            Self::NoCertificate => "no_certificate",
            Self::Signature => "signature",
            Self::Group => "group",
            Self::SignatureAlgorithm => "signature_algorithm",
            Self::Version => "version",
            Self::RefusedByPeer(_) => "refused_by_peer",
            Self::NoCredentials => "no_credentials",
            Self::TimedOut(_) => "timed_out",
            Self::Connection(_) => "connection",
            Self::Protocol(_) => "protocol",
        }
    }
}

/// What reading, writing or shaking hands over TLS failed with.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(inner) => inner.clone().into(),
            None => Self::Connection(error),
        }
    }
}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::NoCertificatesPresented => Self::NoCertificate,
            rustls::Error::AlertReceived(alert) => Self::RefusedByPeer(alert_name(alert)),
            rustls::Error::PeerIncompatible(why) => incompatible(why),
            other => Self::Protocol(other),
        }
    }
}

fn incompatible(why: PeerIncompatible) -> Error {
    match why {
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => Error::Group,
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired => Error::SignatureAlgorithm,
        PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => Error::Version,
        other => Error::Protocol(other.into()),
    }
}

fn alert_name(alert: AlertDescription) -> &'static str {
    alert.as_str().unwrap_or("of an unknown number")
}
