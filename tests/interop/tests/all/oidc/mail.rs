//! Letters, and what the links in them do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use super::browser::{Browser, House, OTHER_PASSWORD, PASSWORD, hidden};
use super::provider::refused;
use crate::installation::{Engine, Installation};
use crate::server::eventually;

const SOON: Duration = Duration::from_secs(30);

fn code_of(link: &str) -> &str {
    link.split_once("code=").expect("a code in the link").1
}

#[test]
fn a_reset_ends_what_was_given_to_whoever_knew_the_old_password() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", false);
    let mut browser = Browser::new(&house);
    let got = browser.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let refresh = got["refresh_token"].as_str().expect("a refresh token").to_owned();
    let access = got["access_token"].as_str().expect("an access token").to_owned();
    assert!(house.provider.is_active(&app, &access));

    let mut elsewhere = Browser::new(&house);
    elsewhere.get(&format!("/forgot?client_id={}", app.client_id)).expect(200);
    elsewhere.post("/forgot", &[("client_id", &app.client_id), ("email", "Ada@B.example")]).expect(200);
    let link = house.link("ada@b.example", "Set a new password");
    // Looking at the link changes nothing.
    for _ in 0..2 {
        elsewhere.get(&link).expect(200);
    }
    let guessable = elsewhere.post("/reset", &[("code", code_of(&link)), ("new_password", "passwordpassword")]);
    assert!(guessable.expect(400).text().contains("guessed first"));
    elsewhere.post("/reset", &[("code", code_of(&link)), ("new_password", OTHER_PASSWORD)]).expect(200);
    house.letter("ada@b.example", "Your password was changed");

    eventually(SOON, || (!house.provider.is_active(&app, &access)).then_some(()));
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    refused(&house.provider.token(&app, &fields), 400, "invalid_grant");
    browser.get("/account").expect(401);
    let interaction = browser.begin(&app, "");
    browser.password(&interaction, "ada@b.example", PASSWORD).expect(400);
    browser.password(&interaction, "ada@b.example", OTHER_PASSWORD).expect(303);
    // The link worked once.
    elsewhere.get(&link).expect(400);
    elsewhere.post("/reset", &[("code", code_of(&link)), ("new_password", PASSWORD)]).expect(400);
    let mut last = Browser::new(&house);
    let interaction = last.begin(&app, "");
    last.password(&interaction, "ada@b.example", PASSWORD).expect(400);
}

/// Whoever could read a letter once is kept out by what keeps everybody else out.
#[test]
fn what_ends_everything_ends_the_links_of_letters_that_were_sent_before() {
    let house = House::start();
    let app = house.portal(None);
    let id = house.user(&app, "ada@b.example", false);
    let (admin, place) = (house.provider.admin(), format!("/api/v1/applications/{}/end-users/{id}", app.id));
    let mut own = Browser::new(&house);
    own.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let token = hidden(&own.get("/account").expect(200).text(), "token");
    for end in ["password", "sessions", "block", "temporary"] {
        own.post("/forgot", &[("client_id", &app.client_id), ("email", "ada@b.example")]).expect(200);
        let link = house.link("ada@b.example", "Set a new password");
        own.get(&link).expect(200);
        match end {
            "password" => {
                let new = [("password", PASSWORD), ("new_password", OTHER_PASSWORD)];
                own.post("/account", &[&[("do", "password"), ("token", token.as_str())], &new[..]].concat())
                    .expect(200);
            }
            "sessions" => drop(admin.delete(&format!("{place}/sessions")).expect(204)),
            "block" => {
                admin.post(&format!("{place}/block"), &json!({ "reason": "test" })).expect(200);
                admin.post(&format!("{place}/unblock"), &json!({})).expect(200);
            }
            _ => drop(admin.post(&format!("{place}/generate-temporary-password"), &json!({})).expect(200)),
        }
        own.get(&link).expect(400);
        own.post("/reset", &[("code", code_of(&link)), ("new_password", PASSWORD)]).expect(400);
    }
}

