//! What bounds strangers, applications and sessions where no refusal of the protocol shows it.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::provider::{App, Provider, TOKEN_EXCHANGE, events, part, refused};
use super::visitor::{CALLBACK, PASSWORD, Visitor, hidden, sent};
use crate::moved_clock::MovedClock;
use crate::server::Server;

const ADA: &str = "ada@people.example";

/// An application that people sign in to and that asks them nothing.
fn web(provider: &Provider, more: &Value) -> App {
    let mut settings = json!({ "redirectUris": [CALLBACK], "consent": "skip" });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let app = provider.app("WebApp", &settings);
    provider.end_user(&app, ADA);
    app
}

fn bearer(token: &Value) -> String {
    format!("Bearer {}", token["access_token"].as_str().unwrap())
}

/// The index is one for all, and goes in order: what it cannot hold would end it for everybody.
#[test]
fn what_a_stranger_calls_a_trust_does_not_stop_the_trail() {
    let provider = Provider::start();
    let ask = |trust: &str| {
        let exchange = [("grant_type", TOKEN_EXCHANGE), ("subject_token", "x")];
        let named = [("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"), ("trust_id", trust)];
        refused(&provider.form("/oauth2/token", &[exchange, named].concat()), 400, "invalid_grant");
    };
    for trust in ["\0", &"0123456789".repeat(1_200)] {
        ask(trust);
    }
    let app = provider.service(&json!({}));
    provider.own_token(&app);
    events(&provider, "action=TokenIssued", |items| items[0]["actor"] == app.client_id.as_str());
    events(&provider, "action=TokenExchanged", |items| items.as_array().is_some_and(|items| items.len() == 2));
}

