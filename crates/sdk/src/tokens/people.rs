//! Tokens of somebody who signed in.

use api::secret::SecretText;
use tokio::sync::Mutex;

use super::{Fetching, TokenSource};
use crate::oauth::{Granted, Provider};

/// What is told of each refresh token, so that it can be kept: the one before it is spent.
type Told = Box<dyn Fn(&str) + Send + Sync>;

/// A sign-in, by its refresh token. Each works once; the provider takes a second use for a theft and ends the sign-in, so
/// that two programs cannot have the same one.
pub struct SignedIn {
    provider: Provider,
    client_id: String,
    refresh_token: Mutex<SecretText>,
    told: Told,
}

impl SignedIn {
    /// A sign-in of a program that forgets it when it ends.
    pub fn new(provider: Provider, client_id: impl Into<String>, refresh_token: &str) -> Self {
        Self {
            provider,
            client_id: client_id.into(),
            refresh_token: Mutex::new(SecretText::copy_from(refresh_token)),
            told: Box::new(|_| ()),
        }
    }

    /// Tells somebody each new refresh token before the access token beside it is used.
    #[must_use]
    pub fn telling(mut self, told: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.told = Box::new(told);
        self
    }
}

impl TokenSource for SignedIn {
    fn fetch<'a>(&'a self, _: Option<&'a str>) -> Fetching<'a> {
        Box::pin(async move {
            let mut held = self.refresh_token.lock().await;
            let granted = self.provider.refresh(&self.client_id, held.expose()).await?;
            let Granted { access_token, expires_in, refresh_token, .. } = granted;
            if let Some(next) = refresh_token {
                (self.told)(next.expose());
                *held = next;
            }
            Ok(super::AccessToken::new(access_token.expose(), std::time::Duration::from_secs(expires_in)))
        })
    }
}
