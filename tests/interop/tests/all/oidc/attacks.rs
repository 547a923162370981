//! Classes of attack that other providers met, each against the running server: `attacks: N of M`.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::json;

use super::provider::{Provider, refused};
use super::visitor::{CALLBACK, PASSWORD, Visitor, hidden, parameter, sent};
use crate::client::Answer;
use crate::program::{say, succeed};

const ADA: &str = "ada@people.example";

/// A class, where it was met, and the tests against it: all of the design's table.
const CLASSES: &[(&str, &str, &[&str])] = &[
    (
        "what works once worked twice in a race",
        "CVE-2026-1035",
        &[
            "people::code_race_has_one_winner",
            "refreshing::refresh_race_has_one_successor",
            "crashes::races_on_postgresql_have_one_winner",
            "replicas::what_works_once_works_once_at_both_together",
        ],
    ),
    (
        "a revocation was lost by a restart",
        "CVE-2026-9802",
        &["protocol_tokens::restart_survives", "crashes::crash_between_any_two_steps_on_sqlite"],
    ),
    (
        "introspection did not see a wider revocation",
        "CVE-2026-8922",
        &[
            "protocol_tokens::what_ends_an_application_ends_its_tokens",
            "exchanges::what_ends_a_persons_grant_ends_what_its_tokens_were_exchanged_for",
            "exchanges::what_ends_a_service_ends_what_its_tokens_were_exchanged_for",
            "redeeming::a_token_that_was_seen_alive_ends_with_its_session",
            "replicas::what_one_server_ends_the_other_refuses_within_a_second_at_every_endpoint",
            "people::refresh_after_a_block_a_reset_or_an_ended_session",
        ],
    ),
    ("one kind of single-use value was taken for another", "CVE-2026-4282", &["confusion::typ_confusion"]),
    (
        "an over-long parameter was dropped, and its bearer acted for themselves",
        "CVE-2026-9704",
        &["trusts::token_exchange_too_long_is_refused_and_never_ignored"],
    ),
    ("scope was parsed in quadratic time", "CVE-2026-4634", &["protocol_tokens::scope_dos"]),
    ("a parameter was there twice", "CVE-2026-9689", &["protocol_tokens::duplicate_parameter"]),
    (
        "a flow that was switched off was reached by state of before",
        "CVE-2026-7571",
        &[
            "attacks::what_was_taken_from_an_application_is_not_reached_by_a_request_of_before",
            "refreshing::refresh_after_a_scope_was_taken_from_the_application",
        ],
    ),
    (
        "PKCE was skipped by leaving something out",
        "CVE-2023-48228",
        &[
            "redeeming::pkce_wrong_or_omitted_verifier",
            "redeeming::pkce_injected_verifier_finds_no_code_without_a_challenge",
        ],
    ),
    (
        "the server was sent to addresses inside",
        "CVE-2026-1180",
        &[
            "walls::ssrf_reaches_nothing_inside",
            "walls::a_redirect_of_a_logout_receiver_is_not_followed",
            "trusts::keys_are_not_fetched_from_where_a_server_must_not_reach",
        ],
    ),
    (
        "an administrator of a part gave more than they had",
        "CVE-2026-9795",
        &[
            "trusts::nobody_trusts_somebody_with_more_than_they_have",
            "attacks::nobody_gives_an_application_what_they_lack",
        ],
    ),
    (
        "another client's or tenant's ids were taken",
        "CVE-2026-4630",
        &["walls::management_calls_with_ids_of_another_tenant", "protocol_tokens::tenant_wall"],
    ),
    ("somebody called themselves verified", "CVE-2026-27946", &["attacks::nobody_calls_themselves_verified"]),
    (
        "a claim was read before its token was verified",
        "CVE-2026-37977",
        &["attacks::what_a_forged_token_says_opens_no_origin", "tokens::jwt_confusion_set"],
    ),
    ("headers and cookies contradicted one another", "CVE-2026-25748", &["attacks::what_is_there_twice_is_nobodys"]),
    (
        "long passwords and deep bodies cost without bound",
        "Kanidm 1.11",
        &["attacks::long_passwords_and_deep_bodies_cost_nothing"],
    ),
    (
        "a secret was compared in a time that told how much of it was right",
        "Kanidm 1.10, Rauthy 0.32.1",
        &["comparing::what_opens_something_is_kept_as_a_keyed_hash_and_nothing_alike_opens_it"],
    ),
    (
        "an origin was taken for another that ends alike",
        "Kanidm 1.10",
        &["comparing::an_origin_that_begins_or_ends_alike_is_another", "protocol_clients::redirect_unregistered"],
    ),
    ("names held markup", "Rauthy 0.32.1", &["attacks::names_are_text_on_every_page"]),
    (
        "a verifier was told its algorithm by the token",
        "PyJWT 2.13",
        &["protocol_tokens::jwt_confusion_set", "protocol_clients::assertion_replay_and_confusion"],
    ),
    ("a private key stood in a header", "keycloak#50358", &["protocol_clients::assertion_replay_and_confusion"]),
];

