//! The names that a tenant's certificates may hold, and the identity that follows from them.
//!
//! Two fences stand around a name: the tenant's policy, which is also written into the authority's own certificate as
//! name constraints, and the limits of whoever asks. A name has to lie within both.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use crypto::x509::{AltName, SpiffeId, TrustDomain};
use ipnet::IpNet;

/// Names that a tenant can allow at most: they travel in every certificate of its authority.
pub const MOST_ALLOWED: usize = 256;
/// What a new tenant allows.
pub const ALLOWED_AT_FIRST: [&str; 4] = ["svc.cluster.local", "localhost", "127.0.0.0/8", "::1/128"];

/// What a tenant's certificates may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePolicy {
    trust_domain: TrustDomain,
    allowed: Vec<Allowed>,
    learning: Learning,
}

/// One thing that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// A name with a dot: itself and everything below it. One without: itself alone.
    Dns(String),
    /// The addresses of a network.
    Network(IpNet),
}

/// Whether a new name may become an allowed one by being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learning {
    /// It may.
    On,
    /// It may not.
    Off,
}

/// Why a policy is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// Neither a DNS name without wildcards and underscores, nor an address or network.
    #[error("{0} is neither a DNS name without wildcards and underscores, nor an address or network")]
    Name(String),
    /// No name at all would be no constraint at all.
    #[error("at least one DNS name must be allowed, because an authority without any could issue all of them")]
    Unconstrained,
    /// More than [`MOST_ALLOWED`].
    #[error("more than {MOST_ALLOWED} names are allowed")]
    TooMany,
    /// SPIFFE-ID 2.1.
    #[error("a trust domain has lower-case letters, digits, dots, hyphens and underscores")]
    TrustDomain,
}

/// How a name stands to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is allowed.
    Allowed,
    /// It is not, and could become so.
    Unknown,
    /// It never is: a wildcard, an underscore, a URI that is no identity of this trust domain.
    Never,
}

impl NamePolicy {
    /// A policy of these.
    pub fn new(trust_domain: &str, allowed: Vec<Allowed>, learning: Learning) -> Result<Self, BadPolicy> {
        let trust_domain = trust_domain.parse().map_err(|_| BadPolicy::TrustDomain)?;
        if allowed.len() > MOST_ALLOWED {
            return Err(BadPolicy::TooMany);
        }
        if !allowed.iter().any(|allowed| matches!(allowed, Allowed::Dns(_))) {
            return Err(BadPolicy::Unconstrained);
        }
        Ok(Self { trust_domain, allowed, learning })
    }

    /// The trust domain of the tenant's identities.
    pub fn trust_domain(&self) -> &str {
        self.trust_domain.as_str()
    }

    /// What is allowed.
    pub fn allowed(&self) -> &[Allowed] {
        &self.allowed
    }

    /// Whether it grows by being asked.
    pub fn learning(&self) -> Learning {
        self.learning
    }

    /// The DNS names, for the authority's name constraints (RFC 5280 4.2.1.10).
    pub fn permitted_dns(&self) -> Vec<String> {
        let dns = |allowed: &Allowed| match allowed {
            Allowed::Dns(name) => Some(name.clone()),
            Allowed::Network(_) => None,
        };
        self.allowed.iter().filter_map(dns).collect()
    }

    /// How a name stands to it.
    pub fn standing(&self, name: &AltName) -> Standing {
        let known = |is_known| if is_known { Standing::Allowed } else { Standing::Unknown };
        match name {
            AltName::Dns(name) if name.starts_with('*') || name.contains('_') => Standing::Never,
            AltName::Dns(name) => known(self.admits_dns(name)),
            AltName::Ip(address) => known(self.admits_address(*address)),
            AltName::Email(mailbox) => {
                // A mailbox is never learned: its host would be taken for a name of a server.
                let host = mailbox.rsplit_once('@').map_or("", |(_, host)| host);
                if self.admits_dns(host) { Standing::Allowed } else { Standing::Never }
            }
            AltName::Uri(uri) => {
                let own = |id: SpiffeId| id.is_in(&self.trust_domain);
                if uri.parse().is_ok_and(own) { Standing::Allowed } else { Standing::Never }
            }
        }
    }

