//! Tokens that are not believed, and an issuer that comes and goes.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::algorithm::Algorithm;
use crypto::jose::{Refusal, SigningKey};
use crypto::key::PrivateKey;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::random;

const API: &str = "https://orders.example";
const NOW_S: i64 = 1_800_000_000;

struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now_s(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// An issuer on this machine, whose keys and answers a test decides.
struct Issuer {
    url: String,
    key: SigningKey,
    published: Arc<Mutex<Value>>,
    introspection: Arc<Mutex<Value>>,
    is_away: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::new(PrivateKey::generate(algorithm, &random::pool()).unwrap()).unwrap()
}

fn locked(value: &Mutex<Value>) -> std::sync::MutexGuard<'_, Value> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = key(Algorithm::MlDsa65);
        let issuer = Self {
            url,
            published: Arc::new(Mutex::new(json!({ "keys": [key.public().to_jwk()] }))),
            key,
            introspection: Arc::new(Mutex::new(json!({ "active": false }))),
            is_away: Arc::default(),
            asked: Arc::default(),
        };
        let (published, introspection) = (Arc::clone(&issuer.published), Arc::clone(&issuer.introspection));
        let (is_away, asked, base) = (Arc::clone(&issuer.is_away), Arc::clone(&issuer.asked), issuer.url.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 64 * 1024];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let line = String::from_utf8_lossy(&request[..length]).into_owned();
                let body = match line.split(' ').nth(1) {
                    _ if is_away.load(Ordering::SeqCst) => continue,
                    Some("/.well-known/openid-configuration") => json!({
                        "issuer": base, "jwks_uri": format!("{base}/keys"), "introspection_endpoint": format!("{base}/introspect"),
                    }),
                    Some("/keys") => {
                        asked.fetch_add(1, Ordering::SeqCst);
                        locked(&published).clone()
                    }
                    _ => locked(&introspection).clone(),
                };
                let body = body.to_string();
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        issuer
    }

    fn settings(&self) -> Settings {
        let config = Config::new("").with_retries(0).with_timeout(Duration::from_secs(2));
        Settings::new(&self.url, API).with_config(config).with_clock(Arc::new(SetClock(AtomicI64::new(NOW_S))))
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(self.settings()).unwrap()
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.url, "sub": "ada", "aud": API, "client_id": "shop", "iat": NOW_S, "exp": NOW_S + 300, "jti": "t1",
            "scope": "orders:read", "role": ["staff"],
        })
    }

    fn token(&self) -> String {
        signed(&self.key, "at+jwt", &self.claims())
    }

    fn with(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[name] = value;
        signed(&self.key, "at+jwt", &claims)
    }

    fn without(&self, name: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name);
        signed(&self.key, "at+jwt", &claims)
    }
}

fn signed(key: &SigningKey, typ: &str, claims: &Value) -> String {
    key.sign(typ, claims.to_string().as_bytes(), &random::pool()).unwrap()
}

/// A token of this header with the payload and signature of another.
fn with_header(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let (head, rest) = token.split_once('.').unwrap();
    let mut head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    change(&mut head);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(head.to_string()))
}

#[tokio::test]
async fn a_good_token_says_who_comes_and_what_they_may() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    let access = verifier.verify(&issuer.token()).await.unwrap();
    assert_eq!((access.subject(), access.client_id(), access.is_client_itself()), ("ada", "shop", false));
    assert_eq!((access.roles(), access.expires_at_s()), (vec!["staff"], 1_800_000_300));
    assert!(access.allows("orders:read") && !access.allows("orders") && !access.allows(""));
    assert_eq!(access.must_allow("orders:write"), Err(Rejected::Scope("orders:write".to_owned())));
    verifier.verify(&issuer.with("aud", json!(["https://other.example", API]))).await.unwrap();
    verifier.verify(&signed(&issuer.key, "application/at+jwt", &issuer.claims())).await.unwrap();
    assert_eq!((verifier.status().fetches, verifier.status().failures, verifier.status().keys), (1, 0, 1));
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    for (token, why) in [
        (issuer.with("iss", json!(format!("{}/", issuer.url))), Refusal::Issuer),
        (issuer.with("aud", json!("https://orders.example/")), Refusal::Audience),
        (issuer.with("aud", json!([])), Refusal::Audience),
        (issuer.with("aud", json!([1])), Refusal::Claim("aud")),
        (issuer.with("exp", json!(NOW_S - 31)), Refusal::Expired),
        (issuer.with("exp", json!("never")), Refusal::Claim("exp")),
        (issuer.with("nbf", json!(NOW_S + 31)), Refusal::NotYetValid),
        (issuer.with("iat", json!(NOW_S + 31)), Refusal::NotYetValid),
        (issuer.with("scope", json!(["orders:read"])), Refusal::Claim("scope")),
        (issuer.without("iss"), Refusal::Claim("iss")),
        (issuer.without("aud"), Refusal::Claim("aud")),
        (issuer.without("exp"), Refusal::Claim("exp")),
        (issuer.without("sub"), Refusal::Claim("sub")),
        (issuer.without("client_id"), Refusal::Claim("client_id")),
        (issuer.without("iat"), Refusal::Claim("iat")),
        (issuer.without("jti"), Refusal::Claim("jti")),
        (signed(&issuer.key, "JWT", &issuer.claims()), Refusal::Typ),
        (signed(&issuer.key, "logout+jwt", &issuer.claims()), Refusal::Typ),
        (signed(&issuer.key, "at+jwt+x", &issuer.claims()), Refusal::Typ),
    ] {
        assert_eq!(verifier.verify(&token).await.err(), Some(Rejected::Token(why)), "{token}");
    }
    // The clocks may differ by half a minute.
    verifier.verify(&issuer.with("exp", json!(NOW_S - 29))).await.unwrap();
}

