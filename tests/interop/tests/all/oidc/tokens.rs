//! Access tokens as credentials of the platform's own API, beside API keys.

use std::time::Duration;

use serde_json::{Value, json};

use super::provider::{App, Provider, compact, events, part, signed_by};
use crate::client::Client;
use crate::server::eventually;

/// What a revocation may take.
const A_SECOND: Duration = Duration::from_secs(1);

fn worker(provider: &Provider, more: &Value) -> App {
    let mut settings =
        json!({"platformScopes": ["secrets:read", "secrets:write"], "platformResources": ["secrets:jobs/*"]});
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    provider.service(&settings)
}

fn token(provider: &Provider, app: &App, scope: &str) -> String {
    let resource = provider.server.base_url();
    let fields = [("grant_type", "client_credentials"), ("resource", resource), ("scope", scope)];
    provider.token(app, &fields).expect(200).text_of("access_token")
}

fn bearer(provider: &Provider, token: &str) -> Client {
    provider.admin().with_key(token)
}

#[test]
fn an_application_acts_by_its_token_as_far_as_both_allow() {
    let provider = Provider::start();
    for form in ["jwt", "opaque"] {
        let app = worker(&provider, &json!({ "accessTokenFormat": form }));
        let whole = bearer(&provider, &token(&provider, &app, "secrets:read secrets:write"));
        whole.post("/api/v1/secrets", &json!({"name": format!("jobs/{form}"), "value": "v"})).expect(201);
        whole
            .post("/api/v1/secrets", &json!({"name": format!("other/{form}"), "value": "v"}))
            .refused(403, "forbidden");
        let reader = bearer(&provider, &token(&provider, &app, "secrets:read"));
        reader.get("/api/v1/secrets").expect(200);
        reader.post("/api/v1/secrets", &json!({"name": "jobs/x", "value": "v"})).refused(403, "insufficient_scope");
        let authorization = format!("Bearer {}", reader.key());
        let request = provider.admin().anonymous().request("GET", "/api/v1/secrets");
        request.header("Authorization", &authorization).send().expect(200);
        let by_it = |event: &Value| event["actor"] == app.client_id.as_str() && event["actorType"] == "application";
        events(&provider, "action=SecretCreated", |items| {
            items.as_array().is_some_and(|items| items.iter().any(by_it))
        });
    }
}

#[test]
fn a_token_for_somebody_else_is_no_credential_here() {
    let provider = Provider::start();
    let app = worker(&provider, &json!({"allowedScopes": ["secrets:read"]}));
    let own = provider.own_token(&app);
    bearer(&provider, &own).get("/api/v1/secrets").refused(401, "unauthorized");
    let good = token(&provider, &app, "secrets:read");
    bearer(&provider, &good).get("/api/v1/secrets").expect(200);
    // Another tenant's issuer signs with other keys, whatever a token says.
    provider.server.tenant("acme");
    let mut claims = part(&good, 1);
    claims["iss"] = json!(format!("{}/t/acme", provider.server.base_url()));
    let moved = compact(&part(&good, 0), &claims, &[1; 3309]);
    bearer(&provider, &moved).get("/api/v1/secrets").refused(401, "unauthorized");
}

type End = fn(&Provider, &App, &str);

#[test]
fn tokens_die_within_a_second_of_what_ends_them() {
    let provider = Provider::start();
    let ends: [(&str, End); 3] = [
        ("revoked by itself", |provider, app, token| {
            provider.by(app, "/oauth2/revoke", &[("token", token)]).expect(200);
        }),
        ("cut off", |provider, app, _| {
            provider.admin().post(&format!("/api/v1/applications/{}/revoke-tokens", app.id), &json!({})).expect(204);
        }),
        ("application deleted", |provider, app, _| {
            provider.admin().delete(&format!("/api/v1/applications/{}", app.id)).expect(204);
        }),
    ];
    for form in ["jwt", "opaque"] {
        for (what, end) in ends {
            let app = worker(&provider, &json!({ "accessTokenFormat": form }));
            let text = token(&provider, &app, "secrets:read");
            let client = bearer(&provider, &text);
            client.get("/api/v1/secrets").expect(200);
            end(&provider, &app, &text);
            eventually(A_SECOND, || (client.get("/api/v1/secrets").status == 401).then_some(()));
            println!("{form}: {what}");
        }
    }
}

#[test]
fn jwt_confusion_set() {
    let provider = Provider::start();
    let app = worker(&provider, &json!({}));
    let good = token(&provider, &app, "secrets:read");
    let (head, claims) = (part(&good, 0), part(&good, 1));
    let signature = good.rsplit('.').next().unwrap().to_owned();
    let signed = good.rsplit_once('.').unwrap().0.to_owned();
    let kid = head["kid"].clone();
    let public = provider.jwks()["keys"][0]["pub"].as_str().unwrap().to_owned();
    let hs256 = {
        let head = json!({"alg": "HS256", "kid": kid, "typ": "at+jwt"});
        let text = compact(&head, &claims, b"");
        compact(&head, &claims, &crypto::hash::hmac_sha256(public.as_bytes(), &[text.trim_end_matches('.').as_bytes()]))
    };
    let with = |name: &str, value: Value| {
        let mut head = head.clone();
        head[name] = value;
        compact(&head, &claims, &[1; 3309])
    };
    let other = token(&provider, &app, "secrets:read secrets:write");
    let own = super::provider::client_key(crypto::algorithm::Algorithm::MlDsa65, b"self-made");
    let self_made = own.sign("at+jwt", claims.to_string().as_bytes(), &crypto::random::Seeded::new(b"x")).unwrap();
    let set: Vec<(&str, String)> = vec![
        ("none", compact(&json!({"alg": "none"}), &claims, b"")),
        ("None", compact(&json!({"alg": "None"}), &claims, b"")),
        ("HS256", hs256),
        ("ES256", with("alg", json!("ES256"))),
        ("ML-DSA-44", with("alg", json!("ML-DSA-44"))),
        ("kid path", with("kid", json!("../../dev/null"))),
        ("kid sql", with("kid", json!("' OR '1'='1"))),
        (
            "jwk",
            signed_by(
                b"self-made",
                &json!({"alg": "ML-DSA-65", "typ": "at+jwt", "jwk": own.public().to_jwk()}),
                &claims,
            ),
        ),
        (
            "jwk under our name",
            signed_by(
                b"self-made",
                &json!({"alg": "ML-DSA-65", "typ": "at+jwt", "kid": kid, "jwk": own.public().to_jwk()}),
                &claims,
            ),
        ),
        ("jku", with("jku", json!("https://evil.example/keys"))),
        ("x5u", with("x5u", json!("https://evil.example/cert"))),
        ("crit", with("crit", json!(["exp"]))),
        ("self-made", self_made),
        ("padded", format!("{good}=")),
        ("trailing", format!("{good}.")),
        ("white space", format!("{good}A")),
        ("truncated", format!("{signed}.{}", &signature[..signature.len() - 4])),
        ("signature of another", format!("{signed}.{}", other.rsplit('.').next().unwrap())),
        ("no signature", format!("{signed}.")),
    ];
    for (what, forged) in &set {
        assert_eq!(bearer(&provider, forged).get("/api/v1/secrets").status, 401, "API: {what}");
        let userinfo = provider.form_with("/oauth2/userinfo", &[], Some(&format!("Bearer {forged}")));
        assert_eq!(userinfo.status, 401, "userinfo: {what}");
        assert_eq!(provider.introspect(&app, forged), json!({"active": false}), "introspection: {what}");
    }
    bearer(&provider, &good).get("/api/v1/secrets").expect(200);
}
