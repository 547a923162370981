//! Named keys: versions, states, import and export, data keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::secret::SecretText;
use crate::time::WireTime;

words! {
    /// What a key is for. Closed: official clients fail on any other word.
    KeyType {
        /// Encrypt and decrypt, or encapsulate.
        Encryption = "encryption",
        /// Sign and verify.
        Signing = "signing",
        /// Compute message authentication codes.
        Hmac = "hmac",
    }
}

words! {
    /// Where a key stands, as far as official clients can read it. The truth is in the open `state`.
    KeyStatus {
        /// Usable.
        Active = "active",
        /// Disabled or revoked.
        Inactive = "inactive",
        /// In its grace period.
        ScheduledDeletion = "scheduled_deletion",
        /// Gone.
        Deleted = "deleted",
    }
}

words! {
    /// How key material is written.
    KeyFormat {
        /// The bytes of the standard: a seed, a public key, a symmetric key.
        Raw = "raw",
        /// PEM armour around PKCS#8 or SubjectPublicKeyInfo.
        Pem = "pem",
        /// DER of PKCS#8 or SubjectPublicKeyInfo.
        Der = "der",
        /// DER or PEM of PKCS#8.
        Pkcs8 = "pkcs8",
        /// JSON Web Key.
        Jwk = "jwk",
    }
}

/// Body of `POST /keys`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateKey {
    /// 1 to 100 characters, unique in any case.
    #[schemars(length(min = 1, max = 100), extend("examples" = ["orders"]))]
    pub name: String,
    /// What it is for.
    pub key_type: KeyType,
    /// `ML-KEM-768`, `ML-DSA-65`, `AES-256-GCM`, `HMAC-SHA256`, ...
    #[schemars(extend("examples" = ["ML-KEM-768"]))]
    pub algorithm: String,
    /// Sent by one official client, equal to `keyType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Up to 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::KEY_DESCRIPTION_CHARS))]
    pub description: Option<String>,
    /// After this it makes nothing new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WireTime>,
    /// Whether it becomes the default of its type.
    #[serde(default)]
    pub set_as_default: bool,
    /// Labels to find it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::LABELS))]
    pub labels: Option<Vec<String>>,
    /// Whether the private half may ever be exported. Decided when the key is made, never later.
    #[serde(default)]
    pub exportable: bool,
}

/// Body of `POST /keys/import`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportKey {
    /// 1 to 100 characters, unique in any case.
    #[schemars(length(min = 1, max = crate::limits::KEY_NAME_CHARS))]
    pub name: String,
    /// What it is for.
    pub key_type: KeyType,
    /// Its algorithm.
    pub algorithm: String,
    /// Base64 of the material; bare PEM and JWK are taken as they are.
    pub key_material: SecretText,
    /// How the material is written; guessed from it unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<KeyFormat>,
    /// Whether the material is a public key.
    #[serde(default)]
    pub public_key_only: bool,
    /// Sent by one official client, equal to `keyType`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Up to 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::KEY_DESCRIPTION_CHARS))]
    pub description: Option<String>,
    /// After this it makes nothing new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WireTime>,
    /// Whether it becomes the default of its type.
    #[serde(default)]
    pub set_as_default: bool,
    /// Labels to find it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::LABELS))]
    pub labels: Option<Vec<String>>,
    /// Whether the private half may ever be exported. Decided when the key is made, never later.
    #[serde(default)]
    pub exportable: bool,
}

