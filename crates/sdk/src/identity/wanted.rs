//! What a certificate is asked for: the names of one service.

use std::collections::BTreeSet;

use crypto::algorithm::Algorithm;
use crypto::x509::{AltName, DistinguishedName, SpiffeId, TrustDomain};

/// The names of a service, and what else its certificates shall have.
#[derive(Clone, Debug)]
pub struct Wanted {
    name: Label,
    namespace: Option<Label>,
    dns_names: BTreeSet<String>,
    spiffe_id: Option<SpiffeId>,
    pub(super) tenant: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) validity_hours: Option<u32>,
    pub(super) key: KeyHandling,
}

/// Whether the private key may leave the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum KeyHandling {
    /// It may not.
    Kept,
    /// It may: for programs that speak TLS themselves.
    DangerExportable,
}

/// One label of a DNS name (RFC 1123 section 2.1).
#[derive(Clone, Debug, Eq, PartialEq)]
struct Label(String);

/// Text that cannot be part of a service's names.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAName {
    /// There is none.
    #[error("no name for the service: the variable SERVICE_NAME is not set")]
    Missing,
    /// Something else than lower-case letters, digits and dashes, or too long.
    #[error("{0:?} is not a name: lower-case letters, digits and dashes, at most 63")]
    Label(String),
    /// Not a DNS name.
    #[error("{0:?} is not a DNS name")]
    Dns(String),
}

impl Wanted {
    /// A service of this name, in no namespace.
    pub fn new(name: &str) -> Result<Self, NotAName> {
        let name = Label::parse(name)?;
        Ok(Self {
            dns_names: BTreeSet::from([name.0.clone()]),
            name,
            namespace: None,
            spiffe_id: None,
            tenant: None,
            algorithm: Algorithm::MlDsa65,
            validity_hours: None,
            key: KeyHandling::Kept,
        })
    }

    /// The service that the variables `SERVICE_NAME` and `SERVICE_NAMESPACE` name. Reading them is the caller's:
    /// `Wanted::from_variables(|name| std::env::var(name).ok())`.
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Self, NotAName> {
        let wanted = Self::new(&read("SERVICE_NAME").ok_or(NotAName::Missing)?)?;
        match read("SERVICE_NAMESPACE") {
            Some(namespace) => wanted.in_namespace(&namespace),
            None => Ok(wanted),
        }
    }

    /// The same in a namespace, under the name that a Kubernetes cluster gives its services.
    pub fn in_namespace(mut self, namespace: &str) -> Result<Self, NotAName> {
        let namespace = Label::parse(namespace)?;
        self.dns_names.insert(format!("{}.{}.svc.cluster.local", self.name.0, namespace.0));
        self.namespace = Some(namespace);
        Ok(self)
    }

    /// The same under one more DNS name.
    pub fn with_dns_name(mut self, name: &str) -> Result<Self, NotAName> {
        self.dns_names.insert(dns_name(name)?);
        Ok(self)
    }

    /// The same under another SPIFFE id than the one that follows from name and namespace.
    #[must_use]
    pub fn with_spiffe_id(mut self, id: SpiffeId) -> Self {
        self.spiffe_id = Some(id);
        self
    }

    /// The same in a tenant other than the default one, by its slug. The API key has to be of that tenant.
    #[must_use]
    pub fn of_tenant(mut self, slug: &str) -> Self {
        self.tenant = Some(slug.to_owned());
        self
    }

    /// How long certificates shall live; what the authority gives unless told.
    #[must_use]
    pub fn with_validity_hours(mut self, hours: u32) -> Self {
        self.validity_hours = Some(hours);
        self
    }

    /// Lets the private key leave the process, by `exported`. Without this it does not.
    #[must_use]
    pub fn with_danger_exportable_key(mut self) -> Self {
        self.key = KeyHandling::DangerExportable;
        self
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.name.0
    }

    /// The DNS names that a certificate has to have, and no others.
    pub(super) fn dns_names(&self) -> &BTreeSet<String> {
        &self.dns_names
    }

    /// The SPIFFE id that a certificate has to have: the one asked for, or the one that the authority derives from the
    /// names.
    pub(super) fn expected_id(&self, domain: &TrustDomain) -> String {
        let namespace = self.namespace.as_ref().map_or("default", |namespace| namespace.0.as_str());
        match &self.spiffe_id {
            Some(id) => id.to_string(),
            None => format!("spiffe://{domain}/ns/{namespace}/sa/{}", self.name.0),
        }
    }

    /// What the request says of the subject.
    pub(super) fn subject(&self) -> Option<DistinguishedName> {
        format!("CN={}", self.name.0).parse().ok()
    }

    /// What the request says of its names. A SPIFFE id is asked for only where it does not follow from them.
    pub(super) fn alt_names(&self) -> Vec<AltName> {
        let dns = self.dns_names.iter().cloned().map(AltName::Dns);
        dns.chain(self.spiffe_id.iter().map(|id| AltName::Uri(id.to_string()))).collect()
    }
}

/// A DNS name without wildcards.
pub(super) fn dns_name(name: &str) -> Result<String, NotAName> {
    let labels: Result<Vec<_>, _> = name.split('.').map(Label::parse).collect();
    labels.map_err(|_| NotAName::Dns(name.to_owned()))?;
    Ok(name.to_owned())
}

impl Label {
    fn parse(text: &str) -> Result<Self, NotAName> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let edges = text.starts_with('-') || text.ends_with('-');
        if (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !edges {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAName::Label(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(name: Option<&str>, namespace: Option<&str>) -> Result<Wanted, NotAName> {
        let (name, namespace) = (name.map(str::to_owned), namespace.map(str::to_owned));
        Wanted::from_variables(|variable| match variable {
            "SERVICE_NAME" => name.clone(),
            "SERVICE_NAMESPACE" => namespace.clone(),
            _ => None,
        })
    }

    #[test]
    fn a_service_is_known_by_the_names_that_its_variables_give() {
        let domain: TrustDomain = "qapi.internal".parse().unwrap();
        let wanted = variables(Some("users-api"), Some("users")).unwrap();
        let names: Vec<_> = wanted.dns_names().iter().map(String::as_str).collect();
        assert_eq!(names, ["users-api", "users-api.users.svc.cluster.local"]);
        assert_eq!(wanted.expected_id(&domain), "spiffe://qapi.internal/ns/users/sa/users-api");
        let alone = variables(Some("users-api"), None).unwrap();
        assert_eq!(alone.expected_id(&domain), "spiffe://qapi.internal/ns/default/sa/users-api");
        assert_eq!(variables(None, Some("users")).unwrap_err(), NotAName::Missing);
    }

    #[test]
    fn an_id_is_asked_for_only_where_it_does_not_follow_from_the_names() {
        let wanted = Wanted::new("a").unwrap();
        assert_eq!(wanted.alt_names(), [AltName::Dns("a".to_owned())]);
        let id: SpiffeId = "spiffe://td/other".parse().unwrap();
        assert!(wanted.with_spiffe_id(id).alt_names().contains(&AltName::Uri("spiffe://td/other".to_owned())));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "Users", "a_b", "-a", "a-", "a.b", "unknown service", &"a".repeat(64)] {
            assert!(Wanted::new(text).is_err(), "{text}");
        }
        let service = Wanted::new("a").unwrap();
        assert!(service.clone().with_dns_name("*.example").is_err());
        assert!(service.with_dns_name("a.example").is_ok());
    }
}
