//! What rustls asks of whoever judges certificates, around a judge of ours.
//!
//! Here is what all of them have in common: TLS 1.3 alone, ML-DSA alone, and no hints to strangers about whom is trusted.

use std::fmt;

use crypto::x509::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, PeerMisbehaved, SignatureScheme};

use crate::provider::{self, MESH_SCHEMES};

/// What a peer showed in its handshake.
pub struct Shown<'a> {
    /// Its certificate.
    pub leaf: &'a CertificateDer<'a>,
    /// What came behind it.
    pub others: &'a [CertificateDer<'a>],
    /// The name that a server was asked for.
    pub name: Option<&'a ServerName<'a>>,
    /// Now, in seconds since the Unix epoch.
    pub now: i64,
}

/// Judges the certificates of peers.
pub trait Judge: Send + Sync {
    /// Whether a peer is what it should be.
    fn judge(&self, shown: &Shown<'_>) -> Result<(), rustls::Error>;

    /// Whether the peer has the key of the certificate that was found good.
    fn proves(&self, leaf: &CertificateDer<'_>, message: &[u8], signed: &DigitallySignedStruct) -> bool {
        let leaf = Certificate::parse(leaf).ok();
        leaf.as_ref().and_then(Certificate::public_key).is_some_and(|key| provider::proves(key, message, signed))
    }
}

/// A judge as rustls takes it, for either side of a connection.
pub struct Framed<J>(pub J);

impl<J: Judge> Framed<J> {
    fn prove(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.0.proves(leaf, message, signed) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        Err(CertificateError::BadSignature.into())
    }
}

impl<J> fmt::Debug for Framed<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Framed")
    }
}

impl<J: Judge> ClientCertVerifier for Framed<J> {
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
        let shown = Shown { leaf: end_entity, others: intermediates, name: None, now: seconds(now) };
        self.0.judge(&shown).map(|()| ClientCertVerified::assertion())
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
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.prove(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        MESH_SCHEMES.to_vec()
    }
}

impl<J: Judge> ServerCertVerifier for Framed<J> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Shown { leaf: end_entity, others: intermediates, name: Some(server_name), now: seconds(now) };
        self.0.judge(&shown).map(|()| ServerCertVerified::assertion())
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
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.prove(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        MESH_SCHEMES.to_vec()
    }
}

fn seconds(now: UnixTime) -> i64 {
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// draft-ietf-tls-mldsa section 3: an ML-DSA signature in TLS 1.2 is an illegal parameter. It cannot come this far.
const NOT_IN_TLS_1_2: PeerMisbehaved = PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme;
