//! Servers that end between any two steps of a flow, or in the middle of one, on both engines: no token lives that should not, and what works
//! once worked once.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::provider::{App, Provider, basic, form};
use super::receiver::Receiver;
use super::visitor::{CALLBACK, PASSWORD, VERIFIER, Visitor, parameter, sent};
use crate::client::Client;
use crate::installation::{Engine, Installation};
use crate::postgres::{Postgres, free_port};

const ADA: &str = "ada@people.example";

/// A server that comes back to the same address, because its issuer is its address.
struct Phoenix {
    installation: Installation,
    provider: Provider,
}

impl Phoenix {
    fn on(engine: &Engine) -> Self {
        let installation = Installation::unattended(engine);
        let address = format!("127.0.0.1:{}", free_port());
        let config = std::fs::read_to_string(installation.config()).unwrap();
        let config = config
            .replace("listen = \"127.0.0.1:0\"\nmetrics", &format!("listen = \"{address}\"\nmetrics"))
            .replace("https://vault.example.com", &format!("http://{address}"));
        let config = format!("{config}[egress]\nallow = [\"127.0.0.0/8\"]\n");
        std::fs::write(installation.config(), config).unwrap();
        let provider = Provider { server: installation.serve() };
        Self { installation, provider }
    }

    fn kill(&mut self) {
        self.provider.server.kill();
        self.provider.server = self.installation.serve();
    }
}

fn app(provider: &Provider, receiver: &Receiver) -> App {
    provider.app(
        "WebApp",
        &json!({
            "redirectUris": [CALLBACK], "consent": "skip", "backchannelLogoutUri": receiver.url,
            "allowedScopes": ["openid", "profile", "email", "offline_access"],
        }),
    )
}

/// The whole life of a session, with a crash after every step.
fn every_step(engine: &Engine) {
    let mut house = Phoenix::on(engine);
    let receiver = Receiver::start("");
    let app = app(&house.provider, &receiver);
    house.provider.end_user(&app, ADA);
    let cookies: Mutex<Vec<(String, String)>> = Mutex::default();
    // A browser outlives the server: only its cookies are kept from step to step.
    let step = |house: &Phoenix, work: &dyn Fn(&Visitor<'_>) -> String| {
        let visitor = Visitor::new(&house.provider);
        let mut kept = cookies.lock().unwrap();
        for (name, value) in kept.iter() {
            visitor.set_cookie(name, value);
        }
        let answer = work(&visitor);
        *kept = visitor.cookies();
        answer
    };
    let page = step(&house, &|visitor| visitor.authorize(&app, &[("scope", "openid offline_access")]));
    house.kill();
    let back = step(&house, &|visitor| sent(&visitor.sign_in(&page, ADA, PASSWORD)));
    let code = parameter(&back, "code");
    house.kill();
    // The interaction was spent by the sign-in.
    assert_eq!(step(&house, &|visitor| visitor.sign_in(&page, ADA, PASSWORD).status.to_string()), "400");
    let first = house.provider.redeem(&app, &code).expect(200).json();
    house.kill();
    let refresh = |house: &Phoenix, token: &str| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        house.provider.by(&app, "/oauth2/token", &fields)
    };
    let second = refresh(&house, first["refresh_token"].as_str().unwrap()).expect(200).json();
    house.kill();
    let alive = second["access_token"].as_str().unwrap();
    assert!(house.provider.is_active(&app, alive), "a crash ended a token");
    let hint = second["id_token"].as_str().unwrap().to_owned();
    step(&house, &|visitor| visitor.post("/oauth2/logout", &[("id_token_hint", &hint)]).expect(200).text());
    house.kill();
    // Everything that was ever handed out is dead, and the application hears of it.
    assert!(step(&house, &|visitor| visitor.authorize(&app, &[])).starts_with("/login?"));
    for tokens in [&first, &second] {
        assert!(!house.provider.is_active(&app, tokens["access_token"].as_str().unwrap()));
        assert_eq!(refresh(&house, tokens["refresh_token"].as_str().unwrap()).status, 400);
    }
    assert_eq!(house.provider.redeem(&app, &code).status, 400);
    receiver.wait_for(1);
}

