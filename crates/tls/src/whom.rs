//! Whom one side is willing to meet. A valid certificate says who somebody is, not that they are welcome.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crypto::x509::{SpiffeId, TrustDomain};
use rustls::pki_types::ServerName;

use crate::path;

/// Whom to accept.
#[derive(Clone, Debug)]
pub enum Whom {
    /// A host by the name or address in its certificate.
    Host(Host),
    /// One of these services.
    Services(BTreeSet<SpiffeId>),
    /// Any service of this trust domain.
    TrustDomain(TrustDomain),
    /// Any service of any trust domain that the snapshot knows.
    AnyService,
}

/// A DNS name or an IP address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host(ServerName<'static>);

/// Text that is neither a DNS name nor an IP address.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("neither a DNS name nor an IP address")]
pub struct NotAHost;

impl Whom {
    /// One service.
    pub fn service(id: SpiffeId) -> Self {
        Self::Services(BTreeSet::from([id]))
    }

    /// Whether a service of this id is welcome. Hosts are not known by their ids.
    pub fn welcomes(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Host(_) => false,
            Self::Services(ids) => ids.contains(id),
            Self::TrustDomain(domain) => id.is_in(domain),
            Self::AnyService => true,
        }
    }
}

impl std::str::FromStr for Host {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        ServerName::try_from(text.to_owned()).map(Self).map_err(|_| NotAHost)
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self(ServerName::IpAddress(address.into()))
    }
}

impl From<&ServerName<'_>> for Host {
    fn from(name: &ServerName<'_>) -> Self {
        Self(name.to_owned())
    }
}

impl Host {
    /// The name as it stands in a certificate.
    pub(crate) fn name(&self) -> path::Name {
        match &self.0 {
            ServerName::IpAddress(address) => path::Name::Ip((*address).into()),
            name => path::Name::Dns(name.to_str().into_owned()),
        }
    }

    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_welcome_is_a_matter_of_ids() {
        let id = |text: &str| text.parse::<SpiffeId>().unwrap();
        let (gateway, other) = (id("spiffe://td/ns/a/sa/gateway"), id("spiffe://elsewhere/ns/a/sa/gateway"));
        let rows = [
            (Whom::service(gateway.clone()), true, false),
            (Whom::TrustDomain("td".parse().unwrap()), true, false),
            (Whom::AnyService, true, true),
            (Whom::Host("gateway".parse().unwrap()), false, false),
            (Whom::Services(BTreeSet::new()), false, false),
        ];
        for (whom, first, second) in rows {
            assert_eq!((whom.welcomes(&gateway), whom.welcomes(&other)), (first, second), "{whom:?}");
        }
    }
}
