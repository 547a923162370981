//! Applications: OAuth clients, what each kind of them is, and what they may be set to.

mod settings;

use std::fmt;

use super::words::words;
pub use settings::{Branding, Settings, check_scopes};

words! {
    /// What kind of program an application is (contract 4.8). Fixed when it is registered: it decides whether there is a secret to keep.
    Kind {
        /// Runs in a browser.
        Spa = "SPA",
        /// Runs on a server and signs people in.
        WebApp = "WebApp",
        /// Is installed on somebody's machine.
        NativeApp = "NativeApp",
        /// A service that acts for itself.
        MachineToMachine = "MachineToMachine",
        /// Acts for somebody who is not there.
        Agent = "Agent",
    }
    /// Where it runs. In production, addresses on this machine are not taken.
    Environment {
        /// On a developer's machine.
        Development = "Development",
        /// Before customers.
        Staging = "Staging",
        /// With customers.
        Production = "Production",
    }
    /// Whether it is there.
    State {
        /// It is.
        Active = "active",
        /// Deleted; kept so that the audit log can name it.
        Deleted = "deleted",
    }
    /// How it proves who it is at the token endpoint.
    ClientAuth {
        /// Not at all: a public client, which has PKCE.
        None = "none",
        /// By a secret.
        Secret = "secret",
        /// By an assertion signed with its own key (RFC 7523).
        PrivateKeyJwt = "private_key_jwt",
        /// By a certificate of the tenant's authority (RFC 8705).
        TlsClientAuth = "tls_client_auth",
        /// By a token of another issuer that a trust names.
        Federated = "federated",
    }
    /// What it may ask the token endpoint for.
    GrantType {
        /// A code from the authorization endpoint.
        AuthorizationCode = "authorization_code",
        /// New tokens for old.
        RefreshToken = "refresh_token",
        /// Tokens for itself.
        ClientCredentials = "client_credentials",
        /// A code that somebody types on another device (RFC 8628).
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
        /// A token for a token (RFC 8693).
        TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange",
        /// A token for another issuer's assertion (RFC 7523).
        JwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer",
    }
    /// The form of access tokens.
    TokenFormat {
        /// RFC 9068: whoever has the keys can read it.
        Jwt = "jwt",
        /// Only this server can.
        Opaque = "opaque",
    }
    /// What signs ID tokens. An administrator chooses, never the client.
    IdTokenAlg {
        /// The default.
        MlDsa65 = "ML-DSA-65",
        /// Smaller.
        MlDsa44 = "ML-DSA-44",
        /// Larger.
        MlDsa87 = "ML-DSA-87",
        /// Classical, for programs that cannot verify ML-DSA yet.
        Es256 = "ES256",
        /// Classical.
        Ed25519 = "Ed25519",
    }
    /// Whether people need a second factor. It replaces the tenant's default whole: nothing is merged.
    MfaPolicy {
        /// Nobody is asked.
        Off = "off",
        /// Whoever has one is asked.
        Optional = "optional",
        /// Whoever has none must set one up.
        Required = "required",
    }
    /// Whether people are asked before an application gets tokens on their behalf.
    Consent {
        /// They are.
        Ask = "ask",
        /// They are not: the application belongs to the tenant itself.
        Skip = "skip",
    }
}

impl MfaPolicy {
    /// Whether somebody is asked for a second factor who has one, or none yet.
    pub fn asks(self, has_one: bool) -> bool {
        match self {
            Self::Off => false,
            Self::Optional => has_one,
            Self::Required => true,
        }
    }
}

impl Kind {
    /// Whether it can keep a secret. One that cannot has PKCE alone.
    pub fn is_confidential(self) -> bool {
        matches!(self, Self::WebApp | Self::MachineToMachine)
    }

    /// Whether people sign in to it.
    pub fn signs_people_in(self) -> bool {
        self != Self::MachineToMachine
    }

    /// Whether it is installed, so that its addresses may have a scheme of their own.
    pub fn is_installed(self) -> bool {
        matches!(self, Self::NativeApp | Self::Agent)
    }
}

impl IdTokenAlg {
    /// Whether a quantum computer could forge what it signs.
    pub fn is_classical(self) -> bool {
        matches!(self, Self::Es256 | Self::Ed25519)
    }
}

/// What is wrong with a setting. What was sent is not repeated: somebody may have put a secret there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct BadSetting {
    /// The setting, as the wire calls it; with the place of the entry in a list.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl BadSetting {
    fn new(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { field: field.into(), reason: reason.to_string() }
    }
}

/// The longest name of an application.
pub const NAME_MAX: usize = 200;

/// The name of an application: 1 to 200 characters without control characters.
pub fn check_name(text: &str) -> Result<&str, BadSetting> {
    let name = text.trim();
    match name.chars().count() {
        0 => Err(BadSetting::new("name", "must not be empty")),
        n if n > NAME_MAX => Err(BadSetting::new("name", format!("must have at most {NAME_MAX} characters"))),
        _ if name.chars().any(char::is_control) => Err(BadSetting::new("name", "must not hold control characters")),
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case_and_written_in_one() {
        assert_eq!("spa".parse(), Ok(Kind::Spa));
        assert_eq!("machinetomachine".parse::<Kind>().map(Kind::as_str), Ok("MachineToMachine"));
        assert!("Robot".parse::<Kind>().is_err());
        assert_eq!(serde_json::to_string(&IdTokenAlg::MlDsa65).unwrap(), "\"ML-DSA-65\"");
    }

    #[test]
    fn names_have_a_length_and_no_control_characters() {
        assert_eq!(check_name("  Users portal "), Ok("Users portal"));
        for bad in ["", "  ", "a\u{7}b", &"a".repeat(201)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
