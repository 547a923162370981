//! Trusts: whom another issuer's tokens are believed to be. A token is believed when the issuer signed it for us and every rule
//! holds; what it is given then is the trust's, never the token's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::application::{BadSetting, check_name};
use super::uri::{Reach, check_endpoint};
use super::words::words;
use crate::limits::{Limit, Limits};
use crate::scope::Scopes;

words! {
    /// Which system issues the tokens. It decides defaults, and which claims a rule has to pin.
    Kind {
        /// GitHub Actions.
        Github = "github",
        /// GitLab CI.
        Gitlab = "gitlab",
        /// Azure DevOps.
        AzureDevops = "azure-devops",
        /// Service accounts of a cluster.
        Kubernetes = "kubernetes",
        /// Any other OpenID Connect issuer.
        Oidc = "oidc",
    }
    /// Whether it is believed.
    State {
        /// It is.
        Active = "active",
        /// It is not, for now.
        Disabled = "disabled",
    }
}

/// Entries of one list.
const ENTRIES_MAX: usize = 50;
const CLAIM_MAX: usize = 200;
const VALUE_MAX: usize = 1_000;
const JWKS_MAX: usize = 65_536;
/// How long a token for a token lives, in seconds.
const LIFETIME_S: std::ops::RangeInclusive<u32> = 60..=600;
/// What a prefix may end with: a look-alike would have to bring the separator too.
const SEPARATORS: [char; 4] = ['/', ':', '@', '#'];
/// Claims that are checked without a rule, or that say when, how or for whom and not who (RFC 7519, 4.1; OpenID Connect Core, 2 and 5.1):
/// they are the same in everybody's tokens, or the client chooses them.
const SAYS_NOT_WHO: [&str; 19] = [
    "iss",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "typ",
    "token_type",
    "token_use",
    "azp",
    "nonce",
    "at_hash",
    "c_hash",
    "auth_time",
    "updated_at",
    "acr",
    "amr",
    "email_verified",
    "phone_number_verified",
];

/// What a trust is set to: the JSON of its row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whom its tokens must be meant for.
    pub audience: String,
    /// The issuer's keys, pinned: nothing is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where they are. Without either they are where the issuer's metadata says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// All of them must hold.
    pub rules: Vec<Rule>,
    /// What a match may do at this platform's API.
    pub scopes: Vec<String>,
    /// What it is confined to.
    #[serde(default)]
    pub limits: Vec<String>,
    /// How long its tokens live, in seconds.
    pub lifetime_s: u32,
    /// Whether each token of the issuer is taken once.
    pub is_single_use: bool,
}

/// One claim, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name; `/` leads into nested claims.
    pub claim: String,
    /// What it may be: exactly this, or what begins with this when it ends in `*`.
    pub any_of: Vec<String>,
}

/// How a rule met a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// What the claim was; absent when there was none that is text, a number, a truth value or a list of them.
    pub found: Option<String>,
    /// Whether it holds.
    pub holds: bool,
}

