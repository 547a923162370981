use std::sync::Mutex;
use std::time::Duration;

use crypto::key::PrivateKey;
use crypto::x509::{Role, SerialNumber, SigningRequest, Statement};

use super::super::clock::paused::PausedClock;
use super::*;
use crate::error::Error;

const START_S: i64 = 1_800_000_000;
const HOUR_S: i64 = 3_600;
const NAME: &str = "webhook.shop.svc";

/// What the authority does wrong when it issues.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mischief {
    None,
    Away,
    AwayForClassical,
    OtherKey,
    OtherName,
    Expired,
    ForClientsAlone,
    OtherAuthority,
}

/// Two authorities in memory, one of each kind.
struct TestIssuer {
    clock: Arc<PausedClock>,
    random: EntropyPool,
    keys: Mutex<[PrivateKey; 2]>,
    mischief: Mutex<Mischief>,
    asked: Mutex<Vec<&'static str>>,
}

struct Scene {
    clock: Arc<PausedClock>,
    issuer: Arc<TestIssuer>,
    serving: Serving,
    folder: tempfile::TempDir,
}

impl TestIssuer {
    fn new(clock: Arc<PausedClock>) -> Arc<Self> {
        let (random, mischief) = (random::pool(), Mutex::new(Mischief::None));
        let keys = Mutex::new(keys(&random));
        Arc::new(Self { clock, random, keys, mischief, asked: Mutex::default() })
    }

    /// What clients trust.
    fn anchors(&self) -> String {
        let keys = self.keys.lock().unwrap();
        keys.iter().map(|key| self.sign(key, key, Role::Authority { path_len: Some(0) }, "")).collect()
    }

    fn rotate(&self) {
        *self.keys.lock().unwrap() = keys(&self.random);
    }

    fn sign(&self, by: &PrivateKey, of: &PrivateKey, role: Role, name: &str) -> String {
        let statement = self.statement(of.public_key().unwrap(), role, name);
        pem::encode(pem::CERTIFICATE, &statement.sign(by, &self.random).unwrap())
    }

    fn statement(&self, key: crypto::key::PublicKey, role: Role, name: &str) -> Statement {
        let (now_s, is_leaf) = (self.clock.now_s(), role == Role::EndEntity);
        let authority_usage = KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN;
        Statement {
            serial_number: SerialNumber::draw(&self.random),
            issuer: "CN=Issuing".parse().unwrap(),
            subject: if is_leaf { DistinguishedName::default() } else { "CN=Issuing".parse().unwrap() },
            not_before: now_s - 60,
            not_after: now_s + if is_leaf { 24 } else { 10_000 } * HOUR_S,
            key,
            role,
            key_usage: if is_leaf { KeyUsage::DIGITAL_SIGNATURE } else { authority_usage },
            purposes: if is_leaf { vec![Purpose::ServerAuth] } else { Vec::new() },
            alt_names: if is_leaf { vec![AltName::Dns(name.to_owned())] } else { Vec::new() },
            permitted_dns: Vec::new(),
            policies: Vec::new(),
            no_rev_avail: is_leaf,
            crl_urls: Vec::new(),
            issuer_urls: Vec::new(),
        }
    }

    fn issued(&self, wish: &IssueCertificate) -> Result<Issued, Error> {
        let (mischief, profile) = (*self.mischief.lock().unwrap(), wish.profile.as_deref().unwrap());
        let is_classical = profile == "mesh-compat";
        self.asked.lock().unwrap().push(if is_classical { "classical" } else { "quantum-safe" });
        if mischief == Mischief::Away || (mischief == Mischief::AwayForClassical && is_classical) {
            return Err(Error::Foreign { status: 502 });
        }
        let request = &pem::blocks(wish.csr.as_deref().unwrap()).unwrap()[0].der;
        let request = SigningRequest::parse(request).unwrap();
        assert_eq!(request.public_key().algorithm().is_post_quantum(), !is_classical);
        let strangers = keys(&self.random);
        let pick = |keys: &[PrivateKey; 2]| keys[usize::from(is_classical)].public_key().unwrap();
        let mut statement = self.statement(request.public_key().clone(), Role::EndEntity, NAME);
        match mischief {
            Mischief::OtherKey => statement.key = pick(&strangers),
            Mischief::OtherName => statement.alt_names.push(AltName::Dns("bank".to_owned())),
            Mischief::Expired => statement.not_after = self.clock.now_s() - 1,
            Mischief::ForClientsAlone => statement.purposes = vec![Purpose::ClientAuth],
            _ => {}
        }
        let keys = self.keys.lock().unwrap();
        let by = if mischief == Mischief::OtherAuthority { &strangers } else { &*keys };
        let certificate = statement.sign(&by[usize::from(is_classical)], &self.random).unwrap();
        Ok(Issued { certificate: pem::encode(pem::CERTIFICATE, &certificate), chain: String::new() })
    }
}

