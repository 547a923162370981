use crypto::algorithm::Algorithm;
use crypto::x509::{Purpose, SpiffeId};
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::credentials::Credentials;
use crate::fixture::{Authority, DAY, Leaf, now};
use crate::trust::{Denied, Trust};

const SERVER: [&str; 2] = ["DNS:users-api", "URI:spiffe://qapi.internal/ns/users/sa/users-api"];
const CLIENT: [&str; 2] = ["DNS:gateway", "URI:spiffe://qapi.internal/ns/edge/sa/gateway"];

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

fn service(name: &str) -> Whom {
    Whom::service(id(&format!("spiffe://qapi.internal/{name}")))
}

fn trust(authority: &Authority) -> Trust {
    Trust::new("qapi.internal".parse().unwrap(), vec![authority.certificate.clone()])
}

fn live(credentials: &Credentials, trust: Trust) -> Arc<Live> {
    Live::new(Snapshot::new(credentials.clone(), trust))
}

/// What a side made of a meeting: the peer, or the label of the refusal.
type Outcome = Result<Peer, &'static str>;

/// Shakes hands in memory and exchanges a byte each way. The client reads, because only then it learns what the server
/// thought of it.
async fn meet(server: &ServerAcceptor, callers: &Whom, client: &ClientConnector, whom: &Whom) -> (Outcome, Outcome) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let serve = async {
        let (mut stream, peer) = server.accept(far, callers).await?;
        stream.write_all(b"!").await?;
        stream.flush().await?;
        let _closed = stream.read(&mut [0]).await;
        Ok::<_, Error>(peer)
    };
    let call = async {
        let (mut stream, peer) = client.connect(near, whom).await?;
        stream.read_exact(&mut [0]).await?;
        stream.shutdown().await?;
        Ok::<_, Error>(peer)
    };
    let (served, called) = tokio::join!(serve, call);
    (served.map_err(|error| error.reason()), called.map_err(|error| error.reason()))
}

/// Two services of one authority, and what is changed about them.
struct Pair {
    authority: Authority,
    server: Credentials,
    client: Credentials,
}

impl Pair {
    fn new() -> Self {
        let authority = Authority::new(Algorithm::MlDsa65);
        let (server, client) = (authority.issue(&Leaf::of(&SERVER)).1, authority.issue(&Leaf::of(&CLIENT)).1);
        Self { authority, server, client }
    }

    async fn meet_with(&self, server: (&Credentials, Trust), client: (&Credentials, Trust)) -> (Outcome, Outcome) {
        let acceptor = ServerAcceptor::new(live(server.0, server.1));
        let connector = ClientConnector::new(live(client.0, client.1));
        meet(&acceptor, &service("ns/edge/sa/gateway"), &connector, &service("ns/users/sa/users-api")).await
    }

    fn trust(&self) -> Trust {
        trust(&self.authority)
    }
}

#[tokio::test]
async fn two_services_meet_and_know_each_other() {
    let pair = Pair::new();
    let (served, called) = pair.meet_with((&pair.server, pair.trust()), (&pair.client, pair.trust())).await;
    let (caller, host) = (served.unwrap(), called.unwrap());
    assert_eq!(caller.spiffe_id, Some(id("spiffe://qapi.internal/ns/edge/sa/gateway")));
    assert_eq!(host.dns_names, ["users-api"]);
    assert_eq!((host.group, host.certificate_algorithm), ("X25519MLKEM768", Algorithm::MlDsa65));
    let leaf = pair.client.leaf().unwrap();
    assert_eq!((caller.serial.as_slice(), caller.not_after), (leaf.serial_number().as_bytes(), leaf.not_after()));
    assert_eq!(caller.issuer_key_id, leaf.authority_key_id().unwrap().as_bytes());
}

