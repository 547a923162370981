//! The names of a certificate: whether they are well formed, and whether they are the peer's.

use core::net::IpAddr;

use crypto::x509::{Certificate, GeneralName, KeyUsage, SpiffeId};

use super::{Name, Reason, Refusal};

/// RFC 5280 4.2.1.6: names in the form that their kind has.
pub(super) fn check_form(certificate: &Certificate) -> Result<(), Refusal> {
    for name in certificate.alt_names() {
        let well_formed = match name {
            GeneralName::Dns(name) => is_presented(name),
            GeneralName::Email(mailbox) => is_mailbox(mailbox),
            GeneralName::Uri(uri) => {
                uri.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
            }
            GeneralName::Ip(_) => name.address().is_some(),
            GeneralName::Directory(name) => !name.is_empty(),
            GeneralName::Other(_) => true,
        };
        if !well_formed {
            let detail = format!("the name {name} is not well formed");
            return Err(Refusal::new(Reason::NotConforming, "RFC 5280 4.2.1.6", detail));
        }
    }
    Ok(())
}

/// The names that a peer must have, all of them. The common name is none (RFC 9525 2).
pub(super) fn check(leaf: &Certificate, expected: &[Name]) -> Result<(), Refusal> {
    for name in expected {
        match name {
            Name::Dns(wanted) => dns(leaf, wanted)?,
            Name::Ip(wanted) => address(leaf, *wanted)?,
            Name::Spiffe(wanted) => {
                let found = spiffe_id(leaf)?;
                if found != *wanted {
                    return Err(Refusal::new(Reason::WrongName, X509_SVID, format!("it is {found}, not {wanted}")));
                }
            }
            Name::TrustDomain(wanted) => {
                let found = spiffe_id(leaf)?;
                if !found.is_in(wanted) {
                    return Err(Refusal::new(Reason::WrongName, X509_SVID, format!("{found} is not of {wanted}")));
                }
            }
        }
    }
    Ok(())
}

/// The SPIFFE id of a certificate that is one workload's: exactly one URI, and no authority (X509-SVID 2 and 4).
pub(super) fn spiffe_id(leaf: &Certificate) -> Result<SpiffeId, Refusal> {
    let uris: Vec<&String> = leaf
        .alt_names()
        .iter()
        .filter_map(|name| match name {
            GeneralName::Uri(uri) => Some(uri),
            _ => None,
        })
        .collect();
    let [uri] = uris.as_slice() else {
        let detail = format!("it has {} URIs, and a SPIFFE peer has exactly one", uris.len());
        return Err(Refusal::new(Reason::WrongName, X509_SVID, detail));
    };
    let signs = leaf
        .key_usage()
        .is_some_and(|usage| !usage.intersection(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN).is_empty());
    if leaf.is_ca() || signs {
        return Err(Refusal::new(Reason::WrongKeyUsage, "SPIFFE X509-SVID 4.1", "an authority is not a workload"));
    }
    uri.parse().map_err(|_| Refusal::new(Reason::WrongName, X509_SVID, "its URI is not a SPIFFE id"))
}

fn dns(leaf: &Certificate, wanted: &str) -> Result<(), Refusal> {
    let clause = "RFC 9525 6.3";
    let wanted = wanted.strip_suffix('.').unwrap_or(wanted);
    if !is_host(wanted) {
        return Err(Refusal::new(Reason::WrongName, clause, "the name to look for is not a DNS name"));
    }
    let mut presented = leaf.alt_names().iter().filter_map(|name| match name {
        GeneralName::Dns(name) => Some(name),
        _ => None,
    });
    if presented.any(|name| matches(name, wanted)) {
        return Ok(());
    }
    Err(Refusal::new(Reason::WrongName, clause, format!("none of its DNS names is {wanted}")))
}

fn address(leaf: &Certificate, wanted: IpAddr) -> Result<(), Refusal> {
    if leaf.alt_names().iter().any(|name| name.address() == Some(wanted)) {
        return Ok(());
    }
    Err(Refusal::new(Reason::WrongName, "RFC 9525 6.4", format!("none of its addresses is {wanted}")))
}

/// RFC 9525 6.3: `*` as the whole first label stands for exactly one label. Not under a single label: nobody has authority
/// over all of `*.com`.
fn matches(presented: &str, wanted: &str) -> bool {
    match presented.strip_prefix("*.") {
        None => presented.eq_ignore_ascii_case(wanted),
        Some(parent) => {
            let under = wanted.split_once('.').map(|(_, parent)| parent);
            parent.contains('.') && under.is_some_and(|under| under.eq_ignore_ascii_case(parent))
        }
    }
}

/// A DNS name as certificates may present it: the preferred syntax of RFC 1034 3.5, or `*.` before such a name. A `*`
/// elsewhere makes a name that nothing matches, but no malformed one.
fn is_presented(name: &str) -> bool {
    let plain = name.replace('*', "a");
    is_host(&plain) && name != "*"
}

/// RFC 1034 3.5 as RFC 1123 2.1 relaxed it: labels of letters, digits and hyphens.
pub(super) fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A mailbox: one `@` between something and a host (RFC 5280 4.2.1.6).
pub(super) fn is_mailbox(mailbox: &str) -> bool {
    mailbox.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty() && local.bytes().all(|byte| byte.is_ascii_graphic()) && is_host(host)
    })
}

fn is_scheme(scheme: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(allowed)
}

const X509_SVID: &str = "SPIFFE X509-SVID 2";
