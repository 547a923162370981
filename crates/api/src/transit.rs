//! Transit: the same keys addressed by name, ciphertexts and signatures as `vault:v{n}:{base64}`.
//!
//! Plaintexts are base64 unless told otherwise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encryption::{Encoding, Mode};
use crate::secret::SecretText;

/// Body of `POST /transit/encrypt/{name}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitEncrypt {
    /// What to encrypt.
    pub plaintext: SecretText,
    /// How it is written; base64 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Text that decryption has to repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub associated_data: Option<SecretText>,
    /// How to protect it; fast unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// Answer of `POST /transit/encrypt/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitEncrypted {
    /// `vault:v{n}:{base64}`.
    pub ciphertext: String,
    /// The key.
    pub key_name: String,
    /// Its version.
    pub key_version: u32,
}

/// Body of `POST /transit/decrypt/{name}` and `POST /transit/rewrap/{name}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitCiphertext {
    /// `vault:v{n}:{base64}`.
    pub ciphertext: String,
    /// The text given at encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub associated_data: Option<SecretText>,
}

/// Answer of `POST /transit/decrypt/{name}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitDecrypted {
    /// The plaintext, in base64 whatever it was written as.
    pub plaintext: SecretText,
}

/// Answer of `POST /transit/rewrap/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitRewrapped {
    /// The same plaintext under the newest version.
    pub ciphertext: String,
    /// That version.
    pub key_version: u32,
}

/// Body of `POST /transit/sign/{name}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitSign {
    /// The message, in base64.
    pub data: SecretText,
    /// Sent by official clients; the key decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}

/// Answer of `POST /transit/sign/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitSigned {
    /// `vault:v{n}:{base64}`.
    pub signature: String,
    /// The key's algorithm.
    pub algorithm: String,
    /// The key.
    pub key_name: String,
    /// Its version.
    pub key_version: u32,
}

/// Body of `POST /transit/verify/{name}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitVerify {
    /// The message, in base64.
    pub data: SecretText,
    /// `vault:v{n}:{base64}`.
    pub signature: String,
}

/// Answer of `POST /transit/verify/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitVerified {
    /// Whether the named version made the signature.
    pub valid: bool,
}

/// Body of `POST /transit/hmac/{name}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitHmac {
    /// The message, in base64.
    pub data: SecretText,
    /// `sha256` unless told, `sha384` or `sha512`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}

/// Answer of `POST /transit/hmac/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitMac {
    /// `vault:v{n}:{base64}`.
    pub hmac: String,
    /// The algorithm as it was asked for.
    pub algorithm: String,
    /// The key's version.
    pub key_version: u32,
}

/// Body of `POST /transit/hash`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitHash {
    /// The message, in base64.
    pub data: SecretText,
    /// `sha256` unless told, `sha384`, `sha512`, `sha3-256`, `sha3-384` or `sha3-512`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// `base64` unless told, or `hex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<BytesFormat>,
}

/// Answer of `POST /transit/hash`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitHashed {
    /// The hash.
    pub hash: String,
    /// The algorithm as it was asked for.
    pub algorithm: String,
}

words! {
    /// How bytes are written.
    BytesFormat {
        /// Standard alphabet, padded.
        Base64 = "base64",
        /// Lower case.
        Hex = "hex",
    }
}

/// Body of `POST /transit/random`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitRandom {
    /// 1 to 65,536; 32 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = crate::limits::ENTROPY_BYTES_MAX))]
    pub bytes: Option<u32>,
    /// `base64` unless told, or `hex`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<BytesFormat>,
}

/// Answer of `POST /transit/random`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitRandomBytes {
    /// The bytes.
    pub data: SecretText,
    /// How many.
    pub bytes: u32,
    /// How they are written.
    pub format: BytesFormat,
    /// Where they come from, as in `/qrng/entropy`.
    pub source: String,
}

/// Body of `POST /transit/batch/encrypt/{name}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitBatchEncrypt {
    /// Up to 100 items.
    #[schemars(length(max = crate::limits::TRANSIT_BATCH_ITEMS))]
    pub items: Vec<TransitBatchPlaintext>,
}

/// One item to encrypt.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitBatchPlaintext {
    /// What to encrypt.
    pub plaintext: SecretText,
    /// How it is written; base64 unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Text that decryption has to repeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub associated_data: Option<SecretText>,
}

/// Answer of `POST /transit/batch/encrypt/{name}` and `POST /transit/batch/rewrap/{name}`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitBatchCiphertexts {
    /// One result an item, in their order.
    pub results: Vec<TransitBatchEncrypted>,
    /// The key.
    pub key_name: String,
    /// Its newest version.
    pub key_version: u32,
}

/// What became of one item.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitBatchEncrypted {
    /// The item's place, from 0.
    pub index: u32,
    /// `vault:v{n}:{base64}`.
    pub ciphertext: Option<String>,
    /// Or the code of why there is none.
    pub error: Option<String>,
}

/// Body of `POST /transit/batch/decrypt/{name}` (100 items) and `POST /transit/batch/rewrap/{name}` (1,000).
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitBatchDecrypt {
    /// The items.
    pub items: Vec<TransitCiphertext>,
}

/// Answer of `POST /transit/batch/decrypt/{name}`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitBatchPlaintexts {
    /// One result an item, in their order.
    pub results: Vec<TransitBatchDecrypted>,
}

/// What became of one item.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransitBatchDecrypted {
    /// The item's place, from 0.
    pub index: u32,
    /// The plaintext, in base64.
    pub plaintext: Option<SecretText>,
    /// Or the code of why there is none.
    pub error: Option<String>,
}
