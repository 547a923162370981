//! What a key may be, and whether its maker may make it so: no more scopes, resources, networks, time or rate than
//! the maker's own key has.

use api::api_keys::{CreateApiKey, UpdateApiKey};
use api::applications::CreateApplicationKey;
use api::error::ErrorCode;
use domain::authz::Principal;
use domain::environment::{BadEnvironment, Environment};
use domain::limits::Limits;
use domain::name::KeyName;
use domain::scope::Scopes;
use domain::time::Timestamp;
use ipnet::IpNet;
use store::api_keys::ApiKey;

use crate::problem::{Outcome, Problem};

const ENTRIES_MAX: usize = 100;

/// A key as it is to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    name: String,
    scopes: Scopes,
    limits: Limits,
    expires_at: Option<Timestamp>,
    cidrs: Vec<IpNet>,
    /// As the row has it: absent means the platform's default, 0 means none.
    rate_per_minute: Option<u32>,
}

impl Wanted {
    /// What a request for a new key says.
    pub fn of_new(request: CreateApiKey, now: Timestamp) -> Outcome<Self> {
        Ok(Self {
            name: name(&request.name)?,
            scopes: scopes(&request.scopes)?,
            limits: limits(&request.resources)?.within(request.environment.map_or(Ok(None), environment)?),
            expires_at: request.expires_at.map(|at| expiry(at.into(), now)).transpose()?,
            cidrs: cidrs(&request.allowed_cidrs)?,
            rate_per_minute: request.rate_limit_per_minute.filter(|rate| *rate > 0),
        })
    }

    /// What a stored key is.
    pub fn of(row: &ApiKey) -> Outcome<Self> {
        let broken = |_| Problem::internal("reading an API key", "a column is unreadable");
        Ok(Self {
            name: row.name.clone(),
            scopes: Scopes::parse(row.scopes.split_whitespace())
                .map_err(|error| Problem::internal("reading an API key", error))?,
            limits: parsed(&row.limits)
                .and_then(|texts| limits(&texts))
                .map_err(broken)?
                .within(row.environment.clone().map(Environment::stored)),
            expires_at: row.expires_at,
            cidrs: parsed(&row.cidrs).and_then(|texts| cidrs(&texts)).map_err(broken)?,
            rate_per_minute: row.rate_per_minute,
        })
    }

    /// What an application's row and a request for a key of it say.
    pub fn of_application(row: &ApiKey, request: CreateApplicationKey, now: Timestamp) -> Outcome<Self> {
        let expires_at = request.expires_at.map(|at| expiry(at.into(), now)).transpose()?;
        Ok(Self { name: name(&request.name)?, expires_at, ..Self::of(row)? })
    }

    /// The same with what is given changed.
    pub fn changed(self, request: UpdateApiKey, now: Timestamp) -> Outcome<Self> {
        let bound = request.environment.map_or(Ok(self.limits.environment().cloned()), environment)?;
        Ok(Self {
            name: request.name.map_or(Ok(self.name), |text| name(&text))?,
            scopes: request.scopes.map_or(Ok(self.scopes), |words| scopes(&words))?,
            limits: request.resources.map_or(Ok(self.limits), |texts| limits(&texts))?.within(bound),
            expires_at: request.expires_at.map_or(Ok(self.expires_at), |at| expiry(at.into(), now).map(Some))?,
            cidrs: request.allowed_cidrs.map_or(Ok(self.cidrs), |texts| cidrs(&texts))?,
            rate_per_minute: request
                .rate_limit_per_minute
                .map_or(self.rate_per_minute, |rate| Some(rate).filter(|rate| *rate > 0)),
        })
    }

    /// The row with these in it.
    pub fn into_row(self, row: ApiKey) -> ApiKey {
        ApiKey {
            name: self.name,
            scopes: self.scopes.to_string(),
            limits: json(self.limits.iter()),
            cidrs: json(self.cidrs.iter()),
            environment: self.limits.environment().map(ToString::to_string),
            rate_per_minute: self.rate_per_minute,
            expires_at: self.expires_at,
            ..row
        }
    }
}

/// What the maker's own key allows it to hand on.
#[derive(Debug)]
pub struct Grant {
    own: Wanted,
}

impl Grant {
    /// Of the maker's own row.
    pub fn of(own: &ApiKey) -> Outcome<Self> {
        Wanted::of(own).map(|own| Self { own })
    }

    /// Of somebody who acts without a key of their own: what they may do and where, and for a job until when, without bounds of network or
    /// rate.
    pub fn of_principal(principal: &Principal) -> Self {
        let own = Wanted {
            name: principal.name.to_string(),
            scopes: principal.scopes,
            limits: (*principal.limits).clone(),
            expires_at: principal.bounds.ends_at,
            cidrs: Vec::new(),
            rate_per_minute: None,
        };
        Self { own }
    }

