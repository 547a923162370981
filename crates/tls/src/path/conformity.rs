//! What RFC 5280 says that every certificate of a conforming authority MUST be, and RFC 9881 and RFC 9608 after it.
//!
//! An authority that breaks these rules has shown that it does not know what it signs.

use crypto::x509::{Certificate, KeyUsage};

use super::{Reason, Refusal, constraints, names};

/// Where an authority stands in a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    Intermediate,
    Anchor,
}

/// The rules for every certificate: the first that is broken.
pub(super) fn check(certificate: &Certificate) -> Result<(), Refusal> {
    RULES.iter().try_for_each(|rule| rule(certificate))
}

/// Every rule that a certificate breaks.
pub(super) fn breaches(certificate: &Certificate) -> Vec<Refusal> {
    RULES.iter().filter_map(|rule| rule(certificate).err()).collect()
}

type Rule = fn(&Certificate) -> Result<(), Refusal>;

const RULES: &[Rule] = &[
    unknown_extensions,
    key_usage,
    identity,
    authority_rights,
    criticality,
    key_identifiers,
    no_revocation,
    names::check_form,
    name_constraints,
];

/// The rules for whoever issues. What identifies the key is only asked of those who are found through it: an anchor is known
/// by its name and key (RFC 5280 6.1.1(d)).
pub(super) fn check_authority(authority: &Certificate, standing: Standing) -> Result<(), Refusal> {
    let clause = "RFC 5280 4.2.1.9";
    match &authority.extensions().basic_constraints {
        None => Err(Refusal::new(Reason::NotAnAuthority, clause, "an issuer without basicConstraints")),
        Some(constraints) if !constraints.value.is_ca => {
            Err(Refusal::new(Reason::NotAnAuthority, clause, "an issuer that is not an authority"))
        }
        Some(constraints) if !constraints.critical => {
            broken(clause, "an authority's basicConstraints are not critical")
        }
        Some(_) if authority.subject().is_empty() => broken("RFC 5280 4.1.2.6", "an authority without a name"),
        Some(_) if standing == Standing::Intermediate && authority.subject_key_id().is_none() => {
            broken("RFC 5280 4.2.1.2", "an authority without subjectKeyIdentifier")
        }
        Some(_) => Ok(()),
    }
}

/// RFC 5280 4.2. Policies are not evaluated here: a demand for an explicit one cannot be met.
fn unknown_extensions(certificate: &Certificate) -> Result<(), Refusal> {
    let extensions = certificate.extensions();
    if let Some(unknown) = extensions.unknown.iter().find(|unknown| unknown.critical) {
        let detail = format!("the critical extension {} is not understood", unknown.value);
        return Err(Refusal::new(Reason::UnknownCriticalExtension, "RFC 5280 4.2", detail));
    }
    match &extensions.policy_constraints {
        Some(constraints) if constraints.critical => {
            let detail = "policyConstraints are not evaluated here";
            Err(Refusal::new(Reason::UnknownCriticalExtension, "RFC 5280 4.2.1.11", detail))
        }
        Some(_) => broken("RFC 5280 4.2.1.11", "policyConstraints that are not critical"),
        None => Ok(()),
    }
}

/// RFC 9881 section 5, and RFC 5280 4.2.1.3 that an extension without any bit means nothing.
fn key_usage(certificate: &Certificate) -> Result<(), Refusal> {
    let Some(usage) = certificate.key_usage() else { return Ok(()) };
    if usage.is_empty() {
        return broken("RFC 5280 4.2.1.3", "keyUsage without a bit");
    }
    let is_ml_dsa = certificate.public_key().is_some_and(|key| key.algorithm().is_ml_dsa());
    let forbidden = usage.forbidden_for_ml_dsa();
    if is_ml_dsa && !forbidden.is_empty() {
        let detail = format!("an ML-DSA key with keyUsage {forbidden}");
        return Err(Refusal::new(Reason::ForbiddenKeyUsage, "RFC 9881 5", detail));
    }
    if is_ml_dsa && usage.intersection(KeyUsage::SIGNING).is_empty() {
        return Err(Refusal::new(Reason::ForbiddenKeyUsage, "RFC 9881 5", "an ML-DSA key without a signing usage"));
    }
    Ok(())
}

fn identity(certificate: &Certificate) -> Result<(), Refusal> {
    if !certificate.serial_number().is_conforming() {
        return broken("RFC 5280 4.1.2.2", "a serial number that is not positive, or longer than 20 octets");
    }
    if certificate.issuer().is_empty() {
        return broken("RFC 5280 4.1.2.4", "an issuer without a name");
    }
    match (&certificate.extensions().alt_names, certificate.subject().is_empty()) {
        (None, true) => broken("RFC 5280 4.1.2.6", "a certificate about nobody"),
        (Some(names), true) if !names.critical => {
            broken("RFC 5280 4.2.1.6", "subjectAltName is not critical, though the subject is empty")
        }
        _ => Ok(()),
    }
}

