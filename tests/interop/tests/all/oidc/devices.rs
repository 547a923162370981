//! The device grant (RFC 8628) from outside: a device that asks, and a person who types.

use serde_json::{Value, json};

use super::provider::{App, Provider, part, refused};
use super::visitor::{Visitor, hidden};
use crate::client::Answer;
use crate::installation::{Engine, Installation};
use crate::moved_clock::MovedClock;
use crate::server::Server;

const ADA: &str = "ada@people.example";
const PASSWORD: &str = super::visitor::PASSWORD;
const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");

struct Device<'p> {
    provider: &'p Provider,
    app: &'p App,
    told: Value,
}

impl<'p> Device<'p> {
    fn begin(provider: &'p Provider, app: &'p App) -> Self {
        let fields = [("client_id", app.client_id.as_str()), ("scope", "openid")];
        Self { provider, app, told: provider.form("/oauth2/device_authorization", &fields).expect(200).json() }
    }

    fn poll(&self) -> Answer {
        let code = self.told["device_code"].as_str().unwrap();
        self.provider.form("/oauth2/token", &[GRANT, ("client_id", &self.app.client_id), ("device_code", code)])
    }

    fn code(&self) -> &str {
        self.told["user_code"].as_str().unwrap()
    }
}

/// Types a code, signs in if nobody is, and answers.
fn answered(visitor: &Visitor<'_>, code: &str, answer: &str) {
    let page = visitor.get(&format!("/device?user_code={code}")).expect(200);
    let page = if page.text().contains("name=\"password\"") {
        let fields = [("user_code", code), ("email", ADA), ("password", PASSWORD)];
        visitor.post("/device", &fields).expect(200)
    } else {
        page
    };
    let token = hidden(&page, "token");
    // Without the page's own token nothing is answered.
    assert_eq!(visitor.post("/device", &[("user_code", code), ("answer", "yes")]).status, 403);
    visitor.post("/device", &[("user_code", code), ("answer", answer), ("token", &token)]).expect(200);
}

#[test]
fn device_flow_allowed_denied_expired_and_reused() {
    let folder = tempfile::tempdir().unwrap();
    let clock = MovedClock::new(folder.path());
    let provider = Provider { server: Server::start_dev_by(clock.qapid(), &folder.path().join("data"), &[]) };
    let app = provider.app("NativeApp", &json!({ "redirectUris": ["http://127.0.0.1/cb"] }));
    let user = provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let (allowed, denied, late) =
        (Device::begin(&provider, &app), Device::begin(&provider, &app), Device::begin(&provider, &app));
    refused(&allowed.poll(), 400, "authorization_pending");
    refused(&allowed.poll(), 400, "slow_down");
    answered(&visitor, allowed.code(), "yes");
    answered(&visitor, denied.code(), "no");
    clock.set_ahead_s(20);
    let tokens = allowed.poll().expect(200).json();
    assert_eq!(provider.verified(tokens["access_token"].as_str().unwrap(), "at+jwt")["sub"], user["id"]);
    refused(&allowed.poll(), 400, "invalid_grant");
    refused(&denied.poll(), 400, "access_denied");
    clock.set_ahead_s(700);
    refused(&late.poll(), 400, "expired_token");
    assert_eq!(visitor.get(&format!("/device?user_code={}", late.code())).status, 400);
}

/// A session of one factor carries nobody past a policy that wants two since then: not at the page of devices either.
#[test]
fn a_policy_of_second_factors_holds_for_devices() {
    let provider = Provider::start();
    let app = provider.app("NativeApp", &json!({ "redirectUris": ["http://127.0.0.1/cb"] }));
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let (before, after) = (Device::begin(&provider, &app), Device::begin(&provider, &app));
    answered(&visitor, before.code(), "yes");
    // The page was shown before the policy changed, and its form is sent afterwards.
    let page = visitor.get(&format!("/device?user_code={}", after.code())).expect(200);
    let token = hidden(&page, "token");
    let place = format!("/api/v1/applications/{}", app.id);
    provider.admin().put(&place, &json!({ "mfaPolicy": "required" })).expect(200);
    let late = visitor.post("/device", &[("user_code", after.code()), ("answer", "yes"), ("token", &token)]);
    assert_eq!(late.status, 400, "{}", late.text());
    refused(&after.poll(), 400, "authorization_pending");
    // Whoever looks again signs in, and then shows a second factor.
    let page = visitor.get(&format!("/device?user_code={}", after.code())).expect(200);
    assert!(page.text().contains("name=\"password\""), "{}", page.text());
    let fields = [("user_code", after.code()), ("email", ADA), ("password", PASSWORD)];
    let asked = visitor.post("/device", &fields).text();
    assert!(!asked.contains("name=\"answer\""), "{asked}");
}

