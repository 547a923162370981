//! Authorities, their policy, and certificates.

use domain::authz::{
    Actor, Authorized, Bounds, ManageAuthorities, Principal, ReadCertificates, WriteCertificates, authorize,
    on_behalf_of_the_platform,
};
use domain::ids::{ApiKeyId, AuthorityId, CertificateId, TenantId};
use domain::limits::Limits;
use domain::scope::{Scope, Scopes};
use domain::time::{DAY_MS, Timestamp};
use store::authorities::{
    StoredAuthority, StoredPolicy, advance_bundle, insert_authority, insert_policy, keep_crl, limit_authority,
    retire_authority, spoil_crl, update_policy,
};
use store::certificates::{StoredCertificate, complete_certificate, insert_intent, revoke_certificate};
use store::{Error, Stmt, Store};

use super::bed::{Bed, store_suite};

store_suite! {
    one_of_many_replicas_makes_the_policy,
    a_change_over_what_somebody_else_changed_touches_nothing,
    a_certificate_counts_only_once_it_is_complete,
    a_certificate_outside_the_limits_is_absent,
    a_list_that_lacks_a_revocation_is_not_kept,
    an_overlap_ends_once,
}

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn tenant() -> TenantId {
    TenantId::from_bytes([1; 16])
}

fn manager() -> Authorized<ManageAuthorities> {
    on_behalf_of_the_platform(tenant())
}

fn writer() -> Authorized<WriteCertificates> {
    on_behalf_of_the_platform(tenant())
}

fn reader() -> Authorized<ReadCertificates> {
    on_behalf_of_the_platform(tenant())
}

async fn touched(store: &Store, statements: Vec<Stmt>) -> store::Result<Vec<u64>> {
    store
        .write("test", move |tx| {
            let statements = statements.clone();
            Box::pin(async move { tx.exec_all(statements).await })
        })
        .await
}

