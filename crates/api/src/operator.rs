//! The operator's routes: seal, unseal, backup. They stand at the root, outside any tenant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::SecretText;
use crate::time::WireTime;

/// Answer of `GET /operator/status`, of unsealing and of sealing. Says nothing that an anonymous caller may not know.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorStatus {
    /// Whether there is a root key at all.
    pub initialized: bool,
    /// Whether it is not in memory.
    pub sealed: bool,
    /// `passphrase`, `shamir` or `file`.
    pub seal: String,
    /// Shares needed to unseal; 1 for a passphrase.
    pub threshold: u32,
    /// Shares there are; 1 for a passphrase.
    pub shares: u32,
    /// Shares given so far.
    pub progress: u32,
    /// The server's version.
    pub version: String,
}

/// Body of `POST /operator/unseal`. Exactly one of passphrase and share.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unseal {
    /// The passphrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretText>,
    /// One share. A wrong one is refused alone: what others gave stays given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<SecretText>,
    /// Whether to forget the shares given so far and begin again with this one.
    #[serde(default)]
    pub reset: bool,
}

/// Body of `POST /operator/backup`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateBackup {
    /// The recipient's ML-KEM public key: PEM, or base64 of its SubjectPublicKeyInfo.
    pub recipient: String,
}

/// What a backup holds; the header of the file that `POST /operator/backup` answers with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupSummary {
    /// When it was made.
    pub created_at: WireTime,
    /// The server's version.
    pub version: String,
    /// The schema's version.
    pub schema_version: u32,
    /// Rows of all tables.
    pub rows: u64,
}
