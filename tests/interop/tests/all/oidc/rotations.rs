//! Keys that sign tokens, over time and under load, as whoever verifies meets them: with a set of keys that is kept for as long as the
//! issuer lets it be kept, and asked for again no sooner.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crypto::jose::{KeySet, Typ};
use serde_json::{Value, json};

use super::provider::{App, Provider, part};
use crate::moved_clock::MovedClock;
use crate::server::{Server, eventually};

/// `max-age` of the set of keys.
const KEPT_S: i64 = 300;
const DAY_S: i64 = 86_400;

struct House {
    clock: MovedClock,
    provider: Provider,
    app: App,
    _folder: tempfile::TempDir,
}

impl House {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = MovedClock::new(folder.path());
        let provider = Provider { server: Server::start_dev_by(clock.qapid(), &folder.path().join("data"), &[]) };
        let app = provider.service(&json!({}));
        Self { clock, provider, app, _folder: folder }
    }

    fn keys(&self) -> KeySet {
        KeySet::read(&self.provider.jwks().to_string()).unwrap()
    }

    /// The name of the key that signed a new token, which verifies with these keys.
    #[track_caller]
    fn signer(&self, keys: &KeySet) -> String {
        let token = self.provider.own_token(&self.app);
        keys.verify(&token, Typ::Exactly("at+jwt")).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert!(self.provider.is_active(&self.app, &token));
        part(&token, 0)["kid"].as_str().unwrap().to_owned()
    }

    fn listed(&self) -> Vec<Value> {
        self.provider.admin().get("/api/v1/token-keys").expect(200).json()["keys"].as_array().unwrap().clone()
    }
}

/// Eight verifiers look at tokens without a pause while the clock passes a rotation, at different ages of the sets that they keep.
#[test]
fn keys_change_under_load_and_nobody_who_keeps_the_set_notices() {
    let house = House::start();
    let ahead = AtomicI64::new(0);
    let first = house.signer(&house.keys());
    house.provider.admin().post("/api/v1/token-keys/rotate", &json!({})).expect(200);
    let seen = thread::scope(|scope| {
        let verifiers: Vec<_> = (0..8_i64)
            .map(|n| {
                let (house, ahead) = (&house, &ahead);
                scope.spawn(move || {
                    let mut kept = (house.keys(), -n * KEPT_S / 8);
                    let mut seen = BTreeSet::new();
                    loop {
                        let now = ahead.load(Ordering::SeqCst);
                        if now < 0 {
                            return seen;
                        }
                        if now - kept.1 >= KEPT_S {
                            kept = (house.keys(), now);
                        }
                        seen.insert(house.signer(&kept.0));
                    }
                })
            })
            .collect();
        for step in 1..=20 {
            let began = Instant::now();
            house.clock.set_ahead_s(step * 60);
            ahead.store(step * 60, Ordering::SeqCst);
            while began.elapsed() < Duration::from_millis(300) {
                thread::sleep(Duration::from_millis(20));
            }
        }
        ahead.store(-1, Ordering::SeqCst);
        verifiers.into_iter().flat_map(|verifier| verifier.join().unwrap()).collect::<BTreeSet<String>>()
    });
    // Both signed: the old one before the ten minutes were over, and the new one afterwards.
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.contains(&first));
    assert_ne!(house.signer(&house.keys()), first);
    // What the old one signed is over long before it is published no more.
    house.clock.set_ahead_s(2 * 3_600);
    let names: Vec<_> = house.keys().keys().iter().map(|key| key.kid().unwrap().to_owned()).collect();
    assert!(names.len() == 1 && names[0] != first, "{names:?}");
}

#[test]
fn a_key_that_is_old_gets_a_successor_by_itself() {
    let house = House::start();
    let first = house.signer(&house.keys());
    house.clock.set_ahead_s(90 * DAY_S + 60);
    let waits = |key: &Value| key["state"] == "next" && key["isPublished"] == true;
    eventually(Duration::from_secs(60), || house.listed().iter().any(waits).then_some(()));
    let keys = house.keys();
    assert_eq!(house.signer(&keys), first);
    house.clock.set_ahead_s(90 * DAY_S + 60 + 700);
    assert_ne!(house.signer(&keys), first, "the successor was not published before it signed");
}

/// A successor that was found to be stolen before it ever signed: nobody who keeps the set may lose a token by that.
#[test]
fn a_successor_that_is_revoked_leaves_the_key_before_it_in_place() {
    let house = House::start();
    let keys = house.keys();
    let first = house.signer(&keys);
    let next = house.provider.admin().post("/api/v1/token-keys/rotate", &json!({})).expect(200).text_of("id");
    house.provider.admin().post(&format!("/api/v1/token-keys/{next}/revoke"), &json!({})).expect(200);
    house.clock.set_ahead_s(3_600);
    assert_eq!(house.signer(&keys), first);
    let states: Vec<_> = house.listed().iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["active", "revoked"]);
    // Another one can follow.
    house.provider.admin().post("/api/v1/token-keys/rotate", &json!({})).expect(200);
    let keys = house.keys();
    house.clock.set_ahead_s(3_600 + 700);
    assert_ne!(house.signer(&keys), first);
}
