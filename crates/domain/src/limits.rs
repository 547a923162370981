//! Resource limits: the named resources a credential is confined to, besides its scopes.
//!
//! A limit is spelled `kind:pattern`: an identifier, a name, or a prefix ending in `*`
//! (`secrets:users-api/*`, `keys:7c3a1f9d-4e2b-8a6c-0f5d-3b9e1c7a4f2d`). The names in certificates read from right to
//! left, so theirs can also be everything below a domain (`certificates:*.payments.svc.cluster.local`). A credential without limits reaches every
//! resource of its scopes; one with limits reaches only what they name, and nothing of a kind they do not name.
//!
//! A credential can also be bound to an [`Environment`]. Certificates belong to none, so one that is bound reaches only
//! those names that its limits give it.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::environment::Environment;

/// The kinds of resource a credential can be confined within.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Secrets, by id, name or name prefix.
    Secrets,
    /// Named keys, by id, name or name prefix.
    Keys,
    /// The names in certificates: DNS names, addresses, SPIFFE identities, each whole, by prefix or below a domain.
    Certificates,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    Prefix(String),
    /// Everything that ends in this, which begins with a dot.
    Below(String),
}

/// One confinement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    kind: Kind,
    pattern: Pattern,
}

/// All confinements of a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    entries: Vec<Limit>,
    environment: Option<Environment>,
}

/// The text is not `secrets:PATTERN`, `keys:PATTERN` or `certificates:PATTERN` with a non-empty pattern whose only `*`
/// is its last character, or for certificates its first before a dot.
#[derive(Debug, thiserror::Error)]
#[error("not a resource limit of the form secrets:PATTERN, keys:PATTERN or certificates:PATTERN")]
pub struct BadLimit;

impl Limits {
    /// Confinement to exactly these; none means unconfined.
    pub fn new(entries: Vec<Limit>) -> Self {
        Self { entries, environment: None }
    }

    /// The same, bound to an environment.
    #[must_use]
    pub fn within(self, environment: Option<Environment>) -> Self {
        Self { environment, ..self }
    }

    /// What the credential is bound to.
    pub fn environment(&self) -> Option<&Environment> {
        self.environment.as_ref()
    }

    /// Whether a resource of this kind, id, name and labels may be reached. The labels are a JSON array of texts.
    pub fn admit(&self, kind: Kind, id: Uuid, name: &str, labels: &str) -> bool {
        let is_labelled = kind != Kind::Certificates;
        self.reaches(kind, |pattern| pattern.matches(id, name))
            && (!is_labelled || self.environment.as_ref().is_none_or(|bound| bound.owns(labels)))
    }

    /// Whether a resource of this kind that does not exist yet may be made under this name.
    pub fn admit_new(&self, kind: Kind, name: &str) -> bool {
        self.reaches(kind, |pattern| pattern.matches_name(name))
    }

    /// Whether the credential is not confined at all.
    pub fn is_unlimited(&self) -> bool {
        self.entries.is_empty() && self.environment.is_none()
    }

    /// Whether every one of the limits of `inner` lies within these: nobody grants what they lack.
    pub fn cover(&self, inner: &Limits) -> bool {
        let covered = |limit: &Limit| {
            self.entries.iter().any(|own| own.covers(limit)) || (self.entries.is_empty() && self.is_open_to(limit.kind))
        };
        (self.entries.is_empty() || !inner.entries.is_empty()) && inner.entries.iter().all(covered)
    }

    /// Whether who has `inner` is bound at least as these are.
    pub fn bind(&self, inner: &Limits) -> bool {
        self.environment.as_ref().is_none_or(|own| inner.environment.as_ref() == Some(own))
    }

    fn reaches(&self, kind: Kind, matches: impl Fn(&Pattern) -> bool) -> bool {
        let named = || self.entries.iter().any(|limit| limit.kind == kind && matches(&limit.pattern));
        (self.entries.is_empty() && self.is_open_to(kind)) || named()
    }

    /// Whether a kind is open where no limit names anything.
    fn is_open_to(&self, kind: Kind) -> bool {
        self.environment.is_none() || kind != Kind::Certificates
    }

    /// The limits in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Limit> {
        self.entries.iter()
    }
}

