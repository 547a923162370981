//! Second factors: authenticators, recovery codes, codes by e-mail.

use std::time::Duration;

use serde_json::json;

use super::browser::{
    Authenticator, Browser, House, OTHER_PASSWORD, PASSWORD, acr_and_amr, hidden, location, recovery_codes, tokens,
};
use super::provider::refused;
use crate::server::eventually;

const ONE: &str = "urn:qapi:acr:1";
const TWO: &str = "urn:qapi:acr:2";

fn words(amr: &[&str]) -> Vec<String> {
    amr.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn acr_step_up() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let (mut at_home, mut at_work) = (Browser::new(&house), Browser::new(&house));
    let got = at_work.sign_in(&house, &app, "ada@b.example", PASSWORD);
    assert_eq!(acr_and_amr(&got), (ONE.to_owned(), words(&["pwd"])));
    at_home.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let (mut authenticator, _) = at_home.enrol();
    house.letter("ada@b.example", "An authenticator was added to your account");
    // Whoever is signed in by one factor is asked again when the application wants two.
    let (interaction, half, _) = at_work.second_half(&app, "ada@b.example", &format!("&acr_values={TWO}"));
    let before = at_work.session().map(str::to_owned);
    let answer = at_work.second(&interaction, &half, &authenticator.code()).expect(303);
    assert_ne!(at_work.session().map(str::to_owned), before);
    let got = tokens(&house, &app, &location(answer));
    assert_eq!(acr_and_amr(&got), (TWO.to_owned(), words(&["pwd", "otp", "mfa"])));
    // And not again, once they showed two.
    let to = at_work.authorize(&app, &format!("&acr_values={TWO}"));
    assert_eq!(acr_and_amr(&tokens(&house, &app, &to)).0, TWO);
    // The half cannot be used a second time.
    let over = at_work.second(&interaction, &half, "000000");
    assert_eq!(over.status, 400);
}

#[test]
fn totp_replay_and_recovery_reuse() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let mut browser = Browser::new(&house);
    browser.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let (authenticator, recovery) = browser.enrol();
    let mut stranger = Browser::new(&house);
    // The code that set the authenticator up was seen once already.
    let (interaction, half, page) = stranger.second_half(&app, "ada@b.example", "");
    assert!(!page.contains("class=\"secret\""), "an authenticator that is set up is not shown again");
    let replayed = stranger.second(&interaction, &half, &authenticator.shown()).expect(400).text();
    assert!(replayed.contains("was used before"), "{replayed}");
    assert_eq!(stranger.session(), None);
    // A recovery code works, in any spelling, once.
    let spelled = recovery[0].to_lowercase().replace('-', " ");
    let answer = stranger.second(&interaction, &half, &spelled).expect(303);
    assert_eq!(acr_and_amr(&tokens(&house, &app, &location(answer))), (TWO.to_owned(), words(&["pwd", "otp", "mfa"])));
    let mut again = Browser::new(&house);
    let (interaction, half, _) = again.second_half(&app, "ada@b.example", "");
    again.second(&interaction, &half, &recovery[0]).expect(400);
    again.second(&interaction, &half, &recovery[1]).expect(303);
    let left = browser.get("/account/factors").expect(200).text();
    assert!(left.contains("8 recovery codes are left"), "{left}");
}

#[test]
fn a_sign_in_that_guesses_codes_is_over_after_five() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let mut browser = Browser::new(&house);
    browser.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let (mut authenticator, _) = browser.enrol();
    let mut guesser = Browser::new(&house);
    let (interaction, half, _) = guesser.second_half(&app, "ada@b.example", "");
    let right = authenticator.code();
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        guesser.second(&interaction, &half, wrong).expect(400);
    }
    // Whoever guesses on is slowed down, and after the wait the right one is too late.
    eventually(Duration::from_secs(30), || {
        let said = guesser.second(&interaction, &half, &right).expect(400).text();
        said.contains("is over").then_some(())
    });
    assert_eq!(guesser.session(), None);
}

