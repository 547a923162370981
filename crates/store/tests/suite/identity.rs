//! Applications and people.

use domain::authz::{Authorized, ReadApplications, WriteApplications, WriteEndUsers, on_behalf_of_the_platform};
use domain::identity::account::{AccountRealm, State};
use domain::identity::application::{self, Environment, Kind, Settings};
use domain::identity::grant::{self, Ended, Terms};
use domain::identity::session::LiveSession;
use domain::identity::throttle::Failures;
use domain::ids::{
    AccountId, ApplicationId, ApplicationSecretId, FactorId, GrantId, LoginEventId, SessionId, TenantId,
};
use domain::time::Timestamp;
use store::account_factors::{
    ListedFactors, forget_factors, insert_recovery_code, insert_totp, spend_recovery_code, take_totp,
};
use store::account_history::end_everything_of;
use store::accounts::{AccountCounts, AccountFilter, StoredAccount, erase_account, insert_account, update_account};
use store::applications::{
    StoredApplication, StoredApplicationSecret, delete_application, expire_application_secrets, insert_application,
    insert_application_secret, update_application,
};
use store::grants::{StoredGrant, end_grants_of_session, end_session, insert_grant};
use store::logout_notices::give_up_notice;
use store::own_account::end_everything_but;
use store::sessions::{NewSession, insert_session};
use store::sign_ins::{Attempt, NewLogin, count_network_failure, forgive, insert_login};
use store::{Error, Stmt, Store};

async fn a_session_that_is_alive_is_listed_however_many_ended_since(bed: Bed) {
    let (person, kept) = (AccountId::from_bytes([1; 16]), SessionId::from_bytes([1; 16]));
    let mut statements = vec![insert_account(&people(), &account(1))];
    statements.extend(signed_in(1, 1, 1).into_iter().take(1));
    statements.extend((0x200..0x300).map(another_session));
    statements.extend(end_everything_but(&people(), person, kept, Ended::PasswordChanged, NOW));
    touched(&bed.store, statements).await.unwrap();
    let listed = bed.store.listed_sessions(&people(), person, NOW).await.unwrap();
    assert_eq!((listed.len(), listed.last().map(|one| one.id)), (200, Some(kept)));
}

use super::bed::{Bed, store_suite};

store_suite! {
    a_deleted_application_is_found_by_nobody_and_its_cutoffs_stand,
    a_change_over_another_revision_touches_nothing,
    a_rotated_secret_works_until_its_overlap_ends,
    one_address_is_one_person_of_a_realm,
    filters_find_people_by_what_they_are,
    only_somebody_who_is_shut_out_is_erased,
    cutoffs_only_move_forward,
    whoever_was_granted_something_is_told_once_and_by_one_replica,
    second_factors_are_counted_by_their_kinds,
    of_attempts_at_once_one_is_counted_and_what_was_none_is_taken_back,
    a_network_is_forgiven_one_failure_after_the_other,
    old_failures_and_old_history_are_forgotten,
    sessions_that_ended_are_forgotten_when_no_grant_of_theirs_is_left,
    a_session_that_is_alive_is_listed_however_many_ended_since,
}

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn writer() -> Authorized<WriteApplications> {
    on_behalf_of_the_platform(TenantId::from_bytes([1; 16]))
}

fn reader() -> Authorized<ReadApplications> {
    on_behalf_of_the_platform(TenantId::from_bytes([1; 16]))
}

fn people() -> Authorized<WriteEndUsers> {
    on_behalf_of_the_platform(TenantId::from_bytes([1; 16]))
}

async fn touched(store: &Store, statements: Vec<Stmt>) -> store::Result<Vec<u64>> {
    store
        .write("test", move |tx| {
            let statements = statements.clone();
            Box::pin(async move { tx.exec_all(statements).await })
        })
        .await
}