/// A key. After a rotation the four fields at the end are there as well.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// The key, through all its versions.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub key_type: KeyType,
    /// Its algorithm.
    pub algorithm: String,
    /// The same as `keyType`.
    pub purpose: String,
    /// Where it stands.
    pub status: KeyStatus,
    /// Whether it is the default of its type.
    pub is_default: bool,
    /// The newest version, or the row's in a list of all versions.
    pub version: u32,
    /// When it was made.
    pub created_at: WireTime,
    /// When anything of it last changed.
    pub updated_at: WireTime,
    /// What it is for, in words.
    pub description: Option<String>,
    /// The newest version's public half, in base64.
    pub public_key: Option<String>,
    /// After this it makes nothing new.
    pub expires_at: Option<WireTime>,
    /// Labels to find it by.
    pub labels: Option<Vec<String>>,
    /// The oldest version that may still open and verify.
    pub min_decryption_version: u32,
    /// How many versions there are.
    pub version_count: u32,
    /// Whether a quantum computer does not break it.
    pub is_post_quantum: bool,
    /// Whether it can be used.
    pub is_active: bool,
    /// Whether it is a favourite.
    pub is_favorite: bool,
    /// When it was last rotated.
    pub last_rotated_at: Option<WireTime>,
    /// `active`, `deprecated`, `disabled`, `revoked`, `pending_deletion` or `deleted`.
    pub state: Option<String>,
    /// When its material is destroyed.
    pub scheduled_deletion_date: Option<WireTime>,
    /// After a rotation: the key again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
    /// After a rotation: the version made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_version: Option<u32>,
    /// After a rotation: the version before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<u32>,
    /// After a rotation: when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<WireTime>,
    /// What was asked for and not done; absent when there is nothing to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Query of `GET /keys`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListKeys {
    /// From 1.
    #[schemars(range(min = 1))]
    pub page: Option<u32>,
    /// 50 unless told.
    #[schemars(range(min = 1))]
    pub page_size: Option<u32>,
    /// Only of this type.
    pub key_type: Option<KeyType>,
    /// Only with this status; `disabled` is taken for `inactive`.
    pub status: Option<String>,
    /// One row a version instead of one a key.
    pub all_versions: Option<bool>,
    /// Only with this in the name, in any case.
    pub search: Option<String>,
}

/// Answer of `GET /keys`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyList {
    /// This page's.
    pub keys: Vec<Key>,
    /// Of all pages.
    pub total: u64,
    /// This page, from 1.
    pub page: u32,
    /// Rows of a page.
    pub page_size: u32,
    /// Whether there is a further page.
    pub has_more: bool,
}

/// Body of `PATCH /keys/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateKey {
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = crate::limits::KEY_NAME_CHARS))]
    pub name: Option<String>,
    /// A new description.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::KEY_DESCRIPTION_CHARS))]
    pub description: Option<String>,
    /// New labels, in place of all the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = crate::limits::LABELS))]
    pub labels: Option<Vec<String>>,
    /// `active`, `disabled` (which reads back as `inactive`) or `deprecated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// Query of `DELETE /keys/{id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeleteKey {
    /// Days of grace; 30 unless told, 0 destroys at once.
    #[schemars(range(max = 365))]
    pub schedule_days: Option<u32>,
}

/// Answer of `GET /keys/{id}/versions`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyVersionList {
    /// The key's name.
    pub key_name: String,
    /// The oldest version that may still open and verify.
    pub min_decryption_version: u32,
    /// Oldest first.
    pub versions: Vec<KeyVersion>,
}

/// One version of a key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyVersion {
    /// The version's own id.
    pub id: Uuid,
    /// Its number.
    pub version: u32,
    /// When it was made.
    pub created_at: WireTime,
    /// When it took over from the version before; null for the first.
    pub rotated_at: Option<WireTime>,
    /// When it was revoked.
    pub revoked_at: Option<WireTime>,
    /// Whether it is the one that makes new things.
    pub is_active: bool,
    /// `active`, `retired` or `revoked`.
    pub state: String,
}

/// Body of `PUT /keys/{id}/min-decryption-version` and `POST /transit/keys/{name}/config`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetMinDecryptionVersion {
    /// 1 to the newest version.
    #[schemars(range(min = 1))]
    pub min_decryption_version: u32,
}

