//! What takes trust back: revocation lists (RFC 5280 section 5 and 6.3), and the deny list that is pushed to peers.

use std::collections::HashSet;

use crypto::x509::{Certificate, Crl, CrlScope, KeyId, KeyUsage, SerialNumber};

use super::{Reason, Refusal, Trust};

/// Certificates that are refused at once, by the identifier of the issuer's key and their number.
#[derive(Clone, Debug, Default)]
pub struct DenyList(HashSet<(KeyId, SerialNumber)>);

impl DenyList {
    /// How many certificates are denied.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the certificate of this number and this issuer's key is denied.
    pub fn has(&self, issuer: KeyId, serial: SerialNumber) -> bool {
        self.0.contains(&(issuer, serial))
    }

    /// Whether this certificate of this issuer is denied. The issuer is known by the identifier of its key, by the one it
    /// gives itself, and by the one the certificate has for it.
    pub fn contains(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let computed = issuer.public_key().map(KeyId::of);
        let known_as = [computed.as_ref(), issuer.subject_key_id(), certificate.authority_key_id()];
        known_as.into_iter().flatten().any(|id| self.0.contains(&(id.clone(), certificate.serial_number().clone())))
    }
}

impl FromIterator<(KeyId, SerialNumber)> for DenyList {
    fn from_iter<I: IntoIterator<Item = (KeyId, SerialNumber)>>(denied: I) -> Self {
        Self(denied.into_iter().collect())
    }
}

/// Whether trust in a certificate was taken back.
pub(super) fn check(subject: &Certificate, issuer: &Certificate, trust: &Trust, now: i64) -> Result<(), Refusal> {
    if trust.denied.contains(subject, issuer) {
        return Err(Refusal::new(Reason::Denied, "qapi deny list", "it is on the deny list"));
    }
    let mut covered = false;
    for list in trust.crls.iter().filter(|list| list.issuer().matches(subject.issuer())) {
        if list.authority_key_id().is_some_and(|id| issuer.subject_key_id().is_some_and(|own| own != id)) {
            // Another key under the same name: a list of before or after a change of keys.
            continue;
        }
        usable(list, issuer, now)?;
        covered = true;
        if let Some(entry) = list.entry(subject.serial_number()) {
            let detail = format!("it was revoked: {}", entry.reason);
            return Err(Refusal::new(Reason::Revoked, "RFC 5280 6.3.3(i)", detail));
        }
    }
    let exempt = trust.crls.is_empty() || subject.is_ca() || subject.extensions().no_rev_avail.is_some();
    if covered || exempt {
        return Ok(());
    }
    let detail = "none of the revocation lists is of its issuer";
    Err(Refusal::new(Reason::RevocationUnknown, "RFC 5280 6.3.3", detail))
}

/// A list that claims to be this issuer's must hold in every respect: one that does not is no reason to look away.
fn usable(list: &Crl, issuer: &Certificate, now: i64) -> Result<(), Refusal> {
    let refuse = |clause, detail: &str| Err(Refusal::new(Reason::RevocationUnknown, clause, detail));
    if !issuer.public_key().is_some_and(|key| list.is_signed_by(key)) {
        return refuse("RFC 5280 6.3.3(g)", "the revocation list is not signed by the issuer");
    }
    if issuer.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::CRL_SIGN)) {
        return refuse("RFC 5280 6.3.3(f)", "the issuer's key may not sign revocation lists");
    }
    if list.unknown().iter().any(|extension| extension.critical) {
        return refuse("RFC 5280 5.2", "the revocation list has a critical extension that is not understood");
    }
    match list.scope() {
        CrlScope::Full => {}
        CrlScope::Partial => return refuse("RFC 5280 5.2.5", "the revocation list is a partial one"),
        CrlScope::Indirect => return refuse("RFC 5280 5.2.5", "the revocation list is an indirect one"),
    }
    if now < list.this_update() {
        return refuse("RFC 5280 5.1.2.4", "the revocation list is of the future");
    }
    match list.next_update() {
        None => refuse("RFC 5280 5.1.2.5", "the revocation list does not say when it ends"),
        Some(next) if now > next => refuse("RFC 5280 5.1.2.5", "the revocation list is out of date"),
        Some(_) => Ok(()),
    }
}
