//! Secrets, their versions and their share links.

use domain::authz::{
    Actor, Authorized, Bounds, Principal, ReadSecrets, WriteSecrets, authorize, on_behalf_of_the_platform,
};
use domain::ids::{ApiKeyId, SecretId, ShareLinkId, TenantId};
use domain::limits::Limits;
use domain::scope::{Scope, Scopes};
use domain::time::Timestamp;
use store::secrets::{
    StoredSecret, StoredVersion, delete_secret, insert_secret, insert_version, lock_names, lock_secret,
    secrets_named_in, update_secret, version_in,
};
use store::shares::{LinkState, StoredLink, count_opening, insert_link, newest_link_at, revoke_link};
use store::tenants::{Tenant, insert_tenant};
use store::{Error, Store};

use super::bed::{Bed, store_suite};

store_suite! {
    a_secret_is_read_with_its_newest_or_an_older_version,
    parallel_changes_each_make_a_version,
    rows_of_another_tenant_or_outside_the_limits_are_absent,
    several_secrets_may_have_one_name,
    imports_by_name_wait_for_one_another,
    deletion_takes_versions_along_and_leaves_links_as_marks,
    parallel_openings_never_exceed_the_maximum,
    a_link_opens_only_while_it_and_its_secret_stand,
}

const TENANT: [u8; 16] = [1; 16];
const NOW: Timestamp = Timestamp::from_millis(1_000);

fn reader() -> Authorized<ReadSecrets> {
    on_behalf_of_the_platform(TenantId::from_bytes(TENANT))
}

fn writer() -> Authorized<WriteSecrets> {
    on_behalf_of_the_platform(TenantId::from_bytes(TENANT))
}

fn stored(id: u8, name: &str) -> StoredSecret {
    StoredSecret {
        id: SecretId::from_bytes([id; 16]),
        name: name.to_owned(),
        content_type: Some("login".to_owned()),
        labels: r#"["a"]"#.to_owned(),
        is_active: true,
        is_favorite: false,
        has_totp: true,
        version: 1,
        revision: 1,
        expires_at: None,
        created_at: NOW,
        updated_at: NOW,
        meta: b"meta".to_vec(),
    }
}

fn version(number: u32) -> StoredVersion {
    StoredVersion {
        version: number,
        value: format!("value {number}").into_bytes(),
        meta: b"by".to_vec(),
        created_at: NOW,
        restored_from: None,
    }
}

fn stored_link(id: u8, secret: SecretId, max_access: Option<u32>) -> StoredLink {
    StoredLink {
        tenant: TenantId::from_bytes(TENANT),
        id: ShareLinkId::from_bytes([id; 16]),
        secret,
        token_hash: [id; 32],
        state: LinkState::Active,
        expires_at: NOW.plus_millis(1_000),
        max_access,
        access_count: 0,
        password: Some(b"sealed".to_vec()),
        created_at: NOW.plus_millis(id.into()),
        created_by: None,
    }
}

async fn add(store: &Store, secret: StoredSecret) -> StoredSecret {
    let (row, first) = (secret.clone(), version(1));
    let statements = vec![insert_secret(&writer(), &row), insert_version(&writer(), row.id, &first)];
    store
        .write("add", move |tx| {
            let statements = statements.clone();
            Box::pin(async move { tx.exec_all(statements).await.map(|_| ()) })
        })
        .await
        .unwrap();
    secret
}

async fn add_link(store: &Store, link: StoredLink) -> StoredLink {
    let statement = insert_link(&writer(), &link);
    store
        .write("add link", move |tx| {
            let statement = statement.clone();
            Box::pin(async move { tx.exec(statement).await.map(|_| ()) })
        })
        .await
        .unwrap();
    link
}

async fn renew(store: &Store, id: SecretId) -> store::Result<u32> {
    store
        .write("renew", move |tx| {
            Box::pin(async move {
                let mut secret = lock_secret(tx, &writer(), id).await?.ok_or(Error::Conflict)?;
                secret.version += 1;
                tx.exec(insert_version(&writer(), id, &version(secret.version))).await?;
                update_secret(tx, &writer(), &secret).await?;
                Ok(secret.version)
            })
        })
        .await
}

async fn open(store: &Store, id: ShareLinkId, now: Timestamp) -> Option<u32> {
    store.write("open", move |tx| Box::pin(async move { count_opening(tx, &reader(), id, now).await })).await.unwrap()
}

