//! Two servers on one PostgreSQL are one provider: what was begun at one goes on at the other, what works once works once at both
//! together, and what one ends the other knows within the promised second.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::provider::{App, Provider, TOKEN_EXCHANGE, part};
use super::visitor::{CALLBACK, Visitor, parameter, sent};
use crate::client::Answer;
use crate::installation::{Engine, Installation, PORTAL};
use crate::postgres::{Postgres, free_port};
use crate::server::Server;

const ADA: &str = "ada@people.example";
const A_SECOND: Duration = Duration::from_secs(1);

struct Pair {
    /// Where browsers come to.
    first: Provider,
    second: Provider,
    _installation: Installation,
    _postgres: Postgres,
}

/// Somebody who is signed in to an application, and its tokens.
struct SignedIn {
    app: App,
    place: String,
    tokens: Value,
}

impl Pair {
    fn start() -> Self {
        let postgres = Postgres::start();
        let installation = Installation::unattended(&Engine::Postgres(postgres.url("qapi")));
        let (here, there) = (free_port(), free_port());
        let config = std::fs::read_to_string(installation.config()).unwrap();
        let config = config.replace(PORTAL, &format!("http://127.0.0.1:{here}"));
        let start = |port: u16| {
            let path = installation.folder().join(format!("{port}.toml"));
            let listen = format!("listen = \"127.0.0.1:{port}\"\nmetrics");
            std::fs::write(&path, config.replace("listen = \"127.0.0.1:0\"\nmetrics", &listen)).unwrap();
            Provider { server: Server::serve(&path, &installation.admin_key) }
        };
        Self { first: start(here), second: start(there), _installation: installation, _postgres: postgres }
    }

    /// Signs in at the first, and redeems the code at the second.
    fn signed_in(&self) -> SignedIn {
        let grants = json!(["authorization_code", "refresh_token", TOKEN_EXCHANGE]);
        let app =
            self.first.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "skip", "grantTypes": grants }));
        let user = self.first.end_user(&app, ADA);
        let code = Visitor::new(&self.first).code(&app, ADA);
        let tokens = self.second.redeem(&app, &code).expect(200).json();
        let place = format!("/api/v1/applications/{}/end-users/{}", app.id, user["id"].as_str().unwrap());
        SignedIn { app, place, tokens }
    }
}

impl SignedIn {
    fn access(&self) -> &str {
        self.tokens["access_token"].as_str().unwrap()
    }

    fn refresh_token(&self) -> &str {
        self.tokens["refresh_token"].as_str().unwrap()
    }

    fn userinfo(&self, at: &Provider) -> Answer {
        at.form_with("/oauth2/userinfo", &[], Some(&format!("Bearer {}", self.access())))
    }

    fn exchange(&self, at: &Provider) -> Answer {
        at.exchange(&self.app, self.access(), &[])
    }
}

fn refresh(at: &Provider, app: &App, token: &str) -> Answer {
    at.by(app, "/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", token)])
}

#[test]
fn what_one_server_ends_the_other_refuses_within_a_second_at_every_endpoint() {
    let pair = Pair::start();
    let admin = pair.first.admin();
    for what in ["token", "family", "block", "role", "password", "sessions", "application"] {
        let who = pair.signed_in();
        // The other one has seen it alive, and remembers that.
        assert!(pair.second.is_active(&who.app, who.access()));
        who.userinfo(&pair.second).expect(200);
        let application = format!("/api/v1/applications/{}", who.app.id);
        match what {
            "token" => pair.first.by(&who.app, "/oauth2/revoke", &[("token", who.access())]).expect(200),
            "family" => pair.first.by(&who.app, "/oauth2/revoke", &[("token", who.refresh_token())]).expect(200),
            "block" => admin.post(&format!("{}/block", who.place), &json!({ "reason": "test" })).expect(200),
            "role" => {
                let role = admin.post("/api/v1/roles", &json!({ "name": "shopkeeper" })).expect(201).text_of("id");
                admin.post(&format!("{}/roles", who.place), &json!({ "roleId": role })).expect(201)
            }
            "password" => admin.post(&format!("{}/generate-temporary-password", who.place), &json!({})).expect(200),
            "sessions" => admin.delete(&format!("{}/sessions", who.place)).expect(204),
            _ => admin.delete(&application).expect(204),
        };
        let ended = Instant::now();
        let is_dead = || {
            let is_refused = |answer: &Answer| [400, 401].contains(&answer.status);
            // Whose application is gone proves nothing any more; of the others the endpoint says that the token is dead.
            let introspected = pair.second.by(&who.app, "/oauth2/introspect", &[("token", who.access())]);
            let is_inactive = introspected.status == 401 || introspected.json()["active"] == false;
            is_inactive && who.userinfo(&pair.second).status == 401 && is_refused(&who.exchange(&pair.second))
        };
        while !is_dead() {
            assert!(ended.elapsed() < A_SECOND, "{what}: alive after {:?}", ended.elapsed());
        }
        // A token by itself, and one that says too little of roles, leave the grant; everything else ends it.
        let again = refresh(&pair.second, &who.app, who.refresh_token()).status;
        match what {
            "token" | "role" => assert_eq!(again, 200, "{what}"),
            _ => assert!([400, 401].contains(&again), "{what}: {again}"),
        }
    }
}

