//! Name constraints (RFC 5280 4.2.1.10), gathered from the anchor down.

use core::net::IpAddr;
use std::mem::discriminant;

use crypto::x509::{Certificate, GeneralName, NameConstraints};

use super::{Reason, Refusal, names};

/// What the authorities above have left of the space of names.
#[derive(Default)]
pub(super) struct Constraints<'a> {
    /// One entry an authority: within each, a name must lie in one of the subtrees of its kind.
    permitted: Vec<&'a [GeneralName]>,
    excluded: Vec<&'a GeneralName>,
}

impl<'a> Constraints<'a> {
    pub(super) fn add(&mut self, constraints: &'a NameConstraints) {
        self.permitted.push(&constraints.permitted);
        self.excluded.extend(&constraints.excluded);
    }

    /// Every name of a certificate: its subject, the mailboxes in it, and its alternative names.
    pub(super) fn check(&self, certificate: &Certificate) -> Result<(), Refusal> {
        if self.permitted.is_empty() {
            return Ok(());
        }
        for name in certificate.alt_names() {
            self.check_name(name)?;
        }
        if !certificate.subject().is_empty() {
            self.check_name(&GeneralName::Directory(certificate.subject().clone()))?;
        }
        // RFC 5280 4.2.1.10: mailboxes in the subject count where subjectAltName has none.
        if !certificate.alt_names().iter().any(|name| matches!(name, GeneralName::Email(_))) {
            for mailbox in certificate.subject().email_addresses() {
                self.check_name(&GeneralName::Email(mailbox))?;
            }
        }
        Ok(())
    }

    fn check_name(&self, name: &GeneralName) -> Result<(), Refusal> {
        let refuse = |what: &str| {
            Err(Refusal::new(Reason::NameConstraint, "RFC 5280 4.2.1.10", format!("the name {name} is {what}")))
        };
        if self.excluded.iter().any(|base| meets(name, base)) {
            return refuse("in a subtree that an authority is excluded from");
        }
        for permitted in &self.permitted {
            let mut same_kind = permitted.iter().filter(|base| discriminant(*base) == discriminant(name)).peekable();
            if same_kind.peek().is_some() && !same_kind.any(|base| is_within(name, base)) {
                return refuse("outside of what an authority is permitted");
            }
        }
        Ok(())
    }
}

/// A constraint that means nothing protects from nothing.
pub(super) fn check_form(constraints: &NameConstraints) -> Result<(), Refusal> {
    for base in constraints.permitted.iter().chain(&constraints.excluded) {
        let well_formed = match base {
            GeneralName::Dns(base) => base.is_empty() || names::is_host(base),
            GeneralName::Email(base) if base.contains('@') => names::is_mailbox(base),
            GeneralName::Email(base) | GeneralName::Uri(base) => names::is_host(base.strip_prefix('.').unwrap_or(base)),
            GeneralName::Ip(octets) => network(octets).is_some(),
            GeneralName::Directory(_) | GeneralName::Other(_) => true,
        };
        if !well_formed {
            let detail = format!("the name constraint {base} is malformed");
            return Err(Refusal::new(Reason::NotConforming, "RFC 5280 4.2.1.10", detail));
        }
    }
    Ok(())
}

/// Whether the whole of a name lies in a subtree. Kinds that are not understood are in none.
fn is_within(name: &GeneralName, base: &GeneralName) -> bool {
    match (name, base) {
        (GeneralName::Dns(name), GeneralName::Dns(base)) => is_subdomain(name, base),
        (GeneralName::Email(mailbox), GeneralName::Email(base)) => is_mailbox_within(mailbox, base),
        (GeneralName::Uri(uri), GeneralName::Uri(base)) => host_of(uri).is_some_and(|host| is_host_within(host, base)),
        (GeneralName::Ip(_), GeneralName::Ip(octets)) => {
            name.address().zip(network(octets)).is_some_and(|(address, network)| network.contains(address))
        }
        (GeneralName::Directory(name), GeneralName::Directory(base)) => name.is_within(base),
        _ => false,
    }
}

