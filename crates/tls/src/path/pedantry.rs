//! The pedantic tier: what the CA/Browser Forum's Baseline Requirements (TLS BR) ask of the public web, and what RFC 5280
//! recommends without demanding it. `docs/guides/certificates.md` lists every rule.
//!
//! Not checked, because it needs data that changes outside of this program: wildcards directly under a public suffix.

use crypto::x509::{Certificate, GeneralName, KeyUsage, Purpose};

use super::conformity::Standing;
use super::{Reason, Refusal};

/// The rules for the certificate in question.
pub(super) fn check_leaf(leaf: &Certificate, purpose: Option<Purpose>) -> Result<(), Refusal> {
    let extensions = leaf.extensions();
    if leaf.is_ca() {
        return nit("TLS BR 7.1.2.7.8", "an authority stands where an end entity should");
    }
    match &extensions.purposes {
        None if purpose.is_some() => return nit("TLS BR 7.1.2.7.10", "it does not say what it is for"),
        Some(purposes) if purposes.critical => return nit("TLS BR 7.1.2.7.6", "extKeyUsage is critical"),
        _ => {}
    }
    if leaf.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::DIGITAL_SIGNATURE)) {
        return nit("RFC 9846 4.4.2.2", "its key may not sign handshakes");
    }
    if extensions.alt_names.as_ref().is_some_and(|names| names.critical) && !leaf.subject().is_empty() {
        return nit("RFC 5280 4.2.1.6", "subjectAltName is critical, though there is a subject");
    }
    leaf.subject().common_names().iter().try_for_each(|name| common_name(name, leaf.alt_names()))?;
    authority_key_id(leaf)
}

/// The rules for whoever issues.
pub(super) fn check_authority(authority: &Certificate, standing: Standing) -> Result<(), Refusal> {
    if authority.key_usage().is_none() {
        return nit("RFC 5280 4.2.1.3", "an authority without keyUsage");
    }
    if authority.subject_key_id().is_none() {
        return nit("RFC 5280 4.2.1.2", "an authority without subjectKeyIdentifier");
    }
    if standing == Standing::Anchor && authority.is_self_issued() && authority.extensions().purposes.is_some() {
        return nit("TLS BR 7.1.2.1.2", "a root that lists purposes");
    }
    authority_key_id(authority)
}

fn authority_key_id(certificate: &Certificate) -> Result<(), Refusal> {
    match &certificate.extensions().authority_key_id {
        Some(id) if id.value.has_issuer || id.value.serial_number.is_some() => {
            nit("TLS BR 7.1.2.11.1", "authorityKeyIdentifier says more than the key's identifier")
        }
        _ => Ok(()),
    }
}

/// A common name that looks like a host or an address has to be one of the alternative names of that kind, to the letter.
fn common_name(name: &str, alt_names: &[GeneralName]) -> Result<(), Refusal> {
    let marks = ['.', ':', 'x', 'X'];
    let digits = |letter: char| letter.is_ascii_hexdigit() || marks.contains(&letter);
    let is_address = name.contains(marks) && name.chars().all(digits);
    let is_host = !is_address && name.contains('.') && !name.contains(char::is_whitespace);
    let same_kind = alt_names.iter().filter_map(|alt_name| match alt_name {
        GeneralName::Dns(host) if is_host => Some(host.clone()),
        GeneralName::Ip(_) if is_address => alt_name.address().map(|address| address.to_string()),
        _ => None,
    });
    let same_kind: Vec<String> = same_kind.collect();
    if same_kind.is_empty() || same_kind.iter().any(|known| known == name) {
        return Ok(());
    }
    nit("TLS BR 7.1.4.3", "the common name is not one of the alternative names")
}

fn nit(clause: &'static str, detail: &str) -> Result<(), Refusal> {
    Err(Refusal::new(Reason::Pedantic, clause, detail))
}
