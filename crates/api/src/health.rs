//! Health, version and the caller's rate limit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::WireTime;

/// Answer of `GET /health`, `/health/live` and `/health/ready`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `Healthy`, `Degraded` or `Unhealthy`.
    pub status: String,
    /// The server's version.
    pub version: String,
    /// The server's clock.
    pub timestamp: WireTime,
    /// What the operator calls this installation.
    pub environment: Option<String>,
    /// The commit it was built from.
    pub git_sha: Option<String>,
    /// `qapid`.
    pub service: Option<String>,
}

/// Answer of `GET /version`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// The server's version.
    pub version: String,
    /// `release` or `debug`.
    pub build: Option<String>,
    /// The commit it was built from.
    pub commit: Option<String>,
    /// What this server can do.
    #[serde(default)]
    pub features: Vec<String>,
}

/// Answer of `GET /api/v1/rate-limit`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Requests a period.
    pub limit: u64,
    /// Requests left in this one.
    pub remaining: u64,
    /// When the next begins, in Unix seconds.
    pub reset: u64,
    /// `1m`, `1h` or `1d`.
    pub period: String,
}