/// Many redeem one code while the server ends: one of them at most has tokens, before the crash and after it together.
fn in_the_middle(engine: &Engine) {
    let mut house = Phoenix::on(engine);
    let receiver = Receiver::start("");
    let app = app(&house.provider, &receiver);
    house.provider.end_user(&app, ADA);
    for round in 0..4_u64 {
        let code = Visitor::new(&house.provider).code(&app, ADA);
        let client = house.provider.admin().anonymous();
        let won = thread::scope(|scope| {
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(|| redeemed(&client, &app, &code))).collect();
            thread::sleep(Duration::from_millis(2 + round * 7));
            house.provider.server.kill();
            racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
        });
        house.provider.server = house.installation.serve();
        let late = redeemed(&house.provider.admin().anonymous(), &app, &code);
        let all: Vec<String> = won.into_iter().chain(late.clone()).collect();
        assert!(all.len() <= 1, "round {round}: {} have tokens", all.len());
        // Whoever was told of tokens before the crash, and whoever shows the code after it, are two: then nothing of it lives.
        if let (Some(access), None) = (all.first(), &late) {
            assert!(
                !house.provider.is_active(&app, access),
                "round {round}: a code was shown twice and its token lives"
            );
        }
    }
}

/// The access token, if the server answered with one.
fn redeemed(client: &Client, app: &App, code: &str) -> Option<String> {
    let fields =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let request = client.request("POST", "/oauth2/token").header("Authorization", &basic(app));
    let request = request.header("Content-Type", "application/x-www-form-urlencoded").bytes(form(&fields));
    let answer = request.try_send().ok()?;
    (answer.status == 200).then(|| answer.text_of("access_token"))
}

#[test]
fn crash_between_any_two_steps_on_sqlite() {
    every_step(&Engine::Sqlite);
}

#[test]
fn crash_between_any_two_steps_on_postgresql() {
    let postgres = Postgres::start();
    every_step(&Engine::Postgres(postgres.url("qapi")));
}

#[test]
fn crash_in_the_middle_of_a_redemption_on_sqlite() {
    in_the_middle(&Engine::Sqlite);
}

#[test]
fn crash_in_the_middle_of_a_redemption_on_postgresql() {
    let postgres = Postgres::start();
    in_the_middle(&Engine::Postgres(postgres.url("qapi")));
}

/// Fifty at once for one code and for one refresh token, where connections really are many.
#[test]
fn races_on_postgresql_have_one_winner() {
    let postgres = Postgres::start();
    let house = Phoenix::on(&Engine::Postgres(postgres.url("qapi")));
    let (provider, receiver) = (&house.provider, Receiver::start(""));
    let app = app(provider, &receiver);
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(provider);
    let page = visitor.authorize(&app, &[("scope", "openid offline_access")]);
    let code = parameter(&sent(&visitor.sign_in(&page, ADA, PASSWORD)), "code");
    let won = thread::scope(|scope| {
        let racers: Vec<_> = (0..50).map(|_| scope.spawn(|| provider.redeem(&app, &code).status)).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(won.iter().filter(|status| **status == 200).count(), 1, "{won:?}");
    let again = visitor.authorize(&app, &[("scope", "openid offline_access")]);
    let tokens = provider.redeem(&app, &parameter(&again, "code")).expect(200).json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let answers = thread::scope(|scope| {
        let racers: Vec<_> = (0..50).map(|_| scope.spawn(|| provider.by(&app, "/oauth2/token", &fields))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
    });
    let mut successors: Vec<String> =
        answers.iter().filter(|one| one.status == 200).map(|one| one.text_of("refresh_token")).collect();
    successors.sort();
    successors.dedup();
    assert!(successors.len() <= 1, "{successors:?}");
}
