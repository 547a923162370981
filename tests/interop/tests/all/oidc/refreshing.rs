//! Refresh tokens: rotated, raced for, shown twice, and dead with whatever ends them.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use super::provider::{App, Provider, events, part, refused};
use super::visitor::{CALLBACK, PASSWORD, Visitor, parameter, sent};
use crate::client::Answer;

const ADA: &str = "ada@people.example";

struct Scene {
    provider: Provider,
    app: App,
    user: Value,
    tokens: Value,
}

impl Scene {
    fn new(scope: &str) -> Self {
        let provider = Provider::start();
        let app = provider.app(
            "WebApp",
            &json!({
                "redirectUris": [CALLBACK], "consent": "skip",
                "allowedScopes": ["openid", "profile", "email", "offline_access", "orders:read", "orders:write"],
            }),
        );
        let user = provider.end_user(&app, ADA);
        let visitor = Visitor::new(&provider);
        let page = visitor.authorize(&app, &[("scope", scope)]);
        let code = parameter(&sent(&visitor.sign_in(&page, ADA, PASSWORD)), "code");
        let tokens = provider.redeem(&app, &code).expect(200).json();
        Self { provider, app, user, tokens }
    }

    fn refresh(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        let fields = [&[("grant_type", "refresh_token"), ("refresh_token", token)], more].concat();
        self.provider.by(&self.app, "/oauth2/token", &fields)
    }

    fn first(&self) -> &str {
        self.tokens["refresh_token"].as_str().unwrap()
    }

    fn place(&self) -> String {
        format!("/api/v1/applications/{}/end-users/{}", self.app.id, self.user["id"].as_str().unwrap())
    }
}

#[test]
fn refresh_rotate_raises_an_event_when_a_token_is_shown_again() {
    let scene = Scene::new("openid offline_access");
    let second = scene.refresh(scene.first(), &[]).expect(200).text_of("refresh_token");
    let third = scene.refresh(&second, &[]).expect(200).json();
    // The same sign-in, told anew: all that belongs to it is the same but for the value of the request that began it.
    let [was, is] = [&scene.tokens, &third].map(|tokens| part(tokens["id_token"].as_str().unwrap(), 1));
    for claim in ["iss", "sub", "aud", "azp", "sid", "auth_time", "acr", "amr"] {
        assert_eq!(is[claim], was[claim], "{claim}");
    }
    assert_eq!((&was["nonce"], is.get("nonce")), (&json!("n-1"), None));
    refused(&scene.refresh(scene.first(), &[]), 400, "invalid_grant");
    refused(&scene.refresh(third["refresh_token"].as_str().unwrap(), &[]), 400, "invalid_grant");
    assert!(!scene.provider.is_active(&scene.app, third["access_token"].as_str().unwrap()));
    events(&scene.provider, "action=RefreshTokenReused", |items| items.as_array().is_some_and(|all| all.len() == 1));
}

