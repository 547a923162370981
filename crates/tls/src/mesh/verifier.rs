//! Judging the peer of one handshake, by the snapshot that handshake took.
//!
//! A verifier lives for one handshake, so that its verdict can be read afterwards: rustls reports a refusal as an alert, and
//! the reason would be lost.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crypto::key::PublicKey;
use crypto::x509::{Certificate, GeneralName, KeyId, Purpose, SpiffeId, TrustDomain};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, CommonState, DigitallySignedStruct, DistinguishedName, PeerMisbehaved, SignatureScheme,
};

use crate::handshake::{Error, Refusal};
use crate::path::{self, Expectation};
use crate::peer::Peer;
use crate::provider::{self, MESH_SCHEMES};
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
struct Verified {
    spiffe_id: Option<SpiffeId>,
    dns_names: Vec<String>,
    issuer_key_id: Vec<u8>,
    serial: Vec<u8>,
    not_after: i64,
    key: PublicKey,
}

impl Verifier {
    fn judge(&self, leaf: &[u8], others: &[CertificateDer<'_>], now: UnixTime) -> Result<(), rustls::Error> {
        let outcome = self.verify(leaf, others, now);
        let answer = outcome.as_ref().map(|_| ()).map_err(alert);
        self.verdict.set(outcome);
        answer
    }

    fn verify(&self, leaf: &[u8], others: &[CertificateDer<'_>], now: UnixTime) -> Result<Verified, Error> {
        let verified = path(self, leaf, others, now).map_err(Error::Certificate)?;
        match (&self.whom, &verified.spiffe_id) {
            (Whom::Host(_), _) => Ok(verified),
            (whom, Some(id)) if whom.welcomes(id) => Ok(verified),
            (_, id) => Err(Error::Unwelcome(id.clone())),
        }
    }

    /// The name that the certificate must have. Services are recognised afterwards, by their ids.
    fn names(&self) -> Vec<path::Name> {
        match &self.whom {
            Whom::Host(host) => vec![host.name()],
            _ => Vec::new(),
        }
    }

    /// Whether the peer has the key of the certificate that was found valid.
    fn prove(&self, message: &[u8], signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.verdict.proves(message, signed) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        self.verdict.set(Err(Error::Signature));
        Err(CertificateError::BadSignature.into())
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
            serial: verified.serial,
            not_after: verified.not_after,
            certificate_algorithm: verified.key.algorithm(),
            group: group.unwrap_or("unknown"),
        })
    }
}

/// Validates the path from a leaf to an anchor of its trust domain: the one its SPIFFE id is of, or ours when it has none.
fn path(verifier: &Verifier, leaf: &[u8], others: &[CertificateDer<'_>], now: UnixTime) -> Result<Verified, Refusal> {
    let leaf = Certificate::parse(leaf).map_err(path::Refusal::from)?;
    let sent: Result<Vec<_>, _> = others.iter().map(|other| Certificate::parse(other)).collect();
    let snapshot = &verifier.snapshot;
    let domain = trust_domain(&leaf).unwrap_or_else(|| snapshot.home().clone());
    let trust = snapshot.trust(&domain).ok_or(Refusal::UnknownTrustDomain)?;
    let known = trust.known()?;
    let intermediates = [sent.map_err(path::Refusal::from)?, known.intermediates.clone()].concat();
    let expectation = Expectation { names: verifier.names(), ..Expectation::peer(verifier.role.purpose()) };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let verified = path::verify(&leaf, &intermediates, &known.trust, &expectation, now)?;
    let issuer = verified.path.get(1).unwrap_or(&leaf).public_key().map(KeyId::of);
    Ok(Verified {
        issuer_key_id: issuer.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
        spiffe_id: verified.spiffe_id,
        dns_names: verified.dns_names,
        serial: leaf.serial_number().as_bytes().to_vec(),
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
fn alert(error: &Error) -> rustls::Error {
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

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({:?}, {:?})", self.role, self.whom)
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // No hints: they would tell everybody who knocks which authorities there are.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.judge(end_entity, intermediates, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(NOT_IN_TLS_1_2.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.prove(message, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        MESH_SCHEMES.to_vec()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge(end_entity, intermediates, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(NOT_IN_TLS_1_2.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.prove(message, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        MESH_SCHEMES.to_vec()
    }
}

/// draft-ietf-tls-mldsa section 3: an ML-DSA signature in TLS 1.2 is an illegal parameter. It cannot come this far.
const NOT_IN_TLS_1_2: PeerMisbehaved = PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme;