    /// The same within the bounds of the maker's own key where it has none: networks, time and rate, which a request for an
    /// application's key does not name. A key without scopes reaches nothing, so it reaches no more than its maker.
    pub fn confine(&self, wanted: Wanted) -> Wanted {
        let limits = if wanted.scopes.is_empty() { self.own.limits.clone() } else { wanted.limits };
        Wanted {
            limits,
            expires_at: wanted.expires_at.or(self.own.expires_at),
            cidrs: self.own.cidrs.clone(),
            rate_per_minute: self.own.rate_per_minute.filter(|rate| *rate > 0),
            ..wanted
        }
    }

    /// Refuses a key that could do what its maker cannot, and says where.
    pub fn permits(&self, wanted: &Wanted) -> Outcome<()> {
        let missing: Vec<&str> =
            wanted.scopes.iter().filter(|scope| !self.own.scopes.allows(*scope)).map(|scope| scope.as_str()).collect();
        if !missing.is_empty() {
            let message = format!("The credential cannot grant scopes that it lacks: {}.", missing.join(", "));
            return Err(Problem::new(ErrorCode::Forbidden, message).detail("missing_scopes", missing));
        }
        let beyond = self.beyond(wanted);
        if beyond.is_empty() {
            return Ok(());
        }
        let message = format!("The credential cannot grant more than it has itself: {}.", beyond.join(", "));
        Err(Problem::new(ErrorCode::Forbidden, message).detail("exceeds", beyond))
    }

    /// The fields in which `wanted` is wider than the maker's own key.
    fn beyond(&self, wanted: &Wanted) -> Vec<&'static str> {
        let inside = |net: &IpNet| self.own.cidrs.iter().any(|own| own.contains(net));
        let later = |own: Timestamp| wanted.expires_at.is_none_or(|at| at > own);
        let faster = |own: u32| own > 0 && wanted.rate_per_minute.is_none_or(|rate| rate == 0 || rate > own);
        let unlimited = wanted.rate_per_minute == Some(0) && self.own.rate_per_minute != Some(0);
        [
            ("resources", !self.own.limits.cover(&wanted.limits)),
            ("environment", !self.own.limits.bind(&wanted.limits)),
            (
                "allowedCidrs",
                !self.own.cidrs.is_empty() && (wanted.cidrs.is_empty() || !wanted.cidrs.iter().all(inside)),
            ),
            ("expiresAt", self.own.expires_at.is_some_and(later)),
            ("rateLimitPerMinute", unlimited || self.own.rate_per_minute.is_some_and(faster)),
        ]
        .into_iter()
        .filter_map(|(field, is_beyond)| is_beyond.then_some(field))
        .collect()
    }
}

fn name(text: &str) -> Outcome<String> {
    Ok(KeyName::parse(text)?.as_str().to_owned())
}

/// What was sent is not repeated: somebody may have put a key there.
fn scopes(words: &[String]) -> Outcome<Scopes> {
    if words.is_empty() || words.len() > ENTRIES_MAX {
        return Err(Problem::invalid("scopes must name at least one scope."));
    }
    let unknown = words.iter().position(|word| word.parse::<Scopes>().is_err());
    if let Some(unknown) = unknown {
        return Err(Problem::invalid(format!("scopes[{unknown}] is no scope that this server knows.")));
    }
    Scopes::parse(words.iter().map(String::as_str)).map_err(|error| Problem::invalid(error.to_string()))
}

fn limits(texts: &[String]) -> Outcome<Limits> {
    each("resources", texts, "secrets:NAME, secrets:PREFIX*, keys:NAME or keys:PREFIX*").map(Limits::new)
}

fn cidrs(texts: &[String]) -> Outcome<Vec<IpNet>> {
    // A bare address is the network of that one address.
    let spelled: Vec<String> = texts
        .iter()
        .map(|text| match text.parse::<std::net::IpAddr>() {
            Ok(address) => IpNet::from(address).to_string(),
            Err(_) => text.clone(),
        })
        .collect();
    each("allowedCidrs", &spelled, "a network such as 10.0.0.0/8")
}

fn each<T: std::str::FromStr>(field: &str, texts: &[String], form: &str) -> Outcome<Vec<T>> {
    if texts.len() > ENTRIES_MAX {
        return Err(Problem::invalid(format!("{field} has more than {ENTRIES_MAX} entries.")));
    }
    let parsed = texts.iter().enumerate().map(|(n, text)| text.trim().parse().map_err(|_| n));
    parsed
        .collect::<Result<_, _>>()
        .map_err(|n: usize| Problem::invalid(format!("{field}[{n}] is not of the form {form}.")))
}

