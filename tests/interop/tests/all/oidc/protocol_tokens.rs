//! Discovery, keys, tokens of services, introspection and revocation.

use serde_json::{Value, json};

use super::provider::{
    ACCESS_TOKEN, App, Provider, TOKEN_EXCHANGE, client_key, compact, form, part, refused, signed_by,
};
use super::receiver::Receiver;
use crate::server::{Server, eventually};
use std::time::{Duration, Instant};

/// What a revocation may take.
const A_SECOND: Duration = Duration::from_secs(1);

#[test]
fn discovery_exact() {
    let provider = Provider::start();
    let anyone = provider.admin().anonymous();
    let shown = anyone.get("/.well-known/openid-configuration").expect(200);
    assert_eq!(shown.header("cache-control"), Some("public, max-age=300"));
    let metadata = shown.json();
    assert_eq!(metadata, anyone.get("/.well-known/oauth-authorization-server").expect(200).json());
    assert_eq!(metadata["issuer"], provider.server.base_url());
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    let text = metadata.to_string();
    assert!(!text.contains("implicit") && !text.contains("\"password\"") && !text.contains("RS256"), "{text}");
    assert!(!metadata["id_token_signing_alg_values_supported"].to_string().contains("none"));
    for (name, address) in metadata.as_object().unwrap() {
        let Some(path) = address.as_str().and_then(|text| text.strip_prefix(provider.server.base_url())) else {
            continue;
        };
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let method = if ["authorization_endpoint", "jwks_uri"].contains(&name.as_str()) { "GET" } else { "POST" };
            let answer = anyone.request(method, path).header("Content-Type", "text/plain").send();
            assert!(![404, 405, 500].contains(&answer.status), "{name}: {}", answer.text());
        }
    }
    // A tenant is an issuer of its own.
    provider.server.tenant("acme");
    let of_tenant = anyone.get("/t/acme/.well-known/openid-configuration").expect(200).json();
    assert_eq!(of_tenant["issuer"], format!("{}/t/acme", provider.server.base_url()));
    assert_eq!(of_tenant, anyone.get("/.well-known/oauth-authorization-server/t/acme").expect(200).json());
    assert_ne!(anyone.get("/t/acme/oauth2/jwks").expect(200).json(), provider.jwks());
    anyone.get("/t/nobody/oauth2/jwks").refused(404, "not_found");
}

#[test]
fn host_header() {
    let provider = Provider::start();
    let forged = provider.admin().anonymous().request("GET", "/.well-known/openid-configuration");
    let forged = forged.header("X-Forwarded-Host", "evil.example").header("Forwarded", "host=evil.example").send();
    assert_eq!(forged.expect(200).json()["issuer"], provider.server.base_url());
}

#[test]
fn jwks_public_only() {
    let provider = Provider::start();
    let first = provider.admin().anonymous().get("/oauth2/jwks").expect(200);
    let keys = first.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 1);
    let key = keys[0].as_object().unwrap();
    let mut members: Vec<&str> = key.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "kid", "kty", "pub", "use"]);
    assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!("AKP"), &json!("ML-DSA-65"), &json!("sig")));
    let thumbprint = crypto::key::PublicKey::from_jwk(&keys[0].to_string()).unwrap().thumbprint();
    assert_eq!(key["kid"], thumbprint.as_str());
    let tag = first.header("etag").unwrap();
    // A proxy that compresses makes a weak tag of it.
    for tag in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}")] {
        let again = provider.admin().anonymous().request("GET", "/oauth2/jwks").header("If-None-Match", &tag).send();
        assert_eq!((again.status, again.body.len()), (304, 0), "{tag}");
    }
    assert_eq!(provider.admin().anonymous().get("/.well-known/jwks").expect(200).json(), first.json());
    // A classical key is there while an application uses it, and stands behind.
    provider.app("WebApp", &json!({ "idTokenAlg": "ES256", "redirectUris": ["https://app.example/cb"] }));
    let mixed = provider.jwks();
    let kinds: Vec<_> = mixed["keys"].as_array().unwrap().iter().map(|key| key["kty"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["AKP", "EC"]);
}