#[test]
fn what_an_application_serves_at_one_server_it_serves_at_the_other_within_a_second() {
    let pair = Pair::start();
    let shop = pair.first.service(&json!({ "resources": ["urn:orders"] }));
    let orders = pair.first.service(&json!({ "serves": ["urn:orders"] }));
    let fields = [("grant_type", "client_credentials"), ("resource", "urn:orders")];
    let token = pair.first.token(&shop, &fields).expect(200).text_of("access_token");
    for serves in [vec!["urn:orders"], vec![], vec!["urn:orders"]] {
        let place = format!("/api/v1/applications/{}", orders.id);
        pair.first.admin().put(&place, &json!({ "serves": serves })).expect(200);
        let changed = Instant::now();
        while pair.second.is_active(&orders, &token) == serves.is_empty() {
            assert!(changed.elapsed() < A_SECOND, "{serves:?} counts not yet after {:?}", changed.elapsed());
        }
    }
}

#[test]
fn what_works_once_works_once_at_both_together() {
    let pair = Pair::start();
    let app = pair.first.web();
    pair.first.end_user(&app, ADA);
    let visitor = Visitor::new(&pair.first);
    let code = visitor.code(&app, ADA);
    let at = |n: usize| if n.is_multiple_of(2) { &pair.first } else { &pair.second };
    let race = |ask: &(dyn Fn(&Provider) -> Answer + Sync)| {
        thread::scope(|scope| {
            let racers: Vec<_> = (0..50).map(|n| scope.spawn(move || ask(at(n)))).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
        })
    };
    let answers = race(&|provider| provider.redeem(&app, &code));
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    let ended = Instant::now();
    for provider in [&pair.first, &pair.second] {
        while provider.is_active(&app, &won[0].text_of("access_token")) {
            assert!(ended.elapsed() < A_SECOND, "the tokens of a code that was shown fifty times are alive");
        }
    }
    let code = parameter(&visitor.authorize(&app, &[]), "code");
    let first = pair.second.redeem(&app, &code).expect(200).text_of("refresh_token");
    let answers = race(&|provider| refresh(provider, &app, &first));
    let mut next: Vec<_> =
        answers.iter().filter(|one| one.status == 200).map(|one| one.text_of("refresh_token")).collect();
    next.sort();
    next.dedup();
    assert!(next.len() <= 1, "{next:?}");
    // A request that was pushed to one is used at the other, once.
    let push = super::redeeming::asked(&app);
    let push: Vec<_> = push.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let uri = pair.second.by(&app, "/oauth2/par", &push).expect(201).text_of("request_uri");
    let go = format!("/oauth2/authorize?client_id={}&request_uri={}", app.client_id, crate::surface::encoded(&uri));
    assert!(sent(&visitor.get(&go)).contains("code="));
    assert_eq!(visitor.get(&go).status, 400);
}

#[test]
fn a_key_that_one_server_revokes_is_not_believed_by_the_other_a_second_later() {
    let pair = Pair::start();
    let app = pair.first.service(&json!({}));
    let token = pair.first.own_token(&app);
    // Both sign with the same key, whoever made it.
    assert_eq!(part(&pair.second.own_token(&app), 0)["kid"], part(&token, 0)["kid"]);
    assert_eq!(pair.first.jwks(), pair.second.jwks());
    pair.second.verified(&token, "at+jwt");
    assert!(pair.second.is_active(&app, &token));
    let keys = pair.first.admin().get("/api/v1/token-keys").expect(200).json();
    let id = keys["keys"][0]["id"].as_str().unwrap();
    pair.first.admin().post(&format!("/api/v1/token-keys/{id}/revoke"), &json!({})).expect(200);
    let revoked = Instant::now();
    let is_known = || {
        !pair.second.is_active(&app, &token)
            && part(&pair.second.own_token(&app), 0)["kid"] != part(&token, 0)["kid"]
            && pair.first.jwks() == pair.second.jwks()
    };
    while !is_known() {
        assert!(revoked.elapsed() < A_SECOND, "believed after {:?}", revoked.elapsed());
    }
}