#[test]
fn an_invitation_ends_when_its_person_is_blocked_and_another_is_sent_when_they_are_let_in() {
    let house = House::start();
    let admin = house.provider.admin();
    let body = json!({ "email": "grace@b.example", "role": "member", "displayName": "Grace" });
    let place = format!("/api/v1/users/{}", admin.post("/api/v1/users/invite", &body).expect(201).text_of("id"));
    let old = house.link("grace@b.example", "You are invited");
    for is_active in [false, true] {
        admin.patch(&place, &json!({ "isActive": is_active })).expect(200);
    }
    let link = house.link("grace@b.example", "You are invited");
    let mut browser = Browser::new(&house);
    browser.post("/invitation", &[("code", code_of(&old)), ("new_password", PASSWORD)]).expect(400);
    browser.post("/invitation", &[("code", code_of(&link)), ("new_password", PASSWORD)]).expect(200);
}

#[test]
fn host_header_of_whoever_asks_is_in_no_letter() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", false);
    let base = house.provider.server.base_url().to_owned();
    let forged = house.provider.admin().anonymous().request("POST", "/forgot");
    let forged = forged
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Origin", &base)
        .header("X-Forwarded-Host", "evil.example")
        .header("X-Forwarded-Proto", "https")
        .header("Forwarded", "host=evil.example")
        .bytes(super::provider::form(&[("client_id", &app.client_id), ("email", "ada@b.example")]));
    forged.send().expect(200);
    let letter = house.letter("ada@b.example", "Set a new password");
    assert!(!letter.contains("evil.example") && letter.contains(&format!("\r\n{base}/reset?code=qml_")), "{letter}");
}

#[test]
fn whoever_asks_for_a_letter_is_told_the_same_whoever_has_the_address() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", false);
    let mut browser = Browser::new(&house);
    let mut said = |email: &str| {
        let answer = browser.post("/forgot", &[("client_id", &app.client_id), ("email", email)]);
        (answer.status, answer.text())
    };
    let known = said("ada@b.example");
    for other in ["grace@b.example", "no address", "ada@b.example"] {
        assert_eq!(said(other), known, "{other}");
    }
    house.letter("ada@b.example", "Set a new password");
    let nobody = browser.post("/forgot", &[("client_id", "no-such-client"), ("email", "ada@b.example")]);
    assert_eq!((nobody.status, nobody.text()), known);
    // A form of another site sends nothing.
    let strange = house.provider.admin().anonymous().request("POST", "/forgot");
    let strange =
        strange.header("Content-Type", "application/x-www-form-urlencoded").header("Origin", "https://evil.example");
    strange.bytes(b"email=ada%40b.example".to_vec()).send().expect(403);
}

#[test]
fn an_invitation_lets_one_of_the_tenants_people_in_once() {
    let house = House::start();
    let admin = house.provider.admin();
    let body = json!({ "email": "grace@b.example", "role": "member", "displayName": "Grace" });
    let id = admin.post("/api/v1/users/invite", &body).expect(201).text_of("id");
    let link = house.link("grace@b.example", "You are invited");
    assert!(link.starts_with("/invitation?code=qml_"), "{link}");
    let mut browser = Browser::new(&house);
    browser.get(&link).expect(200);
    // A code is for one thing.
    browser.post("/reset", &[("code", code_of(&link)), ("new_password", PASSWORD)]).expect(400);
    browser.post("/verify", &[("code", code_of(&link))]).expect(400);
    browser.post("/invitation", &[("code", code_of(&link)), ("new_password", "short")]).expect(400);
    browser.post("/invitation", &[("code", code_of(&link)), ("new_password", PASSWORD)]).expect(200);
    let shown = admin.get(&format!("/api/v1/users/{id}")).expect(200).json();
    assert_eq!(shown["state"], "active", "{shown}");
    browser.post("/invitation", &[("code", code_of(&link)), ("new_password", OTHER_PASSWORD)]).expect(400);
}