#[test]
fn client_credentials_no_user() {
    let provider = Provider::start();
    let app = provider.service(&json!({ "allowedScopes": ["orders:read", "orders:write"] }));
    let answer = provider.token(&app, &[("grant_type", "client_credentials"), ("scope", "orders:read")]).expect(200);
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), (Some("no-store"), Some("no-cache")));
    let body = answer.json();
    assert_eq!((&body["token_type"], &body["scope"]), (&json!("Bearer"), &json!("orders:read")));
    assert!(body.get("id_token").is_none() && body.get("refresh_token").is_none(), "{body}");
    assert!(body["expires_in"].as_i64().unwrap() <= 600);
    let token = answer.text_of("access_token");
    assert_eq!(part(&token, 0)["alg"], "ML-DSA-65");
    let claims = provider.verified(&token, "at+jwt");
    assert_eq!(
        (&claims["sub"], &claims["client_id"], &claims["aud"]),
        (&json!(app.client_id), &json!(app.client_id), &json!(app.client_id))
    );
    assert_eq!(claims["iss"], provider.server.base_url());
    let all = provider.token(&app, &[("grant_type", "client_credentials")]).expect(200).json();
    assert_eq!(all["scope"], "orders:read orders:write");
    refused(&provider.token(&app, &[("grant_type", "client_credentials"), ("scope", "admin")]), 400, "invalid_scope");
    refused(&provider.token(&app, &[("grant_type", "client_credentials"), ("scope", "openid")]), 400, "invalid_scope");
    refused(&provider.token(&app, &[("grant_type", "password")]), 400, "unsupported_grant_type");
    refused(&provider.token(&app, &[("grant_type", "authorization_code")]), 400, "unauthorized_client");
    refused(&provider.token(&app, &[]), 400, "invalid_request");
    // It is nobody's, so it says nothing about anybody.
    let info = provider.admin().anonymous().request("GET", "/oauth2/userinfo");
    refused(&info.header("Authorization", &format!("Bearer {token}")).send(), 403, "insufficient_scope");
    // The older path is the same.
    provider.by(&app, "/connect/token", &[("grant_type", "client_credentials")]).expect(200);
}

#[test]
fn opaque_tokens_are_what_an_api_asks_for() {
    let provider = Provider::start();
    let api = json!({"identifier": "https://orders.example", "name": "orders", "tokenFormat": "opaque", "tokenLifetimeSeconds": 60, "scopes": ["orders:read"]});
    provider.admin().post("/api/v1/resource-servers", &api).expect(201);
    let settings = json!({ "allowedScopes": ["orders:read", "other"], "resources": ["https://orders.example"] });
    let (app, stranger) = (provider.service(&settings), provider.service(&json!({})));
    let fields = [("grant_type", "client_credentials"), ("resource", "https://orders.example")];
    let body = provider.token(&app, &fields).expect(200).json();
    let token = body["access_token"].as_str().unwrap();
    assert!(token.starts_with("qat_") && token.len() < 64, "{token}");
    assert_eq!((&body["expires_in"], &body["scope"]), (&json!(60), &json!("orders:read")));
    let shown = provider.introspect(&app, token);
    assert_eq!((&shown["active"], &shown["aud"]), (&json!(true), &json!("https://orders.example")));
    assert_eq!(provider.introspect(&stranger, token), json!({ "active": false }));
    refused(&provider.token(&app, &[fields[0], ("resource", "https://other.example")]), 400, "invalid_target");
}

