//! From a wish to the right to sign: lint, then policy, then a token.
//!
//! [`prepare`] decides everything about a certificate before any key is touched: subject, names, usage and validity. What
//! no certificate here says is left out and told in the warnings, or, for a strict caller, refused. Its result can be
//! spent once, and only by [`IssuanceToken::spend`] does a statement to be signed come into being.

use crypto::algorithm::Algorithm;
use crypto::key::PublicKey;
use crypto::x509::{AltName, DistinguishedName, KeyUsage, Purpose, Role, SerialNumber, SpiffeId, Statement};

use super::lifetime::DAY_S;
use super::names::{Learning, NamePolicy, Standing, derived_identity, is_admitted};
use super::profile::{Identity, Profile};

/// Seconds by which a certificate begins earlier than it is made: clocks differ.
pub const BACKDATING_S: i64 = 60;
/// Names in one certificate at most.
pub const MOST_NAMES: usize = 64;
/// A certificate that lives no longer needs no revocation list (RFC 9608).
pub const SHORT_LIVED_S: i64 = DAY_S;

/// What somebody wants, in whichever dialect they said it.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The subject.
    pub subject: DistinguishedName,
    /// Alternative names.
    pub names: Vec<AltName>,
    /// Bits of keyUsage; the profile's when empty.
    pub usage: KeyUsage,
    /// Purposes; the profile's when empty.
    pub purposes: Vec<Purpose>,
    /// Seconds of life; the profile's when absent.
    pub lifetime_s: Option<i64>,
    /// What happens to what cannot be had.
    pub strictness: Strictness,
}

/// What happens to what a certificate cannot say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// It is left out, and the warnings tell.
    #[default]
    Lenient,
    /// Nothing is issued.
    Strict,
}

/// The authority that shall sign.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its name.
    pub subject: DistinguishedName,
    /// When it ends, in Unix seconds.
    pub not_after_s: i64,
    /// Where its revocation list is found.
    pub crl_url: String,
    /// Where its own certificate is found.
    pub certificate_url: String,
}

/// Everything else that decides.
pub struct Terms<'a> {
    /// The kind of certificate.
    pub profile: &'a Profile,
    /// The tenant's names.
    pub policy: &'a NamePolicy,
    /// The authority.
    pub issuer: &'a Issuer,
    /// The key to be certified.
    pub key: PublicKey,
    /// The new certificate's number.
    pub serial_number: SerialNumber,
    /// Now, in Unix seconds.
    pub now_s: i64,
    /// Whether the caller's limits reach a name.
    pub admits: &'a dyn Fn(&str) -> bool,
    /// Whether the caller's new names are learned.
    pub learning: Learning,
}

/// Why nothing is issued.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The wish contradicts itself or asks for nothing.
    #[error("{0}")]
    Malformed(String),
    /// The profile has no such keys.
    #[error("the profile {profile} certifies no {algorithm} key")]
    Algorithm {
        /// The profile.
        profile: String,
        /// The key's algorithm.
        algorithm: Algorithm,
    },
    /// These names lie outside the policy or the caller's limits.
    #[error("not allowed to be named so: {}", .0.join(", "))]
    Names(Vec<String>),
    /// A strict caller asked for what is not issued, or nothing was left.
    #[error("{}", .0.join(" "))]
    NotIssued(Vec<String>),
    /// The authority ends before anything could begin.
    #[error("the authority has ended")]
    IssuerEnded,
}

/// The right to sign one certificate. It cannot be copied, and spending it takes it away.
#[derive(Debug)]
pub struct IssuanceToken {
    statement: Statement,
    policy: Option<NamePolicy>,
    warnings: Vec<String>,
}

impl IssuanceToken {
    /// What is to be signed, for the record that is written before.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The tenant's policy with the names that were learned; it has to be in force before the certificate is.
    pub fn learned(&self) -> Option<&NamePolicy> {
        self.policy.as_ref()
    }

    /// What was left out or cut, in sentences.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Spends the right.
    pub fn spend(self) -> Statement {
        self.statement
    }
}

/// Decides what is issued.
pub fn prepare(wish: Wish, terms: Terms<'_>) -> Result<IssuanceToken, Refusal> {
    let algorithm = terms.key.algorithm();
    if !terms.profile.algorithms().contains(&algorithm) {
        return Err(Refusal::Algorithm { profile: terms.profile.name().to_owned(), algorithm });
    }
    let names = names(&wish, &terms)?;
    let policy = fenced(&names, &terms)?;
    if terms.profile.identity() == Identity::Required && !names.iter().any(is_uri) {
        let what = "no identity can be made of the names: ask for a DNS name or a SPIFFE id";
        return Err(Refusal::Malformed(what.to_owned()));
    }
    let mut cuts = Cuts::default();
    let usage = usage(wish.usage, &terms, &mut cuts)?;
    let purposes = purposes(&wish.purposes, terms.profile, &mut cuts)?;
    let (not_before, not_after) = validity(wish.lifetime_s, &terms, &mut cuts)?;
    if wish.strictness == Strictness::Strict && !cuts.0.is_empty() {
        return Err(Refusal::NotIssued(cuts.0));
    }
    let is_short_lived = not_after - terms.now_s <= SHORT_LIVED_S;
    let crl_urls = if is_short_lived { Vec::new() } else { vec![terms.issuer.crl_url.clone()] };
    let statement = Statement {
        serial_number: terms.serial_number,
        issuer: terms.issuer.subject.clone(),
        subject: wish.subject,
        not_before,
        not_after,
        key: terms.key,
        role: Role::EndEntity,
        key_usage: usage,
        purposes,
        alt_names: names,
        permitted_dns: Vec::new(),
        policies: Vec::new(),
        no_rev_avail: is_short_lived,
        crl_urls,
        issuer_urls: vec![terms.issuer.certificate_url.clone()],
    };
    Ok(IssuanceToken { statement, policy, warnings: cuts.0 })
}