#[test]
fn refresh_race_has_one_successor() {
    let scene = Scene::new("openid offline_access");
    let answers = thread::scope(|scope| {
        let racers: Vec<_> = (0..50).map(|_| scope.spawn(|| scene.refresh(scene.first(), &[]))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(answers.iter().all(|answer| [200, 400, 429].contains(&answer.status)));
    let successors: BTreeSet<String> =
        answers.iter().filter(|answer| answer.status == 200).map(|answer| answer.text_of("refresh_token")).collect();
    assert!(successors.len() <= 1, "{successors:?}");
    // Either a lost answer was given again and the family lives on by its one successor, or it is dead altogether.
    let was_refused = answers.iter().any(|answer| answer.status == 400);
    for successor in successors {
        let status = scene.refresh(&successor, &[]).status;
        assert_eq!(status, if was_refused { 400 } else { 200 });
    }
}

#[test]
fn refresh_scope_up() {
    let scene = Scene::new("openid offline_access orders:read");
    refused(&scene.refresh(scene.first(), &[("scope", "openid orders:read orders:write")]), 400, "invalid_scope");
    refused(&scene.refresh(scene.first(), &[("resource", "urn:other")]), 400, "invalid_target");
    // Less may be asked for, and the next may have all of it again.
    let less = scene.refresh(scene.first(), &[("scope", "openid")]).expect(200).json();
    assert_eq!(less["scope"], "openid");
    let again = scene.refresh(less["refresh_token"].as_str().unwrap(), &[]).expect(200).json();
    let words: BTreeSet<&str> = again["scope"].as_str().unwrap().split(' ').collect();
    assert_eq!(words, BTreeSet::from(["offline_access", "openid", "orders:read"]));
}

#[test]
fn refresh_after_a_role_went_or_the_application_was_deleted() {
    let scene = Scene::new("openid offline_access");
    let admin = scene.provider.admin();
    let role = admin.post("/api/v1/roles", &json!({"name": "shopkeeper"})).expect(201).text_of("id");
    admin.post(&format!("{}/roles", scene.place()), &json!({ "roleId": role })).expect(201);
    // What was issued before says what is no longer so.
    assert!(!scene.provider.is_active(&scene.app, scene.tokens["access_token"].as_str().unwrap()));
    let with = scene.refresh(scene.first(), &[]).expect(200).json();
    let roles = |tokens: &Value| part(tokens["access_token"].as_str().unwrap(), 1)["role"].clone();
    assert_eq!(roles(&with), json!(["shopkeeper"]));
    admin.delete(&format!("{}/roles/{role}", scene.place())).expect(204);
    assert!(!scene.provider.is_active(&scene.app, with["access_token"].as_str().unwrap()));
    let less = scene.refresh(with["refresh_token"].as_str().unwrap(), &[]).expect(200).json();
    assert!(roles(&less).as_array().is_none_or(Vec::is_empty), "{}", roles(&less));
    admin.delete(&format!("/api/v1/applications/{}", scene.app.id)).expect(204);
    refused(&scene.refresh(less["refresh_token"].as_str().unwrap(), &[]), 401, "invalid_client");
}

/// A grant of before is no way to a scope that the application may not have any more.
#[test]
fn refresh_after_a_scope_was_taken_from_the_application() {
    let scene = Scene::new("openid offline_access orders:read orders:write");
    let settings = json!({ "allowedScopes": ["openid", "offline_access", "orders:read"] });
    scene.provider.admin().put(&format!("/api/v1/applications/{}", scene.app.id), &settings).expect(200);
    refused(&scene.refresh(scene.first(), &[("scope", "openid orders:write")]), 400, "invalid_scope");
    let less = scene.refresh(scene.first(), &[]).expect(200).json();
    assert_eq!(less["scope"], "openid offline_access orders:read");
    assert_eq!(part(less["access_token"].as_str().unwrap(), 1)["scope"], less["scope"]);
}

#[test]
fn revoke_of_a_refresh_token_ends_its_family_and_of_somebody_elses_nothing() {
    let scene = Scene::new("openid offline_access");
    let other = scene.provider.web();
    let access = scene.tokens["access_token"].as_str().unwrap();
    for token in [scene.first(), access, "nonsense"] {
        scene.provider.by(&other, "/oauth2/revoke", &[("token", token)]).expect(200);
    }
    assert!(scene.provider.is_active(&scene.app, access));
    scene.provider.by(&scene.app, "/oauth2/revoke", &[("token", scene.first())]).expect(200);
    assert!(!scene.provider.is_active(&scene.app, access));
    refused(&scene.refresh(scene.first(), &[]), 400, "invalid_grant");
}

#[test]
fn grants_are_listed_and_ended_by_an_administrator() {
    let scene = Scene::new("openid offline_access");
    let admin = scene.provider.admin();
    let grants = admin.get(&format!("{}/grants", scene.place())).expect(200).json();
    assert_eq!(grants.as_array().map(Vec::len), Some(1), "{grants}");
    assert_eq!((&grants[0]["applicationName"], &grants[0]["isOffline"]), (&json!("WebApp application"), &json!(true)));
    let id = grants[0]["id"].as_str().unwrap();
    let other = scene.provider.end_user(&scene.app, "bob@people.example");
    let elsewhere =
        format!("/api/v1/applications/{}/end-users/{}/grants/{id}", scene.app.id, other["id"].as_str().unwrap());
    admin.delete(&elsewhere).expect(404);
    admin.delete(&format!("{}/grants/{id}", scene.place())).expect(204);
    refused(&scene.refresh(scene.first(), &[]), 400, "invalid_grant");
    assert_eq!(admin.get(&format!("{}/grants", scene.place())).expect(200).json(), json!([]));
}