fn expiry(at: Timestamp, now: Timestamp) -> Outcome<Timestamp> {
    if at > now { Ok(at) } else { Err(Problem::invalid("expiresAt is in the past.")) }
}

/// An empty text binds to nothing.
fn environment(text: String) -> Outcome<Option<Environment>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error: BadEnvironment| Problem::invalid(format!("environment: {error}.")))
}

/// The entries of a column that holds a JSON array of texts, to be shown.
pub fn list(column: &str) -> Vec<String> {
    parsed(column).unwrap_or_default()
}

/// The same to be decided by: an unreadable limit must never read as none.
fn parsed(column: &str) -> Outcome<Vec<String>> {
    serde_json::from_str(column).map_err(|error| Problem::internal("reading an API key", error))
}

fn json<T: ToString>(entries: impl Iterator<Item = T>) -> String {
    serde_json::Value::from_iter(entries.map(|entry| entry.to_string())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn wanted(
        scopes: &[&str],
        resources: &[&str],
        cidrs: &[&str],
        expires_at: Option<i64>,
        rate: Option<u32>,
    ) -> Wanted {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let request = CreateApiKey {
            name: "ci".into(),
            scopes: texts(scopes),
            resources: texts(resources),
            expires_at: expires_at.map(|at| Timestamp::from_millis(at).into()),
            allowed_cidrs: texts(cidrs),
            environment: None,
            rate_limit_per_minute: rate,
        };
        Wanted::of_new(request, NOW).unwrap()
    }

    #[test]
    fn nobody_grants_what_they_lack_in_any_respect() {
        let own = wanted(&["secrets:read", "apikeys:write"], &["secrets:a/*"], &["10.0.0.0/8"], Some(9_000), Some(60));
        let grant = Grant { own };
        let read = &["secrets:read"][..];
        for (made, refused) in [
            (wanted(read, &["secrets:a/b"], &["10.1.0.0/16"], Some(9_000), Some(60)), None),
            (wanted(&["keys:read"], &["secrets:a/b"], &["10.1.0.0/16"], Some(9_000), Some(60)), Some("missing_scopes")),
            (wanted(read, &[], &["10.1.0.0/16"], Some(9_000), Some(60)), Some("exceeds")),
            (wanted(read, &["secrets:a/b"], &["11.0.0.0/8"], Some(9_000), Some(60)), Some("exceeds")),
            (wanted(read, &["secrets:a/b"], &[], Some(9_000), Some(60)), Some("exceeds")),
            (wanted(read, &["secrets:a/b"], &["10.1.0.0/16"], None, Some(60)), Some("exceeds")),
            (wanted(read, &["secrets:a/b"], &["10.1.0.0/16"], Some(9_001), Some(60)), Some("exceeds")),
            (wanted(read, &["secrets:a/b"], &["10.1.0.0/16"], Some(9_000), None), Some("exceeds")),
        ] {
            let verdict = grant.permits(&made).map_err(|problem| problem.details.keys().next().cloned());
            assert_eq!(verdict.err().flatten().as_deref(), refused);
        }
    }

    #[test]
    fn an_unlimited_administrator_grants_everything_but_the_platform() {
        let mut own = wanted(&["admin"], &[], &[], None, None);
        own.rate_per_minute = Some(0);
        let grant = Grant { own };
        assert!(grant.permits(&wanted(&["admin", "encryption:write"], &[], &[], None, Some(100_000))).is_ok());
        assert!(grant.permits(&wanted(&["platform:admin"], &[], &[], None, None)).is_err());
    }

    #[test]
    fn malformed_wishes_are_refused_without_repeating_them() {
        let base = || CreateApiKey {
            name: "ci".into(),
            scopes: vec!["sign".into()],
            resources: vec![],
            expires_at: None,
            allowed_cidrs: vec![],
            environment: None,
            rate_limit_per_minute: None,
        };
        for request in [
            CreateApiKey { name: " ".into(), ..base() },
            CreateApiKey { scopes: vec![], ..base() },
            CreateApiKey { scopes: vec!["sign".into(), "canary".into()], ..base() },
            CreateApiKey { resources: vec!["canary".into()], ..base() },
            CreateApiKey { allowed_cidrs: vec!["canary".into()], ..base() },
            CreateApiKey { expires_at: Some(NOW.into()), ..base() },
        ] {
            assert!(!Wanted::of_new(request, NOW).unwrap_err().message.contains("canary"));
        }
        let single = Wanted::of_new(CreateApiKey { allowed_cidrs: vec!["192.0.2.7".into()], ..base() }, NOW).unwrap();
        assert_eq!(single.cidrs[0].to_string(), "192.0.2.7/32");
    }
}