#[test]
fn introspect_authz() {
    let provider = Provider::start();
    let (app, other) = (provider.service(&json!({})), provider.service(&json!({})));
    let token = provider.own_token(&app);
    refused(&provider.form("/oauth2/introspect", &[("token", &token)]), 401, "invalid_client");
    let wrong = App { secret: Some("qcs_wrong".into()), ..app.clone() };
    let answer = provider.by(&wrong, "/oauth2/introspect", &[("token", &token)]);
    refused(&answer, 401, "invalid_client");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
    let public = provider.app("SPA", &json!({ "redirectUris": ["https://app.example/cb"] }));
    let fields = [("token", token.as_str()), ("client_id", public.client_id.as_str())];
    refused(&provider.form("/oauth2/introspect", &fields), 401, "invalid_client");
    assert!(provider.is_active(&app, &token));
    let inactive = json!({ "active": false });
    assert_eq!(provider.introspect(&other, &token), inactive, "another audience's");
    for nonsense in ["x", "qrt_unknown", "qat_unknown", "a.b.c", &format!("{token}x"), &"x".repeat(16_000)] {
        assert_eq!(provider.introspect(&app, nonsense), inactive, "{nonsense:.40}");
    }
    refused(&provider.by(&app, "/oauth2/introspect", &[("token", &"x".repeat(64 << 10))]), 400, "invalid_request");
    refused(&provider.by(&app, "/oauth2/introspect", &[]), 400, "invalid_request");
    // The contract's clients say who they are in the body.
    let secret = app.secret.clone().unwrap();
    let fields = [("token", token.as_str()), ("client_id", app.client_id.as_str()), ("client_secret", secret.as_str())];
    assert_eq!(provider.form("/connect/introspect", &fields).expect(200).json()["active"], true);
}

#[test]
fn revoke() {
    let provider = Provider::start();
    let (app, other) = (provider.service(&json!({})), provider.service(&json!({})));
    let (token, foreign) = (provider.own_token(&app), provider.own_token(&other));
    assert!(provider.is_active(&app, &token));
    provider.by(&app, "/oauth2/revoke", &[("token", &foreign)]).expect(200);
    assert!(provider.is_active(&other, &foreign), "another client's token stays alive");
    provider.by(&app, "/oauth2/revoke", &[("token", "unknown")]).expect(200);
    provider.by(&app, "/oauth2/revoke", &[("token", &token), ("token_type_hint", "refresh_token")]).expect(200);
    assert_eq!(provider.introspect(&app, &token), json!({ "active": false }));
    provider.by(&app, "/oauth2/revoke", &[("token", &token)]).expect(200);
    refused(&provider.form("/oauth2/revoke", &[("token", &token)]), 401, "invalid_client");
}

#[test]
fn restart_survives() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut provider = Provider { server: Server::start_dev_in(&data) };
    let address = provider.server.base_url().trim_start_matches("http://").to_owned();
    let forms = ["jwt", "opaque"].map(|form| {
        let app = provider.service(&json!({ "accessTokenFormat": form }));
        let (dead, alive) = (provider.own_token(&app), provider.own_token(&app));
        assert!(provider.is_active(&app, &dead));
        provider.by(&app, "/oauth2/revoke", &[("token", &dead)]).expect(200);
        (app, dead, alive)
    });
    provider.server.kill();
    // The issuer is its origin, so it comes back to the same address.
    provider.server = Server::start_dev_with(&data, &["--listen", &address]);
    for (app, dead, alive) in forms {
        assert!(!provider.is_active(&app, &dead) && provider.is_active(&app, &alive));
    }
}

#[test]
fn what_ends_an_application_ends_its_tokens() {
    let provider = Provider::start();
    let api = provider.service(&json!({}));
    let app = provider.service(&json!({ "resources": ["urn:api"] }));
    let reader = provider.service(&json!({ "serves": ["urn:api"] }));
    let fields = [("grant_type", "client_credentials"), ("resource", "urn:api")];
    let token = provider.token(&app, &fields).expect(200).text_of("access_token");
    assert!(provider.is_active(&reader, &token) && !provider.is_active(&api, &token));
    provider.admin().delete(&format!("/api/v1/applications/{}", app.id)).expect(204);
    eventually(A_SECOND, || (!provider.is_active(&reader, &token)).then_some(()));
    refused(&provider.token(&app, &fields), 401, "invalid_client");
}