#[test]
fn an_application_that_requires_a_second_factor_has_people_set_one_up() {
    let house = House::start();
    let app = house.portal(Some("required"));
    house.user(&app, "ada@b.example", false);
    let mut browser = Browser::new(&house);
    let (interaction, half, page) = browser.second_half(&app, "ada@b.example", "");
    // An address that nobody has confirmed is sent no code.
    assert!(!page.contains("by e-mail"), "{page}");
    let unsent = browser.post("/login", &[("interaction", &interaction), ("half", &half), ("do", "mail")]);
    assert!(unsent.expect(400).text().contains("No code can be sent"));
    let mut authenticator = Authenticator::of(&page);
    browser.second(&interaction, &half, "123 45").expect(400);
    let (recovery, answer) = browser.first_second(&interaction, &half, &authenticator.code());
    let got = tokens(&house, &app, &location(answer.expect(303)));
    assert_eq!(acr_and_amr(&got), (TWO.to_owned(), words(&["pwd", "otp", "mfa"])));
    // The next time it is asked for, and whoever does not have it with them comes in by what they wrote down.
    let mut elsewhere = Browser::new(&house);
    let (interaction, half, page) = elsewhere.second_half(&app, "ada@b.example", "");
    assert!(!page.contains("class=\"secret\""), "{page}");
    elsewhere.second(&interaction, &half, &recovery[9]).expect(303);
}

#[test]
fn whoever_goes_on_after_the_recovery_codes_is_asked_for_as_much_as_before() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", false);
    let mut browser = Browser::new(&house);
    browser.sign_in(&house, &app, "ada@b.example", PASSWORD);
    // One factor is not two, a session of before is not a sign-in that was asked for, and nobody is nobody.
    for more in [&format!("&acr_values={TWO}")[..], "&prompt=login"] {
        let interaction = browser.begin(&app, more);
        let to = location(browser.get(&format!("/login?interaction={interaction}&do=on")).expect(303));
        assert!(to.contains("/login?interaction="), "{more}: {to}");
        let stranger = Browser::new(&house).get(&format!("/login?interaction={interaction}&do=on"));
        assert!([200, 400].contains(&stranger.status), "{}", stranger.text());
    }
}

/// Somebody who comes to a page that carries something, and there shows a password and sets an authenticator up. What the page of
/// recovery codes leads to.
fn set_up_at(browser: &mut Browser, at: &str, carried: (&str, &str)) -> String {
    let password = [carried, ("email", "ada@b.example"), ("password", PASSWORD)];
    let page = browser.post(at, &password).expect(200).text();
    let (half, code) = (hidden(&page, "half"), Authenticator::of(&page).code());
    browser.post(at, &[carried, ("half", &half), ("code", "123 45")]).expect(400);
    let page = browser.post(at, &[carried, ("half", &half), ("code", &code)]).expect(200).text();
    recovery_codes(&page);
    let session = browser.session().map(str::to_owned);
    assert!(session.is_some(), "whoever sees the codes is signed in");
    let next = browser.written_down(&page, at, carried).expect(200).text();
    assert_eq!(browser.session().map(str::to_owned), session);
    next
}

