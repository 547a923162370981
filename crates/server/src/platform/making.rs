//! Making a platform: seal, root, default tenant with its keys, and the first administrator's key, in one transaction.

use crypto::algorithm::Algorithm;
use crypto::entropy::EntropyPool;
use crypto::secret::SecretBytes;
use domain::ids::TenantId;
use domain::scope::{Scope, Scopes};
use store::Store;
use store::meta::insert_meta;

use crate::app::tenants::{NewTenant, Provisioned, provision};
use crate::clock;
use crate::keyring::root::Root;
use crate::problem::{Outcome, Problem};
use crate::seal::{self, Given, Kind};

/// What a new platform's operator is given, once.
pub struct Made {
    /// What opens the seal.
    pub given: Given,
    /// The administrator's key of the default tenant.
    pub admin_key: SecretBytes,
    /// RFC 7638 thumbprint of the key that signs audit trailers: what `qapi audit verify` should report.
    pub audit_thumbprint: String,
}

/// A platform that exists in memory only. What opens its seal is put away before it is written down: were it the other
/// way round, a file that cannot be written would leave a platform that nobody can ever open.
pub struct Draft {
    /// What opens the seal.
    pub given: Given,
    root: Root,
    record: Vec<u8>,
    provisioned: Provisioned,
}

/// Whether the database holds a platform.
pub async fn exists(store: &Store) -> Outcome<bool> {
    Ok(store.meta("seal").await?.is_some())
}

impl Draft {
    /// Seal, root, default tenant and its administrator.
    pub fn new(kind: Kind, entropy: &EntropyPool) -> Outcome<Self> {
        let (root, record, given) = seal::create(kind, entropy)?;
        let record = serde_json::to_vec(&record).map_err(|error| Problem::internal("writing the seal", error))?;
        let mut id = [0; 16];
        crypto::random::Random::fill(entropy, &mut id);
        let tenant = NewTenant {
            id: TenantId::from_random(id),
            slug: "default".to_owned(),
            name: "Default".to_owned(),
            admin_name: "administrator".to_owned(),
            admin_scopes: Scopes::of(&[Scope::Admin, Scope::PlatformAdmin]),
            admin_rate_per_minute: Some(0),
        };
        let provisioned = provision(&root, tenant, clock::now(), entropy)?;
        Ok(Self { given, root, record, provisioned })
    }

    /// Writes the platform into a database that is migrated and holds none.
    pub async fn write(self, store: &Store) -> Outcome<Made> {
        if exists(store).await? {
            return Err(Problem::new(
                api::error::ErrorCode::AlreadyInitialized,
                "This database holds a platform already.",
            ));
        }
        let Self { given, root, record, provisioned } = self;
        let statements = provisioned.statements;
        store
            .write("make platform", move |tx| {
                let (record, statements) = (record.clone(), statements.clone());
                Box::pin(async move {
                    insert_meta(tx, "seal", &record).await?;
                    tx.exec_all(statements).await.map(|_| ())
                })
            })
            .await?;
        let audit =
            crypto::key::PublicKey::from_raw(Algorithm::MlDsa65, crate::keyring::public_of(&root.audit)?.raw())?;
        Ok(Made { given, admin_key: provisioned.admin_key, audit_thumbprint: audit.thumbprint() })
    }
}