#[test]
fn jwt_confusion_set() {
    let provider = Provider::start();
    let app = provider.service(&json!({ "grantTypes": ["client_credentials", TOKEN_EXCHANGE] }));
    let (token, second) = (provider.own_token(&app), provider.own_token(&app));
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let parts: Vec<&str> = token.split('.').collect();
    let public = provider.jwks()["keys"][0]["pub"].as_str().unwrap().to_owned();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut header = header.clone();
        change(&mut header);
        let encoded = compact(&header, &claims, b"");
        format!("{}.{}", encoded.trim_end_matches('.'), parts[2])
    };
    // Whoever forges signs with a key of their own, and brings it along or publishes it where the server may look.
    let evil = client_key(crypto::algorithm::Algorithm::MlDsa65, b"evil");
    let keys = Receiver::start(&json!({ "keys": [evil.public().to_jwk()] }).to_string());
    let own = |more: Value| {
        let mut header = json!({ "alg": "ML-DSA-65", "typ": "at+jwt" });
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signed_by(b"evil", &header, &claims)
    };
    let hmac = crypto::hash::hmac_sha256(public.as_bytes(), &[format!("{}.{}", parts[0], parts[1]).as_bytes()]);
    let duplicate = String::from_utf8(b"{\"alg\":\"ML-DSA-65\",\"alg\":\"ML-DSA-65\"}".to_vec()).unwrap();
    let forged = vec![
        ("none", compact(&json!({"alg": "none", "typ": "at+jwt"}), &claims, b"")),
        ("None", compact(&json!({"alg": "None", "typ": "at+jwt"}), &claims, b"")),
        ("HS256", compact(&json!({"alg": "HS256", "typ": "at+jwt", "kid": header["kid"]}), &claims, &hmac)),
        ("ES256 on an ML-DSA key", with(&|header| header["alg"] = json!("ES256"))),
        ("ML-DSA-44 on a 65 key", with(&|header| header["alg"] = json!("ML-DSA-44"))),
        ("a path for a name", with(&|header| header["kid"] = json!("../../etc/passwd"))),
        ("SQL for a name", with(&|header| header["kid"] = json!("' OR 1=1 --"))),
        ("an unknown key's own name", own(json!({ "kid": evil.public().kid() }))),
        ("another key under the name of ours", own(json!({ "kid": header["kid"] }))),
        ("no name", own(json!({}))),
        ("an embedded key", own(json!({ "kid": evil.public().kid(), "jwk": evil.public().to_jwk() }))),
        ("an embedded key under the name of ours", own(json!({ "kid": header["kid"], "jwk": evil.public().to_jwk() }))),
        ("an address of keys", own(json!({ "kid": evil.public().kid(), "jku": keys.url }))),
        ("an address of a certificate", own(json!({ "kid": evil.public().kid(), "x5u": keys.url }))),
        ("an unknown extension", with(&|header| header["crit"] = json!(["exp"]))),
        ("a member twice", format!("{}.{}.{}", super::provider::base64url(duplicate.as_bytes()), parts[1], parts[2])),
        ("padding", format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("trailing bytes", format!("{token}AAAA")),
        ("a cut signature", token[..token.len() - 8].to_owned()),
        ("a signature of another token", format!("{}.{}.{}", parts[0], parts[1], second.split('.').nth(2).unwrap())),
        ("four parts", format!("{token}.x")),
        ("other claims", format!("{}.{}.{}", parts[0], second.split('.').nth(1).unwrap(), parts[2])),
        ("the wrong type", with(&|header| header["typ"] = json!("JWT"))),
    ];
    for (what, token) in forged {
        let info = provider.admin().anonymous().request("GET", "/oauth2/userinfo");
        let answer = info.header("Authorization", &format!("Bearer {token}")).send();
        refused(&answer, 401, "invalid_token");
        assert!(answer.header("www-authenticate").is_some_and(|text| text.contains("invalid_token")), "{what}");
        assert_eq!(provider.introspect(&app, &token), json!({ "active": false }), "{what}");
        let exchanged = provider.exchange(&app, &token, &[]);
        refused(&exchanged, 400, "invalid_grant");
        let hint = provider
            .form("/oauth2/logout", &[("id_token_hint", &token), ("post_logout_redirect_uri", "https://evil.example")]);
        assert_eq!(hint.status, 400, "{what}: {}", hint.text());
    }
    assert!(keys.received().is_empty(), "keys were fetched from where a token said: {:?}", keys.received());
    assert!(provider.is_active(&app, &token));
}