#[test]
fn whoever_sets_an_authenticator_up_for_a_device_answers_it_then() {
    let house = House::start();
    let settings = json!({ "redirectUris": ["http://127.0.0.1/cb"], "mfaPolicy": "required" });
    let app = house.provider.app("NativeApp", &settings);
    house.user(&app, "ada@b.example", false);
    let id = ("client_id", app.client_id.as_str());
    let told = house.provider.form("/oauth2/device_authorization", &[id, ("scope", "openid")]).expect(200).json();
    let typed = ("user_code", told["user_code"].as_str().unwrap());
    let mut browser = Browser::new(&house);
    let asked = set_up_at(&mut browser, "/device", typed);
    // Whoever is not signed in learns no more by the button's address than by the device's.
    let stranger = Browser::new(&house).get(&format!("/device?user_code={}&do=on", typed.1)).expect(200).text();
    assert!(stranger.contains("name=\"password\"") && !stranger.contains("name=\"answer\""), "{stranger}");
    let token = hidden(&asked, "token");
    browser.post("/device", &[typed, ("answer", "yes"), ("token", &token)]).expect(200);
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let poll = [grant, id, ("device_code", told["device_code"].as_str().unwrap())];
    let got = house.provider.form("/oauth2/token", &poll).expect(200).json();
    assert_eq!(acr_and_amr(&got), (TWO.to_owned(), words(&["pwd", "otp", "mfa"])));
}

#[test]
fn whoever_sets_an_authenticator_up_at_the_account_page_sees_the_account_then() {
    let house = House::start();
    let app = house.portal(Some("required"));
    house.user(&app, "ada@b.example", false);
    let client = ("client_id", app.client_id.as_str());
    let mut browser = Browser::new(&house);
    let account = set_up_at(&mut browser, "/account", client);
    assert!(account.contains("ada@b.example") && !account.contains("name=\"email\""), "{account}");
    // The button's address alone shows nobody an account.
    Browser::new(&house).get(&format!("/account?client_id={}&do=on", client.1)).expect(401);
    let got = tokens(&house, &app, &browser.authorize(&app, &format!("&acr_values={TWO}")));
    assert_eq!(acr_and_amr(&got), (TWO.to_owned(), words(&["pwd", "otp", "mfa"])));
}

#[test]
fn a_code_by_mail_is_a_weak_second_factor_for_whoever_has_no_other() {
    let house = House::start();
    let app = house.portal(Some("required"));
    house.user(&app, "ada@b.example", true);
    let mut browser = Browser::new(&house);
    let (interaction, half, page) = browser.second_half(&app, "ada@b.example", "");
    assert!(page.contains("by e-mail"), "{page}");
    let code_of = |browser: &mut Browser| {
        browser.post("/login", &[("interaction", &interaction), ("half", &half), ("do", "mail")]).expect(200);
        let letter = house.letter("ada@b.example", "Your sign-in code");
        letter.split("Your code is ").nth(1).and_then(|rest| rest.get(..8)).expect("a code").to_owned()
    };
    let first = code_of(&mut browser);
    let second = code_of(&mut browser);
    // A newer letter makes the older one worthless.
    browser.second(&interaction, &half, &first).expect(400);
    let answer = browser.second(&interaction, &half, &second).expect(303);
    assert_eq!(acr_and_amr(&tokens(&house, &app, &location(answer))), (TWO.to_owned(), words(&["pwd", "mca", "mfa"])));
}

#[test]
fn letters_with_codes_are_bounded_for_whoever_begins_anew_too() {
    let house = House::start();
    let app = house.portal(Some("required"));
    house.user(&app, "ada@b.example", true);
    let mut browser = Browser::new(&house);
    let halves: [_; 3] = std::array::from_fn(|_| browser.second_half(&app, "ada@b.example", ""));
    let mut sent = 0;
    for (interaction, half, _) in &halves {
        for _ in 0..4 {
            let fields = [("interaction", interaction.as_str()), ("half", half), ("do", "mail")];
            sent += usize::from(browser.post("/login", &fields).status == 200);
        }
    }
    // Five, and one more for each wait that went by meanwhile.
    assert!((5..9).contains(&sent), "{sent} letters");
}

