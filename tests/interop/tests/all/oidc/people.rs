//! People: signing in, what the tokens then say, and what takes it away again.

use std::thread;

use serde_json::json;

use super::provider::{Provider, refused};
use super::visitor::{CALLBACK, PASSWORD, Visitor, hidden, parameter, sent};
use crate::moved_clock::MovedClock;
use crate::server::{READS, Server};

const ADA: &str = "ada@people.example";
const OTHER: &str = "nine lanterns beside the quarry";

#[test]
fn happy_code() {
    let provider = Provider::start();
    let app = provider.web();
    let user = provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let code = visitor.code(&app, ADA);
    let tokens = provider.redeem(&app, &code).expect(200).json();
    let id = provider.verified(tokens["id_token"].as_str().unwrap(), "JWT");
    let access = provider.verified(tokens["access_token"].as_str().unwrap(), "at+jwt");
    assert_eq!((&id["sub"], &id["nonce"]), (&user["id"], &json!("n-1")));
    assert_eq!((&id["aud"], &id["acr"]), (&json!(app.client_id), &json!("urn:qapi:acr:1")));
    assert_eq!(id["amr"], json!(["pwd"]));
    assert!(id["at_hash"].is_string() && id["sid"].is_string() && id["auth_time"].is_u64(), "{id}");
    assert_eq!(access["sub"], user["id"]);
    let info = provider.server.client().anonymous().request("GET", "/oauth2/userinfo");
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let info = info.header("authorization", &bearer).send().expect(200).json();
    assert_eq!((&info["email"], &info["name"]), (&json!(ADA), &json!("Ada L.")));

    // Signed in once, nobody is asked again.
    let again = visitor.authorize(&app, &[]);
    assert!(again.starts_with(CALLBACK), "{again}");
}

#[test]
fn code_reuse_and_other_client() {
    let provider = Provider::start();
    let (app, other) = (provider.web(), provider.web());
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let code = visitor.code(&app, ADA);
    refused(&provider.redeem(&other, &code), 400, "invalid_grant");
    let code = parameter(&visitor.authorize(&app, &[]), "code");
    let tokens = provider.redeem(&app, &code).expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    assert!(provider.is_active(&app, access));
    refused(&provider.redeem(&app, &code), 400, "invalid_grant");
    assert!(!provider.is_active(&app, access), "tokens of a code that was used twice are alive");
}

#[test]
fn code_race_has_one_winner() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let code = visitor.code(&app, ADA);
    let answers = thread::scope(|scope| {
        let racers: Vec<_> = (0..50).map(|_| scope.spawn(|| provider.redeem(&app, &code))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
    });
    let tokens: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(tokens.len(), 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| [200, 400, 429].contains(&answer.status)));
    // Whoever lost showed a code that was redeemed: nobody knows which of them stole it, so nothing of it lives.
    assert!(answers.iter().any(|answer| answer.status == 400), "nobody lost");
    assert!(!provider.is_active(&app, &tokens[0].text_of("access_token")), "the winner's token is alive");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &tokens[0].text_of("refresh_token"))];
    refused(&provider.by(&app, "/oauth2/token", &fields), 400, "invalid_grant");
}

#[test]
fn refresh_rotate_and_reuse() {
    let provider = Provider::start();
    let app = provider.app(
        "WebApp",
        &json!({
            "redirectUris": [CALLBACK], "consent": "skip",
            "allowedScopes": ["openid", "profile", "email", "offline_access"],
        }),
    );
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[("scope", "openid offline_access")]);
    let code = parameter(&sent(&visitor.sign_in(&page, ADA, PASSWORD)), "code");
    let first = provider.redeem(&app, &code).expect(200).json();
    let refresh =
        |token: &str| provider.by(&app, "/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]);
    let old = first["refresh_token"].as_str().unwrap();
    let second = refresh(old).expect(200).json();
    let third = refresh(second["refresh_token"].as_str().unwrap()).expect(200).json();
    // The first one again, after its successor was used: somebody else has it.
    refused(&refresh(old), 400, "invalid_grant");
    refused(&refresh(third["refresh_token"].as_str().unwrap()), 400, "invalid_grant");
    assert!(!provider.is_active(&app, third["access_token"].as_str().unwrap()));
}