#[test]
fn token_exchange_matrix() {
    let provider = Provider::start();
    let grants = json!(["client_credentials", TOKEN_EXCHANGE]);
    let service = |scopes: &[&str]| {
        provider.service(&json!({ "grantTypes": grants, "allowedScopes": scopes, "resources": ["urn:backend"] }))
    };
    let (gateway, other) = (service(&["orders:read", "orders:write"]), service(&["orders:read"]));
    let own = provider.own_token(&gateway);
    let answer = provider.exchange(&gateway, &own, &[]).expect(200);
    assert_eq!(answer.json()["issued_token_type"], ACCESS_TOKEN);
    let claims = provider.verified(&answer.text_of("access_token"), "at+jwt");
    assert_eq!((&claims["sub"], &claims["act"]["sub"]), (&json!(gateway.client_id), &json!(gateway.client_id)));
    assert_eq!(claims["scope"], "orders:read orders:write");
    assert!(claims["exp"].as_i64() <= part(&own, 1)["exp"].as_i64(), "it does not outlive what it was given for");
    // Nobody exchanges what is for somebody else.
    refused(&provider.exchange(&other, &own, &[]), 400, "invalid_grant");
    let exchange_with = |fields: &[(&str, &str)]| {
        let base = [("grant_type", TOKEN_EXCHANGE)];
        provider.token(&gateway, &[&base, fields].concat())
    };
    let typ = ("subject_token_type", ACCESS_TOKEN);
    let subject = ("subject_token", own.as_str());
    refused(&exchange_with(&[subject, typ, ("scope", "admin")]), 400, "invalid_scope");
    refused(&exchange_with(&[subject, typ, ("audience", "urn:other")]), 400, "invalid_target");
    refused(&exchange_with(&[subject]), 400, "invalid_request");
    refused(&exchange_with(&[typ]), 400, "invalid_request");
    let narrowed = exchange_with(&[subject, typ, ("scope", "orders:read"), ("resource", "urn:backend")]).expect(200);
    let claims = provider.verified(&narrowed.text_of("access_token"), "at+jwt");
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!("urn:backend"), &json!("orders:read")));
    // Too long is an error, and never the client's own rights.
    refused(&exchange_with(&[("subject_token", &"x".repeat(20 << 10)), typ]), 400, "invalid_request");
    // Chains end.
    let mut token = own;
    let depth = (0..10).take_while(|_| {
        let next = provider.exchange(&gateway, &token, &[]);
        let went_on = next.status == 200;
        if went_on {
            token = next.text_of("access_token");
        }
        went_on
    });
    assert_eq!(depth.count(), 4);
    provider.by(&gateway, "/oauth2/revoke", &[("token", &token)]).expect(200);
    refused(&provider.exchange(&gateway, &token, &[]), 400, "invalid_grant");
}