/// RFC 5280 4.2.1.9 and 4.2.1.10: what cA, keyCertSign, pathLenConstraint and nameConstraints have to do with each other.
fn authority_rights(certificate: &Certificate) -> Result<(), Refusal> {
    let clause = "RFC 5280 4.2.1.9";
    let extensions = certificate.extensions();
    let constraints = extensions.basic_constraints.as_ref().map(|constraints| constraints.value);
    let is_ca = certificate.is_ca();
    let signs = certificate.key_usage().map(|usage| usage.contains(KeyUsage::KEY_CERT_SIGN));
    if signs == Some(true) && !is_ca {
        return broken(clause, "keyCertSign without cA");
    }
    if is_ca && signs == Some(false) {
        return broken(clause, "cA with a keyUsage that lacks keyCertSign");
    }
    if constraints.is_some_and(|constraints| constraints.path_len.is_some()) && !is_ca {
        return broken(clause, "pathLenConstraint without cA");
    }
    if extensions.name_constraints.is_some() && !is_ca {
        return broken("RFC 5280 4.2.1.10", "nameConstraints of an end entity");
    }
    Ok(())
}

/// Which extensions must, and which must not, be critical.
fn criticality(certificate: &Certificate) -> Result<(), Refusal> {
    let extensions = certificate.extensions();
    if extensions.name_constraints.as_ref().is_some_and(|constraints| !constraints.critical) {
        return broken("RFC 5280 4.2.1.10", "nameConstraints that are not critical");
    }
    if extensions.inhibit_any_policy.as_ref().is_some_and(|inhibit| !inhibit.critical) {
        return broken("RFC 5280 4.2.1.14", "inhibitAnyPolicy that is not critical");
    }
    if extensions.authority_key_id.as_ref().is_some_and(|id| id.critical) {
        return broken("RFC 5280 4.2.1.1", "a critical authorityKeyIdentifier");
    }
    if extensions.subject_key_id.as_ref().is_some_and(|id| id.critical) {
        return broken("RFC 5280 4.2.1.2", "a critical subjectKeyIdentifier");
    }
    if extensions.issuer_urls.as_ref().is_some_and(|access| access.critical) {
        return broken("RFC 5280 4.2.2.1", "a critical authorityInfoAccess");
    }
    Ok(())
}

/// RFC 5280 4.2.1.1: everybody names the issuer's key, save who is his own issuer. That one may, but then truly.
fn key_identifiers(certificate: &Certificate) -> Result<(), Refusal> {
    let clause = "RFC 5280 4.2.1.1";
    let Some(authority) = &certificate.extensions().authority_key_id else {
        return if is_self_signed(certificate) {
            Ok(())
        } else {
            broken(clause, "no authorityKeyIdentifier, though somebody else is the issuer")
        };
    };
    let authority = &authority.value;
    if authority.has_issuer != authority.serial_number.is_some() {
        return broken(clause, "authorityCertIssuer and authorityCertSerialNumber are not both there");
    }
    let Some(key_id) = &authority.key_id else {
        return if certificate.is_self_issued() {
            Ok(())
        } else {
            broken(clause, "authorityKeyIdentifier without an identifier")
        };
    };
    let names_another = certificate.subject_key_id().is_some_and(|own| own != key_id);
    if names_another && is_self_signed(certificate) {
        return broken(clause, "a self-signed certificate that names another key as its issuer's");
    }
    Ok(())
}

/// Whether its own key signed it. The name is asked first, because the signature costs more.
fn is_self_signed(certificate: &Certificate) -> bool {
    certificate.is_self_issued() && certificate.public_key().is_some_and(|key| certificate.is_signed_by(key))
}

/// RFC 9608 section 4: for end entities alone, not critical, and not beside a pointer to revocation.
fn no_revocation(certificate: &Certificate) -> Result<(), Refusal> {
    let extensions = certificate.extensions();
    let Some(no_rev_avail) = &extensions.no_rev_avail else { return Ok(()) };
    if no_rev_avail.critical || certificate.is_ca() || extensions.crl_urls.is_some() {
        return broken("RFC 9608 2", "noRevAvail that is critical, of an authority, or beside cRLDistributionPoints");
    }
    Ok(())
}

fn name_constraints(certificate: &Certificate) -> Result<(), Refusal> {
    match &certificate.extensions().name_constraints {
        Some(listed) => constraints::check_form(&listed.value),
        None => Ok(()),
    }
}

fn broken(clause: &'static str, detail: &str) -> Result<(), Refusal> {
    Err(Refusal::new(Reason::NotConforming, clause, detail))
}