impl Kind {
    /// The issuer that is meant when none is named.
    pub fn issuer(self) -> Option<&'static str> {
        match self {
            Self::Github => Some("https://token.actions.githubusercontent.com"),
            Self::Gitlab => Some("https://gitlab.com"),
            Self::AzureDevops | Self::Kubernetes | Self::Oidc => None,
        }
    }

    /// The audience when none is named: Microsoft fixes its own, of the others ours can be asked for.
    pub fn audience(self, ours: &str) -> String {
        match self {
            Self::AzureDevops => "api://AzureADTokenExchange".to_owned(),
            _ => ours.to_owned(),
        }
    }

    /// Whether a job gets as many tokens as it asks for, so that each can be taken once.
    pub fn is_single_use(self) -> bool {
        matches!(self, Self::Github | Self::AzureDevops)
    }

    /// The claims of which a rule must pin one: those that say whose job it is. A `sub` that its owner may customise is none, nor is the
    /// workflow that a job runs: whoever calls a public one has its name.
    pub fn pins(self) -> &'static [&'static str] {
        match self {
            Self::Github => &["repository_id", "repository_owner_id", "repository"],
            Self::Gitlab => &["project_id", "namespace_id", "project_path", "namespace_path"],
            Self::AzureDevops | Self::Kubernetes => &["sub"],
            Self::Oidc => &[],
        }
    }

    /// Whether the issuer may be trusted as one of this kind: one that signs for everybody has to be pinned as its own kind is. Issuers
    /// are addresses as tokens name them, compared byte for byte.
    pub fn check_issuer(self, issuer: &str) -> Result<(), BadSetting> {
        check_endpoint(issuer, Reach::Loopback).map_err(|reason| bad("issuer", reason))?;
        match Self::of_issuer(issuer).filter(|system| *system != self) {
            Some(system) => {
                Err(bad("kind", format!("must be {system} for this issuer, which signs for everybody there")))
            }
            None => Ok(()),
        }
    }

    /// The system whose issuer this is, where one issuer signs for everybody who uses the system.
    fn of_issuer(issuer: &str) -> Option<Self> {
        let host = issuer.split_once("://")?.1.split(['/', ':']).next()?;
        match host {
            "token.actions.githubusercontent.com" => Some(Self::Github),
            "gitlab.com" => Some(Self::Gitlab),
            "vstoken.dev.azure.com" => Some(Self::AzureDevops),
            _ => None,
        }
    }

    /// Whether a rule says whose job it is: by a claim that does, and with no value that fits everybody's.
    fn is_pinned_by(self, rule: &Rule) -> bool {
        let is_telling = match self.pins() {
            [] => !SAYS_NOT_WHO.contains(&rule.claim.as_str()),
            pins => pins.contains(&rule.claim.as_str()),
        };
        is_telling
            && rule.any_of.iter().all(|value| value.strip_suffix('*').is_none_or(|prefix| self.is_narrow(prefix)))
    }

    /// Whether what begins so belongs to somebody: a namespace, a project, an owner.
    fn is_narrow(self, prefix: &str) -> bool {
        let (start, separator, names) = match self {
            Self::Kubernetes => ("system:serviceaccount:", ':', 1),
            Self::AzureDevops => ("sc://", '/', 2),
            Self::Github | Self::Gitlab => ("", '/', 1),
            Self::Oidc => return true,
        };
        let Some(rest) = prefix.strip_prefix(start) else { return false };
        let whole = rest.split(separator).take_while(|name| !name.is_empty()).count();
        whole >= names && rest.ends_with(SEPARATORS)
    }

    /// What a trust of this kind usually asks, for people to fill in.
    pub fn template(self) -> &'static [&'static str] {
        match self {
            Self::Github => &["repository_id", "repository", "ref", "environment", "job_workflow_ref"],
            Self::Gitlab => &["project_id", "project_path", "ref", "ref_protected", "environment"],
            Self::AzureDevops => &["sub"],
            Self::Kubernetes => &["sub", "kubernetes.io/namespace", "kubernetes.io/serviceaccount/uid"],
            Self::Oidc => &["sub"],
        }
    }
}

