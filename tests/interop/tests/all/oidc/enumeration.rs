//! Whether times tell what answers do not: who has an account.
//!
//! Kinds of people are asked for in turn, so that whatever else the machine does slows all of them down alike, and medians are compared.
//! A round that a busy machine has spoiled is made again; what tells people apart does so in every round.

use std::time::{Duration, Instant};

use serde_json::json;

use super::browser::{Browser, House};
use super::provider::{App, Provider};
use super::visitor::{PASSWORD, Visitor};
use crate::program::say;

/// Tries of each kind. Four kinds of them are fewer failures than a network has free (`domain::identity::throttle`), and no
/// account is tried so often that it slows down.
const TRIES: usize = 12;
const PEOPLE: usize = 3;
const ROUNDS: usize = 6;
/// How far medians of sign-ins may lie apart, which on a busy machine vary. Leaving the password's hash out is a factor of six and more,
/// and so is a conversation with a mail server before a request for a letter is answered.
const APART: f64 = 3.0;
/// How much longer a hash takes than none at least; a round in which it does not could not tell that one is left out.
const HASHED: f64 = 4.0;

/// Medians by kind, in milliseconds.
struct Medians(Vec<(&'static str, f64)>);

impl Medians {
    fn of(samples: Vec<(&'static str, Vec<Duration>)>) -> Self {
        Self(samples.into_iter().map(|(kind, times)| (kind, median_ms(times))).collect())
    }

    /// The slowest by the fastest.
    fn apart(&self) -> f64 {
        let times = || self.0.iter().map(|(_, time)| *time);
        times().fold(0.0, f64::max) / times().fold(f64::INFINITY, f64::min)
    }

    fn said(&self) -> String {
        let each: Vec<_> = self.0.iter().map(|(kind, time)| format!("{kind} {time:.1} ms")).collect();
        format!("{} ({:.2} apart)", each.join(", "), self.apart())
    }
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1_000.0
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let done = act();
    (done, began.elapsed())
}

/// Makes rounds until one is as it should be; what each was is said.
#[track_caller]
fn eventually_alike(what: &str, round: impl Fn() -> (Medians, bool)) {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let (medians, is_telling) = round();
        rounds.push(medians.said());
        if is_telling && medians.apart() <= APART {
            say(&format!("times of {what}: {}", medians.said()));
            return;
        }
    }
    panic!("times of {what} tell kinds of people apart:\n{}", rounds.join("\n"));
}

/// A kind of people: their addresses, and a password that does not let them in.
struct Kind {
    name: &'static str,
    addresses: Vec<String>,
    password: &'static str,
}

impl Kind {
    /// People of whom each is made by a function that is told their address.
    fn new(name: &'static str, password: &'static str, made: impl Fn(&str)) -> Self {
        let addresses: Vec<_> = (0..PEOPLE).map(|n| format!("{name}{n}@people.example")).collect();
        addresses.iter().for_each(|address| made(address));
        Self { name, addresses, password }
    }
}

fn kinds(provider: &Provider, app: &App) -> [Kind; 4] {
    let people = format!("/api/v1/applications/{}/end-users", app.id);
    let blocked = |email: &str| {
        let id = provider.end_user(app, email)["id"].as_str().unwrap().to_owned();
        provider.admin().post(&format!("{people}/{id}/block"), &json!({ "reason": "test" })).expect(200);
    };
    let without = |email: &str| {
        provider.admin().post(&people, &json!({ "email": email, "displayName": "Ada" })).expect(201);
    };
    [
        Kind::new("known", "not the password of anybody", |email| drop(provider.end_user(app, email))),
        Kind::new("unknown", PASSWORD, |_| ()),
        Kind::new("blocked", PASSWORD, blocked),
        Kind::new("passwordless", PASSWORD, without),
    ]
}

#[test]
fn the_time_of_a_sign_in_tells_nobody_who_has_an_account() {
    eventually_alike("refused sign-ins", || {
        let provider = Provider::start();
        let app = provider.web();
        let visitor = Visitor::new(&provider);
        let kinds = kinds(&provider, &app);
        let page = visitor.authorize(&app, &[]);
        let mut samples = kinds.each_ref().map(|kind| (kind.name, Vec::new()));
        for n in 0..TRIES {
            for (kind, (_, times)) in kinds.iter().zip(&mut samples) {
                let (answer, time) = timed(|| visitor.sign_in(&page, &kind.addresses[n % PEOPLE], kind.password));
                assert_eq!(answer.status, 400, "{}: {}", kind.name, answer.text());
                times.push(time);
            }
        }
        // The same form where no password is looked at, because too many were wrong: what a hash that is left out looks like.
        let mut slowed = Vec::new();
        while slowed.len() < TRIES {
            let (answer, time) = timed(|| visitor.sign_in(&page, &kinds[1].addresses[0], PASSWORD));
            if answer.status == 429 {
                slowed.push(time);
            }
        }
        let (medians, unhashed) = (Medians::of(samples.into()), median_ms(slowed));
        let is_telling = medians.0.iter().all(|(_, time)| *time > HASHED * unhashed);
        say(&format!("a refusal without a hash: {unhashed:.1} ms"));
        (medians, is_telling)
    });
}

#[test]
fn the_time_of_a_reset_tells_nobody_who_has_an_account() {
    eventually_alike("requests for a letter", || {
        let house = House::start();
        let app = house.portal(None);
        for n in 0..2 * TRIES {
            house.user(&app, &format!("known{n}@b.example"), true);
        }
        let mut browser = Browser::new(&house);
        let mut samples = vec![("known", Vec::new()), ("unknown", Vec::new())];
        for n in 0..2 * TRIES {
            // Forth and back, so that each kind comes as often after a letter that is being written as the other.
            for turn in if n % 2 == 0 { [0, 1] } else { [1, 0] } {
                let email = format!("{}{n}@b.example", samples[turn].0);
                let fields = [("client_id", app.client_id.as_str()), ("email", email.as_str())];
                let (answer, time) = timed(|| browser.post("/forgot", &fields));
                answer.expect(200);
                samples[turn].1.push(time);
            }
        }
        (Medians::of(samples), true)
    });
}
