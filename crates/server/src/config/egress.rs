//! `[egress]`: which addresses the server may call that are not public.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

/// Where the server may connect to by itself: every public address, and these.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgressSection {
    /// Networks beside the public ones: a private GitLab, a cluster's API server.
    pub allow: Vec<IpNet>,
    /// A PEM file of authorities beside the public ones.
    pub authorities_file: Option<PathBuf>,
}

impl EgressSection {
    /// This machine as well.
    pub fn loopback() -> Self {
        let networks = ["127.0.0.0/8", "::1/128"];
        Self { allow: networks.iter().filter_map(|text| text.parse().ok()).collect(), authorities_file: None }
    }
}