async fn a_secret_is_read_with_its_newest_or_an_older_version(bed: Bed) {
    let made = add(&bed.store, stored(1, "a/b")).await;
    assert_eq!(renew(&bed.store, made.id).await.unwrap(), 2);
    let (secret, newest) = bed.store.secret_with_value(&reader(), made.id).await.unwrap().unwrap();
    assert_eq!((secret.version, secret.revision, newest.version, newest.value.as_slice()), (2, 2, 2, &b"value 2"[..]));
    assert_eq!((secret.meta, secret.labels, secret.has_totp), (made.meta, made.labels, true));
    let (_, first) = bed.store.secret_at_version(&reader(), made.id, 1).await.unwrap().unwrap();
    assert_eq!(first.value, b"value 1");
    assert!(bed.store.secret_at_version(&reader(), made.id, 3).await.unwrap().is_none());
    let history = bed.store.secret_versions(&reader(), &stored(1, ""), 5).await.unwrap();
    assert_eq!(history.iter().map(|version| version.version).collect::<Vec<_>>(), [2, 1]);
    let in_transaction =
        bed.store.write("read", move |tx| Box::pin(async move { version_in(tx, &writer(), made.id, 1).await })).await;
    assert_eq!(in_transaction.unwrap().unwrap().value, b"value 1");
}

async fn parallel_changes_each_make_a_version(bed: Bed) {
    let made = add(&bed.store, stored(1, "a")).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let store = bed.store.clone();
            tokio::spawn(async move { renew(&store, made.id).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let (secret, newest) = bed.store.secret_with_value(&reader(), made.id).await.unwrap().unwrap();
    assert_eq!((secret.version, newest.version, secret.revision), (51, 51, 51));
}

async fn rows_of_another_tenant_or_outside_the_limits_are_absent(bed: Bed) {
    let made = add(&bed.store, stored(1, "users/a")).await;
    add(&bed.store, stored(2, "other/a")).await;
    let stranger: Authorized<ReadSecrets> = on_behalf_of_the_platform(TenantId::from_bytes([2; 16]));
    assert!(bed.store.secret_with_value(&stranger, made.id).await.unwrap().is_none());
    assert!(bed.store.listed_secrets(&stranger).await.unwrap().is_empty());
    let limited: Authorized<ReadSecrets> = authorize(&Principal {
        tenant: TenantId::from_bytes(TENANT),
        actor: Actor::ApiKey(ApiKeyId::from_bytes([3; 16])),
        name: "ci".into(),
        scopes: Scopes::of(&[Scope::SecretsRead]),
        limits: Limits::new(vec!["secrets:users/*".parse().unwrap()]).into(),
        bounds: Bounds::default(),
    })
    .unwrap();
    assert!(bed.store.secret(&limited, made.id).await.unwrap().is_some());
    assert!(bed.store.secret(&limited, SecretId::from_bytes([2; 16])).await.unwrap().is_none());
    assert!(bed.store.secrets_named(&limited, "other/a").await.unwrap().is_empty());
    let listed = bed.store.listed_secrets(&limited).await.unwrap();
    assert_eq!(listed.iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>(), ["users/a"]);
}

async fn several_secrets_may_have_one_name(bed: Bed) {
    for id in [1, 2] {
        add(&bed.store, stored(id, "twin")).await;
    }
    let found = bed.store.secrets_named(&reader(), "twin").await.unwrap();
    assert_eq!(found.len(), 2);
    let ids = bed
        .store
        .write("named", |tx| Box::pin(async move { secrets_named_in(tx, &writer(), "twin").await }))
        .await
        .unwrap();
    assert_eq!(ids, found.iter().map(|(secret, _)| secret.id).collect::<Vec<_>>());
}

async fn imports_by_name_wait_for_one_another(bed: Bed) {
    add_tenant(&bed.store).await;
    let import = |n: u8| {
        let store = bed.store.clone();
        let write = async move {
            store
                .write("import", move |tx| {
                    Box::pin(async move {
                        tx.exec(lock_names(&writer())).await?;
                        if secrets_named_in(tx, &writer(), "new").await?.is_empty() {
                            tx.exec(insert_secret(&writer(), &stored(n, "new"))).await?;
                            tx.exec(insert_version(&writer(), SecretId::from_bytes([n; 16]), &version(1))).await?;
                        }
                        Ok(())
                    })
                })
                .await
        };
        tokio::spawn(write)
    };
    for task in (1..=20).map(import).collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    assert_eq!(bed.store.secrets_named(&reader(), "new").await.unwrap().len(), 1);
}

async fn deletion_takes_versions_along_and_leaves_links_as_marks(bed: Bed) {
    add_tenant(&bed.store).await;
    let made = add(&bed.store, stored(1, "a")).await;
    let link = add_link(&bed.store, stored_link(7, made.id, None)).await;
    let ended = StoredLink { expires_at: NOW, ..stored_link(8, made.id, None) };
    let ended = add_link(&bed.store, ended).await;
    bed.store
        .write("delete", move |tx| Box::pin(async move { delete_secret(tx, &writer(), made.id, NOW).await }))
        .await
        .unwrap();
    assert!(bed.store.secret_at_version(&reader(), made.id, 1).await.unwrap().is_none());
    assert!(bed.store.secret_versions(&reader(), &stored(1, ""), 5).await.unwrap().is_empty());
    let mark = bed.store.share_link_by_token(&link.token_hash).await.unwrap().unwrap();
    assert_eq!((mark.state, mark.password), (LinkState::Retired, None));
    assert!(bed.store.share_link_by_token(&ended.token_hash).await.unwrap().is_none());
    assert_eq!(open(&bed.store, link.id, NOW).await, None);
    let again = bed
        .store
        .write("delete", move |tx| Box::pin(async move { delete_secret(tx, &writer(), made.id, NOW).await }))
        .await;
    assert!(matches!(again, Err(Error::Conflict)));
    assert_eq!(bed.store.forget_share_links(link.expires_at.plus_millis(1)).await.unwrap(), 1);
}

async fn parallel_openings_never_exceed_the_maximum(bed: Bed) {
    let made = add(&bed.store, stored(1, "a")).await;
    let link = add_link(&bed.store, stored_link(7, made.id, Some(3))).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = bed.store.clone();
            tokio::spawn(async move { open(&store, link.id, NOW).await })
        })
        .collect();
    let mut counts = Vec::new();
    for task in tasks {
        counts.extend(task.await.unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3]);
}

