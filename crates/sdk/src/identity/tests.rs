mod fixture;

use std::sync::atomic::Ordering;

use super::clock::paused::PausedClock;
use super::*;
use fixture::{HOUR_S, Mischief, TestAuthority};

const START_S: i64 = 1_800_000_000;

struct Scene {
    clock: Arc<PausedClock>,
    authority: Arc<TestAuthority>,
    identity: ServiceIdentity,
}

fn wanted() -> Wanted {
    Wanted::new("users-api").unwrap().in_namespace("users").unwrap()
}

async fn begin() -> Scene {
    let clock = Arc::new(PausedClock::at(START_S));
    let authority = TestAuthority::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let identity = start(&authority, &clock).await.unwrap();
    Scene { clock, authority, identity }
}

async fn start(authority: &Arc<TestAuthority>, clock: &Arc<PausedClock>) -> Result<ServiceIdentity, StartFailed> {
    ServiceIdentity::start_with(wanted(), Arc::clone(authority) as _, Arc::clone(clock) as _).await
}

async fn hours(hours: i64) {
    seconds(hours * HOUR_S).await;
}

async fn seconds(seconds: i64) {
    tokio::time::sleep(Duration::from_secs(u64::try_from(seconds).unwrap())).await;
}

impl Scene {
    fn serial(&self) -> String {
        self.identity.status().serial_number
    }

    fn key_in_use(&self) -> Vec<u8> {
        let held = self.identity.inner.held();
        let leaf = held.credential.credentials.chain().next().unwrap().to_vec();
        crypto::x509::Certificate::parse(&leaf).unwrap().public_key().unwrap().raw().to_vec()
    }

