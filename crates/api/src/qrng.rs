//! Entropy on request, with an honest word about where it came from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secret::SecretText;
use crate::time::WireTime;

/// Body of `POST /qrng/entropy`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrawEntropy {
    /// 1 to 65,536; a multiple of 16, 4 or 8 for `uuid`, `int32` and `int64`.
    #[schemars(range(min = 1, max = crate::limits::ENTROPY_BYTES_MAX))]
    pub bytes: u32,
    /// `raw` unless told, `hex`, `uuid`, `int32` or `int64`, in any case. Kept as text, because a wrong one has its own
    /// error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

words! {
    /// How entropy is written.
    EntropyFormat {
        /// Base64.
        Raw = "raw",
        /// Lower-case hexadecimal.
        Hex = "hex",
        /// Version 4 UUIDs, 16 bytes each.
        Uuid = "uuid",
        /// Little-endian signed integers, 4 bytes each.
        Int32 = "int32",
        /// Little-endian signed integers, 8 bytes each; exact digits.
        Int64 = "int64",
    }
}

impl EntropyFormat {
    /// The bytes that one element takes.
    pub fn element_bytes(self) -> u32 {
        match self {
            Self::Raw | Self::Hex => 1,
            Self::Uuid => 16,
            Self::Int32 => 4,
            Self::Int64 => 8,
        }
    }
}

/// Answer of `POST /qrng/entropy`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrawnEntropy {
    /// The entropy, as the format says.
    pub entropy: Entropy,
    /// The format.
    pub format: EntropyFormat,
    /// `csprng`, or the name of the quantum source.
    pub source: String,
    /// More about the source.
    pub source_details: SourceDetails,
    /// Bytes drawn.
    pub consumed_bytes: u32,
    /// The month's quota, in megabytes of 2^20.
    pub quota_limit_mb: f64,
    /// What is left of it.
    pub quota_remaining_mb: f64,
    /// The request.
    pub request_id: String,
}

/// Entropy in one of its forms.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Entropy {
    /// `raw` and `hex`.
    Text(SecretText),
    /// `uuid`.
    Uuids(Vec<Uuid>),
    /// `int32` and `int64`.
    Integers(Vec<i64>),
}

/// Where entropy came from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceDetails {
    /// `SystemRandom`, or the quantum source's maker.
    pub provider: String,
    /// Whether a healthy quantum source took part.
    pub is_quantum: bool,
    /// When it was drawn.
    pub served_at: WireTime,
}