#[test]
fn refresh_after_a_block_a_reset_or_an_ended_session() {
    for what in ["block", "sessions", "password"] {
        let provider = Provider::start();
        let app = provider.web();
        let user = provider.end_user(&app, ADA);
        let place = format!("/api/v1/applications/{}/end-users/{}", app.id, user["id"].as_str().unwrap());
        let visitor = Visitor::new(&provider);
        let code = visitor.code(&app, ADA);
        let tokens = provider.redeem(&app, &code).expect(200).json();
        let access = tokens["access_token"].as_str().unwrap();
        assert!(provider.is_active(&app, access));
        match what {
            "block" => drop(provider.admin().post(&format!("{place}/block"), &json!({"reason": "test"})).expect(200)),
            "sessions" => drop(provider.admin().delete(&format!("{place}/sessions")).expect(204)),
            _ => drop(provider.admin().post(&format!("{place}/generate-temporary-password"), &json!({})).expect(200)),
        }
        let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        refused(&provider.by(&app, "/oauth2/token", &fields), 400, "invalid_grant");
        assert!(!provider.is_active(&app, access), "{what} left a token alive");
        let page = visitor.authorize(&app, &[]);
        assert!(page.starts_with("/login?"), "{what} left a session alive: {page}");
    }
}

#[test]
fn prompt_login_max_age_and_none() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    assert!(visitor.authorize(&app, &[("prompt", "none")]).contains("error=login_required"));
    visitor.code(&app, ADA);
    assert!(visitor.authorize(&app, &[("prompt", "none")]).contains("code="));
    for ask in [("prompt", "login"), ("max_age", "0"), ("acr_values", "urn:qapi:acr:2")] {
        let place = visitor.authorize(&app, &[ask]);
        assert!(place.starts_with("/login?"), "{ask:?}: {place}");
    }
}

#[test]
fn consent_is_asked_once_and_can_be_refused() {
    let provider = Provider::start();
    let app = provider.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "ask" }));
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    let consent = sent(&visitor.sign_in(&page, ADA, PASSWORD));
    assert!(consent.starts_with("/consent?"), "{consent}");
    let shown = visitor.get(&consent).expect(200);
    let interaction = hidden(&shown, "interaction");
    let fields = [("interaction", interaction.as_str()), ("answer", "no")];
    assert_eq!(visitor.post("/consent", &fields).status, 403, "a form without its token");
    assert!(sent(&visitor.answer(&shown, "no")).contains("error=access_denied"));

    let consent = visitor.authorize(&app, &[]);
    let shown = visitor.get(&consent).expect(200);
    assert!(sent(&visitor.answer(&shown, "yes")).contains("code="));
    assert!(visitor.authorize(&app, &[]).contains("code="), "asked twice");
    assert!(visitor.authorize(&app, &[("prompt", "consent")]).starts_with("/consent?"));
}

/// A yes to one API is none to another, and what was allowed over time may be more than one request can say.
#[test]
fn consent_is_asked_for_every_api_and_kept_however_much_it_is() {
    let provider = Provider::start();
    let scopes: Vec<String> = (0..90).map(|n| format!("{n}-{}", "s".repeat(60))).collect();
    let allowed = [&["openid".to_owned()], &scopes[..]].concat();
    let apis = ["https://orders.example", "https://payments.example"];
    let settings = json!({ "redirectUris": [CALLBACK], "consent": "ask", "resources": apis, "allowedScopes": allowed });
    let app = provider.app("WebApp", &settings);
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[("scope", "openid"), ("resource", "https://orders.example")]);
    let consent = sent(&visitor.sign_in(&page, ADA, PASSWORD));
    let shown = visitor.get(&consent).expect(200);
    assert!(shown.text().contains("https://orders.example") && !shown.text().contains("https://payments.example"));
    assert!(sent(&visitor.answer(&shown, "yes")).contains("code="));
    let ask = |scope: &str, api: &str| visitor.authorize(&app, &[("scope", scope), ("resource", api)]);
    assert!(ask("openid", "https://orders.example").contains("code="));
    let again = ask("openid", "https://payments.example");
    assert!(again.starts_with("/consent?"), "a yes to one API was taken for another: {again}");
    for half in [&scopes[..45], &scopes[45..]] {
        let consent = ask(&half.join(" "), "https://orders.example");
        let shown = visitor.get(&consent).expect(200);
        assert!(sent(&visitor.answer(&shown, "yes")).contains("code="));
        assert!(ask(&half.join(" "), "https://orders.example").contains("code="));
    }
    assert!(visitor.get("/account").expect(200).text().contains("https://orders.example"));
}

