//! Encryption as a service: encrypt, decrypt, sign, verify, one by one or in batches.
//!
//! Requests name a key by id; encryption without one means the tenant's default. The `algorithm` that official
//! clients always send is a default of theirs and is not compared with the key's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::SecretText;

words! {
    /// How a plaintext is written in JSON.
    Encoding {
        /// As text.
        Utf8 = "utf8",
        /// As base64.
        Base64 = "base64",
    }
}

words! {
    /// How a message is protected. Both are quantum-safe.
    Mode {
        /// One encapsulation a message.
        Sealed = "sealed",
        /// Under an epoch key that was encapsulated once: tens of bytes of overhead.
        Fast = "fast",
    }
}

/// Body of `POST /encrypt`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EncryptRequest {
    /// What to encrypt.
    pub plaintext: SecretText,
    /// How it is written; text unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// The key; the tenant's default encryption key unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
    /// Sent by official clients; the key decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Text that decryption has to repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_data: Option<SecretText>,
    /// How to protect it; sealed unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// Answer of `POST /encrypt`: one opaque text, and its parts for clients that want them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EncryptResponse {
    /// All of it; what decryption wants.
    pub encrypted_payload: String,
    /// Header, commitment and ciphertext, in base64.
    pub ciphertext: String,
    /// The encapsulation, in base64; empty where there is none.
    pub encapsulated_key: String,
    /// The nonce, in base64.
    pub nonce: String,
    /// The tag, in base64.
    pub tag: String,
    /// The key's algorithm.
    pub algorithm: String,
    /// The key.
    pub key_id: Uuid,
    /// Its version.
    pub key_version: u32,
}

/// Body of `POST /decrypt`: the payload, or the parts.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecryptRequest {
    /// The opaque text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted_payload: Option<String>,
    /// Part: header, commitment and ciphertext.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ciphertext: Option<String>,
    /// Part: the encapsulation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encapsulated_key: Option<String>,
    /// Part: the nonce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Part: the tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Part: the key. The ciphertext names it as well, and they have to agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
    /// Part: its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_version: Option<u32>,
    /// The text given at encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_data: Option<SecretText>,
}

/// Answer of `POST /decrypt`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecryptResponse {
    /// The plaintext, written as it was at encryption.
    pub plaintext: SecretText,
}

/// Body of `POST /sign`. Exactly one of `data`, `mu` and `digest`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignRequest {
    /// The message, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<SecretText>,
    /// ML-DSA: the 64-byte message representative (FIPS 204, algorithm 7), in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mu: Option<String>,
    /// ECDSA: the message's digest, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The key.
    pub key_id: Uuid,
    /// Sent by official clients; the key decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}

/// Answer of `POST /sign`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignResponse {
    /// The signature, in base64.
    pub signature: String,
    /// The key's algorithm.
    pub algorithm: String,
    /// The key.
    pub key_id: Uuid,
    /// Its version.
    pub key_version: u32,
}

/// Body of `POST /verify`. Exactly one of `data`, `mu` and `digest`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyRequest {
    /// The message, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<SecretText>,
    /// ML-DSA: the message representative, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mu: Option<String>,
    /// ECDSA: the message's digest, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The signature, in base64.
    pub signature: String,
    /// The key.
    pub key_id: Uuid,
}

/// Answer of `POST /verify`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyResponse {
    /// Whether a version between the minimum and the newest made the signature.
    pub is_valid: bool,
    /// Which version did.
    pub key_version: Option<u32>,
}

/// Why one item of a batch has no result; the others have theirs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemError {
    /// The stable code.
    pub code: String,
    /// The same in words.
    pub message: String,
}

/// Body of `POST /encrypt/batch`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EncryptBatchRequest {
    /// Up to 1,000 items.
    #[schemars(length(max = crate::limits::BATCH_ITEMS))]
    pub items: Vec<EncryptBatchItem>,
    /// The key of all items; the tenant's default unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Uuid>,
    /// How to protect them; fast unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// One item to encrypt.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EncryptBatchItem {
    /// What to encrypt.
    pub plaintext: SecretText,
    /// How it is written; text unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Text that decryption has to repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_data: Option<SecretText>,
}

/// Answer of `POST /encrypt/batch`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EncryptBatchResponse {
    /// One result an item, in their order.
    pub results: Vec<EncryptBatchResult>,
    /// The key's algorithm.
    pub algorithm: String,
    /// The key.
    pub key_id: Uuid,
    /// Its version.
    pub key_version: u32,
}

/// What became of one item.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EncryptBatchResult {
    /// The item's place, from 0.
    pub index: u32,
    /// The opaque text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted_payload: Option<String>,
    /// Or why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
}

/// Body of `POST /decrypt/batch`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecryptBatchRequest {
    /// Up to 1,000 items, under any keys of the tenant.
    #[schemars(length(max = crate::limits::BATCH_ITEMS))]
    pub items: Vec<DecryptBatchItem>,
}

/// One item to decrypt.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecryptBatchItem {
    /// The opaque text.
    pub encrypted_payload: String,
    /// The text given at encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_data: Option<SecretText>,
}

/// Answer of `POST /decrypt/batch`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecryptBatchResponse {
    /// One result an item, in their order.
    pub results: Vec<DecryptBatchResult>,
}

/// What became of one item.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecryptBatchResult {
    /// The item's place, from 0.
    pub index: u32,
    /// The plaintext, written as it was at encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<SecretText>,
    /// Or why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
}

/// Body of `POST /sign/batch`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignBatchRequest {
    /// Up to 1,000 items.
    #[schemars(length(max = crate::limits::BATCH_ITEMS))]
    pub items: Vec<SignBatchItem>,
    /// The key of all items.
    pub key_id: Uuid,
}

/// One item to sign: exactly one of the three.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignBatchItem {
    /// The message, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<SecretText>,
    /// ML-DSA: the message representative, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mu: Option<String>,
    /// ECDSA: the message's digest, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Answer of `POST /sign/batch`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignBatchResponse {
    /// One result an item, in their order.
    pub results: Vec<SignBatchResult>,
    /// The key's algorithm.
    pub algorithm: String,
    /// The key.
    pub key_id: Uuid,
    /// Its version.
    pub key_version: u32,
}

/// What became of one item.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignBatchResult {
    /// The item's place, from 0.
    pub index: u32,
    /// The signature, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Or why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
}