/// What was left out so far.
#[derive(Default)]
struct Cuts(Vec<String>);

/// All names: those asked for, the common name if it reads as one (whoever still looks there must find nothing that was
/// not checked), and the identity.
fn names(wish: &Wish, terms: &Terms<'_>) -> Result<Vec<AltName>, Refusal> {
    let malformed = |what: &str| Refusal::Malformed(what.to_owned());
    let mut names: Vec<AltName> = Vec::new();
    let common = wish.subject.common_names();
    if common.len() > 1 {
        return Err(malformed("the subject has more than one common name"));
    }
    let common = common.first().and_then(|text| text.parse::<AltName>().ok());
    for name in wish.names.iter().cloned().chain(common) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > MOST_NAMES {
        return Err(Refusal::Malformed(format!("more than {MOST_NAMES} names are asked for")));
    }
    let identities = names.iter().filter(|name| is_uri(name)).count();
    if identities > 1 {
        return Err(malformed("a certificate has one identity: more than one URI is asked for"));
    }
    if identities == 0 && terms.profile.identity() != Identity::None {
        let derived = derived_identity(terms.policy.trust_domain(), &names);
        names.extend(derived.filter(|id| id.parse::<SpiffeId>().is_ok()).map(AltName::Uri));
    }
    if names.is_empty() {
        return Err(malformed("no name is asked for"));
    }
    Ok(names)
}

fn is_uri(name: &AltName) -> bool {
    matches!(name, AltName::Uri(_))
}

/// Checks names against both fences; gives the policy that grew, if it did.
fn fenced(names: &[AltName], terms: &Terms<'_>) -> Result<Option<NamePolicy>, Refusal> {
    let may_learn = terms.learning == Learning::On && terms.policy.learning() == Learning::On;
    let mut grown = None;
    let mut offending = Vec::new();
    for name in names {
        let policy = grown.as_ref().unwrap_or(terms.policy);
        let allowed = match policy.standing(name) {
            Standing::Allowed => true,
            Standing::Unknown if may_learn => policy.with(name).map(|learned| grown = Some(learned)).is_ok(),
            Standing::Unknown | Standing::Never => false,
        };
        if !allowed || !is_admitted(name, terms.admits) {
            offending.push(name.to_string());
        }
    }
    if offending.is_empty() { Ok(grown) } else { Err(Refusal::Names(offending)) }
}

fn usage(asked: KeyUsage, terms: &Terms<'_>, cuts: &mut Cuts) -> Result<KeyUsage, Refusal> {
    let granted = asked.intersection(terms.profile.usage());
    let forbidden = asked.forbidden_for_ml_dsa();
    for name in asked.without(granted).names() {
        let is_forbidden = forbidden.names().any(|other| other == name);
        cuts.0.push(if is_forbidden && terms.key.algorithm().is_ml_dsa() {
            format!("{name} was left out of keyUsage: RFC 9881 section 5 forbids it for ML-DSA keys.")
        } else {
            format!("{name} was left out of keyUsage: the profile {} does not have it.", terms.profile.name())
        });
    }
    match (asked.is_empty(), granted.is_empty()) {
        (true, _) => Ok(terms.profile.usage()),
        (false, false) => Ok(granted),
        (false, true) => Err(Refusal::NotIssued(std::mem::take(&mut cuts.0))),
    }
}

fn purposes(asked: &[Purpose], profile: &Profile, cuts: &mut Cuts) -> Result<Vec<Purpose>, Refusal> {
    if asked.is_empty() {
        return Ok(profile.purposes().to_vec());
    }
    for purpose in asked.iter().filter(|purpose| !profile.purposes().contains(purpose)) {
        cuts.0.push(format!("{purpose} was left out of extKeyUsage: the profile {} does not have it.", profile.name()));
    }
    let granted: Vec<Purpose> = profile.purposes().iter().filter(|purpose| asked.contains(purpose)).copied().collect();
    if granted.is_empty() { Err(Refusal::NotIssued(std::mem::take(&mut cuts.0))) } else { Ok(granted) }
}

fn validity(asked: Option<i64>, terms: &Terms<'_>, cuts: &mut Cuts) -> Result<(i64, i64), Refusal> {
    let longest = terms.profile.max_lifetime_s();
    let asked = asked.unwrap_or_else(|| terms.profile.default_lifetime_s());
    if asked < 1 {
        return Err(Refusal::Malformed("a certificate lives for a second at least".to_owned()));
    }
    if asked > longest {
        cuts.0.push(format!(
            "The lifetime was cut to {}: the profile {} allows no more.",
            hours(longest),
            terms.profile.name()
        ));
    }
    let wanted = terms.now_s.saturating_add(asked.min(longest));
    if terms.issuer.not_after_s <= terms.now_s {
        return Err(Refusal::IssuerEnded);
    }
    if wanted > terms.issuer.not_after_s {
        cuts.0.push("The lifetime was cut to the end of the authority.".to_owned());
    }
    Ok((terms.now_s - BACKDATING_S, wanted.min(terms.issuer.not_after_s)))
}

fn hours(seconds: i64) -> String {
    format!("{} hours", seconds / super::lifetime::HOUR_S)
}

#[cfg(test)]
mod tests;
