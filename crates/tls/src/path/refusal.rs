//! Why a certificate is refused: a word for programs, a clause for auditors, a sentence for people.

use std::fmt;

use crypto::x509::{Certificate, Malformed};

/// Why a certificate is refused, in a word that programs may rely on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// A certificate or list is not one.
    Malformed,
    /// A certificate breaks a rule of the standard it follows.
    NotConforming,
    /// No path leads to an anchor.
    NoPath,
    /// A signature is not its issuer's.
    BadSignature,
    /// A path would be deeper than allowed.
    TooDeep,
    /// Finding a path would take more work than allowed.
    TooMuchWork,
    /// Before its time.
    NotYetValid,
    /// After its time.
    Expired,
    /// An issuer is no authority.
    NotAnAuthority,
    /// An authority forbids so many authorities after it.
    PathTooLong,
    /// A key is used for what its keyUsage does not say.
    WrongKeyUsage,
    /// An ML-DSA key with a usage that RFC 9881 forbids.
    ForbiddenKeyUsage,
    /// A certificate is not for this purpose.
    WrongPurpose,
    /// An algorithm below the floor, or none of ours.
    AlgorithmRefused,
    /// A critical extension that is not understood.
    UnknownCriticalExtension,
    /// A name outside what an authority may vouch for.
    NameConstraint,
    /// The peer has another name.
    WrongName,
    /// The certificate is on a revocation list.
    Revoked,
    /// Revocation lists were given, and none that holds speaks of this certificate.
    RevocationUnknown,
    /// The certificate is on the deny list.
    Denied,
    /// A rule of the pedantic tier.
    Pedantic,
}

impl Reason {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Malformed,
        Self::NotConforming,
        Self::NoPath,
        Self::BadSignature,
        Self::TooDeep,
        Self::TooMuchWork,
        Self::NotYetValid,
        Self::Expired,
        Self::NotAnAuthority,
        Self::PathTooLong,
        Self::WrongKeyUsage,
        Self::ForbiddenKeyUsage,
        Self::WrongPurpose,
        Self::AlgorithmRefused,
        Self::UnknownCriticalExtension,
        Self::NameConstraint,
        Self::WrongName,
        Self::Revoked,
        Self::RevocationUnknown,
        Self::Denied,
        Self::Pedantic,
    ];

    /// The word. It never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotConforming => "not_conforming",
            Self::NoPath => "no_path",
            Self::BadSignature => "bad_signature",
            Self::TooDeep => "too_deep",
            Self::TooMuchWork => "too_much_work",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::NotAnAuthority => "not_an_authority",
            Self::PathTooLong => "path_too_long",
            Self::WrongKeyUsage => "wrong_key_usage",
            Self::ForbiddenKeyUsage => "forbidden_key_usage",
            Self::WrongPurpose => "wrong_purpose",
            Self::AlgorithmRefused => "algorithm_refused",
            Self::UnknownCriticalExtension => "unknown_critical_extension",
            Self::NameConstraint => "name_constraint",
            Self::WrongName => "wrong_name",
            Self::Revoked => "revoked",
            Self::RevocationUnknown => "revocation_unknown",
            Self::Denied => "denied",
            Self::Pedantic => "pedantic",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal: the reason, the clause behind it, what was found, and of which certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The reason in a word.
    pub reason: Reason,
    /// The clause that is not met.
    pub clause: &'static str,
    /// What was found.
    pub detail: String,
    /// Of whom: the certificate's subject and serial number. Empty when it is not one certificate's.
    pub subject: String,
}

impl Refusal {
    /// A refusal that is nobody's in particular.
    pub fn new(reason: Reason, clause: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, clause, detail: detail.into(), subject: String::new() }
    }

    /// The same, of this certificate.
    pub fn of(mut self, certificate: &Certificate) -> Self {
        if self.subject.is_empty() {
            self.subject = format!("{} (serial {})", certificate.subject(), certificate.serial_number());
        }
        self
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::new(Reason::Malformed, malformed.clause, malformed.what)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.reason, self.detail, self.clause)?;
        if self.subject.is_empty() { Ok(()) } else { write!(f, " in {}", self.subject) }
    }
}

impl std::error::Error for Refusal {}
