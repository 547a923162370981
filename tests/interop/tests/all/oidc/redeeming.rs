//! Codes and pushed requests: by whom, with what and how long they can be used.

use serde_json::json;

use super::provider::{App, Provider, refused, trail_line};
use super::visitor::{CALLBACK, PASSWORD, VERIFIER, Visitor, parameter, sent};
use crate::client::Answer;
use crate::moved_clock::MovedClock;
use crate::server::Server;
use crate::surface::encoded;

const ADA: &str = "ada@people.example";
const OTHER_VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters-0002";

fn redeem<'a>(
    provider: &Provider,
    app: &App,
    code: &'a str,
    change: impl FnOnce(&mut Vec<(&'a str, &'a str)>),
) -> Answer {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    change(&mut fields);
    provider.by(app, "/oauth2/token", &fields)
}

fn without(fields: &mut Vec<(&str, &str)>, name: &str) {
    fields.retain(|(known, _)| *known != name);
}

#[test]
fn redirect_missing_or_changed_at_token() {
    let provider = Provider::start();
    let app =
        provider.app("WebApp", &json!({ "redirectUris": [CALLBACK, "https://app.example/other"], "consent": "skip" }));
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let mut code = visitor.code(&app, ADA);
    for wrong in [None, Some("https://app.example/other"), Some("https://app.example/cb/"), Some("")] {
        let answer = redeem(&provider, &app, &code, |fields| {
            without(fields, "redirect_uri");
            fields.extend(wrong.map(|address| ("redirect_uri", address)));
        });
        refused(&answer, 400, "invalid_grant");
        // The code is burnt: whoever tries cannot try again.
        refused(&redeem(&provider, &app, &code, |_| {}), 400, "invalid_grant");
        code = parameter(&visitor.authorize(&app, &[]), "code");
    }
    redeem(&provider, &app, &code, |_| {}).expect(200);
}

#[test]
fn pkce_wrong_or_omitted_verifier() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let challenge = super::provider::base64url(&crypto::hash::sha256(&[VERIFIER.as_bytes()]));
    let mut code = visitor.code(&app, ADA);
    for wrong in [None, Some(OTHER_VERIFIER), Some(""), Some("short"), Some(challenge.as_str())] {
        let answer = redeem(&provider, &app, &code, |fields| {
            without(fields, "code_verifier");
            fields.extend(wrong.map(|verifier| ("code_verifier", verifier)));
        });
        refused(&answer, 400, "invalid_grant");
        refused(&redeem(&provider, &app, &code, |_| {}), 400, "invalid_grant");
        code = parameter(&visitor.authorize(&app, &[]), "code");
    }
    redeem(&provider, &app, &code, |_| {}).expect(200);
}

/// A code without a challenge is what a downgrade would need. There is none, by whichever way it is asked for; and a code is good for the
/// verifier of its own request alone.
#[test]
fn pkce_injected_verifier_finds_no_code_without_a_challenge() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    visitor.code(&app, ADA);
    for more in [&[("code_challenge", "")][..], &[("code_challenge_method", "")], &[("code_challenge_method", "plain")]]
    {
        let back = visitor.authorize(&app, more);
        assert!(back.contains("error=invalid_request") && !back.contains("code="), "{more:?}: {back}");
    }
    let push = [("response_type", "code"), ("redirect_uri", CALLBACK), ("scope", "openid")];
    refused(&provider.by(&app, "/oauth2/par", &push), 400, "invalid_request");
    let challenge = super::provider::base64url(&crypto::hash::sha256(&[OTHER_VERIFIER.as_bytes()]));
    let injected = parameter(&visitor.authorize(&app, &[("code_challenge", &challenge)]), "code");
    refused(&redeem(&provider, &app, &injected, |_| {}), 400, "invalid_grant");
}

#[test]
fn code_of_another_client_is_an_event() {
    let provider = Provider::start();
    let (app, other) = (provider.web(), provider.web());
    provider.end_user(&app, ADA);
    let code = Visitor::new(&provider).code(&app, ADA);
    refused(&redeem(&provider, &other, &code, |_| {}), 400, "invalid_grant");
    trail_line(&provider, &["TokenIssued", "the code is another client's", &other.client_id]);
    // It is left to whom it belongs to: guessing is no way to burn it.
    redeem(&provider, &app, &code, |_| {}).expect(200);
}