#[test]
fn csrf_login_clickjacking_and_fixation() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    let interaction = parameter(&page, "interaction");
    let fields = [("interaction", interaction.as_str()), ("email", ADA), ("password", PASSWORD)];
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(visitor.post_from(origin, "/login", &fields).status, 403, "{origin}");
    }
    let shown = visitor.get(&page).expect(200);
    let policy = shown.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    assert_eq!(shown.header("referrer-policy"), Some("no-referrer"));

    // A cookie that somebody planted is not the one that the session has afterwards.
    visitor.set_cookie("qapi_session", "qss_planted-by-somebody-else-000000000000000000");
    sent(&visitor.post("/login", &fields));
    assert_ne!(visitor.cookie("qapi_session").unwrap(), "qss_planted-by-somebody-else-000000000000000000");
}

#[test]
fn enumeration() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    let bodies = [ADA, "nobody@people.example", "no address"].map(|email| {
        let answer = visitor.sign_in(&page, email, "wrong password of some length");
        (answer.status, answer.text().replace(email, "E"))
    });
    assert_eq!(bodies[0].0, 400);
    assert!(bodies.iter().all(|body| body == &bodies[0]), "{bodies:?}");
}

#[test]
fn lockout_dos() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let own = Visitor::new(&provider);
    own.code(&app, ADA);

    let stranger = Visitor::new(&provider);
    let page = stranger.authorize(&app, &[]);
    let tried: Vec<u16> =
        (0..8).map(|n| stranger.sign_in(&page, ADA, &format!("a wrong password {n}")).status).collect();
    assert_eq!(tried[..5], [400; 5], "{tried:?}");
    assert!(tried.contains(&429), "nothing slows a stranger down: {tried:?}");
    // The right password does not help a stranger now, and the person goes on with their own device.
    assert_eq!(stranger.sign_in(&page, ADA, PASSWORD).status, 429);
    let page = own.authorize(&app, &[("prompt", "login")]);
    assert!(sent(&own.sign_in(&page, ADA, PASSWORD)).contains("code="));
}

/// One account is tried by everybody at once. What is looked at is no more than what is free.
#[test]
fn guesses_that_are_made_at_once_are_counted_like_those_that_are_not() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let tried: Vec<u16> = std::thread::scope(|threads| {
        let begun: Vec<_> = (0..24)
            .map(|n| {
                let (provider, app) = (&provider, &app);
                threads.spawn(move || {
                    let visitor = Visitor::new(provider);
                    let page = visitor.authorize(app, &[]);
                    visitor.sign_in(&page, ADA, &format!("a wrong password {n}")).status
                })
            })
            .collect();
        begun.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let looked_at = tried.iter().filter(|status| **status == 400).count();
    assert!((5..=7).contains(&looked_at), "{looked_at} were looked at: {tried:?}");
    assert!(tried.iter().all(|status| [400, 429].contains(status)), "{tried:?}");
}

/// Whoever shares a network with somebody who guesses goes on, with every account that they use there.
#[test]
fn a_network_full_of_failures_stops_strangers_and_not_whoever_is_known() {
    let provider = Provider::start();
    let apps = [provider.web(), provider.web()];
    let own = Visitor::new(&provider);
    for app in &apps {
        provider.end_user(app, ADA);
        own.code(app, ADA);
    }
    let stranger = Visitor::new(&provider);
    let page = stranger.authorize(&apps[0], &[]);
    let tried: Vec<u16> =
        (0..64).map(|n| stranger.sign_in(&page, &format!("nobody{n}@b.example"), PASSWORD).status).collect();
    assert!(tried[..50].iter().all(|status| *status == 400) && tried[63] == 429, "{tried:?}");
    for app in &apps {
        let page = own.authorize(app, &[("prompt", "login")]);
        assert!(sent(&own.sign_in(&page, ADA, PASSWORD)).contains("code="));
    }
}

/// Whoever is signed in changes their password however many strangers try to sign in as them.
#[test]
fn strangers_do_not_keep_somebody_from_their_own_password() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let own = Visitor::new(&provider);
    own.code(&app, ADA);
    let stranger = Visitor::new(&provider);
    let page = stranger.authorize(&app, &[]);
    while stranger.sign_in(&page, ADA, "a wrong password").status != 429 {}
    let token = hidden(&own.get("/account").expect(200), "token");
    let change = |old: &str| {
        let fields = [("token", token.as_str()), ("do", "password"), ("password", old), ("new_password", OTHER)];
        own.post("/account", &fields)
    };
    change("not the password").expect(400);
    change(PASSWORD).expect(200);
    // Wrong ones count here too.
    let tried: Vec<String> = (0..6).map(|_| change("not the password").expect(400).text()).collect();
    assert!(tried[5].contains("too often"), "{}", tried[5]);
}

