//! What a token that was believed says.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::jose::{Claims, Refusal};
use serde_json::Value;

use super::rejected::Rejected;

/// Whom a request comes from, and what they may do here.
#[derive(Clone, Debug)]
pub struct Access {
    claims: Claims,
    subject: String,
    client_id: String,
    scope: String,
    expires_at_s: u64,
}

impl Access {
    /// Of claims whose issuer, audience and times were checked. What RFC 9068 (2.2) requires has to be there.
    pub(super) fn of(claims: Claims) -> Result<Self, Rejected> {
        let (subject, client_id) = (claims.required("sub")?.to_owned(), claims.required("client_id")?.to_owned());
        claims.required("jti")?;
        claims.time_s("iat")?.ok_or(Refusal::Claim("iat"))?;
        let expires_at_s = claims.time_s("exp")?.ok_or(Refusal::Claim("exp"))?;
        let scope = claims.text("scope")?.unwrap_or_default().to_owned();
        Ok(Self { claims, subject, client_id, scope, expires_at_s })
    }

    /// Whom the token is about: a person's id, or a client's own name when it acts for itself.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The client that the token was issued to.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Whether a client acts for itself, and for nobody.
    pub fn is_client_itself(&self) -> bool {
        self.subject == self.client_id
    }

    /// Whether the token allows this.
    pub fn allows(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|word| word == scope)
    }

    /// Refuses what the token does not allow.
    pub fn must_allow(&self, scope: &str) -> Result<(), Rejected> {
        if self.allows(scope) { Ok(()) } else { Err(Rejected::Scope(scope.to_owned())) }
    }

    /// The roles of the person.
    pub fn roles(&self) -> Vec<&str> {
        match self.claim("role") {
            Some(Value::Array(roles)) => roles.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(role)) => vec![role],
            _ => Vec::new(),
        }
    }

    /// When the token ends, in seconds since 1970.
    pub fn expires_at_s(&self) -> u64 {
        self.expires_at_s
    }

    /// Any other claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.members().get(name)
    }

    /// Refuses a token that is bound to what the request did not show. A way of binding that is not known here binds all the same.
    pub(super) fn must_be_shown_by(&self, certificate: Option<&[u8; 32]>) -> Result<(), Rejected> {
        let Some(bound) = self.claim("cnf") else { return Ok(()) };
        let shown = certificate.map(|fingerprint| URL_SAFE_NO_PAD.encode(fingerprint));
        let is_holder = bound.as_object().is_some_and(|members| {
            members.len() == 1 && shown.is_some() && members.get("x5t#S256").and_then(Value::as_str) == shown.as_deref()
        });
        if is_holder { Ok(()) } else { Err(Rejected::Bound) }
    }
}
