//! What of a secret is sealed: its values, and everything around them but name, labels and content type.
//!
//! Each cell is bound to its table, row, column and version. A secret's metadata has one row and so version 0; a value is
//! bound to the version it belongs to.

use std::collections::BTreeMap;

use api::secret::SecretText;
use crypto::random::Random;
use crypto::secret::SecretBytes;
use domain::ids::SecretId;
use domain::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::secrets::{StoredSecret, StoredVersion};
use zeroize::Zeroizing;

use crate::keyring::TenantKeys;
use crate::keyring::cells::Cell;
use crate::problem::{Outcome, Problem};

/// What stands around a value.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Meta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<SecretText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<SecretText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_fields: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totp_secret: Option<SecretText>,
    pub created_by: String,
    pub updated_by: String,
}

/// What stood beside a value when it was stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionMeta {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub username: Option<SecretText>,
    pub changed_by: String,
}

/// A version that is to be.
pub struct NewVersion<'a> {
    pub version: u32,
    pub value: &'a str,
    pub username: Option<&'a SecretText>,
    pub changed_by: &'a str,
    pub at: Timestamp,
    pub restored_from: Option<u32>,
}

impl Meta {
    /// Seals it for its secret.
    pub fn seal(&self, keys: &TenantKeys, id: SecretId, random: &dyn Random) -> Outcome<Vec<u8>> {
        keys.cells.seal(meta_cell(&id), json(self)?.expose(), random)
    }

    /// Opens a secret's.
    pub fn open(keys: &TenantKeys, secret: &StoredSecret) -> Outcome<Self> {
        parsed(&keys.cells.open(meta_cell(&secret.id), &secret.meta)?)
    }
}

impl NewVersion<'_> {
    /// Seals value and company for their secret.
    pub fn seal(&self, keys: &TenantKeys, id: SecretId, random: &dyn Random) -> Outcome<StoredVersion> {
        let username = self.username.map(|name| SecretText::copy_from(name.expose()));
        let meta = json(&VersionMeta { username, changed_by: self.changed_by.to_owned() })?;
        Ok(StoredVersion {
            version: self.version,
            value: keys.cells.seal(version_cell(&id, "value", self.version), self.value.as_bytes(), random)?,
            meta: keys.cells.seal(version_cell(&id, "meta", self.version), meta.expose(), random)?,
            created_at: self.at,
            restored_from: self.restored_from,
        })
    }
}

impl VersionMeta {
    /// Opens a version's.
    pub fn open(keys: &TenantKeys, id: SecretId, version: &StoredVersion) -> Outcome<Self> {
        parsed(&keys.cells.open(version_cell(&id, "meta", version.version), &version.meta)?)
    }
}

/// Opens a version's value.
pub fn open_value(keys: &TenantKeys, id: SecretId, version: &StoredVersion) -> Outcome<SecretText> {
    let opened = keys.cells.open(version_cell(&id, "value", version.version), &version.value)?;
    let mut bytes = Zeroizing::<Vec<u8>>::from(opened);
    let text = String::from_utf8(std::mem::take(&mut *bytes));
    text.map(SecretText::new).map_err(|_| Problem::internal("reading a secret", "a value is not text"))
}

fn meta_cell(id: &SecretId) -> Cell<'_> {
    Cell { table: "secret", row: id.as_bytes(), column: "meta", version: 0 }
}

fn version_cell<'a>(id: &'a SecretId, column: &'static str, version: u32) -> Cell<'a> {
    Cell { table: "secret_version", row: id.as_bytes(), column, version }
}

fn json(value: &impl Serialize) -> Outcome<SecretBytes> {
    // Room for most, so that growing leaves no copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1_024));
    serde_json::to_writer(&mut *bytes, value).map_err(|error| Problem::internal("sealing a secret", error))?;
    Ok(SecretBytes::new(std::mem::take(&mut *bytes)))
}

fn parsed<T: DeserializeOwned>(bytes: &SecretBytes) -> Outcome<T> {
    // A parser's message could quote what it read.
    serde_json::from_slice(bytes.expose())
        .map_err(|_| Problem::internal("opening a secret", "its metadata has another form"))
}

#[cfg(test)]
mod tests {
    use crypto::secret::SecretArray;
    use domain::ids::TenantId;

    use super::*;
    use crate::keyring::new_tenant_keys;
    use crate::keyring::root::Root;

    fn keys(tenant: u8, random: &dyn Random) -> TenantKeys {
        let tenant = TenantId::from_bytes([tenant; 16]);
        let (root, _) = Root::generate(&SecretArray::random(random), random).unwrap();
        let (kek, epoch) = new_tenant_keys(&root, tenant, Timestamp::from_millis(0), random).unwrap();
        TenantKeys::open(&root, tenant, &[kek], &[epoch]).unwrap()
    }

    fn version(number: u32) -> NewVersion<'static> {
        NewVersion {
            version: number,
            value: "hunter2",
            username: None,
            changed_by: "apikey:ci",
            at: Timestamp::from_millis(0),
            restored_from: None,
        }
    }

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let random = crate::entropy::pool(&[]);
        let (keys, other) = (keys(1, &random), keys(2, &random));
        let (id, another) = (SecretId::from_bytes([1; 16]), SecretId::from_bytes([2; 16]));
        let stored = version(1).seal(&keys, id, &random).unwrap();
        assert_eq!(open_value(&keys, id, &stored).unwrap().expose(), "hunter2");
        assert_eq!(VersionMeta::open(&keys, id, &stored).unwrap().changed_by, "apikey:ci");
        assert!(!stored.value.windows(7).any(|bytes| bytes == b"hunter2"));
        assert!(open_value(&keys, another, &stored).is_err(), "another secret");
        assert!(open_value(&other, id, &stored).is_err(), "another tenant");
        let moved = StoredVersion { version: 2, ..stored.clone() };
        assert!(open_value(&keys, id, &moved).is_err(), "another version");
        let swapped = StoredVersion { value: stored.meta.clone(), meta: stored.value.clone(), ..stored };
        assert!(open_value(&keys, id, &swapped).is_err(), "another column");
    }
}