#[test]
fn iss_in_response() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    let issuer = format!("iss={}", encoded(provider.server.base_url()));
    let back = sent(&visitor.sign_in(&page, ADA, PASSWORD));
    assert!(back.contains(&issuer) && back.contains("code=") && back.contains("state=st"), "{back}");
    for (ask, error) in
        [(("response_type", "token"), "unsupported_response_type"), (("scope", "openid x"), "invalid_scope")]
    {
        let back = visitor.authorize(&app, &[ask]);
        assert!(back.contains(&issuer) && back.contains(&format!("error={error}")), "{back}");
    }
    let form = visitor.get(&format!(
        "/oauth2/authorize?{}&response_mode=form_post",
        asked(&app).iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
    ));
    let page = form.expect(200).text();
    assert!(page.contains("name=\"iss\"") && page.contains("name=\"code\""), "{page}");
}

/// What an application asks with, in a browser's address or pushed.
pub fn asked(app: &App) -> Vec<(&'static str, String)> {
    let challenge = super::provider::base64url(&crypto::hash::sha256(&[VERIFIER.as_bytes()]));
    vec![
        ("client_id", app.client_id.clone()),
        ("response_type", "code".to_owned()),
        ("redirect_uri", CALLBACK.to_owned()),
        ("scope", "openid".to_owned()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
    ]
}

#[test]
fn what_waits_too_long_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let clock = MovedClock::new(folder.path());
    let provider = Provider { server: Server::start_dev_by(clock.qapid(), &folder.path().join("data"), &[]) };
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let code = visitor.code(&app, ADA);
    let soon = parameter(&visitor.authorize(&app, &[]), "code");
    let mut push = asked(&app);
    push.retain(|(name, _)| *name != "client_id");
    let push: Vec<_> = push.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pushed = |name: &str| provider.by(&app, "/oauth2/par", &push).expect(201).text_of(name);
    let (early, late) = (pushed("request_uri"), pushed("request_uri"));
    let go =
        |uri: &str| visitor.get(&format!("/oauth2/authorize?client_id={}&request_uri={}", app.client_id, encoded(uri)));
    clock.set_ahead_s(45);
    redeem(&provider, &app, &soon, |_| {}).expect(200);
    assert!(sent(&go(&early)).contains("code="));
    clock.set_ahead_s(75);
    refused(&redeem(&provider, &app, &code, |_| {}), 400, "invalid_grant");
    let over = go(&late);
    assert_eq!((over.status, over.header("location")), (400, None), "{}", over.text());

    // Who signed in more than a second ago signs in anew where no more is wanted, and the ID token says when.
    let page = visitor.authorize(&app, &[("max_age", "1")]);
    assert!(page.starts_with("/login?"), "{page}");
    let code = parameter(&sent(&visitor.sign_in(&page, ADA, PASSWORD)), "code");
    let tokens = redeem(&provider, &app, &code, |_| {}).expect(200).json();
    let said = super::provider::part(tokens["id_token"].as_str().unwrap(), 1);
    let auth_time = said["auth_time"].as_u64().unwrap();
    assert!(auth_time >= super::provider::now_s() + 60, "{said}");
    // The page of a sign-in does not wait for ever either.
    let page = visitor.authorize(&app, &[("prompt", "login")]);
    clock.set_ahead_s(75 + 16 * 60);
    assert_eq!(visitor.sign_in(&page, ADA, PASSWORD).status, 400);
    // A session that nobody used for an hour is over, and so is what hangs on it.
    let access = tokens["access_token"].as_str().unwrap();
    clock.set_ahead_s(3 * 3_600);
    assert!(visitor.authorize(&app, &[]).starts_with("/login?"));
    assert!(!provider.is_active(&app, access));
}

/// A session that nobody uses ends by itself, which nobody announces: that its token was found alive a moment ago does not help it.
#[test]
fn a_token_that_was_seen_alive_ends_with_its_session() {
    let folder = tempfile::tempdir().unwrap();
    let clock = MovedClock::new(folder.path());
    let provider = Provider { server: Server::start_dev_by(clock.qapid(), &folder.path().join("data"), &[]) };
    let settings = json!({ "redirectUris": [CALLBACK], "consent": "skip", "sessionIdleSeconds": 60 });
    let app = provider.app("WebApp", &settings);
    provider.end_user(&app, ADA);
    let code = Visitor::new(&provider).code(&app, ADA);
    let tokens = redeem(&provider, &app, &code, |_| {}).expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    let userinfo = || provider.form_with("/oauth2/userinfo", &[], Some(&format!("Bearer {access}")));
    assert!(provider.is_active(&app, access));
    userinfo().expect(200);
    clock.set_ahead_s(50);
    assert!(provider.is_active(&app, access));
    clock.set_ahead_s(62);
    assert!(!provider.is_active(&app, access), "a session is over, and its token is alive");
    refused(&userinfo(), 401, "invalid_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    refused(&provider.by(&app, "/oauth2/token", &fields), 400, "invalid_grant");
}
