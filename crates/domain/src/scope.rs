//! Scopes: what a credential may do, as the words of the wire contract and as a set.

use std::fmt;
use std::str::FromStr;

/// One scope in its canonical spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// Read secrets, their history and their share links.
    SecretsRead,
    /// Create, change and delete secrets and share links.
    SecretsWrite,
    /// Read keys, versions and public halves.
    KeysRead,
    /// Create, rotate, import, export and retire keys.
    KeysWrite,
    /// Encrypt, and make data keys.
    Encrypt,
    /// Decrypt, unwrap and rewrap.
    Decrypt,
    /// Sign and compute MACs.
    Sign,
    /// Verify signatures.
    Verify,
    /// Draw entropy.
    QrngRead,
    /// Read and export the audit log.
    AuditRead,
    /// Read API keys.
    ApiKeysRead,
    /// Create, rotate and revoke API keys.
    ApiKeysWrite,
    /// Read certificates and authorities.
    CertificatesRead,
    /// Issue, renew and revoke certificates.
    CertificatesWrite,
    /// Everything inside the tenant.
    Admin,
    /// Tenants, seal and backup of the whole platform. Never implied by `admin`.
    PlatformAdmin,
    /// Read applications and the APIs that tokens are for.
    ApplicationsRead,
    /// Create, change and delete them.
    ApplicationsWrite,
    /// Read end users, their sessions and their history.
    EndUsersRead,
    /// Create, change, block and delete end users.
    EndUsersWrite,
    /// Read roles.
    RolesRead,
    /// Create, change and delete roles.
    RolesWrite,
    /// Read the tenant's own people.
    UsersRead,
    /// Invite, change and remove them.
    UsersWrite,
    /// Read trusts in other issuers.
    TrustsRead,
    /// Create, change and delete them.
    TrustsWrite,
    /// Read tickets for the deploy gate.
    GateRead,
    /// Issue and revoke them.
    GateWrite,
}

/// The text names no scope.
#[derive(Debug, thiserror::Error)]
#[error("unknown scope")]
pub struct UnknownScope;

const NAMES: [(Scope, &str); 28] = [
    (Scope::SecretsRead, "secrets:read"),
    (Scope::SecretsWrite, "secrets:write"),
    (Scope::KeysRead, "keys:read"),
    (Scope::KeysWrite, "keys:write"),
    (Scope::Encrypt, "encrypt"),
    (Scope::Decrypt, "decrypt"),
    (Scope::Sign, "sign"),
    (Scope::Verify, "verify"),
    (Scope::QrngRead, "qrng:read"),
    (Scope::AuditRead, "audit:read"),
    (Scope::ApiKeysRead, "apikeys:read"),
    (Scope::ApiKeysWrite, "apikeys:write"),
    (Scope::CertificatesRead, "certificates:read"),
    (Scope::CertificatesWrite, "certificates:write"),
    (Scope::Admin, "admin"),
    (Scope::PlatformAdmin, "platform:admin"),
    (Scope::ApplicationsRead, "applications:read"),
    (Scope::ApplicationsWrite, "applications:write"),
    (Scope::EndUsersRead, "endusers:read"),
    (Scope::EndUsersWrite, "endusers:write"),
    (Scope::RolesRead, "roles:read"),
    (Scope::RolesWrite, "roles:write"),
    (Scope::UsersRead, "users:read"),
    (Scope::UsersWrite, "users:write"),
    (Scope::TrustsRead, "trusts:read"),
    (Scope::TrustsWrite, "trusts:write"),
    (Scope::GateRead, "gate:read"),
    (Scope::GateWrite, "gate:write"),
];

/// The umbrella of the contract and its other spellings (2.3): the four cryptographic verbs.
const UMBRELLAS: [&str; 3] = ["encryption:write", "encrypt:invoke", "transit:*"];

impl Scope {
    /// Every one of them.
    pub const ALL: &[Self] = &{
        let mut all = [Self::SecretsRead; NAMES.len()];
        let mut place = 0;
        while place < NAMES.len() {
            all[place] = NAMES[place].0;
            place += 1;
        }
        all
    };

    /// The canonical spelling.
    pub fn as_str(self) -> &'static str {
        NAMES[self as usize].1
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u32);

impl Scopes {
    /// The set of exactly these.
    pub fn of(scopes: &[Scope]) -> Self {
        scopes.iter().fold(Self::default(), |set, scope| set.with(*scope))
    }

    fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    /// Whether the set holds `scope`, directly or because the tenant's administrator holds all but the platform's.
    pub fn allows(self, scope: Scope) -> bool {
        let holds = |wanted: Scope| self.0 & (1 << wanted as u8) != 0;
        holds(scope) || (holds(Scope::Admin) && scope != Scope::PlatformAdmin)
    }

    /// Of these, those that `bound` allows; and where `bound` is less than the administrator whom these hold, `bound` itself.
    #[must_use]
    pub fn within(self, bound: Scopes) -> Self {
        NAMES
            .iter()
            .map(|(scope, _)| *scope)
            .filter(|scope| self.allows(*scope) && bound.allows(*scope))
            .fold(Self::default(), Self::with)
    }

    /// Whether everything in `wanted` is allowed by this set: nobody grants what they lack.
    pub fn covers(self, wanted: Scopes) -> bool {
        wanted.iter().all(|scope| self.allows(scope))
    }

    /// Whether nothing is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in canonical order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        NAMES.iter().map(|(scope, _)| *scope).filter(move |scope| self.0 & (1 << *scope as u8) != 0)
    }

    /// Reads scope words, umbrellas and aliases included.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownScope> {
        words.into_iter().try_fold(Self::default(), |set, word| Ok(Self(set.0 | word.parse::<Self>()?.0)))
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    /// One word: a scope, or an umbrella over several.
    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        if UMBRELLAS.contains(&word) {
            return Ok(Self::of(&[Scope::Encrypt, Scope::Decrypt, Scope::Sign, Scope::Verify]));
        }
        let word = if word == "decrypt:invoke" { "decrypt" } else { word };
        NAMES.iter().find(|(_, name)| *name == word).map(|(scope, _)| Self::of(&[*scope])).ok_or(UnknownScope)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if n == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_their_discriminants() {
        for (n, (scope, name)) in NAMES.iter().enumerate() {
            assert_eq!(*scope as usize, n);
            assert_eq!(scope.as_str(), *name);
        }
    }

    #[test]
    fn the_tenant_administrator_is_not_the_platform_administrator() {
        let admin = Scopes::of(&[Scope::Admin]);
        assert!(admin.allows(Scope::SecretsRead));
        assert!(!admin.allows(Scope::PlatformAdmin));
        assert!(!admin.covers(Scopes::of(&[Scope::PlatformAdmin])));
    }

    #[test]
    fn umbrellas_and_aliases_read_as_the_canonical_scopes() {
        for word in UMBRELLAS {
            assert_eq!(word.parse::<Scopes>().unwrap().to_string(), "encrypt decrypt sign verify");
        }
        assert_eq!("decrypt:invoke".parse::<Scopes>().unwrap().to_string(), "decrypt");
        assert!("Secrets:read".parse::<Scopes>().is_err());
    }
}