/// Whether any part of a name lies in a subtree that is excluded. Where that cannot be told, it does.
fn meets(name: &GeneralName, base: &GeneralName) -> bool {
    match (name, base) {
        (GeneralName::Dns(name), GeneralName::Dns(base)) => {
            // A wildcard stands for every name one label below its parent, so it meets an exclusion of one of these.
            let one_of_them = name.strip_prefix("*.").is_some_and(|parent| {
                base.split_once('.').is_some_and(|(_, above)| above.eq_ignore_ascii_case(parent))
            });
            one_of_them || is_subdomain(name, base)
        }
        (GeneralName::Uri(uri), GeneralName::Uri(base)) => host_of(uri).is_none_or(|host| is_host_within(host, base)),
        (GeneralName::Other(one), GeneralName::Other(other)) => one == other,
        _ => is_within(name, base),
    }
}

/// A name is below a base when labels were put before it; every name is below the empty one.
fn is_subdomain(name: &str, base: &str) -> bool {
    if base.is_empty() || name.eq_ignore_ascii_case(base) {
        return true;
    }
    let Some(split) = name.len().checked_sub(base.len()) else { return false };
    let (Some(before), Some(end)) = (name.get(..split), name.get(split..)) else { return false };
    before.ends_with('.') && end.eq_ignore_ascii_case(base)
}

/// A base with `@` is one mailbox, with a leading dot all hosts below, otherwise one host. The part before the `@` is compared
/// to the letter: only its host knows what it means.
fn is_mailbox_within(mailbox: &str, base: &str) -> bool {
    let Some((local, host)) = mailbox.split_once('@') else { return false };
    match base.split_once('@') {
        Some((base_local, base_host)) => local == base_local && host.eq_ignore_ascii_case(base_host),
        None => is_host_within(host, base),
    }
}

/// A base with a leading dot is all hosts below it and not itself; without one it is that host alone.
fn is_host_within(host: &str, base: &str) -> bool {
    match base.strip_prefix('.') {
        Some(parent) => !host.eq_ignore_ascii_case(parent) && is_subdomain(host, parent),
        None => host.eq_ignore_ascii_case(base),
    }
}

/// The host of a URI, if it has one that is a name: an address or nothing cannot be judged by a constraint on names.
fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    (names::is_host(host) && host.parse::<IpAddr>().is_err()).then_some(host)
}

/// An address block as constraints write it: the address, then the mask.
struct Network {
    address: Vec<u8>,
    mask: Vec<u8>,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let pairs = octets.iter().zip(self.address.iter().zip(&self.mask));
        octets.len() == self.address.len() && pairs.into_iter().all(|(own, (base, mask))| own & mask == base & mask)
    }
}

