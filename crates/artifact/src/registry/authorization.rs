//! How we prove to a registry who we are (RFC 9110 section 11, and the token scheme of the distribution specification).
//!
//! A registry that wants to know us answers 401 and says how. From then on we come with what it asked for: a name and a
//! password, or a token for just this repository, from the place that it named. Tokens are kept until shortly before their end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use form_urlencoded::Serializer;
use http::HeaderValue;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::credentials::{Credential, Keychain};
use super::error::Error;
use crate::json;
use crate::reference::Repository;

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access<'r> {
    Pull,
    Push,
    /// To write, taking contents over from another repository of the same registry.
    Mount(&'r Repository),
}

/// How a registry wants to be proved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// A request for a token, which the transport sends.
pub(super) struct TokenRequest {
    pub address: String,
    pub authorization: Option<HeaderValue>,
    /// The form to post; without one the address is read.
    pub form: Option<Zeroizing<String>>,
}

/// What we know of who we are, for every registry.
pub(super) struct Authorizer {
    keychain: Keychain,
    challenges: Mutex<HashMap<String, Challenge>>,
    /// By registry and scope, each behind its own lock: whoever wants a token that is being fetched waits for it.
    slots: Mutex<HashMap<String, Slot>>,
}

/// The header for one scope, and until when it is good.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<(HeaderValue, Instant)>>>;

/// What a token is worth whose end nobody tells (distribution specification, token authentication).
const DEFAULT_SECONDS: u64 = 60;
const LONGEST_SECONDS: u64 = 3_600;
/// A token that ends while the request is under way is of no use.
const MARGIN: Duration = Duration::from_secs(10);
const CLIENT: &str = "qapi";
/// When so many tokens are kept, those that nobody is using are forgotten, and fetched again when they are wanted.
const MOST_SLOTS: usize = 4_096;
pub(super) const LONGEST_ANSWER_BYTES: usize = 64 << 10;

impl Authorizer {
    pub(super) fn new(keychain: Keychain) -> Self {
        Self { keychain, challenges: Mutex::default(), slots: Mutex::default() }
    }

    /// How the registry of this repository wants to be proved to, if it has said so.
    pub(super) fn challenge(&self, repository: &Repository) -> Option<Challenge> {
        let challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.get(repository.api_host()).cloned()
    }

    /// Keeps in mind what a registry has said. The scope is of one request and not kept.
    pub(super) fn learn(&self, repository: &Repository, challenge: &Challenge) {
        let kept = match challenge.clone() {
            Challenge::Bearer { realm, service, .. } => Challenge::Bearer { realm, service, scope: None },
            Challenge::Basic => Challenge::Basic,
        };
        let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.insert(repository.api_host().to_owned(), kept);
    }

    /// Where the header for this use of a repository is kept.
    pub(super) fn slot(&self, repository: &Repository, access: Access<'_>) -> Slot {
        let key = format!("{} {}", repository.api_host(), access.scopes(repository).join(" "));
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST_SLOTS {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(key).or_default())
    }

    /// Our credentials for a repository.
    pub(super) async fn credential(&self, repository: &Repository) -> Result<Option<Credential>, Error> {
        self.keychain.find(repository).await
    }
}

impl Access<'_> {
    fn scopes(self, repository: &Repository) -> Vec<String> {
        let scope = |path: &str, actions: &str| format!("repository:{path}:{actions}");
        match self {
            Access::Pull => vec![scope(repository.path(), "pull")],
            Access::Push => vec![scope(repository.path(), "pull,push")],
            Access::Mount(from) => vec![scope(repository.path(), "pull,push"), scope(from.path(), "pull")],
        }
    }
}

impl Challenge {
    /// The challenge to take among those of the header `WWW-Authenticate`: a token before a password.
    pub(super) fn among<'h>(headers: impl Iterator<Item = &'h HeaderValue>) -> Option<Self> {
        let parsed = headers.filter_map(|header| Self::parse(header.to_str().ok()?));
        let mut basic = None;
        for challenge in parsed {
            match challenge {
                Self::Bearer { .. } => return Some(challenge),
                Self::Basic => basic = Some(challenge),
            }
        }
        basic
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        let parameters = parameters(rest)?;
        let value = |name: &str| parameters.get(name).cloned().filter(|value| !value.is_empty());
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        is_bearer.then_some(())?;
        Some(Self::Bearer { realm: value("realm")?, service: value("service"), scope: value("scope") })
    }

    /// The request for a token of this challenge.
    pub(super) fn token_request(
        &self,
        repository: &Repository,
        access: Access<'_>,
        credential: Option<&Credential>,
    ) -> Option<TokenRequest> {
        let Self::Bearer { realm, service, scope } = self else { return None };
        let mut scopes = access.scopes(repository);
        // A registry may ask for more than we know of; it is its right to have another name for a repository.
        scopes.extend(scope.iter().filter(|scope| !scopes.contains(scope)).cloned().collect::<Vec<_>>());
        if let Some(Credential::Identity(token)) = credential {
            let mut form = Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token").append_pair("client_id", CLIENT);
            form.append_pair("service", service.as_deref().unwrap_or_default());
            form.append_pair("scope", &scopes.join(" ")).append_pair("refresh_token", token);
            let form = Some(Zeroizing::new(form.finish()));
            return Some(TokenRequest { address: realm.clone(), authorization: None, form });
        }
        let mut query = Serializer::new(String::new());
        service.iter().for_each(|service| {
            query.append_pair("service", service);
        });
        scopes.iter().for_each(|scope| {
            query.append_pair("scope", scope);
        });
        let separator = if realm.contains('?') { '&' } else { '?' };
        let address = format!("{realm}{separator}{}", query.finish());
        Some(TokenRequest { address, authorization: credential.and_then(basic), form: None })
    }
}