    /// The policy with one more name; nothing changes when that is allowed already.
    pub fn with(&self, name: &AltName) -> Result<Self, BadPolicy> {
        let learned = match name {
            _ if self.standing(name) == Standing::Allowed => return Ok(self.clone()),
            AltName::Dns(name) => name.parse()?,
            AltName::Ip(address) => Allowed::Network(IpNet::from(*address)),
            AltName::Uri(text) | AltName::Email(text) => return Err(BadPolicy::Name(text.clone())),
        };
        let allowed = self.allowed.iter().cloned().chain([learned]).collect();
        Self::new(self.trust_domain.as_str(), allowed, self.learning)
    }

    fn admits_dns(&self, name: &str) -> bool {
        self.allowed.iter().any(|allowed| match allowed {
            Allowed::Dns(own) if own.contains('.') => {
                name == own || name.strip_suffix(own).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Allowed::Dns(own) => name == own,
            Allowed::Network(_) => false,
        })
    }

    fn admits_address(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|allowed| matches!(allowed, Allowed::Network(own) if own.contains(&address)))
    }
}

impl FromStr for Allowed {
    type Err = BadPolicy;

    fn from_str(text: &str) -> Result<Self, BadPolicy> {
        let text = text.trim();
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(IpNet::from(address)));
        }
        let bad = || BadPolicy::Name(text.to_owned());
        match format!("DNS:{text}").parse().map_err(|_| bad())? {
            AltName::Dns(name) if !name.starts_with('*') && !name.contains('_') => Ok(Self::Dns(name)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Network(network) => network.fmt(f),
        }
    }
}

/// The identity that follows from names: of the first that is one of a Kubernetes service (`users-api.shop.svc...`), or
/// else of the first DNS name's first label, in the namespace `default`.
pub fn derived_identity(trust_domain: &str, names: &[AltName]) -> Option<String> {
    let dns: Vec<&str> = names.iter().filter_map(dns).collect();
    let (namespace, service) = dns
        .iter()
        .find_map(|name| {
            let mut labels = name.split('.');
            match (labels.next(), labels.next(), labels.next()) {
                (Some(service), Some(namespace), Some("svc")) => Some((namespace, service)),
                _ => None,
            }
        })
        .or_else(|| dns.first().and_then(|name| name.split('.').next()).map(|service| ("default", service)))?;
    Some(format!("spiffe://{trust_domain}/ns/{namespace}/sa/{service}"))
}

/// Whether the limits behind `admits` reach all of these names, each with its kind.
pub fn are_admitted(names: &[String], admits: impl Fn(&str) -> bool) -> bool {
    names.iter().all(|name| name.parse().is_ok_and(|name| is_admitted(&name, &admits)))
}

/// Whether the limits behind `admits` reach a name. An identity is reached by itself, or by a name that can belong to
/// nobody else: whoever may be called `users-api.shop.svc` may be its service account. A name under some other domain
/// that happens to begin alike does not give it.
pub fn is_admitted(name: &AltName, admits: &dyn Fn(&str) -> bool) -> bool {
    let AltName::Uri(uri) = name else { return admits(&name.value()) };
    admits(uri) || own_names(uri).iter().any(|name| admits(name))
}

fn own_names(uri: &str) -> Vec<String> {
    let Ok(id) = uri.parse::<SpiffeId>() else { return Vec::new() };
    match id.path().split('/').collect::<Vec<_>>().as_slice() {
        ["", "ns", namespace, "sa", service] => {
            let mut names =
                vec![format!("{service}.{namespace}.svc"), format!("{service}.{namespace}.svc.cluster.local")];
            if *namespace == "default" {
                names.push((*service).to_owned());
            }
            names
        }
        _ => Vec::new(),
    }
}