    fn set_away(&self, away: bool) {
        self.authority.away.store(away, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_starts_with_the_names_it_asked_for() {
    let scene = begin().await;
    let status = scene.identity.status();
    assert!(scene.identity.is_ready());
    assert_eq!(status.spiffe_id, "spiffe://qapi.internal/ns/users/sa/users-api");
    assert_eq!(status.hours_left(START_S), 24.0);
    assert!(scene.identity.exported().is_none(), "the key stays in the process");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_asked_for_does_not_wait_for_the_last_hours() {
    let scene = begin().await;
    let (serial, key) = (scene.serial(), scene.key_in_use());
    scene.set_away(true);
    assert!(scene.identity.renew().await.is_err());
    assert_eq!(scene.serial(), serial, "what is in use stays so");
    scene.set_away(false);
    scene.identity.renew().await.unwrap();
    assert!(scene.serial() != serial && scene.key_in_use() != key);
    hours(19).await;
    assert_eq!(scene.identity.status().renewals.done, 1, "the next is due by the new certificate");
}

#[tokio::test(start_paused = true)]
async fn a_start_is_tried_five_times_and_then_fails() {
    let clock = Arc::new(PausedClock::at(START_S));
    let authority = TestAuthority::new(Arc::clone(&clock) as Arc<dyn Clock>);
    *authority.mischief.lock().unwrap() = Mischief::UnknownIssuer;
    let begun = tokio::time::Instant::now();
    let failed = start(&authority, &clock).await.err().unwrap();
    assert!(report(&failed).contains("peers would refuse"), "{}", report(&failed));
    assert_eq!(authority.asked.lock().unwrap().len(), 5);
    assert!((Duration::from_secs(8)..Duration::from_secs(16)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_certificate_is_renewed_with_four_hours_left_under_a_new_key() {
    let scene = begin().await;
    let (serial, key) = (scene.serial(), scene.key_in_use());
    seconds(20 * HOUR_S - 5).await;
    assert_eq!(scene.authority.asked.lock().unwrap().len(), 1);
    assert_eq!(scene.serial(), serial);
    seconds(1_000).await;
    assert_ne!(scene.serial(), serial);
    assert_ne!(scene.key_in_use(), key);
    assert!(scene.identity.is_ready());
    hours(24 * 6).await;
    assert_eq!(scene.identity.status().renewals.done, 8, "one about every twenty hours");
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_is_away_for_a_day_costs_nothing_that_is_valid() {
    let scene = begin().await;
    let serial = scene.serial();
    hours(19).await;
    scene.set_away(true);
    for _ in 0..4 * 60 + 58 {
        seconds(60).await;
        assert!(scene.identity.is_ready(), "{} s left", scene.identity.status().seconds_left(scene.identity.now_s()));
        assert_eq!(scene.serial(), serial);
    }
    seconds(180).await;
    assert!(!scene.identity.is_ready(), "expired");
    hours(19).await;
    let status = scene.identity.status();
    assert!(status.renewals.failures > 250, "it never gave up: {}", status.renewals.failures);
    assert!(status.renewals.last_failure.unwrap().contains("asking the platform"));
    scene.set_away(false);
    seconds(301).await;
    assert!(scene.identity.is_ready(), "recovered by itself");
    assert_eq!((scene.identity.status().renewals.failures, scene.identity.status().renewals.done), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn attempts_are_a_second_to_five_minutes_apart() {
    let scene = begin().await;
    *scene.authority.mischief.lock().unwrap() = Mischief::OtherKey;
    hours(40).await;
    let asked = scene.authority.asked.lock().unwrap().clone();
    let pauses: Vec<f64> = asked.windows(2).skip(1).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    assert!(pauses.len() > 200, "{}", pauses.len());
    assert!(pauses.iter().all(|pause| (1.0..=301.0).contains(pause)), "{pauses:?}");
    assert!(pauses[0] < 3.0 && pauses[8] > 60.0, "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_peers_would_refuse_never_takes_the_place_of_one_that_works() {
    for (mischief, reason) in [
        (Mischief::OtherKey, "another key"),
        (Mischief::MoreNames, "other names"),
        (Mischief::OtherService, "other names"),
        (Mischief::Expired, "not valid now"),
        (Mischief::NotYetValid, "not valid now"),
        (Mischief::UnknownIssuer, "peers would refuse"),
        (Mischief::ForServersAlone, "refused as a client"),
    ] {
        let scene = begin().await;
        let serial = scene.serial();
        *scene.authority.mischief.lock().unwrap() = mischief;
        hours(22).await;
        let status = scene.identity.status();
        assert!(status.renewals.last_failure.clone().unwrap_or_default().contains(reason), "{mischief:?}: {status:?}");
        assert_eq!((status.serial_number, scene.identity.is_ready()), (serial, true), "{mischief:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_certificate_is_replaced_within_seconds() {
    let scene = begin().await;
    let serial = scene.serial();
    seconds(100).await;
    scene.authority.deny(&serial);
    seconds(5).await;
    assert_ne!(scene.serial(), serial);
    assert!(scene.identity.is_ready());
    assert_eq!(scene.identity.status().denied, 1);
}

#[tokio::test(start_paused = true)]
async fn a_denied_certificate_that_cannot_be_replaced_makes_the_service_not_ready() {
    let scene = begin().await;
    seconds(100).await;
    *scene.authority.mischief.lock().unwrap() = Mischief::OtherKey;
    scene.authority.deny(&scene.serial());
    seconds(5).await;
    assert!(!scene.identity.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_new_authority_arrives_with_the_bundle_and_issues_afterwards() {
    let scene = begin().await;
    seconds(100).await;
    scene.authority.rotate();
    seconds(5).await;
    assert_eq!(scene.identity.status().bundle_sequence, 2);
    assert_eq!(scene.authority.anchors(), 2);
    let serial = scene.serial();
    hours(21).await;
    assert_ne!(scene.serial(), serial);
    assert!(scene.identity.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_is_forged_or_goes_back_is_refused_and_counted() {
    type Forgery = fn(&mut Published);
    let forgeries: [(Forgery, &str); 6] = [
        (|bundle| bundle.signature = bundle.signature.replacen('A', "B", 1), "signature"),
        (|bundle| bundle.key_id = "00".repeat(20), "unknown signer"),
        (|bundle| bundle.trust_domain = "other.internal".to_owned(), "other trust domain"),
        (|bundle| bundle.sequence += 1, "another list's signature"),
        (|bundle| bundle.sequence = 0, "older"),
        (|bundle| bundle.anchors.clear(), "no anchors"),
    ];
    for (forgery, situation) in forgeries {
        let scene = begin().await;
        seconds(40).await;
        *scene.authority.forge.lock().unwrap() = Some(forgery);
        scene.authority.publish();
        seconds(10).await;
        let status = scene.identity.status();
        assert!(status.bundles_refused > 0, "{situation}");
        assert_eq!((status.bundle_sequence, scene.identity.is_ready()), (1, true), "{situation}");
        *scene.authority.forge.lock().unwrap() = None;
        seconds(60).await;
        assert_eq!(scene.identity.status().bundle_sequence, 2, "{situation}: recovered");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ahead_is_noticed_within_a_minute() {
    for jump_h in [21, 30] {
        let scene = begin().await;
        let serial = scene.serial();
        seconds(100).await;
        scene.clock.jump(jump_h * HOUR_S);
        assert_eq!(scene.identity.is_ready(), jump_h < 24);
        seconds(60).await;
        assert_ne!(scene.serial(), serial, "{jump_h}");
        assert!(scene.identity.is_ready(), "{jump_h}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_far_ahead_of_the_authoritys_does_not_ask_without_a_pause() {
    let clock = Arc::new(PausedClock::at(START_S));
    let behind = Arc::new(PausedClock::at(START_S));
    let authority = TestAuthority::new(Arc::clone(&behind) as Arc<dyn Clock>);
    let identity = start(&authority, &clock).await.unwrap();
    clock.jump(21 * HOUR_S);
    seconds(3_600).await;
    let asked = authority.asked.lock().unwrap().len();
    assert!((55..=62).contains(&asked), "asked {asked} times in an hour");
    assert!(identity.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_takes_nothing_away_for_good() {
    let scene = begin().await;
    seconds(100).await;
    scene.clock.jump(-50 * HOUR_S);
    assert!(!scene.identity.is_ready(), "not yet valid");
    seconds(120).await;
    scene.clock.jump(50 * HOUR_S);
    assert!(scene.identity.is_ready());
    hours(21).await;
    assert!(scene.identity.is_ready());
    assert!(scene.identity.status().renewals.done >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_leaves_the_process_only_when_that_was_asked_for() {
    let clock = Arc::new(PausedClock::at(START_S));
    let authority = TestAuthority::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let wanted = wanted().with_danger_exportable_key();
    let identity = ServiceIdentity::start_with(wanted, authority as _, clock as _).await.unwrap();
    let exported = identity.exported().unwrap();
    assert_eq!(exported.key_and_chain.matches("-----BEGIN PRIVATE KEY-----").count(), 1);
    assert_eq!(exported.key_and_chain.matches("-----BEGIN CERTIFICATE-----").count(), 1);
    assert_eq!(exported.bundle.matches("-----BEGIN CERTIFICATE-----").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_nobody_holds_is_not_kept_fresh() {
    let scene = begin().await;
    let (authority, watched) = (Arc::clone(&scene.authority), Arc::downgrade(&scene.identity.inner));
    drop(scene);
    hours(30).await;
    assert_eq!(authority.asked.lock().unwrap().len(), 1);
    assert!(watched.upgrade().is_none());
}