/// `Basic` with a name and a password (RFC 7617).
pub(super) fn basic(credential: &Credential) -> Option<HeaderValue> {
    let Credential::Password { user, password } = credential else { return None };
    let pair = Zeroizing::new(format!("{user}:{}", **password));
    secret_header(&format!("Basic {}", crate::base64::encode(pair.as_bytes())))
}

/// `Bearer` with a token (RFC 6750).
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    secret_header(&format!("Bearer {token}"))
}

fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The token of an answer, and for how long it may be used.
pub(super) fn token(body: &[u8]) -> Option<(HeaderValue, Duration)> {
    let answer = json::value(body, LONGEST_ANSWER_BYTES).ok()?;
    let text = |name: &str| answer.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    let seconds = answer.get("expires_in").and_then(serde_json::Value::as_u64).unwrap_or(DEFAULT_SECONDS);
    let lasts = Duration::from_secs(seconds.clamp(DEFAULT_SECONDS, LONGEST_SECONDS)).saturating_sub(MARGIN);
    Some((bearer(text("token").or_else(|| text("access_token"))?)?, lasts))
}

/// `name="value", name=value`: commas and escapes may stand in quotes.
fn parameters(text: &str) -> Option<HashMap<String, String>> {
    let mut found = HashMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        found.insert(name.trim().to_ascii_lowercase(), value);
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    Some(found)
}

fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(texts: &[&str]) -> Option<Challenge> {
        let headers: Vec<_> = texts.iter().map(|text| HeaderValue::from_str(text).unwrap()).collect();
        Challenge::among(headers.iter())
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            let (service, scope) = (service.map(str::to_owned), scope.map(str::to_owned));
            Some(Challenge::Bearer { realm: realm.to_owned(), service, scope })
        };
        let both = r#"Bearer realm="https://a.example/t",service="r",scope="repository:a/b:pull,push""#;
        for (texts, expected) in [
            (&[both][..], bearer("https://a.example/t", Some("r"), Some("repository:a/b:pull,push"))),
            (&[r#"bearer realm=https://a.example/t, service=r"#], bearer("https://a.example/t", Some("r"), None)),
            (&["Basic realm=\"r\"", r#"Bearer realm="https://a""#], bearer("https://a", None, None)),
            (&["Basic realm=\"r\""], Some(Challenge::Basic)),
            (&["Basic"], Some(Challenge::Basic)),
            (&["Bearer"], None),
            (&[r#"Bearer realm="unfinished"#], None),
            (&["Negotiate x"], None),
            (&[], None),
        ] {
            assert_eq!(challenge(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn a_token_is_asked_for_with_what_we_have() {
        let repository: Repository = "r.example/team/api".parse().unwrap();
        let challenge = challenge(&[r#"Bearer realm="https://a.example/t",service="r""#]).unwrap();
        let asked =
            |access, credential: Option<&Credential>| challenge.token_request(&repository, access, credential).unwrap();
        let anonymous = asked(Access::Pull, None);
        assert_eq!(anonymous.address, "https://a.example/t?service=r&scope=repository%3Ateam%2Fapi%3Apull");
        assert!(anonymous.authorization.is_none() && anonymous.form.is_none());
        let password = Credential::Password { user: "ada".into(), password: Zeroizing::new("p".into()) };
        let asked_with = asked(Access::Push, Some(&password));
        assert_eq!(asked_with.authorization.unwrap(), "Basic YWRhOnA=");
        let identity = Credential::Identity(Zeroizing::new("i&d".into()));
        let form = asked(Access::Push, Some(&identity)).form.unwrap();
        assert!(form.ends_with("&refresh_token=i%26d") && form.starts_with("grant_type=refresh_token&"), "{}", *form);
        let from: Repository = "r.example/base".parse().unwrap();
        assert!(asked(Access::Mount(&from), None).address.ends_with("&scope=repository%3Abase%3Apull"));
    }

    #[test]
    fn a_token_is_kept_for_no_longer_than_it_is_good() {
        let seconds = |body: &str| token(body.as_bytes()).map(|(_, lasts)| lasts.as_secs());
        assert_eq!(seconds(r#"{"token":"a","expires_in":300}"#), Some(290));
        assert_eq!(seconds(r#"{"access_token":"a"}"#), Some(50));
        assert_eq!(seconds(r#"{"token":"a","expires_in":99999999}"#), Some(3_590));
        assert_eq!(seconds(r#"{"token":"a","token":"b"}"#), None);
        assert_eq!(seconds(r#"{"token":"a\nb"}"#), None);
        assert_eq!(seconds("{}"), None);
    }
}
