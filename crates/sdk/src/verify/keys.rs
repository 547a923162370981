//! The issuer's published keys: asked for now and then, kept while the issuer is away.
//!
//! Whoever invents names of keys makes nobody ask for them more often than every half a minute.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crypto::jose::{KeySet, SignatureAlgorithm};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::PATIENCE;
use crate::config::Config;
use crate::error::{Error, report};
use crate::oauth::Http;

/// The keys of one issuer.
pub(super) struct Keys {
    http: Http,
    issuer: String,
    is_classical_taken: bool,
    known: RwLock<Option<Known>>,
    /// One asks, the others wait for what it gets.
    asking: Mutex<Asking>,
    fetches: AtomicU64,
    failures: AtomicU64,
}

#[derive(Clone)]
struct Known {
    keys: Arc<KeySet>,
    introspection_endpoint: Option<String>,
    fetched_at: Instant,
}

#[derive(Default)]
struct Asking {
    tried_at: Option<Instant>,
    failures_in_a_row: u32,
}

/// How the issuer's keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// How often they were asked for.
    pub fetches: u64,
    /// How often they were not to be had.
    pub failures: u64,
    /// How many there are.
    pub keys: usize,
    /// How long ago they were last had; none when they never were.
    pub age: Option<Duration>,
}

/// Why keys are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// To have some.
    Any,
    /// Because the ones that there are lack the one that a token names.
    Newer,
}

/// How long keys are used before they are asked for again: as long as the issuer lets them be cached.
const FRESH: Duration = Duration::from_secs(300);
/// How long they are used while the issuer is away.
const STALE: Duration = Duration::from_secs(86_400);
/// How long an unknown name makes nobody ask again.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);
/// How long nobody asks again after a failure, at first and at most.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
    #[serde(default)]
    introspection_endpoint: Option<String>,
}

impl Keys {
    pub(super) fn new(config: &Config, issuer: &str, is_classical_taken: bool) -> Result<Self, Error> {
        Ok(Self {
            http: Http::new(config)?,
            issuer: issuer.to_owned(),
            is_classical_taken,
            known: RwLock::new(None),
            asking: Mutex::default(),
            fetches: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    /// The keys. Why there are none is for the log.
    pub(super) async fn get(&self, want: Want) -> Result<Arc<KeySet>, String> {
        self.known(want).await.map(|known| known.keys)
    }

    /// Where the issuer says what a token is worth.
    pub(super) async fn introspection_endpoint(&self) -> Result<String, String> {
        let known = self.known(Want::Any).await?;
        known.introspection_endpoint.ok_or_else(|| "the issuer offers no introspection".to_owned())
    }

    pub(super) fn status(&self) -> KeyStatus {
        let known = self.had();
        KeyStatus {
            fetches: self.fetches.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            keys: known.as_ref().map_or(0, |known| known.keys.keys().len()),
            age: known.map(|known| known.fetched_at.elapsed()),
        }
    }

    async fn known(&self, want: Want) -> Result<Known, String> {
        let before = self.had();
        if let Some(known) = before.as_ref().filter(|known| want == Want::Any && known.is_fresh()) {
            return Ok(known.clone());
        }
        let mut asking = self.asking.lock().await;
        let since = before.map(|known| known.fetched_at);
        // Somebody asked while this one waited: that answer is as new as any.
        if let Some(known) = self.had().filter(|known| Some(known.fetched_at) != since) {
            return Ok(known);
        }
        if asking.is_due(want, since) {
            asking.tried_at = Some(Instant::now());
            match self.fetch().await {
                Ok(known) => {
                    asking.failures_in_a_row = 0;
                    *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
                }
                Err(reason) => {
                    asking.failures_in_a_row = asking.failures_in_a_row.saturating_add(1);
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(issuer = self.issuer, reason, "the issuer's keys could not be fetched");
                }
            }
        }
        let usable = self.had().filter(|known| known.fetched_at.elapsed() < STALE);
        usable.ok_or_else(|| format!("the keys of {} are not to be had", self.issuer))
    }

    fn had(&self) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self) -> Result<Known, String> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let fetched = tokio::time::timeout(PATIENCE, self.fetch_now()).await;
        fetched.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    async fn fetch_now(&self) -> Result<Known, String> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.http.get(&address, None).await.map_err(|error| report(&error))?;
        if metadata.issuer != self.issuer {
            return Err(format!("its metadata are those of {}", metadata.issuer));
        }
        let set = self.http.get_bytes(&metadata.jwks_uri).await.map_err(|error| report(&error))?;
        let set = std::str::from_utf8(&set).map_err(|_| "its keys are no text".to_owned())?;
        let set = KeySet::read(set).map_err(|refusal| refusal.to_string())?;
        let taken = set.keys().iter().filter(|key| self.is_classical_taken || is_quantum_safe(key.algorithm()));
        let keys = KeySet::new(taken.cloned().collect());
        if keys.keys().is_empty() {
            return Err("it publishes no key that is believed here".to_owned());
        }
        Ok(Known {
            keys: Arc::new(keys),
            introspection_endpoint: metadata.introspection_endpoint,
            fetched_at: Instant::now(),
        })
    }
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.fetched_at.elapsed() < FRESH
    }
}

impl Asking {
    /// Whether it is time to ask: not so soon after a failure, and for an unknown name not so soon after a success.
    fn is_due(&self, want: Want, fetched_at: Option<Instant>) -> bool {
        let pause = match self.failures_in_a_row {
            0 => Duration::ZERO,
            n => PAUSE.saturating_mul(1 << (n - 1).min(6)).min(LONGEST_PAUSE),
        };
        let is_rested = self.tried_at.is_none_or(|tried_at| tried_at.elapsed() >= pause);
        let is_wanted = match want {
            Want::Any => fetched_at.is_none_or(|at| at.elapsed() >= FRESH),
            Want::Newer => fetched_at.is_none_or(|at| at.elapsed() >= UNKNOWN_PAUSE),
        };
        is_rested && is_wanted
    }
}

fn is_quantum_safe(algorithm: SignatureAlgorithm) -> bool {
    matches!(algorithm, SignatureAlgorithm::MlDsa44 | SignatureAlgorithm::MlDsa65 | SignatureAlgorithm::MlDsa87)
}
