//! Every page that people see, in a real browser at the width of a phone and of a desk: `pages.mjs` arrives there and looks.

use std::process::Command;

use serde_json::{Value, json};

use super::browser::{Browser, House, PASSWORD};
use super::provider::{App, base64url};
use crate::fetched::{all_hold, client};
use crate::surface::encoded;

const CALLBACK: &str = "https://app.example/cb";
const ADA: &str = "ada@pages.example";

/// A page, and the steps that lead to it.
fn page(name: &str, visit: &str, link: Option<&str>, status: u16, steps: &[Value], shows: &str) -> Value {
    let mut page = json!({ "name": name, "visit": visit, "status": status, "steps": steps, "shows": shows });
    if let Some(link) = link {
        page["link"] = json!(link);
    }
    page
}

fn sign_in(password: &str) -> Value {
    json!({ "fill": { "email": ADA, "password": password }, "press": "^sign in$" })
}

fn asks(app: &App) -> String {
    let challenge = base64url(&crypto::hash::sha256(&[b"a-verifier-of-forty-three-characters-or-more-x"]));
    format!(
        "/oauth2/authorize?response_type=code&client_id={}&redirect_uri={}&scope={}&state=s&code_challenge={challenge}&code_challenge_method=S256",
        encoded(&app.client_id),
        encoded(CALLBACK),
        encoded("openid email offline_access"),
    )
}

struct Apps {
    asking: App,
    strict: App,
    usual: App,
    device_code: String,
}

fn apps(house: &House) -> Apps {
    let provider = &house.provider;
    let branding = json!({ "title": "Welcome to the shop of many small things", "text": "Sign in with the address that your orders go to.", "colour": "#7a1f5c" });
    let asking = provider.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "ask", "branding": branding }));
    let device = provider.app("NativeApp", &json!({ "redirectUris": ["http://127.0.0.1/cb"], "consent": "skip" }));
    let fields = [("client_id", device.client_id.as_str()), ("scope", "openid profile")];
    let device_code = provider.form("/oauth2/device_authorization", &fields).expect(200).text_of("user_code");
    house.user(&device, ADA, true);
    let apps = Apps { asking, strict: house.portal(Some("required")), usual: house.portal(None), device_code };
    for app in [&apps.asking, &apps.strict, &apps.usual] {
        house.user(app, ADA, true);
    }
    let mut browser = Browser::new(house);
    browser.sign_in(house, &apps.usual, ADA, PASSWORD);
    browser.enrol();
    apps
}

fn of_signing_in(house: &House, apps: &Apps) -> Vec<Value> {
    let (asking, strict, usual) = (asks(&apps.asking), asks(&apps.strict), asks(&apps.usual));
    let temporary = house.portal(None);
    let user = house.user(&temporary, ADA, true);
    let place = format!("/api/v1/applications/{}/end-users/{user}/generate-temporary-password", temporary.id);
    let given = house.provider.admin().post(&place, &json!({})).expect(200).text_of("temporaryPassword");
    vec![
        page("sign-in", "a", Some(&asking), 200, &[], "small things"),
        page("sign-in refused", "a", None, 400, &[sign_in("not the password at all")], "is wrong"),
        page(
            "sign-in with a temporary password",
            "b",
            Some(&asks(&temporary)),
            400,
            &[sign_in(&given)],
            "New password",
        ),
        page("second factor to set up", "c", Some(&strict), 200, &[sign_in(PASSWORD)], "One more step"),
        page("second factor", "d", Some(&usual), 200, &[sign_in(PASSWORD)], "One more step"),
        page(
            "second factor refused",
            "d",
            None,
            400,
            &[json!({"fill": {"code": "000000"}, "press": "^sign in$"})],
            "wrong",
        ),
        page("consent", "e", Some(&asking), 200, &[sign_in(PASSWORD)], "asks for"),
        page("account", "e", Some("/account"), 200, &[], "What happened"),
        page(
            "password refused",
            "e",
            None,
            400,
            &[
                json!({"fill": {"password": "wrong", "new_password": "four words nobody has said"}, "press": "Change it"}),
            ],
            "not your password",
        ),
        page("second factors", "e", Some("/account/factors"), 200, &[], "You have none"),
        page(
            "authenticator offered",
            "e",
            None,
            200,
            &[json!({"fill": {"password": PASSWORD}, "press": "Add an authenticator"})],
            "Add this secret",
        ),
        page(
            "sign-out",
            "e",
            Some(&format!("/oauth2/logout?client_id={}&state=s", apps.asking.client_id)),
            200,
            &[],
            "want to sign out",
        ),
        page("signed out", "e", None, 200, &[json!({"press": "Sign out"})], "You are signed out"),
        page("nobody", "e", Some("/account"), 401, &[], "Sign in to your account"),
    ]
}

fn of_devices_and_letters(house: &House, apps: &Apps) -> Vec<Value> {
    let (admin, place) = (house.provider.admin(), format!("/api/v1/applications/{}/end-users", apps.asking.id));
    let user = house.user(&apps.asking, "bob@pages.example", false);
    admin.post(&format!("{place}/{user}/send-verification"), &json!({})).expect(204);
    admin.post(&format!("{place}/{user}/send-password-reset"), &json!({})).expect(204);
    admin.post("/api/v1/users/invite", &json!({"email": "eve@pages.example", "role": "member"})).expect(201);
    let verify = house.link("bob@pages.example", "Confirm your e-mail address");
    let reset = house.link("bob@pages.example", "Set a new password");
    let invited = house.link("eve@pages.example", "You are invited");
    let forgot = format!("/forgot?client_id={}", apps.asking.client_id);
    let weak = json!({"fill": {"new_password": "passwordpassword"}, "press": "."});
    vec![
        page("device", "f", Some("/device"), 200, &[], "Connect a device"),
        page("device unknown", "f", Some("/device?user_code=BBBB-BBBB"), 400, &[], "No device waits"),
        page("device sign-in", "f", Some(&format!("/device?user_code={}", apps.device_code)), 200, &[], "Sign in"),
        page("device allowed?", "f", None, 200, &[sign_in(PASSWORD)], "asks for"),
        page("invitation", "g", Some(&invited), 200, &[], "password"),
        page("password too weak", "g", None, 400, &[weak], "guessed first"),
        page("verification", "h", Some(&verify), 200, &[], "address"),
        page("reset", "i", Some(&reset), 200, &[], "New password"),
        page("forgot", "j", Some(&forgot), 200, &[], "address"),
        page("forgot sent", "j", None, 200, &[json!({"fill": {"email": "who@pages.example"}, "press": "."})], "."),
        page("link too old", "k", Some("/reset?code=qml_nonsense"), 400, &[], "does not work"),
        page("request refused", "l", Some("/oauth2/authorize?client_id=nobody"), 400, &[], "does not work"),
    ]
}

#[test]
fn pages_are_accessible_and_whole_in_a_browser() {
    let house = House::start();
    let apps = apps(&house);
    let pages = [of_signing_in(&house, &apps), of_devices_and_letters(&house, &apps)].concat();
    let told = json!({ "issuer": house.provider.server.base_url(), "pages": pages });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("place.json");
    std::fs::write(&file, told.to_string()).unwrap();
    let mut looking: Command = client("pages.mjs");
    let count = all_hold(looking.arg(&file));
    assert!(count.ends_with(&format!(": {0} of {0}", pages.len() * 3)), "{count}");
}