#[test]
fn key_rotation_live() {
    let provider = Provider::start();
    let app = provider.service(&json!({}));
    let before = provider.own_token(&app);
    let cached = provider.jwks();
    let next = provider.admin().post("/api/v1/token-keys/rotate", &json!({})).expect(200).json();
    assert_eq!((&next["state"], &next["isPublished"]), (&json!("next"), &json!(true)));
    // Whoever keeps the set can verify everything until everybody has had to ask for it again.
    let keys = crypto::jose::KeySet::read(&cached.to_string()).unwrap();
    for _ in 0..20 {
        let token = provider.own_token(&app);
        assert!(keys.verify(&token, crypto::jose::Typ::Exactly("at+jwt")).is_ok());
    }
    assert_eq!(provider.jwks()["keys"].as_array().unwrap().len(), 2);
    provider.admin().post("/api/v1/token-keys/rotate", &json!({})).refused(409, "conflict");
    provider.admin().post("/api/v1/token-keys/rotate", &json!({ "algorithm": "RS256" })).refused(400, "unsupported");
    // An emergency: what the key signed is dead at once, and tokens go on.
    let list = provider.admin().get("/api/v1/token-keys").expect(200).json();
    let active = list["keys"].as_array().unwrap().iter().find(|key| key["state"] == "active").unwrap().clone();
    assert_eq!(active["kid"], part(&before, 0)["kid"]);
    assert!(provider.is_active(&app, &before));
    let path = format!("/api/v1/token-keys/{}/revoke", active["id"].as_str().unwrap());
    assert_eq!(provider.admin().post(&path, &json!({})).expect(200).json()["state"], "revoked");
    assert!(!provider.is_active(&app, &before));
    let after = provider.own_token(&app);
    assert_ne!(part(&after, 0)["kid"], part(&before, 0)["kid"]);
    provider.verified(&after, "at+jwt");
    assert!(!provider.jwks().to_string().contains(active["kid"].as_str().unwrap()));
    provider.admin().post(&path, &json!({})).expect(200);
    provider.server.tenant("walled").post(&path, &json!({})).refused(404, "not_found");
    let other = provider.server.key(&["keys:read", "keys:write", "applications:write"], &[]);
    other.get("/api/v1/token-keys").refused(403, "insufficient_scope");
    other.post("/api/v1/token-keys/rotate", &json!({})).refused(403, "insufficient_scope");
    other.post(&path, &json!({})).refused(403, "insufficient_scope");
    provider.admin().anonymous().get("/api/v1/token-keys").refused(401, "unauthorized");
}

#[test]
fn scope_dos() {
    let provider = Provider::start();
    let app = provider.service(&json!({}));
    provider.own_token(&app);
    let quick = |body: String, what: &str| {
        let request = provider.admin().anonymous().request("POST", "/oauth2/token");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let started = Instant::now();
        let answer = request.header("Authorization", &super::provider::basic(&app)).bytes(body).send();
        let took = started.elapsed();
        assert!((400..500).contains(&answer.status), "{what}: {}", answer.status);
        // Debug builds on a busy machine are slow; what is quadratic would take seconds.
        assert!(took < Duration::from_millis(500), "{what}: {took:?}");
    };
    quick(form(&[("grant_type", "client_credentials"), ("scope", &"a ".repeat(25_000))]), "a long scope");
    quick(form(&[("grant_type", "client_credentials"), ("scope", &"a ".repeat(2_000))]), "many words");
    quick("a=1&".repeat(10_000), "many parameters");
    quick(format!("grant_type=client_credentials&x={}", "x".repeat(1 << 20)), "a long body");
    quick(format!("{}{}", "{\"a\":".repeat(10_000), "1"), "deep JSON");
}

#[test]
fn duplicate_parameter() {
    let provider = Provider::start();
    let app = provider.service(&json!({}));
    let twice = [("grant_type", "client_credentials"), ("grant_type", "client_credentials")];
    refused(&provider.token(&app, &twice), 400, "invalid_request");
    let anyone = provider.admin().anonymous();
    let answer = anyone.get("/oauth2/authorize?client_id=a&client_id=b&redirect_uri=https://app.example/cb");
    refused(&answer, 400, "invalid_request");
    assert_eq!(answer.header("location"), None);
    let posted = anyone.request("POST", "/oauth2/authorize?client_id=a");
    let posted = posted.header("Content-Type", "application/x-www-form-urlencoded").bytes("client_id=a").send();
    refused(&posted, 400, "invalid_request");
    let in_query = anyone.request("POST", "/oauth2/token?grant_type=client_credentials");
    refused(&in_query.bytes("").send(), 400, "invalid_request");
}