impl Settings {
    /// Reads what a row holds.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// As a row holds it.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Whether a trust of this kind may be set so.
    pub fn check(&self, kind: Kind) -> Result<(), BadSetting> {
        if self.audience.is_empty() || self.audience.len() > VALUE_MAX {
            return Err(bad("audience", "must have 1 to 1000 characters"));
        }
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(bad("jwks", "and jwksUri exclude each other"));
        }
        if self.jwks.as_ref().is_some_and(|jwks| jwks.to_string().len() > JWKS_MAX) {
            return Err(bad("jwks", "is too large"));
        }
        if let Some(uri) = &self.jwks_uri {
            check_endpoint(uri, Reach::Loopback).map_err(|reason| bad("jwksUri", reason))?;
        }
        if !LIFETIME_S.contains(&self.lifetime_s) {
            return Err(bad("lifetimeSeconds", "must be from 60 to 600"));
        }
        self.check_rules(kind)?;
        self.granted().map(|_| ())
    }

    fn check_rules(&self, kind: Kind) -> Result<(), BadSetting> {
        if self.rules.is_empty() || self.rules.len() > ENTRIES_MAX {
            return Err(bad("rules", "must hold 1 to 50 rules: without one everybody at the issuer would be believed"));
        }
        for (place, rule) in self.rules.iter().enumerate() {
            rule.check().map_err(|reason| bad(format!("rules[{place}]"), reason))?;
        }
        if self.rules.iter().any(|rule| kind.is_pinned_by(rule)) {
            return Ok(());
        }
        let by = match kind.pins() {
            [] => "a claim that says who, as sub does".to_owned(),
            pins => format!("one of {}, with no value that fits everybody's", pins.join(", ")),
        };
        Err(bad("rules", format!("must pin whose job it is, by {by}")))
    }

    /// What a match may do.
    pub fn granted(&self) -> Result<(Scopes, Limits), BadSetting> {
        if let Some(word) = self.scopes.iter().find(|word| word.parse::<Scopes>().is_err()) {
            return Err(bad("scopes", format!("hold {word:?}, which is no scope that this server knows")));
        }
        let scopes = Scopes::parse(self.scopes.iter().map(String::as_str)).map_err(|reason| bad("scopes", reason))?;
        if scopes.is_empty() || scopes.allows(crate::scope::Scope::PlatformAdmin) {
            return Err(bad("scopes", "must hold a scope, and not the platform's"));
        }
        if self.limits.len() > ENTRIES_MAX {
            return Err(bad("resources", "must hold at most 50 entries"));
        }
        let limits: Result<Vec<Limit>, _> = self.limits.iter().map(|text| text.parse::<Limit>()).collect();
        Ok((scopes, Limits::new(limits.map_err(|reason| bad("resources", reason))?)))
    }

    /// How every rule meets a token's claims, in their order.
    pub fn judge(&self, claims: &Map<String, Value>) -> Vec<Met<'_>> {
        self.rules.iter().map(|rule| rule.judge(claims)).collect()
    }
}

impl Rule {
    fn check(&self) -> Result<(), &'static str> {
        if self.claim.is_empty() || self.claim.len() > CLAIM_MAX {
            return Err("must name a claim of at most 200 characters");
        }
        if self.any_of.is_empty() || self.any_of.len() > ENTRIES_MAX {
            return Err("must hold 1 to 50 values");
        }
        for value in &self.any_of {
            if value.is_empty() || value.len() > VALUE_MAX {
                return Err("must hold values of 1 to 1000 characters");
            }
            match value.split_once('*') {
                None => {}
                Some((prefix, "")) if prefix.ends_with(SEPARATORS) => {}
                _ => return Err("may hold `*` at the end of a value alone, behind one of / : @ #"),
            }
        }
        Ok(())
    }

    fn judge(&self, claims: &Map<String, Value>) -> Met<'_> {
        let texts = self.find(claims).and_then(texts);
        let holds = texts.as_ref().is_some_and(|texts| texts.iter().any(|text| self.admits(text)));
        Met { rule: self, found: texts.map(|texts| texts.join(", ")), holds }
    }

    fn find<'v>(&self, claims: &'v Map<String, Value>) -> Option<&'v Value> {
        // A claim whose own name holds a slash is meant before one that is nested.
        claims.get(&self.claim).or_else(|| {
            let mut names = self.claim.split('/');
            let first = claims.get(names.next()?)?;
            names.try_fold(first, |value, name| value.as_object()?.get(name))
        })
    }

    fn admits(&self, text: &str) -> bool {
        self.any_of.iter().any(|value| match value.strip_suffix('*') {
            Some(prefix) => text.len() > prefix.len() && text.starts_with(prefix),
            None => text == value,
        })
    }
}