fn keys(random: &EntropyPool) -> [PrivateKey; 2] {
    [Algorithm::MlDsa65, Algorithm::EcdsaP256].map(|algorithm| PrivateKey::generate(algorithm, random).unwrap())
}

impl Issuer for Arc<TestIssuer> {
    fn issue(&self, wish: IssueCertificate) -> Answer<'_, Issued> {
        Box::pin(async move { self.issued(&wish) })
    }
}

impl Scene {
    async fn begin() -> Self {
        let clock = Arc::new(PausedClock::at(START_S));
        let issuer = TestIssuer::new(Arc::clone(&clock));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("anchors.pem"), issuer.anchors()).unwrap();
        let wanted = Wanted::new([NAME], folder.path().join("anchors.pem")).unwrap().with_danger_classical();
        let serving = Serving::start_with(wanted, Box::new(Arc::clone(&issuer)), Arc::clone(&clock) as _).await;
        Self { clock, issuer, serving: serving.unwrap(), folder }
    }

    fn serials(&self) -> Vec<String> {
        self.serving.status().shown.into_iter().map(|shown| shown.serial_number).collect()
    }

    fn is_valid(&self) -> bool {
        self.serving.status().window().unwrap().holds(self.clock.now_s())
    }

    fn does(&self, mischief: Mischief) {
        *self.issuer.mischief.lock().unwrap() = mischief;
    }
}

async fn hours(hours: u64) {
    tokio::time::sleep(Duration::from_secs(3_600 * hours)).await;
}

#[tokio::test(start_paused = true)]
async fn both_are_renewed_together_four_hours_before_their_end() {
    let scene = Scene::begin().await;
    let algorithms: Vec<_> = scene.serving.status().shown.iter().map(|shown| shown.algorithm).collect();
    assert_eq!(algorithms, ["ML-DSA-65", "ECDSA-P256"]);
    let first = scene.serials();
    hours(19).await;
    assert_eq!(scene.serials(), first);
    hours(2).await;
    let second = scene.serials();
    assert!(second.iter().all(|serial| !first.contains(serial)), "{second:?}");
    assert_eq!((scene.serving.status().renewals.done, scene.issuer.asked.lock().unwrap().len()), (1, 4));
    hours(100).await;
    assert!(scene.is_valid());
}

#[tokio::test(start_paused = true)]
async fn what_clients_would_refuse_is_never_shown_and_takes_the_place_of_nothing() {
    for (mischief, reason) in [
        (Mischief::Away, "502"),
        (Mischief::AwayForClassical, "502"),
        (Mischief::OtherKey, "another key"),
        (Mischief::OtherName, "other names"),
        (Mischief::Expired, "not valid now"),
        (Mischief::ForClientsAlone, "refused as a server"),
        (Mischief::OtherAuthority, "refused as a server"),
    ] {
        let scene = Scene::begin().await;
        let first = scene.serials();
        scene.does(mischief);
        hours(22).await;
        let status = scene.serving.status();
        assert!(status.renewals.last_failure.clone().unwrap_or_default().contains(reason), "{mischief:?}: {status:?}");
        assert!(status.renewals.failures > 10 && scene.is_valid(), "{mischief:?}: {status:?}");
        assert_eq!(scene.serials(), first, "{mischief:?}");
        hours(3).await;
        assert!(!scene.is_valid(), "{mischief:?}: nothing that has ended counts");
        scene.does(Mischief::None);
        hours(1).await;
        assert!(scene.is_valid() && scene.serving.status().renewals.failures == 0, "{mischief:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_authority_is_used_from_when_clients_trust_it() {
    let scene = Scene::begin().await;
    let (first, old) = (scene.serials(), scene.issuer.anchors());
    scene.issuer.rotate();
    scene.serving.renew().await.unwrap_err();
    assert_eq!(scene.serials(), first);
    std::fs::write(scene.folder.path().join("anchors.pem"), old + &scene.issuer.anchors()).unwrap();
    scene.serving.renew().await.unwrap();
    assert_ne!(scene.serials(), first);
    for unusable in ["", "no PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        std::fs::write(scene.folder.path().join("anchors.pem"), unusable).unwrap();
        assert!(matches!(scene.serving.renew().await, Err(Failed::Anchors(NoAnchors::NotPem(_)))), "{unusable}");
    }
}

#[test]
fn what_is_no_name_is_refused() {
    for names in [&[][..], &["*.example"], &["Example"], &["a..b"], &["a", ""]] {
        assert!(Wanted::new(names.iter().copied(), "anchors.pem").is_err(), "{names:?}");
    }
}
