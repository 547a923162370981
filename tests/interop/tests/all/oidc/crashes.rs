//! Servers that end between any two steps of a flow, or in the middle of one, on both engines: no token lives that should not, and what works
//! once worked once.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::provider::{App, Provider, TOKEN_EXCHANGE, base64url, basic, form};
use super::receiver::Receiver;
use super::visitor::{CALLBACK, PASSWORD, VERIFIER, Visitor, hidden, parameter, sent};
use crate::client::{Answer, Client};
use crate::installation::{Engine, Installation, PORTAL};
use crate::postgres::{Postgres, free_port};
use crate::surface::encoded;

const ADA: &str = "ada@people.example";
/// The flows that are interrupted after every step.
const FLOWS: [fn(&Engine); 3] = [every_step, every_step_of_a_pushed_request, every_step_of_a_device];

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
            .replace(PORTAL, &format!("http://{address}"));
        let config = format!("{config}[egress]\nallow = [\"127.0.0.0/8\"]\n");
        std::fs::write(installation.config(), config).unwrap();
        let provider = Provider { server: installation.serve() };
        Self { installation, provider }
    }

    fn kill(&mut self) {
        self.provider.server.kill();
        self.provider.server = self.installation.serve();
    }

    /// Goes on with a browser, which outlives the server: its cookies are kept from step to step.
    fn step<T>(&self, cookies: &mut Cookies, work: impl FnOnce(&Visitor<'_>) -> T) -> T {
        let visitor = Visitor::new(&self.provider);
        for (name, value) in cookies.iter() {
            visitor.set_cookie(name, value);
        }
        let done = work(&visitor);
        *cookies = visitor.cookies();
        done
    }

    fn refresh(&self, app: &App, tokens: &Value) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        self.provider.by(app, "/oauth2/token", &fields)
    }
}

type Cookies = Vec<(String, String)>;

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
    let mut cookies = Cookies::new();
    let page = house.step(&mut cookies, |visitor| visitor.authorize(&app, &[("scope", "openid offline_access")]));
    house.kill();
    let back = house.step(&mut cookies, |visitor| sent(&visitor.sign_in(&page, ADA, PASSWORD)));
    let code = parameter(&back, "code");
    house.kill();
    // The interaction was spent by the sign-in.
    assert_eq!(house.step(&mut cookies, |visitor| visitor.sign_in(&page, ADA, PASSWORD).status), 400);
    let first = house.provider.redeem(&app, &code).expect(200).json();
    house.kill();
    let second = house.refresh(&app, &first).expect(200).json();
    house.kill();
    let alive = second["access_token"].as_str().unwrap();
    assert!(house.provider.is_active(&app, alive), "a crash ended a token");
    let hint = second["id_token"].as_str().unwrap().to_owned();
    house.step(&mut cookies, |visitor| visitor.post("/oauth2/logout", &[("id_token_hint", &hint)]).expect(200));
    house.kill();
    // Everything that was ever handed out is dead, and the application hears of it.
    assert!(house.step(&mut cookies, |visitor| visitor.authorize(&app, &[])).starts_with("/login?"));
    for tokens in [&first, &second] {
        assert!(!house.provider.is_active(&app, tokens["access_token"].as_str().unwrap()));
        assert_eq!(house.refresh(&app, tokens).status, 400);
    }
    assert_eq!(house.provider.redeem(&app, &code).status, 400);
    receiver.wait_for(1);
}