/// RFC 4632 3.1: masks are contiguous.
fn network(octets: &[u8]) -> Option<Network> {
    if octets.len() != 8 && octets.len() != 32 {
        return None;
    }
    let (address, mask) = octets.split_at(octets.len() / 2);
    let ones: u32 = mask.iter().map(|octet| octet.leading_ones()).sum();
    let set: u32 = mask.iter().map(|octet| octet.count_ones()).sum();
    let zeros_follow = mask.iter().skip_while(|octet| **octet == 0xff).skip(1).all(|octet| *octet == 0);
    (ones == set && zeros_follow).then(|| Network { address: address.to_vec(), mask: mask.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(name: &str) -> GeneralName {
        GeneralName::Dns(name.to_owned())
    }

    fn email(name: &str) -> GeneralName {
        GeneralName::Email(name.to_owned())
    }

    fn uri(name: &str) -> GeneralName {
        GeneralName::Uri(name.to_owned())
    }

    fn ip(octets: &[u8]) -> GeneralName {
        GeneralName::Ip(octets.to_vec())
    }

    fn directory(name: &str) -> GeneralName {
        GeneralName::Directory(name.parse().unwrap())
    }

    /// A name, a base, and whether the name passes when the base is permitted, and when it is excluded.
    #[test]
    fn table_of_names_and_subtrees() {
        let v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let rows = [
            (dns("a.example.org"), dns("example.org"), true, false),
            (dns("A.Example.ORG"), dns("example.org"), true, false),
            (dns("example.org"), dns("example.org"), true, false),
            (dns("badexample.org"), dns("example.org"), false, true),
            (dns("org"), dns("example.org"), false, true),
            (dns("any"), dns(""), true, false),
            (dns("*.example.org"), dns("example.org"), true, false),
            (dns("*.example.org"), dns("a.example.org"), false, false),
            (dns("*.example.org"), dns("a.b.example.org"), false, true),
            (email("a@example.org"), email("a@example.org"), true, false),
            (email("A@example.org"), email("a@example.org"), false, true),
            (email("a@Example.org"), email("example.org"), true, false),
            (email("a@b.example.org"), email("example.org"), false, true),
            (email("a@b.example.org"), email(".example.org"), true, false),
            (email("a@example.org"), email(".example.org"), false, true),
            (uri("spiffe://td.example/a"), uri("td.example"), true, false),
            (uri("https://u@a.td.example:1/x?y"), uri(".td.example"), true, false),
            (uri("https://other.example/td.example"), uri("td.example"), false, true),
            // Where the host cannot be told, the name is outside of what is permitted and inside of what is excluded.
            (uri("https://10.0.0.1/"), uri("td.example"), false, false),
            (uri("urn:a:b"), uri("td.example"), false, false),
            (ip(&[10, 1, 2, 3]), ip(&[10, 0, 0, 0, 255, 0, 0, 0]), true, false),
            (ip(&[11, 1, 2, 3]), ip(&[10, 0, 0, 0, 255, 0, 0, 0]), false, true),
            (ip(&v6), ip(&[10, 0, 0, 0, 255, 0, 0, 0]), false, true),
            (ip(&v6), ip(&[v6, [255; 16]].concat()), true, false),
            (directory("O=x,CN=y"), directory("O=X"), true, false),
            (directory("CN=y,O=x"), directory("O=x"), false, true),
            (GeneralName::Other("otherName"), GeneralName::Other("otherName"), false, false),
            // A constraint speaks of its own kind alone.
            (dns("a.example.org"), ip(&[10, 0, 0, 0, 255, 0, 0, 0]), true, true),
        ];
        for (name, base, permitted, excluded) in rows {
            let only = NameConstraints { permitted: vec![base.clone()], excluded: Vec::new() };
            let never = NameConstraints { permitted: Vec::new(), excluded: vec![base.clone()] };
            for (constraints, passes) in [(only, permitted), (never, excluded)] {
                let mut gathered = Constraints::default();
                gathered.add(&constraints);
                assert_eq!(gathered.check_name(&name).is_ok(), passes, "{name} under {constraints:?}");
            }
        }
    }

    #[test]
    fn constraints_that_mean_nothing_are_malformed() {
        for base in [
            dns(".example.org"),
            dns("*.example.org"),
            email("a@b@example.org"),
            email("@example.org"),
            uri("https://example.org"),
            ip(&[10, 0, 0, 1]),
            ip(&[10, 0, 0, 0, 255, 0, 255, 0]),
            ip(&[10, 0, 0, 0, 253, 0, 0, 0]),
            ip(&[0; 16]),
        ] {
            let constraints = NameConstraints { permitted: vec![base], excluded: Vec::new() };
            assert!(check_form(&constraints).is_err(), "{constraints:?}");
        }
        let fine = NameConstraints { permitted: vec![dns("")], excluded: vec![ip(&[0; 32]), ip(&[0; 8])] };
        assert!(check_form(&fine).is_ok());
    }
}
