//! Judging the peer of one handshake, by the snapshot that handshake took.
//!
//! A verifier lives for one handshake, so that its verdict can be read afterwards: rustls reports a refusal as an alert, and
//! the reason would be lost.

use std::sync::{Arc, Mutex, PoisonError};

use crypto::key::PublicKey;
use crypto::x509::{Certificate, GeneralName, KeyId, Purpose, SpiffeId, TrustDomain};
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, CommonState, DigitallySignedStruct};

use crate::frame::{Judge, Shown};
use crate::handshake::{Error, Refusal};
use crate::path::{self, Expectation};
use crate::peer::Peer;
use crate::provider;
use crate::snapshot::Snapshot;
use crate::whom::Whom;

/// Which side of the connection is judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Client,
    Server,
}

/// Judges one peer.
pub(super) struct Verifier {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) role: Role,
    pub(super) whom: Whom,
    pub(super) verdict: Arc<Verdict>,
}

/// What became of the judgement; empty until the peer has shown a certificate.
pub(super) struct Verdict(Mutex<Option<Result<Verified, Error>>>);

/// What a certificate says that was found valid.
pub(super) struct Verified {
    trust_domain: TrustDomain,
    spiffe_id: Option<SpiffeId>,
    dns_names: Vec<String>,
    issuer_key_id: Vec<u8>,
    anchor_key_id: Vec<u8>,
    serial: Vec<u8>,
    fingerprint: [u8; 32],
    pub(super) not_after: i64,
    key: PublicKey,
}

impl Judge for Verifier {
    fn judge(&self, shown: &Shown<'_>) -> Result<(), rustls::Error> {
        let outcome = verify(&self.snapshot, self.role, &self.whom, shown);
        let answer = outcome.as_ref().map(|_| ()).map_err(alert);
        self.verdict.set(outcome);
        answer
    }

    fn proves(&self, _: &CertificateDer<'_>, message: &[u8], signed: &DigitallySignedStruct) -> bool {
        let proves = self.verdict.proves(message, signed);
        if !proves {
            self.verdict.set(Err(Error::Signature));
        }
        proves
    }
}

/// Judges what a peer showed: that a path speaks for it, and that it is welcome.
pub(super) fn verify(snapshot: &Snapshot, role: Role, whom: &Whom, shown: &Shown<'_>) -> Result<Verified, Error> {
    // The name that the certificate must have. Services are recognised afterwards, by their ids.
    let names = match whom {
        Whom::Host(host) => vec![host.name()],
        _ => Vec::new(),
    };
    let expectation = Expectation { names, ..Expectation::peer(role.purpose()) };
    let verified = path(snapshot, &expectation, shown).map_err(Error::Certificate)?;
    match (whom, &verified.spiffe_id) {
        (Whom::Host(_), _) => Ok(verified),
        (whom, Some(id)) if whom.welcomes(id) => Ok(verified),
        (_, id) => Err(Error::Unwelcome(id.clone())),
    }
}

impl Verdict {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(None)))
    }

    fn set(&self, outcome: Result<Verified, Error>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    fn proves(&self, message: &[u8], signed: &DigitallySignedStruct) -> bool {
        let outcome = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Ok(verified)) = outcome.as_ref() else { return false };
        provider::proves(&verified.key, message, signed)
    }

    /// The reason behind an error: our own refusal, if there was one.
    pub(super) fn explain(&self, error: Error) -> Error {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(Err(refused)) => refused,
            _ => error,
        }
    }

    /// The peer of a handshake that is over. A handshake without a verdict is none.
    pub(super) fn peer(&self, connection: &CommonState) -> Result<Peer, Error> {
        let outcome = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let verified = outcome.unwrap_or(Err(Error::NoCertificate))?;
        let group = connection.negotiated_key_exchange_group().and_then(|group| group.name().as_str());
        Ok(Peer {
            spiffe_id: verified.spiffe_id,
            dns_names: verified.dns_names,
            issuer_key_id: verified.issuer_key_id,
            anchor_key_id: verified.anchor_key_id,
            trust_domain: verified.trust_domain,
            serial: verified.serial,
            fingerprint: verified.fingerprint,
            not_after: verified.not_after,
            certificate_algorithm: verified.key.algorithm(),
            group: group.unwrap_or("unknown"),
        })
    }
}

/// Validates the path from a leaf to an anchor of its trust domain: the one its SPIFFE id is of, or ours when it has none.
fn path(snapshot: &Snapshot, expectation: &Expectation, shown: &Shown<'_>) -> Result<Verified, Refusal> {
    let leaf = Certificate::parse(shown.leaf).map_err(path::Refusal::from)?;
    let sent: Result<Vec<_>, _> = shown.others.iter().map(|other| Certificate::parse(other)).collect();
    let domain = trust_domain(&leaf).unwrap_or_else(|| snapshot.home().clone());
    let trust = snapshot.trust(&domain).ok_or(Refusal::UnknownTrustDomain)?;
    let known = trust.known()?;
    let intermediates = [sent.map_err(path::Refusal::from)?, known.intermediates.clone()].concat();
    let verified = path::verify(&leaf, &intermediates, &known.trust, expectation, shown.now)?;
    let key_id = |certificate: Option<&Certificate>| certificate.and_then(Certificate::public_key).map(KeyId::of);
    let bytes = |id: Option<KeyId>| id.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
    Ok(Verified {
        issuer_key_id: bytes(key_id(verified.path.get(1).or(Some(&leaf)))),
        anchor_key_id: bytes(key_id(verified.path.last())),
        trust_domain: domain,
        spiffe_id: verified.spiffe_id,
        dns_names: verified.dns_names,
        serial: leaf.serial_number().as_bytes().to_vec(),
        fingerprint: leaf.fingerprint(),
        not_after: leaf.not_after(),
        key: leaf.public_key().ok_or_else(no_key)?.clone(),
    })
}

fn trust_domain(leaf: &Certificate) -> Option<TrustDomain> {
    let ids = leaf.alt_names().iter().filter_map(|name| match name {
        GeneralName::Uri(uri) => uri.parse::<SpiffeId>().ok(),
        _ => None,
    });
    ids.map(|id| id.trust_domain()).next()
}

/// The floor has refused it already.
fn no_key() -> path::Refusal {
    path::Refusal::new(path::Reason::AlgorithmRefused, "RFC 9881 2", "a key of no algorithm of ours")
}

/// What rustls sends the peer. The reason itself stays here.
pub(super) fn alert(error: &Error) -> rustls::Error {
    let reason = match error {
        Error::Certificate(Refusal::Path(refusal)) => Some(refusal.reason),
        Error::Certificate(Refusal::UnknownTrustDomain) => Some(path::Reason::NoPath),
        _ => None,
    };
    let certificate = match reason {
        Some(path::Reason::NoPath | path::Reason::BadSignature) => CertificateError::UnknownIssuer,
        Some(path::Reason::Expired) => CertificateError::Expired,
        Some(path::Reason::NotYetValid) => CertificateError::NotValidYet,
        Some(path::Reason::Revoked | path::Reason::Denied) => CertificateError::Revoked,
        Some(path::Reason::WrongName) => CertificateError::NotValidForName,
        Some(path::Reason::Malformed) => CertificateError::BadEncoding,
        _ => CertificateError::ApplicationVerificationFailure,
    };
    certificate.into()
}

impl Role {
    /// What the certificate of this side is used for.
    fn purpose(self) -> Purpose {
        match self {
            Self::Client => Purpose::ClientAuth,
            Self::Server => Purpose::ServerAuth,
        }
    }
}
