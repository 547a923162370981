//! Whom an access token is for, which decides its form and how long it lives (RFC 8707).

use super::application::TokenFormat;
use super::claims::Audience;
use super::grant::TOKEN_S;
use super::oauth_scope::{ABOUT_PEOPLE, OauthScope};

/// A request names no more APIs.
pub const RESOURCES_MAX: usize = 10;

/// An API that tokens are for, as its owner registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// What tokens call it.
    pub identifier: String,
    /// The form of its tokens.
    pub format: TokenFormat,
    /// Seconds its tokens live at most.
    pub lifetime_s: i64,
    /// What can be allowed there; anything when there is nothing.
    pub scopes: Vec<String>,
}

/// Whom a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// It.
    pub audience: Audience,
    /// The token's form.
    pub format: TokenFormat,
    /// Seconds it lives.
    pub lifetime_s: i64,
    /// What it allows.
    pub scope: OauthScope,
}

/// An API was named that the application may not have tokens for, or APIs whose tokens cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// Not one of the application's.
    #[error("the application may not ask for tokens for this resource")]
    NotAllowed,
    /// More than a request names.
    #[error("too many resources")]
    TooMany,
    /// Different forms.
    #[error("the resources want tokens of different forms: ask for one at a time")]
    Different,
}

/// Decides for the resources that were asked for. Without any, the token is for the application itself and of its own form.
pub fn choose(
    client_id: &str,
    own_format: TokenFormat,
    asked: &[String],
    may: impl Fn(&str) -> bool,
    apis: &[Api],
    scope: &OauthScope,
) -> Result<Target, BadTarget> {
    if asked.is_empty() {
        let audience = Audience::One(client_id.to_owned());
        return Ok(Target { audience, format: own_format, lifetime_s: TOKEN_S, scope: scope.clone() });
    }
    if asked.len() > RESOURCES_MAX {
        return Err(BadTarget::TooMany);
    }
    if !asked.iter().all(|resource| may(resource)) {
        return Err(BadTarget::NotAllowed);
    }
    let known: Vec<&Api> = asked.iter().filter_map(|name| apis.iter().find(|api| &api.identifier == name)).collect();
    let mut formats = known.iter().map(|api| api.format);
    let format = formats.next().unwrap_or(own_format);
    let is_mixed = known.len() < asked.len() && format != own_format;
    if is_mixed || formats.any(|other| other != format) {
        return Err(BadTarget::Different);
    }
    let lifetime_s = known.iter().map(|api| api.lifetime_s).min().unwrap_or(TOKEN_S).clamp(1, TOKEN_S);
    let is_open = known.len() < asked.len() || known.iter().any(|api| api.scopes.is_empty());
    let is_known = |word: &str| known.iter().any(|api| api.scopes.iter().any(|scope| scope == word));
    let scope = scope.among(|word| is_open || ABOUT_PEOPLE.contains(&word) || is_known(word));
    Ok(Target { audience: Audience::of(asked.to_vec()), format, lifetime_s, scope })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(identifier: &str, format: TokenFormat, scopes: &[&str]) -> Api {
        let scopes = scopes.iter().map(|word| (*word).to_owned()).collect();
        Api { identifier: identifier.into(), format, lifetime_s: 120, scopes }
    }

    fn chosen(asked: &[&str]) -> Result<Target, BadTarget> {
        let apis = [
            api("urn:a", TokenFormat::Opaque, &["a:read"]),
            api("urn:b", TokenFormat::Jwt, &[]),
            api("urn:c", TokenFormat::Jwt, &["c:read"]),
        ];
        let asked: Vec<String> = asked.iter().map(|text| (*text).to_owned()).collect();
        let scope = OauthScope::of(["openid", "a:read", "c:read"]);
        choose("client", TokenFormat::Jwt, &asked, |name| name != "urn:forbidden", &apis, &scope)
    }

    #[test]
    fn the_api_decides_the_form_and_what_its_tokens_allow() {
        let none = chosen(&[]).unwrap();
        assert_eq!((none.audience.has("client"), none.format, none.lifetime_s), (true, TokenFormat::Jwt, TOKEN_S));
        let opaque = chosen(&["urn:a"]).unwrap();
        assert_eq!((opaque.format, opaque.lifetime_s), (TokenFormat::Opaque, 120));
        assert_eq!(opaque.scope.to_string(), "openid a:read");
        assert_eq!(chosen(&["urn:unknown"]).unwrap().scope.to_string(), "openid a:read c:read");
        assert_eq!(chosen(&["urn:b", "urn:c"]).unwrap().audience.names().count(), 2);
    }

    #[test]
    fn what_may_not_be_asked_for_or_cannot_be_one_token_is_refused() {
        assert_eq!(chosen(&["urn:forbidden"]), Err(BadTarget::NotAllowed));
        assert_eq!(chosen(&["urn:a", "urn:b"]), Err(BadTarget::Different));
        assert_eq!(chosen(&["urn:a", "urn:unknown"]), Err(BadTarget::Different));
    }
}