/// Whoever took a cookie guesses in that session alone.
#[test]
fn guesses_in_one_session_keep_nobody_in_another_from_their_password() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let sessions = [Visitor::new(&provider), Visitor::new(&provider)];
    let [stolen, own] = sessions.each_ref().map(|visitor| {
        visitor.code(&app, ADA);
        let token = hidden(&visitor.get("/account").expect(200), "token");
        move |old: &str| {
            let fields = [("token", token.as_str()), ("do", "password"), ("password", old), ("new_password", OTHER)];
            visitor.post("/account", &fields)
        }
    });
    // The right one is not looked at any more.
    for _ in 0..12 {
        stolen("not the password").expect(400);
    }
    own(PASSWORD).expect(200);
}

/// A device is remembered by what it showed: whoever knew the old password is a stranger, and the device that set the new one is not.
#[test]
fn a_device_of_before_the_password_changed_is_a_strange_one() {
    let provider = Provider::start();
    let app = provider.web();
    provider.end_user(&app, ADA);
    let (own, thief, stranger) = (Visitor::new(&provider), Visitor::new(&provider), Visitor::new(&provider));
    thief.code(&app, ADA);
    own.code(&app, ADA);
    let token = hidden(&own.get("/account").expect(200), "token");
    let fields = [("token", token.as_str()), ("do", "password"), ("password", PASSWORD), ("new_password", OTHER)];
    own.post("/account", &fields).expect(200);
    let page = stranger.authorize(&app, &[]);
    while stranger.sign_in(&page, ADA, "a wrong password").status != 429 {}
    assert_eq!(thief.sign_in(&thief.authorize(&app, &[("prompt", "login")]), ADA, "a wrong password").status, 429);
    let page = own.authorize(&app, &[("prompt", "login")]);
    assert!(sent(&own.sign_in(&page, ADA, OTHER)).contains("code="));
}

/// Whoever comes to the account page by themselves signs in there, as somebody of the application that the link names or of the tenant.
#[test]
fn the_account_page_signs_in_whoever_comes_to_it_and_says_where_they_are() {
    let provider = Provider::start();
    let app = provider.web();
    let user = provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    let link = format!("/account?client_id={}", app.client_id);
    let client_id = hidden(&visitor.get(&link).expect(401), "client_id");
    let signs_in =
        |client_id: &str| visitor.post("/account", &[("client_id", client_id), ("email", ADA), ("password", PASSWORD)]);
    let of_the_tenant = hidden(&visitor.get("/account").expect(401), "client_id");
    assert!(signs_in(&of_the_tenant).expect(400).text().contains("is wrong"));
    assert_eq!(sent(&signs_in(&client_id)), "/account");
    let shown = visitor.get("/account").expect(200).text();
    assert!(shown.contains(ADA) && shown.contains("From 127.0.0.1"), "{shown}");
    let path = format!("/api/v1/applications/{}/end-users/{}/sessions", app.id, user["id"].as_str().unwrap());
    let sessions = provider.admin().get(&path).expect(200).json();
    assert_eq!((&sessions[0]["state"], &sessions[0]["ipAddress"]), (&json!("live"), &json!("127.0.0.1")), "{sessions}");
}

#[test]
fn a_temporary_password_has_to_be_changed() {
    let provider = Provider::start();
    let app = provider.web();
    let user = provider.end_user(&app, ADA);
    let place = format!("/api/v1/applications/{}/end-users/{}", app.id, user["id"].as_str().unwrap());
    let given = provider.admin().post(&format!("{place}/generate-temporary-password"), &json!({})).expect(200);
    let temporary = given.text_of("temporaryPassword");
    let visitor = Visitor::new(&provider);
    let page = visitor.authorize(&app, &[]);
    let interaction = parameter(&page, "interaction");
    let asked = visitor.sign_in(&page, ADA, &temporary);
    assert!(asked.status == 400 && asked.text().contains("new_password"), "{}", asked.text());
    let with = |new: &str| {
        let fields =
            [("interaction", interaction.as_str()), ("email", ADA), ("password", &temporary), ("new_password", new)];
        visitor.post("/login", &fields)
    };
    for bad in ["short", "passwordpassword", "aaaaaaaaaaaaaaaaaaaa"] {
        let answer = with(bad);
        assert!(answer.status == 400 && answer.text().contains("The new password"), "{bad}: {}", answer.text());
    }
    assert!(sent(&with("four words nobody has said")).contains("code="));
    visitor.forget();
    let page = visitor.authorize(&app, &[]);
    assert_eq!(visitor.sign_in(&page, ADA, &temporary).status, 400);
}

