//! What a request asks of the person: nothing, to sign in anew, to be somebody in particular, more than one factor.

use serde_json::json;

use super::browser::{Browser, House, PASSWORD as HOUSE_PASSWORD, acr_and_amr, location, tokens};
use super::provider::{Provider, part};
use super::visitor::{CALLBACK, PASSWORD, Visitor, parameter, sent};

const ADA: &str = "ada@people.example";
const EVE: &str = "eve@people.example";

#[test]
fn prompt_none_wants_a_session_and_consent() {
    let provider = Provider::start();
    let app = provider.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "ask" }));
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    assert!(visitor.authorize(&app, &[("prompt", "none")]).contains("error=login_required"));
    let page = visitor.authorize(&app, &[]);
    let consent = sent(&visitor.sign_in(&page, ADA, PASSWORD));
    assert!(consent.starts_with("/consent?"), "{consent}");
    assert!(visitor.authorize(&app, &[("prompt", "none")]).contains("error=consent_required"));
    let own = provider.web();
    assert!(
        visitor.authorize(&own, &[("prompt", "none")]).contains("error=login_required"),
        "other people's application"
    );
}

/// As when the person takes it back on their account's page.
#[test]
fn whose_grant_an_administrator_ends_is_asked_again() {
    let provider = Provider::start();
    let app = provider.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "ask" }));
    let user = provider.end_user(&app, ADA)["id"].as_str().unwrap().to_owned();
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    let consent = visitor.get(&sent(&visitor.sign_in(&page, ADA, PASSWORD)));
    parameter(&sent(&visitor.answer(&consent, "yes")), "code");
    let silent = || visitor.authorize(&app, &[("prompt", "none")]);
    assert!(silent().contains("code="), "nobody is asked twice");
    let place = format!("/api/v1/applications/{}/end-users/{user}/grants", app.id);
    let admin = provider.admin();
    let grants = admin.get(&place).expect(200).json();
    let grant = grants[0]["id"].as_str().unwrap_or_else(|| panic!("{grants}"));
    admin.delete(&format!("{place}/{grant}")).expect(204);
    assert!(silent().contains("error=consent_required"));
}

#[test]
fn prompt_login_gives_a_new_time_and_keeps_the_session() {
    let provider = Provider::start();
    let app = provider.web();
    let user = provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let said = |code: &str| {
        let tokens = provider.redeem(&app, code).expect(200).json();
        (part(tokens["id_token"].as_str().unwrap(), 1), tokens["access_token"].as_str().unwrap().to_owned())
    };
    let (first, access) = said(&visitor.code(&app, ADA));
    let cookie = visitor.cookie("qapi_session");
    let silent = said(&parameter(&visitor.authorize(&app, &[]), "code")).0;
    assert_eq!(silent["auth_time"], first["auth_time"]);
    // A new second, so that the new time can be told from the old one.
    crate::server::eventually(std::time::Duration::from_secs(5), || {
        (super::provider::now_s() > first["auth_time"].as_u64().unwrap()).then_some(())
    });
    let page = visitor.authorize(&app, &[("prompt", "login")]);
    assert!(page.starts_with("/login?"), "{page}");
    let (second, _) = said(&parameter(&sent(&visitor.sign_in(&page, ADA, PASSWORD)), "code"));
    assert!(second["auth_time"].as_u64() > first["auth_time"].as_u64(), "{first} {second}");
    // The same browser and the same person: one session, under another cookie, and what was granted in it is alive.
    assert_eq!(second["sid"], first["sid"]);
    assert_ne!(visitor.cookie("qapi_session"), cookie);
    assert!(provider.is_active(&app, &access));
    let place = format!("/api/v1/applications/{}/end-users/{}/sessions", app.id, user["id"].as_str().unwrap());
    let sessions = provider.admin().get(&place).expect(200).json();
    assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions}");
    // The cookie of before is nobody's.
    let thief = Visitor::new(&provider);
    thief.set_cookie("qapi_session", &cookie.unwrap());
    assert!(thief.authorize(&app, &[]).starts_with("/login?"));
    // Somebody else at the same browser ends the session of whoever was there.
    provider.end_user(&app, EVE);
    let page = visitor.authorize(&app, &[("prompt", "login")]);
    let (third, _) = said(&parameter(&sent(&visitor.sign_in(&page, EVE, PASSWORD)), "code"));
    assert_ne!(third["sid"], first["sid"]);
    assert!(!provider.is_active(&app, &access));
}

#[test]
fn id_token_hint_of_another_person() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    provider.end_user(&app, EVE);
    let (ada, eve) = (Visitor::new(&provider), Visitor::new(&provider));
    let tokens = provider.redeem(&app, &ada.code(&app, ADA)).expect(200).json();
    let hint = tokens["id_token"].as_str().unwrap();
    eve.code(&app, EVE);
    assert!(ada.authorize(&app, &[("id_token_hint", hint), ("prompt", "none")]).contains("code="));
    let told = eve.authorize(&app, &[("id_token_hint", hint), ("prompt", "none")]);
    assert!(told.contains("error=login_required"), "{told}");
    let page = eve.authorize(&app, &[("id_token_hint", hint)]);
    assert!(page.starts_with("/login?"), "{page}");
    // Whoever then signs in as somebody else than was hinted is asked again, and gets no code.
    let again = sent(&eve.sign_in(&page, EVE, PASSWORD));
    assert!(again.starts_with("/login?"), "{again}");
    // An access token is no hint.
    let access = tokens["access_token"].as_str().unwrap();
    assert!(ada.authorize(&app, &[("id_token_hint", access)]).contains("error=invalid_request"));
}