fn application(id: u8) -> StoredApplication {
    StoredApplication {
        id: ApplicationId::from_bytes([id; 16]),
        client_id: format!("client-{id}"),
        name: "Portal".to_owned(),
        kind: Kind::WebApp,
        environment: Environment::Development,
        state: application::State::Active,
        settings: Settings::of_kind(Kind::WebApp),
        tokens_not_before: Timestamp::from_millis(0),
        grants_not_before: Timestamp::from_millis(0),
        revision: 1,
        created_at: NOW.plus_millis(id.into()),
        updated_at: NOW,
    }
}

fn realm() -> AccountRealm {
    AccountRealm::Application(ApplicationId::from_bytes([1; 16]))
}

fn account(id: u8) -> StoredAccount {
    StoredAccount {
        id: AccountId::from_bytes([id; 16]),
        realm: realm(),
        email: [id; 32],
        is_email_verified: id.is_multiple_of(2),
        state: State::Active,
        role: None,
        profile: b"sealed".to_vec(),
        has_password: false,
        must_change_password: false,
        has_second_factor: false,
        tokens_not_before: Timestamp::from_millis(0),
        grants_not_before: Timestamp::from_millis(0),
        login_count: 0,
        last_login_at: None,
        blocked_at: None,
        revision: 1,
        created_at: NOW.plus_millis(id.into()),
        updated_at: NOW,
    }
}

async fn a_deleted_application_is_found_by_nobody_and_its_cutoffs_stand(bed: Bed) {
    let row = application(1);
    let twin = StoredApplication { id: ApplicationId::from_bytes([9; 16]), ..row.clone() };
    touched(&bed.store, vec![insert_application(&writer(), &row).unwrap()]).await.unwrap();
    let clash = touched(&bed.store, vec![insert_application(&writer(), &twin).unwrap()]).await;
    assert!(matches!(clash, Err(Error::Unique)), "{clash:?}");
    let found = bed.store.application_by_client_id(&reader(), "client-1").await.unwrap().unwrap();
    assert_eq!((found.id, found.settings, found.kind), (row.id, row.settings, Kind::WebApp));
    assert_eq!(touched(&bed.store, vec![delete_application(&writer(), row.id, NOW)]).await.unwrap(), [1]);
    assert_eq!(touched(&bed.store, vec![delete_application(&writer(), row.id, NOW)]).await.unwrap(), [0]);
    assert!(bed.store.application(&reader(), row.id).await.unwrap().is_none());
    assert!(bed.store.application_by_client_id(&reader(), "client-1").await.unwrap().is_none());
    assert_eq!(bed.store.count_applications(&reader()).await.unwrap(), 0);
}

async fn a_change_over_another_revision_touches_nothing(bed: Bed) {
    let row = application(1);
    let renamed = StoredApplication { name: "Shop".to_owned(), ..row.clone() };
    touched(&bed.store, vec![insert_application(&writer(), &row).unwrap()]).await.unwrap();
    let update = || update_application(&writer(), &renamed).unwrap();
    assert_eq!(touched(&bed.store, vec![update()]).await.unwrap(), [1]);
    assert_eq!(touched(&bed.store, vec![update()]).await.unwrap(), [0]);
    let listed = bed.store.applications(&reader(), 10, 0).await.unwrap();
    assert_eq!(listed.iter().map(|row| (row.name.as_str(), row.revision)).collect::<Vec<_>>(), [("Shop", 2)]);
    assert!(bed.store.applications(&reader(), 10, 1).await.unwrap().is_empty());
}

