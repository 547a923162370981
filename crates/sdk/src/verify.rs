//! Access tokens, for who serves an API: whom a request comes from, and what they may do.
//!
//! A [`Verifier`] reads JWT access tokens as RFC 9068 (4) wants it: this issuer and no other, for this API and no other, of the type of access
//! tokens, in time, signed by a key that the issuer publishes. Keys carry their algorithm; what a token's header says is compared
//! with it and never obeyed. Keys are asked for every five minutes, and kept while the issuer is away.
//!
//! What such a token does not say is that it was taken back since. Before what must not happen in the ten minutes that it may still
//! live, [`Verifier::introspect`] asks the issuer, and believes nobody when it does not answer.

mod access;
mod introspection;
mod keys;
mod rejected;
#[cfg(feature = "axum")]
mod request;

use std::sync::Arc;
use std::time::Duration;

use crypto::jose::{Claims, Expected, Typ};

pub use self::access::Access;
use self::introspection::Introspection;
pub use self::keys::KeyStatus;
use self::keys::{Keys, Want};
pub use self::rejected::Rejected;
#[cfg(feature = "axum")]
pub use self::request::{Bearer, Confirmed};
use crate::config::Config;
use crate::error::Error;
use crate::identity::clock::{Clock, WallClock};

/// Believes the access tokens of one issuer for one API. Shared behind an [`Arc`] by everything that serves it.
pub struct Verifier {
    issuer: String,
    audiences: Vec<String>,
    leeway_s: u64,
    keys: Keys,
    introspection: Option<Introspection>,
    clock: Arc<dyn Clock>,
}

/// What a [`Verifier`] is made of.
pub struct Settings {
    issuer: String,
    audiences: Vec<String>,
    client: Option<(String, api::secret::SecretText)>,
    leeway_s: u64,
    is_classical_taken: bool,
    config: Option<Config>,
    clock: Arc<dyn Clock>,
}

/// By how much clocks may differ unless told.
const LEEWAY_S: u64 = 30;
/// How long a question to the issuer may take: somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// No token of the platform is longer, and no proxy lets longer ones pass.
const TOKEN_MAX_BYTES: usize = 16 * 1024;

impl Settings {
    /// Tokens of this issuer, as its metadata names it, for the API that tokens call so.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            client: None,
            leeway_s: LEEWAY_S,
            is_classical_taken: false,
            config: None,
            clock: Arc::new(WallClock),
        }
    }

    /// Another name of the same API.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The client by which the issuer is asked what a token is worth: one that `serves` the audience. Without one there is no
    /// introspection, and no opaque token is believed.
    #[must_use]
    pub fn with_client(mut self, client_id: impl Into<String>, secret: &str) -> Self {
        self.client = Some((client_id.into(), api::secret::SecretText::copy_from(secret)));
        self
    }

    /// How the issuer is reached: authorities, timeout, the name in its log. Address and credential of the configuration are not used.
    #[must_use]
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// By how much clocks may differ; 30 seconds unless told.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway_s = leeway.as_secs();
        self
    }

    /// Takes tokens that are signed with ECDSA or Ed25519 too, as an administrator may have chosen for the tokens that an application
    /// has for itself. A quantum computer forges them.
    #[must_use]
    pub fn with_danger_classical_signatures(mut self) -> Self {
        self.is_classical_taken = true;
        self
    }

    #[cfg(test)]
    fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl Verifier {
    /// A verifier. Nothing is asked yet.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let config = settings.config.unwrap_or_else(|| Config::new("").with_timeout(PATIENCE));
        let is_named = !settings.issuer.is_empty() && settings.audiences.iter().all(|name| !name.is_empty());
        if !is_named {
            return Err(Error::Config("a verifier needs an issuer and an audience".to_owned()));
        }
        let keys = Keys::new(&config, &settings.issuer, settings.is_classical_taken)?;
        let introspection = settings.client.map(|(id, secret)| Introspection::new(&config, id, secret)).transpose()?;
        Ok(Self {
            issuer: settings.issuer,
            audiences: settings.audiences,
            leeway_s: settings.leeway_s,
            keys,
            introspection,
            clock: settings.clock,
        })
    }

    /// Whom a token speaks for, by its signature alone. One that is bound to a certificate is refused: see
    /// [`Self::verify_shown_by`].
    pub async fn verify(&self, token: &str) -> Result<Access, Rejected> {
        self.verify_shown_by(token, None).await
    }

    /// The same for a token that came over mTLS: one that is bound to a certificate has to be shown by its holder (RFC 8705, 3).
    /// `certificate` is the SHA-256 of the DER that the handshake verified.
    pub async fn verify_shown_by(&self, token: &str, certificate: Option<&[u8; 32]>) -> Result<Access, Rejected> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(Rejected::Token(crypto::jose::Refusal::TooLong));
        }
        if !token.contains('.') && self.introspection.is_some() {
            return self.introspect_shown_by(token, certificate).await;
        }
        let access = self.read(token).await?;
        access.must_be_shown_by(certificate)?;
        Ok(access)
    }

    /// Whom a token speaks for at this moment, as the issuer says. Whatever keeps the issuer from answering, the token is not believed.
    pub async fn introspect(&self, token: &str) -> Result<Access, Rejected> {
        self.introspect_shown_by(token, None).await
    }

    /// The same for a token that came over mTLS.
    pub async fn introspect_shown_by(&self, token: &str, certificate: Option<&[u8; 32]>) -> Result<Access, Rejected> {
        let Some(introspection) = &self.introspection else {
            return Err(Rejected::Unavailable("there is no client to introspect by".to_owned()));
        };
        if token.len() > TOKEN_MAX_BYTES {
            return Err(Rejected::Token(crypto::jose::Refusal::TooLong));
        }
        // What is no token of the issuer needs no question, and a forged one learns nothing of how fast the issuer is.
        if token.contains('.') {
            self.read(token).await?;
        }
        let endpoint = self.keys.introspection_endpoint().await.map_err(Rejected::Unavailable)?;
        let claims = introspection.ask(&endpoint, token).await?;
        let access = self.checked(claims)?;
        access.must_be_shown_by(certificate)?;
        Ok(access)
    }

    /// How the issuer's keys are: for metrics and for an alarm.
    pub fn status(&self) -> KeyStatus {
        self.keys.status()
    }

    async fn read(&self, token: &str) -> Result<Access, Rejected> {
        let keys = self.keys.get(Want::Any).await.map_err(Rejected::Unavailable)?;
        let verified = match keys.verify(token, TYP) {
            // The key may be newer than the set.
            Err(crypto::jose::Refusal::UnknownKey) => {
                let keys = self.keys.get(Want::Newer).await.map_err(Rejected::Unavailable)?;
                keys.verify(token, TYP)
            }
            verified => verified,
        };
        self.checked(Claims::read(&verified?.payload)?)
    }

    fn checked(&self, claims: Claims) -> Result<Access, Rejected> {
        let audiences: Vec<&str> = self.audiences.iter().map(String::as_str).collect();
        let now_s = u64::try_from(self.clock.now_s()).unwrap_or_default();
        claims.check(&Expected { issuer: &self.issuer, audiences: &audiences, now_s, leeway_s: self.leeway_s })?;
        Access::of(claims)
    }
}

/// The type of access tokens (RFC 9068, 2.1). An ID token or a logout token has another and is none.
const TYP: Typ<'static> = Typ::Exactly("at+jwt");

#[cfg(test)]
mod tests;
