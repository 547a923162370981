//! The keys of other issuers: pinned in the trust, or fetched and remembered.
//!
//! A key that is not known is looked for once, then not again for a while: whoever sends tokens of invented keys makes us fetch
//! nothing. Keys that were fetched stay good while their issuer is away, for a day.

use std::collections::HashMap;
use std::sync::Arc;

use crypto::jose::Refusal;
use crypto::jose::federated::OutsideKeys;
use domain::time::{SECOND_MS, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use store::trusts::StoredTrust;
use tokio::sync::Mutex;

use crate::egress::Egress;

/// Issuers remembered at most.
const CAPACITY: usize = 1_024;
/// How long keys are used before they are fetched again.
const FRESH_MS: i64 = 600 * SECOND_MS;
/// How long they are used while they cannot be fetched.
const STALE_MS: i64 = 86_400 * SECOND_MS;
/// How long nothing is fetched again, at first and at most: it doubles with every failure.
const PAUSE_MS: i64 = 30 * SECOND_MS;
const LONGEST_PAUSE_MS: i64 = 960 * SECOND_MS;

/// The issuers whose keys were fetched.
pub struct Issuers {
    egress: Arc<Egress>,
    known: Mutex<HashMap<String, Arc<Mutex<Issuer>>>>,
}

#[derive(Default)]
struct Issuer {
    keys: Option<Arc<OutsideKeys>>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
    failures: u32,
}

/// What is read of an issuer's metadata.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// Why keys are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// To have some.
    Any,
    /// Because the ones that there are lack the one that a token names.
    Newer,
}

impl Issuers {
    /// Nobody is known yet.
    pub fn new(egress: Arc<Egress>) -> Self {
        Self { egress, known: Mutex::default() }
    }

    /// The keys of a trust's issuer. Why there are none is for whoever made the trust.
    pub async fn keys(&self, trust: &StoredTrust, want: Want, now: Timestamp) -> Result<Arc<OutsideKeys>, String> {
        if let Some(jwks) = &trust.settings.jwks {
            return pinned(jwks).map(Arc::new).map_err(|refusal| refusal.to_string());
        }
        // Two tenants that name one issuer mean one issuer; one that names other keys for it means others.
        let name = format!("{}\n{}", trust.issuer, trust.settings.jwks_uri.as_deref().unwrap_or_default());
        let issuer = {
            let mut known = self.known.lock().await;
            if known.len() >= CAPACITY {
                known.clear();
            }
            Arc::clone(known.entry(name).or_default())
        };
        let mut issuer = issuer.lock().await;
        if issuer.must_fetch(want, now) {
            issuer.tried_at = Some(now);
            let fetched = self.fetch(trust).await;
            return issuer.take(fetched, now);
        }
        issuer.usable(now).ok_or_else(|| "the issuer's keys could not be fetched a moment ago".to_owned())
    }

    async fn fetch(&self, trust: &StoredTrust) -> Result<OutsideKeys, String> {
        let address = match &trust.settings.jwks_uri {
            Some(uri) => uri.clone(),
            None => self.discover(&trust.issuer).await?,
        };
        let body = self.egress.fetch(&address).await.map_err(|error| format!("fetching the issuer's keys: {error}"))?;
        let text = String::from_utf8(body).map_err(|_| "the issuer's keys are no text".to_owned())?;
        let keys = OutsideKeys::read(&text).map_err(|refusal| refusal.to_string())?;
        if keys.is_empty() { Err("the issuer has no key that is usable here".to_owned()) } else { Ok(keys) }
    }

    async fn discover(&self, issuer: &str) -> Result<String, String> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let body = self.egress.fetch(&address).await;
        let body = body.map_err(|error| format!("fetching the issuer's metadata: {error}"))?;
        let metadata: Metadata =
            serde_json::from_slice(&body).map_err(|_| "the issuer's metadata name no keys".to_owned())?;
        if metadata.issuer == issuer {
            Ok(metadata.jwks_uri)
        } else {
            Err("the issuer's metadata are another issuer's".to_owned())
        }
    }
}

impl Issuer {
    fn must_fetch(&self, want: Want, now: Timestamp) -> bool {
        let pause = PAUSE_MS.saturating_mul(1 << self.failures.min(5)).min(LONGEST_PAUSE_MS);
        let is_rested = self.tried_at.is_none_or(|tried_at| now >= tried_at.plus_millis(pause));
        let is_fresh = self.fetched_at.is_some_and(|at| now < at.plus_millis(FRESH_MS));
        is_rested && (want == Want::Newer || !is_fresh)
    }

    fn take(&mut self, fetched: Result<OutsideKeys, String>, now: Timestamp) -> Result<Arc<OutsideKeys>, String> {
        match fetched {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *self =
                    Self { keys: Some(Arc::clone(&keys)), fetched_at: Some(now), tried_at: self.tried_at, failures: 0 };
                Ok(keys)
            }
            Err(reason) => {
                self.failures = self.failures.saturating_add(1);
                tracing::warn!(error.cause = %reason, "keys of another issuer could not be fetched");
                self.usable(now).ok_or(reason)
            }
        }
    }

    fn usable(&self, now: Timestamp) -> Option<Arc<OutsideKeys>> {
        let is_usable = self.fetched_at.is_some_and(|at| now < at.plus_millis(STALE_MS));
        self.keys.as_ref().filter(|_| is_usable).map(Arc::clone)
    }
}

/// Keys that stand in the trust itself.
pub fn pinned(jwks: &Value) -> Result<OutsideKeys, Refusal> {
    let keys = OutsideKeys::read(&jwks.to_string())?;
    if keys.is_empty() { Err(Refusal::KeySet("no key of it is usable here")) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * SECOND_MS)
    }

    fn some() -> Result<OutsideKeys, String> {
        Ok(OutsideKeys::default())
    }

    fn tried(issuer: &mut Issuer, seconds: i64, fetched: Result<OutsideKeys, String>) -> bool {
        issuer.tried_at = Some(at(seconds));
        issuer.take(fetched, at(seconds)).is_ok()
    }

    #[test]
    fn an_unknown_key_is_looked_for_once_and_not_again_for_a_while() {
        let mut issuer = Issuer::default();
        assert!(issuer.must_fetch(Want::Any, at(0)));
        assert!(tried(&mut issuer, 0, some()));
        assert!(!issuer.must_fetch(Want::Any, at(599)) && issuer.must_fetch(Want::Any, at(600)));
        assert!(!issuer.must_fetch(Want::Newer, at(29)) && issuer.must_fetch(Want::Newer, at(30)));
    }

    #[test]
    fn an_issuer_that_is_away_is_asked_less_and_less_and_believed_for_a_day() {
        let mut issuer = Issuer::default();
        assert!(tried(&mut issuer, 0, some()));
        assert!(tried(&mut issuer, 600, Err("away".into())));
        assert!(!issuer.must_fetch(Want::Newer, at(659)) && issuer.must_fetch(Want::Newer, at(660)));
        assert!(tried(&mut issuer, 660, Err("away".into())));
        assert!(!issuer.must_fetch(Want::Any, at(779)) && issuer.must_fetch(Want::Any, at(780)));
        assert!(issuer.usable(at(86_399)).is_some() && issuer.usable(at(86_400)).is_none());
        assert!(!tried(&mut Issuer::default(), 0, Err("away".into())));
    }
}