async fn a_rotated_secret_works_until_its_overlap_ends(bed: Bed) {
    let secret = |id: u8| StoredApplicationSecret {
        id: ApplicationSecretId::from_bytes([id; 16]),
        application: ApplicationId::from_bytes([1; 16]),
        hash: [id; 32],
        created_at: NOW.plus_millis(id.into()),
        expires_at: None,
    };
    let until = NOW.plus_millis(100);
    let statements = vec![
        insert_application_secret(&writer(), &secret(1)),
        expire_application_secrets(&writer(), secret(1).application, until),
        insert_application_secret(&writer(), &secret(2)),
    ];
    assert_eq!(touched(&bed.store, statements).await.unwrap(), [1, 1, 1]);
    let at = async |now| {
        let rows = bed.store.application_secrets(&reader(), secret(1).application, now).await.unwrap();
        rows.iter().map(|row| row.hash[0]).collect::<Vec<_>>()
    };
    assert_eq!(at(NOW).await, [2, 1]);
    assert_eq!(at(until).await, [2]);
}

async fn one_address_is_one_person_of_a_realm(bed: Bed) {
    let row = account(1);
    touched(&bed.store, vec![insert_account(&people(), &row)]).await.unwrap();
    let twin = StoredAccount { id: AccountId::from_bytes([9; 16]), ..row.clone() };
    let clash = touched(&bed.store, vec![insert_account(&people(), &twin)]).await;
    assert!(matches!(clash, Err(Error::Unique)), "{clash:?}");
    let elsewhere = StoredAccount { realm: AccountRealm::Tenant, ..twin };
    touched(&bed.store, vec![insert_account(&people(), &elsewhere)]).await.unwrap();
    let found = async |realm| bed.store.account_by_email(&people(), realm, &row.email).await.unwrap().unwrap().id;
    assert_eq!((found(realm()).await, found(AccountRealm::Tenant).await), (row.id, elsewhere.id));
}

async fn filters_find_people_by_what_they_are(bed: Bed) {
    let states = [State::Active, State::Blocked, State::Deleted, State::Invited];
    for (id, state) in (1u8..).zip(states) {
        touched(&bed.store, vec![insert_account(&people(), &StoredAccount { state, ..account(id) })]).await.unwrap();
    }
    for (is_blocked, is_email_verified, found) in [
        (None, None, &[4u8, 2, 1][..]),
        (Some(true), None, &[3, 2]),
        (Some(false), None, &[4, 1]),
        (Some(false), Some(true), &[4]),
        (None, Some(false), &[1]),
    ] {
        let filter = AccountFilter { is_blocked, is_email_verified, role: None };
        let rows = bed.store.accounts(&people(), realm(), filter, 10, 0).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.id.as_bytes()[0]).collect::<Vec<_>>(), found, "{filter:?}");
        assert_eq!(bed.store.count_accounts(&people(), realm(), filter).await.unwrap(), found.len() as u64);
        for id in 1..=4 {
            let row = bed.store.account_among(&people(), realm(), filter, &[id; 32]).await.unwrap();
            assert_eq!(row.is_some(), found.contains(&id), "{id} {filter:?}");
        }
    }
    let counts = bed.store.account_counts(&people(), realm(), NOW).await.unwrap();
    assert_eq!(counts, AccountCounts { total: 3, verified: 2, blocked: 1, active: 0 });
}

async fn only_somebody_who_is_shut_out_is_erased(bed: Bed) {
    let row = account(1);
    touched(&bed.store, vec![insert_account(&people(), &row)]).await.unwrap();
    assert_eq!(touched(&bed.store, erase_account(&people(), row.id)).await.unwrap().first(), Some(&0));
    let blocked = StoredAccount { state: State::Blocked, blocked_at: Some(NOW), ..row.clone() };
    assert_eq!(touched(&bed.store, vec![update_account(&people(), &blocked)]).await.unwrap(), [1]);
    assert_eq!(touched(&bed.store, erase_account(&people(), row.id)).await.unwrap().first(), Some(&1));
    assert!(bed.store.account(&people(), row.id).await.unwrap().is_none());
}