#[tokio::test]
async fn headers_choose_neither_key_nor_algorithm() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    let (good, forger) = (issuer.token(), key(Algorithm::MlDsa65));
    let forged = signed(&forger, "at+jwt", &issuer.claims());
    let kid = issuer.key.public().kid().unwrap().to_owned();
    let (signed_part, signature) = good.rsplit_once('.').unwrap();
    let header = |name: &'static str, value: Value| with_header(&good, |head| head[name] = value);
    for token in [
        forged.clone(),
        with_header(&forged, |head| head["kid"] = json!(kid)),
        with_header(&forged, |head| head["jwk"] = forger.public().to_jwk()),
        header("alg", json!("none")),
        header("alg", json!("None")),
        header("alg", json!("HS256")),
        header("alg", json!("ES256")),
        header("alg", json!("ML-DSA-44")),
        header("alg", json!("ml-dsa-65")),
        header("alg", json!(["ML-DSA-65"])),
        header("kid", json!("../../dev/null")),
        header("kid", json!("' OR '1'='1")),
        header("kid", json!("k".repeat(1_000))),
        header("kid", json!(7)),
        header("jku", json!("https://evil.example/keys")),
        header("x5u", json!("https://evil.example/cert")),
        header("crit", json!(["exp"])),
        header("zip", json!("DEF")),
        format!("{signed_part}."),
        format!("{signed_part}.{}", &signature[4..]),
        format!("{good}="),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!(" {good}"),
        signature.to_owned(),
        String::new(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "x.".repeat(20_000),
    ] {
        let refused = verifier.verify(&token).await.err();
        assert!(matches!(refused, Some(Rejected::Token(_))), "{refused:?}: {token:.200}");
    }
    verifier.verify(&good).await.unwrap();
}

/// Whatever letter of a token is changed, it is not believed.
#[tokio::test]
async fn no_letter_of_a_token_can_be_another() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    let good = issuer.token();
    let places: Vec<usize> = (0..good.len()).step_by(37).chain([good.len() - 1]).collect();
    for place in places {
        let mut bytes = good.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(bytes).unwrap();
        assert!(verifier.verify(&token).await.is_err(), "letter {place}");
    }
}

#[tokio::test]
async fn classical_keys_are_passed_over_unless_somebody_says_danger() {
    let issuer = Issuer::start().await;
    let classical = key(Algorithm::EcdsaP256);
    *locked(&issuer.published) = json!({ "keys": [issuer.key.public().to_jwk(), classical.public().to_jwk()] });
    let token = signed(&classical, "at+jwt", &issuer.claims());
    let refused = issuer.verifier().verify(&token).await.err();
    assert_eq!(refused, Some(Rejected::Token(Refusal::UnknownKey)));
    let open = Verifier::new(issuer.settings().with_danger_classical_signatures()).unwrap();
    open.verify(&token).await.unwrap();
    // A key of ML-DSA is still used with ML-DSA alone.
    assert!(open.verify(&with_header(&issuer.token(), |head| head["alg"] = json!("ES256"))).await.is_err());
}

#[tokio::test]
async fn a_bound_token_is_its_holders_alone() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    let bound = issuer.with("cnf", json!({ "x5t#S256": URL_SAFE_NO_PAD.encode([7; 32]) }));
    assert_eq!(verifier.verify(&bound).await.err(), Some(Rejected::Bound));
    assert_eq!(verifier.verify_shown_by(&bound, Some(&[8; 32])).await.err(), Some(Rejected::Bound));
    verifier.verify_shown_by(&bound, Some(&[7; 32])).await.unwrap();
    // Bound in a way that is not known here is bound all the same.
    for cnf in [json!({ "jkt": "x" }), json!({}), json!(null), json!("x")] {
        assert_eq!(
            verifier.verify_shown_by(&issuer.with("cnf", cnf), Some(&[7; 32])).await.err(),
            Some(Rejected::Bound)
        );
    }
}