impl Pattern {
    fn matches_name(&self, name: &str) -> bool {
        match self {
            Self::Exactly(text) => text == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
            Self::Below(domain) => name.len() > domain.len() && name.ends_with(domain.as_str()),
        }
    }

    fn matches(&self, id: Uuid, name: &str) -> bool {
        let is_id = || matches!(self, Self::Exactly(text) if Uuid::parse_str(text).is_ok_and(|own| own == id));
        self.matches_name(name) || is_id()
    }
}

impl Limit {
    /// Confinement to one certificate name exactly.
    pub fn to_certificate_name(name: String) -> Self {
        Self { kind: Kind::Certificates, pattern: Pattern::Exactly(name) }
    }

    fn covers(&self, inner: &Limit) -> bool {
        self.kind == inner.kind
            && match (&self.pattern, &inner.pattern) {
                (own, Pattern::Exactly(other)) => own.matches_name(other),
                (Pattern::Prefix(own), Pattern::Prefix(other)) => other.starts_with(own.as_str()),
                (Pattern::Below(own), Pattern::Below(other)) => other.ends_with(own.as_str()),
                // Everything is below the empty prefix.
                (Pattern::Prefix(own), Pattern::Below(_)) => own.is_empty(),
                (Pattern::Exactly(_) | Pattern::Below(_), _) => false,
            }
    }
}

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let (kind, pattern) = text.split_once(':').ok_or(BadLimit)?;
        let kind = match kind {
            "secrets" => Kind::Secrets,
            "keys" => Kind::Keys,
            "certificates" => Kind::Certificates,
            _ => return Err(BadLimit),
        };
        if kind == Kind::Certificates {
            return Ok(Self { kind, pattern: certificate_pattern(pattern)? });
        }
        let prefix = pattern.strip_suffix('*');
        if pattern.is_empty() || prefix.unwrap_or(pattern).contains('*') {
            return Err(BadLimit);
        }
        let pattern =
            prefix.map_or_else(|| Pattern::Exactly(pattern.to_owned()), |prefix| Pattern::Prefix(prefix.to_owned()));
        Ok(Self { kind, pattern })
    }
}

