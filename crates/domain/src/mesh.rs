//! Who may talk to whom, declared once: a graph of services becomes packet policies and identity rules that say the same.
//!
//! [`graph`] reads what was declared and refuses what makes no sense, [`policy`] turns it into Kubernetes NetworkPolicies,
//! [`packet_filter`] turns those into nftables rules for a known set of addresses, [`identity`] lists which SPIFFE ids each
//! service accepts, [`cluster`] compares the plan with what runs. Nothing here reads a file or asks a cluster.

pub mod cluster;
pub mod finding;
pub mod graph;
pub mod identity;
pub mod manifest;
pub mod packet_filter;
pub mod policy;
pub mod yaml;

#[cfg(test)]
mod tests;
