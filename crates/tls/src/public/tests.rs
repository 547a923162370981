use crypto::algorithm::Algorithm;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;
use crate::fixture::{Authority, Leaf};

struct Site {
    quantum_safe: Authority,
    classical: Authority,
    certificates: Certificates,
}

fn site() -> Site {
    let (quantum_safe, classical) = (Authority::new(Algorithm::MlDsa65), Authority::new(Algorithm::EcdsaP256));
    let names = ["DNS:vault.example"];
    let certificates = Certificates {
        quantum_safe: quantum_safe.issue(&Leaf::of(&names)).1,
        classical: Some(classical.issue(&Leaf { algorithm: Algorithm::EcdsaP256, ..Leaf::of(&names) }).1),
    };
    Site { quantum_safe, classical, certificates }
}

/// A client that trusts one authority, and speaks what its provider does.
fn client(trusted: &Authority, provider: CryptoProvider) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(trusted.certificate.clone())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

fn without_ml_dsa() -> CryptoProvider {
    let whole = aws_lc_rs::default_provider();
    let old = |(scheme, _): &&(SignatureScheme, _)| !provider::MESH_SCHEMES.contains(scheme);
    let mapping: Vec<_> = whole.signature_verification_algorithms.mapping.iter().filter(old).copied().collect();
    let algorithms = WebPkiSupportedAlgorithms { mapping: mapping.leak(), ..whole.signature_verification_algorithms };
    CryptoProvider { signature_verification_algorithms: algorithms, ..whole }
}

fn classical() -> CryptoProvider {
    CryptoProvider { kx_groups: vec![kx_group::X25519], ..without_ml_dsa() }
}

/// One connection and one byte each way. What the server made of it, and whether the session was resumed.
async fn visit(server: &PublicAcceptor, client: &TlsConnector) -> Result<(Session, bool), Error> {
    let (near, far) = tokio::io::duplex(1 << 16);
    let serve = async {
        let (mut stream, session) = server.accept(far).await?;
        stream.write_all(b"!").await?;
        stream.flush().await?;
        let resumed = stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        let _closed = stream.read(&mut [0]).await;
        Ok((session, resumed))
    };
    let name = ServerName::try_from("vault.example").unwrap();
    let visit = async {
        let mut stream = client.connect(name, near).await?;
        stream.read_exact(&mut [0]).await?;
        stream.shutdown().await
    };
    let (served, _) = tokio::join!(serve, visit);
    served
}

#[tokio::test]
async fn everybody_is_shown_what_they_can_read() {
    let site = site();
    let server = PublicAcceptor::new(Strictness::Compatible);
    server.swap(&site.certificates).unwrap();
    let rows = [
        (&site.quantum_safe, aws_lc_rs::default_provider(), "ML-DSA-65", "X25519MLKEM768"),
        (&site.classical, without_ml_dsa(), "ECDSA-P256", "X25519MLKEM768"),
        (&site.classical, classical(), "ECDSA-P256", "X25519"),
    ];
    for (trusted, provider, certificate, group) in rows {
        let (session, resumed) = visit(&server, &client(trusted, provider)).await.unwrap();
        assert_eq!((session, resumed), (Session { certificate, group }, false));
    }
}

#[tokio::test]
async fn a_strict_listener_refuses_who_is_not_quantum_safe() {
    let site = site();
    let server = PublicAcceptor::new(Strictness::QuantumSafe);
    let early = visit(&server, &client(&site.quantum_safe, aws_lc_rs::default_provider())).await;
    assert_eq!(early.unwrap_err().reason(), "no_credentials");
    server.swap(&site.certificates).unwrap();
    visit(&server, &client(&site.quantum_safe, aws_lc_rs::default_provider())).await.unwrap();
    for (provider, reason) in [(without_ml_dsa(), "signature_algorithm"), (classical(), "group")] {
        let refused = visit(&server, &client(&site.classical, provider)).await;
        assert_eq!(refused.unwrap_err().reason(), reason);
    }
}

#[tokio::test]
async fn a_session_is_resumed_until_the_certificates_are_exchanged() {
    let site = site();
    let server = PublicAcceptor::new(Strictness::Compatible);
    let client = client(&site.quantum_safe, aws_lc_rs::default_provider());
    server.swap(&site.certificates).unwrap();
    let resumed = [visit(&server, &client).await.unwrap().1, visit(&server, &client).await.unwrap().1];
    server.swap(&site.certificates).unwrap();
    let after = visit(&server, &client).await.unwrap().1;
    assert_eq!((resumed, after), ([false, true], false));
}
