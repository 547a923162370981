use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use super::*;
use crate::credentials::Credentials;
use crate::trust::Trust;

type Outcome<T> = Result<(T, Peer), Error>;

/// Shakes hands in memory. The client reads a byte, because only then it learns what the server thought of it.
async fn meet(
    server: &ServerAcceptor,
    client: &ClientConnector,
    whom: &Whom,
) -> (Result<Peer, Error>, Result<Peer, Error>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (accepted, connected): (Outcome<_>, Outcome<_>) =
        tokio::join!(server.accept(far, &Whom::AnyService), client.connect(near, whom));
    (accepted.map(|(_, peer)| peer), connected.map(|(_, peer)| peer))
}

/// What a foreign client, which believes everything and has no certificate, makes the server say.
async fn knock(server: &ServerAcceptor, provider: CryptoProvider) -> Error {
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    let (near, far) = tokio::io::duplex(1 << 16);
    let connector = TlsConnector::from(Arc::new(config));
    let (accepted, _) = tokio::join!(server.accept(far, &Whom::AnyService), connector.connect(unnamed(), near));
    accepted.expect_err("the server let in a stranger")
}

/// The example certificate of RFC 9881 with its key.
fn example() -> Credentials {
    let chain = include_bytes!("../../../../tests/vectors/lamps-mldsa/ML-DSA-65.crt");
    let key = include_bytes!("../../../../tests/vectors/lamps-mldsa/ML-DSA-65-seed.priv");
    Credentials::from_pem(chain, key).unwrap()
}

fn live(credentials: Credentials) -> Arc<Live> {
    let anchors = credentials.chain().map(<[u8]>::to_vec).collect();
    Live::new(Snapshot::new(credentials, Trust::new("qapi.internal".parse().unwrap(), anchors)))
}

#[tokio::test]
async fn a_certificate_without_spiffe_id_is_no_service() {
    let live = live(example());
    let (accepted, connected) =
        meet(&ServerAcceptor::new(Arc::clone(&live)), &ClientConnector::new(live), &Whom::AnyService).await;
    assert!(matches!(connected, Err(Error::Unwelcome(None))), "{connected:?}");
    assert!(matches!(accepted, Err(Error::RefusedByPeer("AccessDenied"))), "{accepted:?}");
}

#[tokio::test]
async fn strangers_are_refused_for_what_they_lack() {
    let server = ServerAcceptor::new(live(example()));
    let hybrid = aws_lc_rs::default_provider;
    let classical = CryptoProvider { kx_groups: vec![kx_group::X25519, kx_group::SECP256R1], ..hybrid() };
    for (provider, reason) in [(hybrid(), "no_certificate"), (classical, "group")] {
        assert_eq!(knock(&server, provider).await.reason(), reason);
    }
}

#[tokio::test]
async fn silence_ends_the_handshake() {
    let server = ServerAcceptor::new(live(example())).with_timeout(Duration::from_millis(20));
    let (_near, far) = tokio::io::duplex(64);
    let silent = server.accept(far, &Whom::AnyService).await.map(|(_, peer)| peer);
    assert!(matches!(silent, Err(Error::TimedOut(_))), "{silent:?}");
}

/// A verifier that a careless client might have.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        crate::provider::MESH_SCHEMES.to_vec()
    }
}
