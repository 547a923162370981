//! Applications hear that somebody signed out, whoever ended the session, by tokens that they can verify.

use serde_json::{Value, json};

use super::provider::{App, Provider, part, refused};
use super::receiver::{Received, Receiver};
use super::visitor::{CALLBACK, PASSWORD, Visitor, hidden, parameter, sent};
use crate::server::Server;

const ADA: &str = "ada@people.example";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn app(provider: &Provider, receiver: &Receiver, more: &Value) -> App {
    let mut settings = json!({
        "redirectUris": [CALLBACK], "postLogoutRedirectUris": ["https://app.example/bye"], "consent": "skip",
        "backchannelLogoutUri": format!("{}/backchannel", receiver.url),
    });
    for (name, value) in more.as_object().expect("settings") {
        settings[name] = value.clone();
    }
    provider.app("WebApp", &settings)
}

/// The logout token of a request, verified as section 2.6 says.
#[track_caller]
fn logout_token(provider: &Provider, received: &Received) -> Value {
    assert_eq!(received.line, "POST /backchannel HTTP/1.1");
    let is_form = |header: &String| header.eq_ignore_ascii_case("content-type: application/x-www-form-urlencoded");
    assert!(received.headers.iter().any(is_form), "{:?}", received.headers);
    let token = received.body.strip_prefix("logout_token=").expect("a logout token");
    let claims = provider.verified(token, "logout+jwt");
    assert_eq!(claims["iss"], provider.server.base_url());
    assert_eq!(claims["events"], json!({ EVENT: {} }));
    assert!(claims.get("nonce").is_none(), "{claims}");
    assert!(claims["jti"].is_string() && claims["exp"].as_u64() > claims["iat"].as_u64(), "{claims}");
    claims
}

/// Signs somebody in; what the ID token says.
fn signed_in(provider: &Provider, visitor: &Visitor<'_>, app: &App) -> (Value, Value) {
    let code = visitor.code(app, ADA);
    let tokens = provider.redeem(app, &code).expect(200).json();
    (part(tokens["id_token"].as_str().expect("an ID token"), 1), tokens)
}

#[test]
fn backchannel_tells_with_a_token_and_an_application_that_is_down_hears_later() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut provider = Provider { server: Server::start_dev_in(&data) };
    let address = provider.server.base_url().trim_start_matches("http://").to_owned();
    let receiver = Receiver::start("");
    let app = app(&provider, &receiver, &json!({}));
    let user = provider.end_user(&app, ADA);
    let metadata = provider.admin().anonymous().get("/.well-known/openid-configuration").expect(200).json();
    assert_eq!(metadata["backchannel_logout_supported"], true);
    assert_eq!(metadata["backchannel_logout_session_supported"], true);

    receiver.answer(503, "");
    let (id, access) = {
        let visitor = Visitor::new(&provider);
        let (id, tokens) = signed_in(&provider, &visitor, &app);
        let access = tokens["access_token"].as_str().unwrap().to_owned();
        let out = format!(
            "/oauth2/logout?id_token_hint={}&state=s&post_logout_redirect_uri=",
            tokens["id_token"].as_str().unwrap()
        );
        assert_eq!(sent(&visitor.get(&format!("{out}https://app.example/bye"))), "https://app.example/bye?state=s");
        (id, access)
    };
    let first = receiver.wait_for(1);
    let told = logout_token(&provider, &first[0]);
    assert_eq!((&told["aud"], &told["sub"], &told["sid"]), (&json!(app.client_id), &user["id"], &id["sid"]));
    // The application is down, and the server ends as a lost machine does: it is told all the same, by another token.
    provider.server.kill();
    receiver.answer(200, "");
    provider.server = Server::start_dev_with(&data, &["--listen", &address]);
    let again = receiver.wait_for(2);
    let told_again = logout_token(&provider, again.last().unwrap());
    assert_eq!(told_again["sid"], id["sid"]);
    assert_ne!(told_again["jti"], told["jti"], "a token is made anew for every try");
    // Whoever gets a logout token cannot use it as another token, and what it is not is no hint.
    let token = again[0].body.strip_prefix("logout_token=").unwrap().to_owned();
    assert!(!provider.is_active(&app, &token) && !provider.is_active(&app, &access));
    let info = provider.admin().anonymous().request("GET", "/oauth2/userinfo");
    refused(&info.header("authorization", &format!("Bearer {token}")).send(), 401, "invalid_token");
}