#[test]
fn cors() {
    let provider = Provider::start();
    provider.app("SPA", &json!({ "redirectUris": ["https://spa.example/cb"], "corsOrigins": ["https://spa.example"] }));
    let ask = |method: &str, path: &str, origin: &str| {
        let request = provider.admin().anonymous().request(method, path).header("Origin", origin);
        let answer = request.header("Content-Type", "application/x-www-form-urlencoded").send();
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    for path in ["/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke"] {
        assert_eq!(ask("OPTIONS", path, "https://spa.example").as_deref(), Some("https://spa.example"), "{path}");
        assert_eq!(ask("POST", path, "https://spa.example").as_deref(), Some("https://spa.example"), "{path}");
        assert_eq!(ask("OPTIONS", path, "https://evil.example"), None, "{path}");
        assert_eq!(ask("POST", path, "https://evil.example"), None, "{path}");
        assert_eq!(ask("POST", path, "null"), None, "{path}");
    }
    assert_eq!(ask("GET", "/oauth2/jwks", "https://evil.example").as_deref(), Some("*"));
    for path in ["/oauth2/authorize", "/oauth2/logout"] {
        assert_eq!(ask("GET", path, "https://spa.example"), None, "{path}");
        assert_eq!(ask("OPTIONS", path, "https://spa.example"), None, "{path}");
    }
}

#[test]
fn tenant_wall() {
    let provider = Provider::start();
    let acme = provider.server.tenant("acme");
    let ours = provider.service(&json!({}));
    let theirs = provider.app_of(&acme, "MachineToMachine", &json!({}));
    let fields = [("grant_type", "client_credentials")];
    refused(&provider.token(&theirs, &fields), 401, "invalid_client");
    let token = provider.by(&theirs, "/t/acme/oauth2/token", &fields).expect(200).text_of("access_token");
    assert_eq!(part(&token, 1)["iss"], format!("{}/t/acme", provider.server.base_url()));
    assert_eq!(provider.introspect(&ours, &token), json!({ "active": false }));
    let at_home = provider.by(&theirs, "/t/acme/oauth2/introspect", &[("token", &token)]).expect(200).json();
    assert_eq!(at_home["active"], true);
    let own = provider.own_token(&ours);
    let abroad = provider.by(&theirs, "/t/acme/oauth2/introspect", &[("token", &own)]).expect(200).json();
    assert_eq!(abroad, json!({ "active": false }));
}

#[test]
fn open_redirect() {
    let provider = Provider::start();
    let app = provider.app(
        "WebApp",
        &json!({
            "redirectUris": ["https://app.example/cb"], "postLogoutRedirectUris": ["https://app.example/bye"],
        }),
    );
    let logout = |uri: &str| {
        let path = format!(
            "/oauth2/logout?client_id={}&post_logout_redirect_uri={}",
            app.client_id,
            crate::surface::encoded(uri)
        );
        provider.admin().anonymous().get(&path)
    };
    let answer = logout("https://app.example/bye");
    assert_eq!((answer.status, answer.header("location")), (303, Some("https://app.example/bye")));
    for wrong in [
        "https://evil.example",
        "https://app.example/bye/",
        "https://app.example.evil.example/bye",
        "//evil.example",
        "javascript:alert(1)",
    ] {
        let answer = logout(wrong);
        assert_eq!((answer.status, answer.header("location")), (400, None), "{wrong}");
    }
    assert_eq!(
        provider.admin().anonymous().get("/oauth2/logout?post_logout_redirect_uri=https://evil.example").status,
        400
    );
}