/// What a claim says, as texts. A list that holds anything else says nothing.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Number(number) => Some(vec![number.to_string()]),
        Value::Bool(flag) => Some(vec![flag.to_string()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        Value::Null | Value::Object(_) => None,
    }
}

/// The name of a trust, as of an application.
pub fn check_trust_name(text: &str) -> Result<&str, BadSetting> {
    check_name(text)
}

fn bad(field: impl Into<String>, reason: impl std::fmt::Display) -> BadSetting {
    BadSetting { field: field.into(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(claim: &str, any_of: &[&str]) -> Rule {
        Rule { claim: claim.into(), any_of: any_of.iter().map(|text| (*text).to_owned()).collect() }
    }

    fn settings(rules: Vec<Rule>) -> Settings {
        Settings {
            audience: "https://id.example".into(),
            jwks: None,
            jwks_uri: None,
            rules,
            scopes: vec!["secrets:read".into()],
            limits: vec!["secrets:shop/*".into()],
            lifetime_s: 300,
            is_single_use: true,
        }
    }

    fn holds(rules: Vec<Rule>, claims: Value) -> Vec<bool> {
        let Value::Object(claims) = claims else { panic!("no object") };
        settings(rules).judge(&claims).iter().map(|met| met.holds).collect()
    }

    #[test]
    fn claims_are_met_exactly_by_prefix_or_by_one_of_several() {
        let claims = json!({
            "repository": "acme/shop", "repository_id": "42", "ref": "refs/heads/main", "run_attempt": 1, "ref_protected": "true",
            "groups": ["a", "b"], "kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "ci", "uid": "u1"}},
        });
        for (rule, expected) in [
            (rule("repository", &["acme/shop"]), true),
            (rule("repository", &["acme/sho"]), false),
            (rule("repository", &["acme/*"]), true),
            (rule("repository", &["acm/*"]), false),
            (rule("repository", &["acme/shop/*"]), false),
            (rule("repository_id", &["41", "42"]), true),
            (rule("run_attempt", &["1"]), true),
            (rule("groups", &["b"]), true),
            (rule("groups", &["c"]), false),
            (rule("environment", &["production"]), false),
            (rule("kubernetes.io/namespace", &["prod"]), true),
            (rule("kubernetes.io/serviceaccount/uid", &["u1"]), true),
            (rule("kubernetes.io/serviceaccount", &["ci"]), false),
            (rule("ref", &["refs/heads/release/*", "refs/heads/main"]), true),
        ] {
            assert_eq!(holds(vec![rule.clone()], claims.clone()), [expected], "{rule:?}");
        }
    }

    #[test]
    fn look_alikes_are_not_met() {
        let claims = json!({"sub": "repo:acme/shop-evil:ref:refs/heads/main", "repository": "acme-evil/shop"});
        assert_eq!(
            holds(vec![rule("sub", &["repo:acme/shop:*"]), rule("repository", &["acme/*"])], claims),
            [false, false]
        );
    }

    #[test]
    fn a_trust_must_say_whose_job_it_is() {
        let check = |kind, rules| settings(rules).check(kind).is_ok();
        assert!(check(Kind::Github, vec![rule("repository_id", &["42"])]));
        assert!(!check(Kind::Github, vec![rule("sub", &["repo:acme/shop:ref:refs/heads/main"])]));
        assert!(!check(Kind::Github, vec![]));
        assert!(!check(Kind::Gitlab, vec![rule("ref", &["main"])]));
        assert!(check(Kind::Kubernetes, vec![rule("sub", &["system:serviceaccount:prod:ci"])]));
        for (kind, claim, value, is_narrow) in [
            (Kind::Kubernetes, "sub", "system:serviceaccount:prod:*", true),
            (Kind::Kubernetes, "sub", "system:serviceaccount:*", false),
            (Kind::Kubernetes, "sub", "system:*", false),
            (Kind::AzureDevops, "sub", "sc://acme/shop/*", true),
            (Kind::AzureDevops, "sub", "sc://acme/*", false),
            (Kind::AzureDevops, "sub", "sc:*", false),
            (Kind::Github, "repository", "acme/*", true),
            (Kind::Github, "repository", "/*", false),
            (Kind::Github, "repository_owner_id", "7", true),
            // Any repository may call a workflow that is public.
            (Kind::Github, "job_workflow_ref", "acme/shop/.github/workflows/deploy.yml@*", false),
            (Kind::Github, "job_workflow_ref", "acme/shop/.github/workflows/deploy.yml@refs/heads/main", false),
            (Kind::Gitlab, "project_path", "acme/*", true),
            (Kind::Oidc, "aud", "https://id.example", false),
            (Kind::Oidc, "exp", "1", false),
            (Kind::Oidc, "email_verified", "true", false),
            (Kind::Oidc, "nonce", "n", false),
            (Kind::Oidc, "azp", "portal", false),
            (Kind::Oidc, "amr", "pwd", false),
            (Kind::Oidc, "email", "ci@acme.example", true),
            (Kind::Oidc, "sub", "team:*", true),
        ] {
            assert_eq!(check(kind, vec![rule(claim, &[value])]), is_narrow, "{kind} {claim} {value}");
            // One value that fits everybody is enough to let everybody in.
            assert!(is_narrow || !check(kind, vec![rule(claim, &["acme/shop", value])]), "{kind} {claim} {value}");
        }
        for value in ["", "*", "acme*", "a*b", "acme/**", "*/shop"] {
            assert!(!check(Kind::Oidc, vec![rule("sub", &[value])]), "{value:?}");
        }
    }

    #[test]
    fn an_issuer_that_signs_for_everybody_is_trusted_as_its_own_kind_alone() {
        let check = |issuer: &str, kind: Kind| kind.check_issuer(issuer).is_ok();
        for (issuer, kind) in [
            ("https://token.actions.githubusercontent.com", Kind::Github),
            ("https://token.actions.githubusercontent.com/acme", Kind::Github),
            ("https://gitlab.com", Kind::Gitlab),
            ("https://vstoken.dev.azure.com/7c1b", Kind::AzureDevops),
        ] {
            assert!(check(issuer, kind), "{issuer}");
            assert!(!check(issuer, Kind::Oidc) && !check(issuer, Kind::Kubernetes), "{issuer}");
        }
        assert!(check("https://gitlab.acme.example", Kind::Gitlab) && check("https://id.acme.example", Kind::Oidc));
        assert!(!check("http://id.acme.example", Kind::Oidc) && !check("https://a@b", Kind::Oidc));
    }

    #[test]
    fn what_a_match_is_given_has_bounds() {
        let check = |change: fn(&mut Settings)| {
            let mut settings = settings(vec![rule("sub", &["a"])]);
            change(&mut settings);
            settings.check(Kind::Oidc)
        };
        assert!(check(|_| {}).is_ok());
        for change in [
            (|s| s.lifetime_s = 601) as fn(&mut Settings),
            |s| s.lifetime_s = 0,
            |s| s.scopes.clear(),
            |s| s.scopes.push("platform:admin".into()),
            |s| s.scopes.push("everything".into()),
            |s| s.limits.push("everything".into()),
            |s| s.audience.clear(),
            |s| s.jwks_uri = Some("http://id.example/keys".into()),
            |s| (s.jwks, s.jwks_uri) = (Some(json!({"keys": []})), Some("https://id.example/keys".into())),
        ] {
            assert!(check(change).is_err());
        }
    }

    #[test]
    fn settings_read_back_as_written() {
        let settings = settings(vec![rule("repository_id", &["42"])]);
        assert_eq!(Settings::from_json(&settings.to_json().unwrap()).unwrap(), settings);
    }
}
