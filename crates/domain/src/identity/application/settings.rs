//! What an application is set to, and whether it may be.

use std::str::FromStr as _;

use crypto::x509::SpiffeId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::uri::{self, BadUri, Reach};
use super::{BadSetting, ClientAuth, Consent, Environment, GrantType, IdTokenAlg, Kind, MfaPolicy, TokenFormat};
use crate::ids::TrustId;
use crate::limits::Limit;
use crate::scope::Scopes;

/// Entries of one list.
const ENTRIES_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 1_000;
const TITLE_MAX: usize = 500;
const TEXT_MAX: usize = 1_000;
const SCOPE_WORD_MAX: usize = 200;
const JWKS_MAX: usize = 65_536;
const JWKS_KEYS_MAX: usize = 20;
/// Members of a JWK that hold something secret (RFC 7518, RFC 9964).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "priv"];
/// Idle time of sessions in seconds, from a minute to the longest a session lives.
const IDLE_S: std::ops::RangeInclusive<u32> = 60..=43_200;

/// What an application is set to: the JSON of its row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where a browser may be sent with a code. Compared exactly.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where a browser may be sent after signing out.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// The scopes it may ask for.
    #[serde(default)]
    pub allowed_scopes: Vec<String>,
    /// The APIs it may name in `resource` (RFC 8707): those that it may call.
    #[serde(default)]
    pub resources: Vec<String>,
    /// The APIs that it is: it learns what their tokens are worth, whosever they are, and may exchange them.
    #[serde(default)]
    pub serves: Vec<String>,
    /// What it may ask the token endpoint for.
    pub grant_types: Vec<GrantType>,
    /// How it proves who it is.
    pub client_auth: ClientAuth,
    /// Its public keys (RFC 7517), for `private_key_jwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where they are instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The name that its certificate holds, for `tls_client_auth`: a SPIFFE id or a DNS name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_san: Option<String>,
    /// Whether authorization requests must be pushed (RFC 9126).
    #[serde(default)]
    pub require_par: bool,
    /// What signs its ID tokens.
    pub id_token_alg: IdTokenAlg,
    /// The form of its access tokens, where the API they are for says nothing.
    pub access_token_format: TokenFormat,
    /// Whether people need a second factor; the tenant's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_policy: Option<MfaPolicy>,
    /// Whether people are asked.
    pub consent: Consent,
    /// How its sign-in page looks.
    #[serde(default)]
    pub branding: Branding,
    /// Who is told that somebody signed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Origins of browsers that may call the token endpoint.
    #[serde(default)]
    pub cors_origins: Vec<String>,
    /// How long a session may idle, in seconds; the tenant's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_idle_s: Option<u32>,
    /// What its own tokens and API keys may do at this platform's API.
    #[serde(default)]
    pub platform_scopes: Vec<String>,
    /// The resources they are confined to.
    #[serde(default)]
    pub platform_limits: Vec<String>,
    /// The trusts by which it may prove who it is, for `federated`.
    #[serde(default)]
    pub trust_ids: Vec<TrustId>,
}

/// How a sign-in page looks: words and one colour. No markup, no address, nothing that is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branding {
    /// A title, at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A text, at most 1000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
}

impl Settings {
    /// What an application of this kind is set to when nothing is said.
    pub fn of_kind(kind: Kind) -> Self {
        Self {
            description: None,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            allowed_scopes: default_scopes(kind),
            resources: Vec::new(),
            serves: Vec::new(),
            grant_types: default_grants(kind),
            client_auth: if kind.is_confidential() { ClientAuth::Secret } else { ClientAuth::None },
            jwks: None,
            jwks_uri: None,
            tls_san: None,
            require_par: false,
            id_token_alg: IdTokenAlg::MlDsa65,
            access_token_format: TokenFormat::Jwt,
            mfa_policy: None,
            consent: if kind == Kind::Agent { Consent::Ask } else { Consent::Skip },
            branding: Branding::default(),
            backchannel_logout_uri: None,
            cors_origins: Vec::new(),
            session_idle_s: None,
            platform_scopes: Vec::new(),
            platform_limits: Vec::new(),
            trust_ids: Vec::new(),
        }
    }

    /// Reads what a row holds.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// As a row holds it.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Whether an application of this kind may be set so where it runs.
    pub fn check(&self, kind: Kind, environment: Environment) -> Result<(), BadSetting> {
        self.check_texts()?;
        self.check_addresses(kind, environment)?;
        self.check_grants(kind)?;
        self.check_client(kind)?;
        self.check_platform()
    }