#[test]
fn every_class_of_attack_is_a_test() {
    let listed = succeed(Command::new(std::env::current_exe().unwrap()).args(["--list", "--format", "terse"]));
    let tests: BTreeSet<_> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    for (class, _, names) in CLASSES {
        for test in *names {
            assert!(tests.contains(format!("oidc::{test}").as_str()), "{class}: there is no test {test}");
        }
    }
    let met = CLASSES.iter().filter(|(_, _, names)| !names.is_empty()).count();
    say(&format!("attacks: {met} of {}", CLASSES.len()));
}

#[test]
fn what_was_taken_from_an_application_is_not_reached_by_a_request_of_before() {
    let change = |body: serde_json::Value| {
        let provider = Provider::start();
        let app = provider.web();
        provider.end_user(&app, ADA);
        let visitor = Visitor::new(&provider);
        let page = visitor.authorize(&app, &[]);
        provider.admin().put(&format!("/api/v1/applications/{}", app.id), &body).expect(200);
        let answer = visitor.sign_in(&page, ADA, PASSWORD);
        assert!(answer.status == 400 && answer.header("location").is_none(), "{body}: {}", answer.text());
    };
    change(json!({ "redirectUris": ["https://app.example/moved"] }));
    change(json!({ "allowedScopes": ["openid"] }));
    // And a code of before is worth nothing once the grant is gone.
    let provider = Provider::start();
    let app = provider.app(
        "WebApp",
        &json!({ "redirectUris": [CALLBACK], "consent": "skip", "grantTypes": ["authorization_code", "client_credentials"] }),
    );
    provider.end_user(&app, ADA);
    let code = Visitor::new(&provider).code(&app, ADA);
    let other = json!({ "grantTypes": ["client_credentials"] });
    provider.admin().put(&format!("/api/v1/applications/{}", app.id), &other).expect(200);
    refused(&provider.redeem(&app, &code), 400, "unauthorized_client");
}

#[test]
fn nobody_gives_an_application_what_they_lack() {
    let provider = Provider::start();
    let key = provider.server.key(&["applications:write", "applications:read"], &[]);
    let body = json!({ "name": "mine", "applicationType": "MachineToMachine", "platformScopes": ["secrets:read"] });
    assert_eq!(key.post("/api/v1/applications", &body).status, 403);
    let strong = provider.service(&json!({ "platformScopes": ["secrets:read"] }));
    let place = format!("/api/v1/applications/{}", strong.id);
    assert_eq!(key.post(&format!("{place}/rotate-secret"), &json!({})).status, 403);
    assert_eq!(key.post(&format!("{place}/keys"), &json!({"name": "k"})).status, 403);
    assert_eq!(key.put(&place, &json!({"displayName": "renamed"})).status, 403);
}

#[test]
fn nobody_calls_themselves_verified() {
    let provider = Provider::start();
    let app = provider.web();
    let body = json!({ "email": ADA, "displayName": "Ada", "password": PASSWORD, "emailVerified": false });
    let people = format!("/api/v1/applications/{}/end-users", app.id);
    let user = provider.admin().post(&people, &body).expect(201).text_of("id");
    let place = format!("{people}/{user}");
    let is_verified = || provider.admin().get(&place).expect(200).json()["emailVerified"].clone();
    let visitor = Visitor::new(&provider);
    visitor.code(&app, ADA);
    let account = visitor.get("/account").expect(200);
    let fields = [
        ("do", "password"),
        ("password", PASSWORD),
        ("new_password", "four words nobody has said"),
        ("token", &hidden(&account, "token")),
        ("email_verified", "true"),
        ("emailVerified", "true"),
        ("email", "root@people.example"),
    ];
    visitor.post("/account", &fields).expect(200);
    assert_eq!(is_verified(), json!(false));
    // Whoever manages people changes what is theirs to change, and that is not in it either.
    let answer =
        provider.admin().patch(&place, &json!({ "firstName": "A", "emailVerified": true, "mfaEnabled": true }));
    assert!([200, 400].contains(&answer.status), "{}", answer.text());
    assert_eq!(is_verified(), json!(false));
}

