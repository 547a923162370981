//! Secrets and connection strings in memory, with a maximum age.
//!
//! Fetched at start, or the start fails; fetched again well before they are too old. While the platform is away they stay in
//! use until then, and no longer: a secret that was taken back on the platform is gone here after that age at the latest.
//! Whoever asks afterwards gets nothing, and the service is not ready.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::secret::SecretText;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::Client;
use crate::error::Error;
use crate::identity::plan::{START_TRIES, pause};
use crate::random;
use crate::task::Task;

/// Secrets by name. Clones share them.
#[derive(Clone)]
pub struct SecretCache {
    held: Arc<Held>,
    /// Stopped when the last clone is gone.
    _refresher: Option<Arc<Task>>,
}

/// A secret that was not there when the service started.
#[derive(Debug, thiserror::Error)]
#[error("the secret {name} was not fetched in {START_TRIES} tries")]
pub struct StartFailed {
    /// Which.
    pub name: String,
    /// What the last try said.
    #[source]
    pub source: Error,
}

/// Where secrets come from.
trait Source: Send + Sync + 'static {
    fn fetch<'a>(&'a self, name: &'a str) -> Fetching<'a>;
}

type Fetching<'a> = Pin<Box<dyn Future<Output = Result<SecretText, Error>> + Send + 'a>>;

impl Source for Client {
    fn fetch<'a>(&'a self, name: &'a str) -> Fetching<'a> {
        Box::pin(async move { Ok(self.secret_by_name(name, &Default::default()).await?.value) })
    }
}

struct Held {
    slots: Mutex<BTreeMap<String, Slot>>,
    max_age: Duration,
    changes: watch::Sender<u64>,
}

/// A value and when it was known to be current.
struct Slot {
    value: Arc<SecretText>,
    confirmed: Instant,
}

impl SecretCache {
    /// A cache of nothing, which is always ready.
    pub fn empty() -> Self {
        Self { held: Arc::new(Held::new(Duration::ZERO)), _refresher: None }
    }

    /// Fetches secrets by name and keeps them. Each is tried five times, with pauses.
    pub async fn start(
        client: Client,
        names: impl IntoIterator<Item = String>,
        max_age: Duration,
    ) -> Result<Self, StartFailed> {
        Self::start_with(Arc::new(client), names.into_iter().collect(), max_age).await
    }

    async fn start_with(source: Arc<dyn Source>, names: Vec<String>, max_age: Duration) -> Result<Self, StartFailed> {
        let held = Arc::new(Held::new(max_age));
        for name in &names {
            held.put(name, first(&*source, name).await?);
        }
        let refresher = Task::spawn(keep(Arc::clone(&held), source, names));
        Ok(Self { held, _refresher: Some(Arc::new(refresher)) })
    }

    /// The value, unless it is too old or was never asked for.
    pub fn value(&self, name: &str) -> Option<Arc<SecretText>> {
        let slots = self.held.slots();
        let slot = slots.get(name).filter(|slot| slot.confirmed.elapsed() <= self.held.max_age)?;
        Some(Arc::clone(&slot.value))
    }

    /// Whether every secret is there and young enough.
    pub fn is_ready(&self) -> bool {
        self.held.slots().values().all(|slot| slot.confirmed.elapsed() <= self.held.max_age)
    }

    /// Tells when a value has become another one.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.held.changes.subscribe()
    }
}

impl Held {
    fn new(max_age: Duration) -> Self {
        Self { slots: Mutex::default(), max_age, changes: watch::channel(0).0 }
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, name: &str, value: SecretText) {
        let confirmed = Instant::now();
        let mut slots = self.slots();
        match slots.get_mut(name) {
            Some(slot) if slot.value.expose() == value.expose() => slot.confirmed = confirmed,
            _ => {
                slots.insert(name.to_owned(), Slot { value: Arc::new(value), confirmed });
                self.changes.send_modify(|count| *count += 1);
            }
        }
    }

    /// How old the oldest value is.
    fn age(&self) -> Duration {
        self.slots().values().map(|slot| slot.confirmed.elapsed()).max().unwrap_or_default()
    }
}

