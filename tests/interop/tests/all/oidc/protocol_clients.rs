//! How clients prove who they are, and what authorization requests may say before anybody signs in.

use crypto::algorithm::Algorithm;
use crypto::jose::SigningKey;
use crypto::random::Seeded;
use serde_json::{Value, json};

use super::provider::{App, Provider, basic, client_key, compact, now_s, refused, signed_by};
use crate::client::Answer;
use crate::surface::encoded;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[test]
fn client_auth_two_methods() {
    let provider = Provider::start();
    let app = provider.service(&json!({}));
    let secret = app.secret.clone().unwrap();
    let grant = ("grant_type", "client_credentials");
    let (id, secret) = (("client_id", app.client_id.as_str()), ("client_secret", secret.as_str()));
    provider.form("/oauth2/token", &[grant, id, secret]).expect(200);
    provider.token(&app, &[grant, id]).expect(200);
    refused(&provider.token(&app, &[grant, id, secret]), 400, "invalid_request");
    refused(&provider.token(&app, &[grant, secret]), 400, "invalid_request");
    refused(&provider.token(&app, &[grant, ("client_id", "other")]), 400, "invalid_request");
    refused(&provider.form("/oauth2/token", &[grant, id]), 401, "invalid_client");
    refused(&provider.form("/oauth2/token", &[grant]), 401, "invalid_client");
    let wrong = App { secret: Some("qcs_wrong".into()), ..app.clone() };
    refused(&provider.token(&wrong, &[grant]), 401, "invalid_client");
    let unknown = App { client_id: "unknown".into(), ..app };
    refused(&provider.token(&unknown, &[grant]), 401, "invalid_client");
}

struct Keyed {
    provider: Provider,
    app: App,
    key: SigningKey,
}

impl Keyed {
    fn new(algorithm: Algorithm) -> Self {
        let provider = Provider::start();
        let key = client_key(algorithm, b"client");
        let settings = json!({ "clientAuth": "private_key_jwt", "jwks": { "keys": [key.public().to_jwk()] } });
        let app = provider.service(&settings);
        Self { provider, app, key }
    }

    fn claims(&self, jti: &str) -> Value {
        json!({
            "iss": self.app.client_id, "sub": self.app.client_id, "aud": self.provider.server.base_url(),
            "exp": now_s() + 60, "iat": now_s(), "jti": jti,
        })
    }

    fn sign(&self, claims: &Value) -> String {
        self.key.sign("JWT", claims.to_string().as_bytes(), &Seeded::new(b"hedge")).unwrap()
    }

    fn ask(&self, assertion: &str) -> Answer {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion),
        ];
        self.provider.form("/oauth2/token", &fields)
    }
}