async fn cutoffs_only_move_forward(bed: Bed) {
    let row = account(1);
    touched(&bed.store, vec![insert_account(&people(), &row)]).await.unwrap();
    let cut = StoredAccount { tokens_not_before: NOW, grants_not_before: NOW, ..row.clone() };
    let late = StoredAccount { revision: 2, ..row.clone() };
    assert_eq!(touched(&bed.store, vec![update_account(&people(), &cut)]).await.unwrap(), [1]);
    assert_eq!(touched(&bed.store, vec![update_account(&people(), &late)]).await.unwrap(), [1]);
    let found = bed.store.account(&people(), row.id).await.unwrap().unwrap();
    assert_eq!((found.tokens_not_before, found.grants_not_before, found.revision), (NOW, NOW, 3));
}

/// A session of somebody.
fn session(id: SessionId, sid: String, account: u8) -> NewSession {
    let live = LiveSession {
        id,
        sid,
        account: AccountId::from_bytes([account; 16]),
        realm: realm(),
        acr: "urn:qapi:acr:1".to_owned(),
        amr: vec!["pwd".to_owned()],
        authenticated_at: NOW,
    };
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(id.as_bytes());
    NewSession {
        live,
        hash,
        created_at: NOW,
        idle_ms: 1_000_000,
        expires_at: NOW.plus_millis(1_000_000),
        sealed: b"sealed".to_vec(),
    }
}

