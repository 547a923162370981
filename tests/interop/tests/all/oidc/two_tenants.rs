//! Two tenants on one host, in one browser.

use serde_json::json;

use super::provider::{App, Provider};
use super::visitor::{CALLBACK, PASSWORD, Visitor, parameter, sent};

const ADA: &str = "ada@people.example";
const OWN: &str = "qapi_session";
const OTHERS: &str = "qapi_session-acme";

/// Signs somebody in at the issuer under this path.
fn signed_in(visitor: &Visitor<'_>, issuer: &str, app: &App) {
    let page = visitor.authorize_at(issuer, app, &[]);
    assert!(page.starts_with(&format!("{issuer}/login?")), "{page}");
    parameter(&sent(&visitor.sign_in(&page, ADA, PASSWORD)), "code");
}

#[test]
fn sessions_of_two_tenants_in_one_browser_do_not_meet() {
    let provider = Provider::start();
    let acme = provider.server.tenant("acme");
    let settings = json!({ "redirectUris": [CALLBACK], "consent": "skip" });
    let (app, other) = (provider.web(), provider.app_of(&acme, "WebApp", &settings));
    provider.end_user(&app, ADA);
    provider.end_user_of(&acme, &other, ADA);
    let visitor = Visitor::new(&provider);
    signed_in(&visitor, "", &app);
    let first = visitor.cookie(OWN).expect("a session here");
    // Signing in there asks anew, and leaves what is here.
    signed_in(&visitor, "/t/acme", &other);
    let second = visitor.cookie(OTHERS).expect("a session there");
    assert_eq!(visitor.cookie(OWN), Some(first.clone()));
    for account in ["/account", "/t/acme/account"] {
        visitor.get(account).expect(200);
    }
    // One that goes on by itself, without anybody being asked, does so in both.
    assert!(visitor.authorize_at("", &app, &[("prompt", "none")]).contains("code="));
    assert!(visitor.authorize_at("/t/acme", &other, &[("prompt", "none")]).contains("code="));
    // Under the name of the other, neither is a session.
    visitor.set_cookie(OWN, &second);
    visitor.set_cookie(OTHERS, &first);
    for account in ["/account", "/t/acme/account"] {
        visitor.get(account).expect(401);
    }
    visitor.set_cookie(OWN, &first);
    visitor.set_cookie(OTHERS, &second);
    // Signing out of one leaves the other.
    let people = format!("/api/v1/applications/{}/end-users", app.id);
    let ada = provider.admin().get(&people).expect(200).json()["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(provider.admin().delete(&format!("{people}/{ada}/sessions")).status < 300);
    visitor.get("/account").expect(401);
    visitor.get("/t/acme/account").expect(200);
}