/// A request that is pushed, a person who is asked, and an application that gives everything back.
fn every_step_of_a_pushed_request(engine: &Engine) {
    let mut house = Phoenix::on(engine);
    let app = house.provider.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "ask" }));
    house.provider.end_user(&app, ADA);
    let challenge = base64url(&crypto::hash::sha256(&[VERIFIER.as_bytes()]));
    let push = [
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let uri = house.provider.by(&app, "/oauth2/par", &push).expect(201).text_of("request_uri");
    house.kill();
    let go = format!("/oauth2/authorize?client_id={}&request_uri={}", app.client_id, encoded(&uri));
    let mut cookies = Cookies::new();
    let page = house.step(&mut cookies, |visitor| sent(&visitor.get(&go)));
    house.kill();
    assert_eq!(house.step(&mut cookies, |visitor| visitor.get(&go).status), 400, "a pushed request was used twice");
    let consent = house.step(&mut cookies, |visitor| sent(&visitor.sign_in(&page, ADA, PASSWORD)));
    house.kill();
    let shown = house.step(&mut cookies, |visitor| visitor.get(&consent).expect(200));
    house.kill();
    let back = house.step(&mut cookies, |visitor| sent(&visitor.answer(&shown, "yes")));
    let code = parameter(&back, "code");
    house.kill();
    assert_eq!(house.step(&mut cookies, |visitor| visitor.answer(&shown, "yes").status), 400, "answered twice");
    let tokens = house.provider.redeem(&app, &code).expect(200).json();
    house.kill();
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    assert!(house.provider.is_active(&app, access));
    house.provider.by(&app, "/oauth2/revoke", &[("token", refresh)]).expect(200);
    house.kill();
    assert!(!house.provider.is_active(&app, access));
    assert_eq!(house.refresh(&app, &tokens).status, 400);
}

/// A device, its person, and a service that exchanges what the device shows it.
fn every_step_of_a_device(engine: &Engine) {
    let mut house = Phoenix::on(engine);
    let settings = json!({ "redirectUris": ["http://127.0.0.1/cb"], "resources": ["urn:orders"] });
    let app = house.provider.app("NativeApp", &settings);
    let settings = json!({ "grantTypes": ["client_credentials", TOKEN_EXCHANGE], "serves": ["urn:orders"] });
    let orders = house.provider.service(&settings);
    let user = house.provider.end_user(&app, ADA);
    let id = ("client_id", app.client_id.as_str());
    let ask = [id, ("scope", "openid"), ("resource", "urn:orders")];
    let told = house.provider.form("/oauth2/device_authorization", &ask).expect(200).json();
    house.kill();
    let typed = told["user_code"].as_str().unwrap();
    let mut cookies = Cookies::new();
    let fields = [("user_code", typed), ("email", ADA), ("password", PASSWORD)];
    let page = house.step(&mut cookies, |visitor| visitor.post("/device", &fields).expect(200));
    house.kill();
    let token = hidden(&page, "token");
    let yes = [("user_code", typed), ("answer", "yes"), ("token", &token)];
    house.step(&mut cookies, |visitor| visitor.post("/device", &yes).expect(200));
    house.kill();
    assert_eq!(house.step(&mut cookies, |visitor| visitor.post("/device", &yes).status), 400, "answered twice");
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let poll = [grant, id, ("device_code", told["device_code"].as_str().unwrap())];
    let tokens = house.provider.form("/oauth2/token", &poll).expect(200).json();
    house.kill();
    assert_eq!(house.provider.form("/oauth2/token", &poll).status, 400, "a device code was redeemed twice");
    let subject = tokens["access_token"].as_str().unwrap();
    let exchanged = house.provider.exchange(&orders, subject, &[]).expect(200).text_of("access_token");
    house.kill();
    assert!(house.provider.is_active(&orders, &exchanged) && house.provider.is_active(&orders, subject));
    let place = format!("/api/v1/applications/{}/end-users/{}", app.id, user["id"].as_str().unwrap());
    house.provider.admin().post(&format!("{place}/block"), &json!({ "reason": "test" })).expect(200);
    house.kill();
    assert!(!house.provider.is_active(&orders, &exchanged) && !house.provider.is_active(&orders, subject));
    assert_eq!(house.provider.exchange(&orders, subject, &[]).status, 400);
    let refresh = [("grant_type", "refresh_token"), id, ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    assert_eq!(house.provider.form("/oauth2/token", &refresh).status, 400);
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
    for flow in FLOWS {
        flow(&Engine::Sqlite);
    }
}

#[test]
fn crash_between_any_two_steps_on_postgresql() {
    let postgres = Postgres::start();
    for (database, flow) in ["session", "pushed", "device"].into_iter().zip(FLOWS) {
        postgres.create(database);
        flow(&Engine::Postgres(postgres.url(database)));
    }
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
