//! What an access token says (RFC 9068). A JWT carries it in the open, an opaque token has it sealed in its row; nobody reads it from a token that was not verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::oauth_scope::OauthScope;
use crate::ids::{AccountId, GrantId, TrustId};
use crate::time::{SECOND_MS, Timestamp};

/// Actors behind one another in a token (RFC 8693, 4.1).
pub const ACTORS_MAX: usize = 4;

/// Whom a token is for: one, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    /// These.
    pub fn of(mut names: Vec<String>) -> Self {
        match names.len() {
            1 => Self::One(names.pop().unwrap_or_default()),
            _ => Self::Many(names),
        }
    }

    /// Whether a name is among them.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::One(name) => (Some(name), [].as_slice()),
            Self::Many(names) => (None, names.as_slice()),
        };
        one.into_iter().chain(many).map(String::as_str)
    }
}

/// What a token is bound to (RFC 8705, 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The thumbprint of the client's certificate.
    #[serde(rename = "x5t#S256")]
    pub thumbprint: String,
}

/// Who acts for whom the token is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Who.
    pub sub: String,
    /// Who acted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// How many act behind one another.
    pub fn depth(&self) -> usize {
        1 + self.act.as_ref().map_or(0, |act| act.depth())
    }
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is about: a person's id, or an application's own name.
    pub sub: String,
    /// Whom it is for.
    pub aud: Audience,
    /// To whom it was issued.
    pub client_id: String,
    /// Second of its issue.
    pub iat: i64,
    /// Second of its end.
    pub exp: i64,
    /// Its name: sixteen random bytes, and two that say in which millisecond of its second it was issued.
    pub jti: String,
    /// What it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The session it began in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Second in which the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How sure is who it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By what (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The person's roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub role: Vec<String>,
    /// What it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Who acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// The names of the tokens that it was exchanged from, the last first: it ends with each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanged_from: Vec<String>,
    /// What signed the token of another issuer that was given for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_alg: Option<String>,
    /// The trust by which that issuer was believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustId>,
    /// The grant it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<GrantId>,
}

impl AccessClaims {
    /// The person it is about, if it is about one: then it belongs to a grant.
    pub fn account(&self) -> Option<AccountId> {
        self.gid.and_then(|_| self.sub.parse().ok())
    }

    /// When it was issued, to the millisecond: what is revoked in the same second is dead, and what is issued after that is not.
    pub fn issued_at(&self) -> Timestamp {
        let millis = name_bytes(&self.jti).map_or(0, |jti| i64::from(u16::from_be_bytes([jti[16], jti[17]])));
        Timestamp::from_millis(self.iat.saturating_mul(SECOND_MS).saturating_add(millis.min(SECOND_MS - 1)))
    }

    /// When it ends.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.exp.saturating_mul(SECOND_MS))
    }

    /// The applications beside its own that it hangs on, when it was exchanged: whoever acted before, and who it is about if that is not a
    /// person.
    pub fn behind(&self) -> impl Iterator<Item = &str> {
        let is_about_application = self.gid.is_none() && self.trust.is_none();
        let acting = std::iter::successors(self.act.as_ref(), |actor| actor.act.as_deref());
        let named =
            acting.map(|actor| actor.sub.as_str()).chain(Some(self.sub.as_str()).filter(|_| is_about_application));
        named.filter(|name| *name != self.client_id)
    }

    /// Under what it is revoked by itself.
    pub fn revocation_key(&self) -> Option<[u8; 16]> {
        revocation_key(&self.jti)
    }

    /// Under what the tokens are revoked that it was exchanged from; `None` for what is no name of a token.
    pub fn revocation_keys_behind(&self) -> impl Iterator<Item = Option<[u8; 16]>> {
        self.exchanged_from.iter().map(|name| revocation_key(name))
    }

    /// What it allows.
    pub fn scopes(&self) -> OauthScope {
        self.scope.as_deref().and_then(|text| OauthScope::parse(text).ok()).unwrap_or_default()
    }
}

fn revocation_key(name: &str) -> Option<[u8; 16]> {
    name_bytes(name)?.first_chunk().copied()
}

fn name_bytes(name: &str) -> Option<[u8; 18]> {
    URL_SAFE_NO_PAD.decode(name).ok()?.try_into().ok()
}

/// A token's name.
pub fn token_name(random: [u8; 16], issued_at: Timestamp) -> String {
    let millis = u16::try_from(issued_at.millis().rem_euclid(SECOND_MS)).unwrap_or_default();
    let mut bytes = random.to_vec();
    bytes.extend_from_slice(&millis.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_name_remembers_its_millisecond() {
        let issued_at = Timestamp::from_millis(1_700_000_000_123);
        let claims = AccessClaims {
            iss: "https://id.example".into(),
            sub: "6fa459ea-ee8a-4ca4-894e-db77e160355e".into(),
            aud: Audience::of(vec!["api".into()]),
            client_id: "app".into(),
            iat: issued_at.seconds(),
            exp: issued_at.seconds() + 600,
            jti: token_name([7; 16], issued_at),
            scope: Some("openid api:read".into()),
            sid: None,
            auth_time: None,
            acr: None,
            amr: Vec::new(),
            role: Vec::new(),
            cnf: None,
            act: None,
            exchanged_from: Vec::new(),
            upstream_alg: None,
            trust: None,
            gid: Some(GrantId::from_bytes([3; 16])),
        };
        assert_eq!((claims.issued_at(), claims.revocation_key()), (issued_at, Some([7; 16])));
        assert!(claims.account().is_some() && claims.aud.has("api") && claims.scopes().has("api:read"));
        let text = serde_json::to_string(&claims).unwrap();
        assert!(text.contains("\"aud\":\"api\"") && !text.contains("null"), "{text}");
        assert_eq!(serde_json::from_str::<AccessClaims>(&text).unwrap(), claims);
        assert_eq!(claims.behind().count(), 0);
        let before = Actor { sub: "gateway".into(), act: None };
        let acting = Actor { sub: "app".into(), act: Some(Box::new(before)) };
        let exchanged_from = vec![token_name([8; 16], issued_at), "no name".into()];
        let exchanged = AccessClaims { act: Some(acting), exchanged_from, ..claims };
        assert_eq!(exchanged.behind().collect::<Vec<_>>(), ["gateway"]);
        assert_eq!(exchanged.revocation_keys_behind().collect::<Vec<_>>(), [Some([8; 16]), None]);
        let service = AccessClaims { gid: None, sub: "shop".into(), ..exchanged };
        assert_eq!(service.behind().collect::<Vec<_>>(), ["gateway", "shop"]);
    }
}