#[test]
fn a_verification_confirms_the_address() {
    let house = House::start();
    let app = house.portal(None);
    let id = house.user(&app, "ada@b.example", false);
    let admin = house.provider.admin();
    let path = format!("/api/v1/applications/{}/end-users/{id}", app.id);
    let sent = admin.post(&format!("{path}/send-verification"), &json!({}));
    assert!(sent.status < 300, "{}", sent.text());
    let old = house.link("ada@b.example", "Confirm your e-mail address");
    assert!(admin.post(&format!("{path}/send-verification"), &json!({})).status < 300);
    let link = house.link("ada@b.example", "Confirm your e-mail address");
    let mut browser = Browser::new(&house);
    // A newer letter makes the older one worthless, and looking confirms nothing.
    browser.post("/verify", &[("code", code_of(&old))]).expect(400);
    browser.get(&link).expect(200);
    assert_eq!(admin.get(&path).expect(200).json()["emailVerified"], false);
    browser.post("/verify", &[("code", code_of(&link))]).expect(200);
    assert_eq!(admin.get(&path).expect(200).json()["emailVerified"], true);
    browser.post("/verify", &[("code", code_of(&link))]).expect(400);
}

#[test]
fn codes_that_are_guessed_are_one_answer() {
    let house = House::start();
    let mut browser = Browser::new(&house);
    let mut said = Vec::new();
    for code in ["", "qml_", "qml_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &"a".repeat(5_000), "' OR 1=1 --"] {
        for path in ["/reset", "/invitation", "/verify"] {
            let answer = browser.post(path, &[("code", code), ("new_password", PASSWORD)]).expect(400);
            said.push(answer.text());
        }
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn a_letter_that_the_relay_does_not_take_is_sent_again() {
    let relay = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = relay.local_addr().expect("an address").port();
    let (sender, taken) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (n, stream) in relay.incoming().enumerate() {
            let mut stream = stream.expect("a connection");
            // The first time the relay is busy.
            if n == 0 {
                stream.write_all(b"421 busy\r\n").expect("an answer");
                continue;
            }
            if let Some(letter) = received(&mut stream) {
                sender.send(letter).expect("the test listens");
            }
        }
    });
    let installation = Installation::unattended(&Engine::Sqlite);
    let settings = format!(
        "[mail]\nfrom = 'Our service <no-reply@b.example>'\n[mail.smtp]\nhost = '127.0.0.1'\nport = {port}\nsecurity = 'plaintext'\n"
    );
    let config = std::fs::read_to_string(installation.config()).expect("a configuration");
    std::fs::write(installation.config(), config + &settings).expect("the folder can be written");
    let server = installation.serve();
    let body = json!({ "email": "grace@b.example", "role": "member", "displayName": "Grace" });
    server.client().post("/api/v1/users/invite", &body).expect(201);
    let letter = taken.recv_timeout(Duration::from_secs(60)).expect("a letter");
    assert!(
        letter.contains("From: \"Our service\" <no-reply@b.example>") && letter.contains("/invitation?code=qml_"),
        "{letter}"
    );
    // And not a third time.
    assert!(taken.recv_timeout(Duration::from_secs(3)).is_err());
}

/// One letter as SMTP brings it (RFC 5321).
fn received(stream: &mut std::net::TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    stream.write_all(b"220 relay\r\n").ok()?;
    while let Some(Ok(line)) = lines.next() {
        match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n").ok()?;
                let letter: Vec<_> = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".").collect();
                stream.write_all(b"250 taken\r\n").ok()?;
                return Some(letter.join("\n"));
            }
            "QUIT" => return None,
            _ => stream.write_all(b"250 relay\r\n").ok()?,
        }
    }
    None
}