    fn check_texts(&self) -> Result<(), BadSetting> {
        text("description", self.description.as_deref(), DESCRIPTION_MAX)?;
        text("branding.title", self.branding.title.as_deref(), TITLE_MAX)?;
        text("branding.text", self.branding.text.as_deref(), TEXT_MAX)?;
        let is_colour = |colour: &str| {
            colour
                .strip_prefix('#')
                .is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        if self.branding.colour.as_deref().is_some_and(|colour| !is_colour(colour)) {
            return Err(BadSetting::new("branding.colour", "must be of the form #rrggbb"));
        }
        if self.session_idle_s.is_some_and(|idle| !IDLE_S.contains(&idle)) {
            return Err(BadSetting::new("sessionIdleSeconds", "must be from 60 to 43200"));
        }
        check_scopes("allowedScopes", &self.allowed_scopes)
    }

    fn check_addresses(&self, kind: Kind, environment: Environment) -> Result<(), BadSetting> {
        let web = if environment == Environment::Production { Reach::Https } else { Reach::Loopback };
        let redirect = if kind.is_installed() { Reach::Native } else { web };
        uris("redirectUris", &self.redirect_uris, |text| uri::check_redirect(text, redirect))?;
        uris("postLogoutRedirectUris", &self.post_logout_redirect_uris, |text| uri::check_redirect(text, redirect))?;
        uris("resources", &self.resources, uri::check_resource)?;
        uris("serves", &self.serves, uri::check_resource)?;
        uris("corsOrigins", &self.cors_origins, |text| uri::check_origin(text, web))?;
        for (field, address) in [("jwksUri", &self.jwks_uri), ("backchannelLogoutUri", &self.backchannel_logout_uri)] {
            let checked = address.as_deref().map_or(Ok(()), |text| uri::check_endpoint(text, web));
            checked.map_err(|bad| BadSetting::new(field, bad))?;
        }
        Ok(())
    }

    fn check_grants(&self, kind: Kind) -> Result<(), BadSetting> {
        let has = |grant| self.grant_types.contains(&grant);
        if self.grant_types.is_empty() || self.grant_types.len() > GrantType::ALL.len() {
            return Err(BadSetting::new("grantTypes", "must name each grant at most once, and at least one"));
        }
        let needs_secret = [GrantType::ClientCredentials, GrantType::TokenExchange, GrantType::JwtBearer];
        if !kind.is_confidential() && needs_secret.into_iter().any(has) {
            return Err(BadSetting::new(
                "grantTypes",
                format!("holds a grant that {kind} cannot have: it proves nothing about itself"),
            ));
        }
        if kind == Kind::MachineToMachine && (has(GrantType::AuthorizationCode) || has(GrantType::DeviceCode)) {
            return Err(BadSetting::new(
                "grantTypes",
                "holds a grant that signs people in, and nobody signs in to a MachineToMachine application",
            ));
        }
        let begins = [GrantType::AuthorizationCode, GrantType::DeviceCode];
        if has(GrantType::RefreshToken) && !begins.into_iter().any(has) {
            return Err(BadSetting::new("grantTypes", "holds refresh_token and no grant that could begin with one"));
        }
        Ok(())
    }

    fn check_client(&self, kind: Kind) -> Result<(), BadSetting> {
        if kind.is_confidential() == (self.client_auth == ClientAuth::None) {
            let reason = match kind.is_confidential() {
                true => "must not be none: the application can keep a secret",
                false => "must be none: the application cannot keep a secret",
            };
            return Err(BadSetting::new("clientAuth", reason));
        }
        if !kind.is_confidential() && !self.serves.is_empty() {
            return Err(BadSetting::new("serves", "must be empty: the application proves nothing about itself"));
        }
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(BadSetting::new("jwks", "and jwksUri exclude each other"));
        }
        self.jwks.as_ref().map_or(Ok(()), check_jwks)?;
        if let Some(name) = &self.tls_san {
            let is_name = SpiffeId::from_str(name).is_ok() || is_dns_name(name);
            if !is_name {
                return Err(BadSetting::new("tlsSan", "must be a SPIFFE id or a DNS name in lower case"));
            }
        }
        let missing = match self.client_auth {
            ClientAuth::PrivateKeyJwt if self.jwks.is_none() && self.jwks_uri.is_none() => Some("jwks or jwksUri"),
            ClientAuth::TlsClientAuth if self.tls_san.is_none() => Some("tlsSan"),
            ClientAuth::Federated if self.trust_ids.is_empty() => Some("trustIds"),
            _ => None,
        };
        missing.map_or(Ok(()), |what| Err(BadSetting::new("clientAuth", format!("{} needs {what}", self.client_auth))))
    }