#[test]
fn whoever_ends_a_session_has_the_applications_told() {
    for (what, algorithm) in [
        ("session", "ML-DSA-65"),
        ("sessions", "ES256"),
        ("block", "ML-DSA-44"),
        ("delete", "Ed25519"),
        ("password", "ML-DSA-65"),
        ("own page", "ML-DSA-65"),
    ] {
        let provider = Provider::start();
        let (receiver, other) = (Receiver::start(""), Receiver::start(""));
        let app = app(&provider, &receiver, &json!({ "idTokenAlg": algorithm }));
        let user = provider.end_user(&app, ADA);
        let visitor = Visitor::new(&provider);
        let (id, _) = signed_in(&provider, &visitor, &app);
        // Nobody signed in to this one.
        self::app(&provider, &other, &json!({}));
        let place = format!("/api/v1/applications/{}/end-users/{}", app.id, user["id"].as_str().unwrap());
        let admin = provider.admin();
        match what {
            "session" => {
                let sessions = admin.get(&format!("{place}/sessions")).expect(200).json();
                let session = sessions[0]["id"].as_str().unwrap().to_owned();
                admin.delete(&format!("{place}/sessions/{session}")).expect(204);
            }
            "sessions" => drop(admin.delete(&format!("{place}/sessions")).expect(204)),
            "block" => drop(admin.post(&format!("{place}/block"), &json!({})).expect(200)),
            "delete" => drop(admin.delete(&place).expect(204)),
            "password" => drop(admin.post(&format!("{place}/generate-temporary-password"), &json!({})).expect(200)),
            _ => {
                // The person ends the session of another browser.
                let own = Visitor::new(&provider);
                let page = own.authorize(&app, &[]);
                sent(&own.sign_in(&page, ADA, PASSWORD));
                let account = own.get("/account").expect(200);
                let fields = [
                    ("do", "password"),
                    ("password", PASSWORD),
                    ("new_password", "four words nobody has said"),
                    ("token", &hidden(&account, "token")),
                ];
                own.post("/account", &fields).expect(200);
            }
        }
        let received = receiver.wait_for(1);
        let told = logout_token(&provider, &received[0]);
        assert_eq!((&told["sid"], &told["sub"]), (&id["sid"], &user["id"]), "{what}");
        let header = part(received[0].body.strip_prefix("logout_token=").unwrap(), 0);
        assert_eq!((&header["alg"], &header["typ"]), (&json!(algorithm), &json!("logout+jwt")), "{what}");
        assert_eq!((receiver.received().len(), other.received().len()), (1, 0), "{what}");
    }
}

#[test]
fn logout_of_others_and_to_elsewhere_is_refused() {
    let provider = Provider::start();
    let receiver = Receiver::start("");
    let app = app(&provider, &receiver, &json!({}));
    provider.end_user(&app, ADA);
    provider.end_user(&app, "eve@people.example");
    let (ada, eve) = (Visitor::new(&provider), Visitor::new(&provider));
    let (_, tokens) = signed_in(&provider, &ada, &app);
    let hint = tokens["id_token"].as_str().unwrap();
    let page = eve.authorize(&app, &[]);
    sent(&eve.sign_in(&page, "eve@people.example", PASSWORD));
    // Somebody else's hint, a broken one, none: the person is asked.
    let broken = format!("{}x", &hint[..hint.len() - 1]);
    for query in
        [format!("id_token_hint={hint}"), format!("id_token_hint={broken}"), format!("client_id={}", app.client_id)]
    {
        let asked = eve.get(&format!("/oauth2/logout?{query}"));
        assert_eq!(asked.status, 200, "{query}: {}", asked.text());
        assert!(eve.authorize(&app, &[]).contains("code="), "{query} signed somebody out");
    }
    // Only what is registered is gone back to.
    for place in [
        "https://evil.example/",
        "https://app.example/bye/../x",
        "https://app.example.evil.example/bye",
        "//evil.example",
    ] {
        let answer = ada.get(&format!("/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri={place}"));
        assert_eq!((answer.status, answer.header("location")), (400, None), "{place}: {}", answer.text());
    }
    assert!(ada.authorize(&app, &[]).contains("code="));
    // Who confirms on the page is signed out, here and nowhere else.
    let asked = eve.get("/oauth2/logout").expect(200);
    let confirm = hidden(&asked, "confirm");
    assert_eq!(ada.post("/oauth2/logout", &[("confirm", &confirm)]).status, 200);
    assert!(ada.authorize(&app, &[]).contains("code="), "somebody else's confirmation signed her out");
    eve.post("/oauth2/logout", &[("confirm", &confirm)]).expect(200);
    assert!(eve.authorize(&app, &[]).starts_with("/login?"));
    // A hint may come by POST: it is longer than some proxies let an address be.
    let state = [("id_token_hint", hint), ("post_logout_redirect_uri", "https://app.example/bye"), ("state", "a b&c")];
    let back = sent(&ada.post("/oauth2/logout", &state));
    assert_eq!(back, "https://app.example/bye?state=a%20b%26c");
    assert_eq!(parameter(&back, "state"), "a%20b%26c");
    assert!(ada.authorize(&app, &[]).starts_with("/login?"));
}
