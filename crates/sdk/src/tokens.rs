//! Access tokens to act by, in place of an API key: where they come from, and how long they are used.
//!
//! A [`TokenSource`] gets tokens; [`Tokens`] keeps the one that is used, renews it before it ends, and once more when the server does not
//! believe it. Tokens are in memory alone.

mod people;
mod services;
mod workload;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use api::secret::SecretText;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use self::people::SignedIn;
pub use self::services::{ClientCredentials, ClientProof};
pub use self::workload::{JobToken, WorkloadTrust};
use crate::error::Error;
use crate::oauth::Granted;

/// A token, and until when it is used.
pub struct AccessToken {
    text: SecretText,
    renew_at: Instant,
    ends: Instant,
}

/// A token that comes, or why none does.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<AccessToken, Error>> + Send + 'a>>;

/// Whoever can get tokens.
pub trait TokenSource: Send + Sync {
    /// Gets one. `stale` is a token that the server did not believe although its time was not over: another one is wanted.
    fn fetch<'a>(&'a self, stale: Option<&'a str>) -> Fetching<'a>;
}

/// The token that is used, out of a source.
pub struct Tokens {
    source: Box<dyn TokenSource>,
    held: Mutex<Option<Arc<AccessToken>>>,
}

/// A token is renewed so long before its end, or when three quarters of its life are over.
const MARGIN: Duration = Duration::from_secs(30);

impl AccessToken {
    /// A token that was given now and lives so long.
    pub fn new(text: &str, lives: Duration) -> Self {
        let now = Instant::now();
        Self {
            text: SecretText::copy_from(text),
            renew_at: now + lives.saturating_sub(MARGIN.min(lives / 4)),
            ends: now + lives,
        }
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }

    fn is_alive(&self) -> bool {
        Instant::now() < self.ends
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

impl From<Granted> for AccessToken {
    fn from(granted: Granted) -> Self {
        Self::new(granted.access_token.expose(), Duration::from_secs(granted.expires_in))
    }
}

impl Tokens {
    /// Tokens of a source. Nothing is fetched yet.
    pub fn of(source: impl TokenSource + 'static) -> Arc<Self> {
        Arc::new(Self { source: Box::new(source), held: Mutex::new(None) })
    }

    /// A token that can be used now. Whoever asks meanwhile waits for the same one.
    pub async fn current(&self) -> Result<Arc<AccessToken>, Error> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.is_fresh()) {
            return Ok(Arc::clone(token));
        }
        match (self.source.fetch(None).await, held.as_ref().filter(|token| token.is_alive())) {
            (Ok(token), _) => Ok(Arc::clone(held.insert(Arc::new(token)))),
            // The one that ends soon serves while the provider is away.
            (Err(error), Some(token)) => {
                tracing::warn!(error = %crate::error::report(&error), "a token could not be renewed");
                Ok(Arc::clone(token))
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Another token than one that the server did not believe.
    pub async fn in_place_of(&self, stale: &AccessToken) -> Result<Arc<AccessToken>, Error> {
        let mut held = self.held.lock().await;
        // Somebody else was told the same and has another already.
        if let Some(token) = held.as_ref().filter(|token| token.expose() != stale.expose() && token.is_fresh()) {
            return Ok(Arc::clone(token));
        }
        *held = None;
        let token = self.source.fetch(Some(stale.expose())).await?;
        Ok(Arc::clone(held.insert(Arc::new(token))))
    }
}

#[cfg(test)]
mod tests;
