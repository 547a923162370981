//! Tenants: made with their own keys and an administrator, and suspended as a whole.

mod managing;
mod sign_in_policy;

use crypto::algorithm::Algorithm;
use crypto::key::PrivateKey;
use crypto::random::Random;
use crypto::secret::SecretBytes;
use domain::authz::{Authorized, WriteKeys, on_behalf_of_the_platform};
use domain::ids::{ApiKeyId, KeyId, KeyVersionId, TenantId};
use domain::key::State;
use domain::scope::Scopes;
use domain::time::Timestamp;
use store::Stmt;
use store::api_keys::{ApiKey, insert_api_key};
use store::keys::{KeyVersion, NamedKey, insert_key, insert_version};
use store::tenant_keys::{insert_cell_epoch, insert_kek};
use store::tenants::{Tenant, insert_tenant};

use crate::credentials::hash;
use crate::keyring::root::Root;
use crate::keyring::{TenantKeys, new_tenant_keys};
use crate::problem::Outcome;

pub use managing::{DEFAULT_SLUG, Tenants, tenant_of_slug};

/// A tenant to be made.
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What its administrator's key is called.
    pub admin_name: String,
    /// What it may do.
    pub admin_scopes: Scopes,
    /// Its rate; the platform's default when absent, none when 0.
    pub admin_rate_per_minute: Option<u32>,
}

/// Everything a new tenant starts with.
pub struct Provisioned {
    /// The rows, to be written in one transaction.
    pub statements: Vec<Stmt>,
    /// The administrator's key, shown once.
    pub admin_key: SecretBytes,
    /// The administrator's key's row.
    pub admin: ApiKey,
}

/// Makes KEK, cell epoch, the two default keys and the administrator's key of a tenant.
pub fn provision(root: &Root, new: NewTenant, now: Timestamp, random: &dyn Random) -> Outcome<Provisioned> {
    let (kek, epoch) = new_tenant_keys(root, new.id, now, random)?;
    let keys = TenantKeys::open(root, new.id, std::slice::from_ref(&kek), std::slice::from_ref(&epoch))?;
    let tenant = Tenant {
        mfa_policy: None,
        id: new.id,
        slug: new.slug,
        name: new.name,
        is_suspended: false,
        created_at: now,
        updated_at: now,
        revision: 1,
    };
    let mut statements = vec![insert_tenant(&tenant), insert_kek(new.id, &kek), insert_cell_epoch(new.id, &epoch)];
    for (name, algorithm) in [("default", Algorithm::MlKem768), ("default-signing", Algorithm::MlDsa65)] {
        statements.extend(default_key(&keys, name, algorithm, now, random)?);
    }
    let (admin, admin_key) =
        admin(root, new.id, new.admin_name, new.admin_scopes, new.admin_rate_per_minute, now, random);
    statements.push(insert_api_key(&admin));
    Ok(Provisioned { statements, admin_key, admin })
}

fn admin(
    root: &Root,
    tenant: TenantId,
    name: String,
    scopes: Scopes,
    rate_per_minute: Option<u32>,
    now: Timestamp,
    random: &dyn Random,
) -> (ApiKey, SecretBytes) {
    let text = domain::api_key::new_text(random);
    let key = ApiKey {
        tenant,
        id: ApiKeyId::from_random(bytes(random)),
        name,
        prefix: display_prefix(&text),
        hash: hash(root, text.expose()),
        scopes: scopes.to_string(),
        limits: "[]".to_owned(),
        cidrs: "[]".to_owned(),
        environment: None,
        rate_per_minute,
        created_at: now,
        created_by: "system".to_owned(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        replaced_by: None,
        grace_until: None,
        application: None,
    };
    (key, text)
}

/// The first characters of a key's text, for people.
pub fn display_prefix(text: &SecretBytes) -> String {
    String::from_utf8_lossy(&text.expose()[..domain::api_key::DISPLAY_LEN.min(text.len())]).into_owned()
}

fn default_key(
    keys: &TenantKeys,
    name: &str,
    algorithm: Algorithm,
    now: Timestamp,
    random: &dyn Random,
) -> Outcome<[Stmt; 2]> {
    let auth: Authorized<WriteKeys> = on_behalf_of_the_platform(keys.tenant);
    let id = KeyId::from_random(bytes(random));
    let private = PrivateKey::generate(algorithm, random)?;
    let row = NamedKey {
        id,
        name: name.to_owned(),
        folded: name.to_owned(),
        key_type: super::keys::key_type(algorithm).to_owned(),
        algorithm: algorithm.to_string(),
        state: State::Active,
        is_default: true,
        is_favorite: false,
        current_version: 1,
        min_version: 1,
        revision: 1,
        description: None,
        labels: "[]".to_owned(),
        expires_at: None,
        rotated_at: None,
        created_at: now,
        updated_at: now,
        exportable: false,
    };
    let version = KeyVersion {
        id: KeyVersionId::from_random(bytes(random)),
        version: 1,
        state: "active".to_owned(),
        public: private.public_key().map(|public| public.raw().to_vec()),
        sealed: Some(keys.seal_key(id, 1, &private, random)?),
        kek_version: keys.kek_version,
        created_at: now,
        rotated_at: None,
        revoked_at: None,
    };
    Ok([insert_key(&auth, &row), insert_version(&auth, id, &version)])
}

/// Sixteen random bytes for an id.
pub fn bytes(random: &dyn Random) -> [u8; 16] {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    bytes
}