fn policy() -> StoredPolicy {
    StoredPolicy {
        trust_domain: "td".to_owned(),
        allowed: r#"["localhost"]"#.to_owned(),
        learning: true,
        seq: 1,
        seq_at: NOW,
        revision: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn authority(id: u8, generation: u32) -> StoredAuthority {
    StoredAuthority {
        id: AuthorityId::from_bytes([id; 16]),
        kind: "issuing".to_owned(),
        name: "issuing".to_owned(),
        generation,
        algorithm: "ML-DSA-65".to_owned(),
        subject: "CN=a".to_owned(),
        key_identifier: vec![id; 20],
        public: b"public".to_vec(),
        sealed: b"sealed".to_vec(),
        kek_version: 1,
        certificate: b"anchor".to_vec(),
        intermediate: Some(b"intermediate".to_vec()),
        not_before: NOW,
        not_after: NOW.plus_millis(1_000 * DAY_MS),
        active_from: NOW,
        retires_at: None,
        retired_at: None,
        created_at: NOW,
    }
}

fn certificate(id: u8, name: &str) -> StoredCertificate {
    StoredCertificate {
        id: CertificateId::from_bytes([id; 16]),
        ca: AuthorityId::from_bytes([1; 16]),
        serial: vec![id; 16],
        profile: "service-mtls-24h".to_owned(),
        algorithm: "ML-DSA-65".to_owned(),
        subject: String::new(),
        names: vec![format!("DNS:{name}")],
        is_server_made: false,
        not_before: NOW,
        not_after: NOW.plus_millis(DAY_MS),
        certificate: None,
        requested_by: "apikey:ci".to_owned(),
        renewed_from: None,
        revoked_at: None,
        reason: None,
        created_at: NOW.plus_millis(id.into()),
    }
}

async fn issue(store: &Store, row: &StoredCertificate) {
    let [record, clear] = complete_certificate(&writer(), row.id, b"der");
    let statements = vec![insert_intent(&writer(), row).unwrap(), record, clear];
    assert_eq!(touched(store, statements).await.unwrap(), [1, 1, 1]);
}

async fn one_of_many_replicas_makes_the_policy(bed: Bed) {
    let mut makers = Vec::new();
    for n in 1..=8 {
        let store = bed.store.clone();
        let statements = vec![insert_policy(&manager(), &policy()), insert_authority(&manager(), &authority(n, 1))];
        makers.push(tokio::spawn(async move {
            store
                .write("make", move |tx| {
                    let statements = statements.clone();
                    Box::pin(async move {
                        let touched = tx.exec(statements[0].clone()).await?;
                        if touched != 1 {
                            return Err(Error::Conflict);
                        }
                        tx.exec(statements[1].clone()).await
                    })
                })
                .await
        }));
    }
    let mut made = 0;
    for maker in makers {
        match maker.await.unwrap() {
            Ok(1) => made += 1,
            other => assert!(matches!(other, Err(Error::Conflict)), "{other:?}"),
        }
    }
    assert_eq!((made, bed.store.authorities(&manager()).await.unwrap().len()), (1, 1));
}

async fn a_change_over_what_somebody_else_changed_touches_nothing(bed: Bed) {
    let store = &bed.store;
    touched(store, vec![insert_policy(&manager(), &policy())]).await.unwrap();
    let read = store.ca_policy(&manager()).await.unwrap().unwrap();
    let mut grown = read.clone();
    grown.allowed = r#"["localhost","users-api"]"#.to_owned();
    let change = update_policy(&manager(), &grown, NOW);
    assert_eq!(touched(store, vec![change.clone(), change]).await.unwrap(), [1, 0]);
    let after = store.ca_policy(&manager()).await.unwrap().unwrap();
    assert_eq!((after.allowed.as_str(), after.seq, after.revision), (grown.allowed.as_str(), 2, 2));
    let again = touched(store, vec![insert_policy(&manager(), &policy()), advance_bundle(&manager(), NOW)]).await;
    assert_eq!(again.unwrap(), [0, 1]);
    assert_eq!(store.ca_policy(&manager()).await.unwrap().unwrap().seq, 3);
}

async fn a_certificate_counts_only_once_it_is_complete(bed: Bed) {
    let (store, row) = (&bed.store, certificate(1, "users-api"));
    touched(store, vec![insert_intent(&writer(), &row).unwrap()]).await.unwrap();
    assert!(store.certificate(&reader(), row.id).await.unwrap().is_none());
    assert_eq!(touched(store, vec![revoke_certificate(&writer(), row.id, NOW, "superseded")]).await.unwrap(), [0]);
    let complete = |row: &StoredCertificate| complete_certificate(&writer(), row.id, b"der").to_vec();
    assert_eq!(touched(store, [complete(&row), complete(&row)].concat()).await.unwrap(), [1, 1, 0, 0]);
    let twin = StoredCertificate { id: CertificateId::from_bytes([9; 16]), ..row.clone() };
    touched(store, vec![insert_intent(&writer(), &twin).unwrap()]).await.unwrap();
    let taken = touched(store, complete(&twin)).await;
    assert!(matches!(taken, Err(Error::Unique)), "two certificates of one serial number: {taken:?}");
    let found = store.certificate(&reader(), row.id).await.unwrap().unwrap();
    assert_eq!((found.certificate.as_deref(), found.names), (Some(b"der".as_slice()), row.names.clone()));
    // An intent that was given up cannot be completed any more.
    let late = certificate(2, "users-api");
    touched(store, vec![insert_intent(&writer(), &late).unwrap()]).await.unwrap();
    assert_eq!(store.abandon_certificates(NOW.plus_millis(100)).await.unwrap(), 2);
    assert_eq!(touched(store, complete(&late)).await.unwrap(), [0, 0]);
    assert_eq!(store.page_of_certificates(&reader(), 0, 10).await.unwrap().0, 1);
    assert_eq!(store.forget_certificates(NOW.plus_millis(2 * DAY_MS)).await.unwrap(), 3);
}

async fn a_certificate_outside_the_limits_is_absent(bed: Bed) {
    let store = &bed.store;
    for (id, name) in [(1, "users-api"), (2, "orders-api")] {
        issue(store, &certificate(id, name)).await;
    }
    let principal = Principal {
        tenant: tenant(),
        actor: Actor::ApiKey(ApiKeyId::from_bytes([7; 16])),
        name: "ci".into(),
        scopes: Scopes::of(&[Scope::CertificatesRead]),
        limits: std::sync::Arc::new(Limits::new(vec!["certificates:users-api".parse().unwrap()])),
        bounds: Bounds::default(),
    };
    let confined: Authorized<ReadCertificates> = authorize(&principal).unwrap();
    let ids = |rows: Vec<StoredCertificate>| rows.iter().map(|row| row.id.as_bytes()[0]).collect::<Vec<_>>();
    assert_eq!(ids(store.find_certificates(&confined, |_| true).await.unwrap()), [1]);
    assert_eq!(ids(store.find_certificates(&reader(), |_| true).await.unwrap()), [2, 1]);
    assert!(store.certificate(&confined, CertificateId::from_bytes([2; 16])).await.unwrap().is_none());
    let elsewhere: Authorized<ReadCertificates> = on_behalf_of_the_platform(TenantId::from_bytes([2; 16]));
    assert!(store.certificate(&elsewhere, CertificateId::from_bytes([1; 16])).await.unwrap().is_none());
}

async fn a_list_that_lacks_a_revocation_is_not_kept(bed: Bed) {
    let (store, ca) = (&bed.store, authority(1, 1));
    touched(store, vec![insert_authority(&manager(), &ca)]).await.unwrap();
    issue(store, &certificate(1, "users-api")).await;
    let before = store.crl(&manager(), ca.id).await.unwrap().unwrap();
    assert_eq!((before.number, before.der.is_none()), (0, true));
    let revoke = revoke_certificate(&writer(), CertificateId::from_bytes([1; 16]), NOW, "keyCompromise");
    assert_eq!(touched(store, vec![revoke.clone(), spoil_crl(&writer(), ca.id)]).await.unwrap(), [1, 1]);
    assert_eq!(touched(store, vec![revoke]).await.unwrap(), [0], "revoked twice");
    let keep = |before| keep_crl(&manager(), ca.id, before, b"list", NOW.plus_millis(DAY_MS));
    assert_eq!(touched(store, vec![keep(&before)]).await.unwrap(), [0]);
    let before = store.crl(&manager(), ca.id).await.unwrap().unwrap();
    assert_eq!(touched(store, vec![keep(&before), keep(&before)]).await.unwrap(), [1, 0]);
    let kept = store.crl(&manager(), ca.id).await.unwrap().unwrap();
    assert_eq!((kept.number, kept.spoilt, kept.der.as_deref()), (1, 0, Some(b"list".as_slice())));
    assert!(store.crls_due(NOW).await.unwrap().is_empty());
    assert_eq!(store.crls_due(NOW.plus_millis(DAY_MS)).await.unwrap(), [(tenant(), ca.id)]);
    let revoked = store.revocations(&reader(), NOW).await.unwrap();
    assert_eq!((revoked.len(), revoked[0].reason.as_str()), (1, "keyCompromise"));
    assert!(store.revocations(&reader(), NOW.plus_millis(DAY_MS)).await.unwrap().is_empty());
    assert_eq!(store.last_end(&reader(), ca.id).await.unwrap(), Some(NOW.plus_millis(DAY_MS)));
}

async fn an_overlap_ends_once(bed: Bed) {
    let (store, ca) = (&bed.store, authority(1, 1));
    touched(store, vec![insert_authority(&manager(), &ca)]).await.unwrap();
    let twin = touched(
        store,
        vec![insert_authority(&manager(), &StoredAuthority { id: AuthorityId::from_bytes([2; 16]), ..ca.clone() })],
    )
    .await;
    assert!(matches!(twin, Err(Error::Unique)), "two keys of one generation: {twin:?}");
    let end = NOW.plus_millis(10);
    let limit = limit_authority(&manager(), ca.id, end);
    assert_eq!(touched(store, vec![limit.clone(), limit]).await.unwrap(), [1, 0]);
    assert!(store.authorities_due_to_retire(NOW).await.unwrap().is_empty());
    assert_eq!(store.authorities_due_to_retire(end).await.unwrap(), [(tenant(), ca.id)]);
    let retire = |now| retire_authority(&manager(), ca.id, now);
    assert_eq!(touched(store, vec![retire(NOW), retire(end), retire(end)]).await.unwrap(), [0, 1, 0]);
    assert!(store.authorities_due_to_retire(end).await.unwrap().is_empty());
}