#[test]
fn what_was_taken_from_an_application_no_device_of_it_gets() {
    let provider = Provider::start();
    let app = provider.app("NativeApp", &json!({ "redirectUris": ["http://127.0.0.1/cb"] }));
    provider.end_user(&app, ADA);
    let place = format!("/api/v1/applications/{}", app.id);
    let had = provider.admin().get(&place).expect(200).json();
    let visitor = Visitor::new(&provider);
    answered(&visitor, Device::begin(&provider, &app).code(), "yes");
    for less in [json!({ "grantTypes": ["authorization_code"] }), json!({ "allowedScopes": ["email"] })] {
        let device = Device::begin(&provider, &app);
        let page = visitor.get(&format!("/device?user_code={}", device.code())).expect(200);
        let token = hidden(&page, "token");
        provider.admin().put(&place, &less).expect(200);
        let late = visitor.post("/device", &[("user_code", device.code()), ("answer", "yes"), ("token", &token)]);
        assert_eq!(late.status, 400, "{less}: {}", late.text());
        assert_eq!(visitor.get(&format!("/device?user_code={}", device.code())).status, 400, "{less}");
        let before = json!({ "grantTypes": had["grantTypes"], "allowedScopes": had["allowedScopes"] });
        provider.admin().put(&place, &before).expect(200);
        refused(&device.poll(), 400, "authorization_pending");
    }
}

/// A device goes on when the browser is signed out, and its application is not told of that: its tokens name no session.
#[test]
fn tokens_of_a_device_name_no_session() {
    let provider = Provider::start();
    let app = provider.app("NativeApp", &json!({ "redirectUris": ["http://127.0.0.1/cb"] }));
    provider.end_user(&app, ADA);
    let device = Device::begin(&provider, &app);
    answered(&Visitor::new(&provider), device.code(), "yes");
    let tokens = device.poll().expect(200).json();
    for name in ["id_token", "access_token"] {
        let claims = part(tokens[name].as_str().unwrap(), 1);
        assert!(claims["sid"].is_null() && claims["auth_time"].is_u64(), "{name}: {claims}");
    }
}

/// Twenty letters in eight places are 2.56 * 10^10 codes. Whoever guesses is stopped by the rate of their address: what one address may
/// try in the ten minutes of a code, at a code of one waiting device, is far below one in a million.
#[test]
fn device_codes_are_not_guessed() {
    // With the limits that an operator has who sets none.
    let installation = Installation::unattended(&Engine::Sqlite);
    let provider = Provider { server: installation.serve() };
    let app = provider.app("NativeApp", &json!({ "redirectUris": ["http://127.0.0.1/cb"] }));
    let device = Device::begin(&provider, &app);
    let letters: String = device.code().chars().filter(|letter| *letter != '-').collect();
    assert!(letters.len() == 8 && letters.bytes().all(|letter| b"BCDFGHJKLMNPQRSTVWXZ".contains(&letter)), "{letters}");
    let space = 20_f64.powi(8);
    let tries_of_an_address = 600.0 * 10.0;
    assert!(tries_of_an_address / space < 1e-6);
    let visitor = Visitor::new(&provider);
    let mut limited = false;
    for n in 0..2_000 {
        let guess = format!("BBBB-{}", ["BBBB", "BBBC", "BBBD", "BBBF"][n % 4]);
        match visitor.get(&format!("/device?user_code={guess}")).status {
            400 => {}
            429 => {
                limited = true;
                break;
            }
            other => panic!("{other}"),
        }
    }
    assert!(limited, "nobody stops whoever guesses");
}
