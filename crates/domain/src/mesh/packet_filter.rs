//! Policies as nftables rules, for the machine that forwards between the addresses of the services: what a network plugin
//! does with NetworkPolicies, written out. The tests prove the policies with it, and it serves hosts without Kubernetes.
//!
//! A packet that opens a connection passes the half of its source and the half of its destination, one chain for each.
//! Answers of open connections pass. What no rule names is refused with an answer, so that the caller learns at once.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use ipnet::IpNet;

use super::policy::{Endpoint, Peer, Policy, Port, Protocol, Rule};

/// The rules for these endpoints, to be loaded with `nft -f`. Loading them again replaces the table.
pub fn compile(policies: &[Policy], endpoints: &[Endpoint]) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_table(&mut text, policies, endpoints);
    text
}

const TABLE: &str = "inet qapi_mesh";

fn write_table(text: &mut String, policies: &[Policy], endpoints: &[Endpoint]) -> fmt::Result {
    let by_address: BTreeMap<IpAddr, &Endpoint> = endpoints.iter().map(|end| (end.address, end)).collect();
    let restricted: Vec<&Endpoint> =
        by_address.values().copied().filter(|end| policies.iter().any(|policy| policy.selects(end))).collect();
    writeln!(text, "table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{")?;
    for (at, end) in restricted.iter().enumerate() {
        let selecting = || policies.iter().filter(|policy| policy.selects(end));
        let egress = selecting().flat_map(|policy| &policy.egress);
        write_half(text, &format!("from_{at}"), "daddr", egress, &by_address)?;
        let ingress = selecting().flat_map(|policy| &policy.ingress);
        write_half(text, &format!("to_{at}"), "saddr", ingress, &by_address)?;
    }
    writeln!(text, "\tchain forward {{\n\t\ttype filter hook forward priority filter; policy accept;")?;
    writeln!(text, "\t\tct state established,related accept")?;
    for (at, end) in restricted.iter().enumerate() {
        let family = family(end.address);
        writeln!(text, "\t\t{family} saddr {} jump from_{at}", end.address)?;
        writeln!(text, "\t\t{family} daddr {} jump to_{at}", end.address)?;
    }
    text.write_str("\t}\n}\n")
}

/// A chain that returns for what one half allows and refuses everything else.
fn write_half<'p>(
    text: &mut String,
    chain: &str,
    side: &str,
    rules: impl Iterator<Item = &'p Rule>,
    endpoints: &BTreeMap<IpAddr, &Endpoint>,
) -> fmt::Result {
    writeln!(text, "\tchain {chain} {{")?;
    for rule in rules {
        for net in addresses(&rule.peer, endpoints) {
            for Port { protocol, number } in &rule.ports {
                let protocol = match protocol {
                    Protocol::Tcp => "tcp",
                    Protocol::Udp => "udp",
                };
                writeln!(text, "\t\t{} {side} {net} {protocol} dport {number} return", family(net.addr()))?;
            }
        }
    }
    writeln!(text, "\t\treject with icmpx type admin-prohibited\n\t}}")
}

/// The addresses a peer has now.
fn addresses(peer: &Peer, endpoints: &BTreeMap<IpAddr, &Endpoint>) -> Vec<IpNet> {
    match peer {
        Peer::Net(net) => vec![net.trunc()],
        Peer::Pods { .. } => {
            endpoints.values().filter(|end| peer.matches(end)).map(|end| IpNet::from(end.address)).collect()
        }
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}