#[test]
fn a_password_that_is_chosen_after_a_code_by_mail_is_one_that_stands_alone() {
    let house = House::start();
    let app = house.portal(Some("required"));
    let id = house.user(&app, "ada@b.example", true);
    let path = format!("/api/v1/applications/{}/end-users/{id}/generate-temporary-password", app.id);
    let temporary = house.provider.admin().post(&path, &json!({})).expect(200).text_of("temporaryPassword");
    let mut browser = Browser::new(&house);
    let interaction = browser.begin(&app, "");
    let half = hidden(&browser.password(&interaction, "ada@b.example", &temporary).expect(200).text(), "half");
    browser.post("/login", &[("interaction", &interaction), ("half", &half), ("do", "mail")]).expect(200);
    let letter = house.letter("ada@b.example", "Your sign-in code");
    let code = letter.split("Your code is ").nth(1).and_then(|rest| rest.get(..8)).expect("a code").to_owned();
    let mut choose = |new: &str| {
        let fields = [("interaction", interaction.as_str()), ("half", &half), ("code", &code), ("new_password", new)];
        browser.post("/login", &fields)
    };
    // Beside a second factor it would do.
    let said = choose("xq7-Vb2kz").expect(400).text();
    assert!(said.contains("The new password"), "{said}");
    choose(OTHER_PASSWORD).expect(303);
}

#[test]
fn second_factors_are_removed_by_password_and_factor_together() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let mut browser = Browser::new(&house);
    browser.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let (_, recovery) = browser.enrol();
    let token = hidden(&browser.get("/account/factors").expect(200).text(), "token");
    let mut remove = |password: &str, code: &str| {
        let fields = [("token", token.as_str()), ("password", password), ("code", code), ("do", "remove")];
        browser.post("/account/factors", &fields)
    };
    remove("not the password at all", &recovery[0]).expect(400);
    remove(PASSWORD, "0000-0000-0000-0000").expect(400);
    remove(PASSWORD, &recovery[0]).expect(200);
    house.letter("ada@b.example", "The second factors of your account were removed");
    let got = Browser::new(&house).sign_in(&house, &app, "ada@b.example", PASSWORD);
    assert_eq!(acr_and_amr(&got), (ONE.to_owned(), words(&["pwd"])));
}

#[test]
fn second_factors_are_changed_from_a_page_of_ours_alone() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let mut browser = Browser::new(&house);
    Browser::new(&house).get("/account/factors").expect(401);
    browser.sign_in(&house, &app, "ada@b.example", PASSWORD);
    browser.post("/account/factors", &[("token", "AAAA"), ("password", PASSWORD), ("do", "offer")]).expect(403);
}

#[test]
fn a_session_without_the_password_is_offered_no_authenticator_and_sets_none_up() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let mut browser = Browser::new(&house);
    browser.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let token = hidden(&browser.get("/account/factors").expect(200).text(), "token");
    let confirm = |browser: &mut Browser, offer: &str, code: &str| {
        let fields = [("token", token.as_str()), ("offer", offer), ("code", code), ("do", "confirm")];
        browser.post("/account/factors", &fields)
    };
    let page = browser.post("/account/factors", &[("token", &token), ("password", PASSWORD), ("do", "offer")]);
    let page = page.expect(200).text();
    let code = Authenticator::of(&page).code();
    // The cookie alone learns nothing and does nothing, before an offer or after.
    for offer in ["", "AAAAAAAAAAAAAAAAAAAAAA"] {
        for code in ["000000", &code] {
            let said = confirm(&mut browser, offer, code).expect(400).text();
            assert!(said.contains("is over") && !said.contains("class=\"secret\""), "{said}");
        }
    }
    let offer = hidden(&page, "offer");
    let again = confirm(&mut browser, &offer, "no code").expect(400).text();
    assert_eq!(hidden(&again, "offer"), offer);
    confirm(&mut browser, &offer, &code).expect(200);
    // Whoever has one is offered no other.
    let said = browser.post("/account/factors", &[("token", &token), ("password", PASSWORD), ("do", "offer")]);
    assert!(said.expect(400).text().contains("Remove it first"));
}

