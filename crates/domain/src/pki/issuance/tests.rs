use crypto::key::PrivateKey;
use crypto::random::Random;

use super::super::lifetime::HOUR_S;
use super::super::profile::Profiles;
use super::*;

/// Numbers are not the subject of these tests.
struct Fixed;

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

const NOW: i64 = 1_800_000_000;

fn wish(subject: &str, names: &[&str]) -> Wish {
    Wish {
        subject: subject.parse().unwrap(),
        names: names.iter().map(|name| name.parse().unwrap()).collect(),
        ..Wish::default()
    }
}

struct Scene {
    profile: &'static str,
    algorithm: Algorithm,
    learning: Learning,
    limit: Option<&'static str>,
    issuer_ends: i64,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            profile: "service-mtls-24h",
            algorithm: Algorithm::MlDsa65,
            learning: Learning::On,
            limit: None,
            issuer_ends: NOW + 1_000 * DAY_S,
        }
    }
}

impl Scene {
    fn prepare(&self, wish: Wish) -> Result<IssuanceToken, Refusal> {
        let profiles = Profiles::built_in().unwrap();
        let allowed = vec!["svc.cluster.local".parse().unwrap(), "localhost".parse().unwrap()];
        let policy = NamePolicy::new("td", allowed, Learning::On).unwrap();
        let issuer = Issuer {
            subject: "CN=Issuer".parse().unwrap(),
            not_after_s: self.issuer_ends,
            crl_url: "http://ca/crl".to_owned(),
            certificate_url: "http://ca/cert".to_owned(),
        };
        let key = PrivateKey::generate(self.algorithm, &Fixed).unwrap().public_key().unwrap();
        let admits = |name: &str| self.limit.is_none_or(|limit| name.starts_with(limit));
        prepare(
            wish,
            Terms {
                profile: profiles.get(self.profile).unwrap(),
                policy: &policy,
                issuer: &issuer,
                key,
                serial_number: SerialNumber::draw(&Fixed),
                now_s: NOW,
                admits: &admits,
                learning: self.learning,
            },
        )
    }
}

/// The request of the seed, keyEncipherment included.
#[test]
fn the_documented_request_is_granted_without_what_the_standard_forbids() {
    let mut wish = wish("CN=users-api,O=users-api,C=EU", &["users-api", "users-api.users-api.svc.cluster.local"]);
    wish.usage = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT;
    wish.purposes = vec![Purpose::ClientAuth, Purpose::ServerAuth];
    wish.lifetime_s = Some(24 * HOUR_S);
    let strict = Wish { strictness: Strictness::Strict, ..wish.clone() };
    let token = Scene::default().prepare(wish).unwrap();
    assert!(token.warnings()[0].contains("keyEncipherment") && token.warnings()[0].contains("RFC 9881"));
    assert_eq!(token.learned().unwrap().permitted_dns(), ["svc.cluster.local", "localhost", "users-api"]);
    let statement = token.spend();
    assert_eq!(statement.key_usage, KeyUsage::DIGITAL_SIGNATURE);
    assert_eq!(statement.subject.to_string(), "CN=users-api,O=users-api,C=EU");
    assert_eq!((statement.not_before, statement.not_after), (NOW - 60, NOW + 24 * HOUR_S));
    assert_eq!(statement.alt_names.last().unwrap().to_string(), "URI:spiffe://td/ns/users-api/sa/users-api");
    assert!(statement.no_rev_avail && statement.crl_urls.is_empty());
    assert!(matches!(Scene::default().prepare(strict), Err(Refusal::NotIssued(_))));
}

#[test]
fn nothing_is_issued_when_nothing_is_left() {
    for (usage, purposes) in [
        (KeyUsage::KEY_ENCIPHERMENT, vec![]),
        (KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN, vec![]),
        (KeyUsage::DIGITAL_SIGNATURE, vec![Purpose::Any]),
    ] {
        let wish = Wish { usage, purposes, ..wish("", &["localhost"]) };
        assert!(matches!(Scene::default().prepare(wish), Err(Refusal::NotIssued(cuts)) if !cuts.is_empty()));
    }
}

#[test]
fn names_outside_a_fence_are_all_told() {
    let refused = |scene: &Scene, subject: &str, names: &[&str]| match scene.prepare(wish(subject, names)) {
        Err(Refusal::Names(names)) => names,
        other => panic!("{other:?}"),
    };
    let wild = ["*.svc.cluster.local", "a_b.svc.cluster.local", "localhost"];
    assert_eq!(refused(&Scene::default(), "", &wild), ["DNS:*.svc.cluster.local", "DNS:a_b.svc.cluster.local"]);
    let off = Scene { learning: Learning::Off, ..Scene::default() };
    assert_eq!(refused(&off, "", &["users-api", "localhost"]), ["DNS:users-api"]);
    // A common name that reads as a name is one.
    assert_eq!(refused(&off, "CN=admin.example.com", &["localhost"]), ["DNS:admin.example.com"]);
    let confined = Scene { limit: Some("users"), learning: Learning::Off, ..Scene::default() };
    assert_eq!(
        refused(&confined, "", &["orders.shop.svc.cluster.local", "users.shop.svc.cluster.local"]),
        ["DNS:orders.shop.svc.cluster.local", "URI:spiffe://td/ns/shop/sa/orders"]
    );
    let foreign = ["localhost", "spiffe://elsewhere/ns/a/sa/b"];
    assert_eq!(refused(&Scene::default(), "", &foreign), ["URI:spiffe://elsewhere/ns/a/sa/b"]);
}

#[test]
fn a_lifetime_ends_with_the_profile_and_with_the_authority() {
    let ends = |scene: &Scene, lifetime_s| {
        let token = scene.prepare(Wish { lifetime_s: Some(lifetime_s), ..wish("", &["localhost"]) }).unwrap();
        (token.warnings().len(), token.statement().not_after - NOW, token.statement().no_rev_avail)
    };
    let service = Scene::default();
    assert_eq!(ends(&service, HOUR_S), (0, HOUR_S, true));
    assert_eq!(ends(&service, 25 * HOUR_S), (1, DAY_S, true));
    let server = Scene { profile: "server", ..Scene::default() };
    assert_eq!(ends(&server, 30 * DAY_S), (0, 30 * DAY_S, false));
    let ending = Scene { issuer_ends: NOW + 100, ..Scene::default() };
    assert_eq!(ends(&ending, HOUR_S), (1, 100, true));
    let ended = Scene { issuer_ends: NOW, ..Scene::default() };
    assert_eq!(ended.prepare(wish("", &["localhost"])).unwrap_err(), Refusal::IssuerEnded);
}

#[test]
fn a_wish_that_contradicts_itself_is_refused() {
    let scene = Scene::default();
    for wish in [
        wish("", &[]),
        wish("", &["127.0.0.1"]),
        wish("CN=a,CN=b", &["localhost"]),
        wish("", &["spiffe://td/ns/a/sa/b", "spiffe://td/ns/a/sa/c"]),
        Wish { lifetime_s: Some(0), ..wish("", &["localhost"]) },
    ] {
        assert!(matches!(scene.prepare(wish.clone()), Err(Refusal::Malformed(_))), "{wish:?}");
    }
    let classical = Scene { algorithm: Algorithm::EcdsaP256, ..Scene::default() };
    assert!(matches!(classical.prepare(wish("", &["localhost"])), Err(Refusal::Algorithm { .. })));
    let compatible = Scene { algorithm: Algorithm::EcdsaP256, profile: "mesh-compat", ..Scene::default() };
    compatible.prepare(wish("", &["localhost"])).unwrap();
}