/// Which versions of a key are in use.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyVersionPolicy {
    /// The key's name.
    pub key_name: String,
    /// The newest version.
    pub latest_version: u32,
    /// The oldest that may still open and verify.
    pub min_decryption_version: u32,
}

/// Body of `POST /keys/{id}/rotate`; may be empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotateKey {
    /// A new name for the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = crate::limits::KEY_NAME_CHARS))]
    pub name: Option<String>,
    /// Whether the key becomes the default; stays as it is unless told. A credential that is confined to named keys does
    /// not choose the default: its key is rotated all the same, and `warnings` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_as_default: Option<bool>,
}

/// Body of `POST /keys/{id}/set-default`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetDefaultKey {
    /// The type whose default it becomes: the key's own.
    pub key_type: KeyType,
}

/// Query of `GET /keys/{id}/public-key`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportPublicKey {
    /// `pem` unless told, or `der`.
    pub format: Option<KeyFormat>,
}

/// Answer of `GET /keys/{id}/public-key`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedPublicKey {
    /// SubjectPublicKeyInfo as PEM, or as base64 of its DER.
    pub public_key: String,
}

/// Query of `GET /keys/{id}/public`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadPublicKey {
    /// `raw` unless told, `pem`, `der` or `jwk`.
    pub format: Option<KeyFormat>,
    /// Further fields, comma-separated; `all` for every one.
    pub include: Option<String>,
    /// An older version.
    pub version: Option<u32>,
}

/// Answer of `GET /keys/{id}/public`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicKey {
    /// The key.
    pub key_id: Uuid,
    /// Its algorithm.
    pub algorithm: String,
    /// The version.
    pub version: u32,
    /// Its public half: PEM or JWK text, or base64.
    pub public_key: String,
    /// How it is written.
    pub format: KeyFormat,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_type: Option<KeyType>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_post_quantum: Option<bool>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_favorite: Option<bool>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<WireTime>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<WireTime>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rotated_at: Option<WireTime>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Included on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_deletion_date: Option<WireTime>,
}

/// Answer of `GET /keys/{id}/jwk`: a JSON Web Key (RFC 7517; RFC 9964 for the `AKP` type).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Jwk(pub serde_json::Map<String, Value>);

/// Answer of `GET /keys/jwks`: the public halves of all active asymmetric keys.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// Body of `POST /keys/{id}/export`: the private half leaves the vault, which is audited.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportKey {
    /// `pem` unless told (`raw` for symmetric keys), `der`, `pkcs8`, `raw` or `jwk`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<KeyFormat>,
    /// The newest unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// Answer of `POST /keys/{id}/export`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedKey {
    /// The key.
    pub key_id: Uuid,
    /// Its algorithm.
    pub algorithm: String,
    /// The version.
    pub version: u32,
    /// How it is written.
    pub format: KeyFormat,
    /// The private half: PEM or JWK text, or base64.
    pub key_material: SecretText,
}

/// Body of the four routes that make a data key; may be empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenerateDataKey {
    /// What the data key is for: a label, `AES-256-GCM` unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// 16, 24 or 32; 32 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_bytes: Option<u32>,
    /// Bytes, in base64, that unwrapping has to repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// A data key, wrapped and perhaps bare.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataKey {
    /// The bare key, in base64; null where it was not asked for.
    pub plaintext_key: Option<SecretText>,
    /// The wrapped key.
    pub encrypted_key: String,
    /// The key it is wrapped to.
    pub key_id: Uuid,
    /// Its version.
    pub key_version: u32,
    /// What the data key is for.
    pub algorithm: String,
}

/// Body of `POST /keys/{id}/unwrap`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnwrapDataKey {
    /// The wrapped key.
    pub wrapped_key: String,
    /// The context given when it was made, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// Answer of `POST /keys/{id}/unwrap`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnwrappedDataKey {
    /// The bare data key, in base64.
    pub key_material: SecretText,
    /// The key it was wrapped to.
    pub key_id: Uuid,
    /// Its version.
    pub key_version: u32,
}