#[tokio::test]
async fn keys_serve_while_the_issuer_is_away_and_failures_are_counted() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    issuer.is_away.store(true, Ordering::SeqCst);
    let refused = verifier.verify(&issuer.token()).await.err();
    assert!(matches!(refused, Some(Rejected::Unavailable(_))), "{refused:?}");
    // Nobody is asked again so soon.
    assert!(verifier.verify(&issuer.token()).await.is_err());
    assert_eq!((verifier.status().fetches, verifier.status().failures, verifier.status().age), (1, 1, None));
    issuer.is_away.store(false, Ordering::SeqCst);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    verifier.verify(&issuer.token()).await.unwrap();

    issuer.is_away.store(true, Ordering::SeqCst);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    tokio::time::resume();
    verifier.verify(&issuer.token()).await.unwrap();
    assert_eq!((verifier.status().failures, verifier.status().keys), (2, 1));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(86_400)).await;
    tokio::time::resume();
    assert!(matches!(verifier.verify(&issuer.token()).await.err(), Some(Rejected::Unavailable(_))));
}

#[tokio::test]
async fn a_new_key_is_found_and_invented_names_ask_nobody() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    verifier.verify(&issuer.token()).await.unwrap();
    let next = key(Algorithm::MlDsa65);
    let token = signed(&next, "at+jwt", &issuer.claims());
    for _ in 0..5 {
        assert_eq!(verifier.verify(&token).await.err(), Some(Rejected::Token(Refusal::UnknownKey)));
    }
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1);
    *locked(&issuer.published) = json!({ "keys": [issuer.key.public().to_jwk(), next.public().to_jwk()] });
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    verifier.verify(&token).await.unwrap();
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 2);
    // A key that is not published any more is not believed any more, five minutes later at the latest.
    *locked(&issuer.published) = json!({ "keys": [next.public().to_jwk()] });
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(301)).await;
    tokio::time::resume();
    assert_eq!(verifier.verify(&issuer.token()).await.err(), Some(Rejected::Token(Refusal::UnknownKey)));
}

#[tokio::test]
async fn metadata_and_keys_of_somebody_else_are_not_taken() {
    let issuer = Issuer::start().await;
    let settings = Settings::new(format!("{}/", issuer.url), API).with_config(Config::new("").with_retries(0));
    let refused = Verifier::new(settings).unwrap().verify(&issuer.token()).await.err();
    assert!(matches!(refused, Some(Rejected::Unavailable(_))), "{refused:?}");
    for keys in [json!({"keys": []}), json!({}), json!([]), json!({"keys": [{"kty": "oct", "k": "AAAA"}]})] {
        *locked(&issuer.published) = keys.clone();
        let refused = issuer.verifier().verify(&issuer.token()).await.err();
        assert!(matches!(refused, Some(Rejected::Unavailable(_))), "{keys}: {refused:?}");
    }
}

#[tokio::test]
async fn introspection_says_yes_or_nobody_is_believed() {
    let issuer = Issuer::start().await;
    assert!(matches!(issuer.verifier().introspect("x").await.err(), Some(Rejected::Unavailable(_))));
    let verifier = Verifier::new(issuer.settings().with_client("orders", "s3cret")).unwrap();
    assert_eq!(verifier.introspect(&issuer.token()).await.err(), Some(Rejected::Inactive));
    let mut alive = issuer.claims();
    alive["active"] = json!(true);
    *locked(&issuer.introspection) = alive.clone();
    assert_eq!(verifier.introspect(&issuer.token()).await.unwrap().subject(), "ada");
    // What has no signature is asked about at once.
    assert_eq!(verifier.verify("qat_opaque").await.unwrap().client_id(), "shop");
    assert!(matches!(verifier.introspect("a.b.c").await.err(), Some(Rejected::Token(_))));
    for (name, value) in
        [("active", json!("true")), ("aud", json!("https://other.example")), ("iss", json!("x")), ("exp", json!(1))]
    {
        let mut answer = alive.clone();
        answer[name] = value;
        *locked(&issuer.introspection) = answer;
        assert!(verifier.introspect(&issuer.token()).await.is_err(), "{name}");
    }
    *locked(&issuer.introspection) = alive;
    issuer.is_away.store(true, Ordering::SeqCst);
    assert!(matches!(verifier.introspect(&issuer.token()).await.err(), Some(Rejected::Unavailable(_))));
    // The signature alone is still enough for what is not sensitive.
    verifier.verify(&issuer.token()).await.unwrap();
}