async fn a_link_opens_only_while_it_and_its_secret_stand(bed: Bed) {
    add_tenant(&bed.store).await;
    let made = add(&bed.store, stored(1, "a")).await;
    let (one, two) = (stored_link(7, made.id, None), stored_link(8, made.id, None));
    let (one, two) = (add_link(&bed.store, one).await, add_link(&bed.store, two).await);
    assert_eq!(open(&bed.store, one.id, NOW).await, Some(1));
    assert_eq!(open(&bed.store, one.id, one.expires_at).await, None);
    let revoke = revoke_link(&writer(), one.id);
    bed.store
        .write("revoke", move |tx| {
            let revoke = revoke.clone();
            Box::pin(async move { tx.exec(revoke).await })
        })
        .await
        .unwrap();
    assert_eq!(open(&bed.store, one.id, NOW).await, None);
    let links = bed.store.share_links(&reader(), made.id).await.unwrap();
    assert_eq!(
        links.iter().map(|link| (link.id, link.state)).collect::<Vec<_>>(),
        [(two.id, LinkState::Active), (one.id, LinkState::Revoked)]
    );
    let newest = bed
        .store
        .write("newest", move |tx| Box::pin(async move { newest_link_at(tx, &writer(), made.id).await }))
        .await;
    assert_eq!(newest.unwrap(), Some(two.created_at));
    deactivate(&bed.store, made.id).await;
    assert_eq!(open(&bed.store, two.id, NOW).await, None);
}

async fn deactivate(store: &Store, id: SecretId) {
    store
        .write("deactivate", move |tx| {
            Box::pin(async move {
                let mut secret = lock_secret(tx, &writer(), id).await?.ok_or(Error::Conflict)?;
                secret.is_active = false;
                update_secret(tx, &writer(), &secret).await
            })
        })
        .await
        .unwrap();
}

async fn add_tenant(store: &Store) {
    let tenant = Tenant {
        mfa_policy: None,
        id: TenantId::from_bytes(TENANT),
        slug: "t".to_owned(),
        name: "T".to_owned(),
        is_suspended: false,
        created_at: NOW,
        updated_at: NOW,
        revision: 1,
    };
    let statement = insert_tenant(&tenant);
    store
        .write("add tenant", move |tx| {
            let statement = statement.clone();
            Box::pin(async move { tx.exec(statement).await.map(|_| ()) })
        })
        .await
        .unwrap();
}
