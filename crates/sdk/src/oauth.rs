//! The platform's identity provider, as a client of it speaks to it: tokens for codes, devices, jobs and services (OAuth 2.1,
//! RFC 8628, RFC 8693), giving them back (RFC 7009), and who somebody is.
//!
//! Nothing of a token is read here: to its client it is opaque. Who serves an API reads tokens with [`crate::verify`].

mod browser;
mod http;

use std::time::Duration;

use api::oauth::{DeviceAuthorization, UserInfo};
use api::routes::oidc as routes;
use api::secret::SecretText;
use serde::Deserialize;

pub use self::browser::BrowserSignIn;
pub(crate) use self::http::{Form, Http};
use crate::client::checked_base;
use crate::config::Config;
use crate::error::Error;
use crate::tokens::AccessToken;

/// The client id of the command line: an application that every tenant has, for the tenant's own people.
pub const COMMAND_LINE: &str = "qapi-cli";

/// An issuer of the platform: the default tenant's, or a named one's.
pub struct Provider {
    http: Http,
    /// The server's address and the tenant's path, without a slash at its end.
    base: String,
}

/// What an issuer says about itself, as far as a client needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata {
    /// The issuer, as tokens name it.
    pub issuer: String,
    /// Where browsers begin.
    pub authorization_endpoint: String,
}

/// What the token endpoint gave.
#[derive(Deserialize)]
pub struct Granted {
    /// For APIs.
    pub access_token: SecretText,
    /// Seconds it lives.
    pub expires_in: u64,
    /// What it allows.
    #[serde(default)]
    pub scope: Option<String>,
    /// For new tokens.
    #[serde(default)]
    pub refresh_token: Option<SecretText>,
}

/// A device that waits for somebody to type its code elsewhere.
pub struct Device<'p> {
    provider: &'p Provider,
    client_id: String,
    said: DeviceAuthorization,
}

/// The longest wait between two questions of a device.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// By how much a device waits longer that asked too often (RFC 8628, 3.5).
const SLOWER: Duration = Duration::from_secs(5);

impl Provider {
    /// The default tenant's issuer at the address of a configuration. A credential in it is not shown to the provider.
    pub fn new(config: &Config) -> Result<Self, Error> {
        Ok(Self { http: Http::new(config)?, base: checked_base(config)? })
    }

    /// The issuer of the tenant that has this slug.
    pub fn of_tenant(config: &Config, slug: &str) -> Result<Self, Error> {
        let is_slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if slug.is_empty() || !slug.bytes().all(is_slug) {
            return Err(Error::Config(format!(
                "{slug:?} is no tenant: a slug has lower-case letters, digits and hyphens"
            )));
        }
        let provider = Self::new(config)?;
        Ok(Self { base: format!("{}/t/{slug}", provider.base), ..provider })
    }

    /// What the issuer says about itself.
    pub async fn metadata(&self) -> Result<Metadata, Error> {
        self.http.get(&self.url(routes::METADATA.path), None).await
    }

    /// Tokens for the code that a browser came back with.
    pub async fn redeem(
        &self,
        client_id: &str,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<Granted, Error> {
        let form = Form::of(&[
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ]);
        self.token(&form, None).await
    }

    /// New tokens for a refresh token, which works once: the one in the answer takes its place.
    pub async fn refresh(&self, client_id: &str, refresh_token: &str) -> Result<Granted, Error> {
        let form =
            Form::of(&[("grant_type", "refresh_token"), ("client_id", client_id), ("refresh_token", refresh_token)]);
        self.token(&form, None).await
    }

    /// Gives a token back. Giving back a refresh token ends everything that came of its sign-in.
    pub async fn revoke(&self, client_id: &str, token: &str) -> Result<(), Error> {
        let form = Form::of(&[("client_id", client_id), ("token", token)]);
        self.http.post(&self.url(routes::REVOKE.path), &form, None).await.map(|_: serde_json::Value| ())
    }

    /// Who an access token is about, as far as it lets its bearer know.
    pub async fn user_info(&self, token: &AccessToken) -> Result<UserInfo, Error> {
        self.http.get(&self.url(routes::USERINFO.path), Some(&format!("Bearer {}", token.expose()))).await
    }

    /// Gets a device its code (RFC 8628), which somebody types at the address it comes with.
    pub async fn begin_device(&self, client_id: &str, scope: &str, resource: &str) -> Result<Device<'_>, Error> {
        let form = Form::of(&[("client_id", client_id), ("scope", scope), ("resource", resource)]);
        let said = self.http.post(&self.url(routes::DEVICE_AUTHORIZATION.path), &form, None).await?;
        Ok(Device { provider: self, client_id: client_id.to_owned(), said })
    }

    pub(crate) async fn token(&self, form: &Form, authorization: Option<&str>) -> Result<Granted, Error> {
        self.http.post(&self.url(routes::TOKEN.path), form, authorization).await
    }

    /// The address of the token endpoint, for assertions that are made for it.
    pub(crate) fn token_endpoint(&self) -> String {
        self.url(routes::TOKEN.path)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl Device<'_> {
    /// What somebody types.
    pub fn user_code(&self) -> &str {
        &self.said.user_code
    }

    /// Where they type it.
    pub fn verification_uri(&self) -> &str {
        &self.said.verification_uri
    }

    /// The same with the code in it, for a QR code or a link.
    pub fn verification_uri_complete(&self) -> &str {
        &self.said.verification_uri_complete
    }

    /// Asks until somebody has answered, as often as the provider wants, and for as long as it waits.
    pub async fn wait(self) -> Result<Granted, Error> {
        let form = Form::of(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", &self.client_id),
            ("device_code", &self.said.device_code),
        ]);
        let mut interval = Duration::from_secs(u64::try_from(self.said.interval).unwrap_or(5).max(1));
        loop {
            tokio::time::sleep(interval.min(LONGEST_INTERVAL)).await;
            match self.provider.token(&form, None).await {
                Err(Error::OAuth(refusal)) if refusal.code == "authorization_pending" => {}
                Err(Error::OAuth(refusal)) if refusal.code == "slow_down" => interval += SLOWER,
                // The provider is away for a moment; it says itself when it has waited long enough.
                Err(Error::Unreachable { .. } | Error::TimedOut { .. }) => interval += SLOWER,
                answered => return answered,
            }
        }
    }
}
