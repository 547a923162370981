//! Tokens shown as what they are not, and what answers say to caches and to other sites.

use serde_json::json;

use super::provider::{Provider, TOKEN_EXCHANGE, part, refused};
use super::visitor::{CALLBACK, PASSWORD, Visitor, parameter, sent};

const ADA: &str = "ada@people.example";

#[test]
fn typ_confusion() {
    let provider = Provider::start();
    let app = provider.app(
        "WebApp",
        &json!({
            "redirectUris": [CALLBACK], "consent": "skip", "postLogoutRedirectUris": ["https://app.example/bye"],
            "grantTypes": ["authorization_code", "refresh_token", TOKEN_EXCHANGE],
        }),
    );
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let tokens = provider.redeem(&app, &visitor.code(&app, ADA)).expect(200).json();
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let (id, access, refresh) = (text("id_token"), text("access_token"), text("refresh_token"));
    let userinfo = |token: &str| {
        let info = provider.admin().anonymous().request("GET", "/oauth2/userinfo");
        info.header("authorization", &format!("Bearer {token}")).send()
    };
    userinfo(&access).expect(200);
    for wrong in [&id, &refresh] {
        refused(&userinfo(wrong), 401, "invalid_token");
        assert_eq!(provider.introspect(&app, wrong), json!({ "active": false }));
        refused(&provider.exchange(&app, wrong, &[]), 400, "invalid_grant");
        // Nor at this platform's own API.
        let api = provider.admin().anonymous().request("GET", "/api/v1/users");
        assert_eq!(api.header("authorization", &format!("Bearer {wrong}")).send().status, 401);
    }
    for wrong in [&id, &access] {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", wrong.as_str())];
        refused(&provider.by(&app, "/oauth2/token", &fields), 400, "invalid_grant");
        refused(&provider.redeem(&app, wrong), 400, "invalid_grant");
    }
    // An access token is no hint of who signs out: the person is asked.
    let asked = visitor.get(&format!("/oauth2/logout?id_token_hint={access}"));
    assert_eq!(asked.status, 200);
    assert!(visitor.authorize(&app, &[]).contains("code="));
}

/// Otherwise every API that somebody calls could ask who they are, with whatever the application may know of them.
#[test]
fn a_token_for_an_api_is_none_for_userinfo() {
    let provider = Provider::start();
    let app =
        provider.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "skip", "resources": ["urn:orders"] }));
    provider.end_user(&app, ADA);
    let tokens = |more: &[(&str, &str)]| {
        let code = Visitor::new(&provider).code_with(&app, ADA, more);
        provider.redeem(&app, &code).expect(200).json()
    };
    let info = |tokens: &serde_json::Value| {
        let access = tokens["access_token"].as_str().unwrap();
        provider.form_with("/oauth2/userinfo", &[], Some(&format!("Bearer {access}")))
    };
    let own = info(&tokens(&[("scope", "openid email")])).expect(200).json();
    let for_an_api = tokens(&[("scope", "openid email"), ("resource", "urn:orders")]);
    refused(&info(&for_an_api), 401, "invalid_token");
    // The application lacks nothing: it was told in the ID token.
    let told = part(for_an_api["id_token"].as_str().unwrap(), 1);
    assert_eq!((&own["email"], &told["email"], &told["sub"]), (&json!(ADA), &json!(ADA), &own["sub"]));
}

#[test]
fn referrer_and_cache() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    let check = |what: &str, answer: &crate::client::Answer| {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{what}");
    };
    check("the page", &visitor.get(&page).expect(200));
    let signed_in = visitor.sign_in(&page, ADA, PASSWORD);
    check("the answer with the code", &signed_in);
    let code = parameter(&sent(&signed_in), "code");
    check("the tokens", &provider.redeem(&app, &code).expect(200));
    check("the account", &visitor.get("/account").expect(200));
    let logout = visitor.get("/oauth2/logout");
    check("the question whether to sign out", &logout);
}

#[test]
fn cors_is_the_applications_own() {
    let provider = Provider::start();
    let spa = |origin: &str| {
        provider.app("SPA", &json!({ "redirectUris": [format!("{origin}/cb")], "corsOrigins": [origin] }))
    };
    let (ours, others) = (spa("https://ours.example"), spa("https://others.example"));
    let ask = |client_id: &str, origin: &str| {
        let body = format!("grant_type=refresh_token&refresh_token=qrt_x&client_id={client_id}");
        let request = provider.admin().anonymous().request("POST", "/oauth2/token").header("Origin", origin);
        let answer = request.header("Content-Type", "application/x-www-form-urlencoded").bytes(body).send();
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(ask(&ours.client_id, "https://ours.example").as_deref(), Some("https://ours.example"));
    assert_eq!(ask(&others.client_id, "https://others.example").as_deref(), Some("https://others.example"));
    // Another application's origin is a stranger's, although the same tenant knows it.
    assert_eq!(ask(&ours.client_id, "https://others.example"), None);
    assert_eq!(ask(&others.client_id, "https://ours.example"), None);
    // So it is for what is said of a token.
    let service = provider.service(&json!({}));
    let token = provider.own_token(&service);
    let info = provider.admin().anonymous().request("GET", "/oauth2/userinfo").header("Origin", "https://ours.example");
    let info = info.header("authorization", &format!("Bearer {token}")).send();
    refused(&info, 403, "insufficient_scope");
    assert_eq!(info.header("access-control-allow-origin"), None);
    let challenge = info.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("insufficient_scope") && challenge.contains("scope=\"openid\""), "{challenge}");
}

#[test]
fn nobody_is_told_off_for_asking_for_a_picture() {
    let provider = Provider::start();
    assert_eq!(provider.admin().anonymous().get("/favicon.ico").status, 204);
}
