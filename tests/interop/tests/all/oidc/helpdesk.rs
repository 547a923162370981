//! What an administrator does for people at the command line: grants, second factors, and whether those are asked for.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use super::browser::{Browser, House, PASSWORD};
use super::provider::{Provider, part};
use super::receiver::Receiver;
use super::visitor::{CALLBACK, Visitor};
use crate::binaries::binary;
use crate::client::Client;
use crate::moved_clock::MovedClock;
use crate::program::both;
use crate::server::{Server, eventually};
use crate::trail::LISTED;

const ADA: &str = "ada@b.example";

fn qapi(client: &Client, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("qapi"));
    command.args(arguments).env("QUANTUMAPI_BASE_URL", client.base_url()).env("QUANTUMAPI_KEY", client.key());
    command.env("HOME", "/nonexistent").output().expect("qapi runs")
}

#[track_caller]
fn says(client: &Client, arguments: &[&str]) -> String {
    let output = qapi(client, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", both(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json_of(client: &Client, arguments: &[&str]) -> Value {
    serde_json::from_str(&says(client, &[arguments, &["-o", "json"]].concat())).expect("JSON")
}

#[test]
fn grants_are_listed_and_ended() {
    let house = House::start();
    let admin = house.provider.admin();
    let app = house.portal(None);
    let id = house.user(&app, ADA, true);
    let got = Browser::new(&house).sign_in(&house, &app, ADA, PASSWORD);
    let listed = json_of(&admin, &["grants", "list", ADA, "--app", &app.id]);
    let grant = &listed["grants"][0];
    assert_eq!(listed["total"], 1, "{listed}");
    assert_eq!((&grant["applicationId"], &grant["kind"]), (&json!(app.id), &json!("authorization_code")));
    assert_eq!(grant["isOffline"], true);
    let grant = grant["id"].as_str().unwrap();
    let table = says(&admin, &["grants", "list", ADA, "--app", &app.id]);
    assert!(table.contains(grant) && table.contains("offline_access"), "{table}");
    assert!(house.provider.is_active(&app, got["access_token"].as_str().unwrap()));
    let ended = says(&admin, &["grants", "end", ADA, grant, "--app", &app.id]);
    assert_eq!(ended, format!("ended grant {grant} of {id}\n"));
    assert!(!house.provider.is_active(&app, got["access_token"].as_str().unwrap()), "a grant that was ended is alive");
    assert_eq!(json_of(&admin, &["grants", "list", ADA, "--app", &app.id])["total"], 0);
}

/// The clock moves past each of the waits between tries, until nobody tries any more.
#[test]
fn logouts_of_which_an_application_cannot_be_told_are_listed() {
    const TRIES: i64 = 8;
    let folder = tempfile::tempdir().unwrap();
    let clock = MovedClock::new(folder.path());
    let provider = Provider { server: Server::start_dev_by(clock.qapid(), &folder.path().join("data"), &[]) };
    let (admin, receiver) = (provider.admin(), Receiver::start(""));
    receiver.answer(503, "");
    let app = provider.app(
        "WebApp",
        &json!({ "redirectUris": [CALLBACK], "consent": "skip", "backchannelLogoutUri": format!("{}/out", receiver.url) }),
    );
    let user = provider.end_user(&app, ADA)["id"].as_str().unwrap().to_owned();
    let visitor = Visitor::new(&provider);
    let tokens = provider.redeem(&app, &visitor.code(&app, ADA)).expect(200).json();
    let sid = part(tokens["id_token"].as_str().unwrap(), 1)["sid"].clone();
    let list = || json_of(&admin, &["apps", "undelivered-logouts", &app.id]);
    assert_eq!(says(&admin, &["sessions", "end", ADA, "--app", &app.id]), format!("ended every session of {user}\n"));
    for tries in 1..TRIES {
        receiver.wait_for(usize::try_from(tries).unwrap());
        assert_eq!(list()["total"], 0, "given up after {tries} tries");
        clock.set_ahead_s(tries * 5 * 60 * 60);
    }
    let listed = eventually(Duration::from_secs(30), || Some(list()).filter(|listed| listed["total"] == 1));
    let logout = &listed["logouts"][0];
    assert_eq!((&logout["sid"], &logout["endUserId"], &logout["tries"]), (&sid, &json!(user), &json!(TRIES)));
    let table = says(&admin, &["apps", "undelivered-logouts", &app.id]);
    assert!(table.starts_with("SESSION") && table.contains(&user), "{table}");
}

#[test]
fn second_factors_are_listed_and_removed() {
    let house = House::start();
    let admin = house.provider.admin();
    let app = house.portal(None);
    let id = house.user(&app, ADA, true);
    let whom = [ADA, "--app", &app.id];
    let list = || json_of(&admin, &[&["users", "factors"][..], &whom].concat());
    assert_eq!(list(), json!({ "factors": [], "total": 0 }));
    let mut browser = Browser::new(&house);
    browser.sign_in(&house, &app, ADA, PASSWORD);
    let (_, recovery) = browser.enrol();
    let (interaction, half, _) = Browser::new(&house).second_half(&app, ADA, "");
    Browser::new(&house).second(&interaction, &half, &recovery[0]).expect(303);
    let shown = list();
    let of = |place: usize, member: &str| shown["factors"][place][member].clone();
    assert_eq!(
        (of(0, "kind"), of(0, "left"), of(1, "kind"), of(1, "left")),
        (json!("totp"), json!(1), json!("recovery"), json!(9))
    );
    assert!(of(0, "lastUsedAt").is_string() && of(1, "lastUsedAt").is_string(), "{shown}");
    assert!(!shown.to_string().contains(&recovery[1]), "{shown}");
    // Whoever may only read cannot remove.
    let reader = house.provider.server.key(&["endusers:read", "applications:read"], &[]);
    says(&reader, &[&["users", "factors"][..], &whom].concat());
    let refused = qapi(&reader, &[&["users", "remove-factors"][..], &whom, &["--yes"]].concat());
    assert_eq!(refused.status.code(), Some(1), "{}", both(&refused));
    assert_eq!(
        says(&admin, &[&["users", "remove-factors"][..], &whom, &["--yes"]].concat()),
        format!("removed {id}\n")
    );
    assert_eq!(list()["total"], 0);
    house.letter(ADA, "The second factors of your account were removed");
    browser.get("/account").expect(401);
    Browser::new(&house).sign_in(&house, &app, ADA, PASSWORD);
}

#[test]
fn a_tenants_own_administrator_says_whether_second_factors_are_asked_for() {
    let house = House::start();
    let owner = house.provider.server.tenant("acme");
    let app = house.provider.app_of(
        &owner,
        "WebApp",
        &json!({ "redirectUris": ["https://app.example/cb"], "consent": "skip" }),
    );
    let body = json!({ "email": ADA, "displayName": "Ada", "password": PASSWORD, "emailVerified": false });
    owner.post(&format!("/api/v1/applications/{}/end-users", app.id), &body).expect(201);
    let signed_in = || {
        let mut browser = Browser::new(&house);
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let page = browser.get(&format!(
            "/t/acme/oauth2/authorize?response_type=code&client_id={}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=openid&state=s\
             &code_challenge={challenge}&code_challenge_method=S256",
            app.client_id
        ));
        let to = page.header("location").expect("a page to sign in on").to_owned();
        let interaction = to.split_once("/t/acme/login?interaction=").expect("the page of the tenant").1;
        browser.post("/t/acme/login", &[("interaction", interaction), ("email", ADA), ("password", PASSWORD)]).status
    };
    assert_eq!(says(&owner, &["users", "policy"]), "second factor: optional\n");
    assert_eq!(signed_in(), 303);
    assert_eq!(says(&owner, &["users", "policy", "--second-factor", "required"]), "second factor: required\n");
    assert_eq!(signed_in(), 200, "nobody is asked to set a second factor up");
    // It is a matter of this tenant alone, and of its administrators.
    assert_eq!(says(&house.provider.admin(), &["users", "policy"]), "second factor: optional\n");
    let other = crate::server::new_key(&owner, &["users:read", "users:write", "endusers:write"], &[]);
    assert_eq!(says(&other, &["users", "policy"]), "second factor: required\n");
    let refused = qapi(&other, &["users", "policy", "--second-factor", "off"]);
    assert_eq!(refused.status.code(), Some(1), "{}", both(&refused));
    let bad = qapi(&owner, &["users", "policy", "--second-factor", "sometimes"]);
    assert_eq!(bad.status.code(), Some(2), "{}", both(&bad));
    assert_eq!(signed_in(), 200);
    eventually(LISTED, || {
        let trail = owner.get("/api/v1/audit-logs?pageSize=100").expect(200).text();
        trail.contains("SignInPolicyUpdated").then_some(())
    });
}