#[test]
fn keys_that_are_none_are_passed_over_and_a_set_of_them_alone_is_refused() {
    let provider = Provider::start();
    let key = client_key(Algorithm::MlDsa65, b"client");
    let others = [json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AA"}), json!({"kty": "of the future"})];
    let settings = |keys: &[Value]| json!({"clientAuth": "private_key_jwt", "jwks": {"keys": keys}});
    let app = provider.service(&settings(&[&others[..], &[key.public().to_jwk()]].concat()));
    let keyed = Keyed { provider, app, key };
    keyed.ask(&keyed.sign(&keyed.claims("one"))).expect(200);
    let place = format!("/api/v1/applications/{}", keyed.app.id);
    for keys in [&others[..], &[json!({"kty": "oct"}), keyed.key.public().to_jwk()]] {
        let answer = keyed.provider.admin().put(&place, &settings(keys));
        assert!(answer.status == 400 && answer.text().contains("jwks: the key set is refused"), "{}", answer.text());
    }
}

#[test]
fn private_key_jwt_proves_who_a_client_is() {
    for algorithm in [Algorithm::MlDsa65, Algorithm::MlDsa44, Algorithm::EcdsaP256, Algorithm::Ed25519] {
        let keyed = Keyed::new(algorithm);
        keyed.ask(&keyed.sign(&keyed.claims("one"))).expect(200);
        let mut at_endpoint = keyed.claims("two");
        at_endpoint["aud"] = json!(format!("{}/oauth2/token", keyed.provider.server.base_url()));
        keyed.ask(&keyed.sign(&at_endpoint)).expect(200);
        // Each of the three is taken at each of them (RFC 9126, 2).
        let mut at_par = keyed.claims("three");
        at_par["aud"] = json!(format!("{}/oauth2/par", keyed.provider.server.base_url()));
        keyed.ask(&keyed.sign(&at_par)).expect(200);
    }
}

#[test]
fn assertion_replay_and_confusion() {
    let keyed = Keyed::new(Algorithm::MlDsa65);
    let good = keyed.sign(&keyed.claims("once"));
    keyed.ask(&good).expect(200);
    refused(&keyed.ask(&good), 401, "invalid_client");
    // The name is spent, whatever else the next one says.
    let mut later = keyed.claims("once");
    later["exp"] = json!(now_s() + 90);
    refused(&keyed.ask(&keyed.sign(&later)), 401, "invalid_client");
    let changed = |name: &str, value: Value| {
        let mut claims = keyed.claims(&format!("{name} {value}"));
        claims[name] = value;
        keyed.sign(&claims)
    };
    let base = keyed.provider.server.base_url();
    for (what, assertion) in [
        ("another audience", changed("aud", json!("https://other.example"))),
        ("several audiences", changed("aud", json!([base, "https://other.example"]))),
        ("one audience in a list", changed("aud", json!([base]))),
        ("another subject", changed("sub", json!("other"))),
        ("another issuer", changed("iss", json!("other"))),
        ("expired", changed("exp", json!(now_s() - 60))),
        ("for an hour", changed("exp", json!(now_s() + 3_600))),
        ("without an end", changed("exp", Value::Null)),
        ("not yet", changed("nbf", json!(now_s() + 300))),
        ("without a name", changed("jti", Value::Null)),
    ] {
        let answer = keyed.ask(&assertion);
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("invalid_client")), "{what}");
    }
    let claims = keyed.claims("forged");
    let jwk = keyed.key.public().to_jwk();
    let public = jwk["pub"].as_str().unwrap().to_owned();
    let unsigned = compact(&json!({"alg": "none"}), &claims, b"");
    let head = json!({"alg": "HS256", "kid": jwk["kid"]});
    let signed = compact(&head, &claims, b"");
    let mac = crypto::hash::hmac_sha256(public.as_bytes(), &[signed.trim_end_matches('.').as_bytes()]);
    let hs256 = compact(&head, &claims, &mac);
    let other = client_key(Algorithm::MlDsa65, b"somebody else");
    let by_other = other.sign("JWT", claims.to_string().as_bytes(), &Seeded::new(b"hedge")).unwrap();
    // These the application's own key signed: what is wrong with them is their header alone.
    let with = |name: &str, value: Value| {
        let mut header = json!({ "alg": "ML-DSA-65", "typ": "JWT", "kid": jwk["kid"] });
        header[name] = value;
        signed_by(b"client", &header, &claims)
    };
    let mut private = jwk.clone();
    private["priv"] = json!("AAAA");
    for (what, assertion) in [
        ("none", unsigned),
        ("HS256", hs256),
        ("another key", by_other),
        ("another algorithm", with("alg", json!("ML-DSA-44"))),
        ("a public key", with("jwk", jwk.clone())),
        ("a private key", with("jwk", private)),
        ("an address of keys", with("jku", json!("https://evil.example/keys"))),
        ("an extension", with("crit", json!(["exp"]))),
    ] {
        let answer = keyed.ask(&assertion);
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("invalid_client")), "{what}");
    }
    keyed.ask(&with("typ", json!("JWT"))).expect(200);
    let grant = ("grant_type", "client_credentials");
    refused(&keyed.provider.form("/oauth2/token", &[grant, ("client_assertion", "x")]), 400, "invalid_request");
    let id = ("client_id", keyed.app.client_id.as_str());
    refused(&keyed.provider.form("/oauth2/token", &[grant, id, ("client_secret", "qcs_x")]), 401, "invalid_client");
}

/// Where an authorization request leads, without anybody signed in.
struct Browser {
    provider: Provider,
    app: App,
}

impl Browser {
    fn new(kind: &str, settings: &Value) -> Self {
        let provider = Provider::start();
        let app = provider.app(kind, settings);
        Self { provider, app }
    }