#[test]
fn an_application_that_refreshes_keeps_no_browser_signed_in() {
    let folder = tempfile::tempdir().unwrap();
    let clock = MovedClock::new(folder.path());
    let provider = Provider { server: Server::start_dev_by(clock.qapid(), &folder.path().join("data"), &[]) };
    let app = web(
        &provider,
        &json!({ "sessionIdleSeconds": 60, "grantTypes": ["authorization_code", "refresh_token"],
        "allowedScopes": ["openid", "offline_access"] }),
    );
    for scope in ["openid offline_access", "openid"] {
        let visitor = Visitor::new(&provider);
        let code = visitor.code_with(&app, ADA, &[("scope", scope)]);
        let refresh = provider.redeem(&app, &code).expect(200).text_of("refresh_token");
        clock.set_ahead_s(if scope == "openid" { 140 } else { 70 });
        let answer =
            provider.by(&app, "/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]);
        assert_eq!(answer.status, if scope == "openid" { 400 } else { 200 }, "{scope}: {}", answer.text());
        let silent = visitor.authorize(&app, &[("prompt", "none"), ("scope", "openid")]);
        assert!(silent.contains("error=login_required"), "{silent}");
    }
}

/// Whoever serves an API learns of its callers what their tokens say, and cannot exchange them for more.
#[test]
fn an_exchange_asks_nothing_about_people() {
    let provider = Provider::start();
    let shop = web(&provider, &json!({ "resources": ["urn:orders"] }));
    let serving = |scopes: &[&str]| {
        let settings = json!({ "grantTypes": ["client_credentials", TOKEN_EXCHANGE], "serves": ["urn:orders"], "allowedScopes": scopes });
        provider.service(&settings)
    };
    let code = Visitor::new(&provider).code_with(&shop, ADA, &[("resource", "urn:orders"), ("scope", "openid email")]);
    let token = provider.redeem(&shop, &code).expect(200).text_of("access_token");
    let info = |tokens: &Value| provider.form_with("/oauth2/userinfo", &[], Some(&bearer(tokens)));
    let exchanged = provider.exchange(&serving(&[]), &token, &[]).expect(200).json();
    refused(&info(&exchanged), 403, "insufficient_scope");
    // One that an administrator lets know of people does.
    let trusted = provider.exchange(&serving(&["openid", "email"]), &token, &[]).expect(200).json();
    assert_eq!(info(&trusted).expect(200).json()["email"], ADA);
}

/// As a browser does it: a form goes to its action.
#[test]
fn the_question_whether_to_sign_out_is_answered_where_its_form_goes() {
    let provider = Provider::start();
    let app = web(&provider, &json!({ "postLogoutRedirectUris": ["https://app.example/bye"] }));
    let visitor = Visitor::new(&provider);
    visitor.code(&app, ADA);
    let asked = format!(
        "/oauth2/logout?client_id={}&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye&state=s",
        app.client_id
    );
    let page = visitor.get(&asked).expect(200);
    let text = page.text();
    let action = text.split_once("action=\"").expect("a form with an action").1.split('"').next().unwrap();
    let [confirm, state] = ["confirm", "state"].map(|name| hidden(&page, name));
    let fields = [
        ("client_id", app.client_id.as_str()),
        ("post_logout_redirect_uri", "https://app.example/bye"),
        ("state", &state),
        ("confirm", &confirm),
    ];
    assert!(sent(&visitor.post(action, &fields)).starts_with("https://app.example/bye"));
    visitor.get("/account").expect(401);
}

/// RFC 8252, 8.6: any program of the machine may listen there and send the browser.
#[test]
fn an_installed_program_that_proves_nothing_is_answered_by_nobody_in_silence() {
    let provider = Provider::start();
    let here = "http://127.0.0.1/cb";
    let app = provider.app("NativeApp", &json!({ "redirectUris": [here, CALLBACK], "consent": "skip" }));
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let at =
        |to: &'static str, prompt: &'static str| visitor.authorize(&app, &[("redirect_uri", to), ("prompt", prompt)]);
    // Who has just typed a password was asked.
    let page = at(here, "login");
    sleep(Duration::from_millis(5));
    assert!(sent(&visitor.sign_in(&page, ADA, PASSWORD)).contains("code="));
    sleep(Duration::from_millis(5));
    assert!(at(here, "none").contains("error=consent_required"));
    let consent = visitor.authorize(&app, &[("redirect_uri", here)]);
    assert!(consent.starts_with("/consent?"), "{consent}");
    assert!(sent(&visitor.answer(&visitor.get(&consent).expect(200), "yes")).contains("code="));
    assert!(at(here, "none").contains("error=consent_required"), "a yes is for once");
    // An address that only the application's own server has says who asks.
    assert!(at(CALLBACK, "none").contains("code="));
}

#[test]
fn nobody_is_signed_in_at_a_suspended_tenant() {
    let provider = Provider::start();
    let acme = provider.server.tenant("acme");
    let app = provider.app_of(&acme, "WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "skip" }));
    provider.end_user_of(&acme, &app, ADA);
    let visitor = Visitor::new(&provider);
    sent(&visitor.sign_in(&visitor.authorize_at("/t/acme", &app, &[]), ADA, PASSWORD));
    visitor.get("/t/acme/account").expect(200);
    let tenants = provider.admin().get("/api/v1/tenants").expect(200).json();
    let listed = tenants["tenants"].as_array().expect("tenants");
    let id = listed.iter().find(|tenant| tenant["slug"] == "acme").expect("acme")["id"].as_str().unwrap().to_owned();
    provider.admin().post(&format!("/api/v1/tenants/{id}/suspend"), &json!({})).expect(200);
    sleep(Duration::from_secs(1));
    assert_ne!(visitor.get("/t/acme/account").status, 200);
    assert_ne!(visitor.get("/t/acme/account/factors").status, 200);
}

/// What no endpoint would take as a parameter nobody could take back.
#[test]
fn a_token_that_nobody_could_revoke_is_not_issued() {
    let provider = Provider::start();
    let apis: Vec<String> = (0..11).map(|n| format!("urn:{n}:{}", "a".repeat(1_500))).collect();
    let app = provider.service(&json!({ "resources": apis }));
    let ask = |count: usize| {
        let named = apis.iter().take(count).map(|api| ("resource", api.as_str()));
        let fields: Vec<_> = [("grant_type", "client_credentials")].into_iter().chain(named).collect();
        provider.token(&app, &fields)
    };
    ask(3).expect(200);
    refused(&ask(9), 400, "invalid_target");
    refused(&ask(11), 400, "invalid_target");
    let web = web(&provider, &json!({ "resources": apis }));
    let many: Vec<_> = apis.iter().map(|api| ("resource", api.as_str())).collect();
    assert!(Visitor::new(&provider).authorize(&web, &many).contains("error=invalid_target"));
}

#[test]
fn an_api_that_was_taken_from_an_application_is_left_out_of_what_it_refreshes() {
    let provider = Provider::start();
    let settings = |apis: &[&str]| {
        json!({ "redirectUris": [CALLBACK], "consent": "skip", "resources": apis,
            "grantTypes": ["authorization_code", "refresh_token"], "allowedScopes": ["openid", "offline_access"] })
    };
    let app = web(&provider, &settings(&["urn:a", "urn:b"]));
    let asked = [("scope", "openid offline_access"), ("resource", "urn:a"), ("resource", "urn:b")];
    let code = Visitor::new(&provider).code_with(&app, ADA, &asked);
    let mut tokens = provider.redeem(&app, &code).expect(200).json();
    let mut refreshed = |apis: &[&str]| {
        provider.admin().put(&format!("/api/v1/applications/{}", app.id), &settings(apis)).expect(200);
        let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
        let answer =
            provider.by(&app, "/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]);
        if answer.status == 200 {
            tokens = answer.json();
        }
        answer
    };
    let left = refreshed(&["urn:a"]).expect(200).json();
    assert_eq!(part(left["access_token"].as_str().unwrap(), 1)["aud"], "urn:a");
    refused(&refreshed(&["urn:c"]), 400, "invalid_grant");
}

#[test]
fn a_slug_that_is_no_text_is_nobodys() {
    let provider = Provider::start();
    let anybody = provider.admin().anonymous();
    assert_eq!(anybody.get("/t/%ff/oauth2/jwks").status, 404);
    let app = provider.service(&json!({}));
    let fields = [("grant_type", "client_credentials")];
    assert_eq!(provider.by(&app, "/t/%ff/oauth2/token", &fields).status, 404);
}

/// An application that cannot verify ML-DSA yet weakens nobody else.
#[test]
fn a_classical_key_signs_for_its_own_application_alone() {
    let provider = Provider::start();
    let app = provider.service(&json!({ "idTokenAlg": "ES256", "resources": ["urn:orders"] }));
    let own = provider.own_token(&app);
    let other = provider.token(&app, &[("grant_type", "client_credentials"), ("resource", "urn:orders")]).expect(200);
    assert_eq!(part(&own, 0)["alg"], "ES256");
    assert_eq!(part(&other.text_of("access_token"), 0)["alg"], "ML-DSA-65");
    assert!(provider.is_active(&app, &own) && provider.is_active(&app, &other.text_of("access_token")));
}