fn dns(name: &AltName) -> Option<&str> {
    match name {
        AltName::Dns(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allowed: &[&str]) -> NamePolicy {
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        NamePolicy::new("td.internal", allowed, Learning::Off).unwrap()
    }

    fn name(text: &str) -> AltName {
        text.parse().unwrap()
    }

    #[test]
    fn a_suffix_allows_what_lies_below_it_and_a_label_itself_alone() {
        let policy = policy(&["svc.cluster.local", "localhost", "10.0.0.0/8"]);
        for (text, standing) in [
            ("users-api.shop.svc.cluster.local", Standing::Allowed),
            ("svc.cluster.local", Standing::Allowed),
            ("evilsvc.cluster.local", Standing::Unknown),
            ("svc.cluster.local.evil", Standing::Unknown),
            ("localhost", Standing::Allowed),
            ("a.localhost", Standing::Unknown),
            ("users-api", Standing::Unknown),
            ("*.svc.cluster.local", Standing::Never),
            ("a_b.svc.cluster.local", Standing::Never),
            ("10.1.2.3", Standing::Allowed),
            ("11.1.2.3", Standing::Unknown),
            ("ops@a.svc.cluster.local", Standing::Allowed),
            ("ops@example.com", Standing::Never),
            ("spiffe://td.internal/ns/a/sa/b", Standing::Allowed),
            ("spiffe://other/ns/a/sa/b", Standing::Never),
            ("spiffe://td.internal", Standing::Never),
            ("https://td.internal/a", Standing::Never),
        ] {
            assert_eq!(policy.standing(&name(text)), standing, "{text}");
        }
    }

    #[test]
    fn a_policy_without_a_dns_name_or_with_too_many_is_none() {
        let networks = vec!["10.0.0.0/8".parse().unwrap()];
        assert_eq!(NamePolicy::new("td", networks, Learning::Off), Err(BadPolicy::Unconstrained));
        assert_eq!(NamePolicy::new("TD", vec!["a".parse().unwrap()], Learning::Off), Err(BadPolicy::TrustDomain));
        let mut policy = policy(&["a"]);
        for n in 1..MOST_ALLOWED {
            policy = policy.with(&name(&format!("n{n}"))).unwrap();
        }
        assert_eq!(policy.with(&name("n1")).unwrap(), policy);
        assert_eq!(policy.with(&name("one-more")), Err(BadPolicy::TooMany));
        for text in ["*.a", "a_b", "", "a b", "a/b", "-a"] {
            assert!(text.parse::<Allowed>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_identity_follows_from_the_service_name_or_from_the_first_label() {
        let derived = |names: &[&str]| {
            let names: Vec<AltName> = names.iter().map(|text| name(text)).collect();
            derived_identity("td", &names).unwrap_or_default()
        };
        assert_eq!(derived(&["users-api"]), "spiffe://td/ns/default/sa/users-api");
        assert_eq!(derived(&["users-api", "users-api.shop.svc.cluster.local"]), "spiffe://td/ns/shop/sa/users-api");
        assert_eq!(derived(&["db.example.com"]), "spiffe://td/ns/default/sa/db");
        assert_eq!(derived(&["10.0.0.1"]), "");
    }

    #[test]
    fn a_confined_credential_gets_no_identity_by_a_name_that_merely_begins_alike() {
        let confined = |limit: &'static str| move |name: &str| name == limit || name.ends_with(limit);
        let admitted = |names: &[&str], limit| {
            are_admitted(&names.iter().map(|text| name(text).to_string()).collect::<Vec<_>>(), confined(limit))
        };
        assert!(admitted(&["users-api", "spiffe://td/ns/default/sa/users-api"], "users-api"));
        assert!(admitted(&["a.shop.svc.cluster.local", "spiffe://td/ns/shop/sa/a"], ".shop.svc.cluster.local"));
        assert!(!admitted(&["a.shop.svc.evil.com", "spiffe://td/ns/shop/sa/a"], ".evil.com"));
        assert!(!admitted(&["a.evil.com", "spiffe://td/ns/default/sa/a"], ".evil.com"));
        assert!(!admitted(&["a.evil.com", "b"], ".evil.com"));
    }
}