    fn ask(&self, change: impl Fn(&mut Vec<(&'static str, String)>)) -> Answer {
        let mut fields = vec![
            ("client_id", self.app.client_id.clone()),
            ("response_type", "code".to_owned()),
            ("redirect_uri", "https://app.example/cb".to_owned()),
            ("scope", "openid".to_owned()),
            ("state", "st".to_owned()),
            ("code_challenge", CHALLENGE.to_owned()),
            ("code_challenge_method", "S256".to_owned()),
        ];
        change(&mut fields);
        let query: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        self.provider.admin().anonymous().get(&format!("/oauth2/authorize?{}", query.join("&")))
    }

    fn with(&self, name: &'static str, value: &str) -> Answer {
        self.ask(|fields| {
            fields.retain(|(known, _)| *known != name);
            fields.push((name, value.to_owned()));
        })
    }

    fn without(&self, name: &str) -> Answer {
        self.ask(|fields| fields.retain(|(known, _)| *known != name))
    }
}

/// Wants the application to be told, and by whom.
#[track_caller]
fn told(browser: &Browser, answer: &Answer, error: &str) {
    let location = answer.header("location").unwrap_or_default();
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(location.starts_with("https://app.example/cb?"), "{location}");
    assert!(location.contains(&format!("error={error}&")), "{location}, not {error}");
    let issuer = format!("iss={}", encoded(browser.provider.server.base_url()));
    assert!(location.contains(&issuer), "{location} does not say by whom");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// Wants a page, and no redirect.
#[track_caller]
fn page(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.header("location")), (400, None), "{what}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{what}");
    assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"), "{what}");
}

fn web() -> Browser {
    Browser::new("WebApp", &json!({ "redirectUris": ["https://app.example/cb"], "resources": ["urn:api"] }))
}

#[test]
fn response_type_missing_token_id_token_hybrid() {
    let browser = web();
    told(&browser, &browser.without("response_type"), "invalid_request");
    for other in ["token", "id_token", "code id_token", "code token", "none", "CODE"] {
        told(&browser, &browser.with("response_type", other), "unsupported_response_type");
    }
    told(&browser, &browser.with("response_mode", "fragment"), "invalid_request");
    told(&browser, &browser.with("scope", "openid admin"), "invalid_scope");
    told(&browser, &browser.with("resource", "urn:other"), "invalid_target");
    told(&browser, &browser.with("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported");
    told(&browser, &browser.with("request_uri", "https://evil.example/r"), "request_uri_not_supported");
}

#[test]
fn redirect_unregistered() {
    let browser = web();
    for wrong in [
        "https://evil.example/cb",
        "https://app.example/cb/more",
        "https://app.example/cb?x=1",
        "https://app.example/cb#x",
        "https://user@app.example/cb",
        "https://app.example/%2e%2e/cb",
        "https://app.example/Cb",
        "https://APP.example/cb",
        "https://app.example./cb",
        "https://app.example:443/cb",
        "https://xn--app-exmple-w5a/cb",
        "http://app.example/cb",
        "https://app.example\\cb",
        "",
    ] {
        page(&browser.with("redirect_uri", wrong), wrong);
    }
    page(&browser.without("redirect_uri"), "none");
    page(&browser.with("client_id", "nobody"), "an unknown client");
    page(&browser.without("client_id"), "no client");
}

#[test]
fn redirect_loopback() {
    let settings = json!({ "redirectUris": ["http://127.0.0.1/cb", "http://[::1]/cb"] });
    let native = Browser::new("NativeApp", &settings);
    for accepted in ["http://127.0.0.1:49152/cb", "http://127.0.0.1/cb", "http://[::1]:8080/cb"] {
        let answer = native.with("redirect_uri", accepted);
        assert_eq!(answer.status, 303, "{accepted}: {}", answer.text());
        assert!(answer.header("location").unwrap().starts_with("/login?interaction=qin_"), "{accepted}");
    }
    for refused in ["http://localhost:49152/cb", "http://127.0.0.1:49152/other", "http://127.0.0.2:80/cb"] {
        page(&native.with("redirect_uri", refused), refused);
    }
}

#[test]
fn pkce_missing_or_plain() {
    let browser = web();
    told(&browser, &browser.without("code_challenge"), "invalid_request");
    told(&browser, &browser.without("code_challenge_method"), "invalid_request");
    told(&browser, &browser.with("code_challenge_method", "plain"), "invalid_request");
    told(&browser, &browser.with("code_challenge", "short"), "invalid_request");
}

#[test]
fn state_nonce_long() {
    let browser = web();
    let long = "s".repeat(1_024);
    let answer = browser.ask(|fields| {
        fields.retain(|(name, _)| *name != "state" && *name != "response_type");
        fields.push(("state", long.clone()));
    });
    told(&browser, &answer, "invalid_request");
    assert!(answer.header("location").unwrap().contains(&format!("state={long}&")));
    told(&browser, &browser.with("state", &"s".repeat(5_000)), "invalid_request");
    told(&browser, &browser.with("nonce", &"n".repeat(5_000)), "invalid_request");
    assert_eq!(browser.with("state", &"s".repeat(17 << 10)).status, 400);
}

#[test]
fn prompt_none_without_a_session() {
    let browser = web();
    told(&browser, &browser.with("prompt", "none"), "login_required");
    told(&browser, &browser.with("prompt", "none login"), "invalid_request");
    told(&browser, &browser.with("id_token_hint", "nonsense"), "invalid_request");
}

#[test]
fn par_only_reuse_expired_and_other_client() {
    let browser = Browser::new("WebApp", &json!({ "redirectUris": ["https://app.example/cb"], "requirePar": true }));
    told(&browser, &browser.ask(|_| {}), "invalid_request");
    let push = |extra: &[(&str, &str)]| {
        let base = [
            ("response_type", "code"),
            ("redirect_uri", "https://app.example/cb"),
            ("scope", "openid"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        browser.provider.by(&browser.app, "/oauth2/par", &[&base, extra].concat())
    };
    refused(&push(&[("request_uri", "urn:ietf:params:oauth:request_uri:qpr_x")]), 400, "invalid_request");
    let pushed = push(&[]).expect(201).json();
    assert_eq!(pushed["expires_in"], 60);
    let uri = pushed["request_uri"].as_str().unwrap();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:qpr_"), "{uri}");
    let go = |client: &str, uri: &str| {
        let path = format!("/oauth2/authorize?client_id={client}&request_uri={}", encoded(uri));
        browser.provider.admin().anonymous().get(&path)
    };
    let other = browser.provider.app("WebApp", &json!({ "redirectUris": ["https://app.example/cb"] }));
    page(&go(&other.client_id, uri), "another client's");
    let first = go(&browser.app.client_id, uri);
    assert!(first.header("location").is_some_and(|to| to.starts_with("/login?interaction=")), "{}", first.text());
    page(&go(&browser.app.client_id, uri), "used before");
    page(&go(&browser.app.client_id, "urn:ietf:params:oauth:request_uri:qpr_unknown"), "unknown");
    let nobody = browser.provider.form("/oauth2/par", &[("client_id", &browser.app.client_id)]);
    refused(&nobody, 401, "invalid_client");
}

#[test]
fn device_flow_pending_slow_down_and_strangers() {
    let provider = Provider::start();
    let app = provider.app("NativeApp", &json!({ "redirectUris": ["http://127.0.0.1/cb"] }));
    let id = ("client_id", app.client_id.as_str());
    let began = provider.form("/oauth2/device_authorization", &[id, ("scope", "openid")]).expect(200).json();
    assert_eq!((&began["interval"], &began["expires_in"]), (&json!(5), &json!(600)));
    let user_code = began["user_code"].as_str().unwrap();
    assert!(
        user_code.len() == 9 && user_code.chars().all(|c| c == '-' || "BCDFGHJKLMNPQRSTVWXZ".contains(c)),
        "{user_code}"
    );
    assert_eq!(began["verification_uri"], format!("{}/device", provider.server.base_url()));
    let code = began["device_code"].as_str().unwrap();
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    refused(&provider.form("/oauth2/token", &[grant, id, ("device_code", code)]), 400, "authorization_pending");
    refused(&provider.form("/oauth2/token", &[grant, id, ("device_code", code)]), 400, "slow_down");
    refused(&provider.form("/oauth2/token", &[grant, id, ("device_code", "qdc_unknown")]), 400, "invalid_grant");
    let other = provider.app("NativeApp", &json!({ "redirectUris": ["http://127.0.0.1/cb"] }));
    let stranger = ("client_id", other.client_id.as_str());
    refused(&provider.form("/oauth2/token", &[grant, stranger, ("device_code", code)]), 400, "invalid_grant");
    refused(&provider.form("/oauth2/device_authorization", &[id, ("scope", "admin")]), 400, "invalid_scope");
    let service = provider.service(&json!({}));
    refused(&provider.by(&service, "/oauth2/device_authorization", &[]), 400, "unauthorized_client");
}

/// What nothing can be called is nobody's name, and not a failure of the server.
#[test]
fn names_that_nothing_can_have_are_unknown() {
    let browser = web();
    let anyone = browser.provider.admin().anonymous();
    for name in ["\0", "a\0b", "\u{7f}", "\u{e4}", "a\nb"] {
        page(&browser.with("client_id", name), name);
        let grant = [("grant_type", "client_credentials"), ("client_id", name), ("client_secret", "x")];
        refused(&browser.provider.form("/oauth2/token", &grant), 401, "invalid_client");
        let name = encoded(name);
        assert_eq!(anyone.get(&format!("/forgot?client_id={name}")).status, 200);
        for path in ["oauth2/jwks", ".well-known/openid-configuration", "api/v1/ca/certificate", "login", "device"] {
            assert_eq!(anyone.get(&format!("/t/{name}/{path}")).status, 404, "{name} {path}");
        }
    }
}

#[test]
fn a_secret_in_the_header_is_decoded() {
    let provider = Provider::start();
    let app = provider.service(&json!({}));
    let answer = provider.form_with(
        "/oauth2/token",
        &[("grant_type", "client_credentials")],
        Some(&basic(&app).replace("Basic", "basic")),
    );
    answer.expect(200);
    refused(
        &provider.form_with("/oauth2/token", &[("grant_type", "client_credentials")], Some("Basic !")),
        401,
        "invalid_client",
    );
}