#[test]
fn what_a_forged_token_says_opens_no_origin() {
    let provider = Provider::start();
    let app = provider
        .app("SPA", &json!({ "redirectUris": ["https://ours.example/cb"], "corsOrigins": ["https://ours.example"] }));
    let claims = json!({ "iss": provider.server.base_url(), "client_id": app.client_id, "azp": app.client_id, "origin": "https://evil.example", "allowed-origins": ["https://evil.example"] });
    let forged = super::provider::compact(&json!({ "alg": "ML-DSA-65", "typ": "at+jwt" }), &claims, &[0; 3309]);
    let asked =
        provider.admin().anonymous().request("GET", "/oauth2/userinfo").header("Origin", "https://evil.example");
    let answer = asked.header("authorization", &format!("Bearer {forged}")).send();
    refused(&answer, 401, "invalid_token");
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn what_is_there_twice_is_nobodys() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let tokens = provider.redeem(&app, &visitor.code(&app, ADA)).expect(200).json();
    let session = visitor.cookie("qapi_session").unwrap();
    let ask =
        |cookie: &str| provider.admin().anonymous().request("GET", "/account").header("cookie", cookie).send().status;
    assert_eq!(ask(&format!("qapi_session={session}")), 200);
    for cookie in [format!("qapi_session={session}; qapi_session=x"), format!("qapi_session=x; qapi_session={session}")]
    {
        assert_eq!(ask(&cookie), 401, "{cookie}");
    }
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    refused(&with_two_tokens(&provider, &bearer), 400, "invalid_request");
    // A session is no token, and a token no session.
    let info = provider.admin().anonymous().request("GET", "/oauth2/userinfo");
    refused(&info.header("cookie", &format!("qapi_session={session}")).send(), 401, "invalid_token");
    let account = provider.admin().anonymous().request("GET", "/account");
    assert_eq!(account.header("authorization", &bearer).send().status, 401);
}

/// The test's client never sends a header twice, so this is written by hand.
fn with_two_tokens(provider: &Provider, bearer: &str) -> Answer {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(provider.admin().address()).unwrap();
    write!(
        stream,
        "GET /oauth2/userinfo HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Answer::parse(&bytes, "two tokens".to_owned()).expect("an answer")
}

#[test]
fn long_passwords_and_deep_bodies_cost_nothing() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    for length in [129, 1_025, 30_000] {
        assert_eq!(visitor.sign_in(&page, ADA, &"a".repeat(length)).status, 400, "{length}");
    }
    let too_long = visitor.sign_in(&page, ADA, &"a".repeat(70_000));
    assert!((400..500).contains(&too_long.status), "{}", too_long.status);
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let request = provider.admin().request("POST", "/api/v1/applications").header("Content-Type", "application/json");
    let answer = request.bytes(format!("{{\"name\":\"x\",\"applicationType\":\"WebApp\",\"jwks\":{deep}}}")).send();
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(parameter(&sent(&visitor.sign_in(&page, ADA, PASSWORD)), "code").starts_with("qac_"));
}

#[test]
fn a_nul_is_no_failure_of_the_server_wherever_it_stands() {
    let provider = Provider::start();
    let anonymous = provider.admin().anonymous();
    for path in [
        "/oauth2/authorize?client_id=a%00b",
        "/oauth2/logout?client_id=%00",
        "/t/%00/login",
        "/t/a%00/.well-known/openid-configuration",
        "/device?user_code=%00",
        "/reset?code=%00",
    ] {
        assert!(anonymous.get(path).status < 500, "{path}");
    }
    let visitor = Visitor::new(&provider);
    for (path, field) in [("/forgot", "client_id"), ("/login", "interaction"), ("/verify", "code")] {
        assert!(visitor.post(path, &[(field, "\0")]).status < 500, "{path}");
    }
    let claims = json!({ "iss": "a\u{0}b", "sub": "a\u{0}b" });
    let assertion = super::provider::compact(&json!({ "alg": "ML-DSA-65" }), &claims, &[0; 3309]);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ];
    assert!((400..500).contains(&provider.form("/oauth2/token", &form).status));
}

#[test]
fn names_are_text_on_every_page() {
    let provider = Provider::start();
    let markup = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'";
    let app = provider.app(
        "WebApp",
        &json!({
            "name": markup, "redirectUris": [CALLBACK], "consent": "ask",
            "branding": { "title": markup, "text": markup, "colour": "#7a1f5c" },
        }),
    );
    let body = json!({ "email": ADA, "displayName": markup, "password": PASSWORD, "emailVerified": true });
    provider.admin().post(&format!("/api/v1/applications/{}/end-users", app.id), &body).expect(201);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[("login_hint", markup), ("ui_locales", markup)]);
    let shown = visitor.get(&page).expect(200);
    let consent = sent(&visitor.sign_in(&page, ADA, PASSWORD));
    let asked = visitor.get(&consent).expect(200);
    let account = visitor.get("/account").expect(200);
    let wrong = visitor.sign_in(&page, markup, "wrong");
    for answer in [shown, asked, account, wrong] {
        let text = answer.text();
        assert!(!text.contains("<script") && !text.contains("<img") && !text.contains("onerror=alert(2)>\""), "{text}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    for colour in ["red;background:url(//evil.example)", "#12345", "#1234567", "</style>"] {
        let bad = json!({ "name": "x", "applicationType": "WebApp", "branding": { "colour": colour } });
        assert_eq!(provider.admin().post("/api/v1/applications", &bad).status, 400, "{colour}");
    }
    let style = provider.admin().anonymous().get("/pages.css?accent=%3C/style%3E").expect(200).text();
    assert!(!style.contains('<'), "{style}");
}