/// Names in certificates compare without regard to case, so they are kept in lower case; a path of a SPIFFE identity is
/// the exception (SPIFFE ID, 2.2) and stays as it is.
fn certificate_pattern(text: &str) -> Result<Pattern, BadLimit> {
    let text = if text.starts_with("spiffe://") { text.to_owned() } else { text.to_ascii_lowercase() };
    let below = text.strip_prefix('*').filter(|rest| rest.starts_with('.') && rest.len() > 1);
    let prefix = text.strip_suffix('*');
    if text.is_empty() || below.or(prefix).unwrap_or(&text).contains('*') {
        return Err(BadLimit);
    }
    Ok(match (below, prefix) {
        (Some(domain), _) => Pattern::Below(domain.to_owned()),
        (None, Some(prefix)) => Pattern::Prefix(prefix.to_owned()),
        (None, None) => Pattern::Exactly(text),
    })
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Secrets => "secrets",
            Kind::Keys => "keys",
            Kind::Certificates => "certificates",
        };
        match &self.pattern {
            Pattern::Exactly(text) => write!(f, "{kind}:{text}"),
            Pattern::Prefix(prefix) => write!(f, "{kind}:{prefix}*"),
            Pattern::Below(domain) => write!(f, "{kind}:*{domain}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(texts: &[&str]) -> Limits {
        Limits::new(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn a_limit_admits_its_id_its_name_and_its_prefix_and_nothing_else() {
        let id = Uuid::from_u128(7);
        for (texts, admitted) in [
            (&[][..], true),
            (&["secrets:users-api/*"], true),
            (&["secrets:users-api/db"], true),
            (&["secrets:00000000-0000-0000-0000-000000000007"], true),
            (&["secrets:users-ap"], false),
            (&["secrets:00000000-0000-0000-0000-000000000008"], false),
            (&["keys:users-api/*"], false),
            (&["secrets:other/*", "secrets:users-api/d*"], true),
        ] {
            assert_eq!(limits(texts).admit(Kind::Secrets, id, "users-api/db", "[]"), admitted, "{texts:?}");
        }
    }

    #[test]
    fn nobody_grants_beyond_their_own_limits() {
        let own = limits(&["secrets:users-api/*"]);
        assert!(own.cover(&limits(&["secrets:users-api/db"])));
        assert!(own.cover(&limits(&["secrets:users-api/db/*"])));
        assert!(!own.cover(&limits(&["secrets:users*"])));
        assert!(!own.cover(&limits(&["keys:users-api/*"])));
        assert!(!own.cover(&Limits::default()), "an unconfined key is more than a confined one");
        assert!(Limits::default().cover(&own));
    }

    #[test]
    fn names_in_certificates_are_limited_whole_by_prefix_and_below_a_domain() {
        let admits = |limit: &str, name: &str| limits(&[limit]).admit_new(Kind::Certificates, name);
        for (limit, name, admitted) in [
            ("certificates:users-api", "users-api", true),
            ("certificates:Users-API", "users-api", true),
            ("certificates:users-api", "users-api.evil", false),
            ("certificates:*.pay.svc", "a.pay.svc", true),
            ("certificates:*.pay.svc", "pay.svc", false),
            ("certificates:*.pay.svc", ".pay.svc", false),
            ("certificates:*.pay.svc", "a.repay.svc", false),
            ("certificates:spiffe://td/ns/pay/*", "spiffe://td/ns/pay/sa/a", true),
            ("certificates:spiffe://td/ns/pay/*", "spiffe://td/ns/payroll/sa/a", false),
            ("keys:users-api", "users-api", false),
        ] {
            assert_eq!(admits(limit, name), admitted, "{limit} {name}");
        }
        let below = limits(&["certificates:*.svc"]);
        assert!(below.cover(&limits(&["certificates:*.pay.svc", "certificates:a.svc"])));
        assert!(!below.cover(&limits(&["certificates:a*"])));
        assert!(!below.cover(&limits(&["certificates:*.com"])));
        assert_eq!(limits(&["certificates:*.svc"]).iter().next().unwrap().to_string(), "certificates:*.svc");
        for text in ["certificates:", "certificates:a*b", "certificates:*.*", "certificates:*a.b", "secrets:*.b"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    #[test]
    fn who_is_bound_to_an_environment_reaches_what_belongs_to_it() {
        let bound = |texts: &[&str]| limits(texts).within(Some("staging".parse().unwrap()));
        let (id, own, other) = (Uuid::from_u128(7), r#"["environment:staging"]"#, r#"["environment:production"]"#);
        for (texts, kind, labels, admitted) in [
            (&[][..], Kind::Secrets, own, true),
            (&[], Kind::Keys, own, true),
            (&[], Kind::Secrets, other, false),
            (&[], Kind::Secrets, "[]", false),
            (&["secrets:a/*"], Kind::Secrets, own, true),
            (&["secrets:b/*"], Kind::Secrets, own, false),
            (&["secrets:a/*"], Kind::Keys, own, false),
            // Certificates have no labels: a limit has to name them.
            (&[], Kind::Certificates, "[]", false),
            (&["certificates:a/*"], Kind::Certificates, "[]", true),
        ] {
            assert_eq!(bound(texts).admit(kind, id, "a/b", labels), admitted, "{texts:?} {kind:?} {labels}");
        }
        assert!(!bound(&[]).is_unlimited());
        // Nobody hands on what they lack, nor gets rid of what binds them.
        assert!(bound(&[]).bind(&bound(&["secrets:a"])) && limits(&[]).bind(&bound(&[])));
        assert!(!bound(&[]).bind(&limits(&[])) && !bound(&[]).bind(&limits(&[]).within(Some("x".parse().unwrap()))));
        assert!(bound(&[]).cover(&bound(&["secrets:a"])) && !bound(&[]).cover(&bound(&["certificates:a"])));
        assert!(bound(&["certificates:a"]).cover(&bound(&["certificates:a"])));
    }

    #[test]
    fn malformed_limits_are_refused() {
        for text in ["", "secrets", "secrets:", "secret:x", "secrets:a*b", "secrets:**"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
        assert_eq!("keys:*".parse::<Limit>().unwrap().to_string(), "keys:*");
    }
}