#[test]
fn policies_of_second_factors() {
    let house = House::start();
    let (usual, off, strict) = (house.portal(None), house.portal(Some("off")), house.portal(Some("required")));
    // Three applications, each with its own people: the policy is the application's.
    for app in [&usual, &off, &strict] {
        house.user(app, ADA, true);
    }
    let enrolled = |app| {
        let mut browser = Browser::new(&house);
        browser.sign_in(&house, app, ADA, HOUSE_PASSWORD);
        browser.enrol();
    };
    enrolled(&usual);
    let mut asked = Browser::new(&house);
    asked.second_half(&usual, ADA, "");
    // Nobody is asked where the policy says so, unless the request does.
    enrolled(&off);
    let mut browser = Browser::new(&house);
    let got = browser.sign_in(&house, &off, ADA, HOUSE_PASSWORD);
    assert_eq!(acr_and_amr(&got).0, "urn:qapi:acr:1");
    let mut stepping = Browser::new(&house);
    stepping.second_half(&off, ADA, "&acr_values=urn:qapi:acr:2");
    // Whoever came in by one factor is asked for the other once the policy wants it: the session does not carry them past it.
    let admin = house.provider.admin();
    admin.put(&format!("/api/v1/applications/{}", off.id), &json!({ "mfaPolicy": "optional" })).expect(200);
    let place = browser.authorize(&off, "");
    assert!(place.contains("/login?interaction="), "{place}");
    // The tenant's default counts where an application says nothing, and its own word replaces it whole.
    let tenants = admin.get("/api/v1/tenants").expect(200).json();
    let tenant = tenants["tenants"][0]["id"].as_str().unwrap().to_owned();
    let changed = admin.patch(&format!("/api/v1/tenants/{tenant}"), &json!({ "mfaPolicy": "required" })).expect(200);
    assert_eq!(changed.text_of("mfaPolicy"), "required");
    house.user(&usual, EVE, true);
    house.user(&off, EVE, true);
    let mut first = Browser::new(&house);
    let (_, _, page) = first.second_half(&usual, EVE, "");
    assert!(page.contains("class=\"secret\""), "somebody without a second factor sets one up");
    let mut second = Browser::new(&house);
    second.sign_in(&house, &off, EVE, HOUSE_PASSWORD);
    admin.patch(&format!("/api/v1/tenants/{tenant}"), &json!({ "mfaPolicy": "sometimes" })).expect(400);
}

#[test]
fn second_factors_are_taken_away_by_an_administrator() {
    let house = House::start();
    let app = house.portal(None);
    let user = house.user(&app, ADA, true);
    let mut browser = Browser::new(&house);
    let got = browser.sign_in(&house, &app, ADA, HOUSE_PASSWORD);
    browser.enrol();
    house.letter(ADA, "An authenticator was added to your account");
    let place = format!("/api/v1/applications/{}/end-users/{user}", app.id);
    let admin = house.provider.admin();
    assert_eq!(admin.get(&place).expect(200).json()["mfaEnabled"], true);
    admin.delete(&format!("{place}/factors")).expect(204);
    assert_eq!(admin.get(&place).expect(200).json()["mfaEnabled"], false);
    house.letter(ADA, "The second factors of your account were removed");
    assert!(!house.provider.is_active(&app, got["access_token"].as_str().unwrap()));
    let mut again = Browser::new(&house);
    let interaction = again.begin(&app, "");
    let answer = again.password(&interaction, ADA, HOUSE_PASSWORD).expect(303);
    assert_eq!(acr_and_amr(&tokens(&house, &app, &location(answer))).0, "urn:qapi:acr:1");
    // Twice is once.
    admin.delete(&format!("{place}/factors")).expect(204);
}

#[test]
fn people_and_roles_have_entity_tags() {
    let provider = Provider::start();
    let app = provider.web();
    let user = provider.end_user(&app, ADA);
    let admin = provider.admin();
    let role = admin.post("/api/v1/roles", &json!({"name": "reader"})).expect(201).text_of("id");
    let own = admin.post("/api/v1/users/invite", &json!({"email": EVE, "role": "member"})).expect(201).text_of("id");
    for (place, change) in [
        (
            format!("/api/v1/applications/{}/end-users/{}", app.id, user["id"].as_str().unwrap()),
            json!({"firstName": "A"}),
        ),
        (format!("/api/v1/roles/{role}"), json!({"description": "reads"})),
        (format!("/api/v1/users/{own}"), json!({"displayName": "Eve"})),
    ] {
        let tag = admin.get(&place).expect(200).header("etag").expect("an entity tag").to_owned();
        let with = |tag: &str| admin.request("PATCH", &place).header("If-Match", tag).json(&change).send();
        let changed = with(&tag).expect(200).header("etag").expect("an entity tag").to_owned();
        assert_ne!(changed, tag, "{place}");
        with(&tag).expect(412);
        with(&changed).expect(200);
        with("nonsense").expect(400);
    }
}