#[test]
fn the_secret_that_somebody_sets_up_was_shown_to_nobody_else_who_knows_the_password() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let (mut thief, mut own) = (Browser::new(&house), Browser::new(&house));
    let (theirs, half, page) = thief.second_half(&app, "ada@b.example", &format!("&acr_values={TWO}"));
    let mut stolen = Authenticator::of(&page);
    own.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let (mut authenticator, _) = own.enrol();
    assert_ne!(authenticator.code(), stolen.code());
    thief.second(&theirs, &half, &stolen.shown()).expect(400);
    assert_eq!(thief.session(), None);
}

#[test]
fn guessed_second_factors_are_counted_for_all_devices_together() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let mut own = Browser::new(&house);
    own.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let (_, recovery) = own.enrol();
    let mut devices = [Browser::new(&house), Browser::new(&house)];
    for (device, code) in devices.iter_mut().zip(&recovery) {
        let (interaction, half, _) = device.second_half(&app, "ada@b.example", "");
        device.second(&interaction, &half, code).expect(303);
    }
    let halves = devices.each_mut().map(|device| device.second_half(&app, "ada@b.example", "&prompt=login"));
    let mut guess = |device: usize| {
        let (interaction, half, _) = &halves[device];
        devices[device].second(interaction, half, "0000-0000-0000-0000").expect(400).text()
    };
    // Each of them alone would have five free.
    let slowed = (0..10).map(|n| guess(n % 2)).filter(|said| said.contains("Too many tries")).count();
    assert!(slowed > 0);
}

#[test]
fn what_began_without_the_second_factor_ends_when_it_is_set_up() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let (mut own, mut thief) = (Browser::new(&house), Browser::new(&house));
    let got = thief.sign_in(&house, &app, "ada@b.example", PASSWORD);
    own.sign_in(&house, &app, "ada@b.example", PASSWORD);
    own.enrol();
    thief.get("/account").expect(401);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", got["refresh_token"].as_str().unwrap())];
    refused(&house.provider.token(&app, &refresh), 400, "invalid_grant");
    own.get("/account").expect(200);
}

#[test]
fn the_account_page_changes_nothing_in_a_session_that_is_not_as_sure_as_the_policy_wants() {
    let house = House::start();
    let app = house.portal(None);
    house.user(&app, "ada@b.example", true);
    let mut browser = Browser::new(&house);
    browser.sign_in(&house, &app, "ada@b.example", PASSWORD);
    let policy = json!({ "mfaPolicy": "required" });
    house.provider.admin().put(&format!("/api/v1/applications/{}", app.id), &policy).expect(200);
    let token = hidden(&browser.get("/account").expect(200).text(), "token");
    let change = [("token", token.as_str()), ("password", PASSWORD), ("new_password", OTHER_PASSWORD)];
    let page = browser.post("/account", &[&change[..], &[("do", "password")]].concat()).expect(401).text();
    assert_eq!(hidden(&page, "client_id"), app.client_id);
    browser.post("/account/factors", &[&change[..2], &[("do", "offer")]].concat()).expect(401);
    // Whoever signs in there is asked for a second factor, and may then.
    set_up_at(&mut browser, "/account", ("client_id", &app.client_id));
    browser.post("/account", &[&change[..], &[("do", "password")]].concat()).expect(200);
}

#[test]
fn half_a_sign_in_with_a_password_that_was_changed_is_over() {
    let house = House::start();
    let app = house.portal(Some("required"));
    let id = house.user(&app, "ada@b.example", false);
    let mut thief = Browser::new(&house);
    let (interaction, half, page) = thief.second_half(&app, "ada@b.example", "");
    let path = format!("/api/v1/applications/{}/end-users/{id}/generate-temporary-password", app.id);
    house.provider.admin().post(&path, &json!({})).expect(200);
    let over = thief.second(&interaction, &half, &Authenticator::of(&page).code()).expect(400).text();
    assert!(over.contains("is over"), "{over}");
}