#[tokio::test]
async fn a_peer_that_is_not_what_it_should_be_is_refused_on_both_sides() {
    let pair = Pair::new();
    let other = Authority::new(Algorithm::MlDsa65);
    let of = Leaf::of;
    type Make<'a> = Box<dyn Fn(&'static [&'static str]) -> Credentials + 'a>;
    let rows: Vec<(&str, Make<'_>)> = vec![
        ("bad_signature", Box::new(|names| other.issue(&of(names)).1)),
        (
            "expired",
            Box::new(|names| {
                pair.authority.issue(&Leaf { not_after: now() - 1, not_before: now() - DAY, ..of(names) }).1
            }),
        ),
        ("not_yet_valid", Box::new(|names| pair.authority.issue(&Leaf { not_before: now() + 600, ..of(names) }).1)),
        (
            "wrong_purpose",
            Box::new(|names| {
                pair.authority
                    .issue(&Leaf { purposes: vec![Purpose::Other("1.3.6.1.5.5.7.3.4".parse().unwrap())], ..of(names) })
                    .1
            }),
        ),
        (
            "algorithm_refused",
            Box::new(|names| pair.authority.issue(&Leaf { algorithm: Algorithm::MlDsa44, ..of(names) }).1),
        ),
    ];
    let floored = || pair.trust().with_floor(Algorithm::MlDsa65);
    for (reason, make) in rows {
        let (bad_server, bad_client) = (make(&SERVER), make(&CLIENT));
        let (served, called) = pair.meet_with((&bad_server, floored()), (&pair.client, floored())).await;
        assert_eq!((served.unwrap_err(), called.unwrap_err()), ("refused_by_peer", reason));
        let (served, called) = pair.meet_with((&pair.server, floored()), (&bad_client, floored())).await;
        assert_eq!((served.unwrap_err(), called.unwrap_err()), (reason, "refused_by_peer"));
    }
}

#[tokio::test]
async fn who_is_valid_and_not_meant_is_refused() {
    let pair = Pair::new();
    let acceptor = ServerAcceptor::new(live(&pair.server, pair.trust()));
    let connector = ClientConnector::new(live(&pair.client, pair.trust()));
    let everybody = Whom::TrustDomain("qapi.internal".parse().unwrap());
    let host = |name: &str| Whom::Host(name.parse().unwrap());
    let rows = [
        (&everybody, everybody.clone(), None, None),
        (&Whom::AnyService, host("users-api"), None, None),
        (&everybody, host("gateway"), Some("refused_by_peer"), Some("wrong_name")),
        (&everybody, host("127.0.0.1"), Some("refused_by_peer"), Some("wrong_name")),
        (&everybody, service("ns/users/sa/other"), Some("refused_by_peer"), Some("unwelcome")),
        (&service("ns/edge/sa/other"), everybody.clone(), Some("unwelcome"), Some("refused_by_peer")),
        (
            &Whom::TrustDomain("elsewhere".parse().unwrap()),
            everybody.clone(),
            Some("unwelcome"),
            Some("refused_by_peer"),
        ),
    ];
    for (callers, whom, server_says, client_says) in rows {
        let (served, called) = meet(&acceptor, callers, &connector, &whom).await;
        assert_eq!((served.err(), called.err()), (server_says, client_says), "{callers:?} {whom:?}");
    }
}

#[tokio::test]
async fn the_anchors_of_a_trust_domain_speak_for_no_other() {
    let (ours, theirs) = (Authority::new(Algorithm::MlDsa65), Authority::new(Algorithm::MlDsa65));
    let server = ours.issue(&Leaf::of(&SERVER)).1;
    let federated = |client: &Credentials| {
        let other = Trust::new("partner.example".parse().unwrap(), vec![theirs.certificate.clone()]);
        let acceptor = ServerAcceptor::new(Live::new(Snapshot::new(server.clone(), trust(&ours)).with_trust(other)));
        (acceptor, ClientConnector::new(live(client, trust(&ours))))
    };
    let rows = [
        (["URI:spiffe://partner.example/sa/x"], None),
        (["URI:spiffe://qapi.internal/sa/x"], Some("bad_signature")),
        (["URI:spiffe://nobody.example/sa/x"], Some("unknown_trust_domain")),
        (["DNS:nameless"], Some("bad_signature")),
    ];
    for (names, reason) in rows {
        let (acceptor, connector) = federated(&theirs.issue(&Leaf::of(&names)).1);
        let (served, _) = meet(&acceptor, &Whom::AnyService, &connector, &service("ns/users/sa/users-api")).await;
        assert_eq!(served.err(), reason, "{names:?}");
    }
}

#[tokio::test]
async fn an_exchanged_snapshot_counts_from_the_next_handshake() {
    let pair = Pair::new();
    let (statement, fresh) = pair.authority.issue(&Leaf::of(&CLIENT));
    let serial = statement.serial_number.as_bytes().to_vec();
    let live_server = live(&pair.server, pair.trust());
    let live_client = live(&fresh, pair.trust());
    let (acceptor, connector) =
        (ServerAcceptor::new(Arc::clone(&live_server)), ClientConnector::new(Arc::clone(&live_client)));
    let whom = service("ns/users/sa/users-api");
    let (served, _) = meet(&acceptor, &Whom::AnyService, &connector, &whom).await;
    let issuer_key_id = served.unwrap().issuer_key_id;
    let denied = Denied { issuer_key_id, serial };
    live_server.swap(Snapshot::new(pair.server.clone(), pair.trust().with_denied(vec![denied])));
    let (served, called) = meet(&acceptor, &Whom::AnyService, &connector, &whom).await;
    assert_eq!((served.err(), called.err()), (Some("denied"), Some("refused_by_peer")));
    live_client.swap(Snapshot::new(pair.client.clone(), pair.trust()));
    let (served, called) = meet(&acceptor, &Whom::AnyService, &connector, &whom).await;
    assert!(served.is_ok() && called.is_ok(), "a renewed certificate is refused");
}

#[tokio::test]
async fn trust_that_cannot_be_read_trusts_nobody() {
    let pair = Pair::new();
    let broken =
        [pair.trust().with_crls(vec![vec![0x30]]), Trust::new("qapi.internal".parse().unwrap(), vec![vec![0x30]])];
    for broken in broken {
        let (served, _) = pair.meet_with((&pair.server, broken), (&pair.client, pair.trust())).await;
        assert_eq!(served.err(), Some("malformed"));
    }
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

#[tokio::test]
async fn strangers_are_refused_for_what_they_lack() {
    let pair = Pair::new();
    let server = ServerAcceptor::new(live(&pair.server, pair.trust()));
    let hybrid = aws_lc_rs::default_provider;
    let classical = CryptoProvider { kx_groups: vec![kx_group::X25519, kx_group::SECP256R1], ..hybrid() };
    for (provider, reason) in [(hybrid(), "no_certificate"), (classical, "group")] {
        assert_eq!(knock(&server, provider).await.reason(), reason);
    }
}

#[tokio::test]
async fn silence_ends_the_handshake() {
    let pair = Pair::new();
    let server = ServerAcceptor::new(live(&pair.server, pair.trust())).with_timeout(Duration::from_millis(20));
    let (_near, far) = tokio::io::duplex(64);
    let silent = server.accept(far, &Whom::AnyService).await.map(|(_, peer)| peer);
    assert!(matches!(silent, Err(Error::TimedOut(_))), "{silent:?}");
}

#[tokio::test]
async fn a_client_of_tls_1_2_is_refused_for_its_version() {
    let pair = Pair::new();
    let server = ServerAcceptor::new(live(&pair.server, pair.trust()));
    let (mut near, far) = tokio::io::duplex(1 << 16);
    near.write_all(&HELLO_OF_TLS_1_2).await.unwrap();
    let refused = server.accept(far, &Whom::AnyService).await.map(|(_, peer)| peer);
    assert_eq!(refused.unwrap_err().reason(), "version");
    let mut alert = [0; 7];
    near.read_exact(&mut alert).await.unwrap();
    // RFC 9846 section 6: a fatal protocol_version.
    assert_eq!((alert[0], &alert[5..]), (21, &[2, 70][..]));
}

/// RFC 5246 section 7.4.1.2: one suite, no compression, the extensions that clients of its time send, and no
/// supported_versions.
const HELLO_OF_TLS_1_2: [u8; 72] = {
    let mut hello = [0; 72];
    let start = [22, 3, 1, 0, 67, 1, 0, 0, 63, 3, 3];
    let end = [0, 0, 2, 0xc0, 0x2c, 1, 0, 0, 20, 0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 4, 3, 0, 23, 0, 0];
    let mut at = 0;
    while at < start.len() {
        hello[at] = start[at];
        at += 1;
    }
    let mut from = 0;
    while from < end.len() {
        hello[43 + from] = end[from];
        from += 1;
    }
    hello
};

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

#[tokio::test]
async fn belief_in_a_peer_ends_with_its_number_or_its_authority_and_with_nothing_else() {
    let pair = Pair::new();
    let (other, again) = (Authority::new(Algorithm::MlDsa65), Pair::new());
    let (served, _) = pair.meet_with((&pair.server, pair.trust()), (&pair.client, pair.trust())).await;
    let peer = served.unwrap();
    let denied = |serial: &[u8]| Denied { issuer_key_id: peer.issuer_key_id.clone(), serial: serial.to_vec() };
    let both = || {
        Trust::new(
            "qapi.internal".parse().unwrap(),
            vec![other.certificate.clone(), pair.authority.certificate.clone()],
        )
    };
    let rows = [
        ("another number is denied", both().with_denied(vec![denied(&[1, 2, 3])]), false),
        ("an authority comes", both(), false),
        ("its number is denied", both().with_denied(vec![denied(&peer.serial)]), true),
        ("its authority leaves", trust(&other), true),
        ("another authority takes the place of its own", trust(&again.authority), true),
    ];
    for (situation, next, ends) in rows {
        let live = live(&pair.server, pair.trust());
        let mut disbelief = Box::pin(live.disbelief(peer.clone()));
        assert!(is_pending(&mut disbelief).await, "{situation}: before");
        live.swap(Snapshot::new(pair.server.clone(), next.clone()));
        assert_eq!(!is_pending(&mut disbelief).await, ends, "{situation}");
        // Who looks only after the exchange sees it, too.
        assert_eq!(!is_pending(&mut Box::pin(live.disbelief(peer.clone()))).await, ends, "{situation}: late");
    }
}

async fn is_pending(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())).await
}