async fn first(source: &dyn Source, name: &str) -> Result<SecretText, StartFailed> {
    let mut failures = 0;
    loop {
        match source.fetch(name).await {
            Ok(value) => return Ok(value),
            Err(source) if failures + 1 == START_TRIES => return Err(StartFailed { name: name.to_owned(), source }),
            Err(error) => {
                failures += 1;
                tracing::warn!(secret.name = name, %error, failures, "secret not fetched");
                tokio::time::sleep(pause(failures, random::fraction())).await;
            }
        }
    }
}

async fn keep(held: Arc<Held>, source: Arc<dyn Source>, names: Vec<String>) {
    let mut failures = 0;
    loop {
        tokio::time::sleep(next_look(held.max_age, held.age(), failures, random::fraction())).await;
        failures = match refresh(&held, &*source, &names).await {
            Ok(()) => 0,
            Err((name, error)) => {
                tracing::warn!(secret.name = name, %error, failures = failures + 1, "secret not fetched");
                failures + 1
            }
        };
    }
}

async fn refresh<'a>(held: &Held, source: &dyn Source, names: &'a [String]) -> Result<(), (&'a str, Error)> {
    for name in names {
        held.put(name, source.fetch(name).await.map_err(|error| (name.as_str(), error))?);
    }
    Ok(())
}

/// Between two and three fifths of the maximum age, so that there is time for several more tries; after a failure sooner.
fn next_look(max_age: Duration, age: Duration, failures: u32, jitter: f64) -> Duration {
    if failures > 0 {
        return pause(failures, jitter).min(max_age / 10).max(MINIMUM);
    }
    max_age.mul_f64(0.4 + jitter / 5.0).saturating_sub(age).max(MINIMUM)
}

const MINIMUM: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::*;

    /// A platform that can be away.
    #[derive(Default)]
    struct Vault {
        away: AtomicBool,
        version: AtomicU32,
        asked: AtomicU32,
    }

    impl Source for Vault {
        fn fetch<'a>(&'a self, _name: &'a str) -> Fetching<'a> {
            Box::pin(async move {
                self.asked.fetch_add(1, Ordering::Relaxed);
                if self.away.load(Ordering::Relaxed) {
                    return Err(Error::Foreign { status: 502 });
                }
                Ok(SecretText::new(format!("v{}", self.version.load(Ordering::Relaxed))))
            })
        }
    }

    const AGE: Duration = Duration::from_secs(900);

    async fn started(vault: &Arc<Vault>) -> Result<SecretCache, StartFailed> {
        SecretCache::start_with(Arc::clone(vault) as Arc<dyn Source>, vec!["db".to_owned()], AGE).await
    }

    fn value(cache: &SecretCache) -> Option<String> {
        cache.value("db").map(|value| value.expose().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_without_the_secret_fails_after_five_tries() {
        let vault = Arc::new(Vault::default());
        vault.away.store(true, Ordering::Relaxed);
        assert_eq!(started(&vault).await.err().map(|error| error.name).as_deref(), Some("db"));
        assert_eq!(vault.asked.load(Ordering::Relaxed), START_TRIES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_outlives_the_platform_until_it_is_too_old_and_comes_back_with_it() {
        let vault = Arc::new(Vault::default());
        let cache = started(&vault).await.unwrap();
        vault.away.store(true, Ordering::Relaxed);
        tokio::time::sleep(AGE - Duration::from_secs(1)).await;
        assert_eq!((value(&cache).as_deref(), cache.is_ready()), (Some("v0"), true));
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!((value(&cache), cache.is_ready()), (None, false));
        vault.away.store(false, Ordering::Relaxed);
        tokio::time::sleep(AGE / 10).await;
        assert_eq!((value(&cache).as_deref(), cache.is_ready()), (Some("v0"), true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_value_is_noticed_and_told() {
        let vault = Arc::new(Vault::default());
        let cache = started(&vault).await.unwrap();
        let mut changes = cache.subscribe();
        changes.mark_unchanged();
        vault.version.store(2, Ordering::Relaxed);
        tokio::time::timeout(AGE, changes.changed()).await.unwrap().unwrap();
        assert_eq!(value(&cache).as_deref(), Some("v2"));
        assert!(SecretCache::empty().is_ready() && cache.value("other").is_none());
    }
}