#[test]
fn the_account_page_shows_and_ends_what_there_is() {
    let provider = Provider::start();
    let app = provider.app("WebApp", &json!({ "redirectUris": [CALLBACK], "consent": "ask" }));
    provider.end_user(&app, ADA);
    let visitor = Visitor::new(&provider);
    assert_eq!(visitor.get("/account").status, 401);
    let page = visitor.authorize(&app, &[]);
    let consent = sent(&visitor.sign_in(&page, ADA, PASSWORD));
    let shown = visitor.get(&consent).expect(200);
    let (token, interaction) = (hidden(&shown, "token"), hidden(&shown, "interaction"));
    let yes = [("interaction", interaction.as_str()), ("answer", "yes"), ("token", token.as_str())];
    let code = parameter(&sent(&visitor.post("/consent", &yes)), "code");
    let tokens = provider.redeem(&app, &code).expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();

    let account = visitor.get("/account").expect(200);
    assert!(account.text().contains(ADA) && account.text().contains("this browser"), "{}", account.text());
    let (token, application) = (hidden(&account, "token"), hidden(&account, "application"));
    let withdraw = [("do", "withdraw"), ("application", application.as_str()), ("token", token.as_str())];
    visitor.post("/account", &withdraw).expect(200);
    assert!(!provider.is_active(&app, access), "a withdrawn grant is alive");

    let change = |old: &str, new: &str| {
        visitor.post("/account", &[("do", "password"), ("password", old), ("new_password", new), ("token", &token)])
    };
    change("not the password", "four words nobody has said").expect(400);
    change(PASSWORD, "four words nobody has said").expect(200);
    let session = hidden(&account, "session");
    let end = [("do", "end"), ("session", session.as_str()), ("token", token.as_str())];
    visitor.post("/account", &end).expect(200);
    assert_eq!(visitor.get("/account").status, 401);
}

#[test]
fn owners_and_administrators_are_signed_out_by_those_who_may_make_them() {
    let provider = Provider::start();
    let admin = provider.admin();
    let helper = crate::server::new_key(&admin, &[&READS[..], &["users:write"]].concat(), &[]);
    for (role, is_theirs) in [("owner", false), ("admin", false), ("member", true)] {
        let body = json!({ "email": format!("{role}@b.example"), "role": role });
        let id = admin.post("/api/v1/users/invite", &body).expect(201).text_of("id");
        let place = format!("/api/v1/users/{id}");
        for one in ["sessions", "grants"] {
            // Nobody has this one; whoever may not end it does not learn that.
            let answer = helper.delete(&format!("{place}/{one}/{id}"));
            answer.refused(if is_theirs { 404 } else { 403 }, if is_theirs { "not_found" } else { "forbidden" });
        }
        let all = helper.delete(&format!("{place}/sessions"));
        if is_theirs {
            all.expect(204);
        } else {
            all.refused(403, "forbidden");
        }
        admin.delete(&format!("{place}/sessions")).expect(204);
    }
}

/// What is looked at once an hour is looked at once more when a server stops.
#[test]
fn a_session_that_is_over_is_forgotten_after_a_month() {
    const DAY_S: i64 = 24 * 60 * 60;
    let folder = tempfile::tempdir().unwrap();
    let (clock, data) = (MovedClock::new(folder.path()), folder.path().join("data"));
    let start = || Provider { server: Server::start_dev_by(clock.qapid(), &data, &[]) };
    let mut provider = start();
    let app = provider.web();
    let user = provider.end_user(&app, ADA)["id"].as_str().unwrap().to_owned();
    let visitor = Visitor::new(&provider);
    let fields = [("client_id", app.client_id.as_str()), ("email", ADA), ("password", PASSWORD)];
    assert_eq!(sent(&visitor.post("/account", &fields)), "/account");
    let place = format!("/api/v1/applications/{}/end-users/{user}", app.id);
    for (days, left) in [(29, 1), (32, 0)] {
        clock.set_ahead_s(days * DAY_S);
        provider.server.stop();
        provider = start();
        let count =
            |what: &str| provider.admin().get(&format!("{place}/{what}")).expect(200).json().as_array().unwrap().len();
        assert_eq!((count("sessions"), count("logins")), (left, 1), "after {days} days");
    }
}