    fn check_platform(&self) -> Result<(), BadSetting> {
        each("platformScopes", &self.platform_scopes, |word| {
            word.parse::<Scopes>().map(|_| ()).map_err(|_| "is no scope that this server knows")
        })?;
        each("platformLimits", &self.platform_limits, |limit| {
            limit
                .parse::<Limit>()
                .map(|_| ())
                .map_err(|_| "is not of the form secrets:PATTERN, keys:PATTERN or certificates:PATTERN")
        })?;
        if self.trust_ids.len() > ENTRIES_MAX {
            return Err(too_many("trustIds"));
        }
        Ok(())
    }
}

/// Whether each of some words is an OAuth scope.
pub fn check_scopes(field: &str, words: &[String]) -> Result<(), BadSetting> {
    let reason = "must be an OAuth scope: visible ASCII without quotes, spaces and backslashes";
    each(field, words, |word| if is_scope(word) { Ok(()) } else { Err(reason) })
}

fn default_scopes(kind: Kind) -> Vec<String> {
    let words: &[&str] = if kind.signs_people_in() { &["openid", "profile", "email", "offline_access"] } else { &[] };
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn default_grants(kind: Kind) -> Vec<GrantType> {
    match kind {
        Kind::Spa | Kind::WebApp => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        Kind::NativeApp | Kind::Agent => {
            vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode]
        }
        Kind::MachineToMachine => vec![GrantType::ClientCredentials],
    }
}

fn too_many(field: &str) -> BadSetting {
    BadSetting::new(field, format!("has more than {ENTRIES_MAX} entries"))
}

fn each<E: std::fmt::Display>(
    field: &str,
    texts: &[String],
    check: impl Fn(&str) -> Result<(), E>,
) -> Result<(), BadSetting> {
    if texts.len() > ENTRIES_MAX {
        return Err(too_many(field));
    }
    for (place, text) in texts.iter().enumerate() {
        check(text).map_err(|bad| BadSetting::new(format!("{field}[{place}]"), bad))?;
    }
    Ok(())
}

fn uris(field: &str, texts: &[String], check: impl Fn(&str) -> Result<(), BadUri>) -> Result<(), BadSetting> {
    each(field, texts, check)
}

fn text(field: &str, text: Option<&str>, most: usize) -> Result<(), BadSetting> {
    let Some(text) = text else { return Ok(()) };
    if text.chars().count() > most {
        return Err(BadSetting::new(field, format!("must have at most {most} characters")));
    }
    if text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t' | '\r')) {
        return Err(BadSetting::new(field, "must not hold control characters"));
    }
    Ok(())
}

/// RFC 6749, 3.3.
fn is_scope(word: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    (1..=SCOPE_WORD_MAX).contains(&word.len()) && word.bytes().all(allowed)
}

fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// A set of public keys. What each of them is, is looked at when one is used.
fn check_jwks(jwks: &Value) -> Result<(), BadSetting> {
    let bad = |reason: &str| Err(BadSetting::new("jwks", reason));
    let Some(keys) = jwks.get("keys").and_then(Value::as_array) else {
        return bad("must be a set of keys: {\"keys\":[...]}");
    };
    if keys.is_empty() || keys.len() > JWKS_KEYS_MAX || jwks.to_string().len() > JWKS_MAX {
        return bad("must hold 1 to 20 keys in at most 65536 bytes");
    }
    let is_private = |key: &Value| PRIVATE_MEMBERS.iter().any(|member| key.get(*member).is_some());
    if keys.iter().any(is_private) { bad("must hold public keys only") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(kind: Kind, change: impl FnOnce(&mut Settings)) -> Result<(), String> {
        let mut settings = Settings::of_kind(kind);
        change(&mut settings);
        settings.check(kind, Environment::Development).map_err(|bad| bad.field)
    }

    #[test]
    fn what_a_kind_is_set_to_by_itself_is_allowed() {
        for kind in Kind::ALL {
            let settings = Settings::of_kind(*kind);
            assert_eq!(settings.check(*kind, Environment::Production), Ok(()), "{kind}");
            assert_eq!(Settings::from_json(&settings.to_json().unwrap()).unwrap(), settings);
        }
    }

    #[test]
    fn a_program_that_cannot_keep_a_secret_is_given_none() {
        for kind in [Kind::Spa, Kind::NativeApp, Kind::Agent] {
            assert_eq!(checked(kind, |to| to.client_auth = ClientAuth::Secret), Err("clientAuth".into()));
            let grants = vec![GrantType::ClientCredentials];
            assert_eq!(checked(kind, |to| to.grant_types = grants), Err("grantTypes".into()));
        }
        assert_eq!(checked(Kind::WebApp, |to| to.client_auth = ClientAuth::None), Err("clientAuth".into()));
    }

    #[test]
    fn a_program_that_cannot_keep_a_secret_serves_no_api() {
        for kind in Kind::ALL {
            let verdict = if kind.is_confidential() { Ok(()) } else { Err("serves".into()) };
            assert_eq!(checked(*kind, |to| to.serves = vec!["urn:orders".into()]), verdict, "{kind}");
        }
    }

    #[test]
    fn a_row_that_was_written_before_there_were_apis_to_serve_serves_none() {
        let mut row: Value = serde_json::from_str(&Settings::of_kind(Kind::WebApp).to_json().unwrap()).unwrap();
        row["resources"] = json!(["urn:orders"]);
        row.as_object_mut().unwrap().remove("serves").unwrap();
        let read = Settings::from_json(&row.to_string()).unwrap();
        assert_eq!((read.resources, read.serves), (vec!["urn:orders".to_owned()], Vec::new()));
    }

    #[test]
    fn a_way_to_prove_who_one_is_needs_what_it_is_proved_by() {
        let jwks = json!({"keys": [{"kty": "AKP", "alg": "ML-DSA-65", "pub": "AA"}]});
        let private = json!({"keys": [{"kty": "AKP", "alg": "ML-DSA-65", "pub": "AA", "priv": "AA"}]});
        for (auth, jwks, san, verdict) in [
            (ClientAuth::PrivateKeyJwt, None, None, Err("clientAuth")),
            (ClientAuth::PrivateKeyJwt, Some(jwks), None, Ok(())),
            (ClientAuth::PrivateKeyJwt, Some(private), None, Err("jwks")),
            (ClientAuth::PrivateKeyJwt, Some(json!({"keys": []})), None, Err("jwks")),
            (ClientAuth::TlsClientAuth, None, None, Err("clientAuth")),
            (ClientAuth::TlsClientAuth, None, Some("spiffe://td/ns/default/sa/api"), Ok(())),
            (ClientAuth::TlsClientAuth, None, Some("api.example"), Ok(())),
            (ClientAuth::TlsClientAuth, None, Some("*.example"), Err("tlsSan")),
            (ClientAuth::Federated, None, None, Err("clientAuth")),
        ] {
            let found = checked(Kind::MachineToMachine, |to| {
                to.client_auth = auth;
                to.jwks = jwks;
                to.tls_san = san.map(str::to_owned);
            });
            assert_eq!(found, verdict.map_err(str::to_owned), "{auth}");
        }
    }

    #[test]
    fn addresses_are_checked_where_the_application_runs() {
        let local = || vec!["http://localhost:3000/cb".to_owned()];
        assert_eq!(checked(Kind::Spa, |to| to.redirect_uris = local()), Ok(()));
        let mut settings = Settings::of_kind(Kind::Spa);
        settings.redirect_uris = local();
        let refused = settings.check(Kind::Spa, Environment::Production).unwrap_err();
        assert_eq!(refused.to_string(), "redirectUris[0] must begin with https:// in production");
        assert_eq!(checked(Kind::Spa, |to| to.resources = vec!["orders".into()]), Err("resources[0]".into()));
        assert_eq!(checked(Kind::WebApp, |to| to.serves = vec!["orders".into()]), Err("serves[0]".into()));
        assert_eq!(checked(Kind::Spa, |to| to.cors_origins = vec!["*".into()]), Err("corsOrigins[0]".into()));
        let many = vec!["https://a.example/cb".to_owned(); ENTRIES_MAX + 1];
        assert_eq!(checked(Kind::Spa, |to| to.redirect_uris = many), Err("redirectUris".into()));
    }

    #[test]
    fn words_and_texts_are_bounded() {
        let long = |most: usize| Some("a".repeat(most + 1));
        assert_eq!(checked(Kind::Spa, |to| to.description = long(1_000)), Err("description".into()));
        assert_eq!(checked(Kind::Spa, |to| to.branding.title = long(500)), Err("branding.title".into()));
        assert_eq!(checked(Kind::Spa, |to| to.branding.colour = Some("red".into())), Err("branding.colour".into()));
        assert_eq!(checked(Kind::Spa, |to| to.allowed_scopes = vec!["a b".into()]), Err("allowedScopes[0]".into()));
        assert_eq!(checked(Kind::Spa, |to| to.allowed_scopes = vec!["orders:read".into()]), Ok(()));
        assert_eq!(
            checked(Kind::Spa, |to| to.platform_scopes = vec!["canary".into()]),
            Err("platformScopes[0]".into())
        );
        assert_eq!(
            checked(Kind::Spa, |to| to.platform_limits = vec!["canary".into()]),
            Err("platformLimits[0]".into())
        );
        assert_eq!(checked(Kind::Spa, |to| to.session_idle_s = Some(1)), Err("sessionIdleSeconds".into()));
    }
}