/// One of many sessions of the same person, in which nothing was granted.
fn another_session(number: u16) -> Stmt {
    let mut id = [0xff; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    insert_session(&people(), &session(SessionId::from_bytes(id), format!("another-{number}"), 1))
}

/// A session of somebody and what was granted in it to an application.
fn signed_in(number: u8, account: u8, application: u8) -> Vec<Stmt> {
    let id = SessionId::from_bytes([number; 16]);
    let new = session(id, format!("sid-{number}"), account);
    let grant = StoredGrant {
        id: GrantId::from_bytes([number; 16]),
        application: ApplicationId::from_bytes([application; 16]),
        account: Some(AccountId::from_bytes([account; 16])),
        session: Some(id),
        kind: grant::Kind::AuthorizationCode,
        is_live: true,
        reason: None,
        terms: Terms::default(),
        created_at: NOW,
        expires_at: NOW.plus_millis(1_000_000),
        ended_at: None,
    };
    vec![insert_session(&people(), &new), insert_grant(&people(), &grant).unwrap()]
}

async fn whoever_was_granted_something_is_told_once_and_by_one_replica(bed: Bed) {
    let mut listening = application(1);
    listening.settings.backchannel_logout_uri = Some("https://app.example/out".to_owned());
    let mut statements = vec![
        insert_application(&writer(), &listening).unwrap(),
        insert_application(&writer(), &application(2)).unwrap(),
        insert_account(&people(), &account(1)),
    ];
    // Two sessions at an application that listens, one at another that does not.
    for (session, application) in [(1, 1), (2, 1), (3, 2)] {
        statements.extend(signed_in(session, 1, application));
    }
    touched(&bed.store, statements).await.unwrap();
    let (id, session) = (AccountId::from_bytes([1; 16]), |id: u8| SessionId::from_bytes([id; 16]));
    let due = async |at| {
        let due = bed.store.logout_notices_due(at, 10).await.unwrap();
        (due.iter().map(|notice| notice.sid.clone()).collect::<Vec<_>>(), due)
    };
    touched(&bed.store, end_grants_of_session(&people(), session(3), Ended::Revoked, NOW).to_vec()).await.unwrap();
    assert!(due(NOW).await.0.is_empty());
    touched(&bed.store, end_everything_but(&people(), id, session(2), Ended::PasswordChanged, NOW)).await.unwrap();
    assert_eq!(due(NOW).await.0, ["sid-1"]);
    // Ended again, with the one that was left: nobody is told twice of one session.
    touched(&bed.store, end_everything_of(&people(), id, Ended::Blocked, NOW.plus_millis(1))).await.unwrap();
    let (sids, notices) = due(NOW.plus_millis(1)).await;
    assert_eq!(sids, ["sid-1", "sid-2"]);
    // Of two replicas that saw the notice one takes it, and whoever dies with it leaves it to be taken later.
    let (first, later) = (&notices[0], NOW.plus_millis(30_000));
    assert!(bed.store.take_notice(first, later).await.unwrap());
    assert!(!bed.store.take_notice(first, later).await.unwrap());
    assert_eq!(due(NOW.plus_millis(1)).await.0, ["sid-2"]);
    let (_, taken) = due(later).await;
    assert_eq!(taken.iter().map(|notice| notice.tries).collect::<Vec<_>>(), [0, 1]);
    bed.store.put_notice_back(first, NOW.plus_millis(2)).await.unwrap();
    assert_eq!(due(NOW.plus_millis(2)).await.0.len(), 2);
    bed.store.forget_notice(&notices[1]).await.unwrap();
    let give_up = || vec![give_up_notice(&people(), first.application, &first.sid)];
    assert_eq!(touched(&bed.store, give_up()).await.unwrap(), [1]);
    assert_eq!(touched(&bed.store, give_up()).await.unwrap(), [0]);
    let dead = bed.store.dead_logout_notices(&people(), first.application).await.unwrap();
    assert_eq!((dead.len(), due(later).await.0.len()), (1, 0));
    assert_eq!(bed.store.forget_dead_notices(NOW.plus_millis(1)).await.unwrap(), 1);
}

async fn second_factors_are_counted_by_their_kinds(bed: Bed) {
    let (row, id) = (account(1), |id: u8| FactorId::from_bytes([id; 16]));
    let listed = async || bed.store.listed_factors(&people(), row.id).await.unwrap();
    let codes = (2..5).map(|n| insert_recovery_code(&people(), row.id, id(n), [n; 32], NOW));
    touched(&bed.store, vec![insert_account(&people(), &row)]).await.unwrap();
    touched(&bed.store, vec![insert_totp(&people(), row.id, id(1), vec![1], NOW)]).await.unwrap();
    assert_eq!(listed().await, [], "one that waits for its first code is none");
    let later = NOW.plus_millis(5);
    let mut statements = vec![take_totp(&people(), id(1), 7, later), spend_recovery_code(&people(), id(2), later)];
    statements.splice(1..1, codes);
    touched(&bed.store, statements).await.unwrap();
    let of = |kind: &str, left| ListedFactors { kind: kind.to_owned(), left, created_at: NOW, used_at: Some(later) };
    assert_eq!(listed().await, [of("totp", 1), of("recovery", 2)]);
    touched(&bed.store, vec![forget_factors(&people(), row.id)]).await.unwrap();
    assert_eq!(listed().await, []);
}

const SUBJECT: [u8; 32] = [9; 32];

fn attempt(seen: Option<Failures>, at: i64) -> Attempt {
    Attempt { subject: SUBJECT, seen, counted: Failures::and_one(seen, Timestamp::from_millis(at)) }
}

async fn of_attempts_at_once_one_is_counted_and_what_was_none_is_taken_back(bed: Bed) {
    let store = &bed.store;
    let failures = async || store.failures(&people(), &SUBJECT).await.unwrap();
    let first = attempt(None, 5);
    assert!(store.count_attempt(&people(), &first).await.unwrap());
    assert!(!store.count_attempt(&people(), &attempt(None, 5)).await.unwrap(), "seen before the first");
    let second = attempt(failures().await, 6);
    assert!(store.count_attempt(&people(), &second).await.unwrap());
    assert!(!store.count_attempt(&people(), &attempt(Some(first.counted), 7)).await.unwrap());
    // What was right is as if it had not been, and leaves what others did alone.
    store.take_attempt_back(&people(), &second).await.unwrap();
    assert_eq!(failures().await, Some(first.counted));
    let (third, fourth) = (attempt(failures().await, 8), |seen| attempt(seen, 9));
    assert!(store.count_attempt(&people(), &third).await.unwrap());
    let fourth = fourth(failures().await);
    assert!(store.count_attempt(&people(), &fourth).await.unwrap());
    store.take_attempt_back(&people(), &third).await.unwrap();
    assert_eq!(failures().await, Some(Failures { count: 2, last_at: Timestamp::from_millis(9) }));
    // Whoever was forgiven meanwhile has nothing to take back, and no failure that somebody else remembers.
    touched(store, vec![forgive(&people(), &SUBJECT)]).await.unwrap();
    store.take_attempt_back(&people(), &fourth).await.unwrap();
    assert!(!store.count_attempt(&people(), &attempt(Some(fourth.counted), 10)).await.unwrap());
    assert_eq!(failures().await, None);
}

async fn a_network_is_forgiven_one_failure_after_the_other(bed: Bed) {
    let at = Timestamp::from_millis;
    let fails_at = |now| count_network_failure(&people(), &SUBJECT, at(now), 100);
    for (now, forgiven) in [(1_000, 1_100), (1_000, 1_200), (1_050, 1_300), (5_000, 5_100)] {
        touched(&bed.store, vec![fails_at(now)]).await.unwrap();
        assert_eq!(bed.store.network_forgiven_at(&people(), &SUBJECT).await.unwrap(), Some(at(forgiven)));
    }
}

async fn old_failures_and_old_history_are_forgotten(bed: Bed) {
    let (now, account_id) = (Timestamp::from_millis(10_000), AccountId::from_bytes([1; 16]));
    let login = |id: u8, at: i64| NewLogin {
        id: LoginEventId::from_bytes([id; 16]),
        account: account_id,
        at: Timestamp::from_millis(at),
        kind: "Login",
        reason: None,
        sealed: vec![1],
    };
    let history = vec![
        insert_account(&people(), &account(1)),
        insert_login(&people(), &login(1, 5_000)),
        insert_login(&people(), &login(2, 9_000)),
    ];
    touched(&bed.store, history).await.unwrap();
    assert!(bed.store.count_attempt(&people(), &attempt(None, 5)).await.unwrap());
    assert_eq!(bed.store.forget_sign_ins(now, Timestamp::from_millis(6_000)).await.unwrap(), 2);
    assert_eq!(bed.store.failures(&people(), &SUBJECT).await.unwrap(), None);
    assert_eq!(bed.store.listed_logins(&people(), account_id, 10).await.unwrap().len(), 1);
}

async fn sessions_that_ended_are_forgotten_when_no_grant_of_theirs_is_left(bed: Bed) {
    let (person, end) = (AccountId::from_bytes([1; 16]), NOW.plus_millis(1_000_000));
    // One without a grant, one that was ended, one whose grant is left, and more than are forgotten at once.
    let mut statements = vec![insert_account(&people(), &account(1))];
    statements.extend(signed_in(1, 1, 1).into_iter().take(1));
    statements.extend(signed_in(2, 1, 1).into_iter().take(1));
    statements.push(end_session(&people(), SessionId::from_bytes([2; 16]), Ended::Revoked, NOW));
    statements.extend(signed_in(3, 1, 1));
    statements.extend((0..600).map(another_session));
    touched(&bed.store, statements).await.unwrap();
    let left = async || bed.store.listed_sessions(&people(), person, NOW).await.unwrap().len();
    assert_eq!(bed.store.forget_sessions(end).await.unwrap(), 0, "none of them ran out before");
    assert_eq!(bed.store.forget_sessions(end.plus_millis(1)).await.unwrap(), 602);
    assert_eq!(left().await, 1, "an offline grant stands by what its session was");
    bed.store.forget_ended_tokens(end.plus_millis(1)).await.unwrap();
    assert_eq!(bed.store.forget_sessions(end.plus_millis(1)).await.unwrap(), 1);
    assert_eq!(left().await, 0);
}
